//! Random operations, and what they do to the MMU and to the model.

use std::collections::BTreeSet;

use pagefault_mmu::{
    AcFlag, Access, AccessKind, ByKind, FrameNumber, LinearAddr, Mmu, Observer, PageFault,
    PhysAddr, Privilege, Statistics, Stored, Word,
};

use crate::model::{Model, counter};

/// RAM holds the tables of both modes and some frames of data; large pages map the tables too.
pub(crate) const RAM_BYTES: u64 = 64 * 4096;
/// The roots and tables, by frame.
const DIRECTORIES: [u32; 2] = [1, 2];
const TABLES: [u32; 4] = [3, 4, 5, 6];
const PDPT: u32 = 0x7020;
const PAE_DIRECTORIES: [u32; 2] = [8, 9];
const PAE_TABLES: [u32; 3] = [10, 11, 12];
const FRAMES: u64 = 72;
/// Pages that are accessed: directory entries and table entries of two-level paging. Some share a
/// line of the front array, some a set of small TLBs.
const DIRECTORY_INDICES: [u32; 6] = [0, 1, 2, 512, 768, 1023];
const TABLE_INDICES: [u32; 10] = [0, 1, 2, 3, 4, 256, 512, 513, 1022, 1023];
/// Operations that set up tables before paging is turned on.
const STARTING: u32 = 400;
/// How many pages are accessed again and again at any time.
const HOT_PAGES: usize = 8;
/// Accesses to the same pages in turn after which one more leaves the TLB as it is.
const SETTLING: u32 = 100;
/// The most bytes of one access.
pub(crate) const MAX_BYTES: usize = 16;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Read,
    Write,
    Modify,
    Probe,
    Fetch,
}

/// Whether the functions that answer only hits are tried first, as an interpreter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trial {
    None,
    HitFirst,
}

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Access {
        form: Form,
        trial: Trial,
        addr: LinearAddr,
        bytes: u32,
        privilege: Privilege,
        data: [u8; MAX_BYTES],
    },
    Run {
        addr: LinearAddr,
        kind: AccessKind,
        privilege: Privilege,
        count: u32,
    },
    Pairs {
        first: (LinearAddr, AccessKind),
        second: (LinearAddr, AccessKind),
        privilege: Privilege,
        count: u32,
    },
    Store32(PhysAddr, u32),
    Store64(PhysAddr, u64),
    Invalidate(LinearAddr),
    FlushAll,
    FlushNonGlobal,
    Cr0(u32),
    Cr3(u32),
    Cr4(u32),
    Efer(u32),
    AlignmentCheck(AcFlag),
    Track(FrameNumber),
    Untrack(FrameNumber),
    TakeWritten,
}

/// What an operation gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Nothing,
    Value([u8; MAX_BYTES]),
    Stored([u8; MAX_BYTES], Stored),
    Probed,
    At(PhysAddr),
    Fault(PageFault),
    /// The hits that were counted at once, with where the first bytes are; empty if none were.
    Counted(Vec<PhysAddr>),
    Loaded(bool),
    Written(BTreeSet<FrameNumber>),
}

/// What the numbers are that decide about operations.
enum Numbers {
    /// Random ones, for so many operations.
    Random { left: u32 },
    /// Those that these bytes say, until they end.
    Bytes(std::vec::IntoIter<u8>),
}

/// Draws operations. They do not depend on what they give, so that front arrays can be compared.
pub(crate) struct Generator {
    state: u64,
    numbers: Numbers,
    started: u32,
    /// Pages that are accessed again and again, as directory and table bits.
    hot: [u32; HOT_PAGES],
}

impl Iterator for Generator {
    type Item = Operation;

    fn next(&mut self) -> Option<Operation> {
        match &mut self.numbers {
            Numbers::Random { left } => *left = left.checked_sub(1)?,
            Numbers::Bytes(bytes) if bytes.as_slice().is_empty() => return None,
            Numbers::Bytes(_) => {}
        }
        Some(self.next_operation())
    }
}

