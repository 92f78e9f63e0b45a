//! The stack of open scopes of a thread: how a frame gets on top and off it, and which segment it stands in.
//!
//! Only what every frame has in common; what else entering or leaving one does is left to `scope` and `share`.
//!
//! # Recursion
//!
//! A site is counted once in `memory_total`, however often it stands in the chain that a scope folds into, so a frame notes when it is
//! entered whether another activation of its node ([`NODE_OPEN`]), or of its site ([`SITE_OPEN`]), is open there. The outermost frame of a
//! site is in the site's row, which answers for nearly all frames by one load. Under a context the chain goes on in the captured
//! scope, on whichever thread that is: then the outermost frame is looked for down to the context, and what is open around the
//! captured scope is asked of it ([`Shared::has_open`](crate::lanes::captured::Shared)). The site's row is set back when the frame is left.
//!
//! It need not be asked where the captured scope's path names all that is open there, and the frame's path leads on from that one: a
//! site that leads further down is in neither, as one that a path has leads back. A frame of which this is not true, or not known, has [`OPEN_OFF_PATH`], and so
//! have those above it. A path that leads further down has a greater number than the one it is entered at, and one that leads back has not.

use crate::lanes::kind::{AGAIN, Kind, NODE_OPEN, OPEN_OFF_PATH, SITE_OPEN, UNDER_CONTEXT};
use crate::lanes::tag::Tag;
use crate::names::path::PathId;
use crate::thread::changes::FrameHandle;
use crate::thread::frame::{CallRow, Frame, SiteRow};
use crate::thread::path_entry::PathEntry;
use crate::thread::slot::Slot;

impl Slot {
    /// The frame of an activation that is still open here. Looked for among those opened no earlier: the numbers of a slot's changes only grow.
    pub(crate) fn frame_of(&'static self, opened: FrameHandle) -> Option<&'static Frame> {
        core::iter::successors(Some(self.top()), |frame| frame.below())
            .take_while(|frame| frame.serial() >= opened.serial())
            .find(|frame| frame.is_of(opened))
    }

    /// Enters a plain scope on `top`, of which it says that it is being changed.
    pub(crate) fn enter_scope(&'static self, top: &'static Frame, path_entry: &PathEntry) -> Option<FrameHandle> {
        let frame = top.grow()?;
        let flags = if top.has(UNDER_CONTEXT) {
            let known = self.known_flags_under_context(top, path_entry.path, path_entry.site_row.outer.get());
            known.unwrap_or_else(|| self.flags_for(top, path_entry))
        } else {
            self.flags_for(top, path_entry)
        };
        let flags = flags | flags_around(self, path_entry);
        Some(self.push_on(top, frame, flags, path_entry))
    }

    /// Puts `frame` on `top`, which may be an ambient scope, as an activation, and counts the call. The top says that it is being changed, until now.
    #[inline(always)]
    pub(crate) fn push_on(
        &'static self,
        top: &'static Frame,
        frame: &'static Frame,
        flags: u64,
        path_entry: &PathEntry,
    ) -> FrameHandle {
        let tag = top.tag_above(path_entry.path);
        let opened = self.changes.begin_opening();
        path_entry.calls.calls.add(1);
        self.go_on(frame, top);
        self.open(frame, opened, tag, flags, path_entry.calls, path_entry.site_row);
        opened
    }

    /// The flags of a scope entered on `top`: what it inherits, and whether it is inside another one of its kind.
    pub(crate) fn flags_for(&'static self, top: &'static Frame, path_entry: &PathEntry) -> u64 {
        let inherited = top.flags.get() & (UNDER_CONTEXT | OPEN_OFF_PATH);
        let context = if inherited == 0 { None } else { self.innermost_context() };
        let lowest = context.map_or(0, |context| context.depth() + 1);
        let outer = path_entry.site_row.outer.get().filter(|outer| outer.depth() >= lowest);
        let is_of_node = |frame: &Frame| frame.path() == path_entry.path;
        let (node_open, site_open) = match (outer, context.and_then(Frame::shared)) {
            // The outermost activation of a site mostly is of the same node as those inside it.
            (Some(outer), _) => (outer.path() == path_entry.path || is_any_above(top, outer.depth(), is_of_node), true),
            // No frame here is the outermost of the site then.
            (None, Some(shared)) if shared.has_open(path_entry.site) => {
                (shared.has_open_node(path_entry.path) || is_any_above(top, lowest, is_of_node), true)
            }
            (None, _) => (false, false),
        };
        let leads_on = context.is_none_or(|context| path_entry.path.leads_through(&[context.path()]));
        let off_path = if leads_on { 0 } else { OPEN_OFF_PATH };
        inherited | off_path | if node_open { NODE_OPEN } else { 0 } | if site_open { SITE_OPEN } else { 0 }
    }

    /// [`flags_for`](Self::flags_for) of a scope under a context whose site leads from `top` to `path`, where they can be told without asking the
    /// captured scope: `outer` is what the site's row has as its outermost frame. `None`: they cannot.
    #[inline(always)]
    pub(crate) fn known_flags_under_context(
        &'static self,
        top: &'static Frame,
        path: PathId,
        outer: Option<&'static Frame>,
    ) -> Option<u64> {
        if top.has(OPEN_OFF_PATH) {
            return None;
        }
        // Mostly there is none at all; one below the context is not seen.
        match outer.filter(|outer| self.innermost_context().is_some_and(|context| outer.depth() > context.depth())) {
            // Of another path of the site's, it is to be looked for whether one of this is open too.
            Some(outer) => (outer.path() == path).then_some(UNDER_CONTEXT | AGAIN),
            // What `top` leads through has smaller numbers than that.
            None => (path.index() > top.path().index()).then_some(UNDER_CONTEXT),
        }
    }

    /// The innermost frame that hides what is below it: where a segment begins.
    fn innermost_context(&self) -> Option<&'static Frame> {
        core::iter::successors(self.segment.get(), |frame| frame.segment_below.get()).find(|frame| frame.hides())
    }

