//! The contexts that a thread has pushed; the last is current.
//!
//! It is a stack of a few, per thread, as CUDA has it, and without the state's lock. A context that has ended may still
//! be on it: whoever asks for the current one finds out in the state.

use std::cell::Cell;

use crate::base::abi::{Code, Done};

/// Contexts that a thread may push.
const DEPTH: usize = 16;

thread_local! {
    /// The contexts that this thread has pushed, and how many; the last is current. Without a destructor: drivers are called late.
    static STACK: Cell<([usize; DEPTH], usize)> = const { Cell::new(([0; DEPTH], 0)) };
}

/// The calling thread's context; 0 for none.
pub(crate) fn current() -> usize {
    let (stack, depth) = STACK.get();
    if depth == 0 { 0 } else { stack[depth - 1] }
}

pub(crate) fn set_current(context: usize) {
    let (mut stack, mut depth) = STACK.get();
    depth = depth.max(1);
    stack[depth - 1] = context;
    if context == 0 {
        depth -= 1;
    }
    STACK.set((stack, depth));
}

pub(crate) fn push(context: usize) -> Done {
    let (mut stack, depth) = STACK.get();
    *stack.get_mut(depth).ok_or(Code::INVALID_VALUE)? = context;
    STACK.set((stack, depth + 1));
    Ok(())
}

pub(crate) fn pop() -> Result<usize, Code> {
    let (stack, depth) = STACK.get();
    if depth == 0 {
        return Err(Code::INVALID_CONTEXT);
    }
    STACK.set((stack, depth - 1));
    Ok(stack[depth - 1])
}
