//! What an `async fn` is declared to return: as the future that it is, and told to the `async` block that now stands in between.
//!
//! An `async` block learns its type from its first `return`. Without being told, `Ok(Box::new(|| ()))` would settle on the closure's own
//! type before the declared `Box<dyn Fn()>` is seen (tracing #1053, fastrace #130). A block that the user wrote is told nothing: the
//! compiler does not tell it either.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt as _, quote_spanned};
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

/// The future that an `async fn` returns, written out.
///
/// ```text
/// Input:   -> T
/// Output:  -> impl P::Future<Output = T>
/// ```
///
/// The word `impl` is ours, and so of an edition in which a future holds every lifetime of its function, as that of an `async fn` does; those
/// in `T` become so too. The last `>` is the user's: a signature ends where it ended. `None` for `!`, which cannot stand there yet, and for a macro call, which may be one.
pub(crate) fn future(sig: &Signature, private: &TokenStream) -> Option<ReturnType> {
    let span = Span::mixed_site().located_at(sig.ident.span());
    let (arrow, ty) = match &sig.output {
        ReturnType::Default => (Token![->](span), quote_spanned!(sig.paren_token.span.close()=> ())),
        ReturnType::Type(arrow, ty) => (*arrow, holding_every_lifetime(ty.to_token_stream())?),
    };
    let mut future = quote_spanned!(span=> impl #private::Future<Output = #ty);
    let end = ty.into_iter().last().map_or(sig.paren_token.span.close(), |last| last.span());
    future.append_all(quote_spanned!(end=> >));
    Some(ReturnType::Type(arrow, Box::new(Type::Verbatim(future))))
}

fn holding_every_lifetime(ty: TokenStream) -> Option<TokenStream> {
    let tree = |tree| match tree {
        TokenTree::Punct(sign) if sign.as_char() == '!' => None,
        TokenTree::Ident(mut word) if word == "impl" => {
            word.set_span(Span::mixed_site().located_at(word.span()));
            Some(word.into())
        }
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), holding_every_lifetime(group.stream())?);
            inner.set_span(group.span());
            Some(inner.into())
        }
        other => Some(other),
    };
    ty.into_iter().map(tree).collect::<Option<TokenStream>>()
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
