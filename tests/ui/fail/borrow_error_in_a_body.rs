#[memprof::track]
fn f() -> &'static str {
    let text = String::new();
    &text
}

fn main() {
    f();
}
