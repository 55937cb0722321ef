//! What Windows tells a process in its own memory: the process environment block with its
//! parameters and modules, and the page that the kernel shares with everybody.

use pagefault_vmm::mmu::{LinearAddr, Word};

use crate::api::Modules;
use crate::layout::{PEB, SHARED_DATA, STRINGS, STRINGS_BYTES, peb, shared};
use crate::machine::{Machine, MachineConfig};
use crate::services::STANDARD_HANDLES;
use crate::watch::Watch;

/// Windows 10, as its structures say it.
const MAJOR_VERSION: u32 = 10;
const MINOR_VERSION: u32 = 0;
const BUILD: u32 = 19045;
/// `VER_PLATFORM_WIN32_NT`
const PLATFORM_NT: u32 = 2;
/// `IMAGE_SUBSYSTEM_WINDOWS_CUI`
const SUBSYSTEM_CONSOLE: u32 = 3;
/// Where Windows is.
const SYSTEM_ROOT: &str = "C:\\WINDOWS";
/// Where the system's libraries are.
const SYSTEM_FOLDER: &str = "C:\\WINDOWS\\system32\\";
/// Where the program is.
const PROGRAM_FOLDER: &str = "C:\\";

/// Where the loader's data begin, from the PEB on.
const LOADER_DATA: u32 = PEB + 0x400;
/// The size of `PEB_LDR_DATA` in bytes.
const LOADER_DATA_BYTES: u32 = 0x30;
/// The size of `LDR_DATA_TABLE_ENTRY` in bytes.
const MODULE_ENTRY_BYTES: u32 = 0x50;
/// Offset of the first of the three lists in `PEB_LDR_DATA`.
const LISTS: u32 = 0x0C;
/// The size of a list's head, and of its links in an entry, in bytes.
const LINK_BYTES: u32 = 8;
/// The lists: by loading, by address, by initialisation.
const LIST_COUNT: u32 = 3;
/// The list that the program itself is not in.
const BY_INITIALISATION: u32 = 2;
/// Where the parameters begin.
const PARAMETERS: u32 = PEB + 0x900;
/// The size of `RTL_USER_PROCESS_PARAMETERS` in bytes.
const PARAMETERS_BYTES: u32 = 0x290;
/// `RTL_USER_PROC_PARAMS_NORMALIZED`
const NORMALIZED: u32 = 1;

/// A timer tick is 15.625 ms; the multiplier turns ticks into milliseconds, in 2^24ths.
const TICK_MULTIPLIER: u32 = 0x0FA0_0000;
const NS_PER_TICK: u64 = 15_625_000;
/// The kernel's times are in steps of 100 ns.
const NS_PER_STEP: u64 = 100;
/// What the machine had been on for at the start of a process, in nanoseconds.
const START_UPTIME_NS: u64 = 100_000_000_000;

/// Puts texts one behind the other.
struct Strings {
    next: u32,
}

/// A text in memory, as `UNICODE_STRING` tells of it.
#[derive(Clone, Copy)]
struct Placed {
    addr: u32,
    /// Without the zero at its end.
    len_bytes: u32,
}

impl<W: Watch> Machine<W> {
    /// Fills the blocks of a new process.
    pub(crate) fn fill_environment(&mut self, config: &MachineConfig) {
        for (offset, value) in [
            (peb::MUTANT, u32::MAX),
            (peb::IMAGE_BASE, self.image.start),
            (peb::LOADER, LOADER_DATA),
            (peb::PARAMETERS, PARAMETERS),
            (peb::PROCESSORS, 1),
            (peb::MAJOR_VERSION, MAJOR_VERSION),
            (peb::MINOR_VERSION, MINOR_VERSION),
            (peb::BUILD, BUILD),
            (peb::PLATFORM, PLATFORM_NT),
            (peb::SUBSYSTEM, SUBSYSTEM_CONSOLE),
            (peb::SUBSYSTEM_MAJOR, 4),
        ] {
            self.write_word(PEB + offset, value);
        }
        let mut strings = Strings { next: STRINGS };
        self.fill_parameters(config, &mut strings);
        self.fill_modules(&mut strings);
        self.fill_shared_data();
        self.tick();
    }

    fn fill_parameters(&mut self, config: &MachineConfig, strings: &mut Strings) {
        let image_path = format!("{PROGRAM_FOLDER}{}", config.program_name);
        let command_line = self.command_line();
        self.write_word(PARAMETERS, PARAMETERS_BYTES);
        self.write_word(PARAMETERS + 4, PARAMETERS_BYTES);
        self.write_word(PARAMETERS + 8, NORMALIZED);
        for (offset, handle) in [0x18, 0x1C, 0x20].into_iter().zip(STANDARD_HANDLES) {
            self.write_word(PARAMETERS + offset, handle);
        }
        for (offset, text) in [
            (0x24, PROGRAM_FOLDER),
            (0x30, SYSTEM_FOLDER),
            (0x38, &image_path),
            (0x40, &command_line),
        ] {
            let placed = self.place_text(strings, text);
            self.put_string(PARAMETERS + offset, placed);
        }
        let environment = self.place_text(strings, "\0");
        self.write_word(PARAMETERS + 0x48, environment.addr);
    }

