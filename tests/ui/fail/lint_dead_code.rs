#![deny(dead_code)]

#[memprof::track]
fn f() {}

fn main() {}
