//! Streams are captured into graphs, and calls that may not be made meanwhile are refused.
//!
//! A refused call invalidates the captures that prohibit it, and an invalid one refuses all further work until it is
//! ended. CUDA's header leaves some of it open: that is as an H100 had it, and said so at each method. What a captured
//! call adds to the graph is left to [`graphs`](super::graphs).

use super::capture::{Capture, RELAXED, thread};
use super::state::State;
use crate::base::abi::{Code, Done};

/// Refuses a call that any of these captures prohibits, and makes them invalid.
fn refuse_for<'a>(captures: impl Iterator<Item = &'a mut Capture>) -> Done {
    let mut is_refused = false;
    for capture in captures {
        capture.is_invalid = true;
        is_refused = true;
    }
    if is_refused { Err(Code::CAPTURE_UNSUPPORTED) } else { Ok(()) }
}

impl State {
    /// Refuses a potentially unsafe call while a capture prohibits it to this thread, which invalidates that capture (cuda.h
    /// 13.5:17440-17470, `cuThreadExchangeStreamCaptureMode`). Which calls are unsafe the header leaves open, but for `cudaMalloc`. By what was
    /// seen on an H100 with driver 580 (docs/gpu.md), they are all that allocate and free, in the order of another stream too, and that ask
    /// or wait for an event or a stream, or ask a pool what it holds. Asking what a device or a pointer is is none, nor is `cuMemGetInfo`.
    pub(crate) fn refuse_if_capturing(&mut self) -> Done {
        refuse_for(self.captures.values_mut().filter(|capture| capture.prohibits()))
    }

    /// [`refuse_if_capturing`](Self::refuse_if_capturing) for a call in the order of this stream, unless it is the one captured.
    pub(crate) fn refuse_beside_captures(&mut self, stream: usize) -> Done {
        if self.capturing(stream)?.is_some() { Ok(()) } else { self.refuse_if_capturing() }
    }

    /// Waiting for all work of a context is refused while one of its streams is captured, and invalidates that capture: whatever the
    /// modes, and on every thread (as above, seen on an H100).
    pub(crate) fn refuse_captures_of(&mut self, context: usize) -> Done {
        let streams = &self.streams;
        let is_of =
            |capture: &&mut Capture| streams.get(&capture.origin).is_some_and(|stream| stream.context == context);
        refuse_for(self.captures.values_mut().filter(is_of))
    }

    /// The capture that a stream is in. An invalidated one refuses all further work.
    pub(crate) fn capturing(&self, stream: usize) -> Result<Option<usize>, Code> {
        let Some(capture) = self.streams.get(&stream).and_then(|stream| stream.capture) else { return Ok(None) };
        match self.captures.get(&capture) {
            Some(known) if known.is_invalid => Err(Code::CAPTURE_INVALIDATED),
            _ => Ok(Some(capture)),
        }
    }

    /// Waiting for a stream that is captured, or for an event of a capture, cannot be captured.
    pub(crate) fn refuse_captured(&mut self, capture: Option<usize>, code: Code) -> Done {
        let Some(capture) = capture else { return Ok(()) };
        if let Some(capture) = self.captures.get_mut(&capture) {
            capture.is_invalid = true;
        }
        Err(code)
    }

    /// The legacy default stream cannot be captured (cuda.h 13.5, `cuStreamIsCapturing`): only streams that were made.
    /// Into a new graph, or `into` one that is there.
    pub(crate) fn begin_capture(&mut self, stream: usize, mode: u32, into: Option<usize>) -> Done {
        if mode > RELAXED {
            return Err(Code::INVALID_VALUE);
        }
        let known = self.streams.get(&stream).ok_or(Code::CAPTURE_UNSUPPORTED)?;
        if known.capture.is_some() {
            return Err(Code::INVALID_VALUE);
        }
        let graph = match into {
            Some(graph) => {
                self.graph(graph)?;
                graph
            }
            None => self.create_graph(),
        };
        let number = self.capture_number();
        if let Some(known) = self.streams.get_mut(&stream) {
            known.capture = Some(number);
        }
        let capture =
            Capture { mode, thread: thread(), origin: stream, graph, is_own: into.is_none(), is_invalid: false };
        self.captures.insert(number, capture);
        Ok(())
    }

    /// Into a graph that is there, whose nodes the new ones must equal.
    pub(crate) fn begin_recapture(&mut self, stream: usize, mode: u32, graph: usize) -> Done {
        self.begin_capture(stream, mode, Some(graph))?;
        self.graph(graph)?.expect_anew();
        Ok(())
    }

    /// "Capture must have been initiated on `hStream` via a call to `cuStreamBeginCapture`. If capture was invalidated, [..] then a NULL graph
    /// will be returned. If the mode argument to `cuStreamBeginCapture` was not `CU_STREAM_CAPTURE_MODE_RELAXED`, this call must be from the same
    /// thread" (cuda.h 13.5, `cuStreamEndCapture`). A call on another stream, or from another thread, leaves the capture going (3334, 3362). Gives
    /// the graph.
    pub(crate) fn end_capture(&mut self, stream: usize) -> Result<usize, Code> {
        let handle = self.streams.get(&stream).and_then(|stream| stream.capture).ok_or(Code::ILLEGAL_STATE)?;
        let capture = self.captures.get_mut(&handle).ok_or(Code::ILLEGAL_STATE)?;
        if capture.origin != stream {
            return Err(Code::CAPTURE_UNMATCHED);
        }
        if capture.mode != RELAXED && capture.thread != thread() {
            // Seen on an H100.
            capture.is_invalid = true;
            return Err(Code::CAPTURE_WRONG_THREAD);
        }
        let (graph, is_own, is_invalid) = (capture.graph, capture.is_own, capture.is_invalid);
        self.captures.remove(&handle);
        if let Some(graph) = self.graphs.get_mut(&graph) {
            graph.expected = None;
        }
        for stream in self.streams.values_mut().filter(|stream| stream.capture == Some(handle)) {
            stream.capture = None;
        }
        if is_invalid {
            if is_own {
                self.destroy_graph(graph)?;
            }
            return Err(Code::CAPTURE_INVALIDATED);
        }
        Ok(graph)
    }

    /// A stream is gone, and a capture that was begun on it. Its handle may be given out again.
    pub(crate) fn stream_gone(&mut self, stream: usize) {
        self.captures.retain(|_, capture| capture.origin != stream);
        self.give_handle(stream);
    }

    /// `CUstreamCaptureStatus`: none, active, invalidated.
    pub(crate) fn capture_status(&self, stream: usize) -> u32 {
        match self.capturing(stream) {
            Ok(None) => 0,
            Ok(Some(_)) => 1,
            Err(_) => 2,
        }
    }
}
