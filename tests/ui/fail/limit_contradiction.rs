#[memprof::limit(peak = "2 MiB", total = "1 MiB")]
fn f() {}

fn main() {
    f();
}
