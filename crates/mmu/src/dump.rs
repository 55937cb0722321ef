//! Walks and tables in words, in fixed columns.
//!
//! ```text
//! PDE 001 at 0x00200004: 00202027  table 0x00202  A U W P
//! PTE 003 at 0x0020200c: 00123025  page  0x00123  A U R P
//! 0x00403123 is 0x00123123, in a 4 KiB page: user, read-only
//! ```
//!
//! `U` or `S` says for whom, `W` or `R` what for; the other letters are the manual's names of the
//! bits that are set: `XD`, `G`, `PAT`, `D`, `A`, `PCD`, `PWT`, `P`. A large page has `PS`. An entry
//! with P=0 is software's, and its other bits are shown as they are.

use std::fmt;

use crate::addr::{FrameNumber, PAGE_SIZE};
use crate::entry::{
    Execute, PaeEntry, PageEntry, PageSize, Pde, PdeFlags, Pdpte, Pte, PteFlags, Rights,
};
use crate::fault::FaultCause;
use crate::phys::PhysMemory;
use crate::ranges::{EntryRange, ranges};
use crate::tables::{Entry, Root};
use crate::walk::{Leaf, Level, Step, Walk};

/// The bits of a leaf's flags that are shown by name, highest first; rights are shown apart.
const NAMED: [(PteFlags, &str); 6] = [
    (PteFlags::GLOBAL, "G"),
    (PteFlags::PAT, "PAT"),
    (PteFlags::DIRTY, "D"),
    (PteFlags::ACCESSED, "A"),
    (PteFlags::CACHE_DISABLE, "PCD"),
    (PteFlags::WRITE_THROUGH, "PWT"),
];

/// Whether entries have 32 or 64 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    TwoLevel,
    Pae,
}

impl Width {
    /// Returns the size of an entry in bytes.
    fn bytes(self) -> u32 {
        match self {
            Self::TwoLevel => 4,
            Self::Pae => 8,
        }
    }

    /// Returns the page that a directory entry with PS maps.
    fn large(self) -> PageSize {
        match self {
            Self::TwoLevel => PageSize::Mib4,
            Self::Pae => PageSize::Mib2,
        }
    }
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_pae = self.steps().iter().any(|step| step.level == Level::Pdpt);
        let width = if is_pae { Width::Pae } else { Width::TwoLevel };
        let last = self.steps().len().wrapping_sub(1);
        for (index, step) in self.steps().iter().enumerate() {
            let is_leaf = match self.leaf() {
                Ok(_) => true,
                Err(cause) => cause == FaultCause::Reserved && has_large_bit(step),
            };
            let is_large = index == last && step.level == Level::Directory && is_leaf;
            write_step(f, step, width, is_large.then(|| width.large()))?;
            writeln!(f)?;
        }
        match self.leaf() {
            Ok(leaf) => write_leaf(f, self, leaf),
            Err(FaultCause::Reserved) => {
                write!(f, "{} is not mapped: a reserved bit is set", self.addr())
            }
            Err(_) => write!(f, "{} is not mapped: the entry is not present", self.addr()),
        }
    }
}

/// Writes one entry: its name and index, where it is, what it holds, what that means.
fn write_step(
    f: &mut fmt::Formatter<'_>,
    step: &Step,
    width: Width,
    large: Option<PageSize>,
) -> fmt::Result {
    let entries = match step.level {
        Level::Pdpt => PDPT_ENTRIES,
        Level::Directory | Level::Table => PAGE_SIZE / width.bytes(),
    };
    let index = step.at.page_offset() / width.bytes() % entries;
    let name = match step.level {
        Level::Pdpt => "PDPTE",
        Level::Directory => "PDE",
        Level::Table => "PTE",
    };
    write!(f, "{name} {index:03} at {}: ", step.at)?;
    match width {
        Width::TwoLevel => write!(f, "{:08x}  ", step.value)?,
        Width::Pae => write!(f, "{:016x}  ", step.value)?,
    }
    if step.value & u64::from(PteFlags::PRESENT.bits()) == 0 {
        return write!(f, "not present");
    }
    match (step.level, width) {
        (Level::Pdpt, _) => {
            let directory = Pdpte::from_bits(step.value).directory();
            write_target(f, "dir", directory, "P")
        }
        (Level::Directory, Width::TwoLevel) if large.is_none() => {
            let pde = Pde::from_bits(low_word(step.value));
            let table = pde.table();
            write_target(
                f,
                "table",
                table,
                &flags(as_leaf(pde.flags()), Execute::Allowed),
            )
        }
        (Level::Directory, Width::Pae) if large.is_none() => {
            let pde = PaeEntry::from_bits(step.value);
            let flags = flags(as_leaf(pde.pde_flags()), pde.execute());
            write_target(f, "table", Some(pde.frame()), &flags)
        }
        (Level::Directory, width) => {
            let (page, size) = large_entry(step.value, width);
            let flags = format!("PS {}", flags(page.flags, page.execute));
            write_target(f, size, Some(page.frame), &flags)
        }
        (Level::Table, Width::TwoLevel) => {
            let pte = Pte::from_bits(low_word(step.value));
            let frame = pte.frame();
            write_target(f, "page", frame, &flags(pte.flags(), Execute::Allowed))
        }
        (Level::Table, Width::Pae) => {
            let pte = PaeEntry::from_bits(step.value);
            let flags = flags(pte.pte_flags(), pte.execute());
            write_target(f, "page", Some(pte.frame()), &flags)
        }
    }
}

