//! Where a guest's output goes.

/// The standard streams that a program writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// Takes the bytes that a program writes.
pub trait Console: std::fmt::Debug {
    /// Takes some bytes.
    fn write(&mut self, stream: Stream, bytes: &[u8]);
}
