//! The rows of the log, and where they go.
//!
//! One lock: a row is whole, and rows stand in the order of their times. The first thing that cannot be written is kept
//! for [`flush`](Rows::flush) and said once on stderr. What all of it allocates is hidden from the recorder; a sink's
//! own code runs under the lock.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cudarc::driver::CudaStream;
use cudarc::driver::sys::CUdeviceptr;
use memprof_core::__allocator::{blind, print_line};

use super::clock;

const HEADER: &str = "Thread,Time,Action,Pointer,Size,Stream";

/// What happened, in RMM's words.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Allocate,
    AllocateFailure,
    Free,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allocate => "allocate",
            Self::AllocateFailure => "allocate failure",
            Self::Free => "free",
        })
    }
}

/// A log that has its header. What it does is hidden from the recorder: it is memprof's own memory.
pub(super) struct Rows {
    log: Mutex<Log>,
}

struct Log {
    sinks: Vec<Box<dyn Write + Send>>,
    flush_each_row: bool,
    /// The first failure that `flush` has not given yet.
    failure: Option<io::Error>,
    complained: bool,
}

impl Rows {
    pub(super) fn new(sinks: Vec<Box<dyn Write + Send>>) -> Self {
        let _blind = blind();
        let mut log = Log { sinks, flush_each_row: false, failure: None, complained: false };
        log.write(&format!("{HEADER}\n"));
        Self { log: Mutex::new(log) }
    }

    pub(super) fn flush_each_row(&mut self) {
        let _blind = blind();
        let log = self.log.get_mut().unwrap_or_else(PoisonError::into_inner);
        log.flush_each_row = true;
        log.flush();
    }

    /// Adds a row. The time is taken while no other row can be added, so that times stand in their order.
    pub(super) fn add(&self, action: Action, pointer: CUdeviceptr, bytes: usize, stream: &CudaStream) {
        let _blind = blind();
        let (thread, pointer, stream) = (clock::thread_id(), Pointer(pointer), Stream(stream.cu_stream().addr()));
        let mut log = self.log();
        let time = clock::time_of_day();
        log.write(&format!("{thread},{time},{action},{pointer},{bytes},{stream}\n"));
    }

    pub(super) fn flush(&self) -> io::Result<()> {
        let _blind = blind();
        let mut log = self.log();
        log.flush();
        log.failure.take().map_or(Ok(()), Err)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn write(&mut self, text: &str) {
        let each = self.flush_each_row;
        let write = |sink: &mut Box<dyn Write + Send>| {
            sink.write_all(text.as_bytes())?;
            if each { sink.flush() } else { Ok(()) }
        };
        self.with_each(write);
    }

    fn flush(&mut self) {
        self.with_each(Write::flush);
    }

    fn with_each(&mut self, mut work: impl FnMut(&mut Box<dyn Write + Send>) -> io::Result<()>) {
        for sink in &mut self.sinks {
            let Err(error) = work(sink) else { continue };
            if !self.complained {
                self.complained = true;
                print_line(&format!("memprof: cannot write the log of a device resource: {error}"));
            }
            self.failure.get_or_insert(error);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let _blind = blind();
        self.flush();
        self.sinks.clear();
    }
}

/// As C's `%p` writes it.
struct Pointer(CUdeviceptr);

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("(nil)") } else { write!(f, "{:#x}", self.0) }
    }
}

/// A stream's handle, as RMM writes it.
struct Stream(usize);

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("0") } else { write!(f, "{:#x}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pointer, Stream};

    #[test]
    fn pointers_are_as_c_writes_them_and_the_default_stream_is_0() {
        let texts = [0, 0x7f5c_0000_0000].map(|pointer| Pointer(pointer).to_string());
        assert_eq!(texts, ["(nil)", "0x7f5c00000000"]);
        assert_eq!([0, 2].map(|stream| Stream(stream).to_string()), ["0", "0x2"]);
    }
}
