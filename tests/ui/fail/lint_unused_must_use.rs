// tracing #1366, #3108.
#![deny(unused_must_use)]

#[must_use]
#[memprof::track]
fn f() -> u8 {
    "1".parse::<u8>();
    1
}

fn main() {
    let _ = f();
}
