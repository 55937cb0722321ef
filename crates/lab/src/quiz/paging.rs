//! Exercises on two-level paging: translations and error codes.

use std::collections::BTreeMap;

use pagefault_machine::vmm::mmu::{
    Access, AccessKind, Cr0, FrameNumber, LinearAddr, Mmu, MmuConfig, NoObserver, PAGE_SIZE,
    PhysMemory, Privilege, Pte, PteFlags, Root, Walk,
};

use super::{Answer, Exercise, Question, Topic};
use crate::variant::Draws;

/// RAM of an exercise: 2^10 frames are numbers that can be written by hand.
const RAM_BYTES: u64 = 4 << 20;
/// The bytes of an entry.
const ENTRY_BYTES: u32 = 4;
/// Entries of a directory or table.
const ENTRIES: u32 = 1024;
/// Addresses that are asked.
const QUESTIONS: usize = 4;
/// Tables of a directory.
const TABLES: usize = 2;
/// Pages of a table.
const PAGES: usize = 4;

/// Tables in memory, which this exercise wrote word by word.
#[derive(Debug)]
struct Tables {
    mmu: Mmu<NoObserver>,
    root: FrameNumber,
    /// By table: the words of it that are not 0, by index. The directory is the root's.
    words: BTreeMap<FrameNumber, BTreeMap<u32, u32>>,
    frames: Vec<FrameNumber>,
}

impl Tables {
    /// Returns an empty directory somewhere.
    fn new(draws: &mut Draws) -> Self {
        let Ok(memory) = PhysMemory::new(RAM_BYTES) else {
            unreachable!("4 MiB are a size of RAM")
        };
        let Ok(mmu) = Mmu::new(memory, &MmuConfig::default()) else {
            unreachable!("the default MMU can be built")
        };
        let mut frames: Vec<_> = (1..ENTRIES).filter_map(FrameNumber::new).collect();
        draws.shuffle(&mut frames);
        let mut tables = Self {
            mmu,
            root: frames[0],
            words: BTreeMap::new(),
            frames,
        };
        tables.root = tables.frame();
        tables
    }

    /// Returns a frame that nothing uses yet.
    fn frame(&mut self) -> FrameNumber {
        match self.frames.pop() {
            Some(frame) => frame,
            None => unreachable!("an exercise needs a few of a thousand frames"),
        }
    }

    fn set(&mut self, table: FrameNumber, index: u32, frame: FrameNumber, flags: PteFlags) {
        let word = Pte::from_bits(frame.bits() << PAGE_SIZE.trailing_zeros() | flags.bits());
        self.mmu
            .mem_mut()
            .write(table.byte(index * ENTRY_BYTES), word.bits());
        self.words
            .entry(table)
            .or_default()
            .insert(index, word.bits());
    }

    /// Maps a page; its directory entry allows everything unless it is told otherwise.
    fn map(&mut self, addr: LinearAddr, directory: PteFlags, table: PteFlags) {
        let index = addr.directory_index();
        let known = self
            .words
            .get(&self.root)
            .and_then(|words| words.get(&index));
        let below = if let Some(frame) = known.and_then(|&word| Pte::from_bits(word).frame()) {
            frame
        } else {
            let frame = self.frame();
            self.set(self.root, index, frame, directory);
            frame
        };
        let frame = self.frame();
        self.set(below, addr.table_index(), frame, table);
    }

    /// Turns paging on.
    fn start(&mut self, write_protect: WriteProtect) {
        let mut cr0 = Cr0::PROTECTED_MODE | Cr0::PAGING;
        cr0.set(Cr0::WRITE_PROTECT, write_protect == WriteProtect::On);
        let loaded = self.mmu.set_cr3(Root::TwoLevel(self.root).cr3());
        let Ok(()) = loaded.and_then(|()| self.mmu.set_cr0(cr0.bits())) else {
            unreachable!("a two-level directory can be loaded")
        };
    }

    /// Returns CR3 and the tables as a memory dump shows them.
    fn dump(&self) -> Vec<String> {
        let mut lines = vec![format!("CR3 = {:08x}", Root::TwoLevel(self.root).cr3())];
        let tables = self.words.iter().filter(|(table, _)| **table != self.root);
        let root = self.words.get_key_value(&self.root);
        for (table, words) in root.into_iter().chain(tables) {
            let name = if *table == self.root {
                "directory"
            } else {
                "table"
            };
            lines.push(format!(
                "{name} in frame {:05x}, entries that are not 0:",
                table.bits()
            ));
            for (index, word) in words {
                lines.push(format!(
                    "  [{index:4}] at {:08x}: {word:08x}",
                    table.byte(index * ENTRY_BYTES).bits()
                ));
            }
        }
        lines
    }
}

/// CR0.WP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WriteProtect {
    /// The supervisor may write to read-only pages.
    Off,
    /// It may not.
    On,
}

