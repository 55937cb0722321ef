//! The machine that a vector runs on: page tables for the memory map, and a processor.

use std::collections::BTreeMap;

use pagefault_cpu::{
    Cpu, Descriptor, Eflags, Exit, NoObserver, Reg, Segment, SegmentRegister, SegmentRights,
    Selector,
};
use pagefault_mmu::{
    Execute, FrameNumber, LinearAddr, Mmu, PAGE_SIZE, PageEntry, PageNumber, PhysMemory, PteFlags,
    Root, tables,
};

use crate::paging::pae_mmu;

use super::format::{Fill, Layout, Patch, Vector};

/// Enough for the pages of a layout and their tables.
const RAM_BYTES: u64 = 4 << 20;
/// No vector takes longer.
const BUDGET: u64 = 20_000_000;
/// The frame of the page-directory-pointer table.
const PDPT: u32 = 1;
/// The directories of the four gigabytes.
const DIRECTORIES: [u32; 4] = [2, 3, 4, 5];
/// The first frame of page tables and pages.
const FIRST_FREE: u32 = 8;

/// A page of the layout.
pub(super) struct Page {
    start: u32,
    frame: FrameNumber,
    fill: Vec<u8>,
}

/// The machine.
pub(super) struct Stage {
    mmu: Mmu,
    cpu: Cpu<pagefault_mmu::NoObserver, NoObserver>,
    pages: Vec<Page>,
    frames: BTreeMap<u32, FrameNumber>,
    default_ip: u32,
    segments: Vec<(SegmentRegister, Segment)>,
}

impl Stage {
    pub(super) fn new(layout: &Layout) -> Self {
        let mut builder = Builder::new();
        for region in &layout.regions {
            for index in 0..region.pages {
                builder.add_page(region.base + index * PAGE_SIZE, &region.prot, region.fill);
            }
        }
        let (mmu, pages) = builder.finish();
        let frames = pages.iter().map(|page| (page.start, page.frame)).collect();
        let mut stage = Self {
            mmu,
            cpu: Cpu::new(),
            pages,
            frames,
            default_ip: layout.default_ip,
            segments: Vec::new(),
        };
        stage.set_segments(layout);
        stage
    }

    /// Sets memory, registers and segments as the vector finds them.
    pub(super) fn prepare(&mut self, vector: &Vector) {
        for page in &self.pages {
            if let Some(bytes) = self.mmu.mem_mut().frame_mut(page.frame) {
                bytes.copy_from_slice(&page.fill);
            }
            self.mmu.note_write(page.frame);
        }
        self.patch(&Patch(self.start_of(vector), vector.code.clone()));
        for patch in &vector.memory {
            self.patch(patch);
        }
        let ip = self.start_of(vector);
        let registers = self.cpu.registers_mut();
        *registers = pagefault_cpu::Registers::new();
        for (register, segment) in &self.segments {
            registers.set_segment(*register, *segment);
        }
        for (reg, value) in Reg::ALL.into_iter().zip(vector.registers) {
            registers.set_gpr(reg, value);
        }
        registers.set_eflags(Eflags::from_bits_truncate(vector.flags));
        registers.set_eip(ip);
    }

    /// Runs to the first exit.
    pub(super) fn run(&mut self, _: &Vector) -> Exit {
        self.cpu.run(&mut self.mmu, BUDGET, &mut NoObserver)
    }

    /// Returns where the vector starts.
    pub(super) fn start_of(&self, vector: &Vector) -> u32 {
        vector.ip.unwrap_or(self.default_ip)
    }

    pub(super) fn registers(&self) -> &pagefault_cpu::Registers {
        self.cpu.registers()
    }

    /// Returns every page as it is, with what it held before it was patched.
    pub(super) fn memory(&self) -> impl Iterator<Item = (u32, &[u8], &[u8])> {
        self.pages.iter().filter_map(|page| {
            let now = self.mmu.mem().frame(page.frame)?;
            Some((page.start, now.as_slice(), page.fill.as_slice()))
        })
    }

