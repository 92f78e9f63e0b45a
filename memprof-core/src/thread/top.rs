//! Which frame is on top, and whether that is being changed right now.
//!
//! A signal handler may call memprof between any two instructions of a change of its own thread: of entering a scope, say,
//! when the new frame is half written. So a change makes the top *busy* first, and its last store, of the new top, ends that. While it
//! is busy, the pointer leads not to the frame's own [`Head`] but to a head within the frame that is ready for nothing.
//! What the hot paths read of the top is its head, so each of them takes its slow path then, at the cost of no instruction; the
//! slow path asks for the [`Change`], and goes on in the slot aside ([`aside`](crate::thread::aside)).
//!
//! ```text
//!              frame                                    what a handler finds
//! top ───────► head: frame above, host's tag, serial    the short paths
//! Above ─────► head of nothing                          what it does belongs to this frame
//! Leaving ───► head of nothing                          what it does belongs to the frame below
//!              prev, tag, flags, ..
//! ```
//!
//! A handler leaves what it entered, so between two instructions of the code that it interrupts the top does not change but
//! by that code. It is loaded, found to be at rest and made busy in three instructions.

#![expect(unsafe_code, reason = "a pointer to one of the heads of a frame")]

use core::sync::atomic::{AtomicPtr, Ordering};

use crate::base::single::{self, Alone};
use crate::thread::changes::FrameHandle;
use crate::thread::frame::{Frame, Head};

/// What is being changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Something at the top frame, or a frame that is entered on it.
    Above,
    /// The top frame is being left: what happens meanwhile belongs to the frame below.
    Leaving,
}

/// See the [module](self).
pub(crate) struct Top(AtomicPtr<Frame>);

/// How far the heads of a frame are apart.
const STEP: usize = size_of::<Head>();
const ABOVE: usize = STEP;
const LEAVING: usize = 2 * STEP;
/// A frame's address has none of these bits.
const BUSY: usize = align_of::<Frame>() - 1;
const _: () = assert!(LEAVING + STEP <= size_of::<Frame>() && LEAVING <= BUSY);

impl Top {
    pub(crate) const fn new(frame: &'static Frame) -> Self {
        Self(AtomicPtr::new(core::ptr::from_ref(frame).cast_mut()))
    }

    #[inline(always)]
    fn load(&self) -> *mut Frame {
        self.0.load(Ordering::Acquire)
    }

    /// What is ready at the top: nothing while it is busy.
    #[inline(always)]
    pub(crate) fn head(&self) -> &'static Head {
        // SAFETY: what is stored here leads to a frame that lives forever, or to one of the two heads behind its own.
        unsafe { &*self.load().cast::<Head>() }
    }

    /// The top frame, busy or not.
    #[inline(always)]
    pub(crate) fn frame(&self) -> &'static Frame {
        let frame = self.load().map_addr(|address| address & !BUSY);
        // SAFETY: a frame that lives forever; the bits taken off are within its alignment.
        unsafe { &*frame }
    }

    /// Whether this very frame is on top, and nothing is being changed.
    #[inline(always)]
    pub(crate) fn is(&self, frame: &Frame) -> bool {
        core::ptr::eq(self.0.load(Ordering::Relaxed), frame)
    }

    /// The top and the frame above it, for a frame to be entered there: the top is busy now. `None` if it was busy before, or the frame
    /// above is still to be made; then nothing is changed.
    #[inline(always)]
    pub(crate) fn begin_entering(&self) -> Option<(&'static Frame, &'static Frame, Alone)> {
        let top = self.load();
        // SAFETY: as in `head`.
        let head = unsafe { &*top.cast::<Head>() };
        let above = head.above()?;
        let alone = self.make_busy(ABOVE);
        // SAFETY: a head that leads to a frame above is a frame's own, and the frame begins there.
        Some((unsafe { &*top }, above, alone))
    }

    /// Begins to leave the top if it is at rest and of this activation; gives its frame.
    #[inline(always)]
    pub(crate) fn begin_leaving(&self, opened: FrameHandle) -> Option<(&'static Frame, Alone)> {
        let top = self.load();
        // SAFETY: as in `head`.
        let head = unsafe { &*top.cast::<Head>() };
        if !head.is_of(opened) {
            return None;
        }
        let alone = self.make_busy(LEAVING);
        // SAFETY: a head of an activation is a frame's own, and the frame begins there.
        Some((unsafe { &*top }, alone))
    }

    /// Begins to leave the top, busy or not.
    pub(crate) fn leave(&self) {
        let frame = core::ptr::from_ref(self.frame()).cast_mut();
        self.0.store(frame.wrapping_byte_add(LEAVING), Ordering::Relaxed);
        single::in_order();
    }

    /// Makes the top busy, which is at rest, until [`end_change`](Self::end_change).
    #[inline(always)]
    pub(crate) fn begin_change(&self) {
        debug_assert!(self.change().is_none(), "one change at a time");
        let _: Alone = self.make_busy(ABOVE);
    }

    /// [`begin_change`](Self::begin_change) at the frame that is given; `None` if a change is under way.
    #[inline(always)]
    pub(crate) fn begin_change_at_rest(&self) -> Option<(&'static Frame, Alone)> {
        let top = self.load();
        if top.addr() & BUSY != 0 {
            return None;
        }
        let alone = self.make_busy(ABOVE);
        // SAFETY: a frame that lives forever, as no bit of its address says otherwise.
        Some((unsafe { &*top }, alone))
    }

    #[inline(always)]
    pub(crate) fn end_change(&self) {
        single::in_order();
        debug_assert_eq!(self.change(), Some(Change::Above), "it was begun");
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_byte_sub(ABOVE), Ordering::Release);
    }

    #[inline(always)]
    fn make_busy(&self, distance: usize) -> Alone {
        // One instruction where the compiler optimises.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_byte_add(distance), Ordering::Relaxed);
        single::in_order();
        // SAFETY: the top is busy from here on, which a signal handler sees; what sets it again is the last store of the change.
        unsafe { Alone::begin() }
    }

    /// The change that is under way.
    #[inline(always)]
    pub(crate) fn change(&self) -> Option<Change> {
        match self.load().addr() & BUSY {
            0 => None,
            LEAVING => Some(Change::Leaving),
            _ => Some(Change::Above),
        }
    }

    /// Makes `frame` the top, as the last store of a change.
    #[inline(always)]
    pub(crate) fn set(&self, frame: &'static Frame) {
        single::in_order();
        self.0.store(core::ptr::from_ref(frame).cast_mut(), Ordering::Release);
    }
}
