//! Page numbers, and tables keyed by them.

use std::fmt::Debug;

/// A virtual page number in memory: 32 bits wide where the addresses are, which halves what the
/// engines read, and 64 bits otherwise.
pub trait Page: Copy + Eq + Ord + Debug + Send + Sync + 'static {
    /// No page number: it marks empty places. No stream may contain it.
    const NONE: Self;

    /// Returns the number.
    fn number(self) -> u64;

    /// Returns on how many low bits two page numbers agree, `limit` at most; that is below 32.
    fn agreeing_bits(self, other: Self, limit: u32) -> u32;
}

impl Page for u32 {
    const NONE: Self = Self::MAX;

    #[inline(always)]
    fn number(self) -> u64 {
        u64::from(self)
    }

    #[inline(always)]
    fn agreeing_bits(self, other: Self, limit: u32) -> u32 {
        (self ^ other | 1 << limit).trailing_zeros()
    }
}

impl Page for u64 {
    const NONE: Self = Self::MAX;

    #[inline(always)]
    fn number(self) -> u64 {
        self
    }

    #[inline(always)]
    fn agreeing_bits(self, other: Self, limit: u32) -> u32 {
        (self ^ other | 1 << limit).trailing_zeros()
    }
}

/// The low bits of a page number, for the choice of a set or a slot.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "only low bits are wanted")]
pub(crate) fn low_bits(number: u64) -> usize {
    number as usize
}

/// A table from page numbers to positions: open addressing, linear probing, never shrinking.
///
/// The standard map would do, at several times the cost; nothing ever depends on its order.
#[derive(Clone, Debug)]
pub(crate) struct PageMap<P> {
    slots: Vec<(P, u64)>,
    len: usize,
    shift: u32,
}

/// Slots of a fresh table, as a power of two.
const FIRST_BITS: u32 = 10;
/// The golden ratio in 64 bits, as Fibonacci hashing has it.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl<P: Page> PageMap<P> {
    pub(crate) fn new() -> Self {
        Self::with_bits(FIRST_BITS)
    }

    fn with_bits(bits: u32) -> Self {
        Self {
            slots: vec![(P::NONE, 0); 1 << bits],
            len: 0,
            shift: u64::BITS - bits,
        }
    }

    /// Returns how many pages are in the table.
    pub(crate) fn len(&self) -> u64 {
        self.len as u64
    }

    /// Returns the place of a page: where it is, or where it would go.
    #[inline]
    fn place(&self, page: P) -> usize {
        let mask = self.slots.len() - 1;
        let mut place = low_bits(page.number().wrapping_mul(GOLDEN) >> self.shift);
        loop {
            let found = self.slots[place].0;
            if found == page || found == P::NONE {
                return place;
            }
            place = (place + 1) & mask;
        }
    }

    pub(crate) fn get(&self, page: P) -> Option<u64> {
        let (found, value) = self.slots[self.place(page)];
        (found == page).then_some(value)
    }

    /// Puts a page in; returns what it had before.
    pub(crate) fn insert(&mut self, page: P, value: u64) -> Option<u64> {
        let place = self.place(page);
        let (found, old) = self.slots[place];
        self.slots[place] = (page, value);
        if found == page {
            return Some(old);
        }
        self.len += 1;
        if self.len * 2 > self.slots.len() {
            self.grow();
        }
        None
    }

    fn grow(&mut self) {
        let mut larger = Self::with_bits(u64::BITS - self.shift + 1);
        for &(page, value) in self.slots.iter().filter(|(page, _)| *page != P::NONE) {
            let place = larger.place(page);
            larger.slots[place] = (page, value);
        }
        larger.len = self.len;
        *self = larger;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_returns_what_was_put_in_last() {
        let mut map = PageMap::<u64>::new();
        for page in 0..5000_u64 {
            assert_eq!(map.insert(page * 1024, page), None);
        }

        assert_eq!(map.insert(1024, 7), Some(1));

        assert_eq!(map.len(), 5000);
        assert_eq!(map.get(1024), Some(7));
        assert_eq!(map.get(4999 * 1024), Some(4999));
        assert_eq!(map.get(3), None);
    }
}
