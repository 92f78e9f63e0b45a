//! What cannot be seen by compiling an expansion: that an item passes through, and what becomes of code that does not compile yet.

use proc_macro2::TokenStream;
use quote::quote;

use crate::{Mode, expand_attribute, limited};

fn check(args: TokenStream, item: &TokenStream) -> String {
    expand_attribute(args, item.clone(), Mode::Check).to_string()
}

fn measure(args: TokenStream, item: &TokenStream) -> String {
    expand_attribute(args, item.clone(), Mode::Measure).to_string()
}

fn parse(text: &str) -> TokenStream {
    text.parse().expect("the text is made of tokens")
}

/// Items of every kind, and some that only a future compiler could accept.
const ITEMS: &[&str] = &[
    "fn f() {}",
    "#[doc = \"d\"] pub(in a::b) async unsafe extern \"C\" fn f<'a, T: ?Sized,>(&self, (a, mut b): (u8, u8),) -> Option<&'a T> where T: X, { #![allow(x)] a? ; b }",
    "pub default fn f() -> u8 { 1 }",
    "unsafe extern \"C\" fn f(n: u8, mut arguments: ...) -> ! { loop {} }",
    "fn f() -> impl Future<Output = u8> { async move { 1 } }",
    "fn f() -> u8 { a future $ syntax @ of => bodies }",
    "async fn f(text: &str) -> usize { text. }",
    "impl<T> X<T> where T: Y { #![allow(x)] const A: u8 = { 1 }; type B = C; m!(); m! { x } fn f(&self) { a } const fn g() {} fn h(); #[track(name = \"i\")] fn i() {} new syntax; }",
    "default unsafe impl !A for B {}",
    "impl const A for B { const fn f() {} }",
];

/// Case 40; fastrace #107.
#[test]
fn without_the_feature_an_item_is_left_token_for_token() {
    for item in ITEMS.iter().copied().map(parse) {
        let expanded = expand_attribute(quote!(), item.clone(), Mode::Check);
        assert_eq!(flat(expanded), flat(item));
    }
}

/// Case 40.
#[test]
fn without_the_feature_arguments_and_places_are_still_checked() {
    let function = quote!(
        fn f() {}
    );
    let wrong = [
        (quote!(nam = "x"), function.clone()),
        (quote!(name = ""), function.clone()),
        (quote!(name = " \t"), function.clone()),
        (quote!(skip), function),
        (
            quote!(),
            quote!(
                const fn f() {}
            ),
        ),
        (
            quote!(),
            quote!(
                fn f();
            ),
        ),
        (
            quote!(),
            quote!(
                struct S;
            ),
        ),
        (quote!(name = "x"), quote!(impl X {})),
    ];
    for (args, item) in wrong {
        let expanded = check(args.clone(), &item);
        assert_eq!(expanded, measure(args, &item));
        assert!(
            expanded.starts_with(":: core :: compile_error !") && expanded.ends_with(&item.to_string()),
            "{expanded}"
        );
    }
}

