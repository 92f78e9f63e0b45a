#[memprof::limit(space = "", peak = 1)]
fn f() {}

fn main() {
    f();
}
