//! Reports and pictures in a headless Chromium, where one is installed.

mod chromium;
mod png;

use std::env;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use pagefault_tests::command::{pagefault, project};
use serde_json::Value;

use crate::chromium::{Chromium, Scheme, Visit};

const READONLY: &str = "fixtures/programs/write_readonly.asm";
const THREADS: &str = "fixtures/programs/threads_exceptions.asm";
/// What TLBs look up, and which pages are used.
const PATTERN: [&str; 4] = ["--pattern", "zipf:900:100", "--accesses", "50000"];
const STRING: &str = "1 2 3 4 1 2 5 1 2 3 4 5";
const LOOK: &str = include_str!("look.js");
const CLICK: &str = include_str!("click.js");
const GALLERY: &str = include_str!("gallery.js");

#[test]
fn the_report_of_a_run_loads_responds_and_looks_as_it_should() {
    let Some(browser) = Chromium::find("the_report_of_a_run_loads_responds_and_looks_as_it_should")
    else {
        return;
    };
    let report = browser.path("report.html");
    run(&["run", READONLY, "--report", path(&report)]);
    let report = fs::read_to_string(report).unwrap();

    for (scheme, name) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
        let visit = browser.visit(&report, &[LOOK, CLICK], scheme, "1280,3000");

        responds(&visit.findings);
        annoys_nobody(&format!("{name} report"), &visit.findings["judged"]);
        let lightness = visit.picture.lightness();
        match scheme {
            Scheme::Light => assert!(lightness > 200, "a light page is {lightness}"),
            Scheme::Dark => assert!(lightness < 60, "a dark page is {lightness}"),
        }
        looks_like(name, &visit);
    }
}

/// Asserts what clicks have done.
fn responds(findings: &Value) {
    let text = |pointer: &str| findings.pointer(pointer).and_then(Value::as_str).unwrap();
    assert_eq!(text("/marks/row"), "access violation");
    assert_eq!(text("/marks/address"), "00110000");
    assert_eq!(findings["marks"]["rings"], 1);
    assert!(findings["marks"]["count"].as_u64().unwrap() >= 8);
    assert!(text("/marks/moment").contains("VirtualProtect"));

    let zooms = &findings["zooms"];
    for picture in 0..2 {
        assert_ne!(zooms["before"][picture], zooms["after"][picture]);
    }
    assert_eq!(zooms["before"][1], zooms["back"][1]);

    // Six calls of ten events.
    assert_eq!(
        (&findings["filters"]["all"], &findings["filters"]["some"]),
        (&10.into(), &4.into())
    );

    let moments = &findings["moments"];
    assert_eq!(moments["first"][0], "0");
    assert_ne!(moments["first"], moments["last"]);
    assert_eq!(moments["last"][1], moments["back"]);

    let claims = [
        ("/walks/answers/0", "00401000 is in RAM at "),
        ("/walks/answers/0", "P=1 present"),
        ("/walks/answers/1", "table index 272 (110h)"),
        ("/walks/answers/1", "00110004 is in RAM at 0001B004."),
        ("/walks/answers/1", "PAGE_READONLY"),
        ("/walks/answers/2", "PDE 890 is zero: not present."),
        ("/walks/answers/3", "no address of 32 bits"),
        ("/walks/leaf", "0010E000"),
        ("/walks/run", "PAGE_READONLY"),
    ];
    for (pointer, claim) in claims {
        assert!(
            text(pointer).contains(claim),
            "no {claim:?} in {}",
            text(pointer)
        );
    }
}

#[test]
fn pictures_and_pages_are_legible_in_light_and_dark_narrow_and_wide() {
    let Some(browser) =
        Chromium::find("pictures_and_pages_are_legible_in_light_and_dark_narrow_and_wide")
    else {
        return;
    };
    let gallery = gallery(&browser);

    for scheme in [Scheme::Light, Scheme::Dark] {
        let visit = browser.visit(&gallery, &[LOOK, GALLERY], scheme, "1700,1000");

        let frames = visit.findings.as_object().unwrap();
        assert_eq!(frames.len(), gallery.matches("<iframe").count());
        for (name, judged) in frames {
            annoys_nobody(&format!("{name}, {scheme:?}"), judged);
        }
        for (frame, words) in WORDS {
            let said = frames[frame]["words"].to_string();
            for word in words {
                assert!(said.contains(word), "{frame} does not say {word:?}: {said}");
            }
        }
    }
}

/// What axes and legends of pictures say: names, units.
const WORDS: [(&str, &[&str]); 8] = [
    (
        "tlb report at 1000",
        &[
            "misses, per cent of look-ups",
            "entries of a fully associative TLB (logarithmic)",
            "LRU, fully associative",
            "ways",
            "sets",
            "misses of the first level",
            "compulsory",
            "capacity",
            "conflict",
        ],
    ),
    (
        "tlb curve",
        &["LRU", "OPT, the floor", "FIFO", "tree-PLRU", "per cent"],
    ),
    ("tlb sweep", &["ways", "sets", "per cent of look-ups"]),
    ("tlb compare", &["i386", "zen4", "per cent of look-ups"]),
    ("paging curve", &["page faults", "frames", "fifo", "opt"]),
    ("paging time line", &["reference", "frame 2", "fault", "*"]),
    ("walk", &["pointer index", "directory index", "offset"]),
    ("map", &["stack", "image", "reserved", "KiB"]),
];

