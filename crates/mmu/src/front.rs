//! The front array: a host-side shortcut for TLB hits.
//!
//! A line remembers a translation that the first level of the modelled TLB holds, together with
//! the verdict of the rights check under the present settings. It is a subset of the model and can
//! change nothing: whatever displaces, drops or rewrites the model's translation, or changes a
//! setting, clears the line. A hit through a line counts and ages exactly as one through the model.

use crate::addr::{LinearAddr, OFFSET_MASK, PageNumber};
use crate::fault::Privilege;
use crate::tlb::Place;
use crate::word::Word;

/// Lines of the array: direct mapped by the low bits of the page number.
const LINES: usize = 256;

/// A tag that no access asks for.
pub(crate) const NO_TAG: u32 = 0;
/// The tag bit beside the page that tells a line from an empty one.
const TAG_VALID: u32 = 1;
/// Where a tag says on whose behalf.
const TAG_PRIVILEGE_SHIFT: u32 = 1;

/// A remembered translation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// The tag of accesses that may read, or fetch, without further questions.
    pub(crate) read: u32,
    /// The tag of accesses that may write: rights, D, and nobody tracks writes to the frame.
    pub(crate) write: u32,
    /// The frame's first byte as an offset into physical memory, where RAM may have ended.
    pub(crate) base: u32,
    /// Where the model holds the translation.
    pub(crate) place: Place,
}

const EMPTY: Line = Line {
    read: NO_TAG,
    write: NO_TAG,
    base: 0,
    place: Place::FIRST,
};

/// Whether the shortcut is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FrontArray {
    /// Hits take the shortcut.
    #[default]
    On,
    /// Every access goes through the plain model: slower, with the same results. For tests and
    /// benchmarks.
    Off,
}

/// The lines for data and for instructions.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    data: Box<[Line; LINES]>,
    fetch: Box<[Line; LINES]>,
}

impl Front {
    pub(crate) fn new() -> Self {
        Self {
            data: Box::new([EMPTY; LINES]),
            fetch: Box::new([EMPTY; LINES]),
        }
    }

    #[inline(always)]
    pub(crate) fn data(&self, addr: LinearAddr) -> &Line {
        &self.data[index(addr)]
    }

    #[inline(always)]
    pub(crate) fn fetch(&self, addr: LinearAddr) -> &Line {
        &self.fetch[index(addr)]
    }

    pub(crate) fn set_data(&mut self, addr: LinearAddr, line: Line) {
        self.data[index(addr)] = line;
    }

    pub(crate) fn set_fetch(&mut self, addr: LinearAddr, line: Line) {
        self.fetch[index(addr)] = line;
    }

    pub(crate) fn clear(&mut self) {
        self.data.fill(EMPTY);
        self.fetch.fill(EMPTY);
    }

    /// Clears the lines that stand for the page.
    #[inline(always)]
    pub(crate) fn clear_page(&mut self, page: PageNumber) {
        let addr = page.start();
        for line in [&mut self.data[index(addr)], &mut self.fetch[index(addr)]] {
            // One that may only be written to has no read tag, and the other way round.
            if (line.read | line.write) & !OFFSET_MASK == addr.bits() {
                *line = EMPTY;
            }
        }
    }

    /// Clears the lines that stand for the page, which the model is known to hold at this place.
    ///
    /// Of the lines that can be the page's, one with its place is.
    #[inline(always)]
    pub(crate) fn clear_held(&mut self, page: PageNumber, place: Place) {
        let addr = page.start();
        for line in [&mut self.data[index(addr)], &mut self.fetch[index(addr)]] {
            if line.place == place {
                *line = EMPTY;
            }
        }
    }

    /// Clears the write tags of the lines that stand for the frame at this offset into RAM.
    pub(crate) fn forbid_writes(&mut self, base: u32) {
        for line in self.data.iter_mut().filter(|line| line.base == base) {
            line.write = NO_TAG;
        }
    }
}

#[inline(always)]
fn index(addr: LinearAddr) -> usize {
    addr.page().bits() as usize % LINES
}

/// Returns the tag of a line for the page of `addr`.
#[inline(always)]
pub(crate) fn tag(addr: LinearAddr, privilege: Privilege) -> u32 {
    let privilege = (privilege as u32) << TAG_PRIVILEGE_SHIFT;
    addr.bits() & !OFFSET_MASK | privilege | TAG_VALID
}

/// Returns the tag that an access asks for: that of its last byte.
///
/// An access that crosses into the next page asks for a tag that the line of its first byte never
/// has, so that crossing takes no test of its own.
#[inline(always)]
pub(crate) fn tag_of<T: Word>(addr: LinearAddr, privilege: Privilege) -> u32 {
    tag(addr.wrapping_add(T::SIZE - 1), privilege)
}
