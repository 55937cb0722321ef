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

/// The lines of one index, side by side: whatever takes a translation away looks at both.
#[derive(Clone, Copy, Debug)]
struct Lines {
    data: Line,
    fetch: Line,
}

/// The lines for data and for instructions.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    lines: Box<[Lines; LINES]>,
}

impl Front {
    pub(crate) fn new() -> Self {
        let empty = Lines {
            data: EMPTY,
            fetch: EMPTY,
        };
        Self {
            lines: Box::new([empty; LINES]),
        }
    }

    #[inline(always)]
    pub(crate) fn data(&self, addr: LinearAddr) -> &Line {
        &self.lines[index(addr)].data
    }

    #[inline(always)]
    pub(crate) fn fetch(&self, addr: LinearAddr) -> &Line {
        &self.lines[index(addr)].fetch
    }

    #[inline(always)]
    pub(crate) fn set_data(&mut self, addr: LinearAddr, line: Line) {
        self.lines[index(addr)].data = line;
    }

    #[inline(always)]
    pub(crate) fn set_fetch(&mut self, addr: LinearAddr, line: Line) {
        self.lines[index(addr)].fetch = line;
    }

    pub(crate) fn clear(&mut self) {
        for lines in self.lines.iter_mut() {
            lines.data.clear();
            lines.fetch.clear();
        }
    }

    /// Clears the lines that stand for the page.
    #[inline(always)]
    pub(crate) fn clear_page(&mut self, page: PageNumber) {
        let addr = page.start();
        for line in self.lines[index(addr)].both() {
            // One that may only be written to has no read tag, and the other way round.
            if (line.read | line.write) & !OFFSET_MASK == addr.bits() {
                line.clear();
            }
        }
    }

    /// Clears the lines that stand for the page, which the model is known to hold at this place.
    ///
    /// Of the lines that can be the page's, one with its place is, or is clear.
    #[inline(always)]
    pub(crate) fn clear_held(&mut self, page: PageNumber, place: Place) {
        for line in self.lines[index(page.start())].both() {
            if line.place == place {
                line.clear();
            }
        }
    }

    /// Clears the write tags of the lines that stand for the frame at this offset into RAM.
    pub(crate) fn forbid_writes(&mut self, base: u32) {
        let data = self.lines.iter_mut().map(|lines| &mut lines.data);
        for line in data.filter(|line| line.base == base) {
            line.write = NO_TAG;
        }
    }
}

impl Lines {
    #[inline(always)]
    fn both(&mut self) -> [&mut Line; 2] {
        [&mut self.data, &mut self.fetch]
    }
}

impl Line {
    /// Has the line stand for no page. The rest of it counts for nothing then.
    #[inline(always)]
    fn clear(&mut self) {
        self.read = NO_TAG;
        self.write = NO_TAG;
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
