//! Segments: the stretches of a thread's open frames that stand on one lane each.
//!
//! The open scopes of a thread are one list of frames, the base record at the bottom. A frame that changes the
//! current lane begins a *segment*: the base, a poll of a task, an entered `Context`, an ambient scope, and the first
//! scope in that, where the thread's own lane goes on. Hand-overs to a lane are charged to the innermost frame of its
//! segment; that of a `Context` belongs to a lane that runs elsewhere, and is charged there.
//!
//! ```text
//! frames    base ── f ── poll ── g ── context ── h        (h is the top)
//! segment   base         poll         context
//! lane      thread's     task's       captured scope's
//! ```
//!
//! A slot holds the lane and the count of blocks out of the top segment; those of the segment below stand in the frame that
//! begins the next one. The charging is left to `share/settle`.

use crate::base::counter::Counter;
use crate::base::single::Alone;
use crate::lanes::kind::Kind;
use crate::lanes::lane::Lane;
use crate::thread::frame::Frame;
use crate::thread::slot::Slot;

/// A stretch of open frames on one lane, which runs on this thread.
#[derive(Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) innermost: &'static Frame,
    pub(crate) lane: &'static Lane,
    /// Blocks of the lane that are out; see [`Slot::outstanding`].
    pub(crate) outstanding: &'static Counter,
}

impl Slot {
    /// Begins a segment at `frame`, the new top.
    pub(crate) fn begin_segment(&'static self, frame: &'static Frame, lane: &'static Lane) {
        self.note_other_lanes();
        self.begin_known_segment(frame, lane);
    }

    /// [`begin_segment`](Self::begin_segment) on a thread that is known to run other lanes.
    #[inline(always)]
    pub(crate) fn begin_known_segment(&'static self, frame: &'static Frame, lane: &'static Lane) {
        let below = self.lane.get();
        self.host.leave_lane(&self.lane);
        frame.segment_below.set(self.segment.get());
        frame.lane_below.set(below);
        frame.outstanding_below.set(self.replace_outstanding(0).cast_unsigned());
        self.segment.set(Some(frame));
        self.lane.set(lane);
    }

    /// Ends the segment that `frame` began, and gives what its lane has out more than before.
    pub(crate) fn end_segment(&'static self, frame: &'static Frame) -> i64 {
        self.host.leave_lane(&self.lane);
        self.segment.set(frame.segment_below.get());
        self.lane.set(frame.lane_below.get());
        self.replace_outstanding(frame.outstanding_below.signed())
    }

    /// Begins a segment at `frame`, the new top, if it stands right on an ambient scope: the thread's own lane goes on.
    pub(crate) fn go_on(&'static self, frame: &'static Frame, below: &'static Frame) {
        if below.kind() == Kind::Ambient {
            self.begin_segment(frame, below.lane_below.get());
        }
    }

    /// Ends what [`go_on`](Self::go_on) began.
    pub(crate) fn end_going_on(&'static self, frame: &'static Frame, below: &'static Frame) {
        let outstanding = self.end_segment(frame);
        below.outstanding_below.add(outstanding.cast_unsigned());
    }

    /// Whether a hand-over waits for any lane that runs on this thread; that of a context does not.
    #[inline]
    pub(crate) fn has_pending(&'static self) -> bool {
        if self.segment.is(&self.base) {
            return self.lane.get().has_pending();
        }
        let mut lane = self.lane.get();
        let mut segment = self.segment.get();
        while let Some(frame) = segment {
            if !frame.hides() && lane.has_pending() {
                return true;
            }
            lane = frame.lane_below.get();
            segment = frame.segment_below.get();
        }
        false
    }

    /// Whether nothing waits for the lanes that run here, as far as two looks tell: of one segment more than the base, that is, or of the thread's own
    /// lane that goes on in an ambient scope. Within a change.
    #[inline(always)]
    pub(crate) fn is_settled(&'static self, alone: Alone) -> bool {
        if self.lane.get().has_pending() {
            return false;
        }
        self.segment.is_own(&self.base, alone)
            || self.segment.get().is_some_and(|top| {
                if top.segment_below.is_own(&self.base, alone) {
                    !top.lane_below.get().has_pending()
                } else {
                    top.segment_below.get().is_some_and(|below| self.goes_on_in(below))
                }
            })
    }

    /// Whether `frame` is an ambient scope and the lane that runs is the thread's own.
    #[cold]
    fn goes_on_in(&'static self, frame: &'static Frame) -> bool {
        frame.kind() == Kind::Ambient && frame.lane_below.is(self.lane.get())
    }

    /// The segments of the lanes that run on this thread, from the top down. While it works for an ambient scope, the
    /// base is not among them: what is handed over to the thread comes off that scope.
    pub(crate) fn segments(&'static self) -> impl Iterator<Item = Segment> {
        let mut begin = self.segment.get();
        let mut next = Segment { innermost: self.top(), lane: self.lane.get(), outstanding: &self.outstanding_offset };
        let mut lane_above: Option<&Lane> = None;
        core::iter::from_fn(move || {
            loop {
                let frame = begin?;
                let here = next;
                let kind = frame.kind();
                begin = frame.segment_below.get().filter(|_| kind != Kind::Ambient);
                next = Segment {
                    innermost: frame.below().unwrap_or(&self.base),
                    lane: frame.lane_below.get(),
                    outstanding: &frame.outstanding_below,
                };
                let own = match kind {
                    Kind::Context => None,
                    Kind::Ambient => Some(Segment { innermost: here.innermost, ..next }),
                    Kind::Base | Kind::Scope | Kind::Poll => Some(here),
                };
                // Where the thread's own lane goes on in an ambient scope, its segment stands above that.
                let is_above = own.is_some_and(|own| lane_above.is_some_and(|above| core::ptr::eq(above, own.lane)));
                lane_above = own.map(|own| own.lane);
                if own.is_some() && !is_above {
                    return own;
                }
            }
        })
    }

    /// The frame of the ambient scope that this thread works for.
    pub(crate) fn ambient_frame(&'static self) -> Option<&'static Frame> {
        self.top().below()?;
        self.base.above().filter(|frame| frame.kind() == Kind::Ambient)
    }
}
