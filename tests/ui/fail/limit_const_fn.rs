#[memprof::limit(peak = 1)]
const fn f() {}

fn main() {
    f();
}