impl Generator {
    /// Draws so many operations.
    pub(crate) fn new(seed: u32, operations: u32) -> Self {
        Self {
            state: u64::from(seed) << 32 | 0x9E37_79B9,
            numbers: Numbers::Random { left: operations },
            started: 0,
            hot: [0; HOT_PAGES],
        }
    }

    /// Takes operations from bytes, of which the first is the seed of the tables to begin with.
    #[allow(dead_code, reason = "the fuzz target of the MMU uses it")]
    pub(crate) fn from_bytes(data: &[u8]) -> Self {
        let (seed, rest) = data.split_first().unwrap_or((&0, &[]));
        Self {
            numbers: Numbers::Bytes(Vec::from(rest).into_iter()),
            ..Self::new(u32::from(*seed), 0)
        }
    }

    fn next_operation(&mut self) -> Operation {
        // Begin with tables and registers that make sense.
        if self.started < STARTING {
            self.started += 1;
            return match self.started {
                1 => Operation::Cr4(self.cr4()),
                2 => Operation::Cr3(self.cr3()),
                STARTING => Operation::Cr0(0x8001_0001),
                _ => self.edit(),
            };
        }
        match self.below(1000) {
            0..660 => self.access(),
            660..690 => self.run(),
            690..770 => self.pairs(),
            770..900 => self.edit(),
            900..940 => Operation::Invalidate(self.addr()),
            940..941 => Operation::FlushAll,
            941..942 => Operation::FlushNonGlobal,
            942..947 => Operation::Cr3(self.cr3()),
            947..952 => Operation::Cr0(self.cr0()),
            952..956 => Operation::Cr4(self.cr4()),
            956..960 => Operation::Efer(self.pick(&[0, 0x800])),
            960..970 => Operation::AlignmentCheck(self.pick(&[AcFlag::Clear, AcFlag::Set])),
            970..982 => Operation::Track(self.frame()),
            982..990 => Operation::Untrack(self.frame()),
            _ => Operation::TakeWritten,
        }
    }

