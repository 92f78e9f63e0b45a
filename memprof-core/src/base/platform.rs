//! What the recorder needs of the system beyond memory: the environment and stderr without the standard library's
//! locks, and a call at the end of the process.
//!
//! Each function is one or few calls of the C library, named in its comment where its manual page says what matters
//! here. What is asked of a system that has no such call is answered by a second function of the same name: with
//! nothing, or by way of the standard library.

#![expect(unsafe_code, reason = "calls of the C library")]

use core::ffi::{CStr, c_char, c_int};
use std::ffi::{CString, OsString};
use std::time::Duration;

#[cfg(unix)]
use std::os::unix::ffi::OsStringExt;

#[cfg(unix)]
unsafe extern "C" {
    static environ: *const *const c_char;
}

/// The value of an environment variable.
///
/// By `getenv(3)`, not by the standard library: that takes a lock which another thread may hold while it allocates,
/// and an allocation may be what asks here.
#[cfg(unix)]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    let name = CString::new(name).ok()?;
    Some(OsString::from_vec(raw_variable(&name)?.to_bytes().to_vec()))
}

/// What `ask` says to the value of an environment variable; `false` if it is unset or not UTF-8. Does not allocate.
pub(crate) fn with_variable(name: &CStr, ask: impl FnOnce(&str) -> bool) -> bool {
    raw_variable(name).and_then(|value| value.to_str().ok()).is_some_and(ask)
}

/// A variable's value where the C library keeps it. None in a process with raised privileges, as `secure_getenv(3)`
/// has it.
fn raw_variable(name: &CStr) -> Option<&'static CStr> {
    if has_raised_privileges() {
        return None;
    }
    // SAFETY: a string that ends in 0.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: `getenv` gives null or a string that ends in 0. It lives as long as nobody changes the variable: it is
    // read at the start, and not kept.
    Some(unsafe { CStr::from_ptr(value) })
}

#[cfg(not(unix))]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The names of all environment variables.
#[cfg(unix)]
pub(crate) fn variable_names() -> Vec<OsString> {
    let mut names = Vec::new();
    if has_raised_privileges() {
        return names;
    }
    // SAFETY: the C library's variable; null or an array that ends in a null pointer.
    let mut entry = unsafe { environ };
    while !entry.is_null() {
        // SAFETY: not past the null pointer that ends the array.
        let text = unsafe { *entry };
        if text.is_null() {
            break;
        }
        // SAFETY: each entry is a string that ends in 0.
        let text = unsafe { CStr::from_ptr(text) };
        let name = text.to_bytes().split(|byte| *byte == b'=').next().unwrap_or_default();
        names.push(OsString::from_vec(name.to_vec()));
        // SAFETY: the entry was not the last one.
        entry = unsafe { entry.add(1) };
    }
    names
}

#[cfg(not(unix))]
pub(crate) fn variable_names() -> Vec<OsString> {
    std::env::vars_os().map(|(name, _)| name).collect()
}

/// The number of a signal that a program has for itself, by its name with or without `SIG`. Of the signals of
/// `signal(7)` these two mean nothing by themselves.
#[cfg(unix)]
pub(crate) fn signal(name: &str) -> Option<c_int> {
    match name.strip_prefix("SIG").unwrap_or(name) {
        "USR1" => Some(libc::SIGUSR1),
        "USR2" => Some(libc::SIGUSR2),
        _ => None,
    }
}

#[cfg(not(unix))]
pub(crate) fn signal(_name: &str) -> Option<c_int> {
    None
}

/// Writes `text` to stderr, as far as it takes it.
///
/// By `write`, without the standard library's lock on stderr: whoever holds that may be what is interrupted. A call
/// that was interrupted is tried again; one that fails otherwise gives up, since there is nobody to tell.
pub(crate) fn print(text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        // SAFETY: the bytes of `rest`.
        let written = unsafe { libc::write(2, rest.as_ptr().cast(), rest.len()) };
        let Ok(written) = usize::try_from(written) else {
            if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted {
                continue;
            }
            return;
        };
        if written == 0 {
            return;
        }
        rest = rest.get(written..).unwrap_or_default();
    }
}

