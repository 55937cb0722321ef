//! All LRU geometries in one pass: 1 to 512 sets of 1 to 16 ways.
//!
//! Behind the window of pages used last, each number of sets has a stack of pages for each of its
//! sets. A look-up hits in w ways if fewer than w pages of its set were used since (Hill and Smith,
//! "Evaluating associativity in CPU caches", 1989). Pages in the window are newer than all that
//! are behind it; those that share the set of a page for 2^k sets are those that agree with it in
//! k low bits. So look-ups that stay in the window are only counted, by the agreements of the pages
//! above theirs, and the stacks are not touched.

use crate::engine::page::{Page, PageMap, low_bits};
use crate::engine::window::{CHUNK, Pages, Seen, WINDOW, Window};

/// The numbers of sets: 2^0 to 2^9.
pub const SET_COUNTS: usize = MAX_SET_BITS as usize + 1;
/// The most sets.
pub const MAX_SETS: u32 = 1 << MAX_SET_BITS;
/// The base-2 logarithm of the most sets.
const MAX_SET_BITS: u32 = 9;
/// The most ways.
pub const MAX_WAYS: u32 = 16;
/// Geometries that are counted.
pub const GEOMETRIES: usize = SET_COUNTS * WAYS;

const WAYS: usize = MAX_WAYS as usize;
/// Sets of all numbers of sets together.
const ALL_SETS: usize = (1 << SET_COUNTS) - 1;
/// Bits of a code that says how two pages agree.
const CODE_BITS: u32 = 4;
/// Ways in which the pages above one in the window can agree with it.
const PATTERNS: usize = 1 << (CODE_BITS as usize * (WINDOW - 1));

/// Counts misses of all LRU geometries. Memory grows with the pages touched, for the compulsory
/// misses, not with the look-ups.
#[derive(Clone, Debug)]
pub struct AllLru<P> {
    window: Window<P>,
    /// The pages behind the window: for 2^k sets from stack 2^k - 1 on.
    stacks: Vec<Stack<P>>,
    /// Hits in the window, by the codes of the pages above.
    patterns: Vec<u64>,
    /// Look-ups by depth in their set, for each number of sets; the last counts all deeper ones.
    depths: [[u64; WAYS + 1]; SET_COUNTS],
    accesses: u64,
    seen: PageMap<P>,
}

impl<P: Page> Default for AllLru<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Page> AllLru<P> {
    /// Returns an engine that has seen nothing.
    pub fn new() -> Self {
        Self {
            window: Window::new(),
            stacks: vec![Stack::EMPTY; ALL_SETS],
            patterns: vec![0; PATTERNS],
            depths: [[0; WAYS + 1]; SET_COUNTS],
            accesses: 0,
            seen: PageMap::new(),
        }
    }

    /// Looks up every page in order.
    pub fn run(&mut self, pages: &[P]) {
        let mut late = Vec::with_capacity(CHUNK);
        for pages in pages.chunks(CHUNK) {
            self.run_window(pages, &mut late);
            for (page, window) in late.drain(..) {
                self.search(page, window);
            }
        }
        self.accesses += pages.len() as u64;
    }

    /// Counts look-ups that stay in the window, and puts the others off: what they find does not
    /// change the window, and the loop is shorter without them.
    fn run_window(&mut self, pages: &[P], late: &mut Vec<(P, Pages<P>)>) {
        let patterns = self.patterns.as_mut_slice();
        self.window.run(pages, |seen| match seen {
            Seen::Again(count) => patterns[0] += count,
            Seen::Swaps([first, second], count) => patterns[code(first, second, 0)] += count,
            Seen::Other(page, window) => {
                let [first, second, third, fourth] = window;
                if page != third && page != fourth {
                    late.push((page, window));
                    return;
                }
                // All ones if the third page is above it: no branch to mispredict.
                let is_above = usize::from(page == third).wrapping_sub(1);
                let pattern = code(page, first, 0) | code(page, second, 1);
                patterns[pattern | code(page, third, 2) & is_above] += 1;
            }
        });
    }

