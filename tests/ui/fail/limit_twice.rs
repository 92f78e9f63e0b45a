#[memprof::limit(peak = 1, peak = 2)]
fn f() {}

fn main() {
    f();
}