    fn random(&mut self) -> u64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        self.state >> 24
    }

    fn below(&mut self, limit: u64) -> u64 {
        let has_started = self.started >= STARTING;
        let number = match &mut self.numbers {
            Numbers::Bytes(bytes) if has_started => {
                let mut byte = || u64::from(bytes.next().unwrap_or(0));
                if limit <= 256 {
                    byte()
                } else {
                    byte() | byte() << 8
                }
            }
            _ => self.random(),
        };
        number % limit
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    fn addr(&mut self) -> LinearAddr {
        if self.below(8) == 0 {
            let page = self.pick(&DIRECTORY_INDICES) << 22 | self.pick(&TABLE_INDICES) << 12;
            self.hot[self.below(HOT_PAGES as u64) as usize] = page;
        }
        let page = self.pick(&self.hot.clone());
        let offset = match self.below(6) {
            0 => self.pick(&[0xFF1, 0xFF9, 0xFFC, 0xFFD, 0xFFE, 0xFFF]),
            _ => self.below(4096) as u32,
        };
        LinearAddr::new(page | offset)
    }

    fn privilege(&mut self) -> Privilege {
        match self.below(16) {
            0 => Privilege::Implicit,
            1..7 => Privilege::Supervisor,
            _ => Privilege::User,
        }
    }

    fn access(&mut self) -> Operation {
        let form = match self.below(20) {
            0..8 => Form::Read,
            8..13 => Form::Write,
            13..15 => Form::Modify,
            15 => Form::Probe,
            _ => Form::Fetch,
        };
        let mut data = [0; MAX_BYTES];
        let entries = [self.entry_32(), self.entry_32()];
        data[..4].copy_from_slice(&entries[0].to_le_bytes());
        data[4..8].copy_from_slice(&entries[1].to_le_bytes());
        Operation::Access {
            form,
            trial: self.pick(&[Trial::None, Trial::HitFirst]),
            addr: self.addr(),
            bytes: self.pick(&[1, 2, 4, 4, 4, 8, 16]),
            privilege: self.privilege(),
            data,
        }
    }

    fn kind(&mut self) -> AccessKind {
        self.pick(&[
            AccessKind::Read,
            AccessKind::Read,
            AccessKind::Read,
            AccessKind::Write,
            AccessKind::Fetch,
        ])
    }

    fn run(&mut self) -> Operation {
        Operation::Run {
            addr: self.addr(),
            kind: self.kind(),
            privilege: self.privilege(),
            count: match self.below(8) {
                // The clock of the TLB is full some time after a few of these.
                1 => 1 + self.below(1 << 18) as u32,
                _ => self.pick(&[1, 2, 3, 4, 5, 17, 100]),
            },
        }
    }

    fn pairs(&mut self) -> Operation {
        Operation::Pairs {
            first: (self.addr(), self.kind()),
            second: (self.addr(), self.kind()),
            privilege: self.privilege(),
            count: self.pick(&[1, 2, 3, 4, 5, 6, 33]),
        }
    }

    fn frame(&mut self) -> FrameNumber {
        FrameNumber::new(self.below(FRAMES) as u32).unwrap()
    }

    fn flags(&mut self) -> u32 {
        // Mostly present and generous; anything can be set.
        let wild = self.below(0x1000) as u32;
        match self.below(16) {
            0 => wild,
            1 => wild & !1,
            2 | 3 => wild & 0x163 | 5,
            4 | 5 => wild & 0x1E0 | 7,
            _ => wild & 0x160 | 7,
        }
    }

    /// An entry of either level: a table or a page, a large page now and then.
    fn entry_32(&mut self) -> u32 {
        let flags = self.flags();
        let frame = match self.below(12) {
            0 => self.pick(&TABLES),
            _ => self.below(FRAMES) as u32,
        };
        let frame = if flags & 0x80 != 0 && self.below(8) != 0 {
            frame & !0x3FF
        } else {
            frame
        };
        frame << 12 | flags
    }

    fn entry_64(&mut self) -> u64 {
        let flags = u64::from(self.flags());
        let frame = match self.below(12) {
            0 => self.pick(&PAE_TABLES),
            _ => self.below(FRAMES) as u32,
        };
        let frame = if flags & 0x80 != 0 && self.below(8) != 0 {
            frame & !0x1FF
        } else {
            frame
        };
        let top = match self.below(12) {
            0 => 1 << 63,
            1 => 1 << self.pick(&[39, 40, 51, 52, 62]),
            _ => 0,
        };
        u64::from(frame) << 12 | flags | top
    }

    fn edit(&mut self) -> Operation {
        let directory_index = self.pick(&DIRECTORY_INDICES);
        let table_index = self.pick(&TABLE_INDICES);
        match self.below(24) {
            0..4 => {
                let at = self.pick(&DIRECTORIES) << 12 | directory_index << 2;
                let table = self.pick(&[3, 3, 4, 5, 6, 6, 1]);
                let flags = self.flags() & !0x80 | 1;
                Operation::Store32(phys(at), table << 12 | flags)
            }
            4..6 => {
                // Maps RAM whole; a page that was small is large from here on.
                let at = self.pick(&DIRECTORIES) << 12 | directory_index << 2;
                Operation::Store32(phys(at), self.flags() & 0xFFF | 0x81)
            }
            6 => {
                let at = self.pick(&DIRECTORIES) << 12 | directory_index << 2;
                Operation::Store32(phys(at), self.entry_32())
            }
            7..13 => {
                let at = self.pick(&TABLES) << 12 | table_index << 2;
                Operation::Store32(phys(at), self.entry_32())
            }
            13..17 => {
                let at = self.pae_directory_entry(directory_index, table_index);
                let table = u64::from(self.pick(&PAE_TABLES));
                let flags = u64::from(self.flags() & !0x80 | 1);
                Operation::Store64(phys(at), table << 12 | flags)
            }
            17 => {
                let at = self.pae_directory_entry(directory_index, table_index);
                Operation::Store64(phys(at), self.entry_64())
            }
            18..23 => {
                let at = self.pick(&PAE_TABLES) << 12 | (table_index & 0x1FF) << 3;
                Operation::Store64(phys(at), self.entry_64())
            }
            _ => {
                let at = PDPT + self.below(4) as u32 * 8;
                let wild = if self.below(20) == 0 { 2 } else { 0 };
                let directory = u64::from(self.pick(&PAE_DIRECTORIES));
                let present = u64::from(self.below(12) != 0);
                Operation::Store64(phys(at), directory << 12 | wild | present)
            }
        }
    }

    fn pae_directory_entry(&mut self, directory_index: u32, table_index: u32) -> u32 {
        let index = (directory_index << 1 | table_index >> 9) & 0x1FF;
        self.pick(&PAE_DIRECTORIES) << 12 | index << 3
    }

    fn cr0(&mut self) -> u32 {
        match self.below(8) {
            0 => 0x0001_0001,
            1 => 0x8000_0000,
            2 | 3 => 0x8000_0001,
            _ => 0x8001_0001,
        }
    }

    fn cr3(&mut self) -> u32 {
        match self.below(3) {
            0 => PDPT | self.below(32) as u32,
            _ => self.pick(&DIRECTORIES) << 12 | self.below(0x20) as u32,
        }
    }

    fn cr4(&mut self) -> u32 {
        let mut bits = self.pick(&[0x10, 0x10, 0x90, 0x90, 0x80, 0, 0x20, 0x30, 0xA0, 0xB0]);
        if self.below(4) == 0 {
            bits |= self.pick(&[1 << 20, 1 << 21, 3 << 20, 1 << 22]);
        }
        bits
    }
}

