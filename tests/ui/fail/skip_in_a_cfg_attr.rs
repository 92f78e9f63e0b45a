struct T;

#[memprof::track]
impl T {
    #[cfg_attr(all(), memprof::track(skip))]
    fn f(&self) {}
}

fn main() {
    T.f();
}
