#[memprof::track(name = 3)]
fn f() {}

fn main() {
    f();
}