fn phys(at: u32) -> PhysAddr {
    PhysAddr::new(u64::from(at)).unwrap()
}

pub(crate) fn apply_to_mmu<O: Observer>(mmu: &mut Mmu<O>, operation: &Operation) -> Outcome {
    match *operation {
        Operation::Access { bytes, .. } => match bytes {
            1 => access::<u8, O>(mmu, operation),
            2 => access::<u16, O>(mmu, operation),
            4 => access::<u32, O>(mmu, operation),
            8 => access::<u64, O>(mmu, operation),
            _ => access::<u128, O>(mmu, operation),
        },
        Operation::Run {
            addr,
            kind,
            privilege,
            count,
        } => match mmu.peek_hit(addr, kind, privilege) {
            Some(run) => {
                mmu.count_hits(run, count);
                Outcome::Counted(vec![run.at()])
            }
            None => Outcome::Counted(Vec::new()),
        },
        Operation::Pairs {
            first,
            second,
            privilege,
            count,
        } => {
            let peek = |(addr, kind)| mmu.peek_hit(addr, kind, privilege);
            match (peek(first), peek(second)) {
                (Some(first), Some(second)) => {
                    mmu.count_hit_pairs(first, second, count);
                    Outcome::Counted(vec![first.at(), second.at()])
                }
                _ => Outcome::Counted(Vec::new()),
            }
        }
        Operation::Store32(at, value) => {
            mmu.mem_mut().write(at, value);
            Outcome::Nothing
        }
        Operation::Store64(at, value) => {
            mmu.mem_mut().write(at, value);
            Outcome::Nothing
        }
        Operation::TakeWritten => Outcome::Written(mmu.take_tracked_writes().into_iter().collect()),
        ref other => {
            let is_loaded = set_on_mmu(mmu, other);
            Outcome::Loaded(is_loaded)
        }
    }
}

fn set_on_mmu<O: Observer>(mmu: &mut Mmu<O>, operation: &Operation) -> bool {
    match *operation {
        Operation::Invalidate(addr) => mmu.invalidate_page(addr),
        Operation::FlushAll => mmu.flush_all(),
        Operation::FlushNonGlobal => mmu.flush_non_global(),
        Operation::Cr0(bits) => return mmu.set_cr0(bits).is_ok(),
        Operation::Cr3(bits) => return mmu.set_cr3(bits).is_ok(),
        Operation::Cr4(bits) => return mmu.set_cr4(bits).is_ok(),
        Operation::Efer(bits) => return mmu.set_efer(bits).is_ok(),
        Operation::AlignmentCheck(ac) => mmu.set_alignment_check(ac),
        Operation::Track(frame) => mmu.track_writes(frame),
        Operation::Untrack(frame) => mmu.untrack_writes(frame),
        _ => {}
    }
    true
}

