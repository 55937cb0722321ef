//! Readers: what they take, what they leave out, what they refuse.

use std::io::{BufRead, BufReader, Write as _};

use pagefault_tlbsim::read::recorded::{MAGIC, Recorder};
use pagefault_tlbsim::{
    Format, Limits, MAX_SIZE_BYTES, Op, ReadError, Record, Region, Tally, TraceReader,
};
use proptest::prelude::*;

#[test]
fn lackey_takes_32_and_64_bit_addresses_and_passes_over_other_text() {
    let text = "==1== Lackey\nI  04001a2b,5\n L 1ffefffe38,8\nhello, world\n S ffffffffffffffff,16\n M 0,512\n";

    let (records, tally) = read(text, Format::Lackey).unwrap();

    let expected = [
        Record::new(Op::Fetch, 0x0400_1A2B, 5),
        Record::new(Op::Read, 0x1F_FEFF_FE38, 8),
        Record::new(Op::Write, u64::MAX, 16),
        Record::new(Op::Modify, 0, 512),
    ];
    assert_eq!(records, expected);
    assert_eq!((tally.skipped, tally.bad), (2, 0));
}

#[test]
fn plain_and_careful_lines_give_the_same_records() {
    for digits in 1..=16 {
        for size in ["1", "8", "16", "512"] {
            for end in ["\n", "\r\n"] {
                let addr = u64::MAX >> (64 - 4 * digits) & 0x7BCD_EF01_2345_6789;
                let width = digits;
                let line = format!(" L {addr:0width$x},{size}{end}");
                let text = line.repeat(40);

                let (records, tally) = read(&text, Format::Lackey).unwrap();

                let expected = Record::new(Op::Read, addr, size.parse().unwrap());
                assert_eq!(records, vec![expected; 40], "{line:?}");
                assert_eq!((tally.skipped, tally.bad), (0, 0), "{line:?}");
            }
        }
    }
}

