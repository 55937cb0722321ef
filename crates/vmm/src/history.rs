//! Which call is to blame: the origin of each reservation, commitment, protection and lock.

use std::collections::BTreeMap;

use pagefault_mmu::PageNumber;

use crate::range::PageRange;

/// A token that the caller passes with a call, and gets back when it asks who made a page so.
///
/// This crate attaches no meaning to it; `machine` numbers call sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(pub u32);

impl Origin {
    /// No call in particular: the loader, or a test.
    pub const UNKNOWN: Self = Self(u32::MAX);
}

/// Who brought a page to its present state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Who reserved the region that the page is in.
    pub reserved_by: Option<Origin>,
    /// Who committed the page last.
    pub committed_by: Option<Origin>,
    /// Who decommitted the page, if it is decommitted.
    pub decommitted_by: Option<Origin>,
    /// Who set its protection last; the commitment sets it too.
    pub protected_by: Option<Origin>,
    /// Who locked it, if it is locked.
    pub locked_by: Option<Origin>,
}

/// The history of the pages of one region.
#[derive(Clone, Debug)]
pub(crate) struct RegionHistory {
    reserved_by: Origin,
    committed: Runs,
    decommitted: Runs,
    protected: Runs,
    locked: Runs,
}

impl RegionHistory {
    pub(crate) fn new(reserved_by: Origin) -> Self {
        let empty = Runs::default;
        Self {
            reserved_by,
            committed: empty(),
            decommitted: empty(),
            protected: empty(),
            locked: empty(),
        }
    }

    pub(crate) fn commit(&mut self, pages: PageRange, by: Origin) {
        self.committed.set(pages, by);
        self.protected.set(pages, by);
        self.decommitted.clear(pages);
    }

    pub(crate) fn decommit(&mut self, pages: PageRange, by: Origin) {
        self.committed.clear(pages);
        self.protected.clear(pages);
        self.locked.clear(pages);
        self.decommitted.set(pages, by);
    }

    pub(crate) fn protect(&mut self, pages: PageRange, by: Origin) {
        self.protected.set(pages, by);
    }

    pub(crate) fn lock(&mut self, pages: PageRange, by: Origin) {
        self.locked.set(pages, by);
    }

    pub(crate) fn unlock(&mut self, pages: PageRange) {
        self.locked.clear(pages);
    }

    pub(crate) fn at(&self, page: PageNumber) -> History {
        History {
            reserved_by: Some(self.reserved_by),
            committed_by: self.committed.get(page),
            decommitted_by: self.decommitted.get(page),
            protected_by: self.protected.get(page),
            locked_by: self.locked.get(page),
        }
    }
}

/// An origin for each page, kept as runs: first page to (end, origin). Runs do not overlap.
#[derive(Clone, Debug, Default)]
struct Runs(BTreeMap<u32, (u32, Origin)>);

impl Runs {
    fn get(&self, page: PageNumber) -> Option<Origin> {
        let (_, &(end, origin)) = self.0.range(..=page.bits()).next_back()?;
        (page.bits() < end).then_some(origin)
    }

    fn set(&mut self, pages: PageRange, origin: Origin) {
        let start = pages.start().bits();
        // The common case is one run over and over: a loop that protects the same page.
        if let Some(run) = self.0.get_mut(&start)
            && run.0 == pages.end().bits()
        {
            run.1 = origin;
            return;
        }
        self.clear(pages);
        self.0.insert(start, (pages.end().bits(), origin));
    }

    fn clear(&mut self, pages: PageRange) {
        let (start, end) = (pages.start().bits(), pages.end().bits());
        // A run that begins before the hole keeps its head, and its tail if it goes past the hole.
        if let Some((_, run)) = self.0.range_mut(..start).next_back()
            && run.0 > start
        {
            let (tail_end, origin) = *run;
            run.0 = start;
            if tail_end > end {
                self.0.insert(end, (tail_end, origin));
            }
        }
        while let Some((&at, &(run_end, origin))) = self.0.range(start..end).next() {
            self.0.remove(&at);
            if run_end > end {
                self.0.insert(end, (run_end, origin));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::page;

    #[test]
    fn runs_answer_as_a_table_of_pages_does() {
        let mut runs = Runs::default();
        let mut table = [None; 32];
        // Starts and lengths that overlap in each way: inside, around, left, right, equal.
        for step in 0..400_u32 {
            let start = step * 7 % 29;
            let end = (start + 1 + step * 5 % 11).min(32);
            let pages = PageRange::from_bits(start, end).unwrap();
            let value = (step % 3 != 0).then_some(Origin(step));
            match value {
                Some(origin) => runs.set(pages, origin),
                None => runs.clear(pages),
            }
            table[start as usize..end as usize].fill(value);

            for (number, expected) in (0..).zip(table) {
                assert_eq!(
                    runs.get(page(number)),
                    expected,
                    "step {step}, page {number}"
                );
            }
        }
    }
}
