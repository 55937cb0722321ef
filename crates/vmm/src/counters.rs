//! What is counted, and the commit charge.

/// Events since the manager was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Page faults that the manager was asked about.
    pub faults: u64,
    /// First touches, answered with a frame of zeros.
    pub demand_zero: u64,
    /// Faults answered with contents that were still in a frame.
    pub soft_faults: u64,
    /// Faults that had to wait for a page from the paging file or another file.
    pub hard_faults: u64,
    /// Private copies made of shared pages.
    pub copies_on_write: u64,
    /// Guard pages hit.
    pub guard_hits: u64,
    /// Faults that were refused.
    pub access_violations: u64,
    /// Pages read from a file.
    pub pages_in: u64,
    /// Pages written to a file.
    pub pages_out: u64,
    /// Frames taken away from a page to be given to another.
    pub steals: u64,
}

/// The commit charge: pages that have been promised contents, in RAM or in the paging file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Pages promised.
    pub charged_pages: u32,
    /// The most that were ever promised.
    pub peak_pages: u32,
    /// Pages that can be promised.
    pub limit_pages: u32,
}

impl Commit {
    pub(crate) fn new(limit_pages: u32) -> Self {
        Self {
            charged_pages: 0,
            peak_pages: 0,
            limit_pages,
        }
    }

    /// Returns how many more pages can be promised.
    pub fn available_pages(&self) -> u32 {
        self.limit_pages.saturating_sub(self.charged_pages)
    }

    pub(crate) fn charge(&mut self, pages: u32) {
        self.charged_pages += pages;
        self.peak_pages = self.peak_pages.max(self.charged_pages);
    }

    pub(crate) fn release(&mut self, pages: u32) {
        debug_assert!(
            pages <= self.charged_pages,
            "released more than was charged"
        );
        self.charged_pages -= pages;
    }
}
