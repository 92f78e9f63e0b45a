//! Running a handler at an instruction of an operation.

#![expect(unsafe_code, reason = "the trap flag, and a signal handler")]

use std::arch::asm;
use std::cell::Cell;
use std::sync::Once;

/// A loop that tries again where a handler came in between would go on for ever, if one came at each turn.
const MOST: u64 = 500;

/// At which instructions the handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// After so many.
    Nth(u64),
    /// After each that has this remainder, divided by so many; [`MOST`] times at most.
    Each { first: u64, of: u64 },
}

impl At {
    fn is(self, traps: u64) -> bool {
        match self {
            Self::Nth(nth) => traps == nth,
            Self::Each { first, of } => traps % of == first,
        }
    }
}

#[derive(Clone, Copy)]
struct Handler {
    at: At,
    run: fn(),
}

thread_local! {
    static HANDLER: Cell<Option<Handler>> = const { Cell::new(None) };
    static TRAPS: Cell<u64> = const { Cell::new(0) };
    static RUNS: Cell<u64> = const { Cell::new(0) };
}

const TRAP_FLAG: i64 = 1 << 8;

/// Runs `operation` with `handler` at some of its instructions. Gives how often it ran.
pub(crate) fn run(at: At, handler: fn(), operation: &mut dyn FnMut()) -> u64 {
    install();
    TRAPS.set(0);
    RUNS.set(0);
    HANDLER.set(Some(Handler { at, run: handler }));
    step(operation);
    HANDLER.set(None);
    RUNS.get()
}

#[inline(never)]
fn step(operation: &mut dyn FnMut()) {
    // SAFETY: sets the trap flag: from here on, each instruction is followed by SIGTRAP, which has a handler.
    unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
    operation();
    // SAFETY: takes the trap flag off.
    unsafe { asm!("pushfq", "and qword ptr [rsp], -0x101", "popfq") };
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: all zero bytes are a `sigaction`.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = on_trap as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: a handler of the type that `SA_SIGINFO` says.
        let refused = unsafe { libc::sigaction(libc::SIGTRAP, &raw const action, std::ptr::null_mut()) };
        assert_eq!(refused, 0);
    });
}

extern "C" fn on_trap(_signal: libc::c_int, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(Handler { at, run }) = HANDLER.get() else { return };
    let traps = TRAPS.get();
    TRAPS.set(traps + 1);
    if at.is(traps) && RUNS.get() < MOST {
        RUNS.set(RUNS.get() + 1);
        run();
    }
    if let At::Nth(last) = at
        && traps >= last
    {
        let context = context.cast::<libc::ucontext_t>();
        // SAFETY: what the kernel gives a handler; the flags are put back when it returns.
        unsafe { (*context).uc_mcontext.gregs[libc::REG_EFL as usize] &= !TRAP_FLAG };
    }
}
