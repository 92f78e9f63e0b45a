#![deny(unused_mut)]

#[memprof::track]
async fn f(mut n: u8) -> u8 {
    n
}

fn main() {
    drop(f(1));
}
