//! The function that measures itself: what `#[track]` and `#[limit]` write.
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

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens, TokenStreamExt as _, quote, quote_spanned};
use syn::{Attribute, ReturnType, Signature, Type};

use crate::args::Args;
use crate::arguments::Arguments;
use crate::function::{Body, Function};
use crate::limits::LimitArgs;
use crate::returned;
use crate::tail::Tail;

/// The function, measured. One without a body is given back as it is. `alone` says that no attribute of a block around it is expanded later.
pub(crate) fn measured(function: &Function, args: &Args, alone: bool) -> TokenStream {
    written(function, args, None, alone)
}

/// The function, measured and judged at its end.
pub(crate) fn limited(function: &Function, limits: &LimitArgs) -> TokenStream {
    written(function, &limits.common, Some(&limits.expand()), true)
}

/// ```text
/// Input:   #[limit(peak = 10)] fn f() { body }          Output as for #[track], but for
///          __scope:                                      let __scope = P::Limited::enter(__site, LIMITS);
///          a future, measured:                           P::InLimits::new(LIMITS, ..)
/// ```
///
/// `LIMITS` is what [`LimitArgs::expand`] writes.
fn written(function: &Function, args: &Args, limits: Option<&TokenStream>, alone: bool) -> TokenStream {
    let Function { attrs, qualifiers, sig, written_sig, body, .. } = function;
    let Some(body) = body else {
        return function.to_token_stream();
    };
    let private = args.private();
    let (sig_tokens, statements) = if sig.asyncness.is_some() {
        asynchronous(function, body, alone, &private, limits)
    } else if let Some(tail) = Tail::of(body) {
        (written_sig.clone(), ending_in_a_future(body, tail, &private, limits))
    } else {
        (written_sig.clone(), synchronous(body, &private, limits))
    };

    let mut tokens = TokenStream::new();
    tokens.append_all(attrs);
    tokens.append_all([qualifiers, &sig_tokens]);
    body.brace.surround(&mut tokens, |tokens| {
        tokens.append_all(&body.inner_attrs);
        tokens.append_all([site(sig, args, &private), statements]);
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
fn synchronous(body: &Body, private: &TokenStream, limits: Option<&TokenStream>) -> TokenStream {
    let body = in_braces(body, &body.tokens);
    let scope = match limits {
        None => quote_spanned!(Span::mixed_site()=> #private::enter(__site)),
        Some(limits) => quote_spanned!(Span::mixed_site()=> #private::Limited::enter(__site, #limits)),
    };
    quote_spanned! {Span::mixed_site()=>
        let __scope = #scope;
        #body
    }
}

/// A measured future, judged when it is ready if there are limits.
fn judged(future: TokenStream, span: Span, private: &TokenStream, limits: Option<&TokenStream>) -> TokenStream {
    match limits {
        None => future,
        Some(limits) => quote_spanned!(span=> #private::InLimits::new(#limits, #future)),
    }
}

/// ```text
/// Input:   async fn f(a: A) -> T { body }
/// Output:  fn f(a: A) -> impl P::Future<Output = T> { let __site = ..;
///              P::InScope::new(__site, async move { let a = a; hint { const _: () = (); body } }) }
/// ```
///
/// That is what the compiler makes of an `async fn`, and one layer. So the future is that of the plain function and what [`InScope`] adds: it
/// holds each argument once, and a type is one layer deeper. Where somebody else still has to see the word `async`, or what is returned
/// cannot stand in `impl Future<Output = ..>`, the future is put into that of the function instead:
///
/// ```text
/// Output:  async fn f(a: A) -> T { let __site = ..;
///              return P::InScope::new(__site, async move { let a = a; hint { const _: () = (); body } }).await; }
/// ```
///
/// The braces of the `async` block stand where the user's are, and are of our edition: temporaries of the body's last expression are dropped
/// before the arguments, in every edition. `return` makes the declared type known before the future is checked. For `-> !` it would be
/// followed by code that cannot be reached.
///
/// [`InScope`]: https://docs.rs/memprof/latest/memprof/struct.Tracked.html
fn asynchronous(
    function: &Function,
    body: &Body,
    alone: bool,
    private: &TokenStream,
    limits: Option<&TokenStream>,
) -> (TokenStream, TokenStream) {
    let span = Span::mixed_site().located_at(body.brace.span.join());
    let Arguments { mut sig, bindings } = Arguments::of(&function.sig, &body.tokens);
    let hint = returned::hint(&sig, private);
    let inner = in_braces(body, &body.tokens);
    let mut block = Group::new(Delimiter::Brace, quote!(#bindings #hint #inner));
    block.set_span(span);
    let future = quote_spanned!(span=> #private::InScope::new(__site, async move #block));
    let future = judged(future, span, private, limits);
    let output = returned::future(&sig, private).filter(|_| alone && function.attrs.iter().all(is_inert));
    let statements = match (output, &sig.output) {
        (Some(output), _) => {
            sig.asyncness = None;
            sig.output = output;
            future
        }
        (None, ReturnType::Type(_, ty)) if matches!(**ty, Type::Never(_)) => quote_spanned!(span=> #future.await),
        (None, _) => quote_spanned!(span=> return #future.await;),
    };
    (sig.into_token_stream(), statements)
}

/// Whether an attribute means the same on a function that is `async` and on one that returns a future. `must_use` does not: it speaks of
/// what is awaited. One that this list does not have may be a macro that is expanded next.
pub(crate) fn is_inert(attr: &Attribute) -> bool {
    const INERT: &[&str] = &["allow", "cfg", "cold", "deny", "deprecated", "doc", "expect", "forbid", "inline", "warn"];
    const TOOLS: &[&str] = &["clippy", "diagnostic", "rustfmt"];
    let path = attr.path();
    match path.segments.first() {
        Some(first) if path.segments.len() == 1 => INERT.iter().any(|inert| first.ident == inert),
        Some(first) => TOOLS.iter().any(|tool| first.ident == tool),
        None => false,
    }
}

/// ```text
/// Input:   { prefix  Box::pin(async move { body }) }
/// Output:  { let __site = ..; let __call = P::Call::begin(__site);
///            { const _: () = (); prefix  Box::pin(__call.future(async move { body })) } }
///
/// Input:   { Box::pin(async move { body }) }
/// Output:  { let __site = ..; { const _: () = (); Box::pin(P::InScope::new(__site, async move { body })) } }
/// ```
///
/// The same for a plain `async` block. It stays `move` or not as it was written. A call is one activation: with statements before the block
/// it begins with the call, as that of an `async fn` would with its first poll; without them, with the first poll.
fn ending_in_a_future(body: &Body, tail: Tail, private: &TokenStream, limits: Option<&TokenStream>) -> TokenStream {
    let span = Span::mixed_site();
    let judged = |future| judged(future, span, private, limits);
    if !tail.has_statements {
        let measured = |future| judged(quote_spanned!(span=> #private::InScope::new(__site, #future)));
        return in_braces(body, &tail.rewrite(measured));
    }
    let body = in_braces(body, &tail.rewrite(|future| judged(quote_spanned!(span=> __call.future(#future)))));
    // Measuring begins before the call does.
    let begin = limits.map(|_| quote_spanned!(span=> #private::Limits::switch_on();));
    quote_spanned!(span=> #begin let __call = #private::Call::begin(__site); #body)
}

/// `{ const _: () = (); tokens }` in the user's braces.
fn in_braces(body: &Body, tokens: &TokenStream) -> TokenStream {
    let mut block = TokenStream::new();
    body.brace.surround(&mut block, |block| {
        block.append_all([&quote_spanned!(Span::mixed_site()=> const _: () = ();), tokens]);
    });
    block
}
