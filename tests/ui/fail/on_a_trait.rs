#[memprof::track]
trait T {
    fn f(&self) {}
}

impl T for u8 {}

fn main() {
    1u8.f();
}
