//! An MMU with many pages mapped, and loops of accesses to them, as the benchmarks measure them.

use std::hint::black_box;

use pagefault_mmu::{
    Cr0, Cr4, Execute, FrameNumber, LinearAddr, Mmu, MmuConfig, Observer, PageEntry, PageNumber,
    PhysAddr, PhysMemory, Privilege, PteFlags, Root, tables,
};

/// Accesses of one pass of a loop.
pub const ACCESSES: u32 = 4096;
/// Pages that are mapped, from page 0: more than any TLB here holds.
pub const PAGES: u32 = 8192;
/// Pages that all hit in 64 entries of 4 ways.
pub const HOT_PAGES: u32 = 32;
/// The first of two pages that are written to by [`fault_all`].
const FAULTING_PAGE: u32 = 64;
/// RAM in bytes.
const RAM_BYTES: u64 = 64 << 20;
/// The first frame that pages are mapped to.
const FIRST_FRAME: u32 = 4096;
/// Where the tables lie, by frame.
const ROOT_FRAME: u32 = 1;
const FIRST_TABLE_FRAME: u32 = 16;
/// The PDPT and the first PAE directory, by frame.
const PAE_DIRECTORY_FRAME: u32 = 4;
/// A line of the cache of most hosts.
const HOST_LINE_BYTES: u32 = 64;

/// Returns the root of two-level tables.
pub fn two_level() -> Root {
    Root::TwoLevel(frame(ROOT_FRAME))
}

/// Returns the root of each mode, with its name.
pub fn roots() -> [(&'static str, Root); 2] {
    [
        ("two-level", two_level()),
        ("pae", Root::Pae(frame(ROOT_FRAME).start())),
    ]
}

/// Returns an MMU with all pages mapped, writable by the user.
///
/// # Panics
///
/// If `config` is none that an MMU can have.
pub fn mmu<O: Observer>(root: Root, config: &MmuConfig, observer: O) -> Mmu<O> {
    let mut mem = PhysMemory::new(RAM_BYTES).expect("RAM");
    if let Root::Pae(_) = root {
        tables::set_pdpte(&mut mem, root, 0, frame(PAE_DIRECTORY_FRAME));
    }
    for (table, first) in (0..PAGES)
        .step_by(root.pages_per_table() as usize)
        .enumerate()
    {
        let table = u32::try_from(table).expect("few tables");
        let page = PageNumber::new(first).expect("a page");
        let added = tables::add_table(&mut mem, root, page, frame(FIRST_TABLE_FRAME + table));
        added.expect("no table yet");
    }
    for page in pages(PAGES) {
        let entry = page_entry(page.bits());
        assert_eq!(tables::set_page(&mut mem, root, page, entry), Ok(None));
    }
    let mut mmu = Mmu::with_observer(mem, config, observer).expect("an MMU");
    let cr4 = match root {
        Root::TwoLevel(_) => Cr4::empty(),
        Root::Pae(_) => Cr4::PHYSICAL_ADDRESS_EXTENSION,
    };
    let cr0 = Cr0::PROTECTED_MODE | Cr0::PAGING | Cr0::WRITE_PROTECT;
    let loads = [
        mmu.set_cr4(cr4.bits()),
        mmu.set_cr3(root.cr3()),
        mmu.set_cr0(cr0.bits()),
    ];
    assert!(loads.iter().all(Result::is_ok));
    mmu
}

/// Returns the entry that maps a page.
pub fn page_entry(page: u32) -> PageEntry {
    PageEntry {
        frame: frame(FIRST_FRAME + page),
        flags: PteFlags::WRITABLE | PteFlags::USER | PteFlags::ACCESSED,
        execute: Execute::Allowed,
    }
}

/// Returns the first pages.
pub fn pages(count: u32) -> impl Iterator<Item = PageNumber> {
    (0..count).filter_map(PageNumber::new)
}

fn frame(number: u32) -> FrameNumber {
    FrameNumber::new(number).expect("a frame")
}

/// Returns addresses on pages that all hit, in no order: on each page those of one line of the
/// host's cache, or stores would be as slow as the host's memory.
pub fn hot() -> Vec<LinearAddr> {
    let on_its_line = |addr: LinearAddr| {
        let offset = addr.page().bits() * HOST_LINE_BYTES + addr.bits() % HOST_LINE_BYTES;
        LinearAddr::new(addr.page().start().bits() + offset)
    };
    uniform(HOT_PAGES).into_iter().map(on_its_line).collect()
}

/// Returns addresses on `pages` pages, in no order.
pub fn uniform(pages: u32) -> Vec<LinearAddr> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u32::try_from(state >> 32).unwrap_or_default()
    };
    let addr = |random: u32| LinearAddr::new(((random % pages) << 12) | (random >> 10 & 0xFFC));
    (0..ACCESSES).map(|_| addr(next())).collect()
}

