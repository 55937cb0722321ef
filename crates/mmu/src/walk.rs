//! The walk: from a linear address to the frame, by the entries in memory.
//!
//! There is one walk, and it only reads. The MMU sets A and D after it has succeeded; a debugger, a
//! query or a report calls it as often as it likes.

use crate::addr::{FrameNumber, LinearAddr, PAGE_SHIFT, PageNumber, PhysAddr};
use crate::control::{Control, Mode, Paging, TwoLevel};
use crate::entry::{
    Execute, NoExecute, PaeEntry, PageSize, Pde, PdeFlags, Pdpte, Pte, PteFlags, Rights,
};
use crate::fault::{Access, FaultCause, PageFault};
use crate::packed::Packed;
use crate::phys::PhysMemory;

/// The level of an entry that a walk looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// A page-directory-pointer-table entry: one of the four registers of PAE paging.
    Pdpt,
    /// A page-directory entry.
    Directory,
    /// A page-table entry.
    Table,
}

/// One entry that a walk looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// The entry's level.
    pub level: Level,
    /// Where the entry lies in physical memory. A PDPTE was loaded from there.
    pub at: PhysAddr,
    /// The entry as the walk read it; 32-bit entries are zero-extended.
    pub value: u64,
}

/// The page that a walk found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Leaf {
    /// The 4 KiB frame of the addressed byte, also within a large page.
    pub frame: FrameNumber,
    /// The size of the page.
    pub size: PageSize,
    /// The rights of all levels combined.
    pub rights: Rights,
    /// PAT, PCD and PWT of the leaf as an index into the PAT, 0 to 7.
    pub memory_type: u8,
}

/// The most entries that one walk looks at.
const MAX_STEPS: usize = 3;

/// What a walk read and where it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    addr: LinearAddr,
    steps: [Step; MAX_STEPS],
    len: usize,
    outcome: Result<Leaf, FaultCause>,
}

/// Walks the tables that the registers name.
///
/// With paging off, the walk has no steps and finds the frame of the same number.
///
/// SDM Vol. 3A, "32-Bit Paging" and "PAE Paging".
pub fn walk(mem: &PhysMemory, control: &Control, addr: LinearAddr) -> Walk {
    walk_tables(mem, control.paging(), addr)
}

#[inline]
pub(crate) fn walk_tables(mem: &PhysMemory, paging: &Paging, addr: LinearAddr) -> Walk {
    let (trail, outcome) = Trail::descend(mem, paging, addr);
    Walk::new(addr, &trail, outcome)
}

/// The entries that a walk has looked at.
///
/// The one walk is [`Trail::descend`]; a [`Walk`] is what others are shown of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Trail {
    pub(crate) pdpt: Option<Step>,
    pub(crate) directory: Option<Step>,
    pub(crate) table: Option<Step>,
}

impl Trail {
    /// Walks from the root.
    #[inline(always)]
    pub(crate) fn descend(
        mem: &PhysMemory,
        paging: &Paging,
        addr: LinearAddr,
    ) -> (Self, Result<Packed, FaultCause>) {
        match &paging.mode {
            Mode::Off => (Self::default(), Ok(identity(addr))),
            Mode::TwoLevel(tables) => Self::descend_two_level(mem, paging, *tables, addr),
            Mode::Pae { .. } => Self::descend_pae(mem, paging, addr),
        }
    }

    #[inline(always)]
    pub(crate) fn descend_two_level(
        mem: &PhysMemory,
        paging: &Paging,
        tables: TwoLevel,
        addr: LinearAddr,
    ) -> (Self, Result<Packed, FaultCause>) {
        let (mut trail, pde) = Self::begin_two_level(mem, tables, addr);
        let outcome = trail.below_pde(mem, paging, tables, addr, pde);
        (trail, outcome)
    }

