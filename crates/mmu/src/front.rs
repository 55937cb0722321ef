//! The front array: a host-side shortcut for TLB hits.
//!
//! A line remembers a translation that the first level of the modelled TLB holds, together with
//! the verdict of the rights check under the present settings. It is a subset of the model and can
//! change nothing: whatever displaces, drops or rewrites the model's translation, or changes a
//! setting, clears the line. A hit through a line counts and ages exactly as one through the model.

use crate::addr::{LinearAddr, OFFSET_MASK, PageNumber};
use crate::entry::PageSize;
use crate::fault::Privilege;
use crate::tlb::ways::Key;
use crate::tlb::{Place, key_of};
use crate::word::Word;

/// Lines of the array: direct mapped by the low bits of the page number.
const LINES: usize = 256;

/// What an access asks a line for: a page, and on whose behalf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(u32);

/// The bit beside the page that tells a tag from none.
const TAG_VALID: u32 = 1;
/// Where a tag says on whose behalf.
const TAG_PRIVILEGE_SHIFT: u32 = 1;

impl Tag {
    /// A tag that no access asks for.
    pub(crate) const NONE: Self = Self(0);

    /// Returns the tag of a line for the page of `addr`.
    #[inline(always)]
    pub(crate) fn new(addr: LinearAddr, privilege: Privilege) -> Self {
        let privilege = (privilege as u32) << TAG_PRIVILEGE_SHIFT;
        Self(addr.bits() & !OFFSET_MASK | privilege | TAG_VALID)
    }

    /// Returns the tag that an access asks for: that of its last byte.
    ///
    /// An access that crosses into the next page asks for a tag that the line of its first byte
    /// never has, so that crossing takes no test of its own.
    #[inline(always)]
    pub(crate) fn of_word<T: Word>(addr: LinearAddr, privilege: Privilege) -> Self {
        Self::new(addr.wrapping_add(T::SIZE - 1), privilege)
    }

    /// Returns the page that is asked for.
    #[inline(always)]
    pub(crate) fn page(self) -> PageNumber {
        LinearAddr::new(self.0).page()
    }

    /// Returns the key of the page as a small one, from a tag of the program.
    #[inline(always)]
    pub(crate) fn key_of_user(self) -> Key {
        self.0
    }

    /// Returns whether the tag is one for the page, on anybody's behalf.
    #[inline(always)]
    fn is_for(self, page: PageNumber) -> bool {
        self != Self::NONE && self.page() == page
    }
}

const _: () = assert!(
    Privilege::User as u32 == 0 && TAG_VALID == key_of(0, PageSize::Small),
    "the tag of a page for the program is its key"
);

/// A remembered translation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// The tag of accesses that may read, or fetch, without further questions.
    pub(crate) read: Tag,
    /// The tag of accesses that may write: rights, D, and nobody tracks writes to the frame. None, or
    /// that of reads.
    pub(crate) write: Tag,
    /// The frame's first byte as an offset into physical memory, where RAM may have ended.
    pub(crate) base: u32,
    /// Where the model holds the translation.
    pub(crate) place: Place,
}

const EMPTY: Line = Line {
    read: Tag::NONE,
    write: Tag::NONE,
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
        &self.lines[index(addr.page())].data
    }

    #[inline(always)]
    pub(crate) fn fetch(&self, addr: LinearAddr) -> &Line {
        &self.lines[index(addr.page())].fetch
    }

    #[inline(always)]
    pub(crate) fn set_data(&mut self, page: PageNumber, line: Line) {
        self.lines[index(page)].data = line;
    }

    #[inline(always)]
    pub(crate) fn set_fetch(&mut self, page: PageNumber, line: Line) {
        self.lines[index(page)].fetch = line;
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
        for line in self.lines[index(page)].both() {
            if line.read.is_for(page) {
                line.clear();
            }
        }
    }

    /// Clears the lines that stand for the page, which the model is known to hold at this place.
    ///
    /// Of the lines that can be the page's, one with its place is, or is clear.
    #[inline(always)]
    pub(crate) fn clear_held(&mut self, page: PageNumber, place: Place) {
        for line in self.lines[index(page)].both() {
            if line.place == place {
                line.clear();
            }
        }
    }

    /// Clears the write tags of the lines that stand for the frame at this offset into RAM.
    pub(crate) fn forbid_writes(&mut self, base: u32) {
        let data = self.lines.iter_mut().map(|lines| &mut lines.data);
        for line in data.filter(|line| line.base == base) {
            line.write = Tag::NONE;
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
        self.read = Tag::NONE;
        self.write = Tag::NONE;
    }
}

#[inline(always)]
fn index(page: PageNumber) -> usize {
    page.bits() as usize % LINES
}
