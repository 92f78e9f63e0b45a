#[memprof::limit(peak = "1.3 MiB")]
fn f() {}

fn main() {
    f();
}
