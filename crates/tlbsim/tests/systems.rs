//! Systems of levels: page sizes, flushes, warm-up, and who misses.

use pagefault_mmu::{Geometry, PageSizes, Policy, TlbConfig};
use pagefault_tlbsim::session::{Batch, Culprits, Events, Plan, Planner, Run, Step};
use pagefault_tlbsim::system::{Classify, Costs, Level, Paging, System};
use pagefault_tlbsim::{Conventions, Modify, Op, PageShift, Record, Straddle, Stream};

#[test]
fn a_second_level_is_looked_up_only_where_the_first_misses() {
    let config = TlbConfig {
        second: vec![geometry(4, 4)],
        ..TlbConfig::unified(geometry(1, 1))
    };
    let records = reads(&[0, 0, 1, 0, 1, 2]);

    let run = run(&config, Plan::default(), &records);

    let counts = run.system.counts();
    assert_eq!(counts.levels[Level::Data as usize].total_misses(), 5);
    assert_eq!(counts.levels[Level::Second as usize].look_ups(), 5);
    assert_eq!(counts.levels[Level::Second as usize].total_misses(), 3);
    assert_eq!(counts.total_walks(), 3);
    assert_eq!(counts.references(Paging::TwoLevel), 6);
}

#[test]
fn a_split_first_level_keeps_instructions_from_displacing_data() {
    let config = TlbConfig {
        instruction: vec![geometry(1, 1)],
        ..TlbConfig::unified(geometry(1, 1))
    };
    let records = [Op::Read, Op::Fetch].repeat(3);
    let records: Vec<Record> = records
        .into_iter()
        .map(|op| Record::new(op, (op as u64) << 12, 4))
        .collect();
    let plan = Plan {
        conventions: conventions(Stream::Unified),
        ..Plan::default()
    };

    let split = run(&config, plan, &records);
    let unified = run(&TlbConfig::unified(geometry(1, 1)), plan, &records);

    assert_eq!(split.system.counts().first_misses(), 2);
    assert_eq!(unified.system.counts().first_misses(), 6);
}

#[test]
fn a_large_page_takes_one_entry_where_an_array_holds_it_and_pieces_elsewhere() {
    let small_only = geometry(4, 4).holding(PageSizes::SMALL).unwrap();
    let large_only = geometry(2, 2).holding(PageSizes::MIB4).unwrap();
    let both = TlbConfig {
        data: vec![small_only, large_only],
        ..TlbConfig::none()
    };
    let large = |addr| Record {
        page_shift: 22,
        ..Record::new(Op::Read, addr, 4)
    };
    let records = [
        large(0x40_0000),
        large(0x40_1000),
        large(0x7F_F000),
        Record::new(Op::Read, 0x1000, 4),
    ];

    let held = run(&both, Plan::default(), &records);
    let pieces = run(&TlbConfig::unified(small_only), Plan::default(), &records);

    assert_eq!(held.system.counts().first_misses(), 2);
    assert_eq!(pieces.system.counts().first_misses(), 4);
    assert_eq!(held.system.counts().references(Paging::TwoLevel), 1 + 2);
    assert_eq!(held.system.reach_bytes(Level::Data, 22), 8 << 20);
    assert_eq!(pieces.system.reach_bytes(Level::Data, 22), 16 << 10);
}

#[test]
fn events_of_the_trace_flush_and_invalidate_unless_they_are_left_out() {
    let mut records = reads(&[1, 2, 1]);
    records.push(Record::new(Op::Invalidate, 0x1000, 1));
    records.extend(reads(&[1, 2]));
    records.push(Record::new(Op::LoadCr3, 0, 1));
    records.extend(reads(&[1, 2]));
    let config = TlbConfig::unified(geometry(64, 4));

    let applied = run(&config, Plan::default(), &records);
    let ignored = run(
        &config,
        Plan {
            events: Events::Ignore,
            ..Plan::default()
        },
        &records,
    );

    assert_eq!(applied.system.counts().first_misses(), 2 + 1 + 2);
    assert_eq!(
        (
            applied.system.counts().flushes,
            applied.system.counts().invalidations
        ),
        (1, 1)
    );
    assert_eq!(ignored.system.counts().first_misses(), 2);
}

#[test]
fn an_invalidation_drops_all_of_a_large_page_and_nothing_else() {
    let small_only = geometry(8, 8).holding(PageSizes::SMALL).unwrap();
    let large_only = geometry(8, 8).holding(PageSizes::MIB4).unwrap();
    let sized = |op, addr, page_shift| Record {
        page_shift,
        ..Record::new(op, addr, 4)
    };
    let read = |addr, page_shift| sized(Op::Read, addr, page_shift);
    let records = [
        read(0x40_0000, 22),
        read(0x7F_F000, 22),
        read(0x80_0000, 22),
        // Page number 1, as that of the first one, of another size.
        read(1 << 30, 30),
        read(0x0000_1000, 12),
        sized(Op::Invalidate, 0x50_0000, 22),
        read(0x40_0000, 22),
        read(0x7F_F000, 22),
        read(0x80_0000, 22),
        read(1 << 30, 30),
        read(0x0000_1000, 12),
    ];
    let both = TlbConfig {
        data: vec![small_only, large_only],
        ..TlbConfig::none()
    };

    let whole = run(&both, Plan::default(), &records);
    let pieces = run(&TlbConfig::unified(small_only), Plan::default(), &records);

    assert_eq!(whole.system.counts().first_misses(), 4 + 1);
    assert_eq!(pieces.system.counts().first_misses(), 5 + 2);
}

