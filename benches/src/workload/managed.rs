//! Memory under the memory manager: everything through its calls and its fault handler.

use pagefault_mmu::{LinearAddr, Mmu, Observer, PAGE_SIZE, PageFault};
use pagefault_vmm::{
    AllocRequest, AllocationType, Caller, FreeRequest, MEM_DECOMMIT, ProcessId, ProtectRequest,
    Protection, Resolution, Rights, Vmm, VmmConfig,
};

use super::{CODE, CODE_BYTES, DATA, DATA_BYTES, Kind, OTHER_PAGE, STACK, STACK_END};

/// A process with code, stack and data committed.
#[derive(Debug)]
pub(super) struct Managed {
    vmm: Vmm,
    process: ProcessId,
}

impl Managed {
    pub(super) fn new<O: Observer>(mmu: &mut Mmu<O>) -> Self {
        let mut vmm = Vmm::new(mmu, VmmConfig::default());
        let process = vmm
            .create_process(mmu)
            .expect("RAM has room for a directory");
        vmm.switch_to(mmu, process);
        let mut memory = Self { vmm, process };
        for (start, size_bytes, rights) in [
            (CODE, CODE_BYTES, Rights::ExecuteReadWrite),
            (STACK, STACK_END - STACK, Rights::ReadWrite),
            (DATA, DATA_BYTES, Rights::ReadWrite),
        ] {
            let both = AllocationType::RESERVE | AllocationType::COMMIT;
            memory.alloc(mmu, start, size_bytes, both, rights);
        }
        memory
    }

    pub(super) fn prepare<O: Observer>(&mut self, mmu: &mut Mmu<O>, kind: Kind, pages: u32) {
        match kind {
            Kind::AlternateManaged => {
                self.protect(mmu, LinearAddr::new(DATA), Rights::ReadOnly);
                self.protect(mmu, LinearAddr::new(DATA + OTHER_PAGE), Rights::ReadWrite);
            }
            Kind::FirstTouchManaged => {
                let (address, size_bytes) = (LinearAddr::new(DATA), pages * PAGE_SIZE);
                let request = FreeRequest {
                    address,
                    size_bytes,
                    free_type: MEM_DECOMMIT,
                };
                let freed = self.vmm.free(mmu, Caller::of(self.process), &request);
                freed.expect("the data was committed");
                let commit = AllocationType::COMMIT;
                self.alloc(mmu, DATA, size_bytes, commit, Rights::ReadWrite);
            }
            Kind::Plain | Kind::Alternate | Kind::FirstTouch => {}
        }
    }

    /// Returns whether the instruction can restart.
    pub(super) fn resolve<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        kind: Kind,
        fault: PageFault,
    ) -> bool {
        match self.vmm.handle_fault(mmu, &fault) {
            Resolution::Resumed(_) => true,
            Resolution::AccessViolation(violation) if kind == Kind::AlternateManaged => {
                let other = LinearAddr::new(violation.addr.bits() ^ OTHER_PAGE);
                self.protect(mmu, violation.addr, Rights::ReadWrite);
                self.protect(mmu, other, Rights::ReadOnly);
                true
            }
            _ => false,
        }
    }

    fn alloc<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        start: u32,
        size_bytes: u32,
        kind: AllocationType,
        rights: Rights,
    ) {
        let request = AllocRequest {
            address: LinearAddr::new(start),
            size_bytes,
            allocation_type: kind.bits(),
            protect: Protection::of(rights).bits(),
        };
        let allocated = self.vmm.alloc(mmu, Caller::of(self.process), &request);
        allocated.expect("the address space is empty there");
    }

    fn protect<O: Observer>(&mut self, mmu: &mut Mmu<O>, address: LinearAddr, rights: Rights) {
        let protect = Protection::of(rights).bits();
        let request = ProtectRequest {
            address,
            size_bytes: 1,
            protect,
        };
        let protected = self.vmm.protect(mmu, Caller::of(self.process), &request);
        protected.expect("the page is committed");
    }
}
