//! The MMU as one would explain it: the public walk, a naive TLB, and the rules as a table.

use std::collections::BTreeSet;

use pagefault_mmu::{
    AcFlag, Access, AccessKind, ByKind, Cr0, Cr4, Efer, ErrorCode, FaultCause, FrameNumber, Leaf,
    LevelId, LinearAddr, MAX_PHYSICAL_BITS, Mmu, MmuConfig, PAGE_SIZE, PageFault, PageNumber,
    PageSize, PhysAddr, PhysMemory, Privilege, PteFlags, Rights, Statistics, Step, TlbConfig, walk,
};

use crate::naive::{Held, Level, Spot};

/// The slow, obvious MMU.
#[derive(Debug)]
pub(crate) struct Model {
    /// Holds memory and the registers; nothing is ever accessed through it.
    base: Mmu,
    levels: [Level; LevelId::COUNT],
    /// Remembered directory entries: the tag and the value, the most recently used one last.
    directory: Vec<(u32, u64)>,
    directory_capacity: usize,
    pub(crate) statistics: Statistics,
    tracked: BTreeSet<FrameNumber>,
    pub(crate) written: BTreeSet<FrameNumber>,
    pub(crate) cr2: LinearAddr,
}

/// What a walk of the model found.
struct Walked {
    leaf: Result<Leaf, FaultCause>,
    steps: Vec<Step>,
    references: u64,
}

impl Model {
    pub(crate) fn new(ram_bytes: u64, config: &MmuConfig) -> Self {
        let none = MmuConfig {
            tlb: TlbConfig::none(),
            ..config.clone()
        };
        let tlb = &config.tlb;
        let levels = [&tlb.data, &tlb.instruction, &tlb.second];
        Self {
            base: Mmu::new(PhysMemory::new(ram_bytes).unwrap(), &none).unwrap(),
            levels: levels.map(|level| Level::new(level, tlb.seed)),
            directory: Vec::new(),
            directory_capacity: tlb.directory_entries as usize,
            statistics: Statistics::default(),
            tracked: BTreeSet::new(),
            written: BTreeSet::new(),
            cr2: LinearAddr::new(0),
        }
    }

    pub(crate) fn mem(&self) -> &PhysMemory {
        self.base.mem()
    }

    pub(crate) fn mem_mut(&mut self) -> &mut PhysMemory {
        self.base.mem_mut()
    }

    pub(crate) fn levels(&self) -> &[Level; LevelId::COUNT] {
        &self.levels
    }

    /// Translates `len` bytes, first page first, and returns where each byte is.
    pub(crate) fn translate(
        &mut self,
        addr: LinearAddr,
        len: u32,
        access: Access,
    ) -> Result<Vec<PhysAddr>, PageFault> {
        let mut frame = self.translate_page(addr, access)?;
        let mut bytes = Vec::new();
        for index in 0..len {
            let byte = addr.wrapping_add(index);
            if index > 0 && byte.page_offset() == 0 {
                frame = self.translate_page(byte, access)?;
            }
            bytes.push(frame.byte(byte.page_offset()));
        }
        Ok(bytes)
    }

    /// Notes a store into these bytes and returns whether one of them is tracked.
    pub(crate) fn note(&mut self, bytes: &[PhysAddr]) -> bool {
        let frames: BTreeSet<_> = bytes.iter().map(|at| at.frame()).collect();
        let tracked: Vec<_> = frames.intersection(&self.tracked).copied().collect();
        self.written.extend(&tracked);
        !tracked.is_empty()
    }

    pub(crate) fn track(&mut self, frame: FrameNumber) {
        if self.mem().is_backed(frame) {
            self.tracked.insert(frame);
        }
    }

    pub(crate) fn untrack(&mut self, frame: FrameNumber) {
        self.tracked.remove(&frame);
    }

    pub(crate) fn set_cr0(&mut self, bits: u32) -> bool {
        let old = self.base.control().cr0();
        let was_paging = self.base.control().is_paging();
        let is_loaded = self.base.set_cr0(bits).is_ok();
        if is_loaded {
            self.directory.clear();
            let changed = old ^ self.base.control().cr0();
            if was_paging && changed.intersects(Cr0::PAGING | Cr0::WRITE_PROTECT) {
                self.flush_all();
            }
        }
        is_loaded
    }

    pub(crate) fn set_cr3(&mut self, bits: u32) -> bool {
        let is_loaded = self.base.set_cr3(bits).is_ok();
        if is_loaded {
            self.flush_non_global();
        }
        is_loaded
    }

