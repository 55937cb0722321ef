//! The editor of page tables, for any address space and both paging modes.
//!
//! Entries are words in guest frames; these functions find the word by the steps of the one [`walk`]
//! and rewrite it. Whoever changes an entry that was present owes the TLB an invalidation, and is
//! handed a [`Stale`] to say so. From not present to present nothing is owed: the processor does
//! not cache absence.
//!
//! [`walk`]: crate::walk()

use thiserror::Error;

use crate::addr::{FrameNumber, LinearAddr, PAGE_SHIFT, PageNumber, PhysAddr};
use crate::control::{KEPT, Mode, Paging, TwoLevel, pdpt_of, read_pdptes};
use crate::entry::{
    LargePages, NoExecute, PaeEntry, PageEntry, PageSize, Pde, PdeFlags, Pte, PteFlags,
    SoftwareEntry,
};
use crate::mmu::Mmu;
use crate::observer::Observer;
use crate::phys::PhysMemory;
use crate::walk::{Level, Step, Trail};

/// The top of an address space's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// The frame of a two-level page directory.
    TwoLevel(FrameNumber),
    /// The address of a page-directory-pointer table: 32-byte aligned, below 4 GiB.
    Pae(PhysAddr),
}

impl Root {
    /// Returns the value of CR3 that names this root.
    #[expect(clippy::cast_possible_truncation, reason = "roots lie below 4 GiB")]
    pub fn cr3(self) -> u32 {
        match self {
            Self::TwoLevel(directory) => directory.start().bits() as u32,
            Self::Pae(pdpt) => pdpt.bits() as u32,
        }
    }

    /// Returns the size of the large pages that a directory entry can map in this mode.
    pub fn large_page(self) -> PageSize {
        match self {
            Self::TwoLevel(_) => PageSize::Mib4,
            Self::Pae(_) => PageSize::Mib2,
        }
    }

    /// Returns the size of an entry in bytes: 4, or 8 with PAE.
    #[inline]
    pub fn entry_bytes(self) -> usize {
        match self {
            Self::TwoLevel(_) => size_of::<u32>(),
            Self::Pae(_) => size_of::<u64>(),
        }
    }

    /// Returns how many small pages one table maps: 1024, or 512 with PAE.
    pub fn pages_per_table(self) -> u32 {
        self.large_page().small_pages()
    }

    /// Returns the entries on the way to the page, read as an editor does: everything that exists
    /// counts.
    #[inline(always)]
    fn trail(self, mem: &PhysMemory, page: PageNumber) -> Trail {
        // Where the way ends is in the trail; why is not asked.
        let (trail, _) = match self {
            Self::TwoLevel(directory) => {
                let tables = TwoLevel {
                    directory,
                    large: LargePages::Enabled,
                };
                Trail::descend_two_level(mem, &EDITED, tables, page.start())
            }
            Self::Pae(_) => return self.trail_pae(mem, page),
        };
        trail
    }

    #[inline(never)]
    fn trail_pae(self, mem: &PhysMemory, page: PageNumber) -> Trail {
        let pdpt = pdpt_of(self.cr3());
        let mode = Mode::Pae {
            pdpt,
            pdptes: read_pdptes(mem, pdpt),
            no_execute: NoExecute::Enabled,
        };
        let (trail, _) = Trail::descend(mem, &Paging { mode, ..EDITED }, page.start());
        trail
    }
}

/// The settings under which an editor reads tables.
const EDITED: Paging = Paging {
    mode: Mode::Off,
    physical_bits: crate::addr::MAX_PHYSICAL_BITS,
    kept: KEPT,
};

/// What the tables say of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// No table covers the page.
    NoTable,
    /// The entry has P=0 and is software's.
    Software(SoftwareEntry),
    /// The entry maps a 4 KiB page.
    Page(PageEntry),
    /// A directory entry maps a large page over it.
    Large(PageEntry),
}

/// The page has no entry of its own to be changed: no table covers it, or a large page does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no page table covers page {page}")]
pub struct NoTable {
    /// The page.
    pub page: PageNumber,
}

/// The page's own entry does not map a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("page {page} is not mapped by an entry of its own")]
pub struct NotMapped {
    /// The page.
    pub page: PageNumber,
}

/// A TLB may still hold what an entry said before it was changed.
///
/// Pay with [`Stale::invalidate`], or say with [`Stale::leave`] why it is not owed.
#[must_use = "a TLB may still translate by the old entry"]
#[derive(Debug, PartialEq, Eq)]
pub struct Stale {
    addr: LinearAddr,
}

