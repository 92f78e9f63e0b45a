struct S;

#[memprof::limit(peak = 1)]
impl S {
    fn f(&self) {}
}

fn main() {
    S.f();
}
