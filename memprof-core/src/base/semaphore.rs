//! A number that a signal handler may raise, and that a thread waits for.
//!
//! Of what can wake a thread, `signal-safety(7)` allows a signal handler `sem_post` alone that needs no file: a
//! condition variable's lock may be held by the very thread that the handler interrupted.

#![cfg_attr(
    all(target_os = "linux", feature = "runtime"),
    expect(unsafe_code, reason = "the C library's semaphore, which a signal handler may post")
)]

#[cfg(all(target_os = "linux", feature = "runtime"))]
use core::cell::UnsafeCell;
#[cfg(all(target_os = "linux", feature = "runtime"))]
use core::mem::MaybeUninit;
use core::time::Duration;

/// The C library's.
#[cfg(all(target_os = "linux", feature = "runtime"))]
pub(crate) struct Semaphore(UnsafeCell<MaybeUninit<libc::sem_t>>);

#[cfg(all(target_os = "linux", feature = "runtime"))]
// SAFETY: what it is for: any thread may post it or wait for it, once it was begun.
unsafe impl Sync for Semaphore {}

/// Longer than any process runs: what is added to a time must stay one.
#[cfg(all(target_os = "linux", feature = "runtime"))]
const LONGEST: u64 = 1 << 32;

#[cfg(all(target_os = "linux", feature = "runtime"))]
impl Semaphore {
    pub(crate) const fn new() -> Self {
        // All zero bytes are a semaphore of 0 in the C libraries of Linux, so that a post that comes early does no
        // harm.
        Self(UnsafeCell::new(MaybeUninit::zeroed()))
    }

    /// Sets the number to 0. Before anybody waits, or, in a forked child, when those who did are gone.
    pub(crate) fn begin(&self) {
        // SAFETY: room for a semaphore, which nobody waits for.
        unsafe { libc::sem_init(self.0.get().cast(), 0, 0) };
    }

    /// Raises the number by one. For a signal handler too.
    pub(crate) fn post(&self) {
        // SAFETY: a semaphore.
        unsafe { libc::sem_post(self.0.get().cast()) };
    }

    /// Waits until the number is above 0, and takes one off; at most so long. For a signal handler too.
    ///
    /// Gives whether it took one off. A signal that interrupts the wait does not end it. The time is the wall
    /// clock's, as `sem_timedwait(3)` wants it: one that is set forward ends a wait early, and whoever waits here
    /// looks at what is to be done anyway.
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let mut until = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: there is room for the time.
        unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut until) };
        until.tv_sec += patience.as_secs().min(LONGEST).cast_signed();
        until.tv_nsec += i64::from(patience.subsec_nanos());
        until.tv_sec += until.tv_nsec / 1_000_000_000;
        until.tv_nsec %= 1_000_000_000;
        loop {
            // SAFETY: a semaphore, and a time.
            if unsafe { libc::sem_timedwait(self.0.get().cast(), &raw const until) } == 0 {
                return true;
            }
            if std::io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
                return false;
            }
        }
    }
}

/// Elsewhere no signal handler posts it.
#[cfg(not(all(target_os = "linux", feature = "runtime")))]
pub(crate) struct Semaphore(std::sync::Mutex<u32>, std::sync::Condvar);

#[cfg(not(all(target_os = "linux", feature = "runtime")))]
impl Semaphore {
    pub(crate) const fn new() -> Self {
        Self(std::sync::Mutex::new(0), std::sync::Condvar::new())
    }

    fn number(&self) -> std::sync::MutexGuard<'_, u32> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn begin(&self) {
        *self.number() = 0;
    }

    pub(crate) fn post(&self) {
        *self.number() += 1;
        self.1.notify_one();
    }

    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let waited = self.1.wait_timeout_while(self.number(), patience, |number| *number == 0);
        let (mut number, _) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        let is_above = *number > 0;
        *number -= u32::from(is_above);
        is_above
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::Semaphore;

    #[test]
    fn each_post_lets_one_through() {
        static SEMAPHORE: Semaphore = Semaphore::new();
        SEMAPHORE.begin();
        assert!(!SEMAPHORE.wait(Duration::ZERO));
        let waits = std::thread::spawn(|| SEMAPHORE.wait(Duration::MAX));
        SEMAPHORE.post();
        assert!(waits.join().expect("no panic"));
        SEMAPHORE.post();
        assert!(SEMAPHORE.wait(Duration::ZERO));
        assert!(!SEMAPHORE.wait(Duration::ZERO));
    }
}
