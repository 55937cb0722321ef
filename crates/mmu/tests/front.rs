//! The front array against the plain model, where chance seldom leads.

use pagefault_mmu::{
    AccessKind, Cr4, FrameNumber, FrontArray, Geometry, LevelId, LinearAddr, Mmu, MmuConfig,
    Observer, PageSizes, PhysAddr, PhysMemory, Policy, Privilege, TlbConfig,
};

const RAM_BYTES: u64 = 16 << 20;
const DIRECTORY: u32 = 0x1000;
const TABLE: u32 = 0x2000;
/// Present, writable, user.
const ALLOWED: u32 = 0b111;
const LARGE: u32 = 1 << 7;
const CR0: u32 = 0x8001_0001;
/// Look-ups after which the clock of the TLB is full.
const CLOCK_TICKS: u32 = 1 << 19;
/// Uses of pages around that, and how many pages.
const USES: u32 = 60;
const PAGES: u32 = 9;

#[test]
fn a_large_page_that_is_found_before_a_small_one_hides_it_in_both() {
    let lru = |sizes| {
        let array = Geometry::new(4, 4, Policy::Lru).unwrap();
        array.holding(sizes).unwrap()
    };
    let tlb = TlbConfig {
        data: vec![lru(PageSizes::LARGE), lru(PageSizes::SMALL)],
        ..TlbConfig::none()
    };
    let [with, without] = [FrontArray::On, FrontArray::Off].map(|front| {
        let mut mmu = mmu(tlb.clone(), front);
        mmu.mem_mut().write(phys(0x0080_0000), 0x1111_u32);
        mmu.mem_mut().write(phys(TABLE), 0x0080_0000 | ALLOWED);
        let small = read(&mut mmu, 0);
        // Nobody invalidates: the neighbour brings in the large page beside the small one.
        mmu.mem_mut()
            .write(phys(DIRECTORY), 0x00C0_0000 | LARGE | ALLOWED);
        let _ = read(&mut mmu, 0x1000);
        (small, read(&mut mmu, 0), mmu.statistics())
    });

    assert_eq!(with, without);
    assert_eq!((with.0, with.1), (0x1111, 0));
}

#[test]
fn accesses_made_in_turn_leave_bit_plru_as_one_by_one() {
    let one_set = Geometry::new(4, 4, Policy::BitPlru).unwrap();
    let mut mmu = mmu(TlbConfig::unified(one_set), FrontArray::On);
    for page in 0..5 {
        mmu.mem_mut()
            .write(phys(TABLE + page * 4), 0x0080_0000 | ALLOWED);
    }
    for page in [0, 1, 2, 3, 2] {
        let _ = read(&mut mmu, page << 12);
    }
    // The bits of the ways of pages 2 and 3 are set: page 1 will set the last and clear the others.
    let peek = |mmu: &Mmu, page: u32| {
        let addr = LinearAddr::new(page << 12);
        mmu.peek_hit(addr, AccessKind::Read, Privilege::User)
            .unwrap()
    };

    let (first, second) = (peek(&mmu, 0), peek(&mmu, 1));
    mmu.count_hit_pairs(first, second, 3);
    let _ = read(&mut mmu, 4 << 12);

    let held: Vec<_> = mmu.tlb_entries().map(|entry| entry.page.bits()).collect();
    assert_eq!(held, [0, 1, 4, 3]);
    assert_eq!(mmu.statistics().accesses.reads, 5 + 2 * 3 + 1);
}

#[test]
fn misses_and_walks_are_exact_where_accesses_are_not_counted() {
    struct Uncounted;
    impl Observer for Uncounted {
        const COUNTING: bool = false;
    }
    let mem = PhysMemory::new(RAM_BYTES).unwrap();
    let mut mmu = Mmu::with_observer(mem, &MmuConfig::default(), Uncounted).unwrap();
    let addr = LinearAddr::new(0x1000);

    mmu.mem_mut().write(phys(DIRECTORY), TABLE | ALLOWED);
    mmu.mem_mut().write(phys(TABLE + 4), 0x0080_0000 | ALLOWED);
    mmu.set_cr3(DIRECTORY).unwrap();
    mmu.set_cr0(CR0).unwrap();
    mmu.write(addr, 1_u32, Privilege::User).unwrap();
    mmu.fetch_page(addr, Privilege::User).unwrap();
    mmu.invalidate_page(addr);
    mmu.fetch_page(addr, Privilege::User).unwrap();

    let statistics = mmu.statistics();
    let misses = statistics.level(LevelId::L1Data).misses;
    assert_eq!((misses.reads, misses.writes, misses.fetches), (0, 1, 1));
    assert_eq!((statistics.walks, statistics.walk_references), (2, 4));
    assert_eq!(statistics.accesses.total(), 0);
}

