//! When a thread has to look at its part in the host's mark: between which levels of its ledger there is nothing to do.
//!
//! | what may be due | is looked at when |
//! |---|---|
//! | the thread's own peak rises | the level is above any before |
//! | the net is published | it is a [`STEP`] away from what was published |
//! | a picture is due | the net is published, or a step of the peak would be |
//! | a scope that shares is told what the thread holds | that is a [`STEP`](waiting::STEP) away from what it was told; at every event where [more may have to be told](Slot::shared_limits) |
//!
//! The ledger compares its level with these limits at each event anyway, so watching costs an event nothing. They are levels of the ledger, so
//! they are found anew ([`watch`](Slot::watch)) whenever what they are reckoned from changes without an event: the net less the level, what was published, which frames share,
//! and the level at which such a frame was entered.
//!
//! What the net is, and what was published of it, is in [`net`](super::net). An example in KiB, with a step of 64: a thread published 100 and
//! held 130 at most. The ledger then has more to do above 130, where the thread's own peak rises; above 163 that peak is a step away
//! from what was published, so the net is published; and below 37 it is published as well, that the process's level falls.

use core::hint::cold_path;

use crate::base::state;
use crate::base::tally::Tally;
use crate::lanes::kind::Kind;
use crate::lanes::waiting;
use crate::space::level;
use crate::space::spaces::Space;
use crate::thread::ledger::Watch;
use crate::thread::net::STEP;
use crate::thread::picture;
use crate::thread::slot::Slot;

impl Slot {
    /// Bytes and blocks of the net.
    fn net(&self) -> (i64, i64) {
        let (bytes, blocks) = (self.net.offset_bytes.signed(), self.net.offset_blocks.signed());
        (self.host.level_bytes() + bytes, self.host.level_blocks() + blocks)
    }

    /// The most that this thread's net came to in this epoch, bytes and blocks.
    pub(crate) fn most_net(&self) -> (i64, i64) {
        let (bytes, blocks) = self.net();
        if self.net.epoch.get() == u64::from(state::epoch()) {
            // While its lane grows, what it came to is what it has.
            (self.net.most_bytes.signed().max(bytes), self.net.most_blocks.signed().max(blocks))
        } else {
            (bytes, blocks)
        }
    }

    /// The most that the net comes to where the ledger of a space takes in `tally` of this thread.
    pub(crate) fn most_net_with(&self, space: Space, tally: &Tally) -> (i64, i64) {
        if space != Space::HOST {
            return (i64::MIN, i64::MIN);
        }
        let (bytes, blocks) = self.net();
        (bytes + tally.counters.peak_bytes, blocks + tally.counters.peak_blocks)
    }

    /// The net came to this.
    pub(crate) fn raise_net(&self, (bytes, blocks): (i64, i64)) {
        let net = &self.net;
        net.most_bytes.set(net.most_bytes.signed().max(bytes).cast_unsigned());
        net.most_blocks.set(net.most_blocks.signed().max(blocks).cast_unsigned());
    }

    /// Goes on with what the slot aside had of the net beyond its ledger, and with what it published.
    pub(crate) fn take_net_of(&'static self, aside: &'static Self) {
        self.net.take_from(&aside.net);
        self.watch();
    }

    /// Runs what changes a ledger without an event of this thread: its net on the host is what it was, and so is what
    /// its lane has out.
    pub(crate) fn keep_net<R>(&'static self, space: Space, change: impl FnOnce() -> R) -> R {
        if space != Space::HOST {
            return change();
        }
        let _change = self.begin_change();
        let (bytes, blocks) = self.net();
        let outstanding = self.outstanding();
        let result = change();
        self.set_outstanding(outstanding);
        self.net.offset_bytes.set((bytes - self.host.level_bytes()).cast_unsigned());
        self.net.offset_blocks.set((blocks - self.host.level_blocks()).cast_unsigned());
        self.watch();
        result
    }

    /// The thread freed a block that its ledger does not hold.
    pub(crate) fn free_foreign(&'static self, bytes: u64) {
        let _change = self.begin_change();
        self.net.offset_bytes.sub(bytes);
        self.net.offset_blocks.sub(1);
        self.watch();
    }

