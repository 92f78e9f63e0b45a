//! Whether there is a CUDA driver: asked before cudarc, which panics where there is none.
