//! Steps of a course lab, done on a memory manager.

use std::collections::VecDeque;

use pagefault_machine::vmm::mmu::{
    LinearAddr, Mmu, MmuConfig, MmuError, NoObserver, PAGE_SIZE, PhysMemory, PhysMemoryError,
    Privilege,
};
use pagefault_machine::vmm::{
    ALLOCATION_GRANULARITY, AllocError, AllocRequest, AllocationType, Caller, FreeError,
    FreeRequest, InPageError, LockError, MEM_DECOMMIT, MEM_RELEASE, MapRun, MemoryInfo,
    MemoryStatus, NoFrame, PageRange, PageStore, ProcessId, Profile, Protection, Resolution,
    Resumed, Rule, UnlockError, UserSpace, Vmm, VmmConfig, Win32Code,
};
use thiserror::Error;

use super::warning::Warning;
use super::{Operation, Place, REGION_COUNT, RegionIndex, Step, Target};

/// `PAGE_GUARD`
const PAGE_GUARD: u32 = 0x100;
/// The exception that a guard page raises: `STATUS_GUARD_PAGE_VIOLATION`.
const GUARD_PAGE_VIOLATION: Win32Code = Win32Code::GUARD_PAGE_VIOLATION;
/// The failed steps that later ones are held against: each that fails looks at all of them.
const MAX_FAILED: usize = 1024;
/// How often one access may fault: each fault removes one reason for the next.
const MAX_FAULTS_PER_ACCESS: u32 = 16;

/// The machine that a lab's steps are done on.
#[derive(Clone, Copy, Debug)]
pub struct ReplayConfig {
    /// The size of RAM in bytes.
    pub ram_bytes: u64,
    /// Whose rules hold.
    pub profile: Profile,
}

