#[should_panic]
#[memprof::limit(peak = 1)]
fn f() {}

fn main() {
    f();
}