    /// Tells of the program and the system's libraries, in three lists that go in a circle.
    fn fill_modules(&mut self, strings: &mut Strings) {
        let image = self.image.clone();
        let mut modules = vec![(
            image.start,
            image.end.wrapping_sub(image.start),
            PROGRAM_FOLDER,
            self.program_name.clone(),
        )];
        let libraries: Vec<_> = Modules::all::<W>().collect();
        for (base, size, name) in libraries {
            modules.push((base, size, SYSTEM_FOLDER, name.to_owned()));
        }
        self.write_word(LOADER_DATA, LOADER_DATA_BYTES);
        self.write_word(LOADER_DATA + 4, 1);
        let entry = |index: u32| LOADER_DATA + LOADER_DATA_BYTES + index * MODULE_ENTRY_BYTES;
        for list in 0..LIST_COUNT {
            let head = LOADER_DATA + LISTS + list * LINK_BYTES;
            let skipped = usize::from(list == BY_INITIALISATION);
            let links: Vec<u32> = (0..)
                .zip(&modules)
                .skip(skipped)
                .map(|(index, _)| entry(index) + list * LINK_BYTES)
                .collect();
            let circle: Vec<u32> = [head].into_iter().chain(links).collect();
            for (index, &link) in circle.iter().enumerate() {
                let next = circle[(index + 1) % circle.len()];
                self.write_word(link, next);
                self.write_word(next + 4, link);
            }
        }
        for (index, (base, size, folder, name)) in (0..).zip(modules) {
            let at = entry(index);
            self.write_word(at + 0x18, base);
            self.write_word(at + 0x20, size);
            let path = self.place_text(strings, &format!("{folder}{name}"));
            self.put_string(at + 0x24, path);
            // The name is the end of the path.
            let name_bytes = u32::try_from(name.encode_utf16().count() * 2).unwrap_or(0);
            let placed = Placed {
                addr: path.addr + path.len_bytes.saturating_sub(name_bytes),
                len_bytes: name_bytes.min(path.len_bytes),
            };
            self.put_string(at + 0x2C, placed);
            self.write_word(at + 0x38, u32::MAX);
        }
    }

    /// Writes a text in UTF-16 with a zero behind it; one that does not fit is cut to what does.
    fn place_text(&mut self, strings: &mut Strings, text: &str) -> Placed {
        let addr = strings.next;
        let room = (STRINGS + STRINGS_BYTES).saturating_sub(addr) / 2;
        let room = usize::try_from(room.saturating_sub(1)).unwrap_or(0);
        let units: Vec<u16> = text.encode_utf16().take(room).collect();
        let bytes: Vec<u8> = units
            .iter()
            .chain(&[0])
            .flat_map(|unit| unit.to_le_bytes())
            .collect();
        let written = self
            .vmm
            .copy_out(&mut self.mmu, LinearAddr::new(addr), &bytes);
        debug_assert!(written.is_ok(), "the strings' pages are committed");
        let len_bytes = u32::try_from(units.len() * 2).unwrap_or(0);
        strings.next = (addr + len_bytes + 2).next_multiple_of(u32::SIZE);
        Placed { addr, len_bytes }
    }

    /// Writes a `UNICODE_STRING`.
    fn put_string(&mut self, at: u32, text: Placed) {
        self.write_word(at, text.len_bytes | (text.len_bytes + 2) << 16);
        self.write_word(at + 4, text.addr);
    }

    fn fill_shared_data(&mut self) {
        let root: Vec<u8> = SYSTEM_ROOT
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let at = LinearAddr::new(SHARED_DATA + shared::SYSTEM_ROOT);
        let written = self.vmm.copy_out(&mut self.mmu, at, &root);
        debug_assert!(written.is_ok(), "the page is committed");
        for (offset, value) in [
            (shared::TICK_MULTIPLIER, TICK_MULTIPLIER),
            (shared::PRODUCT_TYPE, 1),
            (shared::PRODUCT_TYPE_VALID, 1),
            (shared::MAJOR_VERSION, MAJOR_VERSION),
            (shared::MINOR_VERSION, MINOR_VERSION),
        ] {
            self.write_word(SHARED_DATA + offset, value);
        }
    }

    /// Brings the times in the shared page up to date. This is no access of the program's: it goes
    /// around the TLB, to the frame itself, if the page is resident.
    pub(crate) fn tick(&mut self) {
        let Ok(leaf) = self.mmu.walk(LinearAddr::new(SHARED_DATA)).leaf() else {
            return;
        };
        let uptime = START_UPTIME_NS.saturating_add(self.now_ns());
        let time = self.filetime();
        let frame = leaf.frame;
        let Some(page) = self.mmu.mem_mut().frame_mut(frame) else {
            return;
        };
        for (offset, value) in [
            (shared::INTERRUPT_TIME, uptime / NS_PER_STEP),
            (shared::SYSTEM_TIME, time),
            (shared::TICK_COUNT, uptime / NS_PER_TICK),
        ] {
            let low_and_high = value.to_le_bytes();
            let at = offset as usize;
            page[at..at + 8].copy_from_slice(&low_and_high);
            // The upper half once more: readers compare the two.
            page[at + 8..at + 12].copy_from_slice(&low_and_high[4..]);
        }
        let ticks = (uptime / NS_PER_TICK).to_le_bytes();
        page[..4].copy_from_slice(&ticks[..4]);
        self.mmu.note_write(frame);
    }
}