    /// Takes the first step.
    #[inline(always)]
    pub(crate) fn begin_two_level(
        mem: &PhysMemory,
        tables: TwoLevel,
        addr: LinearAddr,
    ) -> (Self, Pde) {
        let (directory, index) = (tables.directory, addr.directory_index());
        let pde = Pde::from_bits(mem.read_entry_32(directory, index));
        let at = directory.entry_32(index);
        let step = Step::new(Level::Directory, at, u64::from(pde.bits()));
        let trail = Self {
            directory: Some(step),
            ..Self::default()
        };
        (trail, pde)
    }

    /// Returns the frame of the table that a walk of the page goes on in, if it does.
    #[inline(always)]
    pub(crate) fn two_level_table(
        mem: &PhysMemory,
        tables: TwoLevel,
        addr: LinearAddr,
    ) -> Option<FrameNumber> {
        let (_, pde) = Self::begin_two_level(mem, tables, addr);
        if pde.is_large(tables.large) {
            return None;
        }
        pde.table()
    }

    /// Walks from the PDPTE registers. A function of its own, so that the two-level walk stays in
    /// registers where it is compiled into its caller.
    #[inline(never)]
    fn descend_pae(
        mem: &PhysMemory,
        paging: &Paging,
        addr: LinearAddr,
    ) -> (Self, Result<Packed, FaultCause>) {
        let mut trail = Self::default();
        let Mode::Pae {
            pdpt,
            pdptes,
            no_execute,
        } = &paging.mode
        else {
            return (trail, Err(FaultCause::NotPresent));
        };
        let index = pdpt_index(addr);
        let at = pdpt.frame().byte(pdpt.page_offset() + index * 8);
        let pdpte = pdptes[index as usize];
        trail.pdpt = Some(Step::new(Level::Pdpt, at, pdpte.bits()));
        let outcome = trail.below_pdpte(mem, paging, addr, pdpte, *no_execute);
        (trail, outcome)
    }

    /// Walks from a directory entry that a paging-structure cache remembers.
    #[inline(never)]
    pub(crate) fn descend_from(
        mem: &PhysMemory,
        paging: &Paging,
        addr: LinearAddr,
        directory_entry: u64,
    ) -> (Self, Result<Packed, FaultCause>) {
        let mut trail = Self::default();
        let outcome = match paging.mode {
            Mode::Off => Ok(identity(addr)),
            #[expect(clippy::cast_possible_truncation, reason = "it was read from 32 bits")]
            Mode::TwoLevel(tables) => {
                let pde = Pde::from_bits(directory_entry as u32);
                trail.below_pde(mem, paging, tables, addr, pde)
            }
            Mode::Pae { no_execute, .. } => {
                let pde = PaeEntry::from_bits(directory_entry);
                trail.below_pae_pde(mem, paging, addr, pde, no_execute)
            }
        };
        (trail, outcome)
    }

