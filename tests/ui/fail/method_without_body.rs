// tracing #615, #3179.
trait T {
    #[memprof::track]
    fn f(&self);
}

impl T for u8 {
    fn f(&self) {}
}

fn main() {
    1u8.f();
}
