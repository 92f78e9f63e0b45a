#[memprof::track]
#[derive(Clone)]
pub struct S;

fn main() {
    let _ = S.clone();
}
