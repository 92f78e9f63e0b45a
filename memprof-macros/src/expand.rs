//! The function that measures itself: what `#[track]` writes.
//!
//! Nothing is put *around* the user's code: no closure, no `#[allow]`, no renamed variable. `?`, `return`, labels and borrows mean what they
//! meant. Four rules keep it so, and every quotation below follows them:
//!
//! * What is introduced carries the span `mixed_site`: local names are invisible to the body, and lints know them for a macro's.
//! * What is wrapped is wrapped in **the user's own braces**. They carry the user's edition, on which the drop order of temporaries depends
//!   (RFC 3606), and they are where the compiler points.
//! * What is kept is kept as the compiler's own stream: see [`invisible`](crate::invisible).
//! * Every path starts at `__private`. In the comments below `P` is `::memprof::__private`.
//!
//! The empty `const _` at the head of the user's block keeps `unused_braces` from taking a one-line body for superfluous braces.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, TokenStreamExt as _, quote_spanned};
use syn::{ReturnType, Signature, Type};

use crate::args::Args;
use crate::captures;
use crate::item::{Body, Function};
use crate::returned;
use crate::tail::Tail;

/// The function, measured. One without a body is given back as it is.
pub(crate) fn measured(function: &Function, args: &Args) -> TokenStream {
    let Function { attrs, head, sig, body, .. } = function;
    let Some(body) = body else {
        return function.to_token_stream();
    };
    let private = args.private();
    let site = site(sig, args, &private);
    let statements = if sig.asyncness.is_some() {
        asynchronous(sig, body, &private)
    } else if let Some(tail) = Tail::of(body) {
        ending_in_a_future(body, tail, &private)
    } else {
        synchronous(body, &private)
    };

    let mut tokens = TokenStream::new();
    tokens.append_all(attrs);
    head.to_tokens(&mut tokens);
    body.brace.surround(&mut tokens, |tokens| {
        tokens.append_all(&body.inner_attrs);
        tokens.append_all([site, statements]);
    });
    tokens
}

/// The static that stands for this function, as the local `__site`.
///
/// ```text
/// Input:   fn f() {}                        with #[track]
/// Output:  let __site = {
///              fn __here() {}
///              static SITE: P::Site = P::Site::function(P::file!(), P::line!(), P::module_path!(), || P::type_name_of_val(&__here));
///              &SITE
///          };
///
/// Input:   fn f() {}                        with #[track(name = "load")]
/// Output:  let __site = { static SITE: P::Site = P::Site::block(P::file!(), P::line!(), "load"); &SITE };
/// ```
///
/// `file!` and `line!` are those of the `fn` keyword: its span is theirs, path and all. The type name of `__here` holds the path of the
/// function around it, `impl` block included, which no other stable means gives a macro.
fn site(sig: &Signature, args: &Args, private: &TokenStream) -> TokenStream {
    let fn_keyword = sig.fn_token.span;
    let there = args.private_at(fn_keyword);
    let file = quote_spanned!(fn_keyword=> #there::file!());
    let line = quote_spanned!(fn_keyword=> #there::line!());
    let block = if let Some(name) = args.name() {
        quote_spanned! {Span::mixed_site()=>
            static SITE: #private::Site = #private::Site::block(#file, #line, #name);
        }
    } else {
        quote_spanned! {Span::mixed_site()=>
            fn __here() {}
            static SITE: #private::Site =
                #private::Site::function(#file, #line, #private::module_path!(), || #private::type_name_of_val(&__here));
        }
    };
    quote_spanned!(Span::mixed_site()=> let __site = { #block &SITE };)
}

/// ```text
/// Input:   { body }
/// Output:  { let __site = ..; let __scope = P::enter(__site); { const _: () = (); body } }
/// ```
fn synchronous(body: &Body, private: &TokenStream) -> TokenStream {
    let body = in_braces(body, &body.tokens);
    quote_spanned! {Span::mixed_site()=>
        let __scope = #private::enter(__site);
        #body
    }
}

/// ```text
/// Input:   async fn f(..) -> T { body }
/// Output:  { let __site = ..; return P::InScope::new(__site, async move { captures hint { const _: () = (); body } }).await; }
/// ```
///
/// `return` makes the declared type known before the future is checked. For `-> !` it would be followed by code that cannot be reached.
fn asynchronous(sig: &Signature, body: &Body, private: &TokenStream) -> TokenStream {
    let span = Span::mixed_site();
    let captures = captures::in_drop_order(sig, &body.tokens);
    let hint = returned::hint(sig, private);
    let inner = in_braces(body, &body.tokens);
    let mut block = TokenStream::new();
    body.brace.surround(&mut block, |tokens| {
        tokens.append_all([captures, hint, inner]);
    });
    let future = quote_spanned!(span=> #private::InScope::new(__site, async move #block).await);
    match &sig.output {
        ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) => future,
        _ => quote_spanned!(span=> return #future;),
    }
}

/// ```text
/// Input:   { prefix  Box::pin(async move { body }) }
/// Output:  { let __site = ..; let __scope = P::enter(__site);
///            { const _: () = (); prefix  Box::pin(P::InScope::new(__site, async move { body })) } }
/// ```
///
/// The same for a plain `async` block. It stays `move` or not as it was written. Without statements before it there is nothing to measure
/// but the future: the scope is left out, so that a call is one activation.
fn ending_in_a_future(body: &Body, tail: Tail, private: &TokenStream) -> TokenStream {
    let span = Span::mixed_site();
    let scope = tail.has_statements.then(|| quote_spanned!(span=> let __scope = #private::enter(__site);));
    let tokens = tail.rewrite(|future| quote_spanned!(span=> #private::InScope::new(__site, #future)));
    let body = in_braces(body, &tokens);
    quote_spanned!(span=> #scope #body)
}

/// `{ const _: () = (); tokens }` in the user's braces.
fn in_braces(body: &Body, tokens: &TokenStream) -> TokenStream {
    let mut block = TokenStream::new();
    body.brace.surround(&mut block, |block| {
        block.append_all([&quote_spanned!(Span::mixed_site()=> const _: () = ();), tokens]);
    });
    block
}