    pub(crate) fn set_cr4(&mut self, bits: u32) -> bool {
        let old = self.base.control().cr4();
        let is_loaded = self.base.set_cr4(bits).is_ok();
        if is_loaded {
            self.directory.clear();
            let new = self.base.control().cr4();
            let gains_smep = (new - old).contains(Cr4::SMEP);
            if gains_smep
                || (old ^ new).intersects(Cr4::PAGE_GLOBAL | Cr4::PHYSICAL_ADDRESS_EXTENSION)
            {
                self.flush_all();
            }
        }
        is_loaded
    }

    pub(crate) fn set_efer(&mut self, bits: u32) -> bool {
        self.directory.clear();
        self.base.set_efer(bits).is_ok()
    }

    pub(crate) fn set_alignment_check(&mut self, ac: AcFlag) {
        self.base.set_alignment_check(ac);
    }

    pub(crate) fn invalidate_page(&mut self, addr: LinearAddr) {
        self.statistics.invalidations += 1;
        self.directory.clear();
        self.drop_page(addr.page());
    }

    pub(crate) fn flush_all(&mut self) {
        self.statistics.flushes_all += 1;
        self.directory.clear();
        self.levels.iter_mut().for_each(Level::flush_all);
    }

    pub(crate) fn flush_non_global(&mut self) {
        self.statistics.flushes_non_global += 1;
        self.directory.clear();
        for level in &mut self.levels {
            level.drop_where(|held| !held.rights.contains(Rights::GLOBAL));
        }
    }

    fn drop_page(&mut self, page: PageNumber) {
        for level in &mut self.levels {
            level.invalidate(page);
        }
    }

    /// Translates one page: the levels first, then the tables.
    fn translate_page(
        &mut self,
        addr: LinearAddr,
        access: Access,
    ) -> Result<FrameNumber, PageFault> {
        *counter(&mut self.statistics.accesses, access.kind) += 1;
        let page = addr.page();
        if !self.base.control().is_paging() {
            return Ok(FrameNumber::new(page.bits()).unwrap());
        }
        if !self.levels[LevelId::L1Data as usize].exists() {
            return Ok(self.walk_for(addr, access)?.frame);
        }

        let is_split = self.levels[LevelId::L1Instruction as usize].exists();
        let first = if access.kind == AccessKind::Fetch && is_split {
            LevelId::L1Instruction
        } else {
            LevelId::L1Data
        };
        for level in [first, LevelId::L2] {
            if !self.levels[level as usize].exists() {
                continue;
            }
            let found = self.levels[level as usize].find(page);
            let counts = &mut self.statistics.levels[level as usize];
            let counts = if found.is_some() {
                &mut counts.hits
            } else {
                &mut counts.misses
            };
            *counter(counts, access.kind) += 1;
            let Some((spot, held)) = found else {
                continue;
            };
            self.levels[level as usize].touch(spot);
            let is_first_write =
                access.kind == AccessKind::Write && !held.rights.contains(Rights::DIRTY);
            if is_first_write || !self.allows(held.rights, access) {
                return self.walk_again(first, addr, access);
            }
            let frame = held.frame + (page.bits() - held.first);
            if level == LevelId::L2 {
                let leaf = Held { frame, ..held };
                self.fill(first, page, held.size, leaf);
            }
            return Ok(FrameNumber::new(frame & 0x0FFF_FFFF).unwrap());
        }
        let leaf = self.walk_for(addr, access)?;
        self.fill_all(first, page, leaf);
        Ok(leaf.frame)
    }

    /// Walks although the page is held, and brings what is held up to date.
    fn walk_again(
        &mut self,
        first: LevelId,
        addr: LinearAddr,
        access: Access,
    ) -> Result<FrameNumber, PageFault> {
        self.statistics.rewalks += 1;
        let leaf = self.walk_for(addr, access)?;
        let page = addr.page();
        let find = |level: LevelId| self.levels[level as usize].find(page);
        let held: Vec<(LevelId, Spot, Held)> = [first, LevelId::L2]
            .into_iter()
            .filter_map(|level| find(level).map(|(spot, held)| (level, spot, held)))
            .collect();
        let is_other = held.iter().any(|(_, _, held)| held.mapped != leaf.size);
        for (level, spot, held) in &held {
            if held.mapped == leaf.size {
                let within = page.bits() - held.first;
                let fresh = Held {
                    frame: leaf.frame.bits().wrapping_sub(within) & 0x0FFF_FFFF,
                    rights: leaf.rights,
                    memory_type: leaf.memory_type,
                    ..*held
                };
                self.levels[*level as usize].replace(*spot, fresh);
            }
        }
        if is_other {
            self.drop_page(page);
            self.fill_all(first, page, leaf);
        } else if held.iter().all(|(level, ..)| *level != first) {
            self.fill(first, page, leaf.size, held_of(leaf));
        }
        Ok(leaf.frame)
    }

