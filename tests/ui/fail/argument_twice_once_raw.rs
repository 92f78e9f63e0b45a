#[memprof::track(name = "a", r#name = "b")]
async fn f() {}

fn main() {
    let _ = f();
}
