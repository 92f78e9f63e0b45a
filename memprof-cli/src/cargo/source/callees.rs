//! [`Callees`]: what a function calls, as far as the text says it, for the question whether it can allocate.
//!
//! No type is known and no macro is expanded. What is not understood (a macro that is not listed, `.await`, the call of
//! a value) is taken for allocating, so a function is rather tracked than not; what the text does not name (operators
//! but `+` on text, `?`, drops) is taken for harmless. Closures are looked into, functions inside the function are not.
//! Which names are harmless is left to [`lean`](super::lean).

use std::collections::BTreeSet;

use syn::{
    BinOp, Block, Expr, ExprCall, ExprMacro, ExprMethodCall, Item, Lit, Macro, PatIdent, Path, Signature, StmtMacro,
    Token,
    punctuated::Punctuated,
    visit::{self, Visit},
};

use super::std_names::HARMLESS_MACROS;

/// Something that is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Callee {
    /// `x.name()`, on what is not known.
    Method(String),
    /// `name()`.
    Function(String),
    /// `Type::name()` or `module::name()`; `Self` is replaced.
    Of(String, String),
    /// A name that stands as a value: a function, if there is one of that name.
    Named(String),
}

/// What a body calls.
#[derive(Debug, Default)]
pub(crate) struct Callees {
    pub(crate) calls: BTreeSet<Callee>,
    /// It does what is taken for allocating without a look at any name: an unknown macro, `.await`, `+` on strings, a call of a value.
    pub(crate) allocates: bool,
    self_type: Option<String>,
    /// Names that the function gives to values itself.
    locals: BTreeSet<String>,
}

impl Callees {
    /// Those of a function of `self_type`. Functions inside it are functions of their own.
    pub(crate) fn of(signature: &Signature, body: &Block, self_type: Option<&str>) -> Self {
        let mut callees = Self { self_type: self_type.map(str::to_owned), ..Self::default() };
        callees.visit_signature(signature);
        callees.visit_block(body);
        let Self { calls, locals, .. } = &mut callees;
        calls.retain(|callee| !matches!(callee, Callee::Named(name) if locals.contains(name)));
        callees
    }

    fn method(&mut self, name: impl Into<String>) {
        self.calls.insert(Callee::Method(name.into()));
    }

    /// A path that is called, or that stands where a function can.
    fn path(&mut self, path: &Path, is_called: bool) {
        let Some(last) = path.segments.last() else { return };
        let name = last.ident.to_string();
        // `Some(..)`, `Point(..)`, `Self(..)`: a constructor.
        if name.starts_with(char::is_uppercase) {
            return;
        }
        let qualifier = path.segments.iter().rev().nth(1).map(|segment| segment.ident.to_string());
        let qualifier = match qualifier.as_deref() {
            Some("Self") => self.self_type.clone().or(qualifier),
            Some("self" | "crate" | "super") => None,
            _ => qualifier,
        };
        self.calls.insert(match qualifier {
            Some(qualifier) => Callee::Of(qualifier, name),
            None if is_called => Callee::Function(name),
            None => Callee::Named(name),
        });
    }

    fn macro_call(&mut self, call: &Macro) {
        let name = call.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if !HARMLESS_MACROS.contains(name.as_str()) {
            self.allocates = true;
            return;
        }
        // `matches!(x, PATTERN)`: what comes before the first comma is looked at.
        let arguments = if name == "matches" {
            let first = call.tokens.clone().into_iter().take_while(|token| token.to_string() != ",").collect();
            syn::parse2::<Expr>(first).map(|first| vec![first])
        } else {
            call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated)
                .map(|arguments| arguments.into_iter().collect())
        };
        match arguments {
            Ok(arguments) => arguments.iter().for_each(|argument| self.visit_expr(argument)),
            Err(_) => self.allocates |= !call.tokens.is_empty(),
        }
    }
}

/// Whether a string grows. Other operators either allocate nothing, or are functions that have a row themselves.
fn adds_text(operator: &BinOp, right: &Expr) -> bool {
    matches!(operator, BinOp::Add(_) | BinOp::AddAssign(_)) && is_text(right)
}

/// Whether what is added can only be a string: `a + &b`, `a += "b"`.
fn is_text(right: &Expr) -> bool {
    match right {
        Expr::Reference(_) => true,
        Expr::Lit(literal) => matches!(literal.lit, Lit::Str(_)),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Callees {
    fn visit_expr(&mut self, expression: &'ast Expr) {
        match expression {
            // What is awaited is not known, and a verbatim expression is newer than the parser.
            Expr::Await(_) | Expr::Verbatim(_) => self.allocates = true,
            Expr::Binary(binary) => self.allocates |= adds_text(&binary.op, &binary.right),
            Expr::Path(path) => self.path(&path.path, false),
            _ => {}
        }
        visit::visit_expr(self, expression);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.method(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(path) = &*call.func {
            self.path(&path.path, true);
        } else {
            // `(self.callback)(x)`: somebody else's function.
            self.allocates = true;
            self.visit_expr(&call.func);
        }
        call.args.iter().for_each(|argument| self.visit_expr(argument));
    }

    fn visit_expr_macro(&mut self, call: &'ast ExprMacro) {
        self.macro_call(&call.mac);
    }

    fn visit_stmt_macro(&mut self, call: &'ast StmtMacro) {
        self.macro_call(&call.mac);
    }

    fn visit_pat_ident(&mut self, name: &'ast PatIdent) {
        self.locals.insert(name.ident.to_string());
        visit::visit_pat_ident(self, name);
    }

    fn visit_item(&mut self, _: &'ast Item) {}
}
