//! What a function is declared to return, told to the `async` block that now stands in between.
//!
//! An `async` block learns its type from its first `return`. Without being told, `Ok(Box::new(|| ()))` would settle on the closure's own
//! type before the declared `Box<dyn Fn()>` is seen (tracing #1053, fastrace #130). A block that the user wrote is told nothing: the
//! compiler does not tell it either.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned as _;
use syn::visit_mut::{VisitMut, visit_type_mut};
use syn::{ReturnType, Signature, Token, Type, TypeInfer};

/// The hint for an `async fn`. `impl Trait` becomes `_`; for `!` and for a bare `impl Trait` there is none.
///
/// ```text
/// Input:   async fn f() -> T
/// Output:  if let P::Option::Some(__ret) = P::Option::None::<T> { return __ret; }
/// ```
///
/// It stands where the declared type stands: the compiler calls it the place where the type was inferred.
pub(crate) fn hint(sig: &Signature, private: &TokenStream) -> TokenStream {
    let here = |at: Span| Span::mixed_site().located_at(at);
    let (span, ty) = match &sig.output {
        ReturnType::Default => {
            let span = here(sig.ident.span());
            (span, quote_spanned!(span=> ()))
        }
        ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_) | Type::ImplTrait(_)) => {
            return TokenStream::new();
        }
        ReturnType::Type(_, ty) => {
            let mut expressible = ty.clone();
            ImplTraitToInfer.visit_type_mut(&mut expressible);
            (here(ty.span()), expressible.to_token_stream())
        }
    };
    quote_spanned! {span=>
        if let #private::Option::Some(__ret) = #private::Option::None::<#ty> {
            return __ret;
        }
    }
}

/// `impl Trait` cannot be written in an expression.
struct ImplTraitToInfer;

impl VisitMut for ImplTraitToInfer {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if matches!(ty, Type::ImplTrait(_)) {
            *ty = Type::Infer(TypeInfer { attrs: Vec::new(), underscore_token: Token![_](Span::mixed_site()) });
        } else {
            visit_type_mut(self, ty);
        }
    }
}