    /// Returns the entries, top level first.
    #[inline(always)]
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        [&self.pdpt, &self.directory, &self.table]
            .into_iter()
            .flatten()
    }

    /// Returns how many times memory was read: PDPTEs come from registers.
    #[inline(always)]
    pub(crate) fn memory_references(&self) -> u64 {
        u64::from(self.directory.is_some()) + u64::from(self.table.is_some())
    }

    /// Goes on from a directory entry; a small page, if there is one, cannot be refused for
    /// reserved bits.
    #[inline(always)]
    pub(crate) fn below_pde(
        &mut self,
        mem: &PhysMemory,
        paging: &Paging,
        tables: TwoLevel,
        addr: LinearAddr,
        pde: Pde,
    ) -> Result<Packed, FaultCause> {
        let table = pde.table().ok_or(FaultCause::NotPresent)?;
        let directory = pde.flags();
        if pde.is_large(tables.large) {
            if pde.large_has_reserved(paging.physical_bits) {
                return Err(FaultCause::Reserved);
            }
            let frame = pde.large_frame().bits() + addr.table_index();
            return Ok(paging.large_leaf(PageSize::Mib4, frame, pde.bits(), Execute::Allowed));
        }

        let pte = Pte::from_bits(mem.read_entry_32(table, addr.table_index()));
        let at = table.entry_32(addr.table_index());
        self.table = Some(Step::new(Level::Table, at, u64::from(pte.bits())));
        if !pte.flags().contains(PteFlags::PRESENT) {
            return Err(FaultCause::NotPresent);
        }
        let combined = directory.bits() & pte.bits() & COMBINED;
        Ok(Packed::small(pte, paging.kept, combined))
    }

    #[inline(always)]
    fn below_pdpte(
        &mut self,
        mem: &PhysMemory,
        paging: &Paging,
        addr: LinearAddr,
        pdpte: Pdpte,
        no_execute: NoExecute,
    ) -> Result<Packed, FaultCause> {
        let directory = pdpte.directory().ok_or(FaultCause::NotPresent)?;
        let at = directory.entry_pae(pae_directory_index(addr));
        let pde = PaeEntry::from_bits(mem.read(at));
        self.directory = Some(Step::new(Level::Directory, at, pde.bits()));
        self.below_pae_pde(mem, paging, addr, pde, no_execute)
    }

    #[inline(always)]
    fn below_pae_pde(
        &mut self,
        mem: &PhysMemory,
        paging: &Paging,
        addr: LinearAddr,
        pde: PaeEntry,
        no_execute: NoExecute,
    ) -> Result<Packed, FaultCause> {
        let directory = pde.pde_flags();
        if !directory.contains(PdeFlags::PRESENT) {
            return Err(FaultCause::NotPresent);
        }
        let is_large = directory.contains(PdeFlags::LARGE);
        let is_reserved = pde.has_reserved(paging.physical_bits, no_execute)
            || is_large && pde.large_has_reserved();
        if is_reserved {
            return Err(FaultCause::Reserved);
        }
        if is_large {
            let within = addr.page().bits() & (PageSize::Mib2.small_pages() - 1);
            let frame = pde.large_frame().bits() + within;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "only the flags are looked at"
            )]
            let bits = pde.bits() as u32;
            return Ok(paging.large_leaf(PageSize::Mib2, frame, bits, pde.execute()));
        }

        let at = pde.frame().entry_pae(addr.page().bits());
        let pte = PaeEntry::from_bits(mem.read(at));
        self.table = Some(Step::new(Level::Table, at, pte.bits()));
        if !pte.pte_flags().contains(PteFlags::PRESENT) {
            return Err(FaultCause::NotPresent);
        }
        if pte.has_reserved(paging.physical_bits, no_execute) {
            return Err(FaultCause::Reserved);
        }
        let execute = match (pde.execute(), pte.execute()) {
            (Execute::Allowed, Execute::Allowed) => Execute::Allowed,
            _ => Execute::Never,
        };
        Ok(paging.small_leaf(pte, directory, execute))
    }
}

impl Step {
    #[inline(always)]
    fn new(level: Level, at: PhysAddr, value: u64) -> Self {
        Self { level, at, value }
    }
}

impl Walk {
    fn new(addr: LinearAddr, trail: &Trail, outcome: Result<Packed, FaultCause>) -> Self {
        let none = Step::new(Level::Table, FrameNumber::truncate(0).start(), 0);
        let mut walk = Self {
            addr,
            steps: [none; MAX_STEPS],
            len: 0,
            outcome: outcome.map(Packed::leaf),
        };
        for step in trail.steps() {
            walk.steps[walk.len] = *step;
            walk.len += 1;
        }
        walk
    }

    /// Returns the address that was walked.
    pub fn addr(&self) -> LinearAddr {
        self.addr
    }

    /// Returns the entries that the walk looked at, top level first.
    pub fn steps(&self) -> &[Step] {
        &self.steps[..self.len]
    }

    /// Returns the page, or why there is none.
    ///
    /// # Errors
    ///
    /// [`FaultCause::NotPresent`] or [`FaultCause::Reserved`], of the last step's entry.
    pub fn leaf(&self) -> Result<Leaf, FaultCause> {
        self.outcome
    }

