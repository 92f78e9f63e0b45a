//! Columns on the device, and what can be done with them: cudarc, with one word changed.

#![expect(unsafe_code, reason = "unset memory is given out, and kernels are launched")]

use std::sync::Arc;

use cudarc::driver::{CudaModule, LaunchConfig, PushKernelArg as _};
use memprof::cuda::{TrackedExt as _, TrackedSlice, TrackedStream};

use crate::Result;
use crate::kernels;

/// Numbers, one for each row. It derefs to cudarc's `CudaSlice<i32>`.
pub(crate) type Column = TrackedSlice<i32>;

pub(crate) struct Gpu {
    stream: TrackedStream,
    kernels: Arc<CudaModule>,
}

#[memprof::track]
impl Gpu {
    /// The first GPU, or the simulator.
    #[track(skip)]
    pub(crate) fn new() -> Result<Self> {
        let driver = memprof_cuda_sim::load()?;
        if let Some(simulator) = driver.simulator() {
            kernels::register(simulator);
        }
        let context = memprof::cuda::context(0)?;
        let stream = context.default_stream().tracked(); // the one word
        Ok(Self { stream, kernels: context.load_module(kernels::PTX.into())? })
    }

    /// The values as a column, by way of pinned memory, from which the device copies fastest.
    pub(crate) fn upload(&self, values: &[i32]) -> Result<Column> {
        // SAFETY: set on the next line.
        let mut staging = unsafe { self.stream.pinned(values.len()) }?;
        staging.as_mut_slice()?.copy_from_slice(values);
        Ok(self.stream.clone_htod(&staging)?)
    }

    /// The numbers of the rows that have a value, in any order, and how many those are; what follows them is unset.
    pub(crate) fn filter(&self, values: &Column) -> Result<(Column, usize)> {
        let kernel = self.kernels.load_function("filter_rows")?;
        // SAFETY: the first so many are set by the kernel, and only they are read.
        let mut rows = unsafe { self.stream.alloc::<i32>(values.len()) }?;
        let mut count = self.stream.alloc_zeros::<i32>(1)?;
        let (height, grid) = launch(values.len())?;
        let mut launch = self.stream.launch_builder(&kernel);
        launch.arg(values).arg(&mut rows).arg(&mut count).arg(&height);
        // SAFETY: as `kernels` says; there is room for all rows, and the counter is 0.
        unsafe { launch.launch(grid) }?;
        let count = self.stream.clone_dtoh(&count)?[0];
        Ok((rows, usize::try_from(count)?))
    }

    /// The values of the first `count` of `rows`.
    pub(crate) fn take(&self, values: &Column, rows: &Column, count: usize) -> Result<Column> {
        let kernel = self.kernels.load_function("take_rows")?;
        // SAFETY: the kernel sets all of it.
        let mut taken = unsafe { self.stream.alloc::<i32>(count) }?;
        let (count, grid) = launch(count)?;
        let mut launch = self.stream.launch_builder(&kernel);
        launch.arg(values).arg(rows).arg(&mut taken).arg(&count);
        // SAFETY: as `kernels` says; the rows come from `filter`, which knows none past the column's end.
        unsafe { launch.launch(grid) }?;
        Ok(taken)
    }

    /// For each group the number of its rows, and the sums of their distances and delays. `group_of_row`: below `groups`.
    pub(crate) fn aggregate(
        &self,
        group_of_row: &Column,
        distances: &Column,
        delays: &Column,
        groups: usize,
    ) -> Result<Vec<[i32; 3]>> {
        let kernel = self.kernels.load_function("aggregate")?;
        let mut totals = self.stream.alloc_zeros::<i32>(3 * groups)?;
        let (height, grid) = launch(group_of_row.len())?;
        let mut launch = self.stream.launch_builder(&kernel);
        launch.arg(group_of_row).arg(distances).arg(delays).arg(&mut totals).arg(&height);
        // SAFETY: as `kernels` says; columns of one length, and three totals for each group, of which there are so many.
        unsafe { launch.launch(grid) }?;
        let totals = self.stream.clone_dtoh(&totals)?;
        Ok(totals.as_chunks::<3>().0.to_vec())
    }

    /// For each key the number of the last row of `others` that is equal to it, or -1.
    pub(crate) fn join(&self, keys: &[i32], others: &[i32]) -> Result<Vec<i32>> {
        let kernel = self.kernels.load_function("join_rows")?;
        let (keys, others) = (self.upload(keys)?, self.upload(others)?);
        // SAFETY: the kernel sets all of it.
        let mut rows = unsafe { self.stream.alloc::<i32>(keys.len()) }?;
        let (count, grid) = launch(keys.len())?;
        let other_count = i32::try_from(others.len())?;
        let mut launch = self.stream.launch_builder(&kernel);
        launch.arg(&keys).arg(&others).arg(&mut rows).arg(&count).arg(&other_count);
        // SAFETY: as `kernels` says; a row for each key.
        unsafe { launch.launch(grid) }?;
        Ok(self.stream.clone_dtoh(&rows)?)
    }
}

/// The number of rows as kernels take it, and a thread for each.
fn launch(rows: usize) -> Result<(i32, LaunchConfig)> {
    Ok((i32::try_from(rows)?, LaunchConfig::for_num_elems(u32::try_from(rows)?)))
}