#[test]
fn the_order_and_the_counts_of_uses_outlast_a_full_clock() {
    for policy in [Policy::Lru, Policy::Fifo] {
        // The clock of `near` is full at another of the uses each time, that of `far` at none.
        for spared in 0..2 * USES {
            let tlb = TlbConfig::unified(Geometry::new(8, 4, policy).unwrap());
            let mut near = mmu(tlb.clone(), FrontArray::On);
            let mut far = mmu(tlb, FrontArray::On);
            for mmu in [&mut near, &mut far] {
                for page in 0..PAGES {
                    let at = phys(TABLE + page * 4);
                    mmu.mem_mut().write(at, 0x0080_0000 | ALLOWED);
                }
                let _ = read(mmu, 0);
                let run = mmu.peek_hit(LinearAddr::new(0), AccessKind::Read, Privilege::User);
                mmu.count_hits(run.unwrap(), 2);
            }
            let run = near.peek_hit(LinearAddr::new(0), AccessKind::Read, Privilege::User);
            near.count_hits(run.unwrap(), CLOCK_TICKS - spared);
            near.reset_statistics();
            far.reset_statistics();

            for use_number in 0..USES {
                use_page(&mut near, use_number);
                use_page(&mut far, use_number);
                let place = format!("{policy:?}, {spared} spared, use {use_number}");
                assert!(near.tlb_entries().eq(far.tlb_entries()), "{place}");
                assert_eq!(near.statistics(), far.statistics(), "{place}");
            }
        }
    }
}

/// Uses one of several pages in one of the ways there are.
fn use_page(mmu: &mut Mmu, number: u32) {
    // Pages of both sets, more often some that are held.
    let page = [0, 2, 4, 1, 2, 0, 6, 3, 8, 0, 5][number as usize % 11];
    let addr = LinearAddr::new(page << 12);
    let user = Privilege::User;
    match number % 9 {
        // What only hits answer goes the long way otherwise, as in an interpreter.
        0 if mmu.read_hit::<u32>(addr, user).is_some() => {}
        1 if mmu.write_hit(addr, number, user).is_some() => {}
        2 if mmu.fetch_hit(addr, user).is_some() => {}
        0 | 3 => assert!(mmu.read::<u32>(addr, user).is_ok()),
        1 | 4 => assert!(mmu.write(addr, number, user).is_ok()),
        2 | 5 => assert!(mmu.fetch_page(addr, user).is_ok()),
        6 => assert!(mmu.modify(addr, user, |word: u32| word + 1).is_ok()),
        7 => assert!(mmu.probe_write::<u32>(addr, user).is_ok()),
        _ => match mmu.peek_hit(addr, AccessKind::Write, user) {
            Some(run) => mmu.count_hits(run, 7),
            None => assert!(mmu.write(addr, number, Privilege::Supervisor).is_ok()),
        },
    }
}

#[test]
fn a_page_fault_leaves_a_line_of_another_page_alone() {
    let mut mmu = mmu(TlbConfig::default(), FrontArray::On);
    mmu.mem_mut().write(phys(TABLE), 0x0080_0000 | ALLOWED);
    let _ = read(&mut mmu, 0);

    let fault = mmu
        .read::<u8>(LinearAddr::new(0x1000), Privilege::User)
        .unwrap_err();

    assert_eq!(
        (fault.addr, fault.error_code()),
        (LinearAddr::new(0x1000), 0b100)
    );
    let peeked = mmu.peek_hit(LinearAddr::new(8), AccessKind::Read, Privilege::User);
    assert_eq!(peeked.map(|run| run.at()), PhysAddr::new(0x0080_0008));
    assert!(
        mmu.peek_hit(LinearAddr::new(8), AccessKind::Write, Privilege::User)
            .is_none()
    );
}

/// Returns an MMU with paging on and one table, empty, under the first directory entry.
fn mmu(tlb: TlbConfig, front: FrontArray) -> Mmu {
    let config = MmuConfig {
        tlb,
        front,
        ..MmuConfig::default()
    };
    let mut mmu = Mmu::new(PhysMemory::new(RAM_BYTES).unwrap(), &config).unwrap();
    mmu.mem_mut().write(phys(DIRECTORY), TABLE | ALLOWED);
    mmu.set_cr4(Cr4::PAGE_SIZE_EXTENSIONS.bits()).unwrap();
    mmu.set_cr3(DIRECTORY).unwrap();
    mmu.set_cr0(CR0).unwrap();
    mmu
}

fn read(mmu: &mut Mmu, addr: u32) -> u32 {
    mmu.read(LinearAddr::new(addr), Privilege::User).unwrap()
}

fn phys(at: u32) -> PhysAddr {
    FrameNumber::new(at >> 12).unwrap().byte(at)
}
