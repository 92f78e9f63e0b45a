#[memprof::limit(kept = -1)]
fn f() {}

fn main() {
    f();
}
