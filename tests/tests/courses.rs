//! The commands for courses: replay, paging, quiz, lab and grade, as their users call them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};
use std::{env, thread};

use pagefault_tests::command::{pagefault, project};
use serde_json::Value;

/// The submissions of the generated class.
const CLASS: usize = 200;
/// A class takes a minute at most on a machine that does nothing else; tests share theirs.
const CLASS_TIME: Duration = Duration::from_secs(3 * 60);

#[test]
fn a_driver_file_is_replayed_with_the_map_after_each_operation() {
    let output = run(&[
        "replay",
        "--format",
        "vmdriver",
        "fixtures/courses/vmdriver.txt",
    ]);

    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(text.matches("base      size KiB").count(), 10);
    assert!(
        text.contains("line 3: read a byte of each page of 0x00a00000, 16384 bytes"),
        "{text}"
    );
    assert!(
        text.contains("4 pages read, 4 of them came in by a page fault"),
        "{text}"
    );
    assert!(
        text.contains("guard page at 0x00a04000: its guard is gone"),
        "{text}"
    );
    assert!(!text.contains("warning"), "{text}");
    assert!(text.ends_with("10 operations, 0 skipped\n"), "{text}");
}

#[test]
fn malformed_lines_are_skipped_with_their_number_and_refused_if_asked() {
    let file = "fixtures/courses/vmdriver_mistakes.txt";
    let skipped = run(&["replay", "--format", "vmdriver", file, "--map", "none"]);
    let refused = run(&["replay", "--format", "vmdriver", file, "--strict"]);
    let missing = run(&["replay", "--format", "vmdriver", "no-such-file"]);
    let moss = run(&["replay", "--format", "moss", file]);

    assert_eq!(skipped.status.code(), Some(1));
    assert_eq!(stderr(&skipped).lines().count(), 6, "{}", stderr(&skipped));
    assert!(
        stderr(&skipped).contains("line 12: the numbers are separated by commas"),
        "{}",
        stderr(&skipped)
    );
    assert!(
        stdout(&skipped).contains("7 operations, 6 skipped"),
        "{}",
        stdout(&skipped)
    );
    assert_eq!(
        (refused.status.code(), stdout(&refused).as_str()),
        (Some(123), "")
    );
    assert_eq!(missing.status.code(), Some(123));
    assert_eq!(moss.status.code(), Some(2));
}

