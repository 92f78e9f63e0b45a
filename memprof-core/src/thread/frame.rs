//! Frames: the open scopes of a thread, as a list that only its thread changes.
//!
//! The list grows in chunks and never shrinks, so entering a scope at a depth that was reached before takes no memory; 10,000 scopes inside each
//! other are 10,000 frames, and no recursion anywhere. What is open in a frame is known by its `serial`: a guard that comes late finds none that has it, and a
//! reader that copied the frame sees that another scope stands there by now.
//!
//! What a frame recorded is not here but in the ledgers' entries. What is counted of calls is in [`CallRow`], one a path; which
//! scope of a site is the outermost, so that recursion is counted once, in [`SiteRow`].

use std::sync::Arc;

use crate::base::counter::Counter;
use crate::base::lock::Lock;
use crate::base::memory::{AtomicOptionRef, AtomicRef, Blank, leak_blank};
use crate::base::state;
use crate::lanes::activation::{Activation, NO_ACTIVATION};
use crate::lanes::captured::Shared;
use crate::lanes::kind::{Kind, SHARES, hides};
use crate::lanes::lane::{Lane, NO_LANE};
use crate::lanes::published::Published;
use crate::lanes::tag::Tag;
use crate::names::path::PathId;
use crate::names::site::Site;
use crate::space::spaces::Space;
use crate::thread::changes::FrameHandle;
use crate::thread::row::Row;
use crate::thread::way::Way;

/// What the hot paths read of the top frame. A head with nothing in it sends each of them to its slow path.
#[repr(C)]
pub(crate) struct Head {
    /// The frame above, made when first needed; then fixed.
    next: AtomicOptionRef<Frame>,
    /// The tag once the frame has its entry in the ledger of the host, and [`Tag::NONE`] until then.
    host_tag: Counter,
    /// That of the [`FrameHandle`] of what is open here, or was at last; 0 where nothing was, or what was ended otherwise than by a short path.
    serial: Counter,
}

impl Head {
    #[expect(clippy::declare_interior_mutable_const, reason = "each use is a new value")]
    const NOTHING: Self =
        Self { next: AtomicOptionRef::null(), host_tag: Counter::new(Tag::NONE.0), serial: Counter::new(0) };

    /// The frame above, if there ever was one: also one that is not open.
    #[inline(always)]
    pub(crate) fn above(&self) -> Option<&'static Frame> {
        self.next.get()
    }

    /// The tag of a host block of this frame, if an event here needs no entry made first; otherwise [`Tag::NONE`].
    #[inline(always)]
    pub(crate) fn host_tag(&self) -> Tag {
        Tag(self.host_tag.get())
    }

    /// Whether this is of the activation that the handle names.
    #[inline(always)]
    pub(crate) fn is_of(&self, opened: FrameHandle) -> bool {
        self.serial.get() == opened.serial()
    }
}

/// One open scope. A frame that is not open keeps its place in the list for the next scope of that depth.
#[repr(C, align(64))]
pub(crate) struct Frame {
    head: Head,
    /// Always [`Head::NOTHING`]: where [`Top`](crate::thread::top::Top) leads while the top is being changed.
    _of_changes: [Head; 2],
    /// The frame below; fixed. For the base, one that never is below.
    prev: AtomicRef<Frame>,
    pub(crate) tag: Counter,
    pub(crate) flags: Counter,
    pub(crate) calls: AtomicRef<CallRow>,
    /// Frames under a `Context` or an ambient scope only: the frame that was the outermost of its site before this one; it is not seen from under the context.
    pub(crate) outer_before: AtomicOptionRef<Frame>,
    depth: Counter,
    /// Frames that begin a segment, where the lane changes, only: what the segment below had out.
    pub(crate) outstanding_below: Counter,
    pub(crate) segment_below: AtomicOptionRef<Frame>,
    pub(crate) lane_below: AtomicRef<Lane>,
    /// The innermost frame further down that shares, while this one does.
    pub(crate) sharing_below: AtomicOptionRef<Frame>,
    /// What was added to `shared` for this frame's own thread, on the host.
    pub(crate) published: Published<Counter>,
    /// Additions to `shared` that were forwarded to the scopes below.
    pub(crate) additions: Counter,
    shared: Lock<Option<Arc<Shared>>>,
    /// The future that a poll belongs to; of another frame, any.
    pub(crate) future: AtomicRef<Activation>,
}

impl Blank for Frame {
    const BLANK: Self = Self::of(0);
}

