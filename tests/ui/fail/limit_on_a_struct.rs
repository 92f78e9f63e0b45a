#[memprof::limit(peak = 1)]
struct S;

fn main() {
    let _ = S;
}
