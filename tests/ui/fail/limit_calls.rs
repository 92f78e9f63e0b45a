#[memprof::limit(peak = 1, calls = 10)]
fn f() {}

fn main() {
    f();
}
