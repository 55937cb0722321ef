//! The interpreter's side: page tables for the memory map, and a processor.

use pagefault_cpu::{
    Cpu, Descriptor, Exit, MAX_INSTRUCTION_BYTES, NoObserver, Registers, Segment, SegmentRegister,
    SegmentRights, Selector,
};
use pagefault_mmu::{
    Execute, FrameNumber, LinearAddr, Mmu, PAGE_SIZE, PageEntry, PageNumber, PhysMemory, PteFlags,
    Root, tables,
};

use crate::paging::pae_mmu;

use super::case::Case;
use super::layout::{self, DATA, DATA_BLOCK, PageRights, REGIONS, TEB};
use super::process::Selectors;

/// Enough for the pages and their tables.
const RAM_BYTES: u64 = 1 << 20;
/// The frame of the page-directory-pointer table.
const PDPT: u32 = 1;
/// The directories of the four gigabytes.
const DIRECTORIES: [u32; 4] = [2, 3, 4, 5];
/// The first frame of page tables and pages.
const FIRST_FREE: u32 = 8;

/// A page.
#[derive(Debug)]
struct Page {
    start: u32,
    rights: PageRights,
    frame: FrameNumber,
    fill: Vec<u8>,
}

/// The interpreter on its memory.
#[derive(Debug)]
pub(super) struct Stage {
    mmu: Mmu,
    cpu: Cpu<pagefault_mmu::NoObserver, NoObserver>,
    pages: Vec<Page>,
    segments: Vec<(SegmentRegister, Segment)>,
}

impl Stage {
    pub(super) fn new(selectors: Selectors) -> Self {
        let mut mem = PhysMemory::new(RAM_BYTES).expect("a little RAM");
        let root = Root::Pae(frame(PDPT).start());
        for (index, directory) in (0..).zip(DIRECTORIES) {
            mem.zero_frame(frame(directory));
            tables::set_pdpte(&mut mem, root, index, frame(directory));
        }
        let mut pages = Vec::new();
        let mut next_frame = (FIRST_FREE..).map(frame);
        for region in REGIONS {
            for index in 0..region.pages {
                let start = region.start + index * PAGE_SIZE;
                let mut allocate = || next_frame.next().expect("frames go on");
                let to = add_page(&mut mem, root, start, region.rights, &mut allocate);
                let bytes = start..start + PAGE_SIZE;
                pages.push(Page {
                    start,
                    rights: region.rights,
                    frame: to,
                    fill: bytes
                        .map(|addr| layout::fill(region.rights, addr))
                        .collect(),
                });
            }
        }
        let mut stage = Self {
            mmu: pae_mmu(mem, root),
            cpu: Cpu::new(),
            pages,
            segments: Vec::new(),
        };
        stage.set_segments(selectors);
        stage
    }

    /// Sets memory and registers as the case begins.
    pub(super) fn prepare(&mut self, case: &Case) {
        for page in &self.pages {
            if let Some(bytes) = self.mmu.mem_mut().frame_mut(page.frame) {
                bytes.copy_from_slice(&page.fill);
            }
            self.mmu.note_write(page.frame);
        }
        self.patch(case.code_at, &case.code);
        self.patch(DATA_BLOCK, &case.data);
        let registers = self.cpu.registers_mut();
        *registers = Registers::new();
        for (register, segment) in &self.segments {
            registers.set_segment(*register, *segment);
        }
        case.set(registers);
    }

    /// Runs at most so many instructions.
    pub(super) fn run(&mut self, budget: u64) -> Exit {
        self.cpu.run(&mut self.mmu, budget, &mut NoObserver)
    }

    pub(super) fn registers(&self) -> &Registers {
        self.cpu.registers()
    }

    /// Sets bytes, wherever there are pages.
    pub(super) fn patch(&mut self, start: u32, bytes: &[u8]) {
        for (index, byte) in (0_u32..).zip(bytes) {
            let addr = start.wrapping_add(index);
            let Some(page) = page_of(&self.pages, addr) else {
                continue;
            };
            let at = page.frame.byte(addr % PAGE_SIZE);
            self.mmu.mem_mut().write(at, *byte);
            self.mmu.note_write(page.frame);
        }
    }