/// Returns whether PS is set, if the entry is one of a directory.
fn has_large_bit(step: &Step) -> bool {
    step.value & u64::from(PdeFlags::LARGE.bits()) != 0
}

/// The entries of a page-directory-pointer table.
const PDPT_ENTRIES: u32 = 4;

fn large_entry(value: u64, width: Width) -> (PageEntry, &'static str) {
    match width {
        Width::TwoLevel => (
            PageEntry::from_pde(Pde::from_bits(low_word(value))),
            "4 MiB",
        ),
        Width::Pae => (
            PageEntry::from_pae_large(PaeEntry::from_bits(value)),
            "2 MiB",
        ),
    }
}

fn write_target(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    frame: Option<FrameNumber>,
    flags: &str,
) -> fmt::Result {
    match frame {
        Some(frame) => write!(f, "{what:<5} {frame}  {flags}"),
        None => write!(f, "not present"),
    }
}

fn write_leaf(f: &mut fmt::Formatter<'_>, walk: &Walk, leaf: Leaf) -> fmt::Result {
    let physical = leaf.frame.byte(walk.addr().page_offset());
    if walk.steps().is_empty() {
        return write!(f, "{} is {physical}: paging is off", walk.addr());
    }
    let size = size_name(leaf.size);
    let privilege = if leaf.rights.contains(Rights::USER) {
        "user"
    } else {
        "supervisor"
    };
    let writing = if leaf.rights.contains(Rights::WRITABLE) {
        "writable"
    } else {
        "read-only"
    };
    write!(
        f,
        "{} is {physical}, in a {size} page: {privilege}, {writing}",
        walk.addr()
    )?;
    if leaf.rights.contains(Rights::NO_EXECUTE) {
        write!(f, ", not executable")?;
    }
    if leaf.rights.contains(Rights::GLOBAL) {
        write!(f, ", global")?;
    }
    Ok(())
}

fn size_name(size: PageSize) -> &'static str {
    match size {
        PageSize::Small => "4 KiB",
        PageSize::Mib2 => "2 MiB",
        PageSize::Mib4 => "4 MiB",
    }
}

/// Returns the names of the flags, highest bit first, with a letter for each right.
fn flags(flags: PteFlags, execute: Execute) -> String {
    let mut names = Vec::new();
    names.extend((execute == Execute::Never).then_some("XD"));
    let set = NAMED.iter().filter(|(flag, _)| flags.contains(*flag));
    names.extend(set.map(|&(_, name)| name));
    let either = |flag, yes, no| if flags.contains(flag) { yes } else { no };
    names.push(either(PteFlags::USER, "U", "S"));
    names.push(either(PteFlags::WRITABLE, "W", "R"));
    names.push("P");
    names.join(" ")
}

/// Returns the flags of a directory entry that names a table, without those that mean nothing.
fn as_leaf(flags: PdeFlags) -> PteFlags {
    let meaningless = PteFlags::DIRTY | PteFlags::PAT | PteFlags::GLOBAL;
    PteFlags::from_bits_truncate(flags.bits()) - meaningless
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "two-level entries have 32 bits"
)]
fn low_word(value: u64) -> u32 {
    value as u32
}

/// All that an address space's tables say, to be printed: a line for each range of equal entries.
///
/// Ranges without a table are left out.
#[derive(Clone, Copy, Debug)]
pub struct Dump<'a> {
    mem: &'a PhysMemory,
    root: Root,
}

