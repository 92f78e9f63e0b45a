struct T;

impl T {
    #[memprof::track(skip)]
    fn f(&self) {}
}

fn main() {
    T.f();
}
