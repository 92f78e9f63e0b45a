struct T;

#[memprof::track]
impl T {
    #[memprof::track(skip, name = "f")]
    fn f(&self) {}
}

fn main() {
    T.f();
}