fn access<T: Word, O: Observer>(mmu: &mut Mmu<O>, operation: &Operation) -> Outcome {
    let &Operation::Access {
        form,
        trial,
        addr,
        privilege,
        data,
        ..
    } = operation
    else {
        return Outcome::Nothing;
    };
    if trial == Trial::HitFirst
        && let Some(outcome) = hit::<T, O>(mmu, operation)
    {
        return outcome;
    }
    let value = T::load(&data).unwrap();
    let bytes = |value: T| {
        let mut bytes = [0; MAX_BYTES];
        value.store(&mut bytes);
        bytes
    };
    match form {
        Form::Read => match mmu.read::<T>(addr, privilege) {
            Ok(value) => Outcome::Value(bytes(value)),
            Err(fault) => Outcome::Fault(fault),
        },
        Form::Write => match mmu.write(addr, value, privilege) {
            Ok(stored) => Outcome::Stored(bytes(value), stored),
            Err(fault) => Outcome::Fault(fault),
        },
        Form::Modify => {
            let mut new = [0; MAX_BYTES];
            let stored = mmu.modify::<T>(addr, privilege, |old| {
                new = edited(bytes(old), T::SIZE);
                T::load(&new).unwrap()
            });
            match stored {
                Ok(stored) => Outcome::Stored(new, stored),
                Err(fault) => Outcome::Fault(fault),
            }
        }
        Form::Probe => match mmu.probe_write::<T>(addr, privilege) {
            Ok(()) => Outcome::Probed,
            Err(fault) => Outcome::Fault(fault),
        },
        Form::Fetch => match mmu.fetch_page(addr, privilege) {
            Ok(at) => Outcome::At(at),
            Err(fault) => Outcome::Fault(fault),
        },
    }
}

/// Makes the access if it is a hit that needs nothing but to be counted.
fn hit<T: Word, O: Observer>(mmu: &mut Mmu<O>, operation: &Operation) -> Option<Outcome> {
    let &Operation::Access {
        form,
        addr,
        privilege,
        data,
        ..
    } = operation
    else {
        return None;
    };
    let value = T::load(&data)?;
    let bytes = |value: T| {
        let mut bytes = [0; MAX_BYTES];
        value.store(&mut bytes);
        bytes
    };
    match form {
        Form::Read => mmu
            .read_hit::<T>(addr, privilege)
            .map(|value| Outcome::Value(bytes(value))),
        Form::Write => mmu
            .write_hit(addr, value, privilege)
            .map(|()| Outcome::Stored(bytes(value), Stored::Plain)),
        Form::Modify => {
            let mut new = [0; MAX_BYTES];
            let modified = mmu.modify_hit::<T>(addr, privilege, |old| {
                new = edited(bytes(old), T::SIZE);
                T::load(&new).unwrap()
            });
            modified.map(|()| Outcome::Stored(new, Stored::Plain))
        }
        Form::Fetch => mmu.fetch_hit(addr, privilege).map(Outcome::At),
        Form::Probe => None,
    }
}

/// What a read-modify-write makes of a word: the lowest bits turn, which leaves entries alone.
fn edited(old: [u8; MAX_BYTES], bytes: u32) -> [u8; MAX_BYTES] {
    let mut new = old;
    for byte in &mut new[..bytes as usize] {
        *byte ^= 0x60;
    }
    new
}

