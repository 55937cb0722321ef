//! Which 64 KiB granules of an address space are taken, one bit each.

use bitvec::order::Lsb0;
use bitvec::vec::BitVec;
use pagefault_mmu::PageNumber;

use crate::range::{PageRange, page};

/// Pages in a granule: reservations start on 64 KiB.
pub(crate) const GRANULE_PAGES: u32 = 16;
/// Bits of a word; 32-bit hosts have no wider ones for bitmaps.
const WORD_BITS: u32 = u32::BITS;

/// Finds room for reservations.
///
/// The bitmap of 2 GiB is 4 KiB, and a summary of it 128 bytes, so that a search for a small run
/// reads a few words, however many regions there are.
#[derive(Clone, Debug)]
pub(crate) struct Granules {
    /// A set bit is a taken granule.
    taken: BitVec<u32, Lsb0>,
    /// A set bit is a word of `taken` with a free granule.
    roomy: BitVec<u32, Lsb0>,
    /// No granule below this one is free.
    lowest: u32,
}

/// What a granule is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Taken,
    Free,
}

impl Granules {
    /// Returns the map of a user space `user`, all else taken.
    pub(crate) fn new(user: PageRange) -> Self {
        let count = user.end().bits().div_ceil(GRANULE_PAGES);
        let words = count.div_ceil(WORD_BITS);
        let taken = BitVec::repeat(true, (words * WORD_BITS) as usize);
        let roomy = BitVec::repeat(false, words as usize);
        let lowest = granule(user.start());
        let mut granules = Self {
            taken,
            roomy,
            lowest,
        };
        granules.release(user);
        granules
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
        self.summarise(first, end, Use::Taken);
        if first <= self.lowest {
            self.lowest = self.lowest.max(end);
        }
    }

    pub(crate) fn release(&mut self, pages: PageRange) {
        let (first, end) = span(pages);
        self.taken[first as usize..end as usize].fill(false);
        self.summarise(first, end, Use::Free);
        self.lowest = self.lowest.min(first);
    }

    /// Brings the summary of granules `first` to `end` up to date, all of which are now taken or
    /// free.
    fn summarise(&mut self, first: u32, end: u32, all: Use) {
        let words = (first / WORD_BITS) as usize..end.div_ceil(WORD_BITS) as usize;
        // Only the words at both ends can hold others.
        self.roomy[words.clone()].fill(all == Use::Free);
        for index in [words.start, words.end - 1] {
            let is_roomy = self.taken.as_raw_slice()[index] != u32::MAX;
            self.roomy.set(index, is_roomy);
        }
    }

    /// Returns the lowest free run of `len_pages` pages that starts on a granule.
    pub(crate) fn lowest_free(&self, len_pages: u32) -> Option<PageRange> {
        let wanted = len_pages.div_ceil(GRANULE_PAGES);
        let mut at = self.lowest;
        loop {
            let start = self.next_free(at)?;
            let end = self.next_taken(start, wanted);
            if end - start >= wanted {
                let start = start * GRANULE_PAGES;
                return PageRange::from_bits(start, start.checked_add(len_pages)?);
            }
            at = end;
        }
    }

    /// Returns the lowest free granule from `from` on.
    fn next_free(&self, from: u32) -> Option<u32> {
        let word = from / WORD_BITS;
        let here = !self.taken.as_raw_slice().get(word as usize)? & u32::MAX << (from % WORD_BITS);
        if here != 0 {
            return Some(word * WORD_BITS + here.trailing_zeros());
        }
        let after = self.roomy.get(word as usize + 1..)?;
        let roomy = word as usize + 1 + after.first_one()?;
        let free = !self.taken.as_raw_slice()[roomy];
        Some(u32::try_from(roomy).ok()? * WORD_BITS + free.trailing_zeros())
    }

    /// Returns the lowest taken granule from `from` on, or `from + limit` if that comes first.
    fn next_taken(&self, from: u32, limit: u32) -> u32 {
        let end = from.saturating_add(limit);
        let (first, past) = (from / WORD_BITS, end.div_ceil(WORD_BITS));
        let words = self.taken.as_raw_slice();
        let bit = |word: u32, taken: u32| word * WORD_BITS + taken.trailing_zeros();
        let in_map = u32::try_from(words.len()).unwrap_or(u32::MAX);
        let Some(&word) = words.get(first as usize) else {
            return from;
        };
        let here = word & u32::MAX << (from % WORD_BITS);
        if here != 0 {
            return end.min(bit(first, here));
        }
        let rest = (first + 1).min(past)..past.min(in_map);
        let after = words[rest.start as usize..rest.end as usize].iter();
        match (rest.clone()).zip(after).find(|&(_, &word)| word != 0) {
            Some((index, &taken)) => end.min(bit(index, taken)),
            // Past the map everything is taken.
            None => end.min(in_map * WORD_BITS),
        }
    }

    /// Returns the highest free run of `len_pages` pages that starts on a granule.
    pub(crate) fn highest_free(&self, len_pages: u32) -> Option<PageRange> {
        let wanted = len_pages.div_ceil(GRANULE_PAGES);
        let mut free = 0;
        let words = self.taken.as_raw_slice();
        let count = u32::try_from(words.len()).ok()?;
        for (index, &word) in (0..count).zip(words).rev() {
            if word == u32::MAX {
                free = 0;
                continue;
            }
            if word == 0 && free + WORD_BITS < wanted {
                free += WORD_BITS;
                continue;
            }
            for bit in (0..WORD_BITS).rev() {
                let is_taken = word >> bit & 1 != 0;
                free = if is_taken { 0 } else { free + 1 };
                if free == wanted {
                    let start = (index * WORD_BITS + bit) * GRANULE_PAGES;
                    return PageRange::from_bits(start, start.checked_add(len_pages)?);
                }
            }
        }
        None
    }
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
    fn searches_agree_with_a_plain_scan() {
        let mut granules = Granules::new(range(0x10, 0x4000));
        let mut taken = [false; 0x400];
        taken[0] = true;
        for step in 0..3000_u32 {
            let len = step * 7 % 40 + 1;
            let start = (step.wrapping_mul(2_654_435_761) >> 20) % (0x400 - len - 1) + 1;
            let pages = range(start * GRANULE_PAGES, (start + len) * GRANULE_PAGES);
            let takes = step % 5 < 3;
            if takes {
                granules.take(pages);
            } else {
                granules.release(pages);
            }
            taken[start as usize..(start + len) as usize].fill(takes);

            let wanted = step % 9 + 1;
            let mut windows = taken.windows(wanted as usize);
            let first = windows.position(|window| window.iter().all(|&taken| !taken));
            let found = granules.lowest_free(wanted * GRANULE_PAGES);
            let found = found.map(|found| (found.start().bits() / GRANULE_PAGES) as usize);
            assert_eq!(found, first, "step {step}");
            let last = taken
                .windows(wanted as usize)
                .rposition(|window| !window.contains(&true));
            let found = granules.highest_free(wanted * GRANULE_PAGES);
            let found = found.map(|found| (found.start().bits() / GRANULE_PAGES) as usize);
            assert_eq!(found, last, "step {step}");
        }
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
