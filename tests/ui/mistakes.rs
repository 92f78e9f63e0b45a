//! What the compiler says about code with `#[track]` in it: each file of `fail` holds one mistake and its `.stderr` one error, at
//! the place where the mistake is.

/// Cases 7, 8, 34, 35, 38 and 39. The texts hold for one compiler.
#[test]
#[ignore = "builds memprof and all that it needs once more: cargo test -p memprof-ui --features mistakes -- --ignored, a step of .ci/run"]
fn mistakes_are_one_error_each_at_the_right_place() {
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}
