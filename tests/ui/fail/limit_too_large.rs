#[memprof::limit(total = "99999999999 TiB")]
fn f() {}

fn main() {
    f();
}
