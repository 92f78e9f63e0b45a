// tracing #2414, #2418: two errors there.
#[memprof::track]
pub const fn f() -> u8 {
    1
}

fn main() {
    const ONE: u8 = f();
    assert_eq!(ONE, 1);
}
