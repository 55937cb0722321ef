//! Which 64 KiB granules of an address space are taken, one bit each.

use bitvec::order::Lsb0;
use bitvec::vec::BitVec;
use pagefault_mmu::PageNumber;

use crate::range::{PageRange, page};

/// Pages in a granule: reservations start on 64 KiB.
pub(crate) const GRANULE_PAGES: u32 = 16;
const WORD_BITS: u32 = u64::BITS;

/// Finds room for reservations.
///
/// The bitmap of the whole user space is 4 KiB, so a search reads at most a few hundred words,
/// however many regions there are.
#[derive(Clone, Debug)]
pub(crate) struct Granules {
    /// A set bit is a taken granule.
    taken: BitVec<u64, Lsb0>,
    /// No granule below this one is free.
    lowest: u32,
}

impl Granules {
    /// Returns the map of a user space `user`, all else taken.
    pub(crate) fn new(user: PageRange) -> Self {
        let count = user.end().bits().div_ceil(GRANULE_PAGES);
        let words = count.div_ceil(WORD_BITS);
        let mut taken = BitVec::repeat(true, (words * WORD_BITS) as usize);
        taken[granule(user.start()) as usize..count as usize].fill(false);
        Self {
            taken,
            lowest: granule(user.start()),
        }
    }

    /// Returns the lowest taken granule that `pages` reaches into, as its first page.
    pub(crate) fn first_taken(&self, pages: PageRange) -> Option<PageNumber> {
        let (first, end) = span(pages);
        let taken = self.taken.get(first as usize..end as usize)?;
        let offset = u32::try_from(taken.first_one()?).ok()?;
        Some(page((first + offset) * GRANULE_PAGES))
    }

    pub(crate) fn take(&mut self, pages: PageRange) {
        let (first, end) = span(pages);
        self.taken[first as usize..end as usize].fill(true);
        if first <= self.lowest {
            self.lowest = self.lowest.max(end);
        }
    }

    pub(crate) fn release(&mut self, pages: PageRange) {
        let (first, end) = span(pages);
        self.taken[first as usize..end as usize].fill(false);
        self.lowest = self.lowest.min(first);
    }

    /// Returns the lowest free run of `len_pages` pages that starts on a granule.
    pub(crate) fn lowest_free(&self, len_pages: u32) -> Option<PageRange> {
        let wanted = len_pages.div_ceil(GRANULE_PAGES);
        let mut runs = FreeRuns {
            words: self.taken.as_raw_slice(),
            at: self.lowest,
        };
        let start = runs.find(|(start, end)| end - start >= wanted)?.0 * GRANULE_PAGES;
        PageRange::from_bits(start, start.checked_add(len_pages)?)
    }

    /// Returns the highest free run of `len_pages` pages that starts on a granule.
    pub(crate) fn highest_free(&self, len_pages: u32) -> Option<PageRange> {
        let wanted = len_pages.div_ceil(GRANULE_PAGES);
        let mut free = 0;
        let mut granules = self.taken.iter().by_vals().enumerate().rev();
        let (first, _) = granules.find(|&(_, taken)| {
            free = if taken { 0 } else { free + 1 };
            free == wanted
        })?;
        let start = u32::try_from(first).ok()? * GRANULE_PAGES;
        PageRange::from_bits(start, start.checked_add(len_pages)?)
    }
}

/// The maximal runs of clear bits, from `at` upwards.
struct FreeRuns<'a> {
    words: &'a [u64],
    at: u32,
}

impl FreeRuns<'_> {
    /// Returns the first bit from `from` on that is set once `flip` is applied; or the number of
    /// bits.
    fn next_bit(&self, from: u32, flip: u64) -> u32 {
        let first = (from / WORD_BITS) as usize;
        let mut mask = u64::MAX << (from % WORD_BITS);
        for (index, word) in (first..).zip(self.words.get(first..).unwrap_or_default()) {
            let hits = (word ^ flip) & mask;
            if hits != 0 {
                return truncate(index) * WORD_BITS + hits.trailing_zeros();
            }
            mask = u64::MAX;
        }
        truncate(self.words.len()) * WORD_BITS
    }
}

impl Iterator for FreeRuns<'_> {
    type Item = (u32, u32);

    fn next(&mut self) -> Option<(u32, u32)> {
        let start = self.next_bit(self.at, u64::MAX);
        if start >= truncate(self.words.len()) * WORD_BITS {
            return None;
        }
        let end = self.next_bit(start, 0);
        self.at = end;
        Some((start, end))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a 4 GiB space has 65,536 granules"
)]
fn truncate(index: usize) -> u32 {
    index as u32
}

fn granule(page: PageNumber) -> u32 {
    page.bits() / GRANULE_PAGES
}

/// Returns the first granule that the pages touch, and the first past them.
fn span(pages: PageRange) -> (u32, u32) {
    (
        granule(pages.start()),
        pages.end().bits().div_ceil(GRANULE_PAGES),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u32, end: u32) -> PageRange {
        PageRange::from_bits(start, end).unwrap()
    }

    fn user() -> Granules {
        Granules::new(range(0x10, 0x7_fff0))
    }

    #[test]
    fn the_lowest_free_run_skips_gaps_that_are_too_small() {
        let mut granules = user();
        granules.take(range(0x10, 0x13));
        granules.take(range(0x30, 0x31));

        assert_eq!(granules.lowest_free(0x10), Some(range(0x20, 0x30)));
        assert_eq!(granules.lowest_free(0x11), Some(range(0x40, 0x51)));

        granules.release(range(0x10, 0x13));
        assert_eq!(granules.lowest_free(0x20), Some(range(0x10, 0x30)));
    }

    #[test]
    fn the_highest_free_run_ends_at_the_top_of_user_space() {
        let mut granules = user();

        assert_eq!(granules.highest_free(3), Some(range(0x7_ffe0, 0x7_ffe3)));
        granules.take(range(0x7_ffe0, 0x7_ffe3));
        assert_eq!(granules.highest_free(0x11), Some(range(0x7_ffc0, 0x7_ffd1)));
    }

    #[test]
    fn a_full_space_has_no_room_and_an_empty_one_takes_all_of_it() {
        let mut granules = user();
        let all = range(0x10, 0x7_fff0);

        assert_eq!(granules.lowest_free(all.len_pages()), Some(all));
        assert_eq!(granules.lowest_free(all.len_pages() + 1), None);
        granules.take(all);
        assert_eq!(granules.lowest_free(1), None);
        assert_eq!(granules.highest_free(1), None);
        assert_eq!(granules.first_taken(range(0x100, 0x101)), Some(page(0x100)));
    }
}
