//! Cargo wants a build script beside `links`, which is there so that one program never holds two recorders.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
