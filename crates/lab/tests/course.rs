//! The driver files of course labs: what is read, what is refused, and what the steps do.

use pagefault_lab::course::replay::{Effect, Replay, ReplayConfig, StepError};
use pagefault_lab::course::{
    Field, Format, MAX_STEPS, Malformed, Operation, Parsed, Place, Problem, Target, Warning, parse,
    tracker,
};
use pagefault_machine::vmm::mmu::LinearAddr;
use pagefault_machine::vmm::{AllocError, MemoryState, MemoryStore, Profile};

const RAM_BYTES: u64 = 4 << 20;

#[test]
fn a_driver_line_counts_64_kib_units_to_reserve_and_pages_otherwise() {
    let parsed = driver("0 1 00A00000 2 6\n3 2 0xA00000 2 2\n");

    assert_eq!(parsed.problems, []);
    let sizes = parsed.steps.iter().map(|step| step.target);
    let range = |size_bytes| Target::Range {
        address: LinearAddr::new(0x00A0_0000),
        size_bytes,
    };
    assert_eq!(sizes.collect::<Vec<_>>(), [range(0x2_0000), range(0x2000)]);
    assert_eq!(parsed.steps[1].at_ms, 3000);
    assert_eq!(parsed.steps[0].protect, 1);
}

#[test]
fn each_malformed_line_is_reported_with_its_number_and_the_rest_is_read() {
    let text = "0 1 A00000 1 2\n\n0 9 A00000 1 2\n0 2 A00000 1\n0 2 +A0 1 2\n0,2,A00000,1,2\n\
                0 2 A00000 -1 2\n0 2 A00000 1 7\n0 1 A00000 65536 2\n0 2 A00000 x 2\n# said\n0 8 A00000 1 2";

    let parsed = driver(text);

    let wrong: Vec<_> = parsed
        .problems
        .iter()
        .map(|problem| (problem.place, problem.malformed))
        .collect();
    let operation = Malformed::Operation {
        code: 9,
        first: 1,
        last: 8,
    };
    let access = Malformed::Access {
        code: 7,
        first: 1,
        last: 6,
    };
    let number = |field| Malformed::Number { field };
    assert_eq!(
        wrong,
        [
            (Place::Line(3), operation),
            (Place::Line(4), Malformed::Count { found: 4 }),
            (Place::Line(5), number(Field::Address)),
            (Place::Line(6), Malformed::Commas),
            (
                Place::Line(7),
                Malformed::Negative {
                    field: Field::Units
                }
            ),
            (Place::Line(8), access),
            (Place::Line(9), Malformed::TooLarge { units: 65536 }),
            (Place::Line(10), number(Field::Units)),
        ]
    );
    let places: Vec<_> = parsed.steps.iter().map(|step| step.place).collect();
    assert_eq!(places, [Place::Line(1), Place::Line(12)]);
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    let bytes: Vec<u8> = (0..4096_u32)
        .map(|at| ((at * 7919) >> 3).to_le_bytes()[0])
        .collect();

    for format in [Format::Driver, Format::OperationFile, Format::Script] {
        for end in 0..200 {
            let parsed = parse(format, &bytes[..end]);
            let mut replay = replay();
            for step in &parsed.steps {
                replay.step(step);
            }
        }
    }
}

#[test]
fn the_operation_file_works_on_five_regions_and_begins_again_at_protection_0() {
    let mut bytes = Vec::new();
    for operation in 0..2 {
        for protection in 0..5 {
            bytes.extend(record([100, protection + 1, operation, protection]));
        }
    }
    bytes.extend(record([0, 1, 1, 4]));
    bytes.extend([1, 2, 3]);

    let parsed = parse(Format::OperationFile, &bytes);

    let mut replay = replay();
    let results: Vec<_> = parsed
        .steps
        .iter()
        .map(|step| replay.step(step).result)
        .collect();
    let bases = [0x1_0000, 0x2_0000, 0x3_0000, 0x4_0000, 0x5_0000];
    let expected: Vec<_> = bases
        .iter()
        .chain(&bases)
        .map(|&base| Ok(Effect::Address(LinearAddr::new(base))))
        .collect();
    assert_eq!(results, expected);
    assert_eq!(parsed.problems[0].malformed, Malformed::Region);
    let truncated = Malformed::Truncated {
        found_bytes: 3,
        wanted_bytes: 16,
    };
    assert_eq!(parsed.problems[1].malformed, truncated);
    // Reserved with PAGE_NOACCESS, committed with the record's own protection.
    let info = replay.query(LinearAddr::new(0x5_0000)).unwrap();
    assert_eq!(
        (info.size_bytes, info.state),
        (5 * 4096, MemoryState::Commit)
    );
    assert_eq!(
        info.protection.unwrap().to_string(),
        "PAGE_EXECUTE_READWRITE"
    );
    let allocated = info.allocation.unwrap().protection.to_string();
    assert_eq!(allocated, "PAGE_NOACCESS");
}

