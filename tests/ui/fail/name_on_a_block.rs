struct T;

#[memprof::track(name = "T")]
impl T {
    #[memprof::track(skip)]
    fn f(&self) {}
    fn g(&self) {}
}

fn main() {
    T.f();
    T.g();
}