/// Why a stale translation is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveReason {
    /// The tables are not those that CR3 names; loading CR3 will drop the translation.
    SpaceNotLoaded,
    /// Rights were only raised: the processor re-walks before it refuses an access.
    RightsRaised,
    /// The whole TLB is flushed once the last entry has been changed.
    FlushFollows,
    /// To be watched: what a program that forgets the invalidation would see.
    Experiment,
}

impl Stale {
    /// Drops the page's translation, as INVLPG does.
    pub fn invalidate<O: Observer>(self, mmu: &mut Mmu<O>) {
        mmu.invalidate_page(self.addr);
    }

    /// Keeps what the TLB holds.
    pub fn leave(self, _reason: LeaveReason) {}

    /// Returns an address on the page.
    pub fn addr(&self) -> LinearAddr {
        self.addr
    }
}

/// Returns what the tables say of the page.
pub fn entry(mem: &PhysMemory, root: Root, page: PageNumber) -> Entry {
    match last_step(mem, root, page) {
        Some(step) => decode(root, step),
        None => Entry::NoTable,
    }
}

/// Makes the page's entry map a frame. `Some` is owed if the entry was present.
///
/// # Errors
///
/// [`NoTable`]; nothing has changed.
///
/// # Panics
///
/// If two-level tables are to map a frame at or above 4 GiB: their entries cannot name it.
pub fn set_page(
    mem: &mut PhysMemory,
    root: Root,
    page: PageNumber,
    new: PageEntry,
) -> Result<Option<Stale>, NoTable> {
    set_table_entry(mem, root, page, page_value(root, new))
}

/// Makes the page's entry not present, with a meaning of software's. `Some` is owed if the entry
/// was present.
///
/// # Errors
///
/// [`NoTable`]; nothing has changed.
pub fn set_software(
    mem: &mut PhysMemory,
    root: Root,
    page: PageNumber,
    new: SoftwareEntry,
) -> Result<Option<Stale>, NoTable> {
    set_table_entry(mem, root, page, u64::from(new.bits()))
}

/// Returns whether a table covers the page.
pub fn has_table(mem: &PhysMemory, root: Root, page: PageNumber) -> bool {
    matches!(entry(mem, root, page), Entry::Software(_) | Entry::Page(_))
}

/// Rewrites the entry of a page that is mapped: `edit` gets what it says and returns what it is to
/// say.
///
/// Looking and writing find the entry once.
///
/// # Errors
///
/// [`NotMapped`] if the page has no entry of its own that maps a frame; nothing has changed.
///
/// # Panics
///
/// As [`set_page`].
#[inline]
pub fn update_page(
    mem: &mut PhysMemory,
    root: Root,
    page: PageNumber,
    edit: impl FnOnce(PageEntry) -> PageEntry,
) -> Result<Stale, NotMapped> {
    match root {
        Root::TwoLevel(directory) => {
            let table = table_over(mem, directory, page).ok_or(NotMapped { page })?;
            let old = Pte::from_bits(mem.read_entry_32(table, page.table_index()));
            if old.frame().is_none() {
                return Err(NotMapped { page });
            }
            let new = two_level_value(edit(PageEntry::from_pte(old)));
            mem.write_entry_32(table, page.table_index(), new);
        }
        Root::Pae(_) => {
            let step = table_step(mem, root, page).map_err(|_| NotMapped { page })?;
            let Entry::Page(old) = decode_table_entry(root, step.value) else {
                return Err(NotMapped { page });
            };
            store(mem, root, step.at, page_value(root, edit(old)));
        }
    }
    Ok(Stale { addr: page.start() })
}

/// Makes the directory entry over the page name a table, which the caller has filled.
///
/// The directory entry allows everything to the user, so that the table's entries decide.
///
/// # Errors
///
/// [`NoTable`] if the directory has an entry already, or PAE has no directory there.
pub fn add_table(
    mem: &mut PhysMemory,
    root: Root,
    page: PageNumber,
    table: FrameNumber,
) -> Result<(), NoTable> {
    let flags = PdeFlags::PRESENT | PdeFlags::WRITABLE | PdeFlags::USER;
    let value = table.start().bits() | u64::from(flags.bits());
    let step = directory_step(mem, root, page).ok_or(NoTable { page })?;
    if is_present(step.value) {
        return Err(NoTable { page });
    }
    store(mem, root, step.at, value);
    Ok(())
}

/// Takes the table over the page out of the directory and returns its frame.
///
/// `None` if there is no table. What the table mapped is stale: flush once done.
pub fn remove_table(
    mem: &mut PhysMemory,
    root: Root,
    page: PageNumber,
) -> Option<(FrameNumber, Stale)> {
    let step = directory_step(mem, root, page)?;
    let is_large = step.value & u64::from(PdeFlags::LARGE.bits()) != 0;
    if !is_present(step.value) || is_large {
        return None;
    }
    store(mem, root, step.at, 0);
    let frame = PaeEntry::from_bits(step.value).frame();
    Some((frame, Stale { addr: page.start() }))
}

