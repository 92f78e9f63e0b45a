#[memprof::track(crate = "memprof")]
fn f() {}

fn main() {
    f();
}
