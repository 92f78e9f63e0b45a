#[memprof::track(name = concat!("a", "b"))]
fn f() {}

fn main() {
    f();
}
