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
///
/// Most regions are reserved, or reserved and committed, and that is all; what happens to parts of
/// them later is kept apart.
#[derive(Clone, Debug)]
pub(crate) struct RegionHistory {
    reserved_by: Origin,
    birth: Birth,
    events: Option<Box<Events>>,
}

/// What the call that made a region made of its pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Birth {
    Reserved,
    Committed,
}

#[derive(Clone, Debug, Default)]
struct Events {
    committed: Runs,
    decommitted: Runs,
    protected: Runs,
    locked: Runs,
}

impl RegionHistory {
    pub(crate) fn new(reserved_by: Origin) -> Self {
        Self {
            reserved_by,
            birth: Birth::Reserved,
            events: None,
        }
    }

    /// The call that reserves the region commits all of it.
    pub(crate) fn commit_at_birth(&mut self) {
        self.birth = Birth::Committed;
    }

    pub(crate) fn commit(&mut self, pages: PageRange, by: Origin) {
        let events = self.events();
        events.committed.set(pages, by);
        events.protected.set(pages, by);
        events.decommitted.clear(pages);
    }

    pub(crate) fn decommit(&mut self, pages: PageRange, by: Origin) {
        let events = self.events();
        events.committed.clear(pages);
        events.protected.clear(pages);
        events.locked.clear(pages);
        events.decommitted.set(pages, by);
    }

    pub(crate) fn protect(&mut self, pages: PageRange, by: Origin) {
        self.events().protected.set(pages, by);
    }

    pub(crate) fn lock(&mut self, pages: PageRange, by: Origin) {
        self.events().locked.set(pages, by);
    }

    pub(crate) fn unlock(&mut self, pages: PageRange) {
        self.events().locked.clear(pages);
    }

    pub(crate) fn at(&self, page: PageNumber) -> History {
        let find = |runs: fn(&Events) -> &Runs| {
            self.events
                .as_ref()
                .and_then(|events| runs(events).get(page))
        };
        let decommitted_by = find(|events| &events.decommitted);
        let is_as_born = self.birth == Birth::Committed && decommitted_by.is_none();
        let at_birth = is_as_born.then_some(self.reserved_by);
        History {
            reserved_by: Some(self.reserved_by),
            committed_by: find(|events| &events.committed).or(at_birth),
            decommitted_by,
            protected_by: find(|events| &events.protected).or(at_birth),
            locked_by: find(|events| &events.locked),
        }
    }

    fn events(&mut self) -> &mut Events {
        self.events.get_or_insert_default()
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
    fn pages_remember_who_made_them_what_they_are() {
        let [born, changed, gone] = [1, 2, 3].map(Origin);
        let mut history = RegionHistory::new(born);
        history.commit_at_birth();
        history.protect(PageRange::single(page(5)), changed);
        history.decommit(PageRange::single(page(6)), gone);

        let at = |number| history.at(page(number));
        assert_eq!(
            (at(4).committed_by, at(4).protected_by),
            (Some(born), Some(born))
        );
        assert_eq!(
            (at(5).committed_by, at(5).protected_by),
            (Some(born), Some(changed))
        );
        assert_eq!(
            (at(6).committed_by, at(6).decommitted_by),
            (None, Some(gone))
        );
    }

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
