//! `VirtualQuery`.

use pagefault_mmu::tables::{self, Entry, TableView};
use pagefault_mmu::{LinearAddr, Mmu, Observer, PAGE_SIZE, PhysMemory, PteFlags};
use thiserror::Error;

use crate::copy::CopyError;
use crate::protection::Protection;
use crate::range::page;
use crate::region::{RegionType, Source, Vad};
use crate::section::Sections;
use crate::space::{PageState, ProcessId, Space, decode};
use crate::vmm::Vmm;
use crate::win32::Win32Code;

/// The size of `MEMORY_BASIC_INFORMATION` in bytes.
pub const MEMORY_BASIC_INFORMATION_BYTES: u32 = 28;

/// Whether a page can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryState {
    /// `MEM_COMMIT`
    Commit,
    /// `MEM_RESERVE`
    Reserve,
    /// `MEM_FREE`
    Free,
}

impl MemoryState {
    /// Returns the `MEM_*` constant.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Commit => 0x1000,
            Self::Reserve => 0x2000,
            Self::Free => 0x1_0000,
        }
    }

    /// Returns the constant's name without `MEM_`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Commit => "COMMIT",
            Self::Reserve => "RESERVE",
            Self::Free => "FREE",
        }
    }
}

/// The allocation that a page is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Where it starts.
    pub base: LinearAddr,
    /// The protection given when it was reserved; it never changes.
    pub protection: Protection,
    /// What it is of.
    pub kind: RegionType,
}

/// A run of pages with equal attributes: `MEMORY_BASIC_INFORMATION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryInfo {
    /// The page that was asked for.
    pub base: LinearAddr,
    /// The allocation; `None` for free pages.
    pub allocation: Option<Allocation>,
    /// From `base` to the end of the run.
    pub size_bytes: u32,
    /// The state of each page of the run.
    pub state: MemoryState,
    /// The protection of each page; `None` for reserved ones. Free pages say `PAGE_NOACCESS`.
    pub protection: Option<Protection>,
}

impl MemoryInfo {
    /// Returns the structure as it stands in a program's memory.
    pub fn to_bytes(&self) -> [u8; MEMORY_BASIC_INFORMATION_BYTES as usize] {
        let allocation = self.allocation.as_ref();
        let words = [
            self.base.bits(),
            allocation.map_or(0, |allocation| allocation.base.bits()),
            allocation.map_or(0, |allocation| allocation.protection.bits()),
            self.size_bytes,
            self.state.bits(),
            self.protection.map_or(0, Protection::bits),
            allocation.map_or(0, |allocation| allocation.kind.bits()),
        ];
        let mut bytes = [0; MEMORY_BASIC_INFORMATION_BYTES as usize];
        for (place, word) in bytes.chunks_exact_mut(size_of::<u32>()).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

/// Why `VirtualQuery` refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    /// The buffer is shorter than the structure.
    #[error("a buffer of {len_bytes} bytes is too short for MEMORY_BASIC_INFORMATION")]
    Length {
        /// The length given.
        len_bytes: u32,
    },
    /// The address is above user space.
    #[error("{address} is above user space")]
    OutsideUserSpace {
        /// The address given.
        address: LinearAddr,
    },
    /// The answer cannot be stored where the caller wants it.
    #[error("the answer cannot be stored: {0}")]
    Buffer(CopyError),
}

impl QueryError {
    /// Returns the error code that `GetLastError` then gives.
    pub const fn win32_code(self) -> Win32Code {
        match self {
            Self::Length { .. } => Win32Code::BAD_LENGTH,
            Self::OutsideUserSpace { .. } => Win32Code::INVALID_PARAMETER,
            Self::Buffer(error) => error.win32_code(),
        }
    }
}

impl Vmm {
    /// `VirtualQuery` with its buffer: stores the structure at `buffer`, in the process whose
    /// tables are loaded, and returns how many bytes that is.
    ///
    /// # Errors
    ///
    /// [`QueryError`]; the buffer may have been written to in part if it is not all writable.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn query_and_store<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        address: LinearAddr,
        buffer: LinearAddr,
        len_bytes: u32,
    ) -> Result<u32, QueryError> {
        self.check_query_address(process, address)?;
        if len_bytes < MEMORY_BASIC_INFORMATION_BYTES {
            return Err(QueryError::Length { len_bytes });
        }
        self.probe_write(mmu, buffer, MEMORY_BASIC_INFORMATION_BYTES)
            .map_err(QueryError::Buffer)?;
        let info = self.query(mmu, process, address)?;
        self.copy_out(mmu, buffer, &info.to_bytes())
            .map_err(QueryError::Buffer)?;
        Ok(MEMORY_BASIC_INFORMATION_BYTES)
    }