/// Makes the directory entry over the page map a large page.
///
/// `Some` is owed if the entry was present. The frame's number must be a multiple of the page's
/// size in frames.
///
/// # Errors
///
/// [`NoTable`] if PAE has no directory there; nothing has changed.
///
/// # Panics
///
/// If the frame is not aligned to the large page's size.
pub fn set_large_page(
    mem: &mut PhysMemory,
    root: Root,
    page: PageNumber,
    new: PageEntry,
) -> Result<Option<Stale>, NoTable> {
    let frames = root.large_page().small_pages();
    assert!(
        new.frame.bits().is_multiple_of(frames),
        "{:?} is not aligned",
        new.frame
    );
    let value = match root {
        Root::TwoLevel(_) => u64::from(new.to_pde()),
        Root::Pae(_) => new.to_pae(new.large_flags()),
    };
    set_directory_entry(mem, root, page, value)
}

/// Makes the directory entry over the page not present, whatever it was.
///
/// # Errors
///
/// [`NoTable`] if PAE has no directory there; nothing has changed.
pub fn clear_directory_entry(
    mem: &mut PhysMemory,
    root: Root,
    page: PageNumber,
) -> Result<Option<Stale>, NoTable> {
    set_directory_entry(mem, root, page, 0)
}

/// Writes a PDPTE of a PAE root; it counts from the next load of CR3 on.
///
/// `index` is taken modulo 4. Does nothing to a two-level root, which has none.
pub fn set_pdpte(mem: &mut PhysMemory, root: Root, index: u32, directory: FrameNumber) {
    if let Root::Pae(pdpt) = root {
        let at = pdpt.frame().byte(pdpt.page_offset() + index % 4 * 8);
        mem.write(
            at,
            directory.start().bits() | u64::from(PdeFlags::PRESENT.bits()),
        );
    }
}

/// The entries of one table, as they stand in memory, with the page of the first.
#[derive(Clone, Copy, Debug)]
pub struct TableView<'a> {
    root: Root,
    first: PageNumber,
    bytes: &'a [u8],
}

/// Returns the table that covers the page, or `None` if there is none.
///
/// For those who look at many pages: one walk for a whole table.
pub fn table(mem: &PhysMemory, root: Root, page: PageNumber) -> Option<TableView<'_>> {
    let step = table_step(mem, root, page).ok()?;
    let first = PageNumber::new(page.bits() & !(root.pages_per_table() - 1))?;
    let bytes = mem.frame(step.at.frame())?.as_slice();
    Some(TableView { root, first, bytes })
}

/// Entries that are passed over at a time if all are zero, in bytes.
const LINE_BYTES: usize = 64;

impl<'a> TableView<'a> {
    /// Returns the page that the first entry maps.
    pub fn first(&self) -> PageNumber {
        self.first
    }

    /// Returns how many pages the table maps.
    pub fn len_pages(&self) -> u32 {
        self.root.pages_per_table()
    }

    /// Returns the entry as it stands in memory; `index` counts from [`Self::first`] and is taken
    /// modulo the table's length. 32-bit entries are zero-extended.
    #[inline]
    pub fn raw(&self, index: u32) -> u64 {
        let index = (index & (self.len_pages() - 1)) as usize;
        match self.root {
            Root::TwoLevel(_) => self.bytes[index * 4..]
                .first_chunk()
                .map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes))),
            Root::Pae(_) => self.bytes[index * 8..]
                .first_chunk()
                .map_or(0, |bytes| u64::from_le_bytes(*bytes)),
        }
    }

    /// Returns the entries within `indices` of which a bit is set, as they stand in memory, with
    /// their indices. Long runs of zeros are passed over quickly.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a line has few entries")]
    pub fn set_entries(
        self,
        indices: std::ops::Range<u32>,
    ) -> impl Iterator<Item = (u32, u64)> + use<'a> {
        let per_line = (LINE_BYTES / self.root.entry_bytes()) as u32;
        let end = indices.end.min(self.len_pages());
        let mut index = indices.start;
        std::iter::from_fn(move || {
            while index < end {
                let at = index;
                if at.is_multiple_of(per_line) && self.is_line_clear(at / per_line) {
                    index += per_line;
                    continue;
                }
                index += 1;
                let raw = self.raw(at);
                if raw != 0 {
                    return Some((at, raw));
                }
            }
            None
        })
    }

    /// Returns whether the entries in a line of the table are all zero.
    #[inline]
    fn is_line_clear(&self, line: u32) -> bool {
        let (lines, _) = self.bytes.as_chunks::<LINE_BYTES>();
        let words = |line: &[u8; LINE_BYTES]| {
            let (words, _) = line.as_chunks();
            words
                .iter()
                .fold(0, |all, word| all | u64::from_le_bytes(*word))
        };
        lines.get(line as usize).map(words) == Some(0)
    }

    /// Returns what the entry says; `index` as for [`Self::raw`].
    pub fn entry(&self, index: u32) -> Entry {
        decode_table_entry(self.root, self.raw(index))
    }
}

