//! Segments: selectors, descriptors, and what loading and using a segment checks.

use std::collections::BTreeMap;

use pagefault_mmu::{AccessKind, LinearAddr, Privilege};

use crate::exception::{Exception, Vector};

/// The privilege level that programs run at.
const USER_PRIVILEGE: u16 = 3;

/// A segment register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum SegmentRegister {
    /// ES: destination of string instructions.
    Es,
    /// CS: instructions.
    Cs,
    /// SS: the stack.
    Ss,
    /// DS: data.
    Ds,
    /// FS.
    Fs,
    /// GS.
    Gs,
}

impl SegmentRegister {
    /// Number of segment registers.
    pub const COUNT: usize = 6;

    /// All of them, in the order of the encoding.
    pub const ALL: [Self; Self::COUNT] =
        [Self::Es, Self::Cs, Self::Ss, Self::Ds, Self::Fs, Self::Gs];

    /// Returns the register with this number, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// A segment selector: table index, table indicator, requested privilege level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selector(u16);

impl Selector {
    /// Bits 1:0, the requested privilege level.
    const PRIVILEGE: u16 = 0b11;
    /// Bit 2, the local table.
    const LOCAL: u16 = 0b100;

    /// Returns the selector with these bits.
    pub const fn new(bits: u16) -> Self {
        Self(bits)
    }

    /// Returns the bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Returns the index into the descriptor table.
    pub const fn index(self) -> u16 {
        self.0 >> 3
    }

    /// Tells whether it is one of the four null selectors.
    pub const fn is_null(self) -> bool {
        self.0 & !Self::PRIVILEGE == 0
    }

    /// The requested privilege level of programs, CPL 3; the mask of all levels, too.
    pub(crate) const USER: u16 = USER_PRIVILEGE;

    /// Tells whether it requests the privilege level of programs.
    pub(crate) const fn is_user(self) -> bool {
        self.0 & Self::PRIVILEGE == USER_PRIVILEGE
    }

    /// Returns the error code of a fault about this selector: without the privilege level.
    pub(crate) const fn error_code(self) -> u32 {
        (self.0 & !Self::PRIVILEGE) as u32
    }
}

bitflags::bitflags! {
    /// What a segment may be used for.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct SegmentRights: u8 {
        /// Data may be read through it.
        const READ = 1 << 0;
        /// Data may be written through it.
        const WRITE = 1 << 1;
        /// Instructions may be fetched through it.
        const EXECUTE = 1 << 2;
    }
}

/// A ring-3 segment descriptor: base, limit and type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Linear address of offset 0.
    pub base: LinearAddr,
    /// The last valid offset, in bytes.
    pub limit: u32,
    /// What it may be used for.
    pub rights: SegmentRights,
}

impl Descriptor {
    /// A data segment that covers the whole address space.
    pub const FLAT_DATA: Self = Self {
        base: LinearAddr::new(0),
        limit: u32::MAX,
        rights: SegmentRights::READ.union(SegmentRights::WRITE),
    };

    /// A code segment that covers the whole address space.
    pub const FLAT_CODE: Self = Self {
        base: LinearAddr::new(0),
        limit: u32::MAX,
        rights: SegmentRights::READ.union(SegmentRights::EXECUTE),
    };

    /// Returns bits 23:8 of the upper half of the descriptor, as LAR shows them: a present,
    /// accessed 32-bit segment of ring 3.
    pub(crate) fn access_rights(&self) -> u32 {
        /// P, DPL 3, S and A.
        const PRESENT_USER_ACCESSED: u32 = 0xF1 << 8;
        /// G and D/B.
        const PAGES_32_BIT: u32 = 0xC << 20;
        /// D/B alone.
        const BYTES_32_BIT: u32 = 0x4 << 20;
        let is_code = self.rights.contains(SegmentRights::EXECUTE);
        let readable_or_writable = if is_code {
            SegmentRights::READ
        } else {
            SegmentRights::WRITE
        };
        let size = if self.limit > 0xF_FFFF {
            PAGES_32_BIT
        } else {
            BYTES_32_BIT
        };
        PRESENT_USER_ACCESSED
            | u32::from(is_code) << 11
            | u32::from(self.rights.contains(readable_or_writable)) << 9
            | size
    }
}

/// The descriptors that selectors refer to.
///
/// It stands for the global descriptor table of a protected system: the host fills it, a program
/// loads from it. There is no local table, and every descriptor is one of ring 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescriptorTable {
    entries: BTreeMap<u16, Descriptor>,
}

impl DescriptorTable {
    /// The selector of the flat code segment that a new table has.
    pub const USER_CODE: Selector = Selector::new(0x23);
    /// The selector of the flat data segment that a new table has.
    pub const USER_DATA: Selector = Selector::new(0x2B);

    /// Returns a table with the two flat segments.
    pub fn new() -> Self {
        let entries = BTreeMap::from([
            (Self::USER_CODE.index(), Descriptor::FLAT_CODE),
            (Self::USER_DATA.index(), Descriptor::FLAT_DATA),
        ]);
        Self { entries }
    }

    /// Sets the descriptor that `selector` refers to. Registers loaded before keep what they have.
    pub fn set(&mut self, selector: Selector, descriptor: Descriptor) {
        self.entries.insert(selector.index(), descriptor);
    }

