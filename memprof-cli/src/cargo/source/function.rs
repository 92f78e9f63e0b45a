//! [`Function`]: a function with a body, where the attribute would go, and what decides whether it does.
//!
//! Here is what the function's own text says: of several reasons the first in the order of [`reason`]. What names over
//! the package say is left to [`lean`](super::lean); options, earlier runs and what does not compile to `mirror`. A
//! reason is kept in the state of a package by its name: one that is renamed makes an old state unreadable, and the
//! package is mirrored anew.

use std::ops::{Range, RangeInclusive};

use proc_macro2::Span;
use syn::{Attribute, Block, Expr, Meta, Signature, Stmt, spanned::Spanned as _};

use super::callees::Callees;

/// Why a function is not tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// The program itself tracks it, or the block that it stands in.
    TracksItself,
    /// `const fn`: it may run while the program is compiled.
    Const,
    /// Its body is assembly.
    Naked,
    /// It takes any number of arguments, as C does.
    Variadic,
    /// A procedural macro, a panic handler or the like: the compiler calls it.
    OfCompiler,
    /// A method of an allocator: memprof is called from there.
    OfAllocator,
    /// `extern "C"`, `no_mangle`, `export_name`: somebody else calls it, maybe before `main`.
    Extern,
    /// `inline(always)`: its caller counts for it.
    InlineAlways,
    /// `target_feature`: it is inlined into its like alone, and hot.
    TargetFeature,
    /// It ends in a call of itself, which the compiler makes a loop of.
    TailRecursion,
    /// Nothing that it calls can allocate, as far as names tell.
    CannotAllocate,
    /// The options `--only` and `--skip` leave it out.
    NotAskedFor,
    /// Runs before showed many calls for few bytes.
    Calibrated,
    /// It does not compile tracked.
    DoesNotCompile,
}

impl Reason {
    /// All, in the order in which they are told.
    pub(crate) const ALL: &'static [Reason] = &[
        Reason::CannotAllocate,
        Reason::Calibrated,
        Reason::DoesNotCompile,
        Reason::NotAskedFor,
        Reason::TracksItself,
        Reason::Const,
        Reason::InlineAlways,
        Reason::TargetFeature,
        Reason::TailRecursion,
        Reason::Extern,
        Reason::Variadic,
        Reason::Naked,
        Reason::OfAllocator,
        Reason::OfCompiler,
    ];

    /// What a function of that kind is, said of one.
    pub(crate) fn said(self) -> &'static str {
        match self {
            Reason::TracksItself => "tracked by the program itself",
            Reason::Const => "const fn",
            Reason::Naked => "naked",
            Reason::Variadic => "variadic",
            Reason::OfCompiler => "called by the compiler",
            Reason::OfAllocator => "part of an allocator",
            Reason::Extern => "called from elsewhere (extern, no_mangle)",
            Reason::InlineAlways => "inline(always)",
            Reason::TargetFeature => "target_feature",
            Reason::TailRecursion => "ends in a call of itself",
            Reason::CannotAllocate => "cannot allocate",
            Reason::NotAskedFor => "not asked for (--only, --skip)",
            Reason::Calibrated => "many calls for few bytes (calibration)",
            Reason::DoesNotCompile => "not compiling tracked",
        }
    }

    /// Whether the function stays untracked under every policy: the attribute refuses it, or the program would not be the same.
    pub(crate) fn is_binding(self) -> bool {
        !matches!(
            self,
            Reason::Extern
                | Reason::InlineAlways
                | Reason::TargetFeature
                | Reason::TailRecursion
                | Reason::CannotAllocate
        )
    }
}

/// A function with a body.
#[derive(Debug)]
pub(crate) struct Function {
    /// `load`, `Frame::new`, `<Frame as Display>::fmt`: as the report has it.
    pub(crate) name: String,
    /// Its name among those of its file: `load`, `tests::load` in a module, and `load (2)` for the second of that name.
    pub(crate) key: String,
    /// Of a method: the type that it is of, or the trait.
    pub(crate) of: Option<String>,
    /// Its own name alone.
    pub(crate) ident: String,
    /// The line of `fn`, which the report shows.
    pub(crate) line: u32,
    /// From its first attribute to its last brace.
    pub(crate) lines: RangeInclusive<u32>,
    /// Where in the text the attribute goes.
    pub(crate) at: usize,
    pub(crate) callees: Callees,
    /// What its own text says against tracking it.
    pub(crate) reason: Option<Reason>,
}

/// What stands around a function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Around {
    /// The last segment of the type's path, or the trait's name.
    pub(crate) of: Option<String>,
    /// Of an implementation, the trait.
    pub(crate) implements: Option<String>,
    /// The whole block is tracked by the program.
    pub(crate) tracks_itself: bool,
}