    /// Puts `frame` on top as an activation, and counts the call. The top says that it is being changed, until now.
    #[inline(always)]
    pub(crate) fn push(
        &'static self,
        frame: &'static Frame,
        tag: Tag,
        flags: u64,
        calls: &'static CallRow,
        site_row: &'static SiteRow,
    ) -> FrameHandle {
        let opened = self.changes.begin_opening();
        calls.calls.add(1);
        self.open(frame, opened, tag, flags, calls, site_row);
        opened
    }

    /// [`push`](Self::push) without the count.
    #[inline(always)]
    pub(crate) fn open(
        &'static self,
        frame: &'static Frame,
        opened: FrameHandle,
        tag: Tag,
        flags: u64,
        calls: &'static CallRow,
        site_row: &'static SiteRow,
    ) {
        frame.open(opened, tag, flags, calls);
        if flags & SITE_OPEN == 0 {
            if flags & UNDER_CONTEXT != 0 {
                frame.outer_before.set(site_row.outer.get());
            }
            site_row.outer.set(Some(frame));
        }
        self.top.set(frame);
    }

    /// Takes `frame` off the top.
    pub(crate) fn close(&'static self, frame: &'static Frame, below: &'static Frame) {
        let under_context = frame.has(UNDER_CONTEXT);
        let site_row = frame.calls.get().site.get();
        if site_row.outer.is(frame) {
            site_row.outer.set(if under_context { frame.outer_before.get() } else { None });
        }
        frame.end_serial();
        self.top.set(below);
    }
}

/// The flags that a scope entered in a slot aside has from the frames that its base stands for.
pub(crate) fn flags_around(slot: &'static Slot, path_entry: &PathEntry) -> u64 {
    let mut flags = 0;
    for frame in core::iter::successors(slot.stands_for.get(), |frame| frame.below()) {
        let (node_open, site_open) = match (frame.kind(), frame.shared()) {
            (Kind::Base, _) => break,
            (Kind::Context, Some(shared)) => (shared.has_open_node(path_entry.path), shared.has_open(path_entry.site)),
            _ => (frame.path() == path_entry.path, frame.path().site() == path_entry.site),
        };
        flags |= if node_open { NODE_OPEN } else { 0 } | if site_open { SITE_OPEN } else { 0 };
        if frame.kind() == Kind::Context {
            break;
        }
    }
    flags
}

/// Whether this is true of any frame from `top` down to this depth.
fn is_any_above(top: &'static Frame, lowest: u64, is: impl Fn(&Frame) -> bool) -> bool {
    let open = core::iter::successors(Some(top), |frame| frame.below());
    open.take_while(|frame| frame.depth() >= lowest).any(is)
}
