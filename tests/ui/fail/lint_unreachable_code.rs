#![deny(unreachable_code)]

#[memprof::track]
fn f() -> u8 {
    return 1;
    2
}

fn main() {
    f();
}
