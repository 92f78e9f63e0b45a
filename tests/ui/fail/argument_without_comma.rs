#[memprof::track(name = "a" crate = memprof)]
fn f() {}

fn main() {
    f();
}