    fn fill_all(&mut self, first: LevelId, page: PageNumber, leaf: Leaf) {
        if self.levels[LevelId::L2 as usize].exists() {
            self.fill(LevelId::L2, page, leaf.size, held_of(leaf));
        }
        self.fill(first, page, leaf.size, held_of(leaf));
    }

    fn fill(&mut self, level: LevelId, page: PageNumber, size: PageSize, held: Held) {
        let displaced = self.levels[level as usize].fill(page, size, held);
        self.statistics.levels[level as usize].evictions += u64::from(displaced.is_some());
    }

    /// Walks, judges and marks.
    fn walk_for(&mut self, addr: LinearAddr, access: Access) -> Result<Leaf, PageFault> {
        let walked = self.walk(addr);
        self.statistics.walks += 1;
        self.statistics.walk_references += walked.references;
        let cause = match walked.leaf {
            Ok(leaf) if self.allows(leaf.rights, access) => None,
            Ok(_) => Some(FaultCause::Protection),
            Err(cause) => Some(cause),
        };
        if let Some(cause) = cause {
            let faults = match cause {
                FaultCause::NotPresent => &mut self.statistics.not_present_faults,
                FaultCause::Protection => &mut self.statistics.protection_faults,
                FaultCause::Reserved => &mut self.statistics.reserved_faults,
            };
            *counter(faults, access.kind) += 1;
            let tag = self.directory_tag(addr);
            self.directory.retain(|&(held, _)| held != tag);
            self.drop_page(addr.page());
            self.cr2 = addr;
            return Err(self.fault(addr, access, cause));
        }

        let mut leaf = walked.leaf.expect("no cause, no fault");
        let last = walked.steps.len() - 1;
        for (index, step) in walked.steps.iter().enumerate() {
            if step.level == pagefault_mmu::Level::Pdpt {
                continue;
            }
            let is_dirty = index == last && access.kind == AccessKind::Write;
            self.mark(step.at, PteFlags::ACCESSED, true);
            self.mark(step.at, PteFlags::DIRTY, is_dirty);
            let is_table = step.level == pagefault_mmu::Level::Directory && index != last;
            if is_table && self.directory_capacity > 0 {
                if self.directory.len() == self.directory_capacity {
                    self.directory.remove(0);
                }
                self.directory.push((self.directory_tag(addr), step.value));
            }
        }
        if access.kind == AccessKind::Write {
            leaf.rights |= Rights::DIRTY;
        }
        Ok(leaf)
    }

    fn mark(&mut self, at: PhysAddr, flag: PteFlags, is_due: bool) {
        let value = self.mem().read::<u32>(at);
        if !is_due || value & flag.bits() != 0 {
            return;
        }
        self.mem_mut().write(at, value | flag.bits());
        self.note(&[at]);
        if flag == PteFlags::ACCESSED {
            self.statistics.accessed_marks += 1;
        } else {
            self.statistics.dirty_marks += 1;
        }
    }

    fn is_pae(&self) -> bool {
        self.base
            .control()
            .cr4()
            .contains(Cr4::PHYSICAL_ADDRESS_EXTENSION)
    }

    fn directory_tag(&self, addr: LinearAddr) -> u32 {
        addr.bits() >> if self.is_pae() { 21 } else { 22 }
    }

    fn walk(&mut self, addr: LinearAddr) -> Walked {
        let tag = self.directory_tag(addr);
        if let Some(index) = self.directory.iter().position(|&(held, _)| held == tag) {
            let remembered = self.directory.remove(index);
            self.directory.push(remembered);
            self.statistics.directory_hits += 1;
            return self.walk_table(addr, remembered.1);
        }
        let walked = walk(self.base.mem(), self.base.control(), addr);
        let is_read = |step: &&Step| step.level != pagefault_mmu::Level::Pdpt;
        Walked {
            leaf: walked.leaf(),
            steps: walked.steps().to_vec(),
            references: walked.steps().iter().filter(is_read).count() as u64,
        }
    }

