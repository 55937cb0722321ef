//! `pagefault tlb`, as a user runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use pagefault_tests::command::{pagefault, project};
use serde_json::Value;

#[test]
fn sim_counts_any_number_of_tlbs_with_their_conventions() {
    let trace = trace("sqlite32");

    let output = tlb(&[
        "sim",
        &trace,
        "--tlb",
        "64x4:lru",
        "--tlb",
        "d=64x4:plru_ptr,l2=1536x12:mru3plru4:xor",
        "--straddle",
        "first",
        "--json",
    ]);

    let result = json(&output);
    let rows = result["tlbs"].as_array().unwrap();
    assert_eq!(rows[0]["accesses"], 860_006);
    assert_eq!(rows[0]["l1_misses"], 910);
    assert_eq!(rows[1]["l1_misses"], 1130);
    assert_eq!(rows[1]["l2_misses"], 420);
    assert_eq!(rows[1]["walk_references"], 840);
    assert!(
        result["conventions"]
            .as_str()
            .unwrap()
            .contains("looks up the first one")
    );
    assert!(
        result["formula"]
            .as_str()
            .unwrap()
            .starts_with("effective access time =")
    );
}

#[test]
fn sweep_names_the_cheapest_geometry_under_a_budget() {
    let trace = trace("sqlite32");

    let text = stdout(&tlb(&[
        "sweep",
        &trace,
        "--budget",
        "910",
        "--straddle",
        "first",
    ]));
    let rows = stdout(&tlb(&[
        "sweep",
        &trace,
        "--straddle",
        "first",
        "--format",
        "csv",
    ]));

    assert!(text.contains("cheapest"), "{text}");
    assert_eq!(rows.lines().count(), 161);
    assert!(rows.contains("lru,16,4,64,860006,910,"), "{rows}");
}

#[test]
fn curve_never_falls_below_the_optimum() {
    let trace = trace("matmul32");

    let result = json(&tlb(&[
        "curve",
        &trace,
        "--with",
        "opt,fifo,plru",
        "--json",
    ]));

    for row in result["curve"].as_array().unwrap() {
        if let Some(opt) = row["opt_misses"].as_u64() {
            for policy in ["lru_misses", "fifo_misses", "plru_misses"] {
                let misses = row[policy].as_u64();
                assert!(misses.is_none_or(|misses| misses >= opt), "{policy} {row}");
            }
        }
    }
}

#[test]
fn shards_merged_are_the_whole() {
    let folder = tempdir("shards");
    let sim = |shard: &[&str]| {
        let mut arguments = vec![
            "sim",
            "--pattern",
            "hot:8192:48",
            "--accesses",
            "50000",
            "--format",
            "jsonl",
        ];
        arguments.extend([
            "--tlb",
            "64x4:lru",
            "--tlb",
            "64x64:fifo",
            "--tlb",
            "32x4:plru",
        ]);
        arguments.extend(shard);
        stdout(&tlb(&arguments))
    };
    let whole = sim(&[]);
    let parts = ["1/2", "2/2"].map(|shard| {
        let path = folder.join(shard.replace('/', "-"));
        fs::write(&path, sim(&["--shard", shard])).unwrap();
        path.display().to_string()
    });

    let merged = stdout(&tlb(&["merge", &parts[0], &parts[1], &parts[0]]));

    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&merged), sorted(&whole));
}

#[test]
fn a_recorded_program_can_be_simulated_and_compared() {
    let folder = tempdir("record");
    let program = project()
        .join("fixtures/programs/deep_stack.asm")
        .display()
        .to_string();
    let recordings =
        ["plain.pft", "small.pft.zst"].map(|name| folder.join(name).display().to_string());

    for recording in &recordings {
        let run = pagefault()
            .args(["run", &program, "--record-trace", recording])
            .output()
            .unwrap();
        assert!(run.status.success(), "{run:?}");
    }
    let results = recordings
        .each_ref()
        .map(|recording| json(&tlb(&["sim", recording, "--stream", "unified", "--json"])));
    let compared = json(&tlb(&[
        "compare",
        &program,
        "--presets",
        "i486,skylake",
        "--json",
    ]));

    let row = &results[0]["tlbs"][0];
    assert_eq!(row, &results[1]["tlbs"][0]);
    assert!(row["instructions"].as_u64().unwrap() > 1000, "{row}");
    assert!(
        row["invalidations"].as_u64().unwrap() > 100,
        "page faults drop translations: {row}"
    );
    let rows = compared["tlbs"].as_array().unwrap();
    assert_eq!(
        (&rows[0]["tlb"], &rows[1]["tlb"]),
        (&"i486".into(), &"skylake".into())
    );
    assert_eq!(rows[0]["accesses"], row["accesses"]);
}

