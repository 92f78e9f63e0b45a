//! Real threads in lock-step: the driver gives one command to one thread and waits for the answer.
//!
//! Nothing here allocates between the start of a worker and its end, so that scopes see only what their
//! commands do: commands are `Copy` and travel through a mutex and a condition variable.

use std::alloc::Layout;
use std::cell::Cell;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, OnceLock};
use std::task::{Context as Wakers, Poll, Waker};

use memprof::{Ambient, Context, Counters, Scope, Site, Space, Tracked};

pub(crate) const THREADS: usize = 3;
pub(crate) const FUTURES: usize = 6;
pub(crate) const CONTEXTS: usize = 4;
pub(crate) const GUARDS: usize = 24;
pub(crate) const BLOCKS: usize = 64;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    Enter(&'static Site),
    /// Drops the guard at this depth first, then the inner ones, which have nothing left to do.
    Leave(usize),
    /// `finish()` of the innermost guard.
    Finish(Space),
    RecordAlloc(Space, u64, u64),
    RecordFree(Space, u64),
    RecordFailure(Space, u64),
    HostAlloc {
        at: usize,
        bytes: usize,
    },
    HostFree {
        at: usize,
    },
    HostRealloc {
        at: usize,
        bytes: usize,
    },
    /// `counters()` of the guard at this depth.
    Counters(usize, Space),
    /// `memprof::counters`: the innermost open scope, or the base record.
    Innermost(Space),
    Capture(usize),
    EnterContext(usize),
    /// Drops what was captured, under which threads may still work.
    DropContext(usize),
    OpenAmbient(&'static str),
    /// Drops the guards of these bits, the outermost first.
    EndAmbients(u32),
    LeaveContext,
    Poll(usize),
    /// A call that makes this future: the first poll in all but name. Ended as a poll is.
    Call(usize, &'static Site),
    /// The future that is being polled says `Pending`; its open guards are forgotten, not dropped.
    EndPending,
    EndReady,
    /// An unfinished future asks what to do while it is dropped; a finished one does not.
    DropFuture(usize),
    EndDrop,
    Quit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    Numbers(Counters),
    Died,
}

/// Where a command and its answer change hands.
pub(crate) struct Baton {
    slot: Mutex<(Option<Command>, Option<Answer>)>,
    changed: Condvar,
}

impl Baton {
    fn new() -> Baton {
        Baton { slot: Mutex::new((None, None)), changed: Condvar::new() }
    }

    /// The driver's side.
    pub(crate) fn ask(&self, command: Command) -> Answer {
        let mut slot = self.slot.lock().expect("no panic under this lock");
        assert!(slot.0.is_none(), "one command at a time");
        slot.1 = None;
        slot.0 = Some(command);
        self.changed.notify_all();
        loop {
            if let Some(answer) = slot.1.take() {
                return answer;
            }
            slot = self.changed.wait(slot).expect("no panic under this lock");
        }
    }

    fn take(&self) -> Command {
        let mut slot = self.slot.lock().expect("no panic under this lock");
        loop {
            if let Some(command) = slot.0.take() {
                return command;
            }
            slot = self.changed.wait(slot).expect("no panic under this lock");
        }
    }

    fn answer(&self, answer: Answer) {
        let mut slot = self.slot.lock().expect("no panic under this lock");
        slot.1 = Some(answer);
        self.changed.notify_all();
    }
}

struct Block(*mut u8, Layout);
// SAFETY: a block of plain bytes may be used and freed from any thread.
unsafe impl Send for Block {}

/// The place of a future is made before its call, so that nothing is allocated in it.
type TrackedBody = Pin<Box<Option<Tracked<Body>>>>;

/// What the threads of one program share.
pub(crate) struct Stage {
    batons: Vec<Baton>,
    contexts: Vec<Mutex<Option<Context>>>,
    /// Outermost first.
    ambients: Mutex<Vec<Ambient>>,
    futures: Vec<Mutex<Option<TrackedBody>>>,
    blocks: Vec<Mutex<Option<Block>>>,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        Stage {
            batons: (0..THREADS).map(|_| Baton::new()).collect(),
            contexts: (0..CONTEXTS).map(|_| Mutex::new(None)).collect(),
            // Their places are none of the program.
            ambients: Mutex::new(Vec::with_capacity(8)),
            futures: (0..FUTURES).map(|_| Mutex::new(None)).collect(),
            blocks: (0..BLOCKS).map(|_| Mutex::new(None)).collect(),
        }
    }

    pub(crate) fn ask(&self, thread: usize, command: Command) -> Answer {
        let answer = self.batons[thread].ask(command);
        assert_ne!(answer, Answer::Died, "the thread panicked at {command:?}");
        answer
    }

    /// For a program that has failed: the answer does not matter.
    pub(crate) fn try_ask(&self, thread: usize, command: Command) {
        self.batons[thread].ask(command);
    }

    /// Drops what a failed program has left, on the driver's thread.
    pub(crate) fn clear(&self) {
        for context in &self.contexts {
            drop(context.lock().map(|mut context| context.take()));
        }
        drop(self.ambients.lock().map(|mut ambients| ambients.clear()));
        for future in &self.futures {
            drop(future.lock().map(|mut future| future.take()));
        }
        for at in 0..BLOCKS {
            if self.blocks[at].lock().is_ok_and(|block| block.is_some()) {
                self.host_free(at);
            }
        }
    }

    /// A new future of this site, not polled yet.
    pub(crate) fn create_future(&'static self, future: usize, site: &'static Site) {
        use memprof::TrackExt as _;
        let body = Body { stage: self, is_done: false };
        *self.futures[future].lock().expect("lock-step") = Some(Box::pin(Some(body.track(site))));
    }

    /// Room for the future that a call will make.
    pub(crate) fn make_room(&'static self, future: usize) {
        *self.futures[future].lock().expect("lock-step") = Some(Box::pin(None));
    }

    /// Statements before a future, and the future, if they do not return early.
    fn call(&'static self, at: usize, site: &'static Site) {
        let call = memprof::__private::Call::begin(site);
        match self.serve_inside() {
            Command::EndPending => {
                let mut futures = self.futures[at].lock().expect("lock-step");
                let future = call.future(Body { stage: self, is_done: false });
                futures.as_mut().expect("room").set(Some(future));
            }
            Command::EndReady => {}
            end => panic!("a call ended by {end:?}"),
        }
    }

    /// The body of a worker thread.
    pub(crate) fn work(&'static self, thread: usize) {
        THREAD.set(thread);
        let outcome = std::panic::catch_unwind(|| self.serve());
        let is_fine = matches!(outcome, Ok(Command::Quit));
        self.batons[thread].answer(if is_fine { Answer::Done } else { Answer::Died });
    }

    /// [`serve`](Self::serve) from inside a future: its poll or its drop has begun, which is the answer to what
    /// began it.
    fn serve_inside(&'static self) -> Command {
        self.batons[THREAD.get()].answer(Answer::Done);
        self.serve()
    }

    /// Obeys commands until one ends this poll, context or drop, and returns that one unanswered.
    fn serve(&'static self) -> Command {
        let baton = &self.batons[THREAD.get()];
        let mut guards: [Option<Scope>; GUARDS] = std::array::from_fn(|_| None);
        let mut depth = 0;
        loop {
            let command = baton.take();
            let mut answer = Answer::Done;
            match command {
                Command::Enter(site) => {
                    guards[depth] = Some(Scope::enter(site));
                    depth += 1;
                }
                Command::Leave(at) => {
                    for guard in &mut guards[at..depth] {
                        drop(guard.take());
                    }
                    depth = at;
                }
                Command::Finish(space) => {
                    depth -= 1;
                    let guard = guards[depth].take().expect("a guard");
                    answer = Answer::Numbers(guard.finish().counters(space));
                }
                Command::RecordAlloc(space, address, bytes) => memprof::record_alloc(space, address, bytes),
                Command::RecordFree(space, address) => memprof::record_free(space, address),
                Command::RecordFailure(space, bytes) => memprof::record_alloc_failure(space, bytes),
                Command::HostAlloc { at, bytes } => self.host_alloc(at, bytes),
                Command::HostFree { at } => self.host_free(at),
                Command::HostRealloc { at, bytes } => self.host_realloc(at, bytes),
                Command::Counters(at, space) => {
                    answer = Answer::Numbers(guards[at].as_ref().expect("a guard").counters(space));
                }
                Command::Innermost(space) => answer = Answer::Numbers(memprof::counters(space)),
                Command::Capture(at) => *self.contexts[at].lock().expect("lock-step") = Some(Context::current()),
                Command::EnterContext(at) => {
                    let context = self.contexts[at].lock().expect("lock-step").clone().expect("captured");
                    let guard = context.enter();
                    drop(context);
                    baton.answer(Answer::Done);
                    let end = self.serve();
                    assert!(matches!(end, Command::LeaveContext), "a context ended by {end:?}");
                    drop(guard);
                }
                Command::DropContext(at) => drop(self.contexts[at].lock().expect("lock-step").take()),
                Command::OpenAmbient(name) => {
                    self.ambients.lock().expect("lock-step").push(memprof::ambient(name));
                }
                Command::EndAmbients(which) => {
                    let mut bits = which;
                    self.ambients.lock().expect("lock-step").retain(|_| {
                        let stays = bits & 1 == 0;
                        bits >>= 1;
                        stays
                    });
                }
                Command::Poll(at) => {
                    let mut future = self.futures[at].lock().expect("lock-step").take().expect("a future");
                    let tracked = future.as_mut().as_pin_mut().expect("a future that was made");
                    let _: Poll<()> = tracked.poll(&mut Wakers::from_waker(Waker::noop()));
                    *self.futures[at].lock().expect("lock-step") = Some(future);
                }
                Command::Call(at, site) => self.call(at, site),
                Command::DropFuture(at) => {
                    let future = self.futures[at].lock().expect("lock-step").take();
                    drop(future);
                }
                Command::EndPending => {
                    for guard in &mut guards[..depth] {
                        // Never dropped: the poll ends what they entered.
                        let _: ManuallyDrop<Option<Scope>> = ManuallyDrop::new(guard.take());
                    }
                    return command;
                }
                Command::LeaveContext | Command::EndReady | Command::EndDrop | Command::Quit => {
                    for guard in guards[..depth].iter_mut().rev() {
                        drop(guard.take());
                    }
                    return command;
                }
            }
            // What began with an answer of its own ends with the command that ended it.
            baton.answer(answer);
        }
    }

    fn host_alloc(&self, at: usize, bytes: usize) {
        let layout = Layout::from_size_align(bytes, 8).expect("a layout");
        // SAFETY: `bytes` is at least 1.
        let block = unsafe { std::alloc::alloc(layout) };
        assert!(!block.is_null());
        *self.blocks[at].lock().expect("lock-step") = Some(Block(block, layout));
    }

    fn host_free(&self, at: usize) {
        let Block(block, layout) = self.blocks[at].lock().expect("lock-step").take().expect("a block");
        // SAFETY: it came from `host_alloc` or `host_realloc` with this layout, and is taken out here.
        unsafe { std::alloc::dealloc(block, layout) };
    }

    fn host_realloc(&self, at: usize, bytes: usize) {
        let Block(block, layout) = self.blocks[at].lock().expect("lock-step").take().expect("a block");
        // SAFETY: as in `host_free`; `bytes` is at least 1.
        let block = unsafe { std::alloc::realloc(block, layout, bytes) };
        assert!(!block.is_null());
        let layout = Layout::from_size_align(bytes, 8).expect("a layout");
        *self.blocks[at].lock().expect("lock-step") = Some(Block(block, layout));
    }
}

/// Has a thread that lives as long as the process, and has no scope open, allocate a block and free it.
pub(crate) fn have_stranger_allocate() {
    static STRANGER: OnceLock<&'static Baton> = OnceLock::new();
    let baton = STRANGER.get_or_init(|| {
        let baton: &'static Baton = Box::leak(Box::new(Baton::new()));
        std::thread::spawn(move || {
            loop {
                baton.take();
                drop(std::hint::black_box(Box::new([0_u8; 1000])));
                baton.answer(Answer::Done);
            }
        });
        baton
    });
    assert_eq!(baton.ask(Command::Quit), Answer::Done);
}

thread_local! {
    static THREAD: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// A future that does in each poll, and when it is dropped unfinished, what the driver says.
struct Body {
    stage: &'static Stage,
    is_done: bool,
}

impl Future for Body {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Wakers<'_>) -> Poll<()> {
        match self.stage.serve_inside() {
            Command::EndPending => Poll::Pending,
            Command::EndReady => {
                self.is_done = true;
                Poll::Ready(())
            }
            end => panic!("a poll ended by {end:?}"),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if !self.is_done && THREAD.get() != usize::MAX && !std::thread::panicking() {
            let end = self.stage.serve_inside();
            assert!(matches!(end, Command::EndDrop), "a drop ended by {end:?}");
        }
    }
}