/// Writes one line to stderr.
///
/// By one call (`writev(2)`), so that the lines of several threads stay whole: on a pipe up to `PIPE_BUF`, 4,096
/// bytes (`pipe(7)`).
pub fn print_line(line: &str) {
    let written = print_two(line, "\n");
    // Interrupted before anything was written, or in parts: what is left follows.
    if written <= line.len() {
        print(line.get(written..).unwrap_or_default());
        print("\n");
    }
}

/// Writes two texts at once, so that other threads' lines do not come in between. Gives the bytes that were taken.
#[cfg(unix)]
fn print_two(first: &str, second: &str) -> usize {
    let parts =
        [first, second].map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
    // SAFETY: two parts, whose bytes are there and are only read.
    let written = unsafe { libc::writev(2, parts.as_ptr(), 2) };
    usize::try_from(written).unwrap_or(0)
}

#[cfg(not(unix))]
fn print_two(_first: &str, _second: &str) -> usize {
    0
}

/// Waits for a signal, or for nothing.
#[cfg(unix)]
pub(crate) fn pause() {
    // SAFETY: it waits, and changes nothing.
    unsafe { libc::pause() };
}

#[cfg(not(unix))]
pub(crate) fn pause() {
    std::thread::park();
}

/// Starts a thread with a stack of so many bytes, which runs `body`, under the name `memprof` where the system has
/// names. It is the system's own: the standard library's would allocate in it before `body` begins, and so in the
/// program's numbers.
#[cfg(unix)]
pub(crate) fn spawn(stack: usize, body: fn()) -> std::io::Result<()> {
    let asked = |error| if error == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(error)) };
    let mut attributes = core::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: there is room for them.
    asked(unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) })?;
    // SAFETY: they were written.
    let stack_is_taken = asked(unsafe { libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack) });
    // SAFETY: likewise. Nobody waits for the thread's end.
    unsafe { libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED) };
    let mut thread = core::mem::MaybeUninit::<libc::pthread_t>::uninit();
    let started = stack_is_taken.and_then(|()| {
        let body = body as *mut core::ffi::c_void;
        // SAFETY: room for the thread's handle, attributes that were written, and what `run` takes.
        asked(unsafe { libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), run, body) })
    });
    // SAFETY: they were written, and the thread does not need them.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    started
}

/// What a thread of [`spawn`] runs. `body` is a `fn()`.
#[cfg(unix)]
extern "C" fn run(body: *mut core::ffi::c_void) -> *mut core::ffi::c_void {
    // SAFETY: `spawn` made it of a `fn()`, and on Unix both have the size of an address.
    let body = unsafe { core::mem::transmute::<*mut core::ffi::c_void, fn()>(body) };
    name_this_thread();
    body();
    core::ptr::null_mut()
}

/// What a debugger and `top -H` show: at most 15 bytes (`pthread_setname_np(3)`).
#[cfg(target_os = "linux")]
fn name_this_thread() {
    // SAFETY: it needs nothing.
    let this = unsafe { libc::pthread_self() };
    // SAFETY: a thread that is there, and a string that ends in 0.
    unsafe { libc::pthread_setname_np(this, c"memprof".as_ptr()) };
}

#[cfg(all(unix, not(target_os = "linux")))]
fn name_this_thread() {}

#[cfg(not(unix))]
pub(crate) fn spawn(stack: usize, body: fn()) -> std::io::Result<()> {
    std::thread::Builder::new().name("memprof".to_owned()).stack_size(stack).spawn(body).map(drop)
}

/// Leaves the program's signals to its own threads: this one takes none but those that it causes itself.
///
/// Those are caused by an instruction, and blocked they would end the process without its handler
/// (`pthread_sigmask(3)`).
#[cfg(unix)]
pub(crate) fn block_signals() {
    let own = [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];
    let mut all = core::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: there is room for the set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    for signal in own {
        // SAFETY: a set that was written, and a signal.
        unsafe { libc::sigdelset(all.as_mut_ptr(), signal) };
    }
    // SAFETY: a set; nobody asks for the one before.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), core::ptr::null_mut()) };
}