#[test]
fn pictures_and_reports_stand_alone() {
    let folder = tempdir("pictures");
    let path = |name: &str| folder.join(name).display().to_string();
    let pattern = ["--pattern", "zipf:500:100", "--accesses", "20000"];
    let draw = |command: &str, more: &[&str]| {
        let output = tlb(&[&[command], &pattern[..], more].concat());
        assert!(output.status.success(), "{output:?}");
    };
    draw(
        "sim",
        &[
            "--html",
            &path("report.html"),
            "--svg",
            &path("reasons.svg"),
        ],
    );
    draw("sweep", &["--svg", &path("map.svg")]);
    draw("curve", &["--with", "opt", "--svg", &path("curve.svg")]);
    draw("compare", &["--svg", &path("compare.svg")]);

    for name in [
        "report.html",
        "reasons.svg",
        "map.svg",
        "curve.svg",
        "compare.svg",
    ] {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        assert!(text.contains("prefers-color-scheme: dark"), "{name}");
        let links = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!links.contains("http"), "{name} needs no network");
        assert_eq!(
            text.matches("<svg").count(),
            text.matches("</svg>").count(),
            "{name}"
        );
    }
    let report = fs::read_to_string(folder.join("report.html")).unwrap();
    assert_eq!(report.matches("<svg").count(), 3);
    assert!(report.contains("entries of a fully associative TLB"));
}

#[test]
fn bad_inputs_end_with_a_clear_error() {
    let folder = tempdir("bad");
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let compressed = fs::read(trace("sqlite32")).unwrap();
    let cases = [
        (
            write("cut.zst", &compressed[..compressed.len() / 2]),
            "the source fails after",
        ),
        (
            write("text", b"This is a letter.\nIt is no trace.\n"),
            "no trace in a known format",
        ),
        (
            write("zeros", &vec![0; 1 << 16]),
            "no trace in a known format",
        ),
        (write("empty", b""), "the trace is empty"),
        (write("xz", b"\xFD7zXZ\0..."), "xz -dc"),
        (folder.join("nowhere").display().to_string(), "cannot read"),
        (folder.display().to_string(), "it is a directory"),
    ];

    for (path, message) in cases {
        let output = tlb(&["sim", &path]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(123), "{error}");
        assert!(error.contains(message), "{path}: {error}");
    }
    for tlb_text in ["0x4", "64x0", "63x4", "64x3:plru", "none", "64"] {
        let output = tlb(&["sim", "--pattern", "loop:9", "--tlb", tlb_text]);
        assert_eq!(output.status.code(), Some(2), "{tlb_text}");
    }
}

#[test]
fn samples_have_no_miss_ratio() {
    let sample = project()
        .join("fixtures/golden/tlb/formats/sample.perf.gz")
        .display()
        .to_string();

    let shown = stdout(&tlb(&["sim", &sample]));
    let refused = tlb(&["curve", &sample]);

    assert!(
        shown.contains("hits, misses and ratios cannot be had"),
        "{shown}"
    );
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn presets_tell_their_sources_and_how_far_to_trust_them() {
    let result = json(&tlb(&["presets", "--json"]));

    let rows = result["presets"].as_array().unwrap();
    assert!(rows.len() > 50, "{}", rows.len());
    for row in rows {
        let trust = row["confidence"].as_str().unwrap();
        assert!(
            ["vendor", "secondary", "unverified"].contains(&trust),
            "{row}"
        );
        assert!(!row["source"].as_str().unwrap().is_empty(), "{row}");
    }
}

fn tlb(arguments: &[&str]) -> Output {
    pagefault().arg("tlb").args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

fn trace(name: &str) -> String {
    let path = project().join(format!("fixtures/traces/{name}.lackey.zst"));
    path.display().to_string()
}

/// Returns an empty folder of this test.
fn tempdir(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tlb-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}