impl Frame {
    /// The base record of a thread.
    pub(crate) const fn base() -> Self {
        Self::of(Kind::Base.flags(0))
    }

    /// Bytes from the beginning to the end of what entering and leaving a plain scope touches.
    #[cfg(test)]
    pub(super) const HOT: usize = core::mem::offset_of!(Self, calls) + size_of::<AtomicRef<CallRow>>();

    const fn of(flags: u64) -> Self {
        Self {
            head: Head::NOTHING,
            _of_changes: [Head::NOTHING; 2],
            prev: AtomicRef::new(&NO_FRAME),
            tag: Counter::new(0),
            flags: Counter::new(flags),
            calls: AtomicRef::new(&NO_CALLS),
            outer_before: AtomicOptionRef::null(),
            depth: Counter::new(0),
            outstanding_below: Counter::new(0),
            segment_below: AtomicOptionRef::null(),
            lane_below: AtomicRef::new(&NO_LANE),
            sharing_below: AtomicOptionRef::null(),
            published: Published::new(),
            additions: Counter::new(0),
            shared: Lock::new(None),
            future: AtomicRef::new(&NO_ACTIVATION),
        }
    }
}

/// Frames that are made at once when the list is at its end.
const CHUNK: usize = 32;

impl Frame {
    /// The frame above, if there ever was one: also one that is not open.
    #[inline(always)]
    pub(crate) fn above(&self) -> Option<&'static Self> {
        self.head.above()
    }

    /// The frame below; `None` for the base.
    #[inline(always)]
    pub(crate) fn below(&self) -> Option<&'static Self> {
        Some(self.below_scope()).filter(|below| !core::ptr::eq(*below, &raw const NO_FRAME))
    }

    /// The frame below one that is not the base.
    #[inline(always)]
    pub(crate) fn below_scope(&self) -> &'static Self {
        self.prev.get()
    }

    /// The frame above, made now if there is none.
    #[cold]
    pub(crate) fn grow(&'static self) -> Option<&'static Self> {
        if let Some(above) = self.above() {
            return Some(above);
        }
        let chunk: &'static [Self; CHUNK] = leak_blank()?;
        let mut below = self;
        for frame in chunk {
            frame.prev.set(below);
            frame.depth.set(below.depth.get() + 1);
            below.head.next.set(Some(frame));
            below = frame;
        }
        self.above()
    }

    /// That of what is open here, of a frame that is.
    #[inline(always)]
    pub(crate) fn serial(&self) -> u64 {
        self.head.serial.get()
    }

    /// What names the activation that is open here, of a frame that is.
    pub(crate) fn handle(&self) -> Option<FrameHandle> {
        FrameHandle::of(self.serial())
    }

    /// Nothing is open here any longer.
    #[inline(always)]
    pub(crate) fn end_serial(&self) {
        self.head.serial.set(0);
    }

    /// Whether this is of the activation that the handle names.
    #[inline(always)]
    pub(crate) fn is_of(&self, opened: FrameHandle) -> bool {
        self.head.is_of(opened)
    }

    /// Path of the scope and the lane that it stands on: what its blocks get.
    #[inline(always)]
    pub(crate) fn tag(&self) -> Tag {
        Tag(self.tag.get())
    }

    /// The path of the scope.
    #[inline(always)]
    pub(crate) fn path(&self) -> PathId {
        self.tag().path()
    }

    /// 0 for the base.
    pub(crate) fn depth(&self) -> u64 {
        self.depth.get()
    }

    /// Whether any of these flags ([`kind`](crate::lanes::kind)), or spaces, is set.
    pub(crate) fn has(&self, flag: u64) -> bool {
        self.flags.get() & flag != 0
    }

    /// Sets a flag; only the frame's own thread does.
    pub(crate) fn set_flag(&self, flag: u64) {
        self.flags.set(self.flags.get() | flag);
    }

    /// Notes that the frame, whose tag this is, has its entry in the ledger of the host.
    #[inline(always)]
    pub(crate) fn set_touched_on_host(&self, tag: Tag) {
        self.set_flag(Space::HOST.bit());
        self.head.host_tag.set(tag.0);
    }

    /// Notes that the frame has its entry in the ledger of a space.
    #[inline(always)]
    pub(crate) fn set_touched(&self, space: u64) {
        self.set_flag(space);
        if space == Space::HOST.bit() {
            self.head.host_tag.set(self.tag.get());
        }
    }

    /// Opens the frame, which has seen nothing yet.
    #[inline(always)]
    pub(crate) fn open(&self, opened: FrameHandle, tag: Tag, flags: u64, calls: &'static CallRow) {
        self.head.serial.set(opened.serial());
        self.tag.set(tag.0);
        self.head.host_tag.set(Tag::NONE.0);
        self.flags.set(flags);
        self.calls.set(calls);
    }

    /// Clears a flag.
    pub(crate) fn clear_flag(&self, flag: u64) {
        self.flags.set(self.flags.get() & !flag);
    }

    /// What the frame stands for.
    pub(crate) fn kind(&self) -> Kind {
        Kind::of(self.flags.get())
    }

    /// The tag of a frame that is entered on this one, at `path`; see [`Slot::go_on`](crate::thread::slot::Slot::go_on).
    pub(crate) fn tag_above(&self, path: PathId) -> Tag {
        if self.kind() == Kind::Ambient { Tag::new(self.lane_below.get(), path) } else { self.tag().with_path(path) }
    }

    /// Whether what is open further down does not see what happens above.
    pub(crate) fn hides(&self) -> bool {
        hides(self.flags.get())
    }

    /// What is shared of this frame; a lock that only readers of other threads contend for, and none where nothing is.
    pub(crate) fn shared(&self) -> Option<Arc<Shared>> {
        if !self.has(SHARES) {
            return None;
        }
        self.shared.lock().clone()
    }

    /// Sets or takes away what is shared, and gives what was before: not under the lock, as to give that up may call the program's
    /// allocator.
    pub(crate) fn set_shared(&self, shared: Option<Arc<Shared>>) -> Option<Arc<Shared>> {
        core::mem::replace(&mut *self.shared.lock(), shared)
    }
}

