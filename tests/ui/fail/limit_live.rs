#[memprof::limit(live = 0)]
fn f() {}

fn main() {
    f();
}
