//! What cudarc asks of memory, forwarded to the memory of cudarc's inside: once for all tracked types.
//!
//! Nothing is recorded here, and nothing differs from cudarc's own slices: which stream waits for which is decided
//! inside. They are macros, since each trait is cudarc's and each type is another; a trait that cudarc adds is added
//! here.

/// The traits by which cudarc takes device memory: a type with a field `slice` that has them.
macro_rules! device_memory {
    ($tracked:ident) => {
        impl<T> cudarc::driver::DeviceSlice<T> for $tracked<T> {
            fn len(&self) -> usize {
                cudarc::driver::DeviceSlice::len(&*self.slice)
            }

            fn stream(&self) -> &std::sync::Arc<cudarc::driver::CudaStream> {
                cudarc::driver::DeviceSlice::stream(&*self.slice)
            }
        }

        impl<T> cudarc::driver::DevicePtr<T> for $tracked<T> {
            fn device_ptr<'a>(
                &'a self,
                stream: &'a cudarc::driver::CudaStream,
            ) -> (cudarc::driver::sys::CUdeviceptr, cudarc::driver::SyncOnDrop<'a>) {
                self.slice.device_ptr(stream)
            }
        }

        impl<T> cudarc::driver::DevicePtrMut<T> for $tracked<T> {
            fn device_ptr_mut<'a>(
                &'a mut self,
                stream: &'a cudarc::driver::CudaStream,
            ) -> (cudarc::driver::sys::CUdeviceptr, cudarc::driver::SyncOnDrop<'a>) {
                self.slice.device_ptr_mut(stream)
            }
        }

        // SAFETY: pushes what cudarc pushes for the slice in here, which lives as long as the borrow.
        unsafe impl<'a, 'b: 'a, T> cudarc::driver::PushKernelArg<&'b $tracked<T>> for cudarc::driver::LaunchArgs<'a> {
            #[inline(always)]
            fn arg(&mut self, arg: &'b $tracked<T>) -> &mut Self {
                self.arg(&*arg.slice)
            }
        }

        // SAFETY: as above.
        unsafe impl<'a, 'b: 'a, T> cudarc::driver::PushKernelArg<&'b mut $tracked<T>>
            for cudarc::driver::LaunchArgs<'a>
        {
            #[inline(always)]
            fn arg(&mut self, arg: &'b mut $tracked<T>) -> &mut Self {
                self.arg(&mut *arg.slice)
            }
        }
    };
}

/// The trait by which cudarc copies from and to host memory, and reading as cudarc's own type.
macro_rules! host_memory {
    ($tracked:ident, $inner:ident) => {
        impl<T> cudarc::driver::HostSlice<T> for $tracked<T> {
            fn len(&self) -> usize {
                cudarc::driver::HostSlice::len(&*self.slice)
            }

            unsafe fn stream_synced_slice<'a>(
                &'a self,
                stream: &'a cudarc::driver::CudaStream,
            ) -> (&'a [T], cudarc::driver::SyncOnDrop<'a>) {
                // SAFETY: the caller's promise.
                unsafe { self.slice.stream_synced_slice(stream) }
            }

            unsafe fn stream_synced_mut_slice<'a>(
                &'a mut self,
                stream: &'a cudarc::driver::CudaStream,
            ) -> (&'a mut [T], cudarc::driver::SyncOnDrop<'a>) {
                // SAFETY: the caller's promise.
                unsafe { self.slice.stream_synced_mut_slice(stream) }
            }
        }

        impl<T> std::ops::Deref for $tracked<T> {
            type Target = $inner<T>;

            fn deref(&self) -> &$inner<T> {
                &self.slice
            }
        }

        impl<T> std::fmt::Debug for $tracked<T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let len = cudarc::driver::HostSlice::len(&*self.slice);
                f.debug_struct(stringify!($tracked)).field("len", &len).finish_non_exhaustive()
            }
        }
    };
}
