//! Belady's optimal replacement: the floor under every policy.

use std::collections::BinaryHeap;

use pagefault_mmu::{Geometry, Index};

use crate::engine::page::{Page, PageMap, low_bits};

/// When the page of each look-up is looked up next: what optimal replacement has to know.
///
/// It needs 8 bytes for each look-up.
#[derive(Clone, Debug)]
pub struct Future {
    next: Vec<u64>,
}

/// Heaps are cleared of what is past when they hold so many times the ways.
const STALE_FACTOR: usize = 4;

impl Future {
    /// Finds the next use of every look-up.
    pub fn of<P: Page>(pages: &[P]) -> Self {
        let mut seen = PageMap::new();
        let end = pages.len() as u64;
        let mut next = vec![0; pages.len()];
        for (index, &page) in pages.iter().enumerate().rev() {
            // A page that is never used again counts from the end on, so that no two are equal.
            let never = end + index as u64;
            next[index] = seen.insert(page, index as u64).unwrap_or(never);
        }
        Self { next }
    }

    /// Returns the misses of an array of this shape under optimal replacement of each set, where
    /// every miss is filled. The policy of the geometry does not matter.
    ///
    /// # Panics
    ///
    /// If `pages` are not those that the future was made of.
    pub fn misses<P: Page>(&self, pages: &[P], geometry: Geometry) -> u64 {
        assert_eq!(pages.len(), self.next.len(), "the future of other pages");
        let sets = u64::from(geometry.sets());
        let ways = geometry.ways() as usize;
        let mut residents = vec![Residents::default(); low_bits(sets)];
        // Which look-ups will find their page: a bit for each.
        let mut is_held = vec![false; pages.len() * 2];
        let mut misses = 0;
        for (index, (&page, &next)) in pages.iter().zip(&self.next).enumerate() {
            let number = page.number();
            let number = match geometry.index() {
                Index::LowBits => number,
                Index::XorFold => number ^ number >> sets.trailing_zeros(),
            };
            let set = &mut residents[low_bits(number & (sets - 1))];
            if !is_held[index] {
                misses += 1;
                if set.len == ways {
                    let farthest = set.nexts.pop().expect("a full set has pages");
                    is_held[low_bits(farthest)] = false;
                } else {
                    set.len += 1;
                }
            }
            is_held[low_bits(next)] = true;
            set.nexts.push(next);
            if set.nexts.len() > STALE_FACTOR * ways {
                set.nexts.retain(|&next| next > index as u64);
            }
        }
        misses
    }
}

/// The next uses of the pages of a set. Those that are past are left in until there are many: they
/// are never the farthest.
#[derive(Clone, Debug, Default)]
struct Residents {
    nexts: BinaryHeap<u64>,
    len: usize,
}
