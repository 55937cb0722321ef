//! The paging-structure cache: directory entries that a walk may begin at.
//!
//! SDM Vol. 3A, "Paging-Structure Caches". Only entries that name a table are remembered, and only
//! after a walk through them has succeeded, so that A is set in them.

use crate::addr::PageNumber;
use crate::control::Paging;
use crate::walk::directory_tag;

/// A fully associative cache with true LRU; none if it has no entries.
#[derive(Clone, Debug)]
pub(crate) struct DirectoryCache {
    capacity: usize,
    /// The most recently used entry is last.
    entries: Vec<(u32, u64)>,
}

impl DirectoryCache {
    pub(crate) fn new(capacity: u32) -> Self {
        Self {
            capacity: capacity as usize,
            entries: Vec::new(),
        }
    }

    /// Returns the directory entry for the page and makes it the most recently used.
    #[inline]
    pub(crate) fn find(&mut self, paging: &Paging, page: PageNumber) -> Option<u64> {
        if self.entries.is_empty() {
            return None;
        }
        let tag = directory_tag(paging, page);
        let index = self.entries.iter().position(|&(held, _)| held == tag)?;
        let entry = self.entries.remove(index);
        self.entries.push(entry);
        Some(entry.1)
    }

    /// Returns whether there is one.
    #[inline(always)]
    pub(crate) fn exists(&self) -> bool {
        self.capacity != 0
    }

    /// Remembers the directory entry of a walk that has found a small page.
    pub(crate) fn remember(&mut self, paging: &Paging, page: PageNumber, entry: u64) {
        if self.entries.len() == self.capacity {
            self.entries.remove(0);
        }
        self.entries.push((directory_tag(paging, page), entry));
    }

    #[inline]
    pub(crate) fn forget(&mut self, paging: &Paging, page: PageNumber) {
        let tag = directory_tag(paging, page);
        self.entries.retain(|&(held, _)| held != tag);
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}
