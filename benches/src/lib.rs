//! The interpreter workloads: flat programs of 32-bit code on a bare MMU, and what they cost.
//!
//! A workload is a blob loaded at `0x0040_0000` with two entries, `run` and `init`; the `.asm` and
//! `.c` sources lie beside the blobs in `workloads/`. The `workload` binary measures one of them,
//! the criterion benchmarks all.

pub mod clock;
pub mod loops;
pub mod workload;
