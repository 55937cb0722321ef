//! Random files of every kind, a few: more of them are made by the program `random-files`.

use std::path::Path;

use pagefault_tests::command::{binary, project};
use pagefault_tests::random_files::{Campaign, Kind, Seeds, Tally};

/// The files of each kind.
const FILES: u64 = 30;

#[test]
fn every_file_ends_with_a_documented_exit_code_in_time_and_without_a_panic() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("random_files");
    let made = tempfile::tempdir().unwrap();
    let seeds = Seeds::read(project(), binary(), made.path()).unwrap();
    let campaign = Campaign {
        binary: binary(),
        seeds: &seeds,
        seed: 1,
        from: 0,
        files: FILES,
        folder: &folder,
    };

    let mut tally = Tally::default();
    for (_, kind) in Kind::NAMES {
        campaign.run(kind, &mut tally).unwrap();
    }

    let findings: Vec<_> = tally.findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    for (name, kind) in Kind::NAMES {
        let outcomes = tally.outcomes.iter();
        let mine: Vec<_> = outcomes.filter(|((of, _), _)| *of == kind).collect();
        assert_eq!(mine.iter().map(|(_, count)| **count).sum::<u64>(), FILES);
        assert!(mine.len() > 1, "all of {name} end alike: {mine:?}");
    }
}
