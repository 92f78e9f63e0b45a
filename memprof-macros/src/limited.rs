//! `#[limit]` on a function, and what it has to do with the other attributes there.
//!
//! A function is one activation however many attributes of memprof's it has. The one that is expanded first takes the others in: a
//! `#[limit]` takes further ones, each for a space of its own, and what a `#[track]` says; a `#[track]` leaves the function to the `#[limit]`.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote_spanned};
use syn::{Attribute, Error, Meta, Result};

use crate::args::Args;
use crate::expand;
use crate::function::Function;
use crate::implblock::{ImplBlock, track_args};
use crate::limits::{self, LimitArgs};

/// The function, judged; without `measure` as it was, but for the attributes that were taken in. An error leaves the rest of it standing.
pub(crate) fn expand(args: TokenStream, item: TokenStream, measure: bool) -> TokenStream {
    let args = syn::parse2::<LimitArgs>(args);
    match syn::parse2::<Function>(item.clone()) {
        Ok(mut function) => match judge(&mut function, args) {
            Ok(limits) if measure => expand::limited(&function, &limits),
            Ok(_) => function.to_token_stream(),
            Err(error) => report(&error, function.to_token_stream()),
        },
        Err(error) => report(&args.err().unwrap_or_else(|| misplaced(&item, error)), item),
    }
}

/// All that the function may need. Takes the attributes that say so out of it.
fn judge(function: &mut Function, args: Result<LimitArgs>) -> Result<LimitArgs> {
    let taken: Vec<Attribute> = function.attrs.extract_if(.., |attr| limits::of_attribute(attr).is_some()).collect();
    let tracks: Vec<Attribute> = function.attrs.extract_if(.., |attr| track_args(attr).is_some()).collect();
    let mut limits = args?;
    for attr in &taken {
        limits::of_attribute(attr).map_or(Ok(()), |more| limits.add(more))?;
    }
    for track in tracks.iter().filter_map(track_args) {
        limits.common = core::mem::take(&mut limits.common).or(track.on_function()?);
    }
    if let Some(error) = function.refusal("limit") {
        return Err(error);
    }
    if let Some(attr) = function.attrs.iter().find(|attr| panics_anyhow(attr)) {
        let message = "a limit that is exceeded panics, which this test would take for the panic that it waits for: say which one, `#[should_panic(expected = \"..\")]`";
        return Err(Error::new_spanned(attr, message));
    }
    Ok(limits)
}

/// `#[should_panic]` without `expected`.
fn panics_anyhow(attr: &Attribute) -> bool {
    let says_which = |tokens: &TokenStream| {
        tokens.clone().into_iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "expected"))
    };
    attr.path().is_ident("should_panic")
        && match &attr.meta {
            Meta::Path(_) => true,
            Meta::List(list) => !says_which(&list.tokens),
            // `#[should_panic = ".."]`
            Meta::NameValue(_) => false,
        }
}

fn misplaced(item: &TokenStream, error: Error) -> Error {
    if syn::parse2::<ImplBlock>(item.clone()).is_ok() {
        let message =
            "a limit is for one activation, and an `impl` block is none: put `#[limit(..)]` on one of its functions";
        return Error::new(first_word(item), message);
    }
    let is_function = item.clone().into_iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "fn"));
    if is_function {
        return error;
    }
    Error::new(first_word(item), "`#[limit]` judges functions: put it on a function, a method or an `async fn`")
}

/// What an item begins with, after its attributes.
fn first_word(item: &TokenStream) -> Span {
    let word = item.clone().into_iter().find(|token| matches!(token, TokenTree::Ident(_)));
    word.map_or_else(Span::call_site, |word| word.span())
}

/// The error in front of the item. Without the item, every use of it would be an error too.
fn report(error: &Error, item: TokenStream) -> TokenStream {
    let mut tokens = error.to_compile_error();
    tokens.extend(item);
    tokens
}

/// Leaves the function to its `#[limit]`, which then says also what this `#[track]` says; `None` if it has none.
///
/// ```text
/// Input:   #[track(name = "load")] #[limit(peak = 10)] fn f() {}
/// Output:  #[limit(name = "load", peak = 10)] fn f() {}
/// ```
pub(crate) fn left_to_limit(mut function: Function, args: &Args) -> Option<TokenStream> {
    let attr = function.attrs.iter_mut().find(|attr| limits::of_attribute(attr).is_some())?;
    let own = limits::of_attribute(attr)?.common;
    let span = Span::mixed_site();
    let name = args.name().filter(|_| own.name().is_none()).map(|name| quote_spanned!(span=> name = #name,));
    let krate = args.krate().filter(|_| own.krate().is_none()).map(|path| quote_spanned!(span=> crate = #path,));
    if let Meta::List(list) = &mut attr.meta {
        let written = core::mem::take(&mut list.tokens);
        list.tokens = quote_spanned!(span=> #name #krate #written);
    }
    Some(function.to_token_stream())
}
