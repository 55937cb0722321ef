//! Where a guest's output goes, and its input comes from.

/// The standard streams that a program writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// Takes the bytes that a program writes, and gives those that it reads.
pub trait Console: std::fmt::Debug {
    /// Takes some bytes.
    fn write(&mut self, stream: Stream, bytes: &[u8]);

    /// Fills `bytes` from the front with what comes next on standard input, and returns how many
    /// there are; 0 at its end. Without a definition of its own, nothing comes.
    fn read(&mut self, bytes: &mut [u8]) -> usize {
        let _ = bytes;
        0
    }
}