/// Returns the last entry on the way to the page: of its table, or where the way ends before.
#[inline]
fn last_step(mem: &PhysMemory, root: Root, page: PageNumber) -> Option<Step> {
    let trail = root.trail(mem, page);
    trail.table.or(trail.directory).or(trail.pdpt)
}

/// Returns the table entry of the page.
#[inline]
fn table_step(mem: &PhysMemory, root: Root, page: PageNumber) -> Result<Step, NoTable> {
    root.trail(mem, page).table.ok_or(NoTable { page })
}

fn decode(root: Root, step: Step) -> Entry {
    match (step.level, is_present(step.value)) {
        (Level::Table, _) => decode_table_entry(root, step.value),
        (Level::Directory, true) => Entry::Large(match root {
            Root::TwoLevel(_) => PageEntry::from_pde(Pde::from_bits(low_word(step.value))),
            Root::Pae(_) => PageEntry::from_pae_large(PaeEntry::from_bits(step.value)),
        }),
        (Level::Directory, false) | (Level::Pdpt, _) => Entry::NoTable,
    }
}

fn decode_table_entry(root: Root, value: u64) -> Entry {
    match (SoftwareEntry::from_bits(low_word(value)), root) {
        (Some(software), _) => Entry::Software(software),
        (None, Root::TwoLevel(_)) => {
            Entry::Page(PageEntry::from_pte(Pte::from_bits(low_word(value))))
        }
        (None, Root::Pae(_)) => Entry::Page(PageEntry::from_pae(PaeEntry::from_bits(value))),
    }
}

/// Returns the word that maps a small page.
#[inline]
fn page_value(root: Root, new: PageEntry) -> u64 {
    match root {
        Root::TwoLevel(_) => u64::from(two_level_value(new)),
        Root::Pae(_) => new.to_pae(new.small_flags()),
    }
}

/// As [`page_value`], of two-level tables.
#[inline]
fn two_level_value(new: PageEntry) -> u32 {
    assert!(
        new.frame.bits() >> 20 == 0,
        "a two-level entry cannot name {:?}",
        new.frame
    );
    new.to_pte()
}

/// Returns the table over the page, if two-level tables have one.
#[inline]
fn table_over(mem: &PhysMemory, directory: FrameNumber, page: PageNumber) -> Option<FrameNumber> {
    let large = LargePages::Enabled;
    Trail::two_level_table(mem, TwoLevel { directory, large }, page.start())
}

#[inline]
fn set_table_entry(
    mem: &mut PhysMemory,
    root: Root,
    page: PageNumber,
    value: u64,
) -> Result<Option<Stale>, NoTable> {
    let old = match root {
        Root::TwoLevel(directory) => {
            let table = table_over(mem, directory, page).ok_or(NoTable { page })?;
            let old = mem.read_entry_32(table, page.table_index());
            mem.write_entry_32(table, page.table_index(), low_word(value));
            u64::from(old)
        }
        Root::Pae(_) => {
            let step = table_step(mem, root, page)?;
            store(mem, root, step.at, value);
            step.value
        }
    };
    Ok(is_present(old).then(|| Stale { addr: page.start() }))
}

fn set_directory_entry(
    mem: &mut PhysMemory,
    root: Root,
    page: PageNumber,
    value: u64,
) -> Result<Option<Stale>, NoTable> {
    let step = directory_step(mem, root, page).ok_or(NoTable { page })?;
    store(mem, root, step.at, value);
    Ok(is_present(step.value).then(|| Stale { addr: page.start() }))
}

fn directory_step(mem: &PhysMemory, root: Root, page: PageNumber) -> Option<Step> {
    root.trail(mem, page).directory
}

fn store(mem: &mut PhysMemory, root: Root, at: PhysAddr, value: u64) {
    match root {
        Root::TwoLevel(_) => mem.write(at, low_word(value)),
        Root::Pae(_) => mem.write(at, value),
    }
}

fn is_present(value: u64) -> bool {
    value & u64::from(PteFlags::PRESENT.bits()) != 0
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn low_word(value: u64) -> u32 {
    value as u32
}

const _: () = assert!(
    PAGE_SHIFT == 12,
    "the masks of the entries assume 4 KiB pages"
);
