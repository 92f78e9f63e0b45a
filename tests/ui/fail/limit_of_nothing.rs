#[memprof::limit]
fn f() {}

fn main() {
    f();
}