/// Why there is no machine.
#[derive(Debug, Error)]
pub enum StartError {
    /// No RAM of that size.
    #[error(transparent)]
    Memory(#[from] PhysMemoryError),
    /// No MMU.
    #[error(transparent)]
    Mmu(#[from] MmuError),
    /// RAM does not even hold a page directory.
    #[error(transparent)]
    NoFrame(#[from] NoFrame),
}

/// Why a step failed, as `GetLastError` would tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StepError {
    /// `VirtualAlloc` refused.
    #[error(transparent)]
    Alloc(#[from] AllocError),
    /// `VirtualFree` refused.
    #[error(transparent)]
    Free(#[from] FreeError),
    /// `VirtualLock` refused.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// `VirtualUnlock` refused.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// The region was never reserved.
    #[error("region {} was never reserved", region.get())]
    NoRegion {
        /// Which.
        region: RegionIndex,
    },
    /// A page could not be read: the lab's program would have been ended here.
    #[error("access violation at {addr}: {rule}")]
    AccessViolation {
        /// The byte that was read.
        addr: LinearAddr,
        /// The rule that it broke.
        rule: Rule,
    },
    /// A guard page was touched; it is one no longer.
    #[error("guard page at {addr}: its guard is gone, the next access succeeds")]
    GuardPage {
        /// The byte that was read.
        addr: LinearAddr,
    },
    /// A page could not be brought in.
    #[error("in-page error at {addr}")]
    InPage {
        /// The byte that was read.
        addr: LinearAddr,
    },
    /// A range to touch leaves the address space.
    #[error("{size_bytes:#x} bytes at {address} leave the address space")]
    OutsideAddressSpace {
        /// Where it begins.
        address: LinearAddr,
        /// How long it is.
        size_bytes: u32,
    },
}

impl StepError {
    /// Returns the error code; for a touch, that of the exception as `GetLastError` has it.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::Alloc(error) => error.win32_code(),
            Self::Free(error) => error.win32_code(),
            Self::Lock(error) => error.win32_code(),
            Self::Unlock(error) => error.win32_code(),
            Self::NoRegion { .. } | Self::OutsideAddressSpace { .. } => Win32Code::INVALID_ADDRESS,
            Self::AccessViolation { .. } => Win32Code::NOACCESS,
            Self::GuardPage { .. } => GUARD_PAGE_VIOLATION,
            Self::InPage { .. } => Win32Code::SWAPERROR,
        }
    }
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The call, as a program writes it.
    pub call: String,
    /// What it did, or why it did nothing.
    pub result: Result<Effect, StepError>,
    /// What a teacher would say.
    pub warnings: Vec<Warning>,
    /// The address that the step was about.
    pub about: LinearAddr,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The call returned this address.
    Address(LinearAddr),
    /// The call succeeded.
    Succeeded,
    /// Pages were read.
    Touched {
        /// How many.
        pages: u32,
        /// How many of them faulted and were brought in.
        brought_in: u32,
    },
}

/// A region of lab 2.
#[derive(Clone, Copy, Debug)]
struct Region {
    address: LinearAddr,
    size_bytes: u32,
}

/// A range that a failed step was about.
#[derive(Clone, Copy, Debug)]
struct Failed {
    place: Place,
    operation: Operation,
    address: LinearAddr,
    size_bytes: u32,
}

/// A process whose memory the steps of a lab change.
#[derive(Debug)]
pub struct Replay {
    mmu: Mmu<NoObserver>,
    vmm: Vmm,
    process: ProcessId,
    regions: [Option<Region>; REGION_COUNT as usize],
    /// The last failed steps, oldest first.
    failed: VecDeque<Failed>,
}

impl Replay {
    /// Returns a process with an empty address space.
    ///
    /// # Errors
    ///
    /// [`StartError`] if there is not enough RAM for it, or too much.
    pub fn new(config: &ReplayConfig) -> Result<Self, StartError> {
        let memory = PhysMemory::new(config.ram_bytes)?;
        let mut mmu = Mmu::new(memory, &MmuConfig::default())?;
        let vmm_config = VmmConfig {
            profile: config.profile,
            ..VmmConfig::default()
        };
        let mut vmm = Vmm::new(&mmu, vmm_config);
        let process = vmm.create_process(&mut mmu)?;
        vmm.switch_to(&mut mmu, process);
        Ok(Self {
            mmu,
            vmm,
            process,
            regions: [None; REGION_COUNT as usize],
            failed: VecDeque::new(),
        })
    }

    /// Gives the machine a paging file of at most `limit_bytes`, which raises the commit limit.
    pub fn set_paging_file(&mut self, store: Box<dyn PageStore>, limit_bytes: u64) {
        let pages = u32::try_from(limit_bytes / u64::from(PAGE_SIZE)).unwrap_or(u32::MAX);
        self.vmm.set_paging_file(store, pages);
    }

    /// Does a step.
    pub fn step(&mut self, step: &Step) -> Done {
        let range = match self.range(step) {
            Ok(range) => range,
            Err(error) => {
                return Done {
                    call: step.operation.name().to_owned(),
                    result: Err(error),
                    warnings: Vec::new(),
                    about: self.user_space().lowest(),
                };
            }
        };
        let mut warnings = Self::warn_before(step, range);
        let call = call(step, range);
        let result = self.perform(step, range);
        self.warn_after(step, range, result, &mut warnings);
        let about = match result {
            Ok(Effect::Address(base)) => base,
            _ if range.address.bits() == 0 => self.user_space().lowest(),
            _ => range.address,
        };
        let is_needed = matches!(
            step.operation,
            Operation::Reserve | Operation::Commit | Operation::Guard
        );
        if result.is_err() && is_needed {
            if self.failed.len() == MAX_FAILED {
                self.failed.pop_front();
            }
            self.failed.push_back(Failed {
                place: step.place,
                operation: step.operation,
                address: range.address,
                size_bytes: range.size_bytes,
            });
        }
        Done {
            call,
            result,
            warnings,
            about,
        }
    }

    /// Returns what a teacher would say at the end.
    pub fn closing_warnings(&self) -> Vec<Warning> {
        let untouched: u32 = self
            .map()
            .iter()
            .filter(|run| run.info.protection.is_some())
            .map(|run| (run.info.size_bytes / PAGE_SIZE).saturating_sub(run.resident_pages))
            .sum();
        let warning = Warning::NeverTouched { pages: untouched };
        (untouched > 0).then_some(warning).into_iter().collect()
    }

    /// Returns the address space, run by run.
    pub fn map(&self) -> Vec<MapRun> {
        self.vmm.memory_map(&self.mmu, self.process)
    }

    /// `GlobalMemoryStatusEx`
    pub fn memory_status(&self) -> MemoryStatus {
        self.vmm.memory_status(self.process)
    }

    /// `VirtualQuery`; `None` above user space.
    pub fn query(&self, addr: LinearAddr) -> Option<MemoryInfo> {
        self.vmm.query(&self.mmu, self.process, addr).ok()
    }

    /// Returns how large user space is.
    pub fn user_space(&self) -> UserSpace {
        self.vmm.config().user_space
    }

    fn range(&self, step: &Step) -> Result<Region, StepError> {
        match step.target {
            Target::Range {
                address,
                size_bytes,
            } => Ok(Region {
                address,
                size_bytes,
            }),
            Target::NewRegion { size_bytes, .. } => Ok(Region {
                address: LinearAddr::new(0),
                size_bytes,
            }),
            Target::Region(region) => {
                let found = self.regions.get(region.get() as usize).copied().flatten();
                found.ok_or(StepError::NoRegion { region })
            }
        }
    }

    fn perform(&mut self, step: &Step, range: Region) -> Result<Effect, StepError> {
        match step.operation {
            Operation::Reserve => {
                let base = self.alloc(range, AllocationType::RESERVE, step.protect)?;
                if let Target::NewRegion { region, size_bytes } = step.target {
                    let reserved = Region {
                        address: base,
                        size_bytes,
                    };
                    if let Some(place) = self.regions.get_mut(region.get() as usize) {
                        *place = Some(reserved);
                    }
                }
                Ok(Effect::Address(base))
            }
            Operation::Commit => {
                let base = self.alloc(range, AllocationType::COMMIT, step.protect)?;
                Ok(Effect::Address(base))
            }
            Operation::Guard => {
                let protect = step.protect | PAGE_GUARD;
                let base = self.alloc(range, AllocationType::COMMIT, protect)?;
                Ok(Effect::Address(base))
            }
            Operation::Reset => {
                let base = self.alloc(range, AllocationType::RESET, step.protect)?;
                Ok(Effect::Address(base))
            }
            Operation::Touch => self.touch(range),
            Operation::Lock => {
                let Self {
                    mmu, vmm, process, ..
                } = self;
                vmm.lock(mmu, Caller::of(*process), range.address, range.size_bytes)?;
                Ok(Effect::Succeeded)
            }
            Operation::Unlock => {
                let Self {
                    mmu, vmm, process, ..
                } = self;
                vmm.unlock(mmu, Caller::of(*process), range.address, range.size_bytes)?;
                Ok(Effect::Succeeded)
            }
            Operation::Decommit => self.free(range, MEM_DECOMMIT),
            Operation::Release => {
                let whole = Region {
                    size_bytes: 0,
                    ..range
                };
                let effect = self.free(whole, MEM_RELEASE)?;
                if let Target::Region(region) = step.target
                    && let Some(place) = self.regions.get_mut(region.get() as usize)
                {
                    *place = None;
                }
                Ok(effect)
            }
        }
    }

    fn alloc(
        &mut self,
        range: Region,
        kind: AllocationType,
        protect: u32,
    ) -> Result<LinearAddr, AllocError> {
        let request = AllocRequest {
            address: range.address,
            size_bytes: range.size_bytes,
            allocation_type: kind.bits(),
            protect,
        };
        let caller = Caller::of(self.process);
        self.vmm.alloc(&mut self.mmu, caller, &request)
    }

    fn free(&mut self, range: Region, free_type: u32) -> Result<Effect, StepError> {
        let request = FreeRequest {
            address: range.address,
            size_bytes: range.size_bytes,
            free_type,
        };
        let caller = Caller::of(self.process);
        self.vmm.free(&mut self.mmu, caller, &request)?;
        Ok(Effect::Succeeded)
    }

    /// Reads a byte of each page.
    fn touch(&mut self, range: Region) -> Result<Effect, StepError> {
        if range.size_bytes == 0 {
            return Ok(Effect::Touched {
                pages: 0,
                brought_in: 0,
            });
        }
        let outside = StepError::OutsideAddressSpace {
            address: range.address,
            size_bytes: range.size_bytes,
        };
        let last = range.address.checked_add(range.size_bytes - 1);
        let last = last.ok_or(outside)?;
        let (mut pages, mut brought_in) = (0, 0);
        let mut at = Some(range.address);
        while let Some(addr) = at.filter(|&addr| addr <= last) {
            brought_in += u32::from(self.read(addr)? == Came::In);
            pages += 1;
            at = addr.checked_add(PAGE_SIZE);
        }
        Ok(Effect::Touched { pages, brought_in })
    }

    /// Reads a byte as the program does: faults are resolved, and the read is made again.
    fn read(&mut self, addr: LinearAddr) -> Result<Came, StepError> {
        let mut came = Came::WasThere;
        for _ in 0..MAX_FAULTS_PER_ACCESS {
            let Err(fault) = self.mmu.read::<u8>(addr, Privilege::User) else {
                return Ok(came);
            };
            match self.vmm.handle_fault(&mut self.mmu, &fault) {
                Resolution::Resumed(Resumed::AlreadyMapped | Resumed::WriteWatched) => {}
                Resolution::Resumed(_) => came = Came::In,
                Resolution::AccessViolation(violation) => {
                    return Err(StepError::AccessViolation {
                        addr,
                        rule: violation.rule,
                    });
                }
                Resolution::GuardPage(_) | Resolution::StackOverflow(_) => {
                    return Err(StepError::GuardPage { addr });
                }
                Resolution::InPageError(InPageError { addr, .. }) => {
                    return Err(StepError::InPage { addr });
                }
            }
        }
        Err(StepError::InPage { addr })
    }

    fn warn_before(step: &Step, range: Region) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if matches!(step.target, Target::Range { .. }) {
            let unit_bytes = range.size_bytes.checked_div(step.units).unwrap_or(0);
            // Whole pages of units: nobody counts so, but bytes are often whole pages.
            if unit_bytes > 0 && step.units.is_multiple_of(PAGE_SIZE) {
                warnings.push(Warning::UnitsLookLikeBytes {
                    units: step.units,
                    unit_bytes,
                });
            }
            if step.operation == Operation::Release && range.size_bytes > 0 {
                warnings.push(Warning::ReleaseWithSize {
                    size_bytes: range.size_bytes,
                });
            }
            Self::warn_of_start(step, range, &mut warnings);
        }
        let is_guarded_nothing = Protection::from_bits(step.protect) == Ok(Protection::NO_ACCESS);
        if step.operation == Operation::Guard && is_guarded_nothing {
            warnings.push(Warning::GuardWithoutAccess);
        }
        warnings
    }

    fn warn_of_start(step: &Step, range: Region, warnings: &mut Vec<Warning>) {
        let offset = range.address.bits() % ALLOCATION_GRANULARITY;
        if step.operation == Operation::Reserve && offset != 0 {
            let base = LinearAddr::new(range.address.bits() - offset);
            warnings.push(Warning::ReserveRoundedDown { base });
            return;
        }
        let is_page_wise = !matches!(step.operation, Operation::Reserve | Operation::Release);
        if is_page_wise && range.address.page_offset() != 0 && range.size_bytes > 0 {
            let pages = PageRange::touched(range.address, range.size_bytes);
            let pages = pages.map_or(0, PageRange::len_pages);
            warnings.push(Warning::StartInsidePage { pages });
        }
    }

    fn warn_after(
        &self,
        step: &Step,
        range: Region,
        result: Result<Effect, StepError>,
        warnings: &mut Vec<Warning>,
    ) {
        match result {
            Ok(Effect::Touched {
                pages,
                brought_in: 0,
            }) if pages > 0 => warnings.push(Warning::TouchedNothingNew),
            Ok(_) => {}
            Err(error) => {
                let before = self.failed.iter().rev().find(|failed| {
                    let end = failed
                        .address
                        .bits()
                        .saturating_add(failed.size_bytes.max(1));
                    (failed.address.bits()..end).contains(&range.address.bits())
                });
                match (before, error) {
                    (Some(failed), _) => warnings.push(Warning::AfterFailure {
                        place: failed.place,
                        operation: failed.operation,
                    }),
                    (None, StepError::Alloc(AllocError::NotReserved { .. }))
                        if matches!(step.operation, Operation::Commit | Operation::Guard) =>
                    {
                        warnings.push(Warning::NothingReserved);
                    }
                    (None, _) => {}
                }
            }
        }
    }
}

/// Whether a read has brought its page in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    In,
    WasThere,
}

