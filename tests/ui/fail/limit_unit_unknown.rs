#[memprof::limit(peak = "24 MIB")]
fn f() {}

fn main() {
    f();
}