/// The activations of one path on one thread: a cache line of its own.
#[repr(C, align(64))]
pub(crate) struct CallRow {
    /// Activations entered here, and those left here. A future may be left on another thread than it was entered.
    pub(crate) calls: Counter,
    pub(crate) ended: Counter,
    /// The row of the path's site.
    pub(crate) site: AtomicRef<SiteRow>,
    /// The last epoch in which a scope of this path was left here.
    pub(crate) left_epoch: Counter,
    /// What the thread recorded for the path on the host, once it did: here, so that the first event of a scope need not look it up.
    row: AtomicOptionRef<Row>,
    /// By which the path is found from its parent, once the thread was there.
    pub(super) way: Way,
}

impl Blank for CallRow {
    const BLANK: Self = Self {
        calls: Counter::new(0),
        ended: Counter::new(0),
        site: AtomicRef::new(&NO_SITE),
        left_epoch: Counter::new(0),
        row: AtomicOptionRef::null(),
        way: Way::BLANK,
    };
}

/// The activations of one site on one thread, whatever the path.
pub(crate) struct SiteRow {
    /// The outermost open frame of this site that no `Context` above it hides.
    pub(crate) outer: AtomicOptionRef<Frame>,
}

impl Blank for SiteRow {
    const BLANK: Self = Self { outer: AtomicOptionRef::null() };
}

impl CallRow {
    /// Notes, once an epoch, when a scope of this path was first left.
    #[cold]
    pub(crate) fn note_left(&self, path: PathId) {
        let epoch = state::epoch();
        if self.left_epoch.get() != u64::from(epoch) {
            self.left_epoch.set(u64::from(epoch));
            if let Some(site) = Site::of_id(path.site()) {
                site.left(epoch);
            }
        }
    }

    /// The row of the path on the host, if it is known here.
    #[inline(always)]
    pub(crate) fn row(&self) -> Option<&'static Row> {
        self.row.get()
    }

    /// Notes the row of the path on the host; not in what frames share that are no scopes.
    pub(super) fn note_row(&self, row: Option<&'static Row>) {
        if !core::ptr::eq(self, &raw const NO_CALLS) {
            self.row.set(row);
        }
    }

    /// The future whose path this is was dropped.
    pub(crate) fn end_future(&self, path: PathId) {
        self.ended.add(1);
        self.note_left(path);
    }
}

/// What a blank entry of the cache leads to.
static NO_SITE: SiteRow = SiteRow::BLANK;
pub(crate) static NO_CALLS: CallRow = CallRow::BLANK;
/// What a slot that no thread has taken yet leads to.
pub(crate) static NO_FRAME: Frame = Frame::base();
