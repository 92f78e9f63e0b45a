//! [`Source`]: a file, read: its functions, its global allocators, and which other files it names.
//!
//! Functions are those that stand in the text with a body, methods and functions in functions too, under the names that
//! reports give them; what macros write is not among them. Places are bytes of the text as it is given, with what the
//! parser leaves out at its beginning. A text that the parser does not understand is an error; what becomes of such a
//! file is left to `mirror`.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use syn::{
    Attribute, ImplItemFn, ItemFn, ItemImpl, ItemMod, ItemStatic, ItemTrait, TraitItemFn, Type,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use super::{
    function::{Around, Function, begin},
    included::{Included, included},
};

/// A static with `#[global_allocator]`: where its type and its value stand in the text, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Allocator {
    pub(crate) ty: std::ops::Range<usize>,
    pub(crate) value: std::ops::Range<usize>,
}

/// A source file, read.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) functions: Vec<Function>,
    pub(crate) allocators: Vec<Allocator>,
    pub(crate) included: Vec<Included>,
    around: Around,
    /// The modules around, by name.
    modules: Vec<String>,
    shift: usize,
}

impl Source {
    /// Reads `text`.
    ///
    /// # Errors
    ///
    /// The parser's, where it does not understand the text: an expression that is included, or syntax newer than it.
    pub(crate) fn read(text: &str) -> syn::Result<Self> {
        // Spans of earlier files are not looked at again, and their text would stay in memory.
        proc_macro2::extra::invalidate_current_thread_spans();
        let file = syn::parse_file(text)?;
        let mut source = Self { shift: shift(text), ..Self::default() };
        source.visit_file(&file);
        let tokens: TokenStream =
            text[source.shift..].parse().map_err(|error| syn::Error::new(proc_macro2::Span::call_site(), error))?;
        source.included = included(tokens);
        let mut counts = HashMap::<String, usize>::new();
        for function in &mut source.functions {
            let count = counts.entry(function.key.clone()).or_default();
            *count += 1;
            if *count > 1 {
                function.key = format!("{} ({count})", function.key);
            }
        }
        Ok(source)
    }

    fn add(&mut self, attributes: &[Attribute], signature: &syn::Signature, body: &syn::Block, at: proc_macro2::Span) {
        let mut function = Function::of(attributes, signature, body, at, &self.around, self.shift);
        function.key = self.modules.iter().map(String::as_str).chain([&*function.name]).collect::<Vec<_>>().join("::");
        self.functions.push(function);
    }

    fn inside(&mut self, around: Around, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.around, around);
        visit(self);
        self.around = outer;
    }
}

/// How many bytes the parser leaves out at the beginning: a byte order mark, and the line for a shell, but for its end.
fn shift(text: &str) -> usize {
    let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let rest = &text[mark..];
    if rest.starts_with("#!") && !rest[2..].trim_start().starts_with('[') {
        return mark + rest.find('\n').unwrap_or(rest.len());
    }
    mark
}

fn tracks_itself(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().segments.last().is_some_and(|last| last.ident == "track"))
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        let around = Around::default();
        self.inside(around, |source| {
            source.add(
                &function.attrs,
                &function.sig,
                &function.block,
                begin(Some(&function.vis), None, &function.sig),
            );
            visit::visit_item_fn(source, function);
        });
    }

    fn visit_item_impl(&mut self, block: &'ast ItemImpl) {
        let of = match &*block.self_ty {
            Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
            _ => None,
        };
        let implements =
            block.trait_.as_ref().and_then(|(path, _)| path.segments.last()).map(|last| last.ident.to_string());
        let around = Around {
            of: of.or_else(|| implements.as_ref().map(|_| "_".to_owned())),
            implements,
            tracks_itself: tracks_itself(&block.attrs),
        };
        self.inside(around, |source| visit::visit_item_impl(source, block));
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        let around = Around { of: Some(item.ident.to_string()), ..Around::default() };
        self.inside(around, |source| visit::visit_item_trait(source, item));
    }

    fn visit_impl_item_fn(&mut self, method: &'ast ImplItemFn) {
        let default = method.modifiers.defaultness.as_ref().map(|default| default.span);
        self.add(&method.attrs, &method.sig, &method.block, begin(Some(&method.vis), default, &method.sig));
        visit::visit_impl_item_fn(self, method);
    }

    fn visit_trait_item_fn(&mut self, method: &'ast TraitItemFn) {
        if let Some(body) = &method.default {
            self.add(&method.attrs, &method.sig, body, begin(None, None, &method.sig));
        }
        visit::visit_trait_item_fn(self, method);
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        self.modules.push(module.ident.to_string());
        self.inside(Around::default(), |source| visit::visit_item_mod(source, module));
        self.modules.pop();
    }

    fn visit_item_static(&mut self, item: &'ast ItemStatic) {
        let is_allocator = |attribute: &Attribute| {
            attribute.path().segments.last().is_some_and(|last| last.ident == "global_allocator")
        };
        if item.attrs.iter().any(is_allocator) {
            let of = |span: proc_macro2::Span| {
                let range = span.byte_range();
                range.start + self.shift..range.end + self.shift
            };
            let allocator = Allocator { ty: of(item.ty.span()), value: of(item.expr.span()) };
            self.allocators.push(allocator);
        }
        visit::visit_item_static(self, item);
    }
}
