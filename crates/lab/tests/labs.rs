//! The lab pack: every variant can be solved, the starter scores less, and plausible mistakes lose
//! exactly the marks that they should.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pagefault_lab::expect::Expectations;
use pagefault_lab::pack::{Lab, LabTexts, Limits, ManifestErrorKind, Report, Value, Visibility};
use pagefault_lab::variant::VariantKey;
use pagefault_machine::asm::NoIncludes;

/// Variants whose texts are made for each lab.
const VARIANTS: u64 = 1000;
/// Variants on which wrong solutions are run.
const RUNS: u64 = 3;
/// The labs that there are.
const LABS: usize = 15;

#[test]
fn there_are_fifteen_labs_with_a_readme_that_says_what_to_do() {
    let labs = labs();

    assert_eq!(labs.len(), LABS);
    for (name, lab) in &labs {
        let readme = lab.readme(&key(name, 0)).unwrap();
        for part in [
            "# ",
            "## Question",
            "## Background",
            "## What to look for",
            "## Hand in",
        ] {
            assert!(readme.contains(part), "{name}: its README has no {part}");
        }
        assert!(
            readme.contains(lab.submission()),
            "{name}: its README does not name {}",
            lab.submission()
        );
    }
}

#[test]
fn every_variant_of_a_lab_of_answers_is_solved_by_its_solution() {
    for (name, lab) in labs().iter().filter(|(_, lab)| !lab.wants_program()) {
        let mut solutions = BTreeSet::new();
        for seed in 0..VARIANTS {
            let key = key(name, seed);
            let solution = lab.solution(&key).unwrap();
            let report = mark(lab, &key, &solution);
            assert_eq!(
                report.earned(),
                report.points(),
                "{name}, seed {seed}: {report:?}"
            );
            assert!(report.points() > 0, "{name}, seed {seed}");
            solutions.insert(solution);
        }
        assert!(
            solutions.len() > 900,
            "{name}: only {} solutions differ",
            solutions.len()
        );
    }
}

#[test]
fn mistakes_in_answers_lose_exactly_those_answers() {
    for (name, lab) in labs().iter().filter(|(_, lab)| !lab.wants_program()) {
        for seed in 0..20 {
            let key = key(name, seed);
            let solution = lab.solution(&key).unwrap();
            let lines: Vec<&str> = solution.lines().collect();
            let first = lines[0].split(' ').next().unwrap();
            let last = lines.last().unwrap().split(' ').next().unwrap();
            // The starter as it is, an exercise that is missing, a wrong answer, a slip of the pen.
            let starter = mark(lab, &key, &lab.starter(&key).unwrap());
            let shorter = mark(lab, &key, &lines[..lines.len() - 1].join("\n"));
            let wrong = mark(lab, &key, &format!("{solution}\n{first} 123456789"));
            let odd = mark(lab, &key, &solution.replace(' ', "  = "));

            assert_eq!(starter.earned(), 0, "{name}, seed {seed}: {starter:?}");
            assert_eq!(unmet(&shorter), [last], "{name}, seed {seed}");
            assert_eq!(unmet(&wrong), [first], "{name}, seed {seed}");
            assert_eq!(odd.earned(), odd.points(), "{name}, seed {seed}: {odd:?}");
        }
    }
}

#[test]
fn every_variant_of_a_lab_of_programs_has_whole_texts() {
    for (name, lab) in labs().iter().filter(|(_, lab)| lab.wants_program()) {
        for seed in 0..VARIANTS {
            let key = key(name, seed);
            let texts = [lab.readme(&key), lab.starter(&key), lab.solution(&key)];
            for text in texts {
                let text = text.unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
                assert!(
                    !text.contains("{{") && !text.is_empty(),
                    "{name}, seed {seed}: {text}"
                );
            }
            for lines in lab.expectations(&key) {
                let lines = lines.unwrap_or_else(|error| panic!("{name}, seed {seed}: {error}"));
                let read = Expectations::from_lines(&lines);
                assert!(read.is_ok(), "{name}, seed {seed}: {lines}: {read:?}");
            }
        }
    }
}

