//! Where the manual leaves a choice, or processors differ: what this MMU does. `docs/QUIRKS.md`
//! names these tests.

use pagefault_mmu::{
    Cr0, Cr4, FrameNumber, Geometry, LevelId, LinearAddr, Mmu, MmuConfig, PageSize, PageSizes,
    PhysAddr, PhysMemory, Policy, Privilege, TlbConfig,
};

const RAM_BYTES: u64 = 16 << 20;
const DIRECTORY: u32 = 0x1000;
const TABLE: u32 = 0x2000;
const PRESENT: u32 = 1 << 0;
const WRITABLE: u32 = 1 << 1;
const USER: u32 = 1 << 2;
const ACCESSED: u32 = 1 << 5;
const LARGE: u32 = 1 << 7;
const ALL: u32 = PRESENT | WRITABLE | USER;
const FRAME: u32 = 0x0080_0000;
const CR0: Cr0 = Cr0::PROTECTED_MODE
    .union(Cr0::PAGING)
    .union(Cr0::WRITE_PROTECT);

#[test]
fn a_change_of_wp_flushes_everything() {
    let mut mmu = mmu(TlbConfig::default());
    put(&mut mmu, TABLE, FRAME | ALL);
    assert!(read(&mut mmu, 0).is_some());
    put(&mut mmu, TABLE, 0);
    assert!(read(&mut mmu, 0).is_some(), "stale until something flushes");

    mmu.set_cr0((CR0 - Cr0::WRITE_PROTECT).bits()).unwrap();

    assert_eq!(read(&mut mmu, 0), None);
    assert_eq!(mmu.statistics().flushes_all, 1);
}

#[test]
fn missing_rights_walk_again_before_a_fault_is_raised() {
    let mut mmu = mmu(TlbConfig::default());
    put(&mut mmu, TABLE, FRAME | PRESENT | USER);
    assert!(read(&mut mmu, 0).is_some());
    put(&mut mmu, TABLE, FRAME | ALL);

    // Nobody has invalidated; the manual would allow a fault here.
    assert!(mmu.write(LinearAddr::new(0), 1_u8, Privilege::User).is_ok());

    assert_eq!(
        (mmu.statistics().rewalks, mmu.statistics().faults()),
        (1, 0)
    );
}

#[test]
fn a_level_without_room_for_large_pages_keeps_pieces_of_4_kib() {
    let small = Geometry::new(4, 4, Policy::Lru).unwrap();
    let small = small.holding(PageSizes::SMALL).unwrap();
    let mut mmu = mmu(TlbConfig::unified(small));
    put(&mut mmu, DIRECTORY, FRAME | LARGE | ALL);

    assert!(read(&mut mmu, 0x5000).is_some() && read(&mut mmu, 0x9000).is_some());

    let held: Vec<_> = mmu
        .tlb_entries()
        .map(|entry| (entry.page.bits(), entry.size))
        .collect();
    assert_eq!(held, [(5, PageSize::Small), (9, PageSize::Small)]);
    // An invalidation of any address of the large page drops both.
    mmu.invalidate_page(LinearAddr::new(0x003F_F000));
    assert_eq!(mmu.tlb_entries().count(), 0);
}

#[test]
fn a_cleared_accessed_bit_stays_clear_while_the_translation_is_cached() {
    let mut mmu = mmu(TlbConfig::default());
    put(&mut mmu, TABLE, FRAME | ALL);
    assert!(read(&mut mmu, 0).is_some());
    assert_eq!(get(&mmu, TABLE) & ACCESSED, ACCESSED);
    put(&mut mmu, TABLE, FRAME | ALL);

    assert!(read(&mut mmu, 0).is_some());
    assert_eq!(get(&mmu, TABLE) & ACCESSED, 0);

    mmu.invalidate_page(LinearAddr::new(0));
    assert!(read(&mut mmu, 0).is_some());
    assert_eq!(get(&mmu, TABLE) & ACCESSED, ACCESSED);
}

#[test]
fn a_fault_below_a_directory_entry_does_not_mark_it() {
    let mut mmu = mmu(TlbConfig::default());

    assert_eq!(read(&mut mmu, 0), None);

    assert_eq!(get(&mmu, DIRECTORY) & ACCESSED, 0);
}

#[test]
fn what_the_first_level_displaces_stays_in_the_second() {
    let array = |entries| Geometry::new(entries, 1, Policy::Lru).unwrap();
    let tlb = TlbConfig {
        second: vec![array(4)],
        ..TlbConfig::unified(array(1))
    };
    let mut mmu = mmu(tlb);
    for page in 0..2 {
        put(&mut mmu, TABLE + page * 4, FRAME | ALL);
        assert!(read(&mut mmu, page << 12).is_some());
    }

    assert!(read(&mut mmu, 0).is_some());

    let statistics = mmu.statistics();
    assert_eq!(statistics.level(LevelId::L2).hits.reads, 1);
    assert_eq!(
        (statistics.walks, statistics.level(LevelId::L2).evictions),
        (2, 0)
    );
}

fn mmu(tlb: TlbConfig) -> Mmu {
    let config = MmuConfig {
        tlb,
        ..MmuConfig::default()
    };
    let mut mmu = Mmu::new(PhysMemory::new(RAM_BYTES).unwrap(), &config).unwrap();
    put(&mut mmu, DIRECTORY, TABLE | ALL);
    mmu.set_cr4(Cr4::PAGE_SIZE_EXTENSIONS.bits()).unwrap();
    mmu.set_cr3(DIRECTORY).unwrap();
    mmu.set_cr0(CR0.bits()).unwrap();
    mmu.reset_statistics();
    mmu
}

fn read(mmu: &mut Mmu, addr: u32) -> Option<u8> {
    mmu.read(LinearAddr::new(addr), Privilege::User).ok()
}

fn put(mmu: &mut Mmu, at: u32, value: u32) {
    mmu.mem_mut().write(phys(at), value);
}

fn get(mmu: &Mmu, at: u32) -> u32 {
    mmu.mem().read(phys(at))
}

fn phys(at: u32) -> PhysAddr {
    FrameNumber::new(at >> 12).unwrap().byte(at)
}
