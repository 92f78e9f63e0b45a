#[memprof::track(name = "a", name = "b")]
fn f() {}

fn main() {
    f();
}
