struct T;

#[memprof::track]
impl T {
    fn f(&self) -> u8 {
        "text"
    }
}

fn main() {
    T.f();
}
