struct T;

#[memprof::track(crate = ::memprof)]
impl T {
    #[memprof::track(nam = "f")]
    fn f(&self) {}
}

fn main() {
    T.f();
}
