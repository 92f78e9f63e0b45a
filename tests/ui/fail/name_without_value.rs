#[memprof::track(crate = memprof, name)]
fn f() {}

fn main() {
    f();
}
