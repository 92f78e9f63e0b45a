unsafe extern "C" {
    #[memprof::track]
    fn abs(n: i32) -> i32;
}

fn main() {
    unsafe { abs(1) };
}
