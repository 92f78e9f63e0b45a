#![deny(unused_mut)]

#[memprof::track]
fn f(mut n: u8) -> u8 {
    n
}

fn main() {
    f(1);
}
