//! The setting of every case: where the tables lie and what the frames hold.

use pagefault_mmu::{
    AcFlag, AccessKind, Cr0, Cr4, Efer, FrameNumber, LinearAddr, Mmu, MmuConfig, PhysAddr,
    PhysMemory, Privilege,
};

use pagefault_mmu::PageFault;

use crate::golden::mmu::judge::{NotRun, entry, number};
use crate::golden::mmu::text::EntryText;
use crate::golden::table::Row;

/// RAM of a case, in bytes: what its frames and tables need.
const RAM_BYTES: u64 = 16 << 20;
/// The first of the frames with a known pattern; RAM ends with the last.
const FIRST_FRAME: u32 = 0x800;
const LAST_FRAME: u32 = 0xFFF;
/// The page directory, and the directory B of traces.
pub(super) const DIRECTORY: u32 = 0x0020_0000;
/// The page table of directory entry 256; the one of entry 257 follows it.
const TABLE: u32 = 0x0020_2000;
/// The directory entry of the test region.
const TEST_ENTRY: u32 = 256;
/// PAE: the PDPT, the directory under its entry 1, and that one's first table.
pub(super) const PDPT: u32 = 0x0020_8000;
pub(super) const PAE_DIRECTORY: u32 = 0x0020_B000;
const PAE_TABLE: u32 = 0x0020_E000;
/// What a write stores unless the case says otherwise.
pub(super) const DATA: u32 = 0x1122_3344;
/// The frames that a 2 MiB or 4 MiB page spans, as a mask of addresses.
const LARGE_MASKS: [u64; 2] = [0x1F_FFFF, 0x3F_FFFF];

/// A of an entry.
pub(super) const ACCESSED: u64 = 1 << 5;
/// The bits of an entry that name a frame.
const FRAME_BITS: u64 = 0x000F_FFFF_FFFF_F000;

/// How the registers stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers {
    pub(super) cr0: Cr0,
    pub(super) cr4: Cr4,
    pub(super) efer: Efer,
    pub(super) ac: AcFlag,
}

impl Registers {
    /// Paging with 4 MiB pages and WP=1.
    pub(super) const TWO_LEVEL: Self = Self {
        cr0: Cr0::PROTECTED_MODE
            .union(Cr0::PAGING)
            .union(Cr0::WRITE_PROTECT),
        cr4: Cr4::PAGE_SIZE_EXTENSIONS,
        efer: Efer::empty(),
        ac: AcFlag::Clear,
    };

    /// Reads the columns that are there. A row with `nxe` is one of PAE paging.
    pub(super) fn of(row: Row<'_>) -> Result<Self, NotRun> {
        let flag = |column| match row.get(column) {
            None | Some("-") => Ok(None),
            Some(_) => number(row, column).map(|value| Some(value != 0)),
        };
        let mut registers = Self::TWO_LEVEL;
        if let Some(is_set) = flag("wp")? {
            registers.cr0.set(Cr0::WRITE_PROTECT, is_set);
        }
        let columns = [
            ("pse", Cr4::PAGE_SIZE_EXTENSIONS),
            ("pge", Cr4::PAGE_GLOBAL),
            ("smep", Cr4::SMEP),
            ("smap", Cr4::SMAP),
        ];
        for (column, bit) in columns {
            if let Some(is_set) = flag(column)? {
                registers.cr4.set(bit, is_set);
            }
        }
        if let Some(is_set) = flag("nxe")? {
            registers.cr4 |= Cr4::PHYSICAL_ADDRESS_EXTENSION;
            registers.efer.set(Efer::NO_EXECUTE_ENABLE, is_set);
        }
        if flag("ac")? == Some(true) {
            registers.ac = AcFlag::Set;
        }
        Ok(registers)
    }

    pub(super) fn is_pae(self) -> bool {
        self.cr4.contains(Cr4::PHYSICAL_ADDRESS_EXTENSION)
    }
}

/// Returns on whose behalf a program at this CPL accesses memory.
pub(super) fn privilege(cpl: u32) -> Privilege {
    if cpl == 3 {
        Privilege::User
    } else {
        Privilege::Supervisor
    }
}

/// An MMU with the tables of a case.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) mmu: Mmu,
    registers: Registers,
}

