//! The invisible groups that a `macro_rules!` macro puts around what it was given (`$e:expr`, `$b:block`): they must go on meaning something.
//!
//! In `$e * 2` such a group is all that makes `1 + 2` the first factor, and around `{ 3 }` it is what tells `unused_braces` that the braces
//! were not written there. The compiler heeds the ones that it made itself. One that a macro emits it ignores (rust-lang/rust #67062), and
//! to take a stream apart and put its trees together again is to emit them. So a body is handed on as the stream that it came as, unopened
//! ([`Body`](crate::function::Body)). Where trees have to be taken out of their stream, [`made_visible`] writes what their groups meant.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{TokenStreamExt as _, quote_spanned};
use syn::Expr;

/// The braces that this tree is, whatever invisible groups are around them.
pub(crate) fn braces_of(tree: TokenTree) -> Option<Group> {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => braces_of(only(&group)?),
        _ => None,
    }
}

/// The same tokens, for a stream that was taken apart. Groups within visible groups are still the compiler's own.
///
/// ```text
/// Input:   «1 + 2» * 2 - «f()» - «{ 3 }»
/// Output:  (1 + 2) * 2 - «f()» - «{ const _: () = (); 3 }»
/// ```
pub(crate) fn made_visible(tokens: TokenStream) -> TokenStream {
    tokens.into_iter().map(visible).collect()
}

fn visible(tree: TokenTree) -> TokenTree {
    let TokenTree::Group(group) = &tree else {
        return tree;
    };
    if group.delimiter() != Delimiter::None {
        return tree;
    }
    let stream = match only(group) {
        Some(only) => match braces_of(only.clone()) {
            Some(braces) => with_a_constant(&braces).into(),
            None => visible(only).into(),
        },
        None if binds_loosely(group.stream()) => {
            let mut parentheses = Group::new(Delimiter::Parenthesis, made_visible(group.stream()));
            parentheses.set_span(Span::mixed_site().located_at(group.span()));
            TokenTree::from(parentheses).into()
        }
        None => made_visible(group.stream()),
    };
    let mut visible = Group::new(Delimiter::None, stream);
    visible.set_span(group.span());
    visible.into()
}

/// With more than an expression in it, no block has superfluous braces. Inner attributes stay first; a block with those is not looked at.
fn with_a_constant(braces: &Group) -> TokenTree {
    let mut start = braces.stream().into_iter();
    let mut next_is = |sign| matches!(start.next(), Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
    if next_is('#') && next_is('!') {
        return braces.clone().into();
    }
    let mut tokens = quote_spanned!(Span::mixed_site()=> const _: () = (););
    tokens.append_all([braces.stream()]);
    let mut block = Group::new(Delimiter::Brace, tokens);
    block.set_span(braces.span());
    block.into()
}

/// Whether an operator beside these tokens would tear them apart. A type or a pattern of which that is true can be in parentheses too.
fn binds_loosely(tokens: TokenStream) -> bool {
    let loose = |expression: &Expr| {
        matches!(
            expression,
            Expr::Assign(_)
                | Expr::Binary(_)
                | Expr::Break(_)
                | Expr::Cast(_)
                | Expr::Closure(_)
                | Expr::Range(_)
                | Expr::RawAddr(_)
                | Expr::Reference(_)
                | Expr::Return(_)
                | Expr::Unary(_)
                | Expr::Yield(_)
        )
    };
    syn::parse2::<Expr>(tokens).is_ok_and(|expression| loose(&expression))
}

/// The one tree in a group.
fn only(group: &Group) -> Option<TokenTree> {
    let mut trees = group.stream().into_iter();
    let only = trees.next()?;
    trees.next().is_none().then_some(only)
}
