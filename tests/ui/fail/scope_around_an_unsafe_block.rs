unsafe fn f() -> u8 {
    1
}

fn main() {
    let one: u8 = memprof::scope!("unsafe", unsafe { f() });
    memprof::scope!("the rest");
    assert_eq!(one, 1);
}
