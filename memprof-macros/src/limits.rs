//! The arguments of `#[limit(..)]`: what one activation may need.
//!
//! Every mistake is one error at the argument, or at the literal, at fault. What the amounts are compared with, and what happens where one
//! is exceeded, is left to the recorder.

use proc_macro2::{Span, TokenStream};
use quote::{TokenStreamExt as _, quote_spanned};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Expr, Ident, LitStr, Meta, Result, Token};

use crate::args::{Args, parse_equals, text};
use crate::units;

/// Closes every message about an argument.
const ACCEPTED: &str = "`#[limit]` accepts `peak`, `total` and `kept` with an amount, `space = \"..\"`, `threads`, `name = \"..\"` and `crate = path`";

/// What is said instead of the list to who writes a measure of the command's budgets.
const OF_BUDGETS: [(&str, &str); 5] = [
    (
        "live",
        "what one activation leaves is `kept`; what a scope owns at the end of the program is judged by `memprof check`, with a budget in memprof.toml",
    ),
    ("calls", "how often a function is called is judged by `memprof check`, with `ncalls` in a budget of memprof.toml"),
    (
        "ncalls",
        "how often a function is called is judged by `memprof check`, with `ncalls` in a budget of memprof.toml",
    ),
    ("memory_peak", "it is called `peak` here"),
    ("memory_total", "it is called `total` here"),
];

/// The limits of a function: those of all its `#[limit(..)]`, each for a space of its own.
pub(crate) struct LimitArgs {
    /// `name` and `crate`, as `#[track]` takes them.
    pub(crate) common: Args,
    limits: Vec<Limit>,
    threads: bool,
}

/// The limits in one space: what one attribute says.
#[derive(Default)]
struct Limit {
    space: Option<LitStr>,
    peak: Option<Amount>,
    total: Option<Amount>,
    kept: Option<Amount>,
    /// Where an error about the whole points.
    first: Option<Span>,
}

struct Amount {
    literal: Expr,
    bytes: u64,
}

impl LimitArgs {
    /// Adds those of another attribute of the same function.
    pub(crate) fn add(&mut self, other: Self) -> Result<()> {
        for limit in other.limits {
            if let Some(known) = self.limits.iter().find(|known| known.space() == limit.space()) {
                let message =
                    format!("`{}` has limits already: put all that one space may into one attribute", known.space());
                return Err(Error::new(limit.place(), message));
            }
            self.limits.push(limit);
        }
        self.threads |= other.threads;
        self.common = core::mem::take(&mut self.common).or(other.common);
        Ok(())
    }

