//! The arguments of an `async fn`, moved into the `async` block that its body becomes.
//!
//! The compiler makes such a block of every `async fn`, whose first statements bind the arguments: whatever of them the body mentions,
//! all of it is dropped when the body ends, last to first. This module writes the same statements into the block that is measured. So order
//! and place of the drops, and what lints say of an argument, are the plain function's.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, TokenStreamExt as _, format_ident, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Attribute, FnArg, Pat, PatIdent, PatType, Signature};

/// Arguments on their way into an `async` block.
pub(crate) struct Arguments {
    /// The signature, each argument under a name that the body cannot see.
    pub(crate) sig: Signature,
    /// The statements that give them their own patterns again.
    pub(crate) bindings: TokenStream,
}

impl Arguments {
    /// ```text
    /// Input:   async fn f(self, mut a: A, (b, _): B, _: C, _d: D) { uses a and b }
    /// Output:  async fn f(self, a: A, __2: B, __3: C, _d: D)
    ///          if false { let _ = &self; }  let mut a = a;  let __2 = __2; let (b, _) = __2;  let __3 = __3;  let _d = _d;
    /// ```
    ///
    /// `self` cannot be bound anew. It is mentioned, in code that never runs, so that all of it is captured and counts as used, and first: what
    /// is captured is dropped after what is bound. The two `a` are different variables (`mixed_site`), with one name
    /// for whoever reads documentation or an error. What the body cannot miss gets no pattern of the user's: `_`, and what is named like
    /// `_d` and not mentioned.
    pub(crate) fn of(sig: &Signature, body: &TokenStream) -> Self {
        let mut sig = sig.clone();
        let mut bindings = TokenStream::new();
        for (position, argument) in sig.inputs.iter_mut().enumerate() {
            match argument {
                FnArg::Receiver(receiver) => {
                    let receiver = receiver.self_token;
                    bindings.append_all(quote_spanned!(Span::mixed_site()=> if false { let _ = &#receiver; }));
                }
                FnArg::Typed(argument) => bindings.append_all(moved_in(argument, position, body)),
            }
        }
        Self { sig, bindings }
    }
}

/// Renames the argument, and gives the statements that undo it. They stand where the argument stands.
fn moved_in(argument: &mut PatType, position: usize, body: &TokenStream) -> TokenStream {
    let span = Span::mixed_site().located_at(argument.pat.span());
    let variable = variable(&argument.pat).map(|variable| {
        let mut parameter = variable.clone();
        parameter.set_span(span);
        parameter
    });
    let is_named = variable.is_some();
    let parameter = variable.unwrap_or_else(|| format_ident!("__{position}", span = span));
    let unseen = match &*argument.pat {
        Pat::Wild(_) => true,
        Pat::Ident(_) => is_named && parameter.to_string().starts_with('_') && !mentions(body, &parameter.to_string()),
        _ => false,
    };
    let renamed =
        PatIdent { attrs: Vec::new(), by_ref: None, mutability: None, ident: parameter.clone(), subpat: None };
    let pattern = core::mem::replace(&mut *argument.pat, Pat::Ident(renamed)).into_token_stream();
    let lets = argument.attrs.iter().filter(|attr| is_lint(attr) || is_conditional(attr)).cloned().collect::<Vec<_>>();
    argument.attrs.retain(|attr| !is_lint(attr));

    let mut statements = TokenStream::new();
    if unseen || !is_named {
        let mutability = borrows_mutably(pattern.clone()).then(|| quote_spanned!(span=> mut));
        statements.append_all(quote_spanned!(span=> #(#lets)* let #mutability #parameter = #parameter;));
    }
    if !unseen {
        let pattern = with_our_wildcards(pattern);
        statements.append_all(quote_spanned!(span=> #(#lets)* let #pattern = #parameter;));
    }
    statements
}

/// A `_` in a `let` is a mistake in some places (`let_underscore_lock`) where it is none in an argument.
fn with_our_wildcards(pattern: TokenStream) -> TokenStream {
    let tree = |tree| match tree {
        TokenTree::Ident(mut word) if word == "_" => {
            word.set_span(Span::mixed_site().located_at(word.span()));
            word.into()
        }
        TokenTree::Group(group) => {
            let mut ours = Group::new(group.delimiter(), with_our_wildcards(group.stream()));
            ours.set_span(group.span());
            ours.into()
        }
        other => other,
    };
    pattern.into_iter().map(tree).collect()
}

/// Whether the word is in a body, the text of format strings included.
fn mentions(tokens: &TokenStream, word: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(&group.stream(), word),
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Literal(literal) => literal.to_string().contains(&format!("{{{word}")),
        TokenTree::Punct(_) => false,
    })
}

/// Whether a pattern has a `ref mut` in it.
fn borrows_mutably(pattern: TokenStream) -> bool {
    let mut after_ref = false;
    pattern.into_iter().any(|token| match token {
        TokenTree::Group(group) => borrows_mutably(group.stream()),
        TokenTree::Ident(word) => core::mem::replace(&mut after_ref, word == "ref") && word == "mut",
        _ => false,
    })
}

/// The variable, if the pattern is one and a parameter can have its name.
fn variable(pattern: &Pat) -> Option<&Ident> {
    match pattern {
        Pat::Ident(PatIdent { by_ref: None, subpat: None, ident, .. }) => Some(ident).filter(|ident| is_free(ident)),
        _ => None,
    }
}

/// Whether this names a variable, and none of ours. In capitals it may be a unit struct, and `gen` is a word that our edition has taken.
fn is_free(name: &Ident) -> bool {
    let name = name.to_string();
    !name.starts_with("__") && !name.starts_with(char::is_uppercase) && name != "gen"
}

/// Whether this says what the compiler is to say about a variable.
fn is_lint(attr: &Attribute) -> bool {
    ["allow", "warn", "deny", "forbid", "expect"].iter().any(|lint| attr.path().is_ident(lint))
}

/// Whether the argument may not be there, or an attribute of it.
fn is_conditional(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr")
}