/// Draws a directory, and asks where addresses are.
pub(super) fn translate(draws: &mut Draws) -> Exercise {
    let mut tables = Tables::new(draws);
    let rights = PteFlags::PRESENT | PteFlags::WRITABLE | PteFlags::USER;
    let mut mapped = Vec::new();
    let directories = draws.distinct(TABLES, ENTRIES / 2);
    for &directory in &directories {
        for index in draws.distinct(PAGES, ENTRIES) {
            let addr = address(directory, index, draws.below(PAGE_SIZE));
            let is_present = !draws.once_in(5);
            let flags = if is_present {
                rights
            } else {
                rights - PteFlags::PRESENT
            };
            tables.map(addr, rights, flags);
            mapped.push(addr);
        }
    }
    tables.start(WriteProtect::On);
    draws.shuffle(&mut mapped);
    mapped.truncate(QUESTIONS);
    // One that no table covers: where the directory entry is 0.
    let bare = draws.distinct(TABLES + 1, ENTRIES / 2);
    if let Some(&index) = bare.iter().find(|index| !directories.contains(index)) {
        mapped.push(address(index, draws.below(ENTRIES), draws.below(PAGE_SIZE)));
    }
    let questions = mapped.iter().map(|&addr| {
        let walk = tables.mmu.walk(addr);
        let answer = match walk.leaf() {
            Ok(leaf) => Answer::Hex(leaf.frame.byte(addr.page_offset()).bits()),
            Err(_) => Answer::Word("fault"),
        };
        Question {
            text: format!("Where is {addr}? The physical address, or: fault."),
            answer,
            worked: walked(&walk),
        }
    });
    Exercise {
        topic: Topic::Translate,
        title: "Translate by hand: two-level paging, 4 KiB pages".to_owned(),
        questions: questions.collect(),
        given: tables.dump(),
    }
}

/// Draws the flags of an entry, which is seldom not present.
fn drawn_flags(draws: &mut Draws) -> PteFlags {
    let present = if draws.once_in(6) {
        PteFlags::empty()
    } else {
        PteFlags::PRESENT
    };
    let optional = [PteFlags::WRITABLE, PteFlags::USER];
    let drawn = optional.into_iter().filter(|_| !draws.once_in(3));
    drawn.fold(present, |flags, flag| flags | flag)
}

/// Draws rights, and asks which accesses fault.
pub(super) fn error_code(draws: &mut Draws) -> Exercise {
    let mut tables = Tables::new(draws);
    let directory_index = draws.below(ENTRIES / 2);
    let directory = drawn_flags(draws) | PteFlags::PRESENT | PteFlags::USER;
    let mut addresses = Vec::new();
    for index in draws.distinct(PAGES, ENTRIES) {
        let offset = draws.below(PAGE_SIZE / ENTRY_BYTES) * ENTRY_BYTES;
        let addr = address(directory_index, index, offset);
        tables.map(addr, directory, drawn_flags(draws));
        addresses.push(addr);
    }
    let write_protect = *draws.pick(&[WriteProtect::Off, WriteProtect::On]);
    tables.start(write_protect);
    let kinds = [
        AccessKind::Read,
        AccessKind::Write,
        AccessKind::Write,
        AccessKind::Fetch,
    ];
    let privileges = [Privilege::User, Privilege::User, Privilege::Supervisor];
    let questions = addresses.iter().cycle().take(QUESTIONS + 2).map(|&addr| {
        let access = Access {
            kind: *draws.pick(&kinds),
            privilege: *draws.pick(&privileges),
        };
        tables.question(addr, access)
    });
    let questions: Vec<_> = questions.collect();
    let mut given = tables.dump();
    let wp = u32::from(write_protect == WriteProtect::On);
    given.push(format!(
        "CR0.WP = {wp}, CR4 = 0: two-level paging cannot forbid execution"
    ));
    Exercise {
        topic: Topic::ErrorCode,
        title: "Which accesses fault, and with which error code?".to_owned(),
        given,
        questions,
    }
}

impl Tables {
    /// Asks for the error code of an access.
    fn question(&self, addr: LinearAddr, access: Access) -> Question {
        let walk = self.mmu.walk(addr);
        let mut worked = walked(&walk);
        let answer = match walk.check(self.mmu.control(), access) {
            Ok(_) => {
                worked.push("every entry is present and the rights allow it".to_owned());
                Answer::Word("none")
            }
            Err(fault) => {
                worked.push(explained(fault.error_code()));
                Answer::Count(u64::from(fault.error_code()))
            }
        };
        Question {
            text: format!("{access} at {addr}: the error code, or: none."),
            answer,
            worked,
        }
    }
}

fn address(directory: u32, table: u32, offset: u32) -> LinearAddr {
    let page_bits = PAGE_SIZE.trailing_zeros();
    let table_bits = ENTRIES.trailing_zeros();
    LinearAddr::new(directory << (table_bits + page_bits) | table << page_bits | offset)
}

/// Returns the address's parts, and the walk.
fn walked(walk: &Walk) -> Vec<String> {
    let addr = walk.addr();
    let parts = format!(
        "{addr} = directory entry {}, table entry {}, offset {:03x}",
        addr.directory_index(),
        addr.table_index(),
        addr.page_offset()
    );
    let walk = walk.to_string();
    std::iter::once(parts)
        .chain(walk.lines().map(str::to_owned))
        .collect()
}

fn explained(code: u32) -> String {
    let bit = |index: u32, set: &'static str, clear: &'static str| {
        if code >> index & 1 == 1 { set } else { clear }
    };
    format!(
        "error code {code}: P={} {}, W/R={} {}, U/S={} {}",
        code & 1,
        bit(0, "the rights forbid it", "an entry is not present"),
        code >> 1 & 1,
        bit(1, "a write", "no write"),
        code >> 2 & 1,
        bit(2, "user mode", "supervisor mode"),
    )
}
