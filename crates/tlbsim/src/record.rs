//! What a trace says.

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Op {
    /// An instruction was fetched.
    Fetch,
    /// Data was read.
    Read,
    /// Data was written.
    Write,
    /// An instruction read and then wrote the same operand.
    Modify,
    /// Nothing is looked up: the data accesses that follow are made by the instruction there.
    Site,
    /// The page of the address was invalidated.
    Invalidate,
    /// CR3 was loaded: translations that are not global were dropped.
    LoadCr3,
    /// All translations were dropped.
    Flush,
}

impl Op {
    /// Returns whether the record is an access.
    #[inline]
    pub fn is_access(self) -> bool {
        self as u8 <= Self::Modify as u8
    }
}

/// One record of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The address; 0 where there is none.
    pub addr: u64,
    /// The bytes accessed, up to [`MAX_SIZE_BYTES`]; 1 where the trace does not tell.
    pub size_bytes: u32,
    /// What it is about.
    pub op: Op,
    /// The base-2 logarithm of the size of the page that is mapped there, or 0 where the trace does
    /// not tell.
    pub page_shift: u8,
}

/// The most bytes that an access can have: more than any instruction touches at once.
pub const MAX_SIZE_BYTES: u32 = 1 << 16;

impl Record {
    /// Returns a record without a page size.
    #[inline(always)]
    pub fn new(op: Op, addr: u64, size_bytes: u32) -> Self {
        Self {
            addr,
            size_bytes,
            op,
            page_shift: 0,
        }
    }
}

/// A named range of addresses, as an array of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The name.
    pub name: String,
    /// The first address.
    pub start: u64,
    /// The size in bytes.
    pub len_bytes: u64,
}
