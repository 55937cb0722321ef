//! The control registers that govern paging.

use bitflags::bitflags;
use thiserror::Error;

use crate::addr::{FrameNumber, LinearAddr, MAX_PHYSICAL_BITS, OFFSET_MASK, PAGE_SHIFT, PhysAddr};
use crate::entry::{LargePages, NoExecute, Pdpte, PteFlags, Rights};
use crate::fault::{Access, AccessKind, FetchRights, Privilege};
use crate::packed::marks_of;
use crate::phys::PhysMemory;

bitflags! {
    /// CR0. SDM Vol. 3A, "Control Registers".
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Cr0: u32 {
        /// PE: protected mode.
        const PROTECTED_MODE = 1 << 0;
        /// MP: WAIT honours TS.
        const MONITOR_COPROCESSOR = 1 << 1;
        /// EM: no x87 unit.
        const EMULATION = 1 << 2;
        /// TS: the task was switched since the x87 state was saved.
        const TASK_SWITCHED = 1 << 3;
        /// ET: fixed to 1 on current processors.
        const EXTENSION_TYPE = 1 << 4;
        /// NE: x87 errors are reported as #MF.
        const NUMERIC_ERROR = 1 << 5;
        /// WP: supervisor writes respect R/W=0.
        const WRITE_PROTECT = 1 << 16;
        /// AM: EFLAGS.AC makes misaligned user accesses fault.
        const ALIGNMENT_MASK = 1 << 18;
        /// NW: not write-through.
        const NOT_WRITE_THROUGH = 1 << 29;
        /// CD: cache disable.
        const CACHE_DISABLE = 1 << 30;
        /// PG: paging.
        const PAGING = 1 << 31;
    }
}

bitflags! {
    /// CR4. SDM Vol. 3A, "Control Registers". Bits that are not listed are reserved here.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Cr4: u32 {
        /// TSD: RDTSC is privileged.
        const TIME_STAMP_DISABLE = 1 << 2;
        /// DE: debugging extensions.
        const DEBUGGING_EXTENSIONS = 1 << 3;
        /// PSE: 4 MiB pages in two-level paging.
        const PAGE_SIZE_EXTENSIONS = 1 << 4;
        /// PAE: three-level paging with 64-bit entries.
        const PHYSICAL_ADDRESS_EXTENSION = 1 << 5;
        /// MCE: machine-check exceptions.
        const MACHINE_CHECK = 1 << 6;
        /// PGE: global pages.
        const PAGE_GLOBAL = 1 << 7;
        /// PCE: RDPMC at any CPL.
        const PERFORMANCE_COUNTER = 1 << 8;
        /// OSFXSR: FXSAVE and SSE are supported by the operating system.
        const OS_FXSAVE = 1 << 9;
        /// OSXMMEXCPT: #XM is supported by the operating system.
        const OS_SIMD_EXCEPTIONS = 1 << 10;
        /// UMIP: SGDT and its kin are privileged.
        const USER_MODE_INSTRUCTION_PREVENTION = 1 << 11;
        /// SMEP: no supervisor fetches from user pages.
        const SMEP = 1 << 20;
        /// SMAP: no supervisor data accesses to user pages, but with EFLAGS.AC.
        const SMAP = 1 << 21;
    }
}

bitflags! {
    /// IA32_EFER, as far as 32-bit modes have it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Efer: u32 {
        /// NXE: bit 63 of PAE entries forbids fetches.
        const NO_EXECUTE_ENABLE = 1 << 11;
    }
}

/// EFLAGS.AC as SMAP sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AcFlag {
    /// AC=0.
    Clear,
    /// AC=1: with SMAP, explicit supervisor accesses to user pages are allowed.
    Set,
}

/// A load of a control register that the processor refuses with #GP(0). Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum ControlFault {
    /// CR0 with PG=1 and PE=0, or with NW=1 and CD=0.
    #[error("CR0 {bits:#010x} is not a legal combination")]
    Cr0 {
        /// The value.
        bits: u32,
    },
    /// CR4 with a reserved bit.
    #[error("CR4 {bits:#010x} has bits that this mode does not have")]
    Cr4 {
        /// The value.
        bits: u32,
    },
    /// `IA32_EFER` with a bit that 32-bit modes do not have.
    #[error("EFER {bits:#010x} has bits that this mode does not have")]
    Efer {
        /// The value.
        bits: u32,
    },
    /// A present PDPTE with a reserved bit.
    #[error("PDPTE {index} is {bits:#018x}: present, with a reserved bit set")]
    Pdpte {
        /// Which of the four.
        index: usize,
        /// Its value in memory.
        bits: u64,
    },
}

