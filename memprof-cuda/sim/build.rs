//! Gives the library the name by which cudarc asks for a driver: once loaded by its path, it is found by that name.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libcuda.so");
    println!("cargo::rerun-if-changed=build.rs");
}