    /// Begins the present epoch, if that has not happened: the thread has had no event in it yet.
    pub(crate) fn renew_net(&'static self) {
        let epoch = u64::from(state::epoch());
        if self.net.epoch.get() != epoch {
            let _change = self.begin_change();
            let (bytes, blocks) = self.net();
            self.net.epoch.set(epoch);
            self.net.most_bytes.set(bytes.cast_unsigned());
            self.net.most_blocks.set(blocks.cast_unsigned());
            self.watch();
        }
    }

    /// Tells the ledger which levels are to be looked at.
    pub(crate) fn watch(&'static self) {
        let _change = self.begin_change();
        let net = &self.net;
        let (bytes, blocks) = (net.offset_bytes.signed(), net.offset_blocks.signed());
        let published = net.published_bytes.signed();
        let (shared_low, shared_high) = self.shared_limits();
        net.shared_low.set(shared_low.cast_unsigned());
        net.shared_high.set(shared_high.cast_unsigned());
        let high = (published + STEP - 1).min(net.most_bytes.signed()) - bytes;
        let low = published - STEP + 1 - bytes;
        let blocks = net.most_blocks.signed() - blocks;
        self.sequence.begin_write();
        self.host.watch(Watch { high: high.min(shared_high), low: low.max(shared_low), blocks });
        self.sequence.end_write();
    }

    /// Levels of the ledger below and above which a scope that shares is a step away from what it was told.
    ///
    /// None that is not: where one is a step away already, which the next event publishes; and where a future is polled that was captured, as
    /// what is added under its context is forwarded at the next event, whatever that is.
    fn shared_limits(&'static self) -> (i64, i64) {
        const NONE: (i64, i64) = (i64::MAX, i64::MIN);
        const STEP: i64 = waiting::STEP.cast_signed();
        let sharing = core::iter::successors(self.sharing.get(), |frame| frame.sharing_below.get());
        let level = self.host.level_bytes();
        let (mut low, mut high) = (i64::MIN, i64::MAX);
        let mut is_seen = true;
        for (frame, [held, _]) in self.host.held_by(sharing) {
            let [told, _] = frame.published.get().now;
            let more = held - told;
            if more.abs() >= STEP || is_seen && frame.kind() == Kind::Poll {
                return NONE;
            }
            // What is below a context does not see what happens here.
            if is_seen {
                (low, high) = (low.max(level - more - STEP + 1), high.min(level - more + STEP - 1));
            }
            is_seen &= !frame.hides();
        }
        (low, high)
    }

    /// Whether what is watched for captured scopes is what [`shared_limits`](Self::shared_limits) gives now.
    #[cfg(test)]
    pub(crate) fn watches_what_is_shared(&'static self) -> bool {
        (self.net.shared_low.signed(), self.net.shared_high.signed()) == self.shared_limits()
    }

    /// All that is to be done at the allocations of a thread that grows, most times: its flags are raised. `false`: more
    /// may be due, and nothing was done.
    #[inline(always)]
    pub(crate) fn raise_fast(&'static self) -> bool {
        self.end_growing();
        self.top.begin_change();
        let raised =
            if self.sharing.get().is_none() { self.raise_within(i64::MIN, i64::MAX) } else { self.raise_sharing() };
        self.top.end_change();
        raised
    }

    /// [`raise_within`](Self::raise_within) what captured scopes are to be told of.
    #[inline(never)]
    fn raise_sharing(&'static self) -> bool {
        self.raise_within(self.net.shared_low.signed(), self.net.shared_high.signed())
    }