/// Makes everything that has a picture, and returns a page with all of it.
fn gallery(browser: &Chromium) -> String {
    const TLBS: [&str; 8] = [
        "--tlb",
        "64x4:lru",
        "--tlb",
        "16x4:fifo",
        "--tlb",
        "preset:skylake",
        "--tlb",
        "d=64x4:lru,i=32x4:plru,l2=512x4",
    ];
    let file = |name: &str| path(&browser.path(name)).to_owned();
    let (tlb, report, quiz) = (file("tlb.html"), file("run.html"), file("quiz.html"));
    run(&[&["tlb", "sim"], &PATTERN[..], &TLBS, &["--html", &tlb]].concat());
    run(&["run", THREADS, "--report", &report]);
    run(&[
        "quiz", "--seed", "3", "-c", "--format", "html", "--out", &quiz,
    ]);
    let graded = graded(browser);
    let mut page = "<!DOCTYPE html><meta charset=\"utf-8\"><title>gallery</title>\n".to_owned();
    for (name, document, widths) in [
        ("tlb report", &tlb, [600, 1000]),
        ("run report", &report, [600, 1600]),
        ("quiz", &quiz, [600, 1000]),
        ("graded", &graded, [600, 1000]),
    ] {
        for width in widths {
            frame(&mut page, &format!("{name} at {width}"), document, width);
        }
    }
    let line = file("line.svg");
    run(&[
        "paging",
        STRING,
        "--timeline",
        "fifo:3",
        "--timeline-svg",
        &line,
    ]);
    frame(&mut page, "paging time line", &line, PICTURE_WIDTH);
    for (name, arguments) in pictures() {
        let picture = file(&format!("{name}.svg"));
        run(&[&arguments[..], &["--svg", &picture]].concat());
        frame(&mut page, name, &picture, PICTURE_WIDTH);
    }
    page
}

/// Returns the commands that draw one picture, with names.
fn pictures() -> [(&'static str, Vec<&'static str>); 8] {
    [
        (
            "tlb curve",
            [&["tlb", "curve", "--with", "opt,fifo,plru"], &PATTERN[..]].concat(),
        ),
        ("tlb sweep", [&["tlb", "sweep"], &PATTERN[..]].concat()),
        ("tlb compare", [&["tlb", "compare"], &PATTERN[..]].concat()),
        ("paging curve", vec!["paging", STRING, "--frames", "1-8"]),
        ("explain", vec!["explain", READONLY]),
        ("walk", vec!["walk", "0x401000", THREADS, "--paging", "pae"]),
        ("map", vec!["map", THREADS]),
        ("tlb", vec!["tlb", "show", READONLY]),
    ]
}

/// The width of the frame of a picture, which none exceeds.
const PICTURE_WIDTH: usize = 1500;

/// Grades a program that runs into an access violation, and returns its student's page.
fn graded(browser: &Chromium) -> String {
    let class = browser.path("class");
    fs::create_dir_all(class.join("ada")).unwrap();
    fs::copy(project().join(READONLY), class.join("ada/lab.asm")).unwrap();
    let print = project().join("fixtures/programs/print.inc");
    fs::copy(print, class.join("ada/print.inc")).unwrap();
    let out = browser.path("graded");
    let arguments = ["grade", path(&class), "--lab", "05", "--seed", "1", "--out"];
    run(&[&arguments[..], &[path(&out)]].concat());
    path(&out.join("pages/ada.html")).to_owned()
}

/// Adds a document to a page, in a frame of its own.
fn frame(page: &mut String, name: &str, document: &str, width: usize) {
    let text = fs::read_to_string(document).unwrap();
    let text = text.replace('&', "&amp;").replace('"', "&quot;");
    _ = writeln!(
        page,
        "<iframe title=\"{name}\" style=\"width:{width}px;border:0\" srcdoc=\"{text}\"></iframe>"
    );
}

/// Asserts that nothing overlaps, is cut off or is too faint to read.
fn annoys_nobody(name: &str, judged: &Value) {
    for what in ["overlapping", "outside", "faint"] {
        assert_eq!(judged[what], Value::Array(Vec::new()), "{what}: {name}");
    }
    assert_eq!(judged["hidden"], 0, "{name} is wider than its window");
}

/// Asserts that each part of a screenshot is about as large and has about as much ink as it had;
/// `UPDATE_EXPECT=1` makes it what it should have.
fn looks_like(name: &str, visit: &Visit) {
    let mut seen = String::new();
    for (part, place) in visit.findings["places"].as_object().unwrap() {
        let place: [usize; 4] = serde_json::from_value(place.clone()).unwrap();
        let [_, _, width, height] = place;
        let ink = visit.picture.ink(place);
        _ = writeln!(seen, "{part} {width} {height} {ink}");
    }
    let file = project().join(format!("tests/tests/browser/report-{name}.txt"));
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, seen).unwrap();
        return;
    }
    let expected = fs::read_to_string(&file).unwrap();
    assert_eq!(expected.lines().count(), seen.lines().count());
    for (expected, seen) in expected.lines().zip(seen.lines()) {
        assert!(is_about(expected, seen), "{name}: {expected}, but {seen}");
    }
}

/// Returns whether the numbers of two lines differ as other fonts make them, by a third at most.
fn is_about(expected: &str, seen: &str) -> bool {
    let (expected, seen) = (expected.split(' '), seen.split(' '));
    expected.zip(seen).all(|(expected, seen)| {
        match (expected.parse::<u64>(), seen.parse::<u64>()) {
            (Ok(expected), Ok(seen)) => expected.abs_diff(seen) * 3 <= expected,
            _ => expected == seen,
        }
    })
}

fn run(arguments: &[&str]) {
    let output = pagefault().args(arguments).output().unwrap();
    // Programs that end by an exception, and classes without full marks, are no failures here.
    assert!(
        matches!(output.status.code(), Some(0 | 1 | 120)),
        "{arguments:?}: {output:?}"
    );
}

fn path(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}