    /// Returns the byte at an address, if there is a page.
    pub(super) fn byte(&self, addr: u32) -> Option<u8> {
        let page = page_of(&self.pages, addr)?;
        Some(self.mmu.mem().read(page.frame.byte(addr % PAGE_SIZE)))
    }

    /// Tells whether a byte can be written.
    pub(super) fn is_writable(&self, addr: u32) -> bool {
        page_of(&self.pages, addr).is_some_and(|page| page.rights != PageRights::Read)
    }

    /// Returns the bytes from which an instruction at this address can be decoded.
    pub(super) fn code_at(&self, addr: u32) -> Vec<u8> {
        let addresses = (0_u32..)
            .take(MAX_INSTRUCTION_BYTES)
            .map(|at| addr.wrapping_add(at));
        let executable = addresses.map_while(|addr| {
            let page = page_of(&self.pages, addr)?;
            (page.rights == PageRights::All).then(|| self.byte(addr))?
        });
        executable.collect()
    }

    /// Returns the dwords that differ from how the case began, by address.
    pub(super) fn changes(&self, case: &Case) -> Vec<(u32, u32)> {
        let mut changes = Vec::new();
        for page in &self.pages {
            let Some(now) = self.mmu.mem().frame(page.frame) else {
                continue;
            };
            let mut before = page.fill.clone();
            case.apply_to(page.start, &mut before);
            let dwords = now.chunks_exact(4).zip(before.chunks_exact(4));
            for (addr, (now, before)) in (page.start..).step_by(4).zip(dwords) {
                if now != before {
                    let value = now.first_chunk().copied().map_or(0, u32::from_le_bytes);
                    changes.push((addr, value));
                }
            }
        }
        changes
    }

    fn set_segments(&mut self, selectors: Selectors) {
        let data = SegmentRights::READ | SegmentRights::WRITE;
        let teb = Descriptor {
            base: LinearAddr::new(TEB),
            limit: PAGE_SIZE - 1,
            rights: data,
        };
        let shifted = Descriptor {
            base: LinearAddr::new(DATA),
            ..Descriptor::FLAT_DATA
        };
        let loaded = [
            (SegmentRegister::Cs, selectors.cs, Descriptor::FLAT_CODE),
            (SegmentRegister::Ds, selectors.ds, Descriptor::FLAT_DATA),
            (SegmentRegister::Es, selectors.es, Descriptor::FLAT_DATA),
            (SegmentRegister::Ss, selectors.ss, Descriptor::FLAT_DATA),
            (SegmentRegister::Fs, selectors.fs, teb),
            (SegmentRegister::Gs, selectors.gs, shifted),
        ];
        for (register, selector, descriptor) in loaded {
            let selector = Selector::new(selector);
            self.cpu.descriptors_mut().set(selector, descriptor);
            self.segments
                .push((register, Segment::new(selector, descriptor)));
        }
    }
}

fn page_of(pages: &[Page], addr: u32) -> Option<&Page> {
    pages
        .iter()
        .find(|page| page.start == addr & !(PAGE_SIZE - 1))
}

fn add_page(
    mem: &mut PhysMemory,
    root: Root,
    start: u32,
    rights: PageRights,
    allocate: &mut impl FnMut() -> FrameNumber,
) -> FrameNumber {
    let page = PageNumber::containing(LinearAddr::new(start));
    let to = allocate();
    if !tables::has_table(mem, root, page) {
        let table = allocate();
        mem.zero_frame(table);
        let old = tables::add_table(mem, root, page, table);
        assert_eq!(old, Ok(()), "nothing was mapped there");
    }
    let mut flags = PteFlags::USER;
    flags.set(PteFlags::WRITABLE, rights != PageRights::Read);
    let execute = match rights {
        PageRights::All => Execute::Allowed,
        PageRights::Data | PageRights::Read => Execute::Never,
    };
    let entry = PageEntry {
        frame: to,
        flags,
        execute,
    };
    let stale = tables::set_page(mem, root, page, entry);
    assert_eq!(stale, Ok(None), "every page is mapped once");
    to
}

fn frame(number: u32) -> FrameNumber {
    FrameNumber::new(number).expect("a small number")
}
