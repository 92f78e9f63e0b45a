#![deny(unreachable_code)]

#[memprof::track]
async fn f() -> u8 {
    return 1;
    2
}

fn main() {
    drop(f());
}
