#[memprof::track]
async fn f(n: u8) -> u8 {
    n + 1;
}

fn main() {
    let _ = f(1);
}