#[test]
fn a_warm_up_fills_and_is_not_counted() {
    let plan = Plan {
        warm_up: 2,
        ..Plan::default()
    };

    let run = run(
        &TlbConfig::unified(geometry(4, 4)),
        plan,
        &reads(&[1, 2, 1, 2, 3]),
    );

    let counts = run.system.counts();
    assert_eq!((counts.total_accesses(), counts.first_misses()), (3, 1));
    assert_eq!(counts.levels[0].by_reason().compulsory, 1);
}

#[test]
fn skip_and_limit_count_records_and_flushes_count_look_ups() {
    let plan = Plan {
        skip: 1,
        limit: Some(5),
        flush_every: Some(2),
        ..Plan::default()
    };

    let run = run(
        &TlbConfig::unified(geometry(4, 4)),
        plan,
        &reads(&[9, 1, 1, 1, 1, 1, 9]),
    );

    let counts = run.system.counts();
    assert_eq!(
        (
            counts.total_accesses(),
            counts.first_misses(),
            counts.flushes
        ),
        (5, 3, 2)
    );
}

#[test]
fn misses_are_told_apart_by_reason_and_conflicts_can_be_negative() {
    let pages: Vec<u64> = (0..5).cycle().take(50).collect();
    let direct = run(
        &TlbConfig::unified(geometry(4, 1)),
        Plan::default(),
        &reads(&pages),
    );

    let reason = direct.system.counts().levels[0].by_reason();

    // Pages 0 and 4 share a set; fully associative LRU misses always.
    assert_eq!(direct.system.counts().first_misses(), 3 + 20);
    assert_eq!(
        (reason.compulsory, reason.capacity, reason.conflict),
        (5, 45, -27)
    );
}

#[test]
fn culprits_are_the_pages_and_instructions_that_miss() {
    let mut records = vec![Record::new(Op::Fetch, 0x40_1000, 3)];
    records.extend(reads(&[1, 2, 1]));
    records.push(Record::new(Op::Site, 0x40_2000, 1));
    records.extend(reads(&[2]));

    let run = run(
        &TlbConfig::unified(geometry(1, 1)),
        Plan::default(),
        &records,
    );

    let culprits = run.culprits.unwrap();
    let misses = |blames: &std::collections::BTreeMap<u64, _>| {
        blames
            .iter()
            .map(|(&addr, blame): (_, &pagefault_tlbsim::session::Blame)| (addr, blame.misses))
            .collect::<Vec<_>>()
    };
    assert_eq!(misses(&culprits.pages), [(0x1000, 2), (0x2000, 2)]);
    assert_eq!(misses(&culprits.sites), [(0x40_1000, 3), (0x40_2000, 1)]);
}

#[test]
fn conventions_change_look_ups_as_they_say() {
    let straddling = Record::new(Op::Modify, 0x1FFE, 4);
    let pages = |conventions: Conventions| conventions.narrow_pages(&[straddling]).unwrap();

    assert_eq!(pages(Conventions::default()), [1, 2]);
    assert_eq!(
        pages(Conventions {
            straddle: Straddle::FirstPage,
            ..Conventions::default()
        }),
        [1]
    );
    assert_eq!(
        pages(Conventions {
            modify: Modify::Twice,
            ..Conventions::default()
        }),
        [1, 1, 2, 2]
    );
    assert_eq!(
        pages(Conventions {
            page_size: PageShift::MIB4,
            ..Conventions::default()
        }),
        [0]
    );
    assert_eq!(pages(conventions(Stream::Instruction)), Vec::<u32>::new());
    let last = Record::new(Op::Read, u64::MAX, 2);
    let mut wrapped = Vec::new();
    Conventions::default().wide_pages(&[last], &mut wrapped);
    assert_eq!(wrapped, [u64::MAX >> 12, 0]);
}

#[test]
fn the_effective_access_time_follows_its_formula() {
    let config = TlbConfig {
        second: vec![geometry(4, 4)],
        ..TlbConfig::unified(geometry(1, 1))
    };
    let run = run(&config, Plan::default(), &reads(&[0, 1, 0, 1]));
    let costs = Costs {
        access: 1.0,
        second_level: 10.0,
        reference: 20.0,
    };

    let cycles = run.system.counts().access_cycles(&costs, Paging::FourLevel);

    // Two hits in the second level, two walks of four references, in four accesses.
    assert!(
        (cycles - (1.0 + (2.0 * 10.0 + 8.0 * 20.0) / 4.0)).abs() < 1e-9,
        "{cycles}"
    );
}

fn geometry(entries: u32, ways: u32) -> Geometry {
    Geometry::new(entries, ways, Policy::Lru).unwrap()
}

fn conventions(stream: Stream) -> Conventions {
    Conventions {
        stream,
        ..Conventions::default()
    }
}

fn reads(pages: &[u64]) -> Vec<Record> {
    pages
        .iter()
        .map(|page| Record::new(Op::Read, page << 12, 4))
        .collect()
}

/// Runs records in pieces, as they come from a reader.
fn run(config: &TlbConfig, plan: Plan, records: &[Record]) -> Run {
    let mut run = Run {
        system: System::new(config, Classify::Yes),
        culprits: Some(Culprits::default()),
    };
    let (mut planner, mut batch) = (Planner::new(plan), Batch::default());
    for part in records.chunks(3) {
        planner.plan(part, &mut batch);
        let look_ups = batch.steps.iter().filter_map(|step| match step {
            Step::LookUps(range) => Some(range.len()),
            _ => None,
        });
        assert_eq!(
            look_ups.sum::<usize>(),
            batch.look_ups.len(),
            "every look-up is in a step"
        );
        run.take(&batch);
    }
    run
}