/// What the rights of a translation must be for an access: those that are looked at equal those that
/// are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RightsTest {
    looked_at: Rights,
    wanted: Rights,
}

impl RightsTest {
    /// The test that no rights fail.
    const NONE: Self = Self {
        looked_at: Rights::empty(),
        wanted: Rights::empty(),
    };

    fn need(&mut self, rights: Rights) {
        self.looked_at |= rights;
        self.wanted |= rights;
    }

    fn forbid(&mut self, rights: Rights) {
        self.looked_at |= rights;
        self.wanted -= rights;
    }

    #[inline(always)]
    pub(crate) fn passes(self, rights: Rights) -> bool {
        rights & self.looked_at == self.wanted
    }
}

/// The tests of all accesses under the present settings.
#[derive(Clone, Copy, Debug)]
struct RightsTests([[RightsTest; AccessKind::COUNT]; Privilege::COUNT]);

impl RightsTests {
    const NONE: Self = Self([[RightsTest::NONE; AccessKind::COUNT]; Privilege::COUNT]);

    #[inline(always)]
    fn of(&self, access: Access) -> RightsTest {
        self.0[access.privilege as usize][access.kind as usize]
    }

    fn set(&mut self, access: Access, test: RightsTest) {
        self.0[access.privilege as usize][access.kind as usize] = test;
    }
}

/// Where the tables are and how they are read: what one walk needs to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paging {
    pub(crate) mode: Mode,
    pub(crate) physical_bits: u32,
    /// The bits of a leaf that stand for themselves: its frame, as 32 bits tell it, and the flags
    /// that speak of the page as a whole. G is among them with CR4.PGE=1.
    pub(crate) kept: u32,
}

/// The paging mode with its root.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    Off,
    TwoLevel(TwoLevel),
    Pae {
        pdpt: PhysAddr,
        pdptes: [Pdpte; 4],
        no_execute: NoExecute,
    },
}

/// The root of two-level tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TwoLevel {
    pub(crate) directory: FrameNumber,
    pub(crate) large: LargePages,
}

/// The bits of a leaf that stand for themselves whatever the settings.
const ALWAYS_KEPT: u32 = !OFFSET_MASK
    | PteFlags::DIRTY
        .union(PteFlags::PAT)
        .union(PteFlags::CACHE_DISABLE)
        .union(PteFlags::WRITE_THROUGH)
        .bits();
/// Those that do where pages may be global.
pub(crate) const KEPT: u32 = ALWAYS_KEPT | PteFlags::GLOBAL.bits();

/// Selects the PDPT's address in CR3: bits 31:5.
const CR3_PDPT_MASK: u32 = !0x1F;
/// The size of a PDPTE in bytes.
const PDPTE_BYTES: u32 = 8;

/// The registers that govern paging, with what follows from them kept ready.
#[derive(Clone, Debug)]
pub struct Control {
    cr0: Cr0,
    cr2: LinearAddr,
    cr3: u32,
    cr4: Cr4,
    efer: Efer,
    ac: AcFlag,
    paging: Paging,
    tests: RightsTests,
    /// The tests that a cached translation has to pass.
    cached_tests: RightsTests,
}

impl Control {
    pub(crate) fn new(physical_bits: u32) -> Self {
        let paging = Paging {
            mode: Mode::Off,
            physical_bits,
            kept: ALWAYS_KEPT,
        };
        Self {
            cr0: Cr0::PROTECTED_MODE | Cr0::EXTENSION_TYPE,
            cr2: LinearAddr::new(0),
            cr3: 0,
            cr4: Cr4::empty(),
            efer: Efer::empty(),
            ac: AcFlag::Clear,
            paging,
            tests: RightsTests::NONE,
            cached_tests: RightsTests::NONE,
        }
    }

    /// Returns CR0.
    pub fn cr0(&self) -> Cr0 {
        self.cr0
    }

    /// Returns CR2: the address of the last page fault.
    pub fn cr2(&self) -> LinearAddr {
        self.cr2
    }

    /// Returns CR3 as it was loaded, low bits included.
    pub fn cr3(&self) -> u32 {
        self.cr3
    }

    /// Returns CR4.
    pub fn cr4(&self) -> Cr4 {
        self.cr4
    }

    /// Returns `IA32_EFER`.
    pub fn efer(&self) -> Efer {
        self.efer
    }

