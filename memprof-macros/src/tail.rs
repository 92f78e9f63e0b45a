//! The future at the end of a function that is not itself `async`: `async { .. }` or `Box::pin(async { .. })`.
//!
//! async-trait writes every method so, and people do by hand. Entering a scope in such a function would measure the making of the future
//! and miss its running. A future that is made elsewhere (`ready`, `poll_fn`, `.boxed()`, an early `return`) is not followed.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt as _};
use syn::parse::Parser as _;
use syn::{Block, Expr, ExprCall, Stmt};

use crate::function::Body;
use crate::invisible;

/// A body, cut before its last expression.
pub(crate) struct Tail {
    /// Something runs before the future is made. Items do not run.
    pub(crate) has_statements: bool,
    prefix: Vec<TokenTree>,
    /// `Box::pin` and the parentheses after it, where there are any.
    pin: Option<(Vec<TokenTree>, Group)>,
    future: Future,
}

/// `async { .. }` or `async move { .. }`.
struct Future {
    keywords: Vec<TokenTree>,
    block: Group,
    trailing_comma: Option<TokenTree>,
}

impl Tail {
    /// The body's tail, if it is a future that was written here. The body is parsed only where its last tokens look like one, and one that
    /// syn cannot parse has none.
    pub(crate) fn of(body: &Body) -> Option<Self> {
        let mut prefix: Vec<TokenTree> = body.tokens.clone().into_iter().collect();
        let pinned = match prefix.last()? {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis => Some(group.clone()),
            _ => None,
        };
        let of_pin = match &pinned {
            Some(parentheses) => Some(Future::at_end_of(&mut parentheses.stream().into_iter().collect())?),
            None => None,
        };
        if of_pin.is_none() {
            Future::at_end_of(&mut prefix.clone())?;
        }

        let statements = Block::parse_within.parse2(body.tokens.clone()).ok()?;
        let (last, before) = statements.split_last()?;
        let Stmt::Expr(tail, None) = last else {
            return None;
        };
        let has_statements = before.iter().any(|statement| !matches!(statement, Stmt::Item(_)));
        let start = prefix.len().checked_sub(tail.to_token_stream().into_iter().count())?;
        let mut written = prefix.split_off(start);
        match (tail, of_pin) {
            (Expr::Async(_), None) => {
                let future = Future::at_end_of(&mut written)?;
                written.is_empty().then_some(Self { has_statements, prefix, pin: None, future })
            }
            (Expr::Call(call), Some(future)) if is_box_pin(call) => {
                written.pop();
                Some(Self { has_statements, prefix, pin: Some((written, pinned?)), future })
            }
            _ => None,
        }
    }

    /// The body again, its future wrapped by `wrap`.
    pub(crate) fn rewrite(self, wrap: impl FnOnce(TokenStream) -> TokenStream) -> TokenStream {
        let mut tokens = TokenStream::new();
        tokens.append_all(invisible::made_visible(self.prefix.into_iter().collect()));
        let mut future = TokenStream::new();
        future.append_all(self.future.keywords);
        future.append(self.future.block);
        let mut future = wrap(future);
        let Some((pin, parentheses)) = self.pin else {
            tokens.append_all(future);
            return tokens;
        };
        future.append_all(self.future.trailing_comma);
        tokens.append_all(pin);
        let mut wrapped = Group::new(Delimiter::Parenthesis, future);
        wrapped.set_span(parentheses.span());
        tokens.append(wrapped);
        tokens
    }
}

impl Future {
    /// Takes an `async` block, and a comma after it, from the end of `tokens`.
    fn at_end_of(tokens: &mut Vec<TokenTree>) -> Option<Self> {
        let trailing_comma = tokens.pop_if(|last| matches!(last, TokenTree::Punct(punct) if punct.as_char() == ','));
        let TokenTree::Group(block) = tokens.pop()? else {
            return None;
        };
        if block.delimiter() != Delimiter::Brace {
            return None;
        }
        let capture = tokens.pop_if(|last| is_word(last, "move"));
        let keyword = tokens.pop_if(|last| is_word(last, "async"))?;
        Some(Self { keywords: [keyword].into_iter().chain(capture).collect(), block, trailing_comma })
    }
}

/// `Box::pin(..)`, `std::boxed::Box::pin(..)`: the path ends so.
fn is_box_pin(call: &ExprCall) -> bool {
    let Expr::Path(function) = &*call.func else {
        return false;
    };
    let mut segments = function.path.segments.iter().rev();
    function.qself.is_none()
        && segments.next().is_some_and(|last| last.ident == "pin")
        && segments.next().is_some_and(|owner| owner.ident == "Box")
}

fn is_word(tree: &TokenTree, word: &str) -> bool {
    matches!(tree, TokenTree::Ident(ident) if ident == word)
}