#[cfg(not(unix))]
pub(crate) fn block_signals() {}

/// Runs what a signal handler does: the code that it interrupted finds its `errno` as it was.
#[cfg(target_os = "linux")]
pub(crate) fn keeping_errno(work: impl FnOnce()) {
    // SAFETY: this thread's own, which is always there.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: likewise.
    let errno = unsafe { place.read() };
    work();
    // SAFETY: likewise.
    unsafe { place.write(errno) };
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn keeping_errno(work: impl FnOnce()) {
    work();
}

/// Whether the process has privileges that its user has not: what that user says in the environment is not to be
/// followed then.
///
/// A file that it names would be written with the program's rights. `AT_SECURE` of `getauxval(3)` covers
/// set-user-ID, set-group-ID and capabilities.
#[cfg(target_os = "linux")]
fn has_raised_privileges() -> bool {
    // SAFETY: it reads a number that the system gave the process.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

#[cfg(not(target_os = "linux"))]
fn has_raised_privileges() -> bool {
    false
}

/// The bytes of address space that this process may have.
///
/// `RLIMIT_AS` of `getrlimit(2)`, asked for each time, as a program may change it.
#[cfg(target_os = "linux")]
pub(crate) fn address_space() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: it writes one limit.
    let _unlimited_where_it_fails = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) };
    limit.rlim_cur
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn address_space() -> u64 {
    u64::MAX
}

/// The bytes of memory that the machine has.
#[cfg(target_os = "linux")]
pub(crate) fn memory() -> Option<u64> {
    // SAFETY: they read a number each.
    let [pages, bytes] = [libc::_SC_PHYS_PAGES, libc::_SC_PAGESIZE].map(|name| unsafe { libc::sysconf(name) });
    u64::try_from(pages).ok()?.checked_mul(u64::try_from(bytes).ok()?)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn memory() -> Option<u64> {
    None
}

/// What all threads of this process have used of processors (`clock_gettime(2)`, `CLOCK_PROCESS_CPUTIME_ID`).
#[cfg(target_os = "linux")]
pub(crate) fn processor_time() -> Option<Duration> {
    let mut used = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is room for the time.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut used) };
    (failed == 0).then(|| Duration::new(used.tv_sec.cast_unsigned(), u32::try_from(used.tv_nsec).unwrap_or(0)))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn processor_time() -> Option<Duration> {
    None
}

/// Removes a file, if it is there. For a signal handler too (`unlink(2)`, in the list of `signal-safety(7)`).
#[cfg(unix)]
pub(crate) fn remove(file: &CStr) {
    // SAFETY: a string that ends in 0.
    let _may_be_gone = unsafe { libc::unlink(file.as_ptr()) };
}

#[cfg(not(unix))]
pub(crate) fn remove(file: &CStr) {
    let _may_be_gone = file.to_str().map(std::fs::remove_file);
}

/// Has `call` called when `main` returns or `exit` is called, after what was registered later and before what was
/// registered earlier (`atexit(3)`). A process that ends by `_exit` or a signal calls nothing.
pub(crate) fn at_exit(call: extern "C" fn()) {
    // SAFETY: a function that takes nothing, gives nothing and does not unwind.
    let refused = unsafe { libc::atexit(call) };
    if refused != 0 {
        print_line("memprof: the system takes no further calls at exit, so there will be no report");
    }
}

/// Has the three called around each fork: before, and after in the parent and in the child.
///
/// By `pthread_atfork(3)`, so whoever calls `fork` in the process comes by here; `vfork` and `clone` do not, and
/// neither do programs that are started by `posix_spawn`, which run no code of this one in the child.
#[cfg(unix)]
pub(crate) fn around_fork(before: extern "C" fn(), parent: extern "C" fn(), child: extern "C" fn()) {
    // SAFETY: functions that take nothing, give nothing and do not unwind.
    let _refused_when_out_of_memory = unsafe { libc::pthread_atfork(Some(before), Some(parent), Some(child)) };
}