/// `#[track(skip)]` would be an error where it stands.
#[test]
fn without_the_feature_only_skip_is_taken_out_of_a_block() {
    let block = quote!(impl X { #[inline] #[a::track(skip)] fn f() {} #[track] fn g() {} });
    let expected = quote!(impl X { #[inline] fn f() {} #[track] fn g() {} });
    assert_eq!(check(quote!(), &block), expected.to_string());
    // So too beside a mistake, which then is the only one.
    assert!(check(quote!(name = "x"), &block).ends_with(&expected.to_string()));
}

/// Cases 15 and 39; tracing #1615, #1633, #1634. rust-analyzer expands while one types.
#[test]
fn every_token_of_an_item_is_in_its_expansion_once_and_in_order() {
    for text in ITEMS {
        let item = parse(text);
        let expanded = expand_attribute(quote!(), item.clone(), Mode::Measure);
        let mut expanded_tokens = flat(expanded.clone()).into_iter();
        // The head of an `async fn` is written anew.
        let body = item.clone().into_iter().last().into_iter().collect();
        for token in flat(if text.starts_with("async") || text.contains(" async unsafe") { body } else { item }) {
            assert!(expanded_tokens.any(|other| other == token), "{token} is not in its place in {expanded}");
        }
    }
    let once = measure(quote!(), &parse("async fn f() -> u8 { only_once() }"));
    assert_eq!(once.matches("only_once").count(), 1);
}

/// Case 37. Under a user's `#![forbid(..)]` an `#[allow]` of ours would be E0453.
#[test]
fn an_expansion_holds_no_attribute_and_no_unsafe_code_of_ours() {
    for item in ["fn f() {}", "async fn f() {}", "fn f() -> X { g(); Box::pin(async {}) }", "impl X { fn f() {} }"] {
        let expanded = measure(quote!(), &parse(item));
        assert!(!expanded.contains('#') && !expanded.contains("unsafe"), "{expanded}");
    }
}

/// Case 24: a call is one activation, which begins with it only where something runs before the future.
#[test]
fn an_activation_begins_before_a_future_only_for_statements() {
    let entered = |body: &str| {
        let expanded = measure(quote!(), &parse(&format!("fn f() -> X {{ {body} }}")));
        ["enter", "begin", "InScope :: new", "__call . future"].map(|words| expanded.matches(words).count())
    };
    assert_eq!(entered("async {}"), [0, 0, 1, 0]);
    assert_eq!(entered("Box::pin(async move {})"), [0, 0, 1, 0]);
    assert_eq!(entered("const A: u8 = 1; ::std::boxed::Box::pin(async move {},)"), [0, 0, 1, 0]);
    assert_eq!(entered("a(); Box::pin(async {})"), [0, 1, 0, 1]);
    assert_eq!(entered("let a = b; async move {}"), [0, 1, 0, 1]);
    // Not followed.
    for body in [
        "a(async {})",
        "async {}; b",
        "Box::new(async {})",
        "|| async {}",
        "return async {}",
        "&async {}",
        "async {}.await",
        "Pin::pin(async {})",
    ] {
        assert_eq!(entered(body), [1, 0, 0, 0], "{body}");
    }
}

/// Case 25; tracing #1863, #1866.
#[test]
fn a_block_at_the_end_is_move_only_where_it_was() {
    let moves = |item: &str| measure(quote!(), &parse(item)).matches("move").count();
    assert_eq!(moves("fn f() -> X { async { a } }"), 0);
    assert_eq!(moves("fn f() -> X { Box::pin(async { a }) }"), 0);
    assert_eq!(moves("fn f() -> X { Box::pin(async move { a }) }"), 1);
}

/// Without the recorder the function is what it was, but for what was taken in; mistakes are still said.
#[test]
fn without_the_feature_a_limit_is_checked_and_leaves_the_function() {
    let item =
        parse("#[limit(space = \"cuda:0\", peak = 1)] #[track] #[test] async fn f(a: u8) -> u8 { a future $ syntax }");
    let left = parse("#[test] async fn f(a: u8) -> u8 { a future $ syntax }");
    assert_eq!(limited::expand(quote!(kept = 0), item.clone(), false).to_string(), left.to_string());
    for wrong in [quote!(), quote!(peak = "1 mb"), quote!(peak = 1, total = 0), quote!(space = "cuda:0", kept = 0)] {
        let expanded = limited::expand(wrong, item.clone(), false).to_string();
        assert!(expanded.starts_with(":: core :: compile_error !"), "{expanded}");
        assert!(expanded.ends_with(&left.to_string()), "{expanded}");
    }
}

/// One activation, however many attributes there are.
#[test]
fn a_function_with_several_attributes_enters_one_scope() {
    let limits = limited::expand(
        quote!(kept = 0),
        parse("#[limit(space = \"a\", peak = 7)] #[track(name = \"n\")] fn f() {}"),
        true,
    );
    let limits = limits.to_string();
    assert_eq!(limits.matches("Limited :: enter").count(), 1);
    for written in ["of (\"host\") . kept (0u64)", "of (\"a\") . peak (7u64)", "\"n\""] {
        assert_eq!(limits.matches(written).count(), 1, "{written} in {limits}");
    }
    let tracked = measure(quote!(name = "n", crate = a), &parse("#[m::limit(peak = 7)] fn f() {}"));
    assert_eq!(tracked, parse("#[m::limit(name = \"n\", crate = a, peak = 7)] fn f() {}").to_string());
    // An attribute of somebody else's, by the looks of it.
    assert!(measure(quote!(), &parse("#[limit(rate = 7)] fn f() {}")).contains("enter"));
}

fn flat(tokens: TokenStream) -> Vec<String> {
    let mut flattened = Vec::new();
    for token in tokens {
        match token {
            proc_macro2::TokenTree::Group(group) => {
                flattened.push(format!("{:?}", group.delimiter()));
                flattened.extend(flat(group.stream()));
            }
            other => flattened.push(other.to_string()),
        }
    }
    flattened
}
