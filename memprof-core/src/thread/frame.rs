//! Frames: the open scopes of a thread, as a list that only its thread changes.

use std::sync::Arc;

use crate::base::counter::Counter;
use crate::base::lock::Lock;
use crate::base::memory::{Blank, Known, StaticRef, leak};
use crate::lanes::captured::Shared;
use crate::lanes::lane::Lane;
use crate::names::path::PathId;
use crate::space::spaces::Space;
use crate::thread::slot::{CallRow, NO_CALLS, NO_FRAME};

/// Bits of a tag that hold the path; the lane's index stands above them.
const PATH_BITS: u32 = 20;
const PATH_MASK: u64 = (1 << PATH_BITS) - 1;
const _: () = assert!(PATH_MASK + 1 == crate::names::path::MOST_PATHS as u64);

/// What is written in front of a block: the path that owns it and the lane that is its home. 0 is an unknown block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(pub(crate) u64);

impl Tag {
    pub(crate) const UNKNOWN: Self = Self(0);
    /// The tag of no block, and of no lane: all ones, so that it stays what it is whatever is added by bits.
    pub(crate) const NONE: Self = Self(u64::MAX);

    pub(crate) fn new(lane: &Lane, path: PathId) -> Self {
        Self(u64::from(lane.index()) << PATH_BITS | u64::from(path.bits()))
    }

    /// Whether this is [`NONE`](Self::NONE): by the uppermost bit, which no other has.
    #[inline(always)]
    pub(crate) fn is_none(self) -> bool {
        self.0.cast_signed() < 0
    }

    #[inline(always)]
    pub(crate) fn path(self) -> PathId {
        PathId::from_bits((self.0 & PATH_MASK) as u32)
    }

    #[inline(always)]
    pub(crate) fn with_path(self, path: PathId) -> Self {
        Self(self.0 & !PATH_MASK | u64::from(path.bits()))
    }

    /// Whether both blocks have the same home.
    #[inline(always)]
    pub(crate) fn same_lane(self, other: Self) -> bool {
        (self.0 ^ other.0) >> PATH_BITS == 0
    }

    /// Whether the block's home is this very lane.
    #[inline(always)]
    pub(crate) fn is_of(self, lane: &Lane) -> bool {
        self.0 >> PATH_BITS == u64::from(lane.index())
    }

    pub(crate) fn lane(self) -> Option<&'static Lane> {
        Lane::of_index((self.0 >> PATH_BITS) as u32)
    }
}

/// What a frame stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The base record of the thread: never popped.
    Base,
    /// A scope that a guard leaves.
    Scope,
    /// A poll of a tracked future.
    Poll,
    /// An entered `Context`, or an ambient scope.
    Context,
}

impl Kind {
    /// What stands in the marks of a frame.
    pub(crate) fn of(marks: u64) -> Self {
        match marks >> KIND_SHIFT & 3 {
            0 => Self::Scope,
            1 => Self::Poll,
            2 => Self::Context,
            _ => Self::Base,
        }
    }
}

/// The part of `Frame::marks` that is the set of spaces that the frame has an entry for.
pub(crate) const SPACES: u64 = (1 << 40) - 1;
const _: () = assert!(crate::space::spaces::MOST_SPACES <= 40);
/// Another activation of the same node is open further down.
pub(crate) const NODE_OPEN: u64 = 1 << 40;
/// Another activation of the same site is open in the chain that this one folds into.
pub(crate) const SITE_OPEN: u64 = 1 << 41;
/// Somewhere below is a frame of [`Kind::Context`].
pub(crate) const UNDER_CONTEXT: u64 = 1 << 42;
/// `shared` is set: the frame was captured as a `Context`, or is one.
pub(crate) const SHARES: u64 = 1 << 43;
const KIND_SHIFT: u32 = 44;
const BASE: u64 = 3;
/// The marks of a poll that has seen nothing, outside any `Context` and any other activation of its site.
pub(crate) const POLL: u64 = 1 << KIND_SHIFT;

/// One open scope. A frame that is not open keeps its place in the list for the next scope of that depth.
pub(crate) struct Frame {
    /// The frame above, made when first needed; then fixed.
    next: StaticRef<Frame>,
    /// The frame below; fixed. For the base, one that never is below.
    prev: Known<Frame>,
    /// Unlike that of any other activation of this slot; 0 while nothing is open here.
    pub(crate) serial: Counter,
    pub(crate) tag: Counter,
    /// The tag once the frame has its entry in the ledger of the host, and [`Tag::NONE`] until then.
    host_tag: Counter,
    pub(crate) marks: Counter,
    pub(crate) calls: Known<CallRow>,
    /// Frames under a `Context` only: the outermost frame of the site before, hidden by the context. The frame of an
    /// ambient scope's context, which no guard leaves, has the base here.
    pub(crate) hidden: StaticRef<Frame>,
    depth: Counter,
    /// Frames that begin a segment, where the lane changes, only: what the segment below had out.
    pub(crate) outstanding_below: Counter,
    pub(crate) segment_below: StaticRef<Frame>,
    pub(crate) lane_below: StaticRef<Lane>,
    /// The innermost frame further down that shares, while this one does.
    pub(crate) sharing_below: StaticRef<Frame>,
    /// What was added to `shared` for this frame's own thread.
    pub(crate) published: Published,
    /// Additions to `shared` that the scopes below were told of.
    pub(crate) additions: Counter,
    shared: Lock<Option<Arc<Shared>>>,
    /// The future that a poll belongs to: its counters stand in the lane that it took at its first poll.
    pub(crate) future: StaticRef<Lane>,
}