    /// The limits as the recorder wants them.
    ///
    /// ```text
    /// Input:   #[limit(peak = "1 KiB", kept = 0)]
    /// Output:  { static LIMITS: P::Limits = P::Limits::new(&[P::Limit::of("host").peak(1024u64).kept(0u64)], false); &LIMITS }
    /// ```
    pub(crate) fn expand(&self) -> TokenStream {
        let private = self.common.private();
        let threads = self.threads;
        let limits = self.limits.iter().map(|limit| {
            let space = limit.space();
            let mut tokens = quote_spanned!(Span::mixed_site()=> #private::Limit::of(#space));
            for (measure, amount) in [("peak", &limit.peak), ("total", &limit.total), ("kept", &limit.kept)] {
                if let Some(Amount { bytes, .. }) = amount {
                    let measure = Ident::new(measure, Span::mixed_site());
                    tokens.append_all(quote_spanned!(Span::mixed_site()=> .#measure(#bytes)));
                }
            }
            tokens
        });
        quote_spanned! {Span::mixed_site()=>
            { static LIMITS: #private::Limits = #private::Limits::new(&[#(#limits),*], #threads); &LIMITS }
        }
    }
}

impl Parse for LimitArgs {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut args = Self { common: Args::default(), limits: Vec::new(), threads: false };
        let mut limit = Limit::default();
        while !input.is_empty() {
            args.parse_one(&mut limit, input)?;
            if !input.is_empty() {
                input
                    .parse::<Token![,]>()
                    .map_err(|error| Error::new(error.span(), format!("expected `,`; {ACCEPTED}")))?;
            }
        }
        limit.check()?;
        args.limits.push(limit);
        Ok(args)
    }
}

impl LimitArgs {
    fn parse_one(&mut self, limit: &mut Limit, input: ParseStream<'_>) -> Result<()> {
        let key = input
            .call(Ident::parse_any)
            .map_err(|error| Error::new(error.span(), format!("expected an argument; {ACCEPTED}")))?;
        limit.first.get_or_insert(key.span());
        let word = key.unraw().to_string();
        let seen = match word.as_str() {
            "peak" => limit.peak.is_some(),
            "total" => limit.total.is_some(),
            "kept" => limit.kept.is_some(),
            "space" => limit.space.is_some(),
            "threads" => self.threads,
            "name" => self.common.name().is_some(),
            "crate" => self.common.krate().is_some(),
            _ => return Err(Error::new(key.span(), unknown(&word))),
        };
        if seen {
            return Err(Error::new(key.span(), format!("`{word}` is given twice; {ACCEPTED}")));
        }
        match word.as_str() {
            "peak" => limit.peak = Some(amount(&key, input)?),
            "total" => limit.total = Some(amount(&key, input)?),
            "kept" => limit.kept = Some(amount(&key, input)?),
            "space" => limit.space = Some(space(&key, input)?),
            "threads" => self.threads = true,
            _ => self.common.parse_common(key, input, ACCEPTED)?,
        }
        Ok(())
    }
}

fn unknown(word: &str) -> String {
    match OF_BUDGETS.iter().find(|(known, _)| *known == word) {
        Some((_, instead)) => format!("`{word}` is no limit of an activation: {instead}"),
        None => format!("unknown argument `{word}`; {ACCEPTED}"),
    }
}

fn amount(key: &Ident, input: ParseStream<'_>) -> Result<Amount> {
    parse_equals(key, input, ACCEPTED)?;
    let literal: Expr = input.parse()?;
    let bytes = units::bytes(&literal)?;
    Ok(Amount { literal, bytes })
}

fn space(key: &Ident, input: ParseStream<'_>) -> Result<LitStr> {
    parse_equals(key, input, ACCEPTED)?;
    text(
        input.parse(),
        "`space` takes the name of one: \"host\", \"pinned\", \"managed\", \"cuda:0\", or one that the program names",
        ACCEPTED,
    )
}

impl Limit {
    fn space(&self) -> String {
        self.space.as_ref().map_or_else(|| "host".to_owned(), LitStr::value)
    }

    fn place(&self) -> Span {
        self.space.as_ref().map(LitStr::span).or(self.first).unwrap_or_else(Span::call_site)
    }

    /// Refuses what limits nothing, and what can never be reached: an activation holds at most what it allocated, and keeps at most what it held.
    fn check(&self) -> Result<()> {
        if self.peak.is_none() && self.total.is_none() && self.kept.is_none() {
            let message = format!("nothing is limited: give `peak`, `total` or `kept`; {ACCEPTED}");
            return Err(Error::new(self.first.unwrap_or_else(Span::call_site), message));
        }
        below(("peak", &self.peak), ("total", &self.total))?;
        below(("kept", &self.kept), ("peak", &self.peak))?;
        below(("kept", &self.kept), ("total", &self.total))
    }
}

fn below((name, amount): (&str, &Option<Amount>), (other, most): (&str, &Option<Amount>)) -> Result<()> {
    match (amount, most) {
        (Some(Amount { literal, bytes }), Some(most)) if *bytes > most.bytes => {
            let message = format!(
                "`{name}` cannot reach {bytes} bytes where `{other}` may be {} at most: raise that, or leave one out",
                most.bytes
            );
            Err(Error::new_spanned(literal, message))
        }
        _ => Ok(()),
    }
}

/// The arguments of a `#[limit(..)]`; `None` if the attribute is another one, or is wrong, which its own expansion then says. An attribute
/// of that name that does not belong to memprof hardly takes the same.
pub(crate) fn of_attribute(attr: &Attribute) -> Option<LimitArgs> {
    let is_named_so = attr.path().segments.last().is_some_and(|last| last.ident == "limit");
    match &attr.meta {
        Meta::List(list) if is_named_so => list.parse_args().ok(),
        _ => None,
    }
}
