//! A function, parsed only as far as the attribute has to know it.
//!
//! Attributes, visibility and signature are parsed; a body stays the user's tokens. So syntax that syn does not know cannot break it, and
//! what the compiler later says about a body it says about the text that the user typed.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt as _};
use syn::parse::{Parse, ParseStream};
use syn::token::Brace;
use syn::{Attribute, Error, Path, Result, Signature, Token, Visibility, braced};

use crate::invisible;

/// A function, method or trait method, with or without a body.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    /// The visibility, and `default`.
    pub(crate) qualifiers: TokenStream,
    pub(crate) sig: Signature,
    /// The signature as written.
    pub(crate) written_sig: TokenStream,
    pub(crate) body: Option<Body>,
    /// Left out of a tracked `impl` block by `#[track(skip)]`.
    pub(crate) skipped: bool,
    semi: Option<Token![;]>,
}

/// The braces of a function and what is in them.
///
/// The tokens are the compiler's own stream, handed on unopened: see [`invisible`].
pub(crate) struct Body {
    pub(crate) brace: Brace,
    /// `#![..]` at the very start: they speak about the function.
    pub(crate) inner_attrs: Vec<Attribute>,
    /// What comes after those.
    pub(crate) tokens: TokenStream,
    /// Everything between the braces.
    written: TokenStream,
}

impl Function {
    /// Whether a function comes next, whatever its body looks like.
    pub(crate) fn peek(input: ParseStream<'_>) -> bool {
        let ahead = input.fork();
        ahead.call(Attribute::parse_outer).is_ok()
            && Self::parse_qualifiers(&ahead).is_ok()
            && ahead.parse::<Signature>().is_ok()
    }

    /// Why there is nothing for `attribute` to measure in this function, said at the token that is the reason.
    pub(crate) fn refusal(&self, attribute: &str) -> Option<Error> {
        if let Some(constness) = &self.sig.constness {
            return Some(Error::new(
                constness.span,
                format!("`#[{attribute}]` cannot measure a `const fn`: it may run in the compiler"),
            ));
        }
        if let Some(naked) = self.attrs.iter().find(|attr| is_naked(attr)) {
            return Some(Error::new_spanned(
                naked,
                format!("`#[{attribute}]` cannot measure a naked function: there is no place for its own code"),
            ));
        }
        if self.body.is_none() {
            return Some(Error::new(
                self.sig.ident.span(),
                format!("`#[{attribute}]` needs a body to measure, and this function has none here"),
            ));
        }
        None
    }

    fn parse_qualifiers(input: ParseStream<'_>) -> Result<()> {
        input.parse::<Visibility>()?;
        input.parse::<Option<Token![default]>>()?;
        Ok(())
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let ((), qualifiers) = with_tokens(input, Self::parse_qualifiers)?;
        let (sig, written_sig) = with_tokens(input, Signature::parse)?;
        let semi: Option<Token![;]> = input.parse()?;
        let body = if semi.is_none() { Some(input.parse()?) } else { None };
        Ok(Self { attrs, qualifiers, sig, written_sig, body, skipped: false, semi })
    }
}

impl Parse for Body {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let whole = input.fork().parse().ok().and_then(invisible::braces_of);
        let whole = whole.ok_or_else(|| input.error("expected curly braces"))?;
        let content;
        let brace = braced!(content in input);
        let inner_attrs = content.call(Attribute::parse_inner)?;
        let rest = content.parse()?;
        let written = whole.stream();
        let tokens = if inner_attrs.is_empty() { written.clone() } else { invisible::made_visible(rest) };
        Ok(Self { brace, inner_attrs, tokens, written })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.append_all(&self.attrs);
        self.qualifiers.to_tokens(tokens);
        self.written_sig.to_tokens(tokens);
        if let Some(body) = &self.body {
            body.brace.surround(tokens, |tokens| body.written.to_tokens(tokens));
        }
        self.semi.to_tokens(tokens);
    }
}

/// What `parse` takes from the input, parsed and as written.
fn with_tokens<T>(
    input: ParseStream<'_>,
    parse: impl FnOnce(ParseStream<'_>) -> Result<T>,
) -> Result<(T, TokenStream)> {
    let ahead = input.fork();
    let parsed = parse(input)?;
    let mut written = TokenStream::new();
    while ahead.cursor() != input.cursor() {
        written.append(ahead.parse::<TokenTree>()?);
    }
    Ok((parsed, written))
}

/// `#[naked]` or `#[unsafe(naked)]`.
fn is_naked(attr: &Attribute) -> bool {
    attr.path().is_ident("naked")
        || attr.path().is_ident("unsafe") && attr.parse_args::<Path>().is_ok_and(|path| path.is_ident("naked"))
}
