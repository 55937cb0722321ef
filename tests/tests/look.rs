//! Looking at a stopped program, as a user does.
//!
//! A report is judged by its structure and by the data in it; `browser` looks at it.

use std::fs;
use std::path::Path;
use std::process::Output;

use pagefault_tests::command::pagefault;
use serde_json::Value;
use tempfile::TempDir;

const READONLY: &str = "fixtures/programs/write_readonly.asm";
const GUARD: &str = "fixtures/programs/seh_guard.asm";

#[test]
fn an_exception_is_explained_down_to_each_bit() {
    let output = run(&["explain", READONLY]);

    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let claims = [
        "exception 1 of the run",
        "access violation: write at 0x00110000",
        "PTE 272 at 0x00014440: 0001b265",
        "protected by VirtualProtect(0x00110000, 4096, PAGE_READONLY",
        "TLB          no level holds the page",
        "frame        0x0001b, private contents of page",
        "paging file  nothing of the page is there",
        "    1  R/W             0  can only be read",
        "    0  P               1  present",
        "rule         R/W=0 in one of the two entries forbids writes",
    ];
    for claim in claims {
        assert!(text.contains(claim), "no \"{claim}\" in\n{text}");
    }
}

#[test]
fn one_of_several_exceptions_is_explained_by_its_number() {
    let [first, last] = ["1", "3"].map(|number| {
        let output = run(&["explain", GUARD, "--at", number, "--json"]);
        json(&output)
    });
    let beyond = run(&["explain", GUARD, "--at", "4"]);

    assert_eq!(
        (&first["schema"], &first["exception_number"]),
        (&1.into(), &1.into())
    );
    assert_eq!(last["exception_number"], 3);
    assert_eq!(first["exception"]["code"], 0x8000_0001_u32);
    assert_eq!(first["page"]["walk"]["steps"].as_array().unwrap().len(), 2);
    assert_ne!(first["page"]["addr"], last["page"]["addr"]);
    assert_eq!(beyond.status.code(), Some(1));
    let message = "error: the program has ended before exception number 4: there are 3\n";
    assert_eq!(stderr(&beyond), message);
}

#[test]
fn an_address_is_explained_at_the_moment_that_is_asked_for() {
    let page = |until: &str| {
        let output = run(&[
            "explain",
            GUARD,
            "--address",
            "[base]+1000h",
            "--until",
            until,
            "--json",
        ]);
        json(&output)["page"].clone()
    };

    let (before, after) = (page("fault"), page("exit"));

    assert_eq!(before["addr"], after["addr"]);
    assert_eq!(before["region"]["protect"], 0x104);
    assert_eq!(after["region"]["protect"], 0x04);
    assert_eq!(before["frame"], Value::Null);
    assert_ne!(after["frame"], Value::Null);
    assert_eq!(after["history"][0]["function"], "VirtualAlloc");
}

#[test]
fn the_address_of_a_walk_and_its_program_are_told_apart() {
    let program = "fixtures/programs/exit_code.asm";

    let right = run(&["walk", "0x403000", program]);
    let swapped = run(&["walk", program, "0x403000"]);
    let missing = run(&["walk", "0x403000", "no/such.asm"]);

    assert_eq!(right.status.code(), Some(0), "{}", stderr(&right));
    assert_eq!(
        (right.stdout, right.status),
        (swapped.stdout, swapped.status)
    );
    assert_eq!(missing.status.code(), Some(123));
    assert!(
        stderr(&missing).contains("no/such.asm"),
        "{}",
        stderr(&missing)
    );
}

