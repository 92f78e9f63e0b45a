#![deny(unused_variables)]

#[memprof::track]
async fn f(n: u8) {
    let _ = 1;
}

fn main() {
    drop(f(1));
}
