//! memprof may be called from anywhere: every public function in every place where that is hard.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod cells;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod hooked;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod table;

fn main() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    table::main();
}