#[test]
fn bad_records_are_counted_shown_and_fatal_past_the_limit() {
    let text = " L 00001000,4\n L 0000100g,4\n S 00001000,0\n L 00002000,4\n";
    let (records, tally) = read(text, Format::Lackey).unwrap();

    assert_eq!(records.len(), 2);
    assert_eq!(tally.bad, 2);
    assert_eq!(tally.shown()[0].to_string(), "line 2:  L 0000100g,4");
    assert_eq!(tally.shown()[1].line, 3);

    let limits = Limits { bad_records: 1 };
    let mut reader = TraceReader::new(text.as_bytes(), Some(Format::Lackey), limits).unwrap();
    let refused = reader.read(&mut Vec::new()).unwrap_err();
    assert!(
        matches!(
            refused,
            ReadError::TooManyBad {
                count: 2,
                limit: 1,
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn what_is_no_trace_is_refused() {
    let open = |bytes: &[u8]| {
        TraceReader::new(bytes, None, Limits::default())
            .map(|_| ())
            .unwrap_err()
    };

    assert!(matches!(open(b""), ReadError::Empty));
    assert!(matches!(
        open(b"# A text\n\nthat is no trace.\n"),
        ReadError::UnknownFormat { .. }
    ));
    assert!(matches!(
        open(&vec![0; 100_000]),
        ReadError::UnknownFormat { .. }
    ));
    let named = read("nothing\nof the kind\n", Format::Lackey).unwrap_err();
    assert!(
        matches!(named, ReadError::NoRecords { skipped: 2, .. }),
        "{named}"
    );
}

#[test]
fn a_text_of_which_hardly_a_line_is_a_record_is_no_trace() {
    let open = |text: &str| TraceReader::new(text.as_bytes(), None, Limits::default()).map(|_| ());
    let (record, other) = ("0 1000\n", "and this is none\n");

    let mostly_other = open(&format!("{record}{}", other.repeat(10)));
    let mostly_records = open(&format!("{other}{}", record.repeat(20)));

    assert!(matches!(mostly_other, Err(ReadError::UnknownFormat { .. })));
    assert!(mostly_records.is_ok());
}

#[test]
fn a_line_without_end_is_one_bad_record_and_takes_no_memory() {
    let source = std::io::Read::chain(
        &b" L 00001000,4\n"[..],
        std::io::Read::take(std::io::repeat(0), 50 << 20),
    );
    let source = std::io::Read::chain(source, &b"\n L 00002000,4\n"[..]);
    let source = BufReader::new(source);
    let mut reader = TraceReader::new(source, Some(Format::Lackey), Limits::default()).unwrap();
    let (mut batch, mut all) = (Vec::new(), Vec::new());
    loop {
        reader.read(&mut batch).unwrap();
        if batch.is_empty() {
            break;
        }
        all.append(&mut batch);
    }

    assert_eq!(
        all,
        [
            Record::new(Op::Read, 0x1000, 4),
            Record::new(Op::Read, 0x2000, 4)
        ]
    );
    assert_eq!(reader.tally().bad, 1);
    assert_eq!(reader.tally().shown()[0].line, 2);
}

#[test]
fn din_flushes_and_ignores_escapes() {
    let text = " 2 400000 comment\n0 1000\n3 0\n4 0\n1 1004\n7 12\n";

    let (records, tally) = read(text, Format::Din).unwrap();

    let ops: Vec<Op> = records.iter().map(|record| record.op).collect();
    assert_eq!(ops, [Op::Fetch, Op::Read, Op::Flush, Op::Write]);
    assert_eq!((tally.skipped, tally.bad), (1, 1));
}

#[test]
fn xdin_has_hexadecimal_sizes_and_invalidations() {
    let (records, tally) =
        read("w 0xFEB095dc 10\nR 1000 4\nv 2000 0\nm 1 1\n", Format::Xdin).unwrap();

    let expected = [
        Record::new(Op::Write, 0xFEB0_95DC, 16),
        Record::new(Op::Read, 0x1000, 4),
        Record::new(Op::Invalidate, 0x2000, 1),
    ];
    assert_eq!(records, expected);
    assert_eq!((tally.skipped, tally.bad), (1, 0));
}

#[test]
fn execlog_is_not_misled_by_commas_in_the_disassembly() {
    let text = "0, 0x10c8, 0xfff96c43, \"ldr r3, [r0, #0x44]\", load, 0x200000e4, RAM\n\
                0, 0x10ca, 0xf, \"stm r0, {r1, r2}\", store, 0x20000000, RAM, store, 0x20000004, RAM\n";

    let (records, _) = read(text, Format::Execlog).unwrap();

    let expected = [
        Record::new(Op::Fetch, 0x10C8, 1),
        Record::new(Op::Read, 0x2000_00E4, 1),
        Record::new(Op::Fetch, 0x10CA, 1),
        Record::new(Op::Write, 0x2000_0000, 1),
        Record::new(Op::Write, 0x2000_0004, 1),
    ];
    assert_eq!(records, expected);
}

#[test]
fn columns_of_csv_are_found_by_name_in_any_order_and_with_any_separator() {
    let comma = "size,ip,kind,vaddr\n4,0x10,load,0x1000\n8,0x10,store,8192\n4,0x14,fetch,0x14\n";
    let (records, _) = read(comma, Format::Csv).unwrap();

    let expected = [
        Record::new(Op::Site, 0x10, 1),
        Record::new(Op::Read, 0x1000, 4),
        Record::new(Op::Write, 0x2000, 8),
        Record::new(Op::Fetch, 0x14, 4),
    ];
    assert_eq!(records, expected);
    assert_eq!(
        read(&comma.replace(',', ";"), Format::Csv).unwrap().0,
        expected
    );
    assert_eq!(
        read(&comma.replace(',', "\t"), Format::Csv).unwrap().0,
        expected
    );
    let nameless = read("a,b\n1,2\n", Format::Csv).unwrap_err();
    assert!(
        matches!(nameless, ReadError::TooManyBad { .. }),
        "{nameless}"
    );
}

#[test]
fn large_pages_size_the_records_that_follow() {
    let mut recorder = Recorder::new(Vec::new());
    recorder.large_page(0x0080_0123, 22);
    recorder.record(&Record::new(Op::Read, 0x00BF_FFFC, 4));
    recorder.record(&Record::new(Op::Read, 0x00C0_0000, 4));
    recorder.record(&Record::new(Op::Read, 0x0080_0000, 5));
    recorder.large_page(0x00C0_0000, 22);
    recorder.record(&Record::new(Op::Read, 0x00C0_0000, 4));
    recorder.large_page(0x0100_0000, 3);
    recorder.record(&Record::new(Op::Read, 0x0100_0000, 4));
    let (bytes, _) = recorder.finish().unwrap();

    let (records, _) = read_bytes(&bytes, None).unwrap();

    assert_eq!(
        records
            .iter()
            .map(|record| record.page_shift)
            .collect::<Vec<_>>(),
        [22, 0, 22, 22, 0]
    );
}

#[test]
fn an_access_to_a_page_that_its_block_has_not_is_bad() {
    let mut recorder = Recorder::new(Vec::new());
    recorder.record(&Record::new(Op::Read, 0x40_3000, 4));
    let (mut bytes, _) = recorder.finish().unwrap();
    let good = read_bytes(&bytes, None).unwrap();
    // Behind the header of the file and of the block, and the only page: the number of the page.
    let access = MAGIC.len() + 12 + 8;
    bytes[access + 1] |= 0x10;

    let bad = read_bytes(&bytes, None);

    assert_eq!((good.0.len(), good.1.bad), (1, 0));
    assert!(
        matches!(bad, Err(ReadError::TooManyBad { count: 1, .. })),
        "{bad:?}"
    );
}

#[test]
fn a_damage_is_one_bad_record_whatever_is_behind_it() {
    let mut recorder = Recorder::new(Vec::new());
    recorder.record(&Record::new(Op::Read, 0x40_3000, 4));
    let (mut bytes, _) = recorder.finish().unwrap();
    bytes.resize(64 << 20, 0);

    let (records, tally) = read_bytes(&bytes, None).unwrap();

    assert_eq!((records.len(), tally.bad), (1, 1));
}

#[test]
fn a_recording_without_one_of_its_blocks_says_so() {
    let record = |count: u64| {
        let mut recorder = Recorder::new(Vec::new());
        (0..count).for_each(|_| recorder.record(&Record::new(Op::Write, 64, 8)));
        recorder.finish().unwrap().0
    };
    let (one, two) = (record(4096), record(8192));
    // The end of the longer one behind the blocks of the shorter one.
    let end = two.len() - (one.len() - one_block(&one));
    let mixed = [&one[..one_block(&one)], &two[end..]].concat();

    let (records, tally) = read_bytes(&mixed, None).unwrap();

    assert_eq!((records.len(), tally.bad), (4096, 1));
    assert!(tally.shown()[0].to_string().contains("missing"));
}

/// Where the first block of a recording of one block of records ends.
fn one_block(recording: &[u8]) -> usize {
    const END_BYTES: usize = 12 + 8;
    recording.len() - END_BYTES
}

#[test]
fn a_recording_of_another_version_says_so() {
    let refused = read_bytes(b"PFTRACE1R\0\0\0", None).unwrap_err();

    assert!(matches!(refused, ReadError::TooManyBad { .. }));
    assert!(refused.to_string().contains("another version"), "{refused}");
}

#[test]
fn regions_are_named_in_a_recording() {
    let region = Region {
        name: "matrix".to_owned(),
        start: 0x40_3000,
        len_bytes: 720_000,
    };
    let mut recorder = Recorder::new(Vec::new());
    recorder.record(&Record::new(Op::Read, 0x40_3000, 8));
    recorder.name(std::slice::from_ref(&region));
    let (bytes, count) = recorder.finish().unwrap();

    let mut reader = TraceReader::new(&bytes[..], None, Limits::default()).unwrap();
    reader.read(&mut Vec::new()).unwrap();

    assert_eq!((reader.regions(), count), (&[region][..], 1));
}

#[test]
fn fetches_over_the_end_of_the_address_space_read_back() {
    let records = [
        Record::new(Op::Fetch, 0xFFFF_FFF0, 4),
        Record::new(Op::Read, 0x0040_3000, 4),
        Record::new(Op::Fetch, 0xFFFF_FFFE, 4),
        Record::new(Op::Read, 0x0040_3004, 4),
        Record::new(Op::Fetch, 2, 3),
        Record::new(Op::Write, 0xFFFF_FFFC, 8),
        Record::new(Op::Fetch, 0xFFFF_FFF0, 5),
        Record::new(Op::Modify, 0x0000_0010, 2),
        Record::new(Op::Fetch, 0xFFFF_FFFF, 1),
        Record::new(Op::Read, 0x0000_0014, 4),
        Record::new(Op::Fetch, 0, 1),
        Record::new(Op::Read, 0x0000_0018, 4),
    ];
    let mut recorder = Recorder::new(Vec::new());
    for record in &records {
        recorder.record(record);
    }
    let (bytes, _) = recorder.finish().unwrap();

    let (back, tally) = read_bytes(&bytes, None).unwrap();

    assert_eq!(back, records);
    assert_eq!(tally.bad, 0);
}

#[test]
fn a_recording_that_is_cut_off_says_so() {
    let mut recorder = Recorder::new(Vec::new());
    (0..20_000_u64).for_each(|index| recorder.record(&Record::new(Op::Write, index * 64, 8)));
    let (bytes, _) = recorder.finish().unwrap();

    for len in [
        MAGIC.len(),
        100,
        bytes.len() / 2,
        bytes.len() - 30,
        bytes.len() - 1,
    ] {
        let limits = Limits { bad_records: 0 };
        let mut reader = TraceReader::new(&bytes[..len], None, limits).unwrap();
        let mut batch = Vec::new();
        let refused = loop {
            match reader.read(&mut batch) {
                Ok(()) => assert!(
                    !batch.is_empty(),
                    "{len} bytes were taken for a whole recording"
                ),
                Err(error) => break error,
            }
        };
        assert!(
            matches!(refused, ReadError::TooManyBad { .. }),
            "{len}: {refused}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_recording_reads_back_as_it_was_recorded(records in prop::collection::vec(record(), 1..10_000)) {
        let mut recorder = Recorder::new(Vec::new());
        for record in &records {
            recorder.record(record);
        }
        let (bytes, count) = recorder.finish().unwrap();

        let (back, tally) = read_bytes(&bytes, None).unwrap();

        prop_assert_eq!(count, records.len() as u64);
        prop_assert_eq!(tally.bad, 0);
        prop_assert_eq!(back, records);
    }

    #[test]
    fn a_source_that_shows_a_few_bytes_at_once_is_read_as_the_whole(
        records in prop::collection::vec(record(), 1..2000), shown in 1..20_000_usize,
    ) {
        let mut recorder = Recorder::new(Vec::new());
        let mut text = Vec::new();
        for record in &records {
            recorder.record(record);
            writeln!(text, " L {:x},{}", record.addr, record.size_bytes).unwrap();
        }
        let (bytes, _) = recorder.finish().unwrap();
        for (bytes, format) in [(bytes, Format::Recorded), (text, Format::Lackey)] {
            let source = BufReader::with_capacity(shown, &bytes[..]);
            let in_parts = read_from(source, Some(format)).unwrap();
            let whole = read_bytes(&bytes, Some(format)).unwrap();

            prop_assert_eq!(in_parts, whole);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in prop::collection::vec(any::<u8>(), 1..3000), format in 0..Format::NAMES.len(), is_recording: bool,
    ) {
        let mut bytes = bytes;
        if is_recording {
            bytes.splice(..0, MAGIC.into_iter().chain([b'R', 0, 0, 0]));
        }
        let limits = Limits { bad_records: u64::MAX };
        let reader = TraceReader::new(&bytes[..], Some(Format::NAMES[format].1), limits);
        let mut reader = reader.unwrap();
        let mut batch = Vec::new();
        while reader.read(&mut batch).is_ok() && !batch.is_empty() {
            prop_assert!(batch.iter().all(|record| record.size_bytes <= MAX_SIZE_BYTES));
        }
    }
}

fn record() -> impl Strategy<Value = Record> {
    let op = prop::sample::select(vec![
        Op::Fetch,
        Op::Read,
        Op::Write,
        Op::Modify,
        Op::Read,
        Op::Fetch,
        Op::Invalidate,
        Op::LoadCr3,
        Op::Flush,
    ]);
    let addr = prop_oneof![0..0x2000_u64, 0xFFFF_0000..0x1_0000_0000_u64, any::<u64>()];
    let size = prop_oneof![1..17_u32, Just(512), 1..=MAX_SIZE_BYTES];
    (op, addr, size).prop_map(|(op, addr, size)| Record::new(op, addr, size))
}

fn read(text: &str, format: Format) -> Result<(Vec<Record>, Tally), ReadError> {
    read_bytes(text.as_bytes(), Some(format))
}

fn read_bytes(bytes: &[u8], format: Option<Format>) -> Result<(Vec<Record>, Tally), ReadError> {
    read_from(bytes, format)
}

fn read_from(
    source: impl BufRead,
    format: Option<Format>,
) -> Result<(Vec<Record>, Tally), ReadError> {
    let mut reader = TraceReader::new(source, format, Limits::default())?;
    let (mut all, mut batch) = (Vec::new(), Vec::new());
    loop {
        reader.read(&mut batch)?;
        if batch.is_empty() {
            return Ok((all, reader.tally().clone()));
        }
        all.append(&mut batch);
    }
}