#[test]
fn the_operation_file_is_tracked_in_the_labs_layout() {
    let folder = Folder::new("tracker");
    let out = folder.path("out.txt");
    let output = run(&[
        "replay",
        "--format",
        "opfile",
        "fixtures/courses/opfile.bin",
        "--json",
        "--tracker",
        text(&out),
    ]);

    assert_eq!(output.status.code(), Some(0));
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = object["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 30);
    assert!(steps.iter().all(|step| step["error"].is_null()), "{object}");
    assert_eq!(
        steps[9]["call"],
        "VirtualAlloc(0x00050000, 20480, MEM_COMMIT, PAGE_EXECUTE_READWRITE)"
    );
    let report = fs::read_to_string(&out).unwrap();
    assert_eq!(report.matches("dwActiveProcessorMask\t1\n").count(), 31);
    assert_eq!(report.matches("RegionSize\t").count(), 31);
    let script = run(&[
        "replay",
        "--format",
        "script",
        "fixtures/courses/script.txt",
        "--map",
        "end",
    ]);
    assert!(stdout(&script).contains("MEM_RESET"), "{}", stdout(&script));
}

#[test]
fn json_shows_the_map_when_it_is_asked_for_and_is_written_step_by_step() {
    let with = |map| {
        let file = "fixtures/courses/vmdriver.txt";
        let output = run(&[
            "replay", "--format", "vmdriver", file, "--json", "--map", map,
        ]);
        assert_eq!(output.status.code(), Some(0));
        (stdout(&output), object_of(&output))
    };

    let ((text, each), (_, end), (_, none)) = (with("each"), with("end"), with("none"));

    // The same form as that of every other object.
    assert_eq!(text, format!("{each:#}\n"));
    let steps = |object: &Value| object["steps"].as_array().unwrap().clone();
    assert_eq!(steps(&each).len(), 10);
    assert_eq!(end["map"], steps(&each)[9]["map"]);
    assert!(none.get("map").is_none() && each.get("map").is_none());
    for object in [end, none] {
        assert!(steps(&object).iter().all(|step| step.get("map").is_none()));
        assert_eq!(steps(&object)[9]["call"], steps(&each)[9]["call"]);
    }
}

/// Every step has a map of all regions before it: together they are far larger than the file.
#[cfg(target_os = "linux")]
#[test]
fn a_long_driver_file_does_not_take_the_hosts_memory() {
    let folder = Folder::new("long_driver");
    let file = folder.path("long.txt");
    let lines = (0..1000).map(|at| format!("1 1 {:X} 1 2\n", 0x10_0000 + at * 0x2_0000));
    fs::write(&file, lines.collect::<String>()).unwrap();
    let command = format!(
        "ulimit -v 400000; '{}' replay --format vmdriver --json '{}' | tail -c 200",
        pagefault_tests::command::binary().display(),
        text(&file)
    );

    let output = std::process::Command::new("sh")
        .args(["-c", &command])
        .output()
        .unwrap();

    assert!(stdout(&output).ends_with("\n}\n"), "{}", stderr(&output));
}

#[test]
fn belady_is_shown_and_the_pictures_are_written() {
    let folder = Folder::new("paging");
    let (curve, line) = (folder.path("curve.svg"), folder.path("line.svg"));
    let string = "1 2 3 4 1 2 5 1 2 3 4 5";
    let output = run(&[
        "paging",
        string,
        "--timeline",
        "fifo:3",
        "--timeline-svg",
        text(&line),
        "--svg",
        text(&curve),
    ]);
    let csv = run(&[
        "paging",
        string,
        "--policies",
        "fifo,opt",
        "--format",
        "csv",
    ]);
    let json = run(&["paging", string, "--window", "3,4", "--format", "json"]);

    let shown = stdout(&output);
    assert!(
        shown.contains("fifo          4      10                  9"),
        "{shown}"
    );
    assert!(shown.contains("fifo, 3 frames: 9 faults"), "{shown}");
    assert_eq!(
        stdout(&csv),
        "frames,fifo,opt\n1,12,12\n2,12,9\n3,9,7\n4,10,6\n5,5,5\n"
    );
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["anomalies"][0]["faults"], 10);
    assert_eq!(json["working_set"].as_array().unwrap().len(), 2);
    for picture in [curve, line] {
        assert!(fs::read_to_string(picture).unwrap().ends_with("</svg>\n"));
    }
    for (arguments, code) in [
        (&["paging", "1", "x"][..], 2),
        (&["paging"], 2),
        (&["paging", "1", "--frames", "3-2"], 2),
        (&["paging", "1", "--policies", "best"], 2),
        (&["paging", "--file", "no-such-file"], 123),
        (&["paging", "--trace", "Cargo.toml"], 123),
    ] {
        assert_eq!(run(arguments).status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn csv_is_one_table_and_json_has_the_time_line() {
    let string = "1 2 3 4w 1 2 5 1 2 3 4 5";
    let csv = |options: &[&str]| run(&[&["paging", string, "--format", "csv"], options].concat());

    let window = csv(&["--window", "3"]);
    let line = csv(&["--timeline", "fifo:3"]);
    let folder = Folder::new("csv");
    let picture = folder.path("line.svg");
    let drawn = csv(&["--timeline", "fifo:3", "--timeline-svg", text(&picture)]);
    let json = run(&["paging", string, "--format", "json", "--timeline", "fifo:3"]);

    for refused in [window, line] {
        assert_eq!(refused.status.code(), Some(2));
        assert!(
            stderr(&refused).contains("--format csv"),
            "{}",
            stderr(&refused)
        );
        assert_eq!(stdout(&refused), "");
    }
    assert_eq!(drawn.status.code(), Some(0), "{}", stderr(&drawn));
    assert!(picture.exists());
    let line = &object_of(&json)["timeline"];
    assert_eq!(
        (&line["policy"], &line["faults"]),
        (&"fifo".into(), &9.into())
    );
    let moments = line["moments"].as_array().unwrap();
    assert_eq!(moments.len(), 12);
    assert_eq!(
        moments[3],
        serde_json::json!({
            "page": 4, "is_write": true, "filled_frame": 0, "evicted": 1, "frames": [4, 2, 3],
        })
    );
    assert!(moments[7]["filled_frame"].is_null(), "{}", moments[7]);
}

#[test]
fn a_traces_own_page_numbers_are_taken_and_samples_are_not_counted() {
    let sample = |name: &str| format!("fixtures/golden/tlb/formats/sample.{name}.gz");
    let paging = |name: &str| run(&["paging", "--trace", &sample(name), "--format", "json"]);

    let numbers = paging("oracleGeneral");
    let samples = paging("perf");

    assert_eq!(numbers.status.code(), Some(0), "{}", stderr(&numbers));
    // 23 different numbers, though they would be fewer pages if they were addresses.
    let told = object_of(&numbers)["references"].clone();
    assert!(told.as_str().unwrap().ends_with("to 23 pages"), "{told}");
    assert_eq!(samples.status.code(), Some(2));
    assert!(stderr(&samples).contains("samples"), "{}", stderr(&samples));
}

#[test]
fn a_trace_with_more_references_than_are_kept_is_refused() {
    let folder = Folder::new("long_trace");
    let trace = folder.path("long.din.zst");
    let file = fs::File::create(&trace).unwrap();
    let mut packed = zstd::Encoder::new(file, 1).unwrap();
    let lines = "0 1000\n0 2000\n".repeat(1 << 12);
    for _ in 0..(1 << 10) {
        std::io::Write::write_all(&mut packed, lines.as_bytes()).unwrap();
    }
    std::io::Write::write_all(&mut packed, b"0 1000\n").unwrap();
    packed.finish().unwrap();

    let refused = run(&["paging", "--trace", text(&trace)]);

    assert_eq!(refused.status.code(), Some(123));
    let told = stderr(&refused);
    assert!(told.contains("more than 8388608 references"), "{told}");
}

#[test]
fn a_program_is_recorded_and_its_references_are_counted() {
    let folder = Folder::new("recorded");
    let trace = folder.path("sum.trace");
    let program = "fixtures/programs/sort.asm";
    assert_eq!(
        run(&["run", program, "--record-trace", text(&trace)])
            .status
            .code(),
        Some(0)
    );

    let output = run(&[
        "paging",
        "--trace",
        text(&trace),
        "--frames",
        "1-3",
        "--policies",
        "lru,opt",
    ]);

    let shown = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(shown.contains("write backs"), "{shown}");
}

#[test]
fn a_quiz_is_asked_answered_and_marked() {
    let folder = Folder::new("quiz");
    let sheet = folder.path("answers.txt");
    let asked = run(&["quiz", "--seed", "5"]);
    let shown = run(&["quiz", "--seed", "5", "-c", "--format", "json"]);
    let page = run(&["quiz", "--seed", "5", "--format", "html"]);

    assert!(!stdout(&asked).contains("answer:"), "{}", stdout(&asked));
    assert_eq!(stdout(&asked), stdout(&run(&["quiz", "--seed", "5"])));
    assert!(stdout(&page).contains("<div class=\"room\">") && stdout(&page).ends_with("</html>\n"));
    let object: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let exercises = object["exercises"].as_array().unwrap();
    assert_eq!(exercises.len(), 12);
    let mut lines = String::new();
    for (number, exercise) in (1..).zip(exercises) {
        for (question, asked) in (1..).zip(exercise["questions"].as_array().unwrap()) {
            let answer = asked["answer"].as_str().unwrap();
            let place = format!("{number}.{question} ");
            lines.extend([place.as_str(), answer, "\n"]);
        }
    }
    fs::write(&sheet, &lines).unwrap();
    let right = run(&["quiz", "--seed", "5", "--check", text(&sheet)]);
    let other = run(&["quiz", "--seed", "6", "--check", text(&sheet)]);
    assert_eq!(right.status.code(), Some(0), "{}", stdout(&right));
    assert_eq!(other.status.code(), Some(1));
    assert_eq!(run(&["quiz", "dance"]).status.code(), Some(2));
    assert_eq!(
        run(&["quiz", "--check", "no-such-file"]).status.code(),
        Some(123)
    );
}

#[test]
fn a_student_starts_a_lab_and_checks_it_and_staff_see_its_solution() {
    let folder = Folder::new("start");
    let secret = folder.path("secret");
    fs::write(&secret, "a course's secret\n").unwrap();
    let work = folder.path("ada");
    let staff = ["--student", "ada", "--secret-file", text(&secret)];
    let start = run(&[&["lab", "start", "03", text(&work)], &staff[..]].concat());
    assert_eq!(start.status.code(), Some(0), "{}", stderr(&start));

    let before = run(&["lab", "check", text(&work)]);
    let again = run(&[&["lab", "start", "03", text(&work)], &staff[..]].concat());
    let show = run(&[&["lab", "show", "03", "--solution", "--json"], &staff[..]].concat());
    let object: Value = serde_json::from_slice(&show.stdout).unwrap();
    fs::write(work.join("lab.asm"), object["solution"].as_str().unwrap()).unwrap();
    let after = run(&["lab", "check", text(&work)]);

    assert_eq!(before.status.code(), Some(1));
    assert!(
        stdout(&before).contains("not yet  reserved"),
        "{}",
        stdout(&before)
    );
    assert!(
        !stdout(&before).contains("separately"),
        "a hidden check is shown: {}",
        stdout(&before)
    );
    assert_eq!(
        again.status.code(),
        Some(123),
        "work must not be written over"
    );
    assert_eq!(after.status.code(), Some(0), "{}", stdout(&after));
    assert_eq!(
        run(&["lab", "start", "99", text(&work)]).status.code(),
        Some(123)
    );
    assert_eq!(
        run(&["lab", "check", text(&folder.0)]).status.code(),
        Some(123)
    );
    assert_eq!(stdout(&run(&["lab", "list"])).lines().count(), 15);
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one class, from its making to its results"
)]
fn a_class_of_200_is_graded_whatever_was_handed_in_and_again_after_a_kill() {
    let folder = Folder::new("class");
    let class = folder.path("class");
    make_class(&class);
    let grade = |out: &Path| {
        let mut command = pagefault();
        command.args([
            "grade",
            text(&class),
            "--lab",
            "03",
            "--seed",
            "1",
            "--timeout",
            "10",
        ]);
        command.arg("--out").arg(out);
        command
    };
    let (whole, killed) = (folder.path("whole"), folder.path("killed"));

    let start = Instant::now();
    let output = grade(&whole).output().unwrap();
    let took = start.elapsed();
    let mut child = grade(&killed).spawn().unwrap();
    while fs::read_dir(killed.join("students")).map_or(0, Iterator::count) < CLASS / 4 {
        assert!(child.try_wait().unwrap().is_none(), "it has ended already");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!killed.join("results.json").exists());
    // What a grader leaves that is killed while it writes.
    let leftovers = ["students/.pagefault-a1.part", ".pagefault-b2.part"];
    for name in leftovers {
        fs::write(killed.join(name), "{").unwrap();
    }
    let second = grade(&killed).output().unwrap();

    assert_eq!(
        (output.status.code(), second.status.code()),
        (Some(1), Some(1))
    );
    assert!(took < CLASS_TIME, "{took:?}");
    let text_of = |out: &Path, name: &str| fs::read_to_string(out.join(name)).unwrap();
    for name in leftovers {
        assert!(!killed.join(name).exists(), "{name} is still there");
    }
    for name in ["results.json", "results.csv", "junit.xml"] {
        assert_eq!(text_of(&whole, name), text_of(&killed, name), "{name}");
    }
    let results: Value = serde_json::from_str(&text_of(&whole, "results.json")).unwrap();
    let students = results["students"].as_array().unwrap();
    assert_eq!(students.len(), CLASS);
    for student in students {
        let name = student["student"].as_str().unwrap();
        let kind = name.split('-').next().unwrap();
        let earned = student["earned"].as_u64().unwrap();
        let right = match kind {
            "right" => earned == 10,
            "wrong" => (1..10).contains(&earned),
            _ => earned <= 2,
        };
        assert!(right, "{name}: {earned} points, {student}");
        assert_eq!(student["checks"].as_array().unwrap().len(), 6, "{name}");
    }
    check_gradescope(&whole);
    check_junit(&text_of(&whole, "junit.xml"));
    assert_eq!(text_of(&whole, "results.csv").lines().count(), CLASS + 1);
    let page = text_of(&whole, "pages/crash-000.html");
    assert!(
        page.contains("<svg") && !page.contains("separately"),
        "{page}"
    );
}

/// Gradescope's rules for `results.json`: a score, or tests of which each has one.
fn check_gradescope(out: &Path) {
    let visibilities = ["hidden", "after_due_date", "after_published", "visible"];
    for entry in fs::read_dir(out.join("gradescope")).unwrap() {
        let path = entry.unwrap().path();
        let results: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let object = results.as_object().unwrap();
        let known = [
            "output",
            "output_format",
            "visibility",
            "stdout_visibility",
            "tests",
        ];
        assert!(
            object.keys().all(|name| known.contains(&name.as_str())),
            "{object:?}"
        );
        assert!(visibilities.contains(&object["visibility"].as_str().unwrap()));
        let tests = object["tests"].as_array().unwrap();
        assert_eq!(tests.len(), 6, "{}", path.display());
        for test in tests {
            assert!(test["score"].as_u64().unwrap() <= test["max_score"].as_u64().unwrap());
            assert!(["passed", "failed"].contains(&test["status"].as_str().unwrap()));
            assert!(visibilities.contains(&test["visibility"].as_str().unwrap()));
            assert!(
                test["name"].is_string()
                    && test["output"].is_string()
                    && test["number"].is_string()
            );
        }
        let hidden = tests
            .iter()
            .filter(|test| test["visibility"] == "hidden")
            .count();
        assert_eq!(hidden, 1, "{}", path.display());
    }
}

/// What readers of `JUnit` XML ask for: counts that add up.
fn check_junit(xml: &str) {
    let count = |what: &str| xml.matches(what).count();
    assert!(xml.starts_with("<?xml version=\"1.0\""), "{}", &xml[..100]);
    assert_eq!(count("<testsuite "), CLASS);
    assert_eq!(count("<testcase "), CLASS * 6);
    assert!(
        xml.contains(&format!("tests=\"{}\"", CLASS * 6)),
        "the sum is not there"
    );
    assert!(
        xml.contains(&format!("failures=\"{}\"", count("<failure"))),
        "the sum is not there"
    );
    assert_eq!(count("<testsuites "), 1);
}

#[test]
fn one_check_alone_gives_the_exit_status_and_one_student_the_results_file() {
    let folder = Folder::new("only");
    let class = folder.path("class");
    let student = class.join("ada");
    fs::create_dir_all(&student).unwrap();
    fs::write(student.join("lab.asm"), wrong("touches_everything")).unwrap();
    let results = folder.path("results.json");
    let grade = |more: &[&str]| {
        run(&[&["grade", text(&class), "--lab", "03", "--seed", "1"], more].concat())
    };

    assert_eq!(grade(&["--only", "reserved"]).status.code(), Some(0));
    assert_eq!(grade(&["--only", "untouched"]).status.code(), Some(1));
    assert_eq!(grade(&["--only", "nonsense"]).status.code(), Some(123));
    let one = run(&[
        "grade",
        text(&student),
        "--lab",
        "03",
        "--seed",
        "1",
        "--student",
        "ada",
        "--gradescope",
        text(&results),
    ]);
    assert_eq!(one.status.code(), Some(1));
    assert!(
        stdout(&one).starts_with("ada    8 of 10  not met: untouched"),
        "{}",
        stdout(&one)
    );
    let object: Value = serde_json::from_str(&fs::read_to_string(&results).unwrap()).unwrap();
    assert_eq!(object["tests"][3]["status"], "failed");
    assert_eq!(
        run(&["grade", "no-such-folder", "--lab", "03"])
            .status
            .code(),
        Some(123)
    );
    assert_eq!(
        run(&["grade", text(&class), "--lab", "77"]).status.code(),
        Some(123)
    );
}

#[cfg(unix)]
#[test]
fn a_submission_reads_no_file_of_the_host() {
    let folder = Folder::new("links");
    let class = folder.path("class");
    for name in ["link", "include"] {
        fs::create_dir_all(class.join(name)).unwrap();
    }
    fs::write(
        folder.path("secret.inc"),
        "; a word that nobody may see\n.err <found>\n",
    )
    .unwrap();
    std::os::unix::fs::symlink(folder.path("secret.inc"), class.join("link/lab.asm")).unwrap();
    let source = format!(
        "include {}\ninclude ../../secret.inc\nend\n",
        text(&folder.path("secret.inc"))
    );
    fs::write(class.join("include/lab.asm"), source).unwrap();

    let output = run(&["grade", text(&class), "--lab", "03", "--seed", "1"]);

    let shown = stdout(&output);
    assert!(shown.contains("is no plain file"), "{shown}");
    assert!(!shown.contains("found"), "{shown}");
}

/// Hands in right programs, wrong ones, and whatever else students and their enemies hand in.
fn make_class(class: &Path) {
    let right = solution();
    let programs = [
        ("right", right.clone()),
        ("wrong", wrong("touches_everything")),
        ("loop", right.replace("done:", "forever: jmp forever\ndone:")),
        ("memory", right.replace("done:", "more: invoke VirtualAlloc, 0, 100000h, 3000h, 4\nmov byte ptr [eax], 1\njmp more\ndone:")),
        ("output", right.replace("done:", "more: invoke GetStdHandle, -11\ninvoke WriteFile, eax, 401000h, 4096, esi, 0\njmp more\ndone:")),
        ("malformed", "\u{0}\u{1} no program {{base}} \u{ffff}".to_owned()),
        ("crash", right.replace("start:", "start:\nmov eax, 0\nmov eax, [eax]")),
        ("empty", String::new()),
        ("bomb", bomb()),
    ];
    for number in 0..CLASS {
        // Most of a class hands in work.
        let (kind, source) = &programs[if number % 2 == 0 {
            number % 4 / 2
        } else {
            number / 2 % programs.len()
        }];
        let student = class.join(format!("{kind}-{number:03}"));
        fs::create_dir_all(&student).unwrap();
        if *kind != "empty" {
            fs::write(student.join("lab.asm"), source).unwrap();
        }
    }
    let crash = class.join("crash-000");
    if !crash.exists() {
        fs::rename(class.join("right-000"), &crash).unwrap();
        fs::write(crash.join("lab.asm"), &programs[6].1).unwrap();
    }
}

/// Returns a source whose macros grow without end.
fn bomb() -> String {
    "grow macro n\n grow n+1\n grow n+2\nendm\n.386\n.model flat\n.code\nstart:\n grow 0\nend start\n".to_owned()
}

fn solution() -> String {
    let shown = run(&["lab", "show", "03", "--seed", "1", "--solution", "--json"]);
    let object: Value = serde_json::from_slice(&shown.stdout).unwrap();
    object["solution"].as_str().unwrap().to_owned()
}

/// Returns a wrong solution of lab 3 for seed 1.
fn wrong(name: &str) -> String {
    let shown = run(&["lab", "show", "03", "--seed", "1", "--json"]);
    let object: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let path = project().join(format!(
        "fixtures/labs-staff/03-reserve-commit-touch/wrong/{name}.asm"
    ));
    let mut source = fs::read_to_string(path).unwrap();
    for (name, value) in object["parameters"].as_object().unwrap() {
        let value = value.as_u64().unwrap();
        source = source.replace(&format!("{{{{{name}}}}}"), &value.to_string());
        source = source.replace(&format!("{{{{{name}:h}}}}"), &format!("0{value:X}h"));
    }
    source
}

/// A folder that goes away with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("pagefault-courses-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind in the host's folder for such things harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(arguments: &[&str]) -> Output {
    pagefault().args(arguments).output().unwrap()
}

fn object_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", stderr(output));
    })
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Blocks of kind `sh` hold commands; `# exit N` behind one is its exit code, `work/` a folder.
#[test]
fn the_guides_show_commands_that_work() {
    let folder = Folder::new("guides");
    let work = format!("{}/", text(&folder.0));
    fs::write(folder.path("secret"), "some random letters\n").unwrap();
    let guides = [
        ("docs/INSTRUCTORS.md", 14),
        ("docs/STUDENTS.md", 10),
        ("docs/GUIDE.md", 35),
    ];
    for (document, at_least) in guides {
        let guide = fs::read_to_string(project().join(document)).unwrap();
        let blocks = guide
            .split("```sh\n")
            .skip(1)
            .filter_map(|block| block.split("```").next());
        let commands: Vec<&str> = blocks
            .flat_map(str::lines)
            .filter_map(|line| line.strip_prefix("pagefault "))
            .collect();
        for command in &commands {
            let (command, code) = command.split_once("# exit ").unwrap_or((command, "0"));
            let command = command.replace("work/", &work);
            let arguments: Vec<&str> = command.split_whitespace().collect();

            let output = run(&arguments);

            let shown = (stdout(&output), stderr(&output));
            assert_eq!(
                output.status.code(),
                Some(code.parse().unwrap()),
                "{document}: {command}: {shown:?}"
            );
        }
        assert!(
            commands.len() >= at_least,
            "{document} shows {} commands",
            commands.len()
        );
    }
}

