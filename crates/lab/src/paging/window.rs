//! Denning's working set: the pages that the last so many references have used.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use super::ReferenceString;

/// What a window costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkingSetCount {
    /// The window, in references.
    pub window: NonZeroUsize,
    /// The sum of the sizes of the working set after each reference; divided by the references,
    /// their mean.
    pub total_pages: u64,
    /// The largest working set.
    pub peak_pages: usize,
    /// References to a page that the window before them does not hold.
    pub faults: u64,
}

/// Slides a window over a reference string.
///
/// The working set after a reference are the pages of the last `window` references, that one
/// included; a reference faults if its page is not in the working set before it.
pub fn working_set(string: &ReferenceString, window: NonZeroUsize) -> WorkingSetCount {
    let references = string.references();
    let mut uses: BTreeMap<u32, usize> = BTreeMap::new();
    let mut counted = WorkingSetCount {
        window,
        total_pages: 0,
        peak_pages: 0,
        faults: 0,
    };
    for (at, reference) in references.iter().enumerate() {
        if !uses.contains_key(&reference.page) {
            counted.faults += 1;
        }
        *uses.entry(reference.page).or_default() += 1;
        if let Some(gone) = at.checked_sub(window.get()) {
            forget(&mut uses, references[gone].page);
        }
        counted.total_pages += uses.len() as u64;
        counted.peak_pages = counted.peak_pages.max(uses.len());
    }
    counted
}

fn forget(uses: &mut BTreeMap<u32, usize>, page: u32) {
    if let Some(count) = uses.get_mut(&page) {
        *count -= 1;
        if *count == 0 {
            uses.remove(&page);
        }
    }
}