    /// `VirtualQuery`, `VirtualQueryEx`: returns the run of pages from `address` on that are alike.
    ///
    /// A run never crosses an allocation. Nothing is touched: a guard page stays one.
    ///
    /// # Errors
    ///
    /// [`QueryError::OutsideUserSpace`].
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn query<O: Observer>(
        &self,
        mmu: &Mmu<O>,
        process: ProcessId,
        address: LinearAddr,
    ) -> Result<MemoryInfo, QueryError> {
        self.check_query_address(process, address)?;
        let space = self.space(process);
        let first = address.page();
        let base = first.start();
        let Some(region) = space.region(first) else {
            let next = space
                .regions
                .range(first.bits()..)
                .next()
                .map(|(&start, _)| start);
            let end = next.unwrap_or(space.user.pages().end().bits());
            return Ok(MemoryInfo {
                base,
                allocation: None,
                size_bytes: (end - first.bits()) * PAGE_SIZE,
                state: MemoryState::Free,
                protection: Some(Protection::NO_ACCESS),
            });
        };
        let vad = &region.vad;
        let (protection, end) = run(mmu.mem(), space, &self.sections, vad, first.bits());
        let allocation = Allocation {
            base: vad.base(),
            protection: vad.allocation_protection,
            kind: vad.kind(),
        };
        let state = if protection.is_some() {
            MemoryState::Commit
        } else {
            MemoryState::Reserve
        };
        Ok(MemoryInfo {
            base,
            allocation: Some(allocation),
            size_bytes: (end - first.bits()) * PAGE_SIZE,
            state,
            protection,
        })
    }

    fn check_query_address(
        &self,
        process: ProcessId,
        address: LinearAddr,
    ) -> Result<(), QueryError> {
        if address > self.space(process).user.highest() {
            return Err(QueryError::OutsideUserSpace { address });
        }
        Ok(())
    }
}

/// Returns the protection of page `first`, `None` if it is reserved, and the first page after it
/// that has another one or is not of the region.
fn run(
    mem: &PhysMemory,
    space: &Space,
    sections: &Sections,
    vad: &Vad,
    first: u32,
) -> (Option<Protection>, u32) {
    let wanted = attribute(space.page_state(mem, sections, vad, page(first)));
    let end = vad.pages.end().bits();
    let per_table = space.root.pages_per_table();
    let mut at = first + 1;
    while at < end {
        let part_end = ((at / per_table + 1) * per_table).min(end);
        let differs = if let Some(table) = tables::table(mem, space.root, page(at)) {
            first_difference(table, sections, vad, at, part_end, wanted)
        } else {
            let entry = tables::entry(mem, space.root, page(at));
            let uniform = !matches!(vad.source, Source::View { .. });
            // Without a table all pages are alike, but for those of a view, which asks its section.
            let last = if uniform { at + 1 } else { part_end };
            let differs =
                |&number: &u32| attribute(decode(entry, sections, vad, page(number))) != wanted;
            (at..last).find(differs)
        };
        if let Some(differs) = differs {
            return (wanted, differs);
        }
        at = part_end;
    }
    (wanted, end)
}

/// Returns the first page of `start..end`, all covered by `table`, that is not as `wanted`.
fn first_difference(
    table: TableView<'_>,
    sections: &Sections,
    vad: &Vad,
    start: u32,
    end: u32,
    wanted: Option<Protection>,
) -> Option<u32> {
    let origin = table.first().bits();
    let asks_section = matches!(vad.source, Source::View { .. });
    // The last signature that was decoded and found to be as wanted.
    let mut known = None;
    for number in start..end {
        let raw = table.raw(number - origin);
        let signature = signature(raw);
        if Some(signature) == known {
            continue;
        }
        let entry: Entry = table.entry(number - origin);
        if attribute(decode(entry, sections, vad, page(number))) != wanted {
            return Some(number);
        }
        known = (raw != 0 || !asks_section).then_some(signature);
    }
    None
}

/// Returns the bits of an entry that decide its attributes: two entries of one region with equal
/// signatures have equal attributes.
fn signature(raw: u64) -> u64 {
    const PRESENT: u64 = PteFlags::PRESENT.bits() as u64;
    const OF_PRESENT: u64 = PRESENT
        | (PteFlags::WRITE_THROUGH.bits()
            | PteFlags::CACHE_DISABLE.bits()
            | PteFlags::SOFTWARE_9.bits()
            | PteFlags::SOFTWARE_10.bits()
            | PteFlags::SOFTWARE_11.bits()) as u64;
    const OF_SOFTWARE: u64 = (1 << crate::software::PAYLOAD_SHIFT) - 1;
    let mask = if raw & PRESENT != 0 {
        OF_PRESENT
    } else {
        OF_SOFTWARE
    };
    raw & mask
}

fn attribute(state: PageState) -> Option<Protection> {
    match state {
        PageState::Reserved => None,
        PageState::Committed(protection, _) => Some(protection),
    }
}
