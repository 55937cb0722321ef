//! Runs of pages, and the checks that turn an address and a size into one.

use std::fmt;

use pagefault_mmu::{LinearAddr, PAGE_SIZE, PageNumber};

/// A run of pages of linear memory, never empty, below the top page.
///
/// User space ends below 4 GiB, so the end is always a page number too.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageRange {
    start: u32,
    end: u32,
}

impl PageRange {
    /// Returns the pages from `start` up to, not including, `end`; `None` if that is none, or goes
    /// past 4 GiB.
    pub const fn new(start: PageNumber, end: PageNumber) -> Option<Self> {
        Self::from_bits(start.bits(), end.bits())
    }

    pub(crate) const fn from_bits(start: u32, end: u32) -> Option<Self> {
        if start < end && end <= PageNumber::LAST.bits() {
            Some(Self { start, end })
        } else {
            None
        }
    }

    /// Returns `page` alone.
    pub(crate) const fn single(page: PageNumber) -> Self {
        Self {
            start: page.bits(),
            end: page.bits() + 1,
        }
    }

    /// Returns every page that holds one of the `size_bytes` bytes at `addr`; `None` if there are
    /// none, or they go past 4 GiB.
    pub const fn touched(addr: LinearAddr, size_bytes: u32) -> Option<Self> {
        if size_bytes == 0 {
            return None;
        }
        match addr.checked_add(size_bytes - 1) {
            Some(last) => Self::from_bits(addr.page().bits(), last.page().bits() + 1),
            None => None,
        }
    }

    /// Returns the first page.
    pub const fn start(self) -> PageNumber {
        page(self.start)
    }

    /// Returns the first page past the run.
    pub const fn end(self) -> PageNumber {
        page(self.end)
    }

    /// Returns how many pages there are.
    pub const fn len_pages(self) -> u32 {
        self.end - self.start
    }

    /// Returns the length in bytes.
    pub const fn size_bytes(self) -> u32 {
        self.len_pages() * PAGE_SIZE
    }

    /// Returns whether `page` is in the run.
    pub const fn contains(self, page: PageNumber) -> bool {
        self.start <= page.bits() && page.bits() < self.end
    }

    /// Returns whether all of `other` is in the run.
    pub const fn contains_range(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Returns the pages in both runs.
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::from_bits(self.start.max(other.start), self.end.min(other.end))
    }

    /// Returns the pages in order.
    pub fn pages(self) -> impl DoubleEndedIterator<Item = PageNumber> + Clone {
        (self.start..self.end).map(page)
    }
}

/// Returns the page with a number that a range already holds.
pub(crate) const fn page(number: u32) -> PageNumber {
    match PageNumber::new(number) {
        Some(page) => page,
        None => unreachable!(),
    }
}

impl fmt::Debug for PageRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageRange({:#07x}..{:#07x})", self.start, self.end)
    }
}

impl fmt::Display for PageRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.start().start(), self.end().start())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bytes_over_a_boundary_touch_two_pages() {
        let range = PageRange::touched(LinearAddr::new(0x1_1fff), 2).unwrap();

        assert_eq!((range.start().bits(), range.end().bits()), (0x11, 0x13));
        assert_eq!(range.size_bytes(), 0x2000);
    }

    #[test]
    fn nothing_and_too_much_are_no_range() {
        assert_eq!(PageRange::touched(LinearAddr::new(0x1000), 0), None);
        assert_eq!(
            PageRange::touched(LinearAddr::new(0xffff_0000), 0x1_0001),
            None
        );
        assert_eq!(PageRange::touched(LinearAddr::new(0), u32::MAX), None);
    }
}