#[cfg(unix)]
#[test]
fn the_autograder_folder_writes_the_results_file_of_gradescope() {
    let folder = Folder::new("autograder");
    let source = folder.path("source");
    let submission = folder.path("submission");
    for path in [&source, &submission] {
        fs::create_dir_all(path).unwrap();
    }
    let link = |from: &Path, name: &str| {
        std::os::unix::fs::symlink(from, source.join(name)).unwrap();
    };
    link(pagefault_tests::command::binary(), "pagefault");
    link(&project().join("fixtures/labs"), "labs");
    link(&project().join("fixtures/labs-staff"), "labs-staff");
    fs::write(source.join("secret"), "letters\n").unwrap();
    fs::write(source.join("lab"), "03\n").unwrap();
    let metadata =
        "{\"id\": 5, \"users\": [\n {\"email\": \"a@b.c\", \"id\": 77, \"name\": \"Ada\"}]}\n";
    fs::write(folder.path("submission_metadata.json"), metadata).unwrap();
    let staff = ["--student", "77", "--secret-file"];
    let secret = source.join("secret");
    let show = run(&[
        &["lab", "show", "03", "--solution", "--json"],
        &staff[..],
        &[text(&secret)],
    ]
    .concat());
    let object: Value = serde_json::from_slice(&show.stdout).unwrap();
    fs::write(
        submission.join("lab.asm"),
        object["solution"].as_str().unwrap(),
    )
    .unwrap();

    let script = project().join("fixtures/autograder/run_autograder");
    let run = std::process::Command::new(script)
        .env("AUTOGRADER", &folder.0)
        .output()
        .unwrap();

    assert!(run.status.success(), "{}", stderr(&run));
    let results = fs::read_to_string(folder.path("results/results.json")).unwrap();
    let object: Value = serde_json::from_str(&results).unwrap();
    let earned: u64 = object["tests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| test["score"].as_u64().unwrap())
        .sum();
    assert_eq!(earned, 10, "{results}");
}
