//! `#[track]` on a whole `impl` block: every function in it that can be measured is.
//!
//! The header and everything that is not a function pass through as tokens.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt as _, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::token::Brace;
use syn::{Attribute, Meta, Path, Result, Token, braced};

use crate::args::Args;
use crate::expand;
use crate::function::Function;
use crate::invisible;
use crate::limits;

/// An `impl` block, its functions apart from the rest.
pub(crate) struct ImplBlock {
    attrs: Vec<Attribute>,
    /// From `impl`, or a modifier before it, up to the brace.
    header: TokenStream,
    brace: Brace,
    inner_attrs: Vec<Attribute>,
    members: Vec<Member>,
}

enum Member {
    Function(Box<Function>),
    Other(TokenStream),
}

impl ImplBlock {
    /// Whether an `impl` block comes next.
    pub(crate) fn peek(input: ParseStream<'_>) -> bool {
        let ahead = input.fork();
        if ahead.call(Attribute::parse_outer).is_err() {
            return false;
        }
        loop {
            match ahead.parse::<TokenTree>() {
                Ok(TokenTree::Ident(word)) if word == "impl" => return true,
                Ok(TokenTree::Ident(word)) if word == "default" || word == "const" || word == "unsafe" => {}
                _ => return false,
            }
        }
    }

    /// Measures every function that can be measured and has no `#[track(..)]` or `#[limit(..)]` of its own. [`Self::settle`] comes first.
    pub(crate) fn measured(&self, args: &Args) -> TokenStream {
        let alone = self.attrs.iter().all(expand::is_inert);
        self.print(|function| match own_tracks(&function.attrs).next() {
            None if function.refusal("track").is_none() && !function.skipped => expand::measured(function, args, alone),
            _ => function.to_token_stream(),
        })
    }

    /// Settles the methods' own attributes: `#[track(skip)]` is obeyed and goes; the others will be expanded after this one and
    /// learn from here where memprof is found.
    pub(crate) fn settle(&mut self, krate: Option<&Path>) {
        for member in &mut self.members {
            let Member::Function(function) = member else {
                continue;
            };
            let before = function.attrs.len();
            function.attrs.retain(|attr| !is_skip(attr));
            function.skipped = function.attrs.len() < before;
            if let Some(krate) = krate {
                function.attrs.iter_mut().for_each(|attr| hand_over(attr, krate));
            }
        }
    }

    fn print(&self, function: impl Fn(&Function) -> TokenStream) -> TokenStream {
        let mut tokens = TokenStream::new();
        tokens.append_all(&self.attrs);
        self.header.to_tokens(&mut tokens);
        self.brace.surround(&mut tokens, |tokens| {
            tokens.append_all(&self.inner_attrs);
            tokens.append_all(self.members.iter().map(|member| match member {
                Member::Function(member) => function(member),
                Member::Other(other) => other.clone(),
            }));
        });
        tokens
    }
}

impl ToTokens for ImplBlock {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(self.print(ToTokens::to_token_stream));
    }
}

impl Parse for ImplBlock {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let mut header = TokenStream::new();
        while !(input.peek(Brace) && is_last(input)) {
            header.append(input.parse::<TokenTree>()?);
        }
        let content;
        let brace = braced!(content in input);
        let inner_attrs = content.call(Attribute::parse_inner)?;
        let mut members = Vec::new();
        while !content.is_empty() {
            members.push(content.parse()?);
        }
        Ok(Self { attrs, header, brace, inner_attrs, members })
    }
}

impl Parse for Member {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if Function::peek(input) {
            input.parse().map(|function| Self::Function(Box::new(function)))
        } else {
            other(input).map(Self::Other)
        }
    }
}

/// A constant, a type or a macro call: up to its `;`, or its braces where it cannot have a value after them.
fn other(input: ParseStream<'_>) -> Result<TokenStream> {
    let mut tokens = TokenStream::new();
    tokens.append_all(input.call(Attribute::parse_outer)?);
    let mut has_value = false;
    while !input.is_empty() {
        has_value |= input.peek(Token![const]) || input.peek(Token![type]);
        let tree: TokenTree = input.parse()?;
        let ends = match &tree {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !has_value,
            _ => false,
        };
        tokens.append(tree);
        if ends {
            break;
        }
    }
    Ok(invisible::made_visible(tokens))
}

/// Whether one token tree is left.
fn is_last(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    ahead.parse::<TokenTree>().is_ok() && ahead.is_empty()
}

/// `#[track]`, `#[memprof::track]`: whoever imported it under another name cannot be seen from here.
fn is_track(attr: &Attribute) -> bool {
    attr.path().segments.last().is_some_and(|last| last.ident == "track")
}

/// What measures the function by itself.
fn own_tracks(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| is_track(attr) || limits::of_attribute(attr).is_some())
}

/// The arguments of a `#[track(..)]`, if they are right; if not, its own expansion says so.
pub(crate) fn track_args(attr: &Attribute) -> Option<Args> {
    if is_track(attr) { own_args(attr) } else { None }
}

/// What a function's own attribute says that every attribute of memprof's may say.
fn common_args(attr: &Attribute) -> Option<Args> {
    track_args(attr).or_else(|| limits::of_attribute(attr).map(|limits| limits.common))
}

fn own_args(attr: &Attribute) -> Option<Args> {
    match &attr.meta {
        Meta::Path(_) => Some(Args::default()),
        Meta::List(list) => list.parse_args().ok(),
        Meta::NameValue(_) => None,
    }
}

fn is_skip(attr: &Attribute) -> bool {
    track_args(attr).is_some_and(|args| args.is_skip())
}

/// ```text
/// Input:   #[track(name = "load")]
/// Output:  #[track(crate = path, name = "load")]
/// ```
fn hand_over(attr: &mut Attribute, krate: &Path) {
    if common_args(attr).is_none_or(|args| args.krate().is_some()) {
        return;
    }
    let argument = quote_spanned!(Span::mixed_site()=> crate = #krate,);
    let path = attr.path().clone();
    let own = match &attr.meta {
        Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    };
    attr.meta = syn::parse_quote!(#path(#argument #own));
}
