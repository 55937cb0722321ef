//! The widths in which memory is accessed.

/// A little-endian unsigned integer that one access can move.
///
/// Implemented for `u8`, `u16`, `u32`, `u64` and `u128` (an XMM register), and for no other type.
pub trait Word: Copy + Eq + std::fmt::Debug + sealed::Sealed {
    /// The width in bytes: 1, 2, 4, 8 or 16.
    const SIZE: u32;
    /// What a read of an address without RAM behind it returns: every bit set.
    const ALL_ONES: Self;

    /// Returns the word in the first [`Self::SIZE`] bytes, or `None` if there are fewer.
    fn load(bytes: &[u8]) -> Option<Self>;

    /// Puts the word into the first [`Self::SIZE`] bytes; does nothing if there are fewer.
    fn store(self, bytes: &mut [u8]);
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! words {
    ($($word:ident $size:literal),*) => {$(
        impl sealed::Sealed for $word {}

        impl Word for $word {
            const SIZE: u32 = $size;
            const ALL_ONES: Self = $word::MAX;

            #[inline(always)]
            fn load(bytes: &[u8]) -> Option<Self> {
                bytes.first_chunk().copied().map($word::from_le_bytes)
            }

            #[inline(always)]
            fn store(self, bytes: &mut [u8]) {
                if let Some(chunk) = bytes.first_chunk_mut() {
                    *chunk = self.to_le_bytes();
                }
            }
        }
    )*};
}
words!(u8 1, u16 2, u32 4, u64 8, u128 16);
