//! The order in which an `async fn` drops its arguments.
//!
//! The compiler drops arguments last to first. The `async` block that a body is moved into captures those that it mentions, in the order of
//! their first mention, and drops them in that order: a guard could outlive what it guards. So they are mentioned once before, last to
//! first, in code that never runs. One that the body does not mention stays outside and is dropped after the others: to mention it would
//! hide that it is unused (`unused_variables`, clippy's `used_underscore_binding`).

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::{Attribute, FnArg, Pat, ReceiverKind, Signature, Type};

/// ```text
/// Input:   async fn f(a: A, (b, c): (B, C)) { uses a and c }
/// Output:  if false { let _ = (&c, &a); }
/// ```
///
/// Nothing for fewer than two: there is no order then. References are not mentioned: nothing is dropped with them.
pub(crate) fn in_drop_order(sig: &Signature, body: &TokenStream) -> TokenStream {
    let mut bindings = Vec::new();
    for argument in &sig.inputs {
        match argument {
            FnArg::Receiver(receiver) if !matches!(receiver.kind, ReceiverKind::Reference(..)) => {
                bindings.push(Ident::from(receiver.self_token));
            }
            FnArg::Typed(typed) if !is_conditional(&typed.attrs) && !is_reference(&typed.ty) => {
                collect_bindings(&typed.pat, &mut bindings);
            }
            _ => {}
        }
    }
    bindings.retain(|binding| mentions(body, &binding.to_string()));
    if bindings.len() < 2 {
        return TokenStream::new();
    }
    let last_to_first = bindings.iter().rev();
    quote_spanned!(Span::mixed_site()=> if false { let _ = (#(&#last_to_first),*); })
}

/// The variables that a pattern binds by value, in their order.
fn collect_bindings(pattern: &Pat, bindings: &mut Vec<Ident>) {
    match pattern {
        Pat::Ident(binding) if binding.by_ref.is_none() => bindings.push(binding.ident.clone()),
        Pat::Paren(inner) => collect_bindings(&inner.pat, bindings),
        Pat::Tuple(tuple) => tuple.elems.iter().for_each(|inner| collect_bindings(inner, bindings)),
        Pat::TupleStruct(tuple) => tuple.elems.iter().for_each(|inner| collect_bindings(inner, bindings)),
        Pat::Slice(slice) => slice.elems.iter().for_each(|inner| collect_bindings(inner, bindings)),
        Pat::Struct(fields) => {
            let fields = fields.fields.iter().filter(|field| !is_conditional(&field.attrs));
            fields.for_each(|field| collect_bindings(&field.pat, bindings));
        }
        _ => {}
    }
}

/// Whether the word is in a body, the text of format strings included.
fn mentions(tokens: &TokenStream, word: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(&group.stream(), word),
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Literal(literal) => literal.to_string().contains(&format!("{{{word}")),
        TokenTree::Punct(_) => false,
    })
}

fn is_reference(ty: &Type) -> bool {
    match ty {
        Type::Reference(_) => true,
        Type::Group(group) => is_reference(&group.elem),
        _ => false,
    }
}

/// Whether the argument may not be there.
fn is_conditional(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| attr.path().is_ident("cfg"))
}
