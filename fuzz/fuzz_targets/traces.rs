//! Any bytes as a trace, in the format that the first byte says or in the one that is found. What
//! was read can be recorded, and is read back as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pagefault_tlbsim::read::recorded::Recorder;
use pagefault_tlbsim::{Format, Limits, Record, TraceReader};

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let format = Format::NAMES.get(usize::from(choice));
    let format = format.map(|&(_, format)| format);
    let records = read(data, format, u64::MAX);
    read(data, format, 3);

    let plain = records.iter().map(|record| Record {
        page_shift: 0,
        ..*record
    });
    let mut recorder = Recorder::new(Vec::new());
    plain.clone().for_each(|record| recorder.record(&record));
    let (bytes, count) = recorder.finish().expect("memory can be written");
    assert_eq!(count, records.len() as u64);
    if count > 0 {
        let back = read(&bytes, Some(Format::Recorded), 0);
        assert!(back.into_iter().eq(plain));
    }
});

/// Returns the records before the end, or before there is too much that cannot be understood.
fn read(data: &[u8], format: Option<Format>, bad_records: u64) -> Vec<Record> {
    let mut all = Vec::new();
    let mut reader = match TraceReader::new(data, format, Limits { bad_records }) {
        Ok(reader) => reader,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return all;
        }
    };
    let mut records = Vec::new();
    loop {
        match reader.read(&mut records) {
            Ok(()) if records.is_empty() => break,
            Ok(()) => all.append(&mut records),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                break;
            }
        }
    }
    for bad in reader.tally().shown() {
        assert!(!bad.to_string().is_empty());
    }
    _ = reader.regions();
    all
}
