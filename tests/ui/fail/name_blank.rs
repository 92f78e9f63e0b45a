#[memprof::track(name = "  ")]
fn f() {}

fn main() {
    f();
}
