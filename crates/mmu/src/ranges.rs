//! The tables as ranges of pages that are mapped alike.

use crate::addr::{FrameNumber, PageNumber};
use crate::entry::PageEntry;
use crate::phys::PhysMemory;
use crate::tables::{Entry, Root, entry, table};

/// Neighbouring pages with equal entries; of pages that are mapped, adjoining frames are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRange {
    /// The first page.
    pub first: PageNumber,
    /// How many small pages there are.
    pub len_pages: u32,
    /// The entry of the first page. Of a large page, the frame is the page's first.
    pub entry: Entry,
}

impl EntryRange {
    fn is_continued_by(&self, next: &Self) -> bool {
        let follows = |page: PageEntry| PageEntry {
            frame: FrameNumber::truncate(page.frame.bits().wrapping_add(self.len_pages)),
            ..page
        };
        let expected = match self.entry {
            Entry::Page(page) => Entry::Page(follows(page)),
            Entry::Large(page) => Entry::Large(follows(page)),
            other => other,
        };
        next.entry == expected
    }
}

/// Returns what the tables say of every page, as ranges from page 0 to the last.
pub fn ranges(mem: &PhysMemory, root: Root) -> impl Iterator<Item = EntryRange> + '_ {
    let tables = (PageNumber::LAST.bits() + 1) / root.pages_per_table();
    let firsts =
        (0..tables).filter_map(move |index| PageNumber::new(index * root.pages_per_table()));
    let mut parts = firsts
        .flat_map(move |first| under(mem, root, first))
        .peekable();
    std::iter::from_fn(move || {
        let mut range = parts.next()?;
        while let Some(next) = parts.next_if(|next| range.is_continued_by(next)) {
            range.len_pages += next.len_pages;
        }
        Some(range)
    })
}

/// Returns the parts under one directory entry: one for each page of a table, or one for all.
fn under(mem: &PhysMemory, root: Root, first: PageNumber) -> Vec<EntryRange> {
    match table(mem, root, first) {
        None => vec![EntryRange {
            first,
            len_pages: root.pages_per_table(),
            entry: entry(mem, root, first),
        }],
        Some(view) => (0..view.len_pages())
            .filter_map(|index| {
                Some(EntryRange {
                    first: PageNumber::new(first.bits() + index)?,
                    len_pages: 1,
                    entry: view.entry(index),
                })
            })
            .collect(),
    }
}
