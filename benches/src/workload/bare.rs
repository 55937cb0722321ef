//! Memory on the bare MMU: page tables that this file fills itself.

use pagefault_mmu::{
    AccessKind, Cr0, Execute, FrameNumber, LinearAddr, Mmu, Observer, PAGE_SIZE, PageEntry,
    PageFault, PageNumber, PteFlags, Root, SoftwareEntry, tables,
};

use super::{
    CODE, CODE_BYTES, DATA, DATA_BYTES, DIRECTORY, FIRST_FREE, Kind, OTHER_PAGE, STACK, STACK_END,
    frame, frames_before_data,
};

/// Two-level tables, and frames handed out in order.
#[derive(Debug)]
pub(super) struct Bare {
    root: Root,
    next_frame: u32,
}

impl Bare {
    /// Maps code, stack and data, and turns paging on.
    pub(super) fn new<O: Observer>(mmu: &mut Mmu<O>) -> Self {
        let root = Root::TwoLevel(frame(DIRECTORY));
        let mut memory = Self {
            root,
            next_frame: FIRST_FREE,
        };
        for (start, end) in [
            (CODE, CODE + CODE_BYTES),
            (STACK, STACK_END),
            (DATA, DATA + DATA_BYTES),
        ] {
            for addr in (start..end).step_by(PAGE_SIZE as usize) {
                memory.map(mmu, LinearAddr::new(addr).page(), PteFlags::WRITABLE);
            }
        }
        let cr0 = Cr0::PROTECTED_MODE | Cr0::WRITE_PROTECT | Cr0::PAGING;
        mmu.set_cr3(root.cr3())
            .expect("a directory has no reserved bits");
        mmu.set_cr0(cr0.bits()).expect("paging can be on");
        memory
    }

    pub(super) fn prepare<O: Observer>(&mut self, mmu: &mut Mmu<O>, kind: Kind, pages: u32) {
        match kind {
            Kind::Alternate => {
                self.set_writable(mmu, LinearAddr::new(DATA), PteFlags::empty());
                self.set_writable(mmu, LinearAddr::new(DATA + OTHER_PAGE), PteFlags::WRITABLE);
            }
            Kind::FirstTouch => {
                let first = LinearAddr::new(DATA).page().bits();
                for page in (first..first + pages).filter_map(PageNumber::new) {
                    self.unmap(mmu, page);
                }
                self.next_frame = FIRST_FREE + frames_before_data();
            }
            Kind::Plain | Kind::AlternateManaged | Kind::FirstTouchManaged => {}
        }
    }

    /// Returns whether the instruction can restart.
    pub(super) fn resolve<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        kind: Kind,
        fault: PageFault,
    ) -> bool {
        match kind {
            Kind::Alternate if fault.access.kind == AccessKind::Write => {
                let other = LinearAddr::new(fault.addr.bits() ^ OTHER_PAGE);
                self.set_writable(mmu, fault.addr, PteFlags::WRITABLE);
                self.set_writable(mmu, other, PteFlags::empty());
                true
            }
            Kind::FirstTouch => {
                let frame = self.map(mmu, fault.addr.page(), PteFlags::WRITABLE);
                mmu.mem_mut().zero_frame(frame);
                true
            }
            _ => false,
        }
    }

    /// Maps the next frame and returns it. RAM is zero at the start, and costs the host nothing until
    /// it is touched: what is used again is zeroed by who does so.
    fn map<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        page: PageNumber,
        writable: PteFlags,
    ) -> FrameNumber {
        if !tables::has_table(mmu.mem(), self.root, page) {
            let table = self.allocate();
            tables::add_table(mmu.mem_mut(), self.root, page, table)
                .expect("the directory entry was empty");
        }
        let frame = self.allocate();
        self.set_entry(mmu, page, frame, writable);
        frame
    }

    fn set_writable<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        addr: LinearAddr,
        writable: PteFlags,
    ) {
        let page = addr.page();
        let stale = tables::update_page(mmu.mem_mut(), self.root, page, |entry| {
            entry.without(PteFlags::WRITABLE).with(writable)
        });
        stale.expect("the page is mapped").invalidate(mmu);
    }

    fn set_entry<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        page: PageNumber,
        frame: FrameNumber,
        writable: PteFlags,
    ) {
        let flags = PteFlags::USER | writable;
        let entry = PageEntry {
            frame,
            flags,
            execute: Execute::Allowed,
        };
        let stale = tables::set_page(mmu.mem_mut(), self.root, page, entry);
        if let Some(stale) = stale.expect("the page has a table") {
            stale.invalidate(mmu);
        }
    }

    fn unmap<O: Observer>(&mut self, mmu: &mut Mmu<O>, page: PageNumber) {
        let nothing = SoftwareEntry::default();
        let stale = tables::set_software(mmu.mem_mut(), self.root, page, nothing);
        if let Some(stale) = stale.expect("the page has a table") {
            stale.invalidate(mmu);
        }
    }

    fn allocate(&mut self) -> FrameNumber {
        self.next_frame += 1;
        frame(self.next_frame - 1)
    }
}
