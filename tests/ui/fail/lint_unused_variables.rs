#![deny(unused_variables)]

#[memprof::track]
fn f(n: u8) {}

fn main() {
    f(1);
}