    /// [`raise_fast`](Self::raise_fast) within a change, if the level is none that a captured scope is to be told of.
    #[inline(always)]
    fn raise_within(&'static self, shared_low: i64, shared_high: i64) -> bool {
        let (net, ledger) = (&self.net, &self.host);
        let (level_bytes, level_blocks) = (ledger.level_bytes(), ledger.level_blocks());
        let (offset_bytes, offset_blocks) = (net.offset_bytes.signed(), net.offset_blocks.signed());
        let bytes = level_bytes + offset_bytes;
        let ahead = bytes - net.published_bytes.signed();
        if ahead.abs() >= STEP
            || level::picture_is_due(ahead)
            || level_bytes < shared_low
            || level_bytes > shared_high
            || self.has_pending()
            || ledger.is_growing()
        {
            return false;
        }
        // Less than a step ahead, so the next publication is due above it.
        let most_bytes = net.most_bytes.signed().max(bytes);
        let most_blocks = net.most_blocks.signed().max(level_blocks + offset_blocks);
        let high = most_bytes.min(bytes - ahead + STEP - 1);
        self.changes.begin();
        net.most_bytes.set(most_bytes.cast_unsigned());
        net.most_blocks.set(most_blocks.cast_unsigned());
        let high = (high - offset_bytes).min(shared_high);
        ledger.raise_fast((level_bytes, level_blocks), (high, most_blocks - offset_blocks));
        if ledger.note_raised() {
            self.begin_growing();
        }
        true
    }

    /// The second allocation in a row has raised the peaks: the next ones need not, up to where a publication or a picture is due.
    ///
    /// Only where nobody can change what is charged here but by a hand-over to the thread's own lane, which then sets the notice: a
    /// thread that never ran another lane.
    #[cold]
    fn begin_growing(&'static self) {
        let net = &self.net;
        let until_picture = level::bytes_until_picture();
        let ahead = self.net().0 - net.published_bytes.signed();
        let step = (STEP - 1).min(until_picture);
        // A future that was captured may be polled by a thread that runs no other lane.
        let is_alone = !self.knows_other_lanes() && self.sharing.get().is_none();
        if !is_alone || self.aside.get().is_none() || !self.host.is_at_rest() || ahead >= step {
            return;
        }
        if self.lane.get().watch_alarm(self.alarm()) {
            self.host.grow(net.published_bytes.signed() + step - net.offset_bytes.signed());
        }
    }

    /// A block of so many bytes was freed while the lane grows: the peaks come to the level before that, and the lane grows on. `false`: growing is
    /// to end, or more may be due, and nothing was done.
    #[inline(always)]
    pub(crate) fn grow_on(&'static self, freed: i64) -> bool {
        let (net, ledger) = (&self.net, &self.host);
        self.top.begin_change();
        let (bytes, blocks) = (ledger.level_bytes() + freed, ledger.level_blocks() + 1);
        let (offset_bytes, offset_blocks) = (net.offset_bytes.signed(), net.offset_blocks.signed());
        let ahead = bytes - freed + offset_bytes - net.published_bytes.signed();
        self.changes.begin();
        let grows_on = ahead > -STEP && ledger.grow_on((bytes, blocks));
        if grows_on {
            self.raise_net((bytes + offset_bytes, blocks + offset_blocks));
        }
        self.top.end_change();
        grows_on
    }

    /// Ends growing, if this thread's lane grows: before whatever changes the ledger other than an event of this lane.
    #[inline(always)]
    pub(crate) fn end_growing(&'static self) {
        if self.host.is_growing() {
            cold_path();
            self.end_growing_above(0, 0);
        }
    }

    /// Ends growing, which came to so much more than the level is now: what was freed since.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_growing_above(&'static self, bytes: i64, blocks: i64) {
        let _change = self.begin_change_while_growing();
        let (net, ledger) = (&self.net, &self.host);
        let level = (ledger.level_bytes() + bytes, ledger.level_blocks() + blocks);
        ledger.end_growing(level);
        self.lane.get().end_alarm();
        self.raise_net((level.0 + net.offset_bytes.signed(), level.1 + net.offset_blocks.signed()));
        self.watch();
    }

    /// Takes note of a net outside what was watched, and publishes if it is time.
    pub(crate) fn publish_net_if_due(&'static self) {
        let change = self.begin_change();
        let net = &self.net;
        let (bytes, blocks) = self.net();
        self.raise_net((bytes, blocks));
        let ahead = bytes - net.published_bytes.signed();
        let due = level::picture_is_due(ahead);
        if due || ahead.abs() >= STEP {
            net.publish((bytes, blocks));
        }
        self.watch();
        // A picture reads this slot too.
        drop(change);
        if due {
            picture::picture();
        }
    }

    /// Makes what was published what is.
    pub(crate) fn publish_net(&'static self) {
        let _change = self.begin_change();
        self.net.publish(self.net());
        self.watch();
    }
}