impl<'a> Dump<'a> {
    /// Returns the dump of the tables under this root.
    pub fn new(mem: &'a PhysMemory, root: Root) -> Self {
        Self { mem, root }
    }
}

impl fmt::Display for Dump<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for range in ranges(self.mem, self.root) {
            if range.entry != Entry::NoTable {
                write!(f, "{separator}{range}")?;
                separator = "\n";
            }
        }
        Ok(())
    }
}

impl fmt::Display for EntryRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.first.start();
        let last = first.wrapping_add(self.len_pages.wrapping_mul(PAGE_SIZE) - 1);
        write!(f, "{first}..{last} {:>7} pages  ", self.len_pages)?;
        match self.entry {
            Entry::NoTable => write!(f, "no table"),
            Entry::Software(entry) => write!(f, "not present   {:08x}", entry.bits()),
            Entry::Page(page) => write_page(f, "page", page),
            Entry::Large(page) => write_page(f, "large", page),
        }
    }
}

fn write_page(f: &mut fmt::Formatter<'_>, what: &str, page: PageEntry) -> fmt::Result {
    write_target(f, what, Some(page.frame), &flags(page.flags, page.execute))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::{LinearAddr, PageNumber};
    use crate::control::Control;
    use crate::entry::SoftwareEntry;
    use crate::tables;
    use crate::walk::walk;

    const ROOT: Root = Root::TwoLevel(FrameNumber::truncate(0x200));

    #[test]
    fn a_walk_prints_each_entry_in_fixed_columns() {
        let mem = two_pages();
        let walk = walk(&mem, &paging(&mem), LinearAddr::new(0x0040_3123));

        let lines = "PDE 001 at 0x00200004: 00202027  table 0x00202  A U W P\n\
                     PTE 003 at 0x0020200c: 00123025  page  0x00123  A U R P\n\
                     0x00403123 is 0x00123123, in a 4 KiB page: user, read-only";
        assert_eq!(walk.to_string(), lines);
    }

    #[test]
    fn a_walk_that_stops_says_where() {
        let mem = two_pages();
        let walk = walk(&mem, &paging(&mem), LinearAddr::new(0x0040_5000));

        let lines = "PDE 001 at 0x00200004: 00202027  table 0x00202  A U W P\n\
                     PTE 005 at 0x00202014: 00001230  not present\n\
                     0x00405000 is not mapped: the entry is not present";
        assert_eq!(walk.to_string(), lines);
    }

    #[test]
    fn a_large_page_is_named_by_its_size() {
        let mut mem = two_pages();
        mem.write(FrameNumber::truncate(0x200).entry_32(2), 0x0080_01E3_u32);
        let walk = walk(&mem, &paging(&mem), LinearAddr::new(0x0080_3123));

        let lines = "PDE 002 at 0x00200008: 008001e3  4 MiB 0x00800  PS G D A S W P\n\
                     0x00803123 is 0x00803123, in a 4 MiB page: supervisor, writable";
        assert_eq!(walk.to_string(), lines);
    }

    #[test]
    fn a_dump_has_a_line_for_each_range_of_equal_entries() {
        let mem = two_pages();

        let lines = "\
0x00400000..0x00402fff       3 pages  not present   00000000
0x00403000..0x00404fff       2 pages  page  0x00123  A U R P
0x00405000..0x00405fff       1 pages  not present   00001230
0x00406000..0x007fffff    1018 pages  not present   00000000";
        assert_eq!(Dump::new(&mem, ROOT).to_string(), lines);
    }

    /// Maps the pages 0x403 and 0x404 to adjoining frames; software has something to say of 0x405.
    fn two_pages() -> PhysMemory {
        let mut mem = PhysMemory::new(4 << 20).unwrap();
        mem.write(FrameNumber::truncate(0x200).entry_32(1), 0x0020_2027_u32);
        mem.write(FrameNumber::truncate(0x202).entry_32(3), 0x0012_3025_u32);
        mem.write(FrameNumber::truncate(0x202).entry_32(4), 0x0012_4025_u32);
        let page = PageNumber::new(0x405).unwrap();
        let entry = SoftwareEntry::from_bits(0x1230).unwrap();
        assert_eq!(tables::set_software(&mut mem, ROOT, page, entry), Ok(None));
        mem
    }

    fn paging(mem: &PhysMemory) -> Control {
        Control::new(40)
            .with_cr4(0x10, mem)
            .and_then(|control| control.with_cr3(ROOT.cr3(), mem))
            .and_then(|control| control.with_cr0(0x8001_0001, mem))
            .unwrap()
    }
}