    /// Walks only the table that a remembered directory entry names.
    fn walk_table(&self, addr: LinearAddr, directory: u64) -> Walked {
        const NO_EXECUTE: u64 = 1 << 63;
        let table = FrameNumber::new((directory >> 12) as u32 & 0x0FFF_FFFF).unwrap();
        let (at, value) = if self.is_pae() {
            let at = table.byte((addr.bits() >> 12 & 0x1FF) * 8);
            (at, self.mem().read::<u64>(at))
        } else {
            let at = table.byte((addr.bits() >> 12 & 0x3FF) * 4);
            (at, u64::from(self.mem().read::<u32>(at)))
        };
        let nxe = self.base.control().efer().contains(Efer::NO_EXECUTE_ENABLE);
        let too_wide = value & !NO_EXECUTE & !((1 << MAX_PHYSICAL_BITS) - 1) != 0;
        let is_reserved = self.is_pae() && (too_wide || !nxe && value & NO_EXECUTE != 0);
        let leaf = if value & 1 == 0 {
            Err(FaultCause::NotPresent)
        } else if is_reserved {
            Err(FaultCause::Reserved)
        } else {
            Ok(self.table_leaf(directory, value))
        };
        Walked {
            leaf,
            steps: vec![Step {
                level: pagefault_mmu::Level::Table,
                at,
                value,
            }],
            references: 1,
        }
    }

    fn table_leaf(&self, directory: u64, value: u64) -> Leaf {
        let both = directory & value;
        let either = directory | value;
        let mut rights = Rights::empty();
        rights.set(Rights::WRITABLE, both & 2 != 0);
        rights.set(Rights::USER, both & 4 != 0);
        rights.set(Rights::NO_EXECUTE, either >> 63 != 0);
        rights.set(Rights::DIRTY, value & 0x40 != 0);
        let pge = self.base.control().cr4().contains(Cr4::PAGE_GLOBAL);
        rights.set(Rights::GLOBAL, pge && value & 0x100 != 0);
        Leaf {
            frame: FrameNumber::new((value >> 12) as u32 & 0x0FFF_FFFF).unwrap(),
            size: PageSize::Small,
            rights,
            memory_type: (value >> 3 & 3) as u8 | (value >> 5 & 4) as u8,
        }
    }

    /// The permission table.
    fn allows(&self, rights: Rights, access: Access) -> bool {
        let control = self.base.control();
        let cr4 = control.cr4();
        let nx = self.is_pae() && control.efer().contains(Efer::NO_EXECUTE_ENABLE);
        let user_page = rights.contains(Rights::USER);
        let writable = rights.contains(Rights::WRITABLE);
        let executable = !(nx && rights.contains(Rights::NO_EXECUTE));
        let write_protect = control.cr0().contains(Cr0::WRITE_PROTECT);
        let excused =
            control.alignment_check() == AcFlag::Set && access.privilege == Privilege::Supervisor;
        let smap = cr4.contains(Cr4::SMAP) && user_page && !excused;
        match (access.privilege, access.kind) {
            (Privilege::User, AccessKind::Read) => user_page,
            (Privilege::User, AccessKind::Write) => user_page && writable,
            (Privilege::User, AccessKind::Fetch) => user_page && executable,
            (_, AccessKind::Read) => !smap,
            (_, AccessKind::Write) => !smap && (writable || !write_protect),
            (_, AccessKind::Fetch) => executable && !(user_page && cr4.contains(Cr4::SMEP)),
        }
    }

    fn fault(&self, addr: LinearAddr, access: Access, cause: FaultCause) -> PageFault {
        let control = self.base.control();
        let nx = self.is_pae() && control.efer().contains(Efer::NO_EXECUTE_ENABLE);
        let tells_fetches = control.cr4().contains(Cr4::SMEP) || nx;
        let mut code = ErrorCode::empty();
        code.set(ErrorCode::PRESENT, cause != FaultCause::NotPresent);
        code.set(ErrorCode::WRITE, access.kind == AccessKind::Write);
        code.set(ErrorCode::USER, access.privilege == Privilege::User);
        code.set(ErrorCode::RESERVED, cause == FaultCause::Reserved);
        code.set(
            ErrorCode::FETCH,
            access.kind == AccessKind::Fetch && tells_fetches,
        );
        PageFault {
            addr,
            access,
            cause,
            code,
        }
    }
}

fn held_of(leaf: Leaf) -> Held {
    Held {
        first: 0,
        size: leaf.size,
        frame: leaf.frame.bits(),
        rights: leaf.rights,
        memory_type: leaf.memory_type,
        mapped: leaf.size,
    }
}

pub(crate) fn counter(counts: &mut ByKind, kind: AccessKind) -> &mut u64 {
    match kind {
        AccessKind::Read => &mut counts.reads,
        AccessKind::Write => &mut counts.writes,
        AccessKind::Fetch => &mut counts.fetches,
    }
}

const _: () = assert!(PAGE_SIZE == 4096, "the model shifts by 12");
