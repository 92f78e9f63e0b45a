//! RMM's log of every event, as CSV.
//!
//! Logging changes no outcome and records nothing: an allocation succeeds or fails as upstream has it, whatever becomes
//! of its row. What a row says and where it goes is left to [`rows`].

#![expect(unsafe_code, reason = "passes on the promise of whoever frees")]

use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cudarc::driver::CudaStream;
use cudarc::driver::sys::CUdeviceptr;
use memprof_core::__allocator::blind;
use memprof_core::Space;

use self::rows::{Action, Rows};
use super::memory::DeviceMemory;
use crate::error::Error;
use crate::error::Kind;

mod clock;
mod rows;

/// Logs every event of `upstream` as a row of CSV, to the letter what RMM writes: its tools read it.
///
/// The header is `Thread,Time,Action,Pointer,Size,Stream`. Thread is the system's id of the thread, Time the local
/// time of day with microseconds, Action `allocate`, `free` or `allocate failure`, Pointer hexadecimal (`(nil)` for
/// null), Size the bytes asked for, Stream the stream's handle, hexadecimal (`0` for the default one). An allocation
/// is logged after upstream succeeded or failed, a free before upstream takes the block back.
///
/// Rows are whole, also with several threads, and in the order of their times. They reach a file when the buffer is
/// full, at [`flush`](Self::flush), and when this is dropped; with [`auto_flush`](Self::auto_flush) at once. What
/// cannot be written is lost and said once on stderr and by `flush`: an allocation never fails for its log.
pub struct Logging<R> {
    upstream: R,
    file_name: Option<PathBuf>,
    rows: Rows,
}

impl<R> Logging<R> {
    /// Logs to the file of this name; one that exists is replaced.
    ///
    /// # Errors
    ///
    /// The file cannot be created.
    pub fn to_file(upstream: R, file_name: impl AsRef<Path>) -> Result<Self, Error> {
        let _blind = blind();
        let file_name = file_name.as_ref().to_path_buf();
        let attempted = || format!("create the log {}", file_name.display());
        let file =
            File::create(&file_name).map_err(|error| Error::new(Kind::File { attempted: attempted(), error }))?;
        let rows = Rows::new(vec![Box::new(BufWriter::new(file))]);
        Ok(Self { upstream, file_name: Some(file_name), rows })
    }

    /// Logs to the file that the environment variable `RMM_LOG_FILE` names.
    ///
    /// # Errors
    ///
    /// The variable is unset, or the file cannot be created.
    pub fn to_env_file(upstream: R) -> Result<Self, Error> {
        let unset = "RMM logging requested without an explicit file name, but RMM_LOG_FILE is unset";
        let file_name = std::env::var_os("RMM_LOG_FILE").ok_or_else(|| Error::invalid(unset))?;
        Self::to_file(upstream, file_name)
    }

    /// Logs to `sink`, without a buffer of its own.
    pub fn to_writer(upstream: R, sink: impl Write + Send + 'static) -> Self {
        Self::to_writers(upstream, vec![Box::new(sink)])
    }

    /// Logs to each of `sinks`.
    pub fn to_writers(upstream: R, sinks: Vec<Box<dyn Write + Send>>) -> Self {
        Self { upstream, file_name: None, rows: Rows::new(sinks) }
    }

    /// The same, with every row flushed at once: for a log that is read while it is written, or after a crash.
    #[must_use]
    pub fn auto_flush(mut self) -> Self {
        self.rows.flush_each_row();
        self
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    ///
    /// The first thing that could not be written since the last call.
    pub fn flush(&self) -> Result<(), Error> {
        self.rows.flush().map_err(|error| Error::new(Kind::File { attempted: "write the log".to_owned(), error }))
    }

    /// The name of the file, if there is one.
    pub fn file_name(&self) -> Option<&Path> {
        self.file_name.as_deref()
    }

    /// What this allocates from.
    pub fn upstream(&self) -> &R {
        &self.upstream
    }
}

impl<R: DeviceMemory> DeviceMemory for Logging<R> {
    fn allocate(&self, bytes: usize, stream: &Arc<CudaStream>) -> Result<CUdeviceptr, Error> {
        let outcome = self.upstream.allocate(bytes, stream);
        match outcome {
            Ok(pointer) => self.rows.add(Action::Allocate, pointer, bytes, stream),
            Err(_) => self.rows.add(Action::AllocateFailure, 0, bytes, stream),
        }
        outcome
    }

    unsafe fn deallocate(&self, pointer: CUdeviceptr, bytes: usize, stream: &Arc<CudaStream>) -> Result<(), Error> {
        self.rows.add(Action::Free, pointer, bytes, stream);
        // SAFETY: the caller's promises are upstream's.
        unsafe { self.upstream.deallocate(pointer, bytes, stream) }
    }

    fn space(&self, stream: &CudaStream) -> Space {
        self.upstream.space(stream)
    }

    fn alignment(&self) -> usize {
        self.upstream.alignment()
    }
}

impl<R: fmt::Debug> fmt::Debug for Logging<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Logging");
        fields.field("upstream", &self.upstream).field("file_name", &self.file_name).finish_non_exhaustive()
    }
}
