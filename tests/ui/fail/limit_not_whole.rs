#[memprof::limit(peak = "1.5 MiB")]
fn f() {}

fn main() {
    f();
}
