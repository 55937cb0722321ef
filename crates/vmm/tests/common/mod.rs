//! A machine with one process, for behaviour tests.

#![allow(dead_code, reason = "each test file uses its own part")]

use pagefault_vmm::mmu::{LinearAddr, Mmu, MmuConfig, PageFault, PhysMemory, Privilege};
use pagefault_vmm::{
    AllocError, AllocRequest, AllocationType, Caller, FreeError, FreeRequest, LockError,
    MapRequest, MemoryInfo, ProcessId, ProtectError, ProtectRequest, Protection, Resolution,
    SectionRequest, Vmm, VmmConfig,
};

pub(crate) const MIB: u32 = 1 << 20;

pub(crate) struct Machine {
    pub(crate) mmu: Mmu,
    pub(crate) vmm: Vmm,
    pub(crate) process: ProcessId,
}

impl Machine {
    pub(crate) fn new(ram_bytes: u64, config: VmmConfig) -> Self {
        let mem = PhysMemory::new(ram_bytes).unwrap();
        let mut mmu = Mmu::new(mem, &MmuConfig::default()).unwrap();
        let mut vmm = Vmm::new(&mmu, config);
        let process = vmm.create_process(&mut mmu).unwrap();
        vmm.switch_to(&mut mmu, process);
        Self { mmu, vmm, process }
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller::of(self.process)
    }

    pub(crate) fn alloc(
        &mut self,
        address: u32,
        size_bytes: u32,
        kind: AllocationType,
        protection: Protection,
    ) -> Result<u32, AllocError> {
        let request = AllocRequest {
            address: LinearAddr::new(address),
            size_bytes,
            allocation_type: kind.bits(),
            protect: protection.bits(),
        };
        let caller = self.caller();
        self.vmm
            .alloc(&mut self.mmu, caller, &request)
            .map(LinearAddr::bits)
    }

    pub(crate) fn try_commit(
        &mut self,
        size_bytes: u32,
        protection: Protection,
    ) -> Result<u32, AllocError> {
        self.alloc(
            0,
            size_bytes,
            AllocationType::RESERVE | AllocationType::COMMIT,
            protection,
        )
    }

    pub(crate) fn commit(&mut self, size_bytes: u32, protection: Protection) -> u32 {
        self.try_commit(size_bytes, protection).unwrap()
    }

    pub(crate) fn reset(&mut self, address: u32, size_bytes: u32) -> Result<u32, AllocError> {
        self.alloc(
            address,
            size_bytes,
            AllocationType::RESET,
            Protection::NO_ACCESS,
        )
    }

    pub(crate) fn reset_undo(&mut self, address: u32, size_bytes: u32) -> Result<u32, AllocError> {
        self.alloc(
            address,
            size_bytes,
            AllocationType::RESET_UNDO,
            Protection::NO_ACCESS,
        )
    }

    pub(crate) fn free(
        &mut self,
        address: u32,
        size_bytes: u32,
        free_type: u32,
    ) -> Result<(), FreeError> {
        let request = FreeRequest {
            address: LinearAddr::new(address),
            size_bytes,
            free_type,
        };
        let caller = self.caller();
        self.vmm.free(&mut self.mmu, caller, &request)
    }

    pub(crate) fn protect(
        &mut self,
        address: u32,
        size_bytes: u32,
        protection: Protection,
    ) -> Result<Protection, ProtectError> {
        let request = ProtectRequest {
            address: LinearAddr::new(address),
            size_bytes,
            protect: protection.bits(),
        };
        let caller = self.caller();
        self.vmm.protect(&mut self.mmu, caller, &request)
    }

    pub(crate) fn query(&self, address: u32) -> MemoryInfo {
        self.vmm
            .query(&self.mmu, self.process, LinearAddr::new(address))
            .unwrap()
    }

    pub(crate) fn lock(&mut self, address: u32, size_bytes: u32) -> Result<(), LockError> {
        let caller = self.caller();
        self.vmm
            .lock(&mut self.mmu, caller, LinearAddr::new(address), size_bytes)
    }

    /// Makes a section and maps it twice for writing.
    pub(crate) fn map_twice(&mut self, size_bytes: u32) -> (u32, u32) {
        const FILE_MAP_WRITE: u32 = 2;
        let request = SectionRequest {
            size_bytes: u64::from(size_bytes),
            protect: Protection::READ_WRITE.bits(),
            file: None,
        };
        let section = self.vmm.create_section(request).unwrap();
        let mut map = || {
            let request = MapRequest {
                access: FILE_MAP_WRITE,
                offset_bytes: 0,
                size_bytes: 0,
                address: LinearAddr::new(0),
            };
            self.vmm
                .map_view(Caller::of(self.process), section, &request)
                .unwrap()
                .bits()
        };
        (map(), map())
    }

    pub(crate) fn write(&mut self, address: u32, value: u32) -> Result<(), Resolution> {
        self.user(|mmu| {
            mmu.write(LinearAddr::new(address), value, Privilege::User)
                .map(|_| ())
        })
    }

    pub(crate) fn read(&mut self, address: u32) -> Result<u32, Resolution> {
        self.user(|mmu| mmu.read(LinearAddr::new(address), Privilege::User))
    }

    pub(crate) fn write_u8(&mut self, address: u32, value: u8) -> Result<(), Resolution> {
        self.user(|mmu| {
            mmu.write(LinearAddr::new(address), value, Privilege::User)
                .map(|_| ())
        })
    }

    pub(crate) fn read_u8(&mut self, address: u32) -> Result<u8, Resolution> {
        self.user(|mmu| mmu.read(LinearAddr::new(address), Privilege::User))
    }

    pub(crate) fn fetch(&mut self, address: u32) -> Result<(), Resolution> {
        self.user(|mmu| {
            mmu.fetch_page(LinearAddr::new(address), Privilege::User)
                .map(|_| ())
        })
    }

    /// Makes a user access until it no longer faults, or a fault is refused.
    fn user<T>(
        &mut self,
        access: impl Fn(&mut Mmu) -> Result<T, PageFault>,
    ) -> Result<T, Resolution> {
        loop {
            match access(&mut self.mmu) {
                Ok(value) => return Ok(value),
                Err(fault) => match self.vmm.handle_fault(&mut self.mmu, &fault) {
                    Resolution::Resumed(_) => {}
                    refused => return Err(refused),
                },
            }
        }
    }

    pub(crate) fn audit(&self, context: &str) {
        if let Err(error) = self.vmm.audit(&self.mmu) {
            panic!("{context}: {error}");
        }
    }
}
