#[memprof::track]
async fn f() -> Result<u8, ()> {
    let n: u8 = "1".parse()?;
    Ok(n)
}

fn main() {
    let _ = f();
}