    /// Returns the segment that loading `selector` into `register` gives.
    ///
    /// # Errors
    ///
    /// Returns #GP with the selector when the descriptor is missing or not of a kind that the
    /// register takes, and #GP(0) for a null selector in SS or CS (SDM Vol. 2, "MOV").
    pub fn load(
        &self,
        register: SegmentRegister,
        selector: Selector,
    ) -> Result<Segment, Exception> {
        let needs_segment = matches!(register, SegmentRegister::Ss | SegmentRegister::Cs);
        if selector.is_null() && !needs_segment {
            return Ok(Segment::null(selector));
        }
        let protection = || Exception::with_code(Vector::GENERAL_PROTECTION, selector.error_code());
        let descriptor = self.descriptor(selector).ok_or_else(protection)?;
        let is_allowed = match register {
            SegmentRegister::Cs => descriptor.rights.contains(SegmentRights::EXECUTE),
            SegmentRegister::Ss => {
                descriptor.rights.contains(SegmentRights::WRITE) && selector.is_user()
            }
            _ => descriptor.rights.contains(SegmentRights::READ),
        };
        if !is_allowed {
            return Err(protection());
        }
        Ok(Segment {
            selector,
            descriptor: Some(descriptor),
        })
    }

    /// Returns the descriptor of a selector that is neither null nor of the absent local table.
    pub(crate) fn descriptor(&self, selector: Selector) -> Option<Descriptor> {
        if selector.is_null() || selector.bits() & Selector::LOCAL != 0 {
            return None;
        }
        self.entries.get(&selector.index()).copied()
    }
}

impl Default for DescriptorTable {
    fn default() -> Self {
        Self::new()
    }
}

/// What GDTR or IDTR holds: where a system table lies. Programs can only look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableRegister {
    /// Linear address of the table.
    pub base: LinearAddr,
    /// The last valid offset, in bytes.
    pub limit: u16,
}

impl TableRegister {
    /// What both hold after reset (SDM Vol. 3A, "Processor State After Reset").
    pub const RESET: Self = Self {
        base: LinearAddr::new(0),
        limit: u16::MAX,
    };
}

/// A segment register's content: the selector, and the descriptor it was loaded from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    selector: Selector,
    descriptor: Option<Descriptor>,
}

impl Segment {
    /// Returns a segment with a given descriptor.
    pub const fn new(selector: Selector, descriptor: Descriptor) -> Self {
        Self {
            selector,
            descriptor: Some(descriptor),
        }
    }

    /// Returns an empty segment, which every use of faults on.
    pub const fn null(selector: Selector) -> Self {
        Self {
            selector,
            descriptor: None,
        }
    }

    /// Returns the flat segment of a new program for this register.
    pub const fn flat(register: SegmentRegister) -> Self {
        match register {
            SegmentRegister::Cs => Self::new(DescriptorTable::USER_CODE, Descriptor::FLAT_CODE),
            _ => Self::new(DescriptorTable::USER_DATA, Descriptor::FLAT_DATA),
        }
    }

    /// Returns the segment with another selector in the visible part.
    pub(crate) const fn with_selector(self, selector: Selector) -> Self {
        Self { selector, ..self }
    }

    /// Returns the selector.
    pub const fn selector(&self) -> Selector {
        self.selector
    }

    /// Returns on whose behalf code in this segment accesses memory, if it is CS: CPL is the
    /// privilege level that the selector requests.
    pub const fn privilege(&self) -> Privilege {
        if self.selector.is_user() {
            Privilege::User
        } else {
            Privilege::Supervisor
        }
    }

    /// Returns the linear address of offset 0; zero when the segment is empty.
    pub fn base(&self) -> LinearAddr {
        self.descriptor
            .map_or(LinearAddr::new(0), |descriptor| descriptor.base)
    }

    /// Returns the descriptor, unless the segment is empty.
    pub const fn descriptor(&self) -> Option<Descriptor> {
        self.descriptor
    }

    /// Tells whether offsets are linear addresses and every use of the flat kind is allowed.
    pub(crate) fn is_flat(&self, rights: SegmentRights) -> bool {
        self.descriptor.is_some_and(|descriptor| {
            descriptor.base.bits() == 0
                && descriptor.limit == u32::MAX
                && descriptor.rights.contains(rights)
        })
    }

    /// Returns the linear address of `size_bytes` bytes at `offset`, or `None` when the segment
    /// does not allow the access.
    pub(crate) fn translate(
        &self,
        offset: u32,
        size_bytes: u32,
        kind: AccessKind,
    ) -> Option<LinearAddr> {
        let descriptor = self.descriptor?;
        let needed = match kind {
            AccessKind::Read => SegmentRights::READ,
            AccessKind::Write => SegmentRights::WRITE,
            AccessKind::Fetch => SegmentRights::EXECUTE,
        };
        // With the largest limit every offset is inside, and an access at the end wraps around.
        let is_inside = descriptor.limit == u32::MAX
            || offset
                .checked_add(size_bytes - 1)
                .is_some_and(|last| last <= descriptor.limit);
        (is_inside && descriptor.rights.contains(needed))
            .then(|| descriptor.base.wrapping_add(offset))
    }
}