#[test]
fn reference_solutions_score_full_marks_at_the_ends_of_every_parameter() {
    for (name, lab) in labs().iter().filter(|(_, lab)| lab.wants_program()) {
        for seed in extremes(name, lab) {
            let key = key(name, seed);
            let report = mark(lab, &key, &lab.solution(&key).unwrap());
            assert_eq!(unmet(&report), [""; 0], "{name}, seed {seed}: {report:#?}");
        }
    }
}

#[test]
fn starters_assemble_and_score_less() {
    for (name, lab) in labs().iter().filter(|(_, lab)| lab.wants_program()) {
        let key = key(name, 1);
        let report = mark(lab, &key, &lab.starter(&key).unwrap());

        assert_eq!(report.remarks, [""; 0], "{name}");
        assert!(report.earned() * 2 < report.points(), "{name}: {report:#?}");
    }
}

#[test]
fn plausible_mistakes_lose_exactly_the_marks_that_they_should() {
    for (name, lab) in labs().iter().filter(|(_, lab)| lab.wants_program()) {
        let folder = staff().join(name).join("wrong");
        let mut count = 0;
        for path in entries(&folder) {
            let source = fs::read_to_string(&path).unwrap();
            let first = source.lines().next().unwrap();
            let expected = first.strip_prefix("; loses: ");
            let expected = expected.unwrap_or_else(|| panic!("{}: no `; loses:`", path.display()));
            let expected: BTreeSet<&str> = expected.split(' ').collect();
            for seed in 0..RUNS {
                let key = key(name, seed);
                let filled = lab.parameters(&key).fill(&source).unwrap();
                let report = mark(lab, &key, &filled);
                let found: BTreeSet<&str> = unmet(&report).into_iter().collect();
                assert_eq!(
                    found,
                    expected,
                    "{}, seed {seed}: {report:#?}",
                    path.display()
                );
                assert!(
                    report.explanation.is_empty() == found.is_empty(),
                    "{}",
                    path.display()
                );
            }
            count += 1;
        }
        assert!(count >= 3, "{name}: only {count} wrong solutions");
    }
}

#[test]
fn hostile_submissions_are_marked_and_bounded() {
    let lab = &labs()["03-reserve-commit-touch"];
    let key = key("03-reserve-commit-touch", 0);
    let program = |body: &str| {
        format!(
            ".386\n.model flat, stdcall\ninclude windows.inc\ninclude kernel32.inc\n.data?\nn dd ?\n\
             .code\nstart:\n{body}\ndone:\ninvoke ExitProcess, 0\nend start\n"
        )
    };
    let output = program(
        "again: invoke GetStdHandle, STD_OUTPUT_HANDLE\n\
         invoke WriteFile, eax, 401000h, 4096, addr n, NULL\njmp again",
    );
    let memory = program(
        "again: invoke VirtualAlloc, NULL, 100000h, 3000h, 4\nmov byte ptr [eax], 1\njmp again",
    );
    for (what, source) in [
        ("an endless loop", program("again: jmp again")),
        ("a memory bomb", memory),
        ("an output bomb", output),
        ("no program", "this is no assembler".to_owned()),
        (
            "a file of the host",
            "include /etc/passwd\n.code\nstart:\nend start\n".to_owned(),
        ),
        ("nothing", String::new()),
        ("zeros", "\0".repeat(5000)),
    ] {
        let report = mark(lab, &key, &source);

        assert_eq!(report.checks.len(), 6, "{what}");
        assert!(report.earned() <= 2, "{what}: {report:#?}");
        let text = format!("{report:?}");
        assert!(
            text.len() < 60_000 && !text.contains("root:"),
            "{what}: {} bytes",
            text.len()
        );
    }
    let most = Limits::default().submission_bytes;
    let report = mark(lab, &key, &";".repeat(most + 1));
    assert!(report.remarks[0].contains("larger than"), "{report:?}");
}

#[test]
fn what_is_seen_is_told_and_what_is_right_is_not() {
    let lab = &labs()["04-protection-matrix"];
    let key = key("04-protection-matrix", 0);
    let wrong = fs::read_to_string(staff().join("04-protection-matrix/wrong/swapped.asm")).unwrap();
    let report = mark(lab, &key, &lab.parameters(&key).fill(&wrong).unwrap());

    let first = &report.checks[0];

    assert!(!first.is_met && first.visibility == Visibility::Visible);
    assert!(first.seen[0].contains("PAGE_EXECUTE"), "{first:?}");
    assert!(
        !first.seen.iter().any(|line| line.contains("expected")),
        "{first:?}"
    );
}

