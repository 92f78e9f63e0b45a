//! What `#[track]` can stand on: a function, or an `impl` block.
//!
//! Anything else is refused with one error at its first word; the item itself stays, as for every error of the
//! attribute (`lib.rs` gives both back). What becomes of a function is left to [`expand`](crate::expand), of a block to
//! [`implblock`](crate::implblock).

use proc_macro2::{TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Result, Visibility};

use crate::function::Function;
use crate::implblock::ImplBlock;

/// The annotated item.
pub(crate) enum Item {
    Function(Box<Function>),
    Impl(ImplBlock),
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if Function::peek(input) {
            input.parse().map(|function| Self::Function(Box::new(function)))
        } else if ImplBlock::peek(input) {
            input.parse().map(Self::Impl)
        } else {
            input.call(Attribute::parse_outer)?;
            input.parse::<Visibility>()?;
            let message = "`#[track]` measures functions: put it on a function, a method or an `impl` block";
            let first = input.parse::<TokenTree>()?;
            input.parse::<TokenStream>()?;
            Err(Error::new(first.span(), message))
        }
    }
}
