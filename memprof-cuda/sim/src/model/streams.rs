//! Streams and events come, and are used.
//!
//! A default stream is no object: its handle means the context that is current. An event that was recorded in a capture
//! draws a stream that waits for it into that capture; that it went is left to [`captures`](super::captures).

use std::time::Instant;

use super::state::State;
use super::stream::{DEFAULT_STREAMS, Event, Stream};
use crate::base::abi::{Code, Done};

impl State {
    /// The context and device that a stream works in.
    pub(crate) fn stream_context(&self, stream: usize) -> Result<(usize, usize), Code> {
        if DEFAULT_STREAMS.contains(&stream) {
            return self.current();
        }
        let context = self.streams.get(&stream).ok_or(Code::INVALID_HANDLE)?.context;
        Ok((context, self.context(context)?.device))
    }

    /// Makes a stream in the current context; gives that and the stream's handle.
    pub(crate) fn create_stream(&mut self, flags: u32, priority: i32) -> Result<(usize, usize), Code> {
        let (context, _device) = self.current()?;
        let handle = self.handle();
        self.streams.insert(handle, Stream { context, capture: None, flags, priority });
        Ok((context, handle))
    }

    /// Makes an event in the current context.
    pub(crate) fn create_event(&mut self) -> Result<usize, Code> {
        let (context, _device) = self.current()?;
        let handle = self.handle();
        self.events.insert(handle, Event { context, capture: None, recorded: None });
        Ok(handle)
    }

    pub(crate) fn record(&mut self, event: usize, stream: usize) -> Done {
        self.stream_context(stream)?;
        let capture = self.capturing(stream)?;
        let event = self.event(event)?;
        event.capture = capture;
        event.recorded = capture.is_none().then(Instant::now);
        Ok(())
    }

    /// A stream waits for an event: one that was recorded in a capture draws the stream into it.
    pub(crate) fn wait(&mut self, stream: usize, event: usize) -> Done {
        self.stream_context(stream)?;
        let capture = self.event(event)?.capture;
        let capture = capture.filter(|capture| self.captures.contains_key(capture));
        if let (Some(stream), Some(_)) = (self.streams.get_mut(&stream), capture) {
            stream.capture = capture;
        }
        Ok(())
    }

    pub(crate) fn event(&mut self, event: usize) -> Result<&mut Event, Code> {
        self.events.get_mut(&event).ok_or(Code::INVALID_HANDLE)
    }

    /// Milliseconds from one event to another.
    pub(crate) fn elapsed(&mut self, start: usize, end: usize) -> Result<f32, Code> {
        let start = self.event(start)?.recorded.ok_or(Code::INVALID_HANDLE)?;
        let end = self.event(end)?.recorded.ok_or(Code::INVALID_HANDLE)?;
        Ok(end.saturating_duration_since(start).as_secs_f32() * 1000.0)
    }
}
