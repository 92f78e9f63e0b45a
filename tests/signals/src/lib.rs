//! A signal handler that is measured, run at each instruction of memprof.
//!
//! With the trap flag set, an x86-64 processor raises SIGTRAP after each instruction. So an operation (a call, an allocation, a
//! poll, ..) is run as often as it has instructions, and at the n-th of them a handler does something that memprof measures.
//! Afterwards every number has to be what the operation and the handler make together: of the scope around both, of the rows of
//! both, and of the space. Once more with the handler at every instruction of one operation.
#![cfg(test)]

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod actions;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod expected;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod memory;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod stepping;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod switching;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod tests;

/// Switching belongs to the whole process: one test at a time.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped() {
    eprintln!("skipped: single steps are taken on x86-64 Linux only");
}