#[test]
fn a_program_without_exceptions_has_nothing_to_explain() {
    let output = run(&["explain", "fixtures/programs/exit_code.asm"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("no exception was raised"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn moments_and_addresses_that_do_not_exist_are_told() {
    let program = "fixtures/programs/exit_code.asm";
    let cases: [(&[&str], i32, &str); 8] = [
        (
            &["walk", "0", program, "--until", "nowhere"],
            1,
            "\"nowhere\" is no place in the program",
        ),
        (
            &["walk", "0", program, "--until", "Show"],
            1,
            "control never came to Show",
        ),
        (
            &["walk", "0", program, "--until", "start#2"],
            1,
            "only 1 times",
        ),
        (
            &["walk", "0", program, "--until", "insns:5000"],
            1,
            "before 5000 instructions",
        ),
        (
            &["walk", "eax+", program],
            2,
            "is no place in the program: expected",
        ),
        (&["walk", "[0]", program], 2, "cannot be read"),
        (&["walk", "0"], 2, "which program?"),
        (
            &["map", program, "--exit-code", "tool"],
            2,
            "--exit-code is for `pagefault run`",
        ),
    ];
    for (arguments, code, message) in cases {
        let output = run(arguments);

        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let told = stderr(&output);
        assert!(
            told.starts_with("error: ") && told.contains(message),
            "{arguments:?}: {told}"
        );
    }
}

#[test]
fn the_tlb_is_shown_as_it_is_at_a_moment() {
    let show = |until: &str| {
        let program = "fixtures/programs/exit_code.asm";
        json(&run(&[
            "tlb", "show", program, "--tlb", "8x2:lru", "--until", until, "--json",
        ]))
    };

    let (start, end) = (show("start"), show("exit"));
    let counted = run(&["tlb", "show", "fixtures/programs/exit_code.asm", "--stats"]);

    assert_eq!(start["entries"].as_array().unwrap().len(), 0);
    assert!(
        stderr(&counted).starts_with("instructions "),
        "{}",
        stderr(&counted)
    );
    let entries = end["entries"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["page"] == 0x401), "{end}");
    for entry in entries {
        assert!(
            entry["set"].as_u64() < Some(4) && entry["way"].as_u64() < Some(2),
            "{entry}"
        );
    }
}

#[test]
fn a_map_before_an_allocation_lacks_it() {
    let bases = |until: &str| {
        let output = run(&["map", READONLY, "--until", until, "--json"]);
        let map = json(&output);
        let runs = map["map"].as_array().unwrap().clone();
        runs.iter()
            .map(|run| run["base"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };

    assert!(!bases("start").contains(&0x0011_0000));
    assert!(bases("fault").contains(&0x0011_0000));
}

#[test]
fn a_dump_of_physical_memory_is_walked_by_its_cr3() {
    let folder = TempDir::new().unwrap();
    let dump = folder.path().join("ram.bin");
    // A directory at 0x1000 with a table at 0x2000, which maps page 0x403 to frame 3, read-only.
    let mut ram = vec![0_u8; 0x4000];
    ram[0x1004..0x1008].copy_from_slice(&0x0000_2027_u32.to_le_bytes());
    ram[0x200C..0x2010].copy_from_slice(&0x0000_3025_u32.to_le_bytes());
    fs::write(&dump, &ram).unwrap();
    let walk = |address: &str, more: &[&str]| {
        let first = ["walk", "--dump", path(&dump), "--cr3", "0x1000", address];
        run(&[&first[..], more].concat())
    };

    let (found, lost) = (walk("0x403123", &[]), json(&walk("0x404000", &["--json"])));
    let (xv6, ranges) = (walk("all", &["--tables", "xv6"]), walk("all", &[]));
    let no_number = walk("start", &[]);
    let missing = run(&["walk", "--dump", "no/such/file", "--cr3", "0", "0"]);

    assert!(stdout(&found).contains("0x00403123 is 0x00003123, in a 4 KiB page: user, read-only"));
    assert_eq!(lost["walk"]["physical"], Value::Null);
    assert_eq!(lost["walk"]["stopped"], "an entry is not present");
    assert_eq!(
        stdout(&xv6),
        "START PAGE TABLE\n403 P U - 3\nEND PAGE TABLE\n"
    );
    assert!(stdout(&ranges).contains("0x00403000..0x00403fff       1 pages  page  0x00003"));
    assert_eq!(no_number.status.code(), Some(2));
    assert_eq!(missing.status.code(), Some(123));
}

#[test]
fn pictures_are_well_formed_and_say_in_words_what_they_show() {
    let folder = TempDir::new().unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&["explain", READONLY], "PTE at 0x00014440 = 0001b265"),
        (&["walk", "0x401000", READONLY], "PDE at 0x00000004"),
        (&["map", READONLY], "the program's image"),
        (&["tlb", "show", READONLY], "L1 array 0 set 1"),
    ];
    for (arguments, words) in cases {
        let file = folder.path().join("picture.svg");

        let output = run(&[arguments, &["--svg", path(&file)]].concat());

        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}",
            stderr(&output)
        );
        let picture = fs::read_to_string(&file).unwrap();
        assert!(
            picture.contains(words),
            "{arguments:?}: no \"{words}\" in\n{picture}"
        );
        assert!(
            picture.contains("prefers-color-scheme:dark"),
            "{arguments:?}"
        );
        assert_eq!(
            open_elements(&picture),
            Vec::<String>::new(),
            "{arguments:?}"
        );
    }
    let unwritable = run(&["walk", "0", READONLY, "--svg", "no/such/folder/x.svg"]);
    assert_eq!(unwritable.status.code(), Some(125));
    assert!(stderr(&unwritable).starts_with("error: cannot write no/such/folder/x.svg: "));
}

#[test]
fn a_report_is_one_file_with_the_data_of_the_run() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("out.html");

    let output = run(&["run", GUARD, "--report", path(&file)]);

    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("guard page hit at 0000"));
    let page = fs::read_to_string(&file).unwrap();
    // A pattern of the page itself is no address that is fetched.
    let page = page.replace("url(#stripes)", "");
    for network in ["http://", "https://", "src=", "href=", "@import", "url("] {
        let found = page.matches(network).count();
        // The name of SVG is no address that is fetched.
        let allowed = usize::from(network == "http://");
        assert!(found <= allowed, "{network} occurs {found} times");
    }
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
    let data = data(&page);
    assert_eq!(
        (&data["schema"], &data["program"]),
        (&1.into(), &GUARD.into())
    );
    assert_eq!(data["outcome"], "exits with 3");
    assert_eq!(data["exceptions"].as_array().unwrap().len(), 3);
    assert!(
        data["exceptions"][0]["text"]
            .as_str()
            .unwrap()
            .contains("page walk    CR3")
    );
    let rows = data["rows"].as_array().unwrap();
    let has = |kind: &str, text: &str| {
        rows.iter()
            .any(|row| row["kind"] == kind && row["text"].as_str().unwrap().contains(text))
    };
    assert!(has(
        "call",
        "VirtualAlloc(NULL, 12288, MEM_COMMIT, PAGE_READWRITE|PAGE_GUARD) = 110000h"
    ));
    assert!(has("fault", "error code 4"));
    assert!(has("exception", "guard page violation"));
    assert!(data["maps"].as_array().unwrap().len() > 2);
    assert_eq!(data["maps"][0]["why"], "the start");
    assert!(!data["misses"].as_array().unwrap().is_empty());
    assert_eq!(data["tables"]["levels"].as_array().unwrap().len(), 2);
    let ran = data["source"].as_array().unwrap().iter();
    let ran = ran.filter(|line| line["runs"].as_u64() > Some(0)).count();
    assert!(ran > 10, "{ran} lines ran");
}