    /// Counts a look-up of a page that is not in the window, and takes in the page that leaves it.
    #[inline(never)]
    fn search(&mut self, page: P, window: Pages<P>) {
        let mut agreeing = [0; SET_COUNTS];
        for &newer in window.iter().filter(|&&newer| newer != P::NONE) {
            let bits = page.agreeing_bits(newer, MAX_SET_BITS) as usize;
            for (level, count) in agreeing.iter_mut().enumerate() {
                *count += usize::from(level <= bits);
            }
        }
        let [.., leaving] = window;
        let mut deepest = 0;
        for (level, newer) in agreeing.into_iter().enumerate() {
            let first = (1 << level) - 1;
            let set = |page: P| first + (low_bits(page.number()) & first);
            let depth = self.stacks[set(page)].take(page);
            deepest |= WAYS - depth;
            self.depths[level][(depth + newer).min(WAYS)] += 1;
            if leaving != P::NONE {
                self.stacks[set(leaving)].push(leaving);
            }
        }
        // A page that some stack had was seen before.
        if deepest == 0 {
            self.seen.insert(page, 0);
        }
    }

    /// Returns how many look-ups there were.
    pub fn accesses(&self) -> u64 {
        self.accesses
    }

    /// Returns how many pages were looked up for the first time: the compulsory misses.
    pub fn compulsory(&self) -> u64 {
        self.seen.len()
    }

    /// Returns the misses of every geometry: `[k][w]` for 2^k sets of w + 1 ways.
    pub fn misses(&self) -> [[u64; WAYS]; SET_COUNTS] {
        let mut depths = self.depths;
        for (pattern, &count) in self
            .patterns
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
        {
            for (level, depths) in depths.iter_mut().enumerate() {
                depths[depth_in(pattern, level)] += count;
            }
        }
        depths.map(|depths| {
            let mut left = self.accesses;
            std::array::from_fn(|ways| {
                left -= depths[ways];
                left
            })
        })
    }
}

/// Returns the code of a page that lies above one at a depth of the window, at its place in a
/// pattern: one more than the agreeing bits. No page has code 0.
#[inline(always)]
fn code<P: Page>(page: P, above: P, depth: u32) -> usize {
    let bits = page.agreeing_bits(above, MAX_SET_BITS) as usize;
    (bits + 1) << (CODE_BITS * depth)
}

/// Returns how many of the pages of a pattern share the set for 2^level sets.
fn depth_in(pattern: usize, level: usize) -> usize {
    let codes = (0..WINDOW - 1).map(|depth| pattern >> (CODE_BITS as usize * depth) & 0xF);
    codes.filter(|&code| code > level).count()
}

/// The latest pages of a set. Pages stay where they are; a word of nibbles tells their order.
#[derive(Clone, Copy, Debug)]
struct Stack<P> {
    pages: [P; WAYS],
    /// The places of the pages, the latest in the lowest nibble. Empty places come last.
    order: u64,
}

/// One in every nibble.
const ONES: u64 = 0x1111_1111_1111_1111;
/// The top bit of every nibble.
const TOPS: u64 = ONES << 3;
const NIBBLE: u32 = 4;

impl<P: Page> Stack<P> {
    const EMPTY: Self = Self {
        pages: [P::NONE; WAYS],
        order: 0xFEDC_BA98_7654_3210,
    };

    /// Takes a page out; returns its depth, or the number of ways if it is not there.
    #[inline(always)]
    fn take(&mut self, page: P) -> usize {
        // Without leaving early: the comparison becomes a few vector instructions.
        let mut places = 0_u32;
        for (place, &other) in self.pages.iter().enumerate() {
            places |= u32::from(other == page) << place;
        }
        if places == 0 {
            return WAYS;
        }
        let place = places.trailing_zeros() as usize % WAYS;
        self.pages[place] = P::NONE;
        let place = place as u64;
        // The nibble that holds the place becomes zero, and borrows mark the lowest zero nibble.
        let difference = self.order ^ (place * ONES);
        let zero = difference.wrapping_sub(ONES) & !difference & TOPS;
        let shift = zero.trailing_zeros() & !(NIBBLE - 1);
        let below = self.order & ((1 << shift) - 1);
        let above = self.order >> shift >> NIBBLE << shift;
        self.order = below | above | place << (u64::BITS - NIBBLE);
        (shift / NIBBLE) as usize
    }

    /// Puts a page on top; the lowest one drops out.
    #[inline(always)]
    fn push(&mut self, page: P) {
        let place = self.order >> (u64::BITS - NIBBLE);
        self.order = self.order << NIBBLE | place;
        self.pages[low_bits(place) % WAYS] = page;
    }
}