/// How much of a frame's own level its [`Shared`] knows of, for `host`.
pub(crate) struct Published {
    pub(crate) bytes: Counter,
    pub(crate) blocks: Counter,
    pub(crate) most_bytes: Counter,
    pub(crate) most_blocks: Counter,
}

impl Published {
    pub(crate) fn clear(&self) {
        for number in [&self.bytes, &self.blocks, &self.most_bytes, &self.most_blocks] {
            number.set(0);
        }
    }
}

impl Blank for Frame {
    const BLANK: Self = Self::of(0);
}

impl Frame {
    /// The base record of a thread.
    pub(crate) const fn base() -> Self {
        Self::of(BASE << KIND_SHIFT)
    }

    const fn of(marks: u64) -> Self {
        Self {
            next: StaticRef::null(),
            prev: Known::new(&NO_FRAME),
            serial: Counter::new(0),
            tag: Counter::new(0),
            host_tag: Counter::new(Tag::NONE.0),
            marks: Counter::new(marks),
            calls: Known::new(&NO_CALLS),
            hidden: StaticRef::null(),
            depth: Counter::new(0),
            outstanding_below: Counter::new(0),
            segment_below: StaticRef::null(),
            lane_below: StaticRef::null(),
            sharing_below: StaticRef::null(),
            published: Published {
                bytes: Counter::new(0),
                blocks: Counter::new(0),
                most_bytes: Counter::new(0),
                most_blocks: Counter::new(0),
            },
            additions: Counter::new(0),
            shared: Lock::new(None),
            future: StaticRef::null(),
        }
    }
}

/// Frames that are made at once when the list is at its end.
const CHUNK: usize = 32;

impl Frame {
    #[inline(always)]
    pub(crate) fn above(&self) -> Option<&'static Self> {
        self.next.get()
    }

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
        let chunk: &'static [Self; CHUNK] = leak([const { Self::BLANK }; CHUNK])?;
        let mut below = self;
        for frame in chunk {
            frame.prev.set(below);
            frame.depth.set(below.depth.get() + 1);
            below.next.set(Some(frame));
            below = frame;
        }
        self.above()
    }

    #[inline(always)]
    pub(crate) fn tag(&self) -> Tag {
        Tag(self.tag.get())
    }

    /// The tag of a host block of this frame, if an event here needs no entry made first; otherwise [`Tag::NONE`].
    #[inline(always)]
    pub(crate) fn host_tag(&self) -> Tag {
        Tag(self.host_tag.get())
    }

    #[inline(always)]
    pub(crate) fn path(&self) -> PathId {
        self.tag().path()
    }

    /// 0 for the base.
    pub(crate) fn depth(&self) -> u64 {
        self.depth.get()
    }

    pub(crate) fn has(&self, mark: u64) -> bool {
        self.marks.get() & mark != 0
    }

    pub(crate) fn mark(&self, mark: u64) {
        self.marks.set(self.marks.get() | mark);
    }

    /// Notes that the frame has its entry in the ledger of a space.
    #[inline(always)]
    pub(crate) fn mark_touched(&self, space: u64) {
        self.mark(space);
        if space == Space::HOST.bit() {
            self.host_tag.set(self.tag.get());
        }
    }

    /// Opens the frame, which has seen nothing yet.
    #[inline(always)]
    pub(crate) fn open(&self, serial: u64, tag: Tag, marks: u64, calls: &'static CallRow) {
        self.serial.set(serial);
        self.tag.set(tag.0);
        self.host_tag.set(Tag::NONE.0);
        self.marks.set(marks);
        self.calls.set(calls);
    }

    pub(crate) fn unmark(&self, mark: u64) {
        self.marks.set(self.marks.get() & !mark);
    }

    pub(crate) fn kind(&self) -> Kind {
        Kind::of(self.marks.get())
    }

    /// The marks of a frame that is entered as `kind`, with these marks of its own.
    pub(crate) fn marks_of(kind: Kind, marks: u64) -> u64 {
        let number: u64 = match kind {
            Kind::Scope => 0,
            Kind::Poll => 1,
            Kind::Context => 2,
            Kind::Base => BASE,
        };
        marks | number << KIND_SHIFT
    }

    pub(crate) fn shared(&self) -> Option<Arc<Shared>> {
        if !self.has(SHARES) {
            return None;
        }
        self.shared.lock().clone()
    }

    pub(crate) fn set_shared(&self, shared: Option<Arc<Shared>>) {
        let before = core::mem::replace(&mut *self.shared.lock(), shared);
        drop(before);
    }
}