    /// Returns the page if the access is allowed, and the page fault if not.
    ///
    /// # Errors
    ///
    /// The page fault that the processor raises for this access.
    pub fn check(&self, control: &Control, access: Access) -> Result<Leaf, PageFault> {
        let fault = |cause| PageFault::new(self.addr, access, cause, control.fetches());
        let leaf = self.outcome.map_err(fault)?;
        let is_judged = control.is_paging();
        if is_judged && !control.test(access).passes(leaf.rights) {
            return Err(fault(FaultCause::Protection));
        }
        Ok(leaf)
    }

    /// Returns how many times memory was read: PDPTEs come from registers.
    pub fn memory_references(&self) -> u32 {
        self.steps()
            .iter()
            .map(|step| u32::from(step.level != Level::Pdpt))
            .sum()
    }
}

impl Paging {
    #[inline(always)]
    fn small_leaf(&self, pte: PaeEntry, directory: PdeFlags, execute: Execute) -> Packed {
        let table = pte.pte_flags();
        let combined = directory.bits() & table.bits() & COMBINED;
        let kept = table & self.kept_flags();
        Packed::new(
            pte.frame(),
            PageSize::Small,
            rights(combined, execute),
            kept,
        )
    }

    #[inline(never)]
    fn large_leaf(&self, size: PageSize, frame: u32, bits: u32, execute: Execute) -> Packed {
        let mut flags = PteFlags::from_bits_truncate(bits);
        flags.set(PteFlags::PAT, bits & (1 << PAGE_SHIFT) != 0);
        Packed::new(
            FrameNumber::truncate(frame),
            size,
            rights(bits & COMBINED, execute),
            flags & self.kept_flags(),
        )
    }

    #[inline(always)]
    fn kept_flags(&self) -> PteFlags {
        PteFlags::from_bits_truncate(self.kept)
    }
}

/// What the entries of all levels say together: R/W and U/S, which are rights, and A. They lie at
/// the same places in each.
const COMBINED: u32 = PteFlags::WRITABLE
    .union(PteFlags::USER)
    .union(PteFlags::ACCESSED)
    .bits();

const _: () = assert!(
    PdeFlags::WRITABLE.bits() == PteFlags::WRITABLE.bits()
        && PdeFlags::USER.bits() == PteFlags::USER.bits()
        && PdeFlags::ACCESSED.bits() == PteFlags::ACCESSED.bits()
        && Rights::WRITABLE.bits() as u32 == PteFlags::WRITABLE.bits()
        && Rights::USER.bits() as u32 == PteFlags::USER.bits()
        && Rights::DIRTY.bits() as u32 == PteFlags::DIRTY.bits()
        && Rights::GLOBAL.bits() as u32 == PteFlags::GLOBAL.bits(),
    "rights lie as in an entry"
);

/// Returns the rights of these combined bits, with A left among them.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "combined bits are among the low 12"
)]
fn rights(combined: u32, execute: Execute) -> Rights {
    let granted = Rights::from_bits_retain(combined as u16);
    match execute {
        Execute::Allowed => granted,
        Execute::Never => granted | Rights::NO_EXECUTE,
    }
}

/// Returns the translation with paging off: everything is allowed, nothing is marked.
fn identity(addr: LinearAddr) -> Packed {
    let frame = FrameNumber::truncate(addr.page().bits());
    let rights = Rights::WRITABLE | Rights::USER | Rights::DIRTY;
    Packed::new(frame, PageSize::Small, rights, PteFlags::empty())
}

/// Returns bits 31:30, the index into the PDPTEs.
fn pdpt_index(addr: LinearAddr) -> u32 {
    addr.bits() >> 30
}

/// Returns bits 29:21, the index into a PAE directory.
fn pae_directory_index(addr: LinearAddr) -> u32 {
    addr.bits() >> PageSize::Mib2.shift()
}

/// Returns the number that a paging-structure cache files the page's directory entry under.
pub(crate) fn directory_tag(paging: &Paging, page: PageNumber) -> u32 {
    match paging.mode {
        Mode::Pae { .. } => page.bits() / PageSize::Mib2.small_pages(),
        Mode::Off | Mode::TwoLevel(_) => page.bits() / PageSize::Mib4.small_pages(),
    }
}