impl Stage {
    /// Returns the stage with paging still off and every table empty.
    pub(super) fn new(config: &MmuConfig, registers: Registers) -> Result<Self, NotRun> {
        let mem =
            PhysMemory::new(RAM_BYTES).map_err(|_| NotRun::Skipped("no memory on the host"))?;
        let mmu = Mmu::new(mem, config).map_err(|_| NotRun::Skipped("an MMU that cannot be"))?;
        let mut stage = Self { mmu, registers };
        stage.put(PDPT + 8, u64::from(PAE_DIRECTORY | 1));
        Ok(stage)
    }

    /// Loads the registers: from here on, paging is on.
    pub(super) fn start(&mut self) -> Result<(), NotRun> {
        let Registers { cr0, cr4, efer, ac } = self.registers;
        let root = if self.registers.is_pae() {
            PDPT
        } else {
            DIRECTORY
        };
        self.mmu.set_alignment_check(ac);
        let loads = [
            self.mmu.set_efer(efer.bits()),
            self.mmu.set_cr4(cr4.bits()),
            self.mmu.set_cr3(root),
            self.mmu.set_cr0(cr0.bits()),
        ];
        let is_loaded = loads.iter().all(Result::is_ok);
        is_loaded
            .then_some(())
            .ok_or(NotRun::Skipped("the registers refuse their values"))
    }

    /// Returns where the directory entry for the address lies.
    pub(super) fn pde_at(&self, addr: u32) -> u32 {
        if self.registers.is_pae() {
            PAE_DIRECTORY + (addr >> 21 & 0x1FF) * 8
        } else {
            DIRECTORY + (addr >> 22) * 4
        }
    }

    /// Returns where the table entry for the address lies.
    pub(super) fn pte_at(&self, addr: u32) -> u32 {
        if self.registers.is_pae() {
            PAE_TABLE + (addr >> 12 & 0x1FF) * 8
        } else {
            let table = TABLE + (addr >> 22).wrapping_sub(TEST_ENTRY) % 4 * 0x1000;
            table + (addr >> 12 & 0x3FF) * 4
        }
    }

    /// Writes an entry, in the width of the mode.
    pub(super) fn put(&mut self, at: u32, value: u64) {
        let is_pae = self.registers.is_pae();
        let mem = self.mmu.mem_mut();
        if is_pae {
            mem.write(phys(at), value);
        } else {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "two-level entries have 32 bits"
            )]
            mem.write(phys(at), value as u32);
        }
    }

    /// Reads an entry, in the width of the mode.
    pub(super) fn get(&self, at: u32) -> u64 {
        if self.registers.is_pae() {
            self.mmu.mem().read(phys(at))
        } else {
            u64::from(self.mmu.mem().read::<u32>(phys(at)))
        }
    }

    /// Returns EFLAGS.AC, as the case sets it.
    pub(super) fn alignment_check(&self) -> AcFlag {
        self.registers.ac
    }

    /// Writes a dword of RAM.
    pub(super) fn set_dword(&mut self, at: u32, value: u32) {
        self.mmu.mem_mut().write(phys(at), value);
    }

    /// Reads a dword of RAM.
    pub(super) fn dword(&self, at: u32) -> u32 {
        self.mmu.mem().read(phys(at))
    }

    /// Writes the entries for the address and fills the frames that they may lead to.
    pub(super) fn map(&mut self, addr: u32, pde: Option<EntryText>, pte: Option<EntryText>) {
        if let Some(pde) = pde {
            self.put(self.pde_at(addr), pde.bits());
            self.fill(addr, pde);
        }
        if let Some(pte) = pte {
            self.put(self.pte_at(addr), pte.bits());
            self.fill(addr, pte);
        }
    }

    /// Fills the frames that the entry may map the address to.
    pub(super) fn fill(&mut self, addr: u32, entry: EntryText) {
        let bits = entry.bits() & FRAME_BITS;
        self.fill_frame(bits >> 12);
        for mask in LARGE_MASKS {
            self.fill_frame((bits & !mask | u64::from(addr) & mask) >> 12);
        }
    }

    /// Fills every frame.
    pub(super) fn fill_all(&mut self) {
        for frame in FIRST_FRAME..=LAST_FRAME {
            self.fill_frame(u64::from(frame));
        }
    }

    /// Fills the frames with these numbers, counted from the first that has a pattern.
    pub(super) fn fill_frames(&mut self, numbers: &[u32]) {
        for number in numbers {
            self.fill_frame(u64::from(FIRST_FRAME + number));
        }
    }

    /// Fills a frame with its pattern, if it is one of those that have one.
    pub(super) fn fill_frame(&mut self, frame: u64) {
        let number = u32::try_from(frame).ok();
        let number = number.filter(|frame| (FIRST_FRAME..=LAST_FRAME).contains(frame));
        let Some(number) = number.and_then(FrameNumber::new) else {
            return;
        };
        let index = u64::from(number.bits() - FIRST_FRAME);
        if let Some(bytes) = self.mmu.mem_mut().frame_mut(number) {
            for (k, chunk) in bytes.chunks_exact_mut(8).enumerate() {
                chunk.copy_from_slice(&pattern(index, k as u64).to_le_bytes());
            }
        }
    }

    /// Makes a 32-bit access and returns what it proves: the value read or written, or the four
    /// bytes behind the first of the code fetched.
    pub(super) fn access(
        &mut self,
        kind: AccessKind,
        addr: u32,
        privilege: Privilege,
        data: u32,
    ) -> Result<u32, PageFault> {
        let addr = LinearAddr::new(addr);
        match kind {
            AccessKind::Read => self.mmu.read(addr, privilege),
            AccessKind::Write => self.mmu.write(addr, data, privilege).map(|_| data),
            AccessKind::Fetch => {
                let at = self.mmu.fetch_page(addr, privilege)?;
                Ok(self.mmu.mem().read(at.frame().byte(at.page_offset() + 1)))
            }
        }
    }

    /// Returns the number of the frame that a value was read from, if it is a pattern.
    pub(super) fn frame_of(value: u32) -> Option<u32> {
        (value >> 24 == 0x5A && value & 0xFF == 0xB8).then_some(value >> 8 & 0xFFFF)
    }

    /// Returns where the frame with this number, counted from the first that has a pattern, lies.
    pub(super) fn frame_at(number: u32) -> u32 {
        (FIRST_FRAME + number) << 12
    }
}

