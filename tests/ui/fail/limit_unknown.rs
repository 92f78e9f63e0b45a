#[memprof::limit(peek = 1)]
fn f() {}

fn main() {
    f();
}