#[test]
fn a_script_has_absolute_times_and_refuses_to_go_back() {
    let text = b"100 1 A00000 16 2\n50 2 A00000 4 2\n100 4 A00000 4 2\n";

    let parsed = parse(Format::Script, text);

    let back = Malformed::TimeGoesBack {
        at_ms: 50,
        before_ms: 100,
    };
    assert_eq!(parsed.problems[0].malformed, back);
    assert_eq!(parsed.steps[1].operation, Operation::Reset);
    let target = parsed.steps[0].target;
    assert!(
        matches!(
            target,
            Target::Range {
                size_bytes: 0x1_0000,
                ..
            }
        ),
        "{target:?}"
    );
}

#[test]
fn a_touch_brings_pages_in_and_a_guard_page_is_hit_once() {
    let steps = driver(
        "0 1 A00000 1 2\n0 2 A00000 4 2\n0 3 A00000 3 2\n0 6 A03000 1 2\n0 3 A03000 1 2\n0 3 A03000 1 2\n0 3 A00000 5 2",
    );
    let mut replay = replay();

    let results: Vec<_> = steps
        .steps
        .iter()
        .map(|step| replay.step(step).result)
        .collect();

    let touched = |pages, brought_in| Ok(Effect::Touched { pages, brought_in });
    assert_eq!(results[2], touched(3, 3));
    let addr = LinearAddr::new(0x00A0_3000);
    assert_eq!(results[4], Err(StepError::GuardPage { addr }));
    assert_eq!(results[5], touched(1, 1));
    let Err(StepError::AccessViolation { addr, .. }) = results[6] else {
        panic!("the fifth page is reserved only: {:?}", results[6])
    };
    assert_eq!(addr, LinearAddr::new(0x00A0_4000));
    assert_eq!(replay.map()[0].resident_pages, 4);
}

#[test]
fn the_classic_mistakes_are_named() {
    let cases = [
        ("0 1 A01000 1 2", "ReserveRoundedDown"),
        ("0 1 A00000 1 2\n0 2 A00000 4096 2", "UnitsLookLikeBytes"),
        ("0 1 A00000 1 2\n0 6 A00000 1 6", "GuardWithoutAccess"),
        ("0 1 A00000 1 2\n0 8 A00000 1 2", "ReleaseWithSize"),
        (
            "0 1 A00000 1 2\n0 2 A00000 64 2\n0 3 A00000 1 2",
            "AfterFailure",
        ),
        ("0 2 A00000 1 2", "NothingReserved"),
        (
            "0 1 A00000 1 2\n0 2 A00000 1 2\n0 3 A00000 1 2\n0 3 A00000 1 2",
            "TouchedNothingNew",
        ),
        ("0 1 A00000 1 2\n0 2 A00800 1 2", "StartInsidePage"),
    ];
    for (text, name) in cases {
        let mut replay = replay();

        let warnings: Vec<Warning> = driver(text)
            .steps
            .iter()
            .flat_map(|step| replay.step(step).warnings)
            .collect();

        let said = warnings
            .iter()
            .any(|warning| format!("{warning:?}").starts_with(name));
        assert!(said, "{text:?} gives {warnings:?}, not {name}");
    }
}

#[test]
fn a_file_without_mistakes_has_no_warning_but_untouched_pages_are_counted() {
    let steps = driver("0 1 A00000 1 2\n0 2 A00000 4 2\n0 3 A00000 1 2\n");
    let mut replay = replay();

    let warnings: Vec<Warning> = steps
        .steps
        .iter()
        .flat_map(|step| replay.step(step).warnings)
        .collect();

    assert_eq!(warnings, []);
    assert_eq!(
        replay.closing_warnings(),
        [Warning::NeverTouched { pages: 3 }]
    );
}

