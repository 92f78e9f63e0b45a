#[memprof::track("load")]
fn f() {}

fn main() {
    f();
}
