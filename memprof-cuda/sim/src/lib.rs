//! A CUDA driver and CUPTI without a GPU, for memprof's own tests.
