#[memprof::track(size = 3)]
fn f() {}

fn main() {
    f();
}
