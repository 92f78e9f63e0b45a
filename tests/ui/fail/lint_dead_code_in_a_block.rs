#![deny(dead_code)]

struct T;

#[memprof::track]
impl T {
    fn used(&self) {}
    fn unused(&self) {}
}

fn main() {
    T.used();
}
