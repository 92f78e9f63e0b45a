#[memprof::limit(space = "cuda:0")]
fn f() {}

fn main() {
    f();
}