/// Applies the operation to the model. Hits that the MMU has counted at once are made one by one.
pub(crate) fn apply_to_model(model: &mut Model, operation: &Operation, found: &Outcome) -> Outcome {
    match *operation {
        Operation::Access { .. } => access_on_model(model, operation),
        Operation::Run {
            addr,
            kind,
            privilege,
            count,
        } => count_on_model(model, found, &[(addr, kind)], privilege, count),
        Operation::Pairs {
            first,
            second,
            privilege,
            count,
        } => count_on_model(model, found, &[first, second], privilege, count),
        Operation::Store32(at, value) => {
            model.mem_mut().write(at, value);
            Outcome::Nothing
        }
        Operation::Store64(at, value) => {
            model.mem_mut().write(at, value);
            Outcome::Nothing
        }
        Operation::TakeWritten => Outcome::Written(std::mem::take(&mut model.written)),
        Operation::Cr0(bits) => Outcome::Loaded(model.set_cr0(bits)),
        Operation::Cr3(bits) => Outcome::Loaded(model.set_cr3(bits)),
        Operation::Cr4(bits) => Outcome::Loaded(model.set_cr4(bits)),
        Operation::Efer(bits) => Outcome::Loaded(model.set_efer(bits)),
        ref other => {
            match *other {
                Operation::Invalidate(addr) => model.invalidate_page(addr),
                Operation::FlushAll => model.flush_all(),
                Operation::FlushNonGlobal => model.flush_non_global(),
                Operation::AlignmentCheck(ac) => model.set_alignment_check(ac),
                Operation::Track(frame) => model.track(frame),
                Operation::Untrack(frame) => model.untrack(frame),
                _ => {}
            }
            Outcome::Loaded(true)
        }
    }
}

fn count_on_model(
    model: &mut Model,
    found: &Outcome,
    accesses: &[(LinearAddr, AccessKind)],
    privilege: Privilege,
    count: u32,
) -> Outcome {
    // Whether the front array has a line is the host's affair. If it has, every access is a hit.
    if *found == Outcome::Counted(Vec::new()) {
        return found.clone();
    }
    let before = walks(&model.statistics);
    let mut firsts = Vec::new();
    let mut counts_before = model.statistics;
    for _ in 0..count.min(SETTLING) {
        counts_before = model.statistics;
        firsts.clear();
        for &(addr, kind) in accesses {
            match model.translate(addr, 1, Access { kind, privilege }) {
                Ok(bytes) => firsts.push(bytes[0]),
                Err(fault) => return Outcome::Fault(fault),
            }
        }
    }
    let rest = count.saturating_sub(SETTLING);
    count_again(&mut model.statistics, &counts_before, rest);
    assert_eq!(walks(&model.statistics), before, "counted hits have walked");
    Outcome::Counted(firsts)
}

/// Counts the hits since `before` so many times more.
fn count_again(statistics: &mut Statistics, before: &Statistics, times: u32) {
    let again = |counts: &mut ByKind, before: &ByKind| {
        for kind in [AccessKind::Read, AccessKind::Write, AccessKind::Fetch] {
            let added = counts.of(kind) - before.of(kind);
            *counter(counts, kind) += added * u64::from(times);
        }
    };
    again(&mut statistics.accesses, &before.accesses);
    for (level, before) in statistics.levels.iter_mut().zip(&before.levels) {
        again(&mut level.hits, &before.hits);
    }
}

fn walks(statistics: &Statistics) -> u64 {
    statistics.walks
}

fn access_on_model(model: &mut Model, operation: &Operation) -> Outcome {
    let &Operation::Access {
        form,
        addr,
        bytes: len,
        privilege,
        data,
        ..
    } = operation
    else {
        return Outcome::Nothing;
    };
    let kind = match form {
        Form::Read => AccessKind::Read,
        Form::Write | Form::Modify | Form::Probe => AccessKind::Write,
        Form::Fetch => AccessKind::Fetch,
    };
    let len = if let Form::Fetch = form { 1 } else { len };
    let bytes = match model.translate(addr, len, Access { kind, privilege }) {
        Ok(bytes) => bytes,
        Err(fault) => return Outcome::Fault(fault),
    };
    let mut value = [0; MAX_BYTES];
    for (byte, at) in value.iter_mut().zip(&bytes) {
        *byte = model.mem().read(*at);
    }
    let new = match form {
        Form::Read => return Outcome::Value(value),
        Form::Probe => return Outcome::Probed,
        Form::Fetch => return Outcome::At(bytes[0]),
        Form::Modify => edited(value, len),
        Form::Write => {
            let mut new = [0; MAX_BYTES];
            new[..len as usize].copy_from_slice(&data[..len as usize]);
            new
        }
    };
    for (byte, at) in new.iter().zip(&bytes) {
        model.mem_mut().write(*at, *byte);
    }
    let stored = if model.note(&bytes) {
        Stored::Tracked
    } else {
        Stored::Plain
    };
    Outcome::Stored(new, stored)
}