    /// Returns EFLAGS.AC as it was last told.
    pub fn alignment_check(&self) -> AcFlag {
        self.ac
    }

    /// Returns whether CR0.PG is set.
    pub fn is_paging(&self) -> bool {
        self.cr0.contains(Cr0::PAGING)
    }

    #[inline]
    pub(crate) fn paging(&self) -> &Paging {
        &self.paging
    }

    /// Returns what the rights must be for an access.
    #[inline(always)]
    pub(crate) fn test(&self, access: Access) -> RightsTest {
        self.tests.of(access)
    }

    /// Returns what the attributes of a translation must be for it to serve an access as it is.
    ///
    /// A first use needs marks: every one A, and a write D. Missing rights of a cached translation
    /// need a walk too: the entry may have been changed since, and processors look before they
    /// fault.
    #[inline(always)]
    pub(crate) fn cached_test(&self, access: Access) -> RightsTest {
        self.cached_tests.of(access)
    }

    /// Returns whether a fetch's page fault says that it was one.
    pub(crate) fn fetches(&self) -> FetchRights {
        if self.cr4.contains(Cr4::SMEP) || self.has_no_execute() {
            FetchRights::Separate
        } else {
            FetchRights::LikeReads
        }
    }

    /// Returns whether XD counts.
    fn has_no_execute(&self) -> bool {
        matches!(
            self.paging.mode,
            Mode::Pae {
                no_execute: NoExecute::Enabled,
                ..
            }
        )
    }

    /// Derives the tests from the registers.
    fn settle_tests(&mut self) {
        for privilege in Privilege::ALL {
            for kind in AccessKind::ALL {
                let access = Access { kind, privilege };
                let mut test = self.derive_test(access);
                self.tests.set(access, test);
                test.need(attributes_of(marks_of(kind)));
                self.cached_tests.set(access, test);
            }
        }
    }

    /// Returns what the rights must be for an access.
    ///
    /// SDM Vol. 3A, "Determination of Access Rights".
    fn derive_test(&self, access: Access) -> RightsTest {
        let Access { kind, privilege } = access;
        let mut test = RightsTest::NONE;
        if kind == AccessKind::Fetch && self.has_no_execute() {
            test.forbid(Rights::NO_EXECUTE);
        }
        if privilege == Privilege::User {
            test.need(Rights::USER);
            if kind == AccessKind::Write {
                test.need(Rights::WRITABLE);
            }
            return test;
        }
        if kind == AccessKind::Write && self.cr0.contains(Cr0::WRITE_PROTECT) {
            test.need(Rights::WRITABLE);
        }
        // An implicit access cannot be let through by AC.
        let is_excused = privilege == Privilege::Supervisor && self.ac == AcFlag::Set;
        let is_prevented = match kind {
            AccessKind::Fetch => self.cr4.contains(Cr4::SMEP),
            AccessKind::Read | AccessKind::Write => self.cr4.contains(Cr4::SMAP) && !is_excused,
        };
        if is_prevented {
            test.forbid(Rights::USER);
        }
        test
    }

    pub(crate) fn set_cr2(&mut self, addr: LinearAddr) {
        self.cr2 = addr;
    }

    pub(crate) fn set_alignment_check(&mut self, ac: AcFlag) {
        self.ac = ac;
        self.settle_tests();
    }

    pub(crate) fn with_cr0(&self, bits: u32, mem: &PhysMemory) -> Result<Self, ControlFault> {
        let cr0 = Cr0::from_bits_truncate(bits) | Cr0::EXTENSION_TYPE;
        let pages_unprotected = cr0.contains(Cr0::PAGING) && !cr0.contains(Cr0::PROTECTED_MODE);
        let writes_around =
            cr0.contains(Cr0::NOT_WRITE_THROUGH) && !cr0.contains(Cr0::CACHE_DISABLE);
        if pages_unprotected || writes_around {
            return Err(ControlFault::Cr0 { bits });
        }
        let reloading = Cr0::PAGING | Cr0::CACHE_DISABLE | Cr0::NOT_WRITE_THROUGH;
        let reload = (cr0 ^ self.cr0).intersects(reloading);
        Self {
            cr0,
            ..self.clone()
        }
        .derive(mem, reload)
    }

    pub(crate) fn with_cr3(&self, bits: u32, mem: &PhysMemory) -> Result<Self, ControlFault> {
        Self {
            cr3: bits,
            ..self.clone()
        }
        .derive(mem, true)
    }