/// Maps the pages of a row, given as column of the state, address, and column of the entry
/// afterwards, which names the frame; returns where the frames lie.
pub(super) fn map_states(
    stage: &mut Stage,
    row: Row<'_>,
    pages: &[(&'static str, u32, &'static str)],
) -> Result<Vec<u32>, NotRun> {
    let directory = entry(row, "pde_after")?.ok_or(NotRun::Unreadable("pde_after"))?;
    let directory = EntryText::exactly(directory.bits() & !ACCESSED);
    let mut frames = Vec::new();
    for &(state, addr, after) in pages {
        let rights = row.get(state).and_then(rights_of);
        let rights = rights.ok_or(NotRun::Unreadable(state))?;
        let after = entry(row, after)?.ok_or(NotRun::Unreadable(after))?;
        let base = after.bits() & FRAME_BITS;
        let table = EntryText::exactly(base | rights);
        stage.map(addr, Some(directory), Some(table));
        frames.push(after.bits_32() & !0xFFF);
    }
    Ok(frames)
}

/// Reads the state of a page: P, R/W and U/S.
pub(super) fn rights_of(state: &str) -> Option<u64> {
    match state {
        "np" => Some(0),
        "sro" => Some(0b001),
        "srw" => Some(0b011),
        "uro" => Some(0b101),
        "urw" => Some(0b111),
        _ => None,
    }
}

/// Returns the address in RAM.
pub(super) fn phys(at: u32) -> PhysAddr {
    FrameNumber::new(at >> 12).map_or(FIRST, |frame| frame.byte(at))
}

const FIRST: PhysAddr = match PhysAddr::new(0) {
    Some(first) => first,
    None => unreachable!(),
};

/// Returns the eight bytes at offset 8·k of a frame: `B8 lo hi 5A k CD 80 90`.
fn pattern(index: u64, k: u64) -> u64 {
    0x9080_CD00_5A00_00B8 | (k & 0xFF) << 32 | (index & 0xFFFF) << 8
}

/// Reads `read`, `write` or `fetch`.
pub(super) fn access_kind(text: &str) -> Option<AccessKind> {
    match text {
        "read" => Some(AccessKind::Read),
        "write" => Some(AccessKind::Write),
        "fetch" => Some(AccessKind::Fetch),
        _ => None,
    }
}
