//! [`Callees`]: what a function calls, as far as the text says it, for the question whether it can allocate.

use std::collections::BTreeSet;

use syn::{
    BinOp, Block, Expr, ExprCall, ExprMacro, ExprMethodCall, Item, Lit, Macro, Path, StmtMacro, Token, UnOp,
    punctuated::Punctuated,
    visit::{self, Visit},
};

use super::std_names::HARMLESS_MACROS;

/// Something that is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Callee {
    /// `x.name()`, or what an operator stands for: on what is not known.
    Method(String),
    /// `name()`.
    Function(String),
    /// `Type::name()` or `module::name()`; `Self` is replaced.
    Of(String, String),
    /// A name that stands as a value: a function, if there is one of that name.
    Named(String),
    /// `?`, which turns one error into another.
    Question,
}

/// What a body calls.
#[derive(Debug, Default)]
pub(crate) struct Callees {
    pub(crate) calls: BTreeSet<Callee>,
    /// It does what is taken for allocating without a look at any name: an unknown macro, `.await`, `+` on strings, a call of a value.
    pub(crate) allocates: bool,
    self_type: Option<String>,
}

impl Callees {
    /// Those of `body`, a function of `self_type`. Functions inside it are functions of their own.
    pub(crate) fn of(body: &Block, self_type: Option<&str>) -> Self {
        let mut callees = Self { self_type: self_type.map(str::to_owned), ..Self::default() };
        callees.visit_block(body);
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

    fn binary(&mut self, operator: &BinOp, right: &Expr) {
        let name = match operator {
            BinOp::Add(_) | BinOp::AddAssign(_) if is_text(right) => {
                self.allocates = true;
                return;
            }
            BinOp::Add(_) => "add",
            BinOp::AddAssign(_) => "add_assign",
            BinOp::Sub(_) => "sub",
            BinOp::SubAssign(_) => "sub_assign",
            BinOp::Mul(_) => "mul",
            BinOp::MulAssign(_) => "mul_assign",
            BinOp::Div(_) => "div",
            BinOp::DivAssign(_) => "div_assign",
            BinOp::Rem(_) => "rem",
            BinOp::BitAnd(_) => "bitand",
            BinOp::BitOr(_) => "bitor",
            BinOp::BitXor(_) => "bitxor",
            BinOp::Shl(_) => "shl",
            BinOp::Shr(_) => "shr",
            BinOp::Eq(_) | BinOp::Ne(_) => "eq",
            BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_) => "partial_cmp",
            _ => return,
        };
        self.method(name);
    }
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
            Expr::Try(_) => {
                self.calls.insert(Callee::Question);
            }
            Expr::Index(_) => self.method("index"),
            Expr::ForLoop(_) => {
                self.method("into_iter");
                self.method("next");
            }
            Expr::Unary(unary) => match unary.op {
                UnOp::Deref(_) => self.method("deref"),
                UnOp::Neg(_) => self.method("neg"),
                UnOp::Not(_) => self.method("not"),
                _ => {}
            },
            Expr::Binary(binary) => self.binary(&binary.op, &binary.right),
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

    fn visit_item(&mut self, _: &'ast Item) {}
}
