#![deny(unused_must_use)]

#[memprof::track]
#[must_use]
fn f() -> u8 {
    1
}

fn main() {
    f();
}