    /// Returns the byte at an address, if the layout has it.
    pub(super) fn byte(&self, addr: u32) -> Option<u8> {
        let frame = self.frames.get(&(addr & !(PAGE_SIZE - 1)))?;
        let offset = addr % PAGE_SIZE;
        Some(self.mmu.mem().read(frame.byte(offset)))
    }

    fn patch(&mut self, patch: &Patch) {
        for (index, byte) in (0_u32..).zip(&patch.1) {
            let addr = patch.0.wrapping_add(index);
            if let Some(frame) = self.frames.get(&(addr & !(PAGE_SIZE - 1))) {
                self.mmu
                    .mem_mut()
                    .write(frame.byte(addr % PAGE_SIZE), *byte);
            }
        }
    }

    fn set_segments(&mut self, layout: &Layout) {
        let data = SegmentRights::READ | SegmentRights::WRITE;
        let bounded = |segment: &super::format::SegmentLayout| {
            let base = LinearAddr::new(segment.base);
            let descriptor = Descriptor {
                base,
                limit: segment.limit,
                rights: data,
            };
            (Selector::new(segment.selector), descriptor)
        };
        let flat_data = |selector| (Selector::new(selector), Descriptor::FLAT_DATA);
        let loaded = [
            (
                SegmentRegister::Cs,
                (Selector::new(layout.cs), Descriptor::FLAT_CODE),
            ),
            (SegmentRegister::Ds, flat_data(layout.ds)),
            (SegmentRegister::Es, flat_data(layout.es)),
            (SegmentRegister::Ss, flat_data(layout.ss)),
            (SegmentRegister::Fs, bounded(&layout.fs)),
            (SegmentRegister::Gs, bounded(&layout.gs)),
        ];
        for (register, (selector, descriptor)) in loaded {
            self.cpu.descriptors_mut().set(selector, descriptor);
            self.segments
                .push((register, Segment::new(selector, descriptor)));
        }
    }
}

/// Memory and page tables on their way.
struct Builder {
    mem: PhysMemory,
    root: Root,
    next_frame: u32,
    pages: Vec<Page>,
}

impl Builder {
    fn new() -> Self {
        let mut mem = PhysMemory::new(RAM_BYTES).expect("a few MiB of RAM");
        let root = Root::Pae(frame(PDPT).start());
        for (index, directory) in (0..).zip(DIRECTORIES) {
            mem.zero_frame(frame(directory));
            tables::set_pdpte(&mut mem, root, index, frame(directory));
        }
        Self {
            mem,
            root,
            next_frame: FIRST_FREE,
            pages: Vec::new(),
        }
    }

    fn add_page(&mut self, start: u32, protection: &str, fill: Fill) {
        let page = PageNumber::containing(LinearAddr::new(start));
        let to = self.allocate();
        if !protection.is_empty() {
            if !tables::has_table(&self.mem, self.root, page) {
                let table = self.allocate();
                self.mem.zero_frame(table);
                let old = tables::add_table(&mut self.mem, self.root, page, table);
                assert_eq!(old, Ok(()), "nothing was mapped there");
            }
            let mut flags = PteFlags::USER;
            flags.set(PteFlags::WRITABLE, protection.contains('w'));
            let execute = if protection.contains('x') {
                Execute::Allowed
            } else {
                Execute::Never
            };
            let entry = PageEntry {
                frame: to,
                flags,
                execute,
            };
            let stale = tables::set_page(&mut self.mem, self.root, page, entry);
            assert_eq!(stale, Ok(None), "every page is mapped once");
        }
        let fill = (start..start + PAGE_SIZE)
            .map(|addr| fill.byte(addr))
            .collect();
        self.pages.push(Page {
            start,
            frame: to,
            fill,
        });
    }

    fn allocate(&mut self) -> FrameNumber {
        self.next_frame += 1;
        frame(self.next_frame - 1)
    }

    fn finish(self) -> (Mmu, Vec<Page>) {
        (pae_mmu(self.mem, self.root), self.pages)
    }
}

fn frame(number: u32) -> FrameNumber {
    FrameNumber::new(number).expect("a small number")
}
