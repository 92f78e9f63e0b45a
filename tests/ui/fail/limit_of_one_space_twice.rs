#[memprof::limit(peak = 1)]
#[memprof::limit(space = "host", total = 2)]
fn f() {}

fn main() {
    f();
}
