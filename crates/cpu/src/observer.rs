//! Hooks into the running processor.

use pagefault_mmu::{AccessKind, LinearAddr};

/// What a tracer is told. Each group of calls exists only when its constant says so: with the
/// defaults an observer costs nothing.
#[expect(
    unused_variables,
    reason = "the default of every hook ignores what it is told"
)]
pub trait Observer {
    /// Whether [`instruction`](Self::instruction) is called.
    const INSTRUCTIONS: bool = false;
    /// Whether [`access`](Self::access) is called.
    const ACCESSES: bool = false;
    /// Whether [`branch`](Self::branch) is called.
    const BRANCHES: bool = false;
    /// Whether anything inside a block is told.
    const WATCHES: bool = Self::INSTRUCTIONS || Self::ACCESSES;

    /// The instruction at `eip`, `len` bytes long, is about to be executed.
    fn instruction(&mut self, eip: u32, len: u8) {}

    /// An access of `size_bytes` bytes at `addr` was made; it did not fault. String instructions
    /// report whole runs of elements.
    fn access(&mut self, addr: LinearAddr, size_bytes: u32, kind: AccessKind) {}

    /// Control went from the block that ends before `from` to `to`, other than by falling through.
    fn branch(&mut self, from: u32, to: u32) {}
}

/// The observer that watches nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoObserver;

impl Observer for NoObserver {}
