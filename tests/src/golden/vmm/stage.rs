//! The machine that a scenario runs on.

use pagefault_vmm::mmu::{LinearAddr, Mmu, MmuConfig, PageFault, PhysMemory, Privilege};
use pagefault_vmm::{
    AllocRequest, AllocationType, Caller, Handle, KernelObject, MemoryStore, PagingMode, ProcessId,
    ProcessRights, Protection, Resolution, Vmm, VmmConfig, Win32Code,
};

use crate::golden::vmm::text::{BadOperand, Operands, Place, Symbols};

/// RAM of a scenario, in bytes.
const RAM_BYTES: u64 = 64 << 20;
/// The paging file's limit, in pages: 8 GiB, so that no scenario meets the commit limit.
const PAGING_FILE_PAGES: u32 = 0x20_0000;
/// Where a program lies: in the way of whoever asks for nearly all of user space.
const PROGRAM_BASE: u32 = 0x0040_0000;
const PROGRAM_BYTES: u32 = 0x1_0000;
const STATUS_ACCESS_VIOLATION: u32 = 0xC000_0005;
const STATUS_GUARD_PAGE_VIOLATION: u32 = 0x8000_0001;
const STATUS_STACK_OVERFLOW: u32 = 0xC000_00FD;
const STATUS_IN_PAGE_ERROR: u32 = 0xC000_0006;

/// A machine with one process, which makes the calls, and what the scenario has bound.
pub(super) struct Stage {
    pub(super) mmu: Mmu,
    pub(super) vmm: Vmm,
    pub(super) process: ProcessId,
    pub(super) symbols: Symbols,
    /// A page of the caller's own, for buffers that the scenario does not name.
    pub(super) scratch: LinearAddr,
    child: Option<ProcessId>,
}

/// What a call prints when it does not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// `fail N`
    Error(Win32Code),
    /// `exc …`, and anything else that is not `ok`.
    Line(String),
}

impl From<BadOperand> for Refusal {
    fn from(BadOperand(operand): BadOperand) -> Self {
        Self::Line(format!("cannot read operand: {operand}"))
    }
}

pub(super) type Answer = Result<String, Refusal>;

impl Stage {
    pub(super) fn new(paging: PagingMode) -> Self {
        let mem = PhysMemory::new(RAM_BYTES).expect("the host has room for a scenario");
        let mut mmu = Mmu::new(mem, &MmuConfig::default()).expect("the default can be modelled");
        let mut vmm = Vmm::new(
            &mmu,
            VmmConfig {
                paging,
                ..VmmConfig::default()
            },
        );
        vmm.set_paging_file(Box::new(MemoryStore::new()), PAGING_FILE_PAGES);
        let process = vmm.create_process(&mut mmu).expect("RAM is empty");
        vmm.switch_to(&mut mmu, process);
        let program = LinearAddr::new(PROGRAM_BASE);
        let mapped = vmm.map_image(Caller::of(process), program, PROGRAM_BYTES);
        mapped.expect("the space is empty");
        let kind = AllocationType::RESERVE | AllocationType::COMMIT | AllocationType::TOP_DOWN;
        let request = AllocRequest {
            address: LinearAddr::new(0),
            size_bytes: 1,
            allocation_type: kind.bits(),
            protect: Protection::READ_WRITE.bits(),
        };
        let scratch = vmm.alloc(&mut mmu, Caller::of(process), &request);
        let scratch = scratch.expect("the space is empty");
        Self {
            mmu,
            vmm,
            process,
            symbols: Symbols::new(),
            scratch,
            child: None,
        }
    }

    pub(super) fn caller(&self) -> Caller {
        Caller::of(self.process)
    }

    /// Returns the process that a `PROC` operand names, for a call that needs these rights.
    pub(super) fn target(&mut self, name: &str, needed: ProcessRights) -> Result<Caller, Refusal> {
        let handle = self.handle(name)?;
        let process = self.vmm.process_behind(self.process, handle, needed);
        process
            .map(Caller::of)
            .map_err(|error| Refusal::Error(error.win32_code()))
    }

    fn handle(&mut self, name: &str) -> Result<Handle, Refusal> {
        /// No handle that is given out.
        const NO_SUCH_HANDLE: Handle = Handle(0xDEAD_BEE0);
        let all = ProcessRights::all();
        let (process, rights) = match name {
            "self" => return Ok(Handle::CURRENT_PROCESS),
            "null" => return Ok(Handle(0)),
            "bad" => return Ok(NO_SUCH_HANDLE),
            "dup" => (self.process, all),
            "noright" => (self.process, all - ProcessRights::VM_OPERATION),
            "child" => (self.child(), all),
            _ => return Err(BadOperand(name.to_owned()).into()),
        };
        Ok(self
            .vmm
            .open_handle(self.process, KernelObject::Process { process, rights }))
    }

    fn child(&mut self) -> ProcessId {
        let (vmm, mmu) = (&mut self.vmm, &mut self.mmu);
        *self
            .child
            .get_or_insert_with(|| vmm.create_process(mmu).expect("RAM is almost empty"))
    }

    /// Makes a user access until it no longer faults, or a fault is refused.
    pub(super) fn user<T>(
        &mut self,
        place: &Place,
        access: impl Fn(&mut Mmu, LinearAddr) -> Result<T, PageFault>,
    ) -> Result<T, Refusal> {
        let addr = LinearAddr::new(place.address);
        loop {
            let fault = match access(&mut self.mmu, addr) {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            let (code, operation, addr) = match self.vmm.handle_fault(&mut self.mmu, &fault) {
                Resolution::Resumed(_) => continue,
                Resolution::AccessViolation(violation) => (
                    STATUS_ACCESS_VIOLATION,
                    violation.operation(),
                    violation.addr,
                ),
                Resolution::GuardPage(guard) => {
                    (STATUS_GUARD_PAGE_VIOLATION, guard.operation(), guard.addr)
                }
                Resolution::StackOverflow(overflow) => (STATUS_STACK_OVERFLOW, 0, overflow.addr),
                Resolution::InPageError(error) => (STATUS_IN_PAGE_ERROR, 0, error.addr),
            };
            let addr = place.tell(addr.bits());
            return Err(Refusal::Line(format!(
                "exc {code:#010x} {operation} {addr}"
            )));
        }
    }

    /// The privilege of a program's accesses.
    pub(super) const USER: Privilege = Privilege::User;

    /// Makes a call and returns what it prints.
    pub(super) fn call(&mut self, call: &str) -> String {
        let symbols = self.symbols.clone();
        let (name, mut operands) = Operands::of(call, &symbols);
        match self.dispatch(name, &mut operands) {
            Ok(result) if result.is_empty() => "ok".to_owned(),
            Ok(result) => format!("ok {result}"),
            Err(Refusal::Error(code)) => format!("fail {code}"),
            Err(Refusal::Line(line)) => line,
        }
    }
}