#[test]
fn a_gibibyte_is_reserved_at_once_and_a_paging_file_decides_what_can_be_committed() {
    let steps = driver("0 1 10000000 16384 2\n0 2 10000000 262144 2\n0 2 10000000 2048 2");
    let mut without = replay();
    let mut with = replay();
    with.set_paging_file(Box::new(MemoryStore::new()), 8 << 20);

    let run = |replay: &mut Replay| -> Vec<_> {
        let steps = steps.steps.iter();
        steps.map(|step| replay.step(step).result).collect()
    };
    let (without, with) = (run(&mut without), run(&mut with));

    let base = Ok(Effect::Address(LinearAddr::new(0x1000_0000)));
    assert_eq!((without[0], with[0]), (base, base));
    for refused in [without[1], without[2], with[1]] {
        let error = refused.unwrap_err();
        let is_limit = matches!(error, StepError::Alloc(AllocError::CommitLimit { .. }));
        assert!(is_limit, "{error}");
        assert_eq!(error.win32_code().get(), 1455);
    }
    assert_eq!(with[2], base);
}

#[test]
fn the_tracker_writes_every_field_of_the_three_structures() {
    let mut replay = replay();
    let steps = driver("0 1 A00000 1 6\n").steps;
    let done = replay.step(&steps[0]);

    let report = tracker::report(&replay, 1, done.about);

    let names: Vec<_> = report
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .collect();
    assert_eq!(names.len(), 12 + 8 + 7);
    assert!(
        report.starts_with("1\ndwActiveProcessorMask\t1\n"),
        "{report}"
    );
    for wanted in [
        ("dwPageSize", "4096"),
        ("dwAllocationGranularity", "65536"),
        ("lpMaximumApplicationAddress", "7FFEFFFF"),
        ("dwLength", "32"),
        ("dwTotalPhys", "4194304"),
        ("AllocationBase", "00A00000"),
        ("AllocationProtect", "1"),
        ("Protect", "0"),
        ("RegionSize", "65536"),
        ("State", "8192"),
        ("Type", "131072"),
    ] {
        assert!(names.contains(&wanted), "{wanted:?} is not in {report}");
    }
    assert_eq!(
        report.lines().filter(|line| line.starts_with('*')).count(),
        3
    );
}

fn driver(text: &str) -> Parsed {
    parse(Format::Driver, text.as_bytes())
}

fn replay() -> Replay {
    let config = ReplayConfig {
        ram_bytes: RAM_BYTES,
        profile: Profile::Nt,
    };
    Replay::new(&config).unwrap()
}

fn record(words: [i32; 4]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn a_file_is_read_up_to_a_number_of_lines() {
    let most = "# said\n".to_owned() + &"0 3 A00000 1 2\n".repeat(MAX_STEPS - 1) + "nonsense\n";
    let more = most.clone() + "0 3 A00000 1 2\nnonsense\n";

    let (most, more) = (driver(&most), driver(&more));

    assert_eq!((most.steps.len(), most.problems.len()), (MAX_STEPS - 1, 1));
    let too_many = Problem {
        place: Place::Line(u32::try_from(MAX_STEPS).unwrap() + 2),
        malformed: Malformed::TooMany,
    };
    assert_eq!(more.steps, most.steps);
    assert_eq!(more.problems[1..], [too_many]);
    let records = parse(Format::OperationFile, &vec![0; 16 * (MAX_STEPS + 2)]);
    assert_eq!(
        (records.steps.len(), records.problems.len()),
        (MAX_STEPS, 1)
    );
}

#[test]
fn a_failure_is_remembered_until_many_more_have_failed() {
    let failing = |count: usize| {
        // A reservation at 0x1000 fails, and so do as many others elsewhere; then it is touched.
        let others = "0 1 7FFF0000 1 2\n".repeat(count);
        let text = format!("0 1 1000 1 2\n{others}0 3 1000 1 2\n");
        let mut replay = replay();
        let parsed = driver(&text);
        let done = parsed.steps.iter().map(|step| replay.step(step));
        done.last().unwrap().warnings
    };

    let warning = Warning::AfterFailure {
        place: Place::Line(1),
        operation: Operation::Reserve,
    };
    assert_eq!(failing(1023), [warning]);
    assert_eq!(failing(1024), []);
}
