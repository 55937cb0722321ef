//! Rules that the reference model shares with the MMU, or that chance does not reach, by hand.

use pagefault_mmu::{
    Cr0, Cr4, FaultCause, FrameNumber, Geometry, LevelId, LinearAddr, Mmu, MmuConfig, PhysAddr,
    PhysMemory, Policy, Privilege, TlbConfig,
};

const RAM_BYTES: u64 = 16 << 20;
const DIRECTORY: u32 = 0x2000;
/// Bits 20:13 are clear: in an entry for a large page they are address bits above 32.
const TABLE: u32 = 0x1000;
/// Present, writable, user.
const ALL: u32 = 0b111;
const LARGE: u32 = 1 << 7;
const FRAME: u32 = 0x0080_0000;

/// SDM Vol. 3A, "32-Bit Paging": with CR4.PSE=0 every directory entry names a table.
#[test]
fn bit_7_of_a_directory_entry_means_nothing_without_pse() {
    for (pse, expected) in [(Cr4::empty(), 0x1111), (Cr4::PAGE_SIZE_EXTENSIONS, 0x2222)] {
        let mut mmu = mmu(TlbConfig::default(), 1);
        // As an entry that maps a large page, it maps the one from address 0 on.
        put(&mut mmu, DIRECTORY, TABLE | LARGE | ALL);
        put(&mut mmu, TABLE + 3 * 4, FRAME | ALL);
        put(&mut mmu, FRAME, 0x1111);
        put(&mut mmu, 0x3000, 0x2222);
        mmu.set_cr4(pse.bits()).unwrap();

        let read = mmu.read::<u32>(LinearAddr::new(0x3000), Privilege::User);

        assert_eq!(read, Ok(expected), "{pse:?}");
    }
}

/// SDM Vol. 3A, "32-Bit Paging" and "Page-Fault Exceptions".
#[test]
fn bit_21_of_an_entry_that_maps_a_large_page_is_reserved() {
    const RESERVED: u32 = 1 << 21;
    let mut mmu = mmu(TlbConfig::default(), 1);
    mmu.set_cr4(Cr4::PAGE_SIZE_EXTENSIONS.bits()).unwrap();
    let addr = LinearAddr::new(0x3000);
    put(&mut mmu, DIRECTORY, LARGE | ALL | RESERVED);

    let fault = mmu.read::<u32>(addr, Privilege::User).unwrap_err();

    assert_eq!(fault.cause, FaultCause::Reserved);
    assert_eq!(fault.error_code(), 0b1101); // RSVD, U/S, P
    put(&mut mmu, DIRECTORY, LARGE | ALL);
    assert!(mmu.read::<u32>(addr, Privilege::User).is_ok());
}

#[test]
fn another_seed_is_another_order_of_random_victims() {
    let misses = |seed| {
        let array = Geometry::new(16, 16, Policy::Random).unwrap();
        let mut mmu = mmu(TlbConfig::unified(array), seed);
        let mut missed = Vec::new();
        for step in 0..400 {
            let page = step * 7 % 24;
            put(&mut mmu, TABLE + page * 4, FRAME | ALL);
            let before = mmu.statistics().walks;
            let addr = LinearAddr::new(page << 12);
            mmu.read::<u8>(addr, Privilege::User).unwrap();
            missed.push(mmu.statistics().walks - before);
        }
        missed
    };

    assert_eq!(misses(1), misses(1));
    assert_ne!(misses(1), misses(2));
}

#[test]
fn the_estimate_is_9_cycles_for_each_second_level_hit_and_15_for_each_entry_read() {
    let array = |entries| Geometry::new(entries, 1, Policy::Lru).unwrap();
    let tlb = TlbConfig {
        second: vec![array(4)],
        ..TlbConfig::unified(array(1))
    };
    let mut mmu = mmu(tlb, 1);
    for page in [0, 1, 0] {
        put(&mut mmu, TABLE + page * 4, FRAME | ALL);
        let addr = LinearAddr::new(page << 12);
        mmu.read::<u8>(addr, Privilege::User).unwrap();
    }

    let statistics = mmu.statistics();

    // Two walks of two entries each; the third access hits the second level.
    assert_eq!(statistics.walk_references, 4);
    assert_eq!(statistics.level(LevelId::L2).hits.total(), 1);
    assert_eq!(statistics.estimated_cycles(), 9 + 4 * 15);
}

fn mmu(tlb: TlbConfig, seed: u64) -> Mmu {
    let config = MmuConfig {
        tlb: TlbConfig { seed, ..tlb },
        ..MmuConfig::default()
    };
    let mut mmu = Mmu::new(PhysMemory::new(RAM_BYTES).unwrap(), &config).unwrap();
    put(&mut mmu, DIRECTORY, TABLE | ALL);
    mmu.set_cr3(DIRECTORY).unwrap();
    let cr0 = Cr0::PROTECTED_MODE | Cr0::PAGING;
    mmu.set_cr0(cr0.bits()).unwrap();
    mmu
}

fn put(mmu: &mut Mmu, at: u32, value: u32) {
    mmu.mem_mut().write(phys(at), value);
}

fn phys(at: u32) -> PhysAddr {
    FrameNumber::new(at >> 12).unwrap().byte(at)
}
