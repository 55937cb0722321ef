//! Exact LRU stack distances: the miss-ratio curve of all sizes in one pass.
//!
//! The distance of a look-up is how many other pages were used since its page was used last; a
//! fully associative LRU array of n entries hits where the distance is below n (Mattson, Gecsei,
//! Slutz and Traiger, "Evaluation techniques for storage hierarchies", 1970).

use crate::engine::page::{Page, PageMap, low_bits};
use crate::engine::positions::Positions;
use crate::engine::window::{CHUNK, Seen, WINDOW, Window};

/// The shortest axis of positions.
const MIN_AXIS: usize = 1 << 12;
/// Positions of the axis for each page that is on it after a renewal.
const AXIS_PER_PAGE: usize = 4;

/// Counts look-ups by stack distance. Memory grows with the pages that are touched, not with the
/// look-ups.
#[derive(Clone, Debug)]
pub struct StackDistances<P> {
    window: Window<P>,
    histogram: Vec<u64>,
    accesses: u64,
    cold: u64,
    /// The pages that are behind the window, by when they left it: the axis has a position for
    /// each departure.
    behind: Positions,
    next: usize,
    page_at: Vec<P>,
    /// The position of each page that has ever left the window.
    position_of: PageMap<P>,
}

impl<P: Page> Default for StackDistances<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Page> StackDistances<P> {
    /// Returns an engine that has seen nothing.
    pub fn new() -> Self {
        Self {
            window: Window::new(),
            histogram: vec![0; WINDOW],
            accesses: 0,
            cold: 0,
            behind: Positions::new(MIN_AXIS),
            next: 0,
            page_at: vec![P::NONE; MIN_AXIS],
            position_of: PageMap::new(),
        }
    }

    /// Looks up every page in order.
    pub fn run(&mut self, pages: &[P]) {
        let mut late = Vec::with_capacity(CHUNK);
        for pages in pages.chunks(CHUNK) {
            self.run_window(pages, &mut late);
            for (page, leaving) in late.drain(..) {
                self.search(page, leaving);
            }
        }
        self.accesses += pages.len() as u64;
    }

    /// Counts look-ups that stay in the window, and puts the others off, each with the page that
    /// leaves the window by it: what they find does not change the window.
    fn run_window(&mut self, pages: &[P], late: &mut Vec<(P, P)>) {
        let histogram = self.histogram.as_mut_slice();
        self.window.run(pages, |seen| match seen {
            Seen::Again(count) => histogram[0] += count,
            Seen::Swaps(_, count) => histogram[1] += count,
            Seen::Other(page, [_, _, third, fourth]) => {
                if page == third {
                    histogram[2] += 1;
                } else if page == fourth {
                    histogram[3] += 1;
                } else {
                    late.push((page, fourth));
                }
            }
        });
    }

    /// Counts a look-up of a page that is not in the window, and takes in the page that leaves it.
    fn search(&mut self, page: P, leaving: P) {
        if let Some(position) = self.take(page) {
            let distance = WINDOW + low_bits(self.behind.above(position));
            self.behind.clear(position);
            if distance >= self.histogram.len() {
                self.histogram.resize(distance + 1, 0);
            }
            self.histogram[distance] += 1;
        } else {
            self.cold += 1;
        }
        if leaving != P::NONE {
            self.leave(leaving);
        }
    }

    /// Returns where a page is behind the window.
    fn take(&self, page: P) -> Option<usize> {
        self.position_of.get(page).map(low_bits)
    }

    fn leave(&mut self, page: P) {
        if self.next == self.behind.capacity() {
            self.renew();
        }
        self.behind.set(self.next);
        self.page_at[self.next] = page;
        self.position_of.insert(page, self.next as u64);
        self.next += 1;
    }

    /// Moves the pages to the beginning of an axis that has room again.
    fn renew(&mut self) {
        let live = low_bits(self.behind.len());
        let capacity = MIN_AXIS.max((live * AXIS_PER_PAGE).next_power_of_two());
        let mut behind = Positions::new(capacity);
        let mut page_at = vec![P::NONE; capacity];
        for (position, old) in self.behind.iter().enumerate() {
            let page = self.page_at[old];
            behind.set(position);
            page_at[position] = page;
            self.position_of.insert(page, position as u64);
        }
        (self.behind, self.page_at, self.next) = (behind, page_at, live);
    }

    /// Returns how many look-ups there were.
    pub fn accesses(&self) -> u64 {
        self.accesses
    }

    /// Returns how many pages were looked up for the first time: the compulsory misses.
    pub fn compulsory(&self) -> u64 {
        self.cold
    }

    /// Returns the look-ups by distance, from 0; those that were a page's first are not in it.
    pub fn histogram(&self) -> &[u64] {
        &self.histogram
    }

    /// Returns the misses of a fully associative LRU array of so many entries.
    pub fn misses(&self, entries: u64) -> u64 {
        let entries = low_bits(entries).min(self.histogram.len());
        self.accesses - self.histogram[..entries].iter().sum::<u64>()
    }
}