/// Reads a word at each address.
pub fn read_all<O: Observer>(mmu: &mut Mmu<O>, addrs: &[LinearAddr]) -> u32 {
    let mut sum = 0_u32;
    for &addr in addrs {
        sum = sum.wrapping_add(mmu.read::<u32>(addr, Privilege::User).unwrap_or(0));
    }
    sum
}

/// Writes a word at each address.
///
/// # Panics
///
/// If a write is refused.
pub fn write_all<O: Observer>(mmu: &mut Mmu<O>, addrs: &[LinearAddr]) {
    for &addr in addrs {
        let stored = mmu.write(addr, addr.bits(), Privilege::User);
        assert!(stored.is_ok());
    }
}

/// Fetches at each address.
pub fn fetch_all<O: Observer>(mmu: &mut Mmu<O>, addrs: &[LinearAddr]) -> u64 {
    let mut sum = 0_u64;
    for &addr in addrs {
        let at = mmu.fetch_page(addr, Privilege::User);
        sum = sum.wrapping_add(at.map_or(0, PhysAddr::bits));
    }
    sum
}

/// Reads, writes and fetches at each address.
///
/// # Panics
///
/// If an access is refused.
pub fn mix_all<O: Observer>(mmu: &mut Mmu<O>, addrs: &[LinearAddr]) -> u32 {
    let mut sum = 0_u32;
    for &addr in addrs {
        let value = mmu.read::<u32>(addr, Privilege::User).unwrap_or(0);
        sum = sum.wrapping_add(value);
        assert!(mmu.write(addr, sum, Privilege::User).is_ok());
        assert!(mmu.fetch_page(addr, Privilege::User).is_ok());
    }
    sum
}

/// Writes to two pages in turn, each time to the one that is read-only: faults, makes it writable and
/// the other one read-only, invalidates both, and writes again.
///
/// # Panics
///
/// If the first write is not refused, or the second one is.
pub fn fault_all<O: Observer>(mmu: &mut Mmu<O>, root: Root) {
    let mut target = PageNumber::new(FAULTING_PAGE).expect("a page");
    let mut other = PageNumber::new(FAULTING_PAGE + 1).expect("a page");
    protect(mmu, root, target, Protection::ReadOnly);
    for _ in 0..ACCESSES {
        let addr = target.start();
        let fault = mmu.write(addr, 1_u32, Privilege::User);
        assert!(black_box(fault).is_err());
        protect(mmu, root, target, Protection::Writable);
        protect(mmu, root, other, Protection::ReadOnly);
        let retried = mmu.write(addr, 1_u32, Privilege::User);
        assert!(black_box(retried).is_ok());
        std::mem::swap(&mut target, &mut other);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protection {
    ReadOnly,
    Writable,
}

/// Edits a present entry and invalidates its page.
#[inline]
fn protect<O: Observer>(mmu: &mut Mmu<O>, root: Root, page: PageNumber, protection: Protection) {
    let edit = |entry: PageEntry| match protection {
        Protection::ReadOnly => entry.without(PteFlags::WRITABLE),
        Protection::Writable => entry.with(PteFlags::WRITABLE),
    };
    let stale = tables::update_page(mmu.mem_mut(), root, page, edit);
    stale.expect("a mapped page").invalidate(mmu);
}
