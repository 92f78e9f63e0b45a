// tracing #1633, #1634: the function is there although its body is not.
#[memprof::track]
fn f() -> u8 {
    let n = 1 +;
    n
}

fn main() {
    let _: u8 = f();
}