    pub(crate) fn with_cr4(&self, bits: u32, mem: &PhysMemory) -> Result<Self, ControlFault> {
        let cr4 = Cr4::from_bits(bits).ok_or(ControlFault::Cr4 { bits })?;
        let reloading = Cr4::PHYSICAL_ADDRESS_EXTENSION
            | Cr4::PAGE_GLOBAL
            | Cr4::PAGE_SIZE_EXTENSIONS
            | Cr4::SMEP;
        let reload = (cr4 ^ self.cr4).intersects(reloading);
        Self {
            cr4,
            ..self.clone()
        }
        .derive(mem, reload)
    }

    pub(crate) fn with_efer(&self, bits: u32, mem: &PhysMemory) -> Result<Self, ControlFault> {
        let efer = Efer::from_bits(bits).ok_or(ControlFault::Efer { bits })?;
        Self {
            efer,
            ..self.clone()
        }
        .derive(mem, false)
    }

    /// Brings `paging` and `tests` in line with the registers.
    ///
    /// The PDPTE registers keep their values unless a load is due (SDM Vol. 3A, "PDPTE Registers").
    fn derive(mut self, mem: &PhysMemory, reload: bool) -> Result<Self, ControlFault> {
        let no_execute = if self.efer.contains(Efer::NO_EXECUTE_ENABLE) {
            NoExecute::Enabled
        } else {
            NoExecute::Reserved
        };
        self.paging.kept = if self.cr4.contains(Cr4::PAGE_GLOBAL) {
            KEPT
        } else {
            ALWAYS_KEPT
        };
        self.paging.mode = if !self.is_paging() {
            Mode::Off
        } else if self.cr4.contains(Cr4::PHYSICAL_ADDRESS_EXTENSION) {
            let pdpt = pdpt_of(self.cr3);
            let pdptes = match self.paging.mode {
                Mode::Pae { pdptes, .. } if !reload => pdptes,
                _ => self.load_pdptes(mem, pdpt)?,
            };
            Mode::Pae {
                pdpt,
                pdptes,
                no_execute,
            }
        } else {
            let large = if self.cr4.contains(Cr4::PAGE_SIZE_EXTENSIONS) {
                LargePages::Enabled
            } else {
                LargePages::Ignored
            };
            Mode::TwoLevel(TwoLevel {
                directory: FrameNumber::truncate(self.cr3 >> PAGE_SHIFT),
                large,
            })
        };
        self.settle_tests();
        Ok(self)
    }

    fn load_pdptes(&self, mem: &PhysMemory, pdpt: PhysAddr) -> Result<[Pdpte; 4], ControlFault> {
        let pdptes = read_pdptes(mem, pdpt);
        match pdptes
            .iter()
            .position(|pdpte| pdpte.is_refused(self.paging.physical_bits))
        {
            Some(index) => Err(ControlFault::Pdpte {
                index,
                bits: pdptes[index].bits(),
            }),
            None => Ok(pdptes),
        }
    }
}

/// Returns flags of an entry as they lie among the attributes of a translation.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the flags are the low 12 bits"
)]
fn attributes_of(flags: PteFlags) -> Rights {
    Rights::from_bits_retain(flags.bits() as u16)
}

/// Returns the address of the PDPT that a CR3 names.
pub(crate) fn pdpt_of(cr3: u32) -> PhysAddr {
    let at = cr3 & CR3_PDPT_MASK;
    FrameNumber::truncate(at >> PAGE_SHIFT).byte(at)
}

/// Reads the four PDPTEs from memory.
pub(crate) fn read_pdptes(mem: &PhysMemory, pdpt: PhysAddr) -> [Pdpte; 4] {
    // The PDPT is 32-byte aligned, so that it lies within one frame.
    let entry = |index: u32| pdpt.frame().byte(pdpt.page_offset() + index * PDPTE_BYTES);
    [0, 1, 2, 3].map(|index| Pdpte::from_bits(mem.read(entry(index))))
}

/// Why an MMU cannot have this physical address width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("physical addresses of {bits} bits: from 32 to {MAX_PHYSICAL_BITS} are modelled")]
pub struct PhysicalBitsError {
    /// The width asked for.
    pub bits: u32,
}

pub(crate) fn check_physical_bits(bits: u32) -> Result<u32, PhysicalBitsError> {
    if (u32::BITS..=MAX_PHYSICAL_BITS).contains(&bits) {
        Ok(bits)
    } else {
        Err(PhysicalBitsError { bits })
    }
}