#[test]
fn a_report_does_not_change_the_run() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("out.html");
    for paging in ["two-level", "pae"] {
        let arguments = ["run", GUARD, "--json", "--paging", paging];

        let plain = json(&run(&arguments));
        let reported = json(&run(&[&arguments[..], &["--report", path(&file)]].concat()));

        for part in ["outcome", "exit_code", "instructions", "stdout"] {
            assert_eq!(plain[part], reported[part], "{part}");
        }
        for part in ["walks", "page_faults", "invalidations"] {
            assert_eq!(
                plain["statistics"][part], reported["statistics"][part],
                "{part}"
            );
        }
        let levels = data(&fs::read_to_string(&file).unwrap())["tables"]["levels"].clone();
        let expected = if paging == "pae" { 3 } else { 2 };
        assert_eq!(levels.as_array().unwrap().len(), expected);
    }
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_the_run() {
    let output = run(&["run", GUARD, "--report", "no/such/folder/out.html"]);

    assert_eq!(output.status.code(), Some(125));
    assert_eq!(stdout(&output), "");
    assert!(
        stderr(&output).starts_with("error: cannot write the report to no/such/folder/out.html: ")
    );
}

/// Returns the data that stands in a report.
fn data(page: &str) -> Value {
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    serde_json::from_str(data).unwrap()
}

/// Returns the elements that are not closed, or closed in the wrong order.
fn open_elements(picture: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    for tag in picture.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        if let Some(closed) = tag.strip_prefix('/') {
            if open.pop().as_deref() != Some(closed) {
                return vec![format!("</{closed}>")];
            }
        } else if !tag.ends_with('/') {
            open.push(name.to_owned());
        }
    }
    open
}

fn run(arguments: &[&str]) -> Output {
    pagefault().args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    let text = stdout(output);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{}", stderr(output)))
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