impl Function {
    /// The function of these parts. `begin` is where it begins behind its attributes, and `shift` what the parser left out of the text's
    /// beginning, in bytes.
    pub(crate) fn of(
        attributes: &[Attribute],
        signature: &Signature,
        body: &Block,
        begin: Span,
        around: &Around,
        shift: usize,
    ) -> Self {
        let ident = signature.ident.to_string().trim_start_matches("r#").to_owned();
        let name = match (&around.of, &around.implements) {
            (Some(of), Some(implements)) => format!("<{of} as {implements}>::{ident}"),
            (Some(of), None) => format!("{of}::{ident}"),
            (None, _) => ident.clone(),
        };
        let first = attributes.first().map_or(begin, |attribute| attribute.pound_token.span);
        let last = body.brace_token.span.close();
        let Range { start, .. } = begin.byte_range();
        Self {
            key: name.clone(),
            name,
            of: around.of.clone(),
            line: line(signature.fn_token.span),
            lines: line(first)..=u32::try_from(last.end().line).unwrap_or(u32::MAX),
            at: start + shift,
            callees: Callees::of(signature, body, around.of.as_deref()),
            reason: reason(attributes, signature, body, around, &ident),
            ident,
        }
    }
}

fn line(span: Span) -> u32 {
    u32::try_from(span.start().line).unwrap_or(u32::MAX)
}

fn reason(
    attributes: &[Attribute],
    signature: &Signature,
    body: &Block,
    around: &Around,
    ident: &str,
) -> Option<Reason> {
    let names: Vec<(String, String)> = attributes.iter().map(named).collect();
    let has = |wanted: &[&str]| names.iter().any(|(name, _)| wanted.contains(&name.as_str()));
    if around.tracks_itself || has(&["track", "limit"]) {
        Some(Reason::TracksItself)
    } else if signature.constness.is_some() {
        Some(Reason::Const)
    } else if has(&["naked"]) {
        Some(Reason::Naked)
    } else if signature.variadic.is_some() {
        Some(Reason::Variadic)
    } else if has(&[
        "proc_macro",
        "proc_macro_attribute",
        "proc_macro_derive",
        "panic_handler",
        "alloc_error_handler",
        "lang",
    ]) {
        Some(Reason::OfCompiler)
    } else if matches!(around.implements.as_deref(), Some("GlobalAlloc" | "Allocator")) {
        Some(Reason::OfAllocator)
    } else if signature.abi.is_some() || has(&["no_mangle", "export_name"]) {
        Some(Reason::Extern)
    } else if names.iter().any(|(name, rest)| name == "inline" && rest == "always") {
        Some(Reason::InlineAlways)
    } else if has(&["target_feature"]) {
        Some(Reason::TargetFeature)
    } else if body.stmts.last().is_some_and(|last| ends_in_a_call(last, ident)) {
        Some(Reason::TailRecursion)
    } else {
        None
    }
}

/// The last segment of an attribute's path, and the word in its parentheses; of `unsafe(no_mangle)`, what stands inside.
fn named(attribute: &Attribute) -> (String, String) {
    let path = attribute.path();
    let name = path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
    let rest = match &attribute.meta {
        Meta::List(list) => list.tokens.to_string(),
        Meta::Path(_) | Meta::NameValue(_) => String::new(),
    };
    if name == "unsafe" {
        let word = rest.split(|character: char| !(character.is_alphanumeric() || character == '_')).next();
        return (word.unwrap_or_default().to_owned(), String::new());
    }
    (name, rest)
}

/// Whether a body's last statement is, on any of its ways, a call of the function itself.
fn ends_in_a_call(last: &Stmt, ident: &str) -> bool {
    match last {
        Stmt::Expr(expression, semicolon) => {
            (semicolon.is_none() || matches!(expression, Expr::Return(_))) && is_call(expression, ident)
        }
        Stmt::Local(_) | Stmt::Item(_) | Stmt::Macro(_) => false,
    }
}

fn is_call(expression: &Expr, ident: &str) -> bool {
    let ends = |block: &Block| block.stmts.last().is_some_and(|last| ends_in_a_call(last, ident));
    match expression {
        Expr::Call(call) => match &*call.func {
            Expr::Path(path) => {
                let segments = &path.path.segments;
                let is_own = segments.len() == 1 || (segments.len() == 2 && segments[0].ident == "Self");
                is_own && segments.last().is_some_and(|last| last.ident == ident)
            }
            _ => false,
        },
        Expr::MethodCall(call) => {
            call.method == ident && matches!(&*call.receiver, Expr::Path(path) if path.path.is_ident("self"))
        }
        Expr::If(branches) => {
            ends(&branches.then_branch) || branches.else_branch.as_ref().is_some_and(|(_, other)| is_call(other, ident))
        }
        Expr::Match(arms) => arms.arms.iter().any(|arm| is_call(&arm.body, ident)),
        Expr::Block(block) => ends(&block.block),
        Expr::Unsafe(block) => ends(&block.block),
        Expr::Paren(inner) => is_call(&inner.expr, ident),
        Expr::Return(returned) => returned.expr.as_ref().is_some_and(|returned| is_call(returned, ident)),
        _ => false,
    }
}

/// Where a function begins behind its attributes: with its visibility, with `default`, or with its signature.
pub(crate) fn begin(visibility: Option<&syn::Visibility>, default: Option<Span>, signature: &Signature) -> Span {
    let visible = visibility.filter(|visibility| !matches!(visibility, syn::Visibility::Inherited));
    visible.map(syn::spanned::Spanned::span).or(default).unwrap_or_else(|| signature.span())
}
