const MOST: u64 = 10;

#[memprof::limit(peak = MOST)]
fn f() {}

fn main() {
    f();
}
