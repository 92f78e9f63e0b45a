//! The arguments of `#[track(..)]`: what is accepted, and what is said about the rest.
//!
//! Every mistake is one error at the argument at fault. Where an argument may stand is decided by the item it stands on, so this module
//! only parses; [`Args::on_function`] and [`Args::on_impl`] say what fits there.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Path, Result, Token};

/// Closes every message about an argument of `#[track]`.
const ACCEPTED: &str =
    "`#[track]` accepts `name = \"..\"`, `crate = path` and, on a function of a tracked `impl` block, `skip`";

/// The arguments as written. Each stands with its key, which is where an error about its place points.
#[derive(Default)]
pub(crate) struct Args {
    name: Option<(Ident, LitStr)>,
    /// `crate = path`: where the facade is found when it is not `::memprof`.
    krate: Option<(Ident, Path)>,
    skip: Option<Ident>,
}

impl Args {
    /// Refuses what says nothing about one function.
    pub(crate) fn on_function(self) -> Result<Self> {
        self.without_skip(
            "`skip` leaves a function out of a tracked `impl` block, and none sees it here: take it out of the `cfg_attr` if it is in one, or remove the attribute",
        )
    }

    /// Refuses what says nothing about a whole `impl` block.
    pub(crate) fn on_impl(self) -> Result<Self> {
        if let Some((key, _)) = &self.name {
            let message =
                "an `impl` block has no name of its own: put `#[track(name = \"..\")]` on one of its functions";
            return Err(Error::new(key.span(), message));
        }
        self.without_skip(
            "`skip` leaves one function out of a tracked `impl` block: put it there, or remove the attribute",
        )
    }

    fn without_skip(self, message: &str) -> Result<Self> {
        match &self.skip {
            Some(key) => Err(Error::new(key.span(), message)),
            None => Ok(self),
        }
    }

    /// Whether this is `#[track(skip)]`.
    pub(crate) fn is_skip(&self) -> bool {
        self.skip.is_some()
    }

    /// The name given, if any.
    pub(crate) fn name(&self) -> Option<&LitStr> {
        self.name.as_ref().map(|(_, name)| name)
    }

    /// The path written after `crate =`, if any.
    pub(crate) fn krate(&self) -> Option<&Path> {
        self.krate.as_ref().map(|(_, path)| path)
    }

    /// `::memprof::__private`, or the same below the path given. That stays where the user wrote it: so does an error about it.
    pub(crate) fn private(&self) -> TokenStream {
        let span = Span::mixed_site();
        if let Some(path) = self.krate() {
            quote_spanned!(span=> #path::__private)
        } else {
            quote_spanned!(span=> ::memprof::__private)
        }
    }

    /// The same, as if all of it were written at `span`. The names of a given path keep the context that they are looked up in (`$crate`).
    pub(crate) fn private_at(&self, span: Span) -> TokenStream {
        let Some(path) = self.krate() else {
            return quote_spanned!(span=> ::memprof::__private);
        };
        let path = path.to_token_stream().into_iter().map(|mut token| {
            token.set_span(token.span().located_at(span));
            token
        });
        let path: TokenStream = path.collect();
        quote_spanned!(span=> #path::__private)
    }
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut args = Self::default();
        while !input.is_empty() {
            args.parse_one(input)?;
            if !input.is_empty() {
                input
                    .parse::<Token![,]>()
                    .map_err(|error| Error::new(error.span(), format!("expected `,`; {ACCEPTED}")))?;
            }
        }
        match (&args.skip, &args.name, &args.krate) {
            (Some(_), Some((key, _)), _) | (Some(_), None, Some((key, _))) => {
                Err(Error::new(key.span(), "nothing else can be said about a function that `skip` leaves out"))
            }
            _ => Ok(args),
        }
    }
}

impl Args {
    fn parse_one(&mut self, input: ParseStream<'_>) -> Result<()> {
        let key = input
            .call(Ident::parse_any)
            .map_err(|error| Error::new(error.span(), format!("expected an argument; {ACCEPTED}")))?;
        let word = key.unraw().to_string();
        let seen = match word.as_str() {
            "name" => self.name.is_some(),
            "crate" => self.krate.is_some(),
            "skip" => self.skip.is_some(),
            _ => {
                return Err(Error::new(key.span(), format!("unknown argument `{word}`; {ACCEPTED}")));
            }
        };
        if seen {
            return Err(Error::new(key.span(), format!("`{word}` is given twice; {ACCEPTED}")));
        }
        match word.as_str() {
            "skip" => self.skip = Some(key),
            _ => self.parse_common(key, input, ACCEPTED)?,
        }
        Ok(())
    }

    /// The value of an argument that other attributes have too: `name` or `crate`. The caller has seen that it is one of them, given once.
    pub(crate) fn parse_common(&mut self, key: Ident, input: ParseStream<'_>, accepted: &str) -> Result<()> {
        if key.unraw() == "name" {
            let name = parse_name(&key, input, accepted)?;
            self.name = Some((key, name));
        } else {
            let path = parse_crate(&key, input, accepted)?;
            self.krate = Some((key, path));
        }
        Ok(())
    }

    /// What is said here, and for the rest what another attribute of the same function says.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { name: self.name.or(other.name), krate: self.krate.or(other.krate), skip: None }
    }
}

fn parse_name(key: &Ident, input: ParseStream<'_>, accepted: &str) -> Result<LitStr> {
    const EXPECTED: &str = "`name` takes a non-blank string literal";
    parse_equals(key, input, accepted)?;
    text(input.parse(), EXPECTED, accepted)
}

/// A string literal that is not blank.
pub(crate) fn text(value: Result<Expr>, expected: &str, accepted: &str) -> Result<LitStr> {
    match value.map_err(|error| Error::new(error.span(), format!("{expected}; {accepted}")))? {
        Expr::Lit(ExprLit { lit: Lit::Str(name), attrs })
            if attrs.is_empty() && name.suffix().is_empty() && !name.value().trim().is_empty() =>
        {
            Ok(name)
        }
        // What a `macro_rules!` macro puts around what it was given.
        Expr::Group(group) => text(Ok(*group.expr), expected, accepted),
        other => Err(Error::new_spanned(other, format!("{expected}; {accepted}"))),
    }
}

fn parse_crate(key: &Ident, input: ParseStream<'_>, accepted: &str) -> Result<Path> {
    parse_equals(key, input, accepted)?;
    input.call(Path::parse_mod_style).map_err(|error| {
        Error::new(error.span(), format!("`crate` takes the path at which memprof is found; {accepted}"))
    })
}

pub(crate) fn parse_equals(key: &Ident, input: ParseStream<'_>, accepted: &str) -> Result<()> {
    if input.parse::<Token![=]>().is_err() || input.is_empty() {
        return Err(Error::new(key.span(), format!("`{}` needs a value; {accepted}", key.unraw())));
    }
    Ok(())
}