#[test]
fn each_line_of_a_manifest_that_is_wrong_is_refused_with_its_number() {
    let head = "title: T\nsubmission: lab.asm\n";
    for (lines, line, kind) in [
        ("nonsense", 3, ManifestErrorKind::NoKey),
        ("colour: red", 3, ManifestErrorKind::Key),
        ("topics: translate, dance", 3, ManifestErrorKind::Topic),
        ("param: a 1..2", 3, ManifestErrorKind::Rule),
        ("param: a = 2..1", 3, ManifestErrorKind::Rule),
        ("param: a = b + 1", 3, ManifestErrorKind::Operand),
        (
            "param: w = x | y\nparam: a = w + 1",
            4,
            ManifestErrorKind::Operand,
        ),
        ("param: a = 1 +", 3, ManifestErrorKind::Rule),
        ("check: c two visible", 3, ManifestErrorKind::Check),
        ("check: c 2 sometimes", 3, ManifestErrorKind::Check),
        ("says: it", 3, ManifestErrorKind::NoCheck),
        (
            "check: c 2 visible\nsays: it",
            4,
            ManifestErrorKind::EmptyCheck,
        ),
        ("# nothing", 3, ManifestErrorKind::Incomplete),
    ] {
        let manifest = format!("{head}{lines}");
        let texts = LabTexts {
            manifest: &manifest,
            readme: "",
            starter: None,
            solution: None,
        };
        let error = Lab::new("x", &texts).unwrap_err();
        assert_eq!((error.line, error.kind), (line, kind), "{lines}");
    }
}

fn mark(lab: &Lab, key: &VariantKey, submission: &str) -> Report {
    lab.mark(key, submission.as_bytes(), &NoIncludes, &Limits::default())
}

fn unmet(report: &Report) -> Vec<&str> {
    let checks = report.checks.iter().filter(|check| !check.is_met);
    checks.map(|check| check.name.as_str()).collect()
}

fn key(lab: &str, seed: u64) -> VariantKey {
    VariantKey::of_seed(lab, seed)
}

/// Returns seeds that give each parameter its lowest and its highest value, and each choice.
fn extremes(name: &str, lab: &Lab) -> BTreeSet<u64> {
    let mut seeds = BTreeMap::new();
    let mut ends: BTreeMap<String, (u32, u64, u32, u64)> = BTreeMap::new();
    for seed in 0..VARIANTS {
        for (name, value) in lab.parameters(&key(name, seed)).iter() {
            match value {
                Value::Word(word) => {
                    seeds.entry(format!("{name} {word}")).or_insert(seed);
                }
                Value::Number(number) => {
                    let end = ends
                        .entry(name.to_owned())
                        .or_insert((*number, seed, *number, seed));
                    if *number < end.0 {
                        (end.0, end.1) = (*number, seed);
                    }
                    if *number > end.2 {
                        (end.2, end.3) = (*number, seed);
                    }
                }
            }
        }
    }
    let numbers = ends.values().flat_map(|end| [end.1, end.3]);
    seeds.values().copied().chain(numbers).collect()
}

fn labs() -> BTreeMap<String, Lab> {
    let mut labs = BTreeMap::new();
    for folder in entries(&fixtures().join("labs"))
        .into_iter()
        .filter(|path| path.is_dir())
    {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let text = |path: PathBuf| fs::read_to_string(path).ok();
        let hidden = text(staff().join(&name).join("hidden.txt")).unwrap_or_default();
        let manifest = text(folder.join("lab.txt")).unwrap() + "\n" + &hidden;
        let readme = text(folder.join("README.md")).unwrap();
        let starter = text(folder.join("starter.asm"));
        let solution = text(staff().join(&name).join("solution.asm"));
        let texts = LabTexts {
            manifest: &manifest,
            readme: &readme,
            starter: starter.as_deref(),
            solution: solution.as_deref(),
        };
        let lab = Lab::new(&name, &texts).unwrap_or_else(|error| panic!("{name}: {error}"));
        labs.insert(name, lab);
    }
    labs
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn staff() -> PathBuf {
    fixtures().join("labs-staff")
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}