/// Returns the call that a program makes for a step.
fn call(step: &Step, range: Region) -> String {
    let address = match range.address.bits() {
        0 => "NULL".to_owned(),
        bits => format!("{bits:#010x}"),
    };
    let size = range.size_bytes;
    let protection = |bits| match Protection::from_bits(bits) {
        Ok(protection) => protection.to_string(),
        Err(_) => format!("{bits:#x}"),
    };
    let alloc = |kind: &str, protect| {
        let protect = protection(protect);
        format!("VirtualAlloc({address}, {size}, {kind}, {protect})")
    };
    match step.operation {
        Operation::Reserve => alloc("MEM_RESERVE", step.protect),
        Operation::Commit => alloc("MEM_COMMIT", step.protect),
        Operation::Guard => alloc("MEM_COMMIT", step.protect | PAGE_GUARD),
        Operation::Reset => alloc("MEM_RESET", step.protect),
        Operation::Touch => format!("read a byte of each page of {address}, {size} bytes"),
        Operation::Lock => format!("VirtualLock({address}, {size})"),
        Operation::Unlock => format!("VirtualUnlock({address}, {size})"),
        Operation::Decommit => format!("VirtualFree({address}, {size}, MEM_DECOMMIT)"),
        Operation::Release => format!("VirtualFree({address}, 0, MEM_RELEASE)"),
    }
}
