fn main() {
    memprof::scope!("load" { 1 });
}
