//! What courses read, against schemas: `results.json` of Gradescope, and `JUnit` XML.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use pagefault_tests::command::{pagefault, project};
use serde_json::{Value, json};
use tempfile::TempDir;

const RESULTS: &str = "fixtures/schemas/gradescope-results.schema.json";
const JUNIT: &str = "fixtures/schemas/junit.xsd";

#[test]
fn results_of_a_class_fit_the_schema_of_gradescope() {
    let schema = schema();
    let folder = TempDir::new().unwrap();
    let out = graded(folder.path());

    let mut seen = 0;
    for entry in fs::read_dir(out.join("gradescope")).unwrap() {
        let path = entry.unwrap().path();
        let results = fs::read_to_string(&path).unwrap();
        let results = serde_json::from_str(&results).unwrap();
        assert_eq!(misfit(&schema, &results), None, "{}", path.display());
        seen += 1;
    }
    assert_eq!(seen, 4);
}

#[test]
fn results_that_break_a_rule_do_not_fit() {
    let schema = schema();
    let good = json!({ "tests": [{ "score": 1, "max_score": 2, "visibility": "visible" }] });
    let breaks: [(&str, Value); 7] = [
        ("neither a score nor tests", json!({ "output": "" })),
        ("no test", json!({ "tests": [] })),
        (
            "a test without a score",
            json!({ "tests": [{ "name": "a" }] }),
        ),
        ("less than nothing", json!({ "score": -1 })),
        (
            "a visibility of ours",
            json!({ "score": 1, "visibility": "staff" }),
        ),
        ("a field of ours", json!({ "score": 1, "grade": "A" })),
        ("a number as text", json!({ "score": "1" })),
    ];

    assert_eq!(misfit(&schema, &good), None);
    for (what, results) in breaks {
        assert!(misfit(&schema, &results).is_some(), "{what}: {results}");
    }
}

#[test]
fn junit_of_a_class_and_of_tests_fits_the_schema() {
    if Command::new("xmllint").arg("--version").output().is_err() {
        // Not captured: whoever reads the log should know.
        _ = writeln!(
            std::io::stderr(),
            "xmllint is not installed: junit_of_a_class_and_of_tests_fits_the_schema checked nothing"
        );
        return;
    }
    let folder = TempDir::new().unwrap();
    let class = graded(folder.path()).join("junit.xml");
    let tests = tested(folder.path());
    let text = fs::read_to_string(&tests).unwrap();
    let spoilt = folder.path().join("spoilt.xml");
    let spoil = |from: &str, to: &str| {
        assert!(text.contains(from), "{from:?} in {text}");
        fs::write(&spoilt, text.replacen(from, to, 1)).unwrap();
        lint(&spoilt)
    };

    for file in [&class, &tests] {
        let (fits, message) = lint(file);
        assert!(fits, "{message}");
    }
    for kind in [
        "<failure message=",
        "<error message=",
        " failures=\"1\"",
        " errors=\"1\"",
    ] {
        assert!(text.contains(kind), "{kind} in {text}");
    }
    assert!(!spoil("<testsuites ", "<testsuites skipped=\"0\" ").0);
    assert!(!spoil("<testcase name=", "<testcase title=").0);
    assert!(!spoil(" tests=\"3\"", " tests=\"three\"").0);
}

/// Grades four submissions of different kinds, and returns the folder of the results.
fn graded(folder: &Path) -> PathBuf {
    let class = folder.join("class");
    let hand_in = |student: &str, program: &str| {
        fs::create_dir_all(class.join(student)).unwrap();
        fs::write(class.join(student).join("lab.asm"), program).unwrap();
    };
    let starter = project().join("fixtures/labs/05-guard-pages/starter.asm");
    hand_in("starter", &fs::read_to_string(starter).unwrap());
    hand_in("crash", &program("    mov eax, [eax - 4]\n"));
    hand_in("<&>", "no program\n");
    fs::create_dir_all(class.join("nothing")).unwrap();
    let out = folder.join("graded");
    let output = pagefault()
        .args(["grade", "--lab", "05", "--seed", "1", "--out"])
        .args([&out, &class])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    out
}

/// Tests a program that passes, one that fails and one that is none, and returns the `JUnit` XML.
fn tested(folder: &Path) -> PathBuf {
    let programs = folder.join("programs");
    fs::create_dir_all(&programs).unwrap();
    let write = |name: &str, text: &str| fs::write(programs.join(name), text).unwrap();
    write("good.asm", &format!(";! exit 3\n{}", program("")));
    write("wrong.asm", &format!(";! exit 4 ; <&>\n{}", program("")));
    write("broken.asm", ";! exit 3\nnonsense here\n");
    let xml = folder.join("tests.xml");
    let output = pagefault()
        .args(["test", "--junit"])
        .args([&xml, &programs])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    xml
}

fn program(body: &str) -> String {
    format!(
        ".386\n.model flat, stdcall\nExitProcess PROTO :DWORD\n.code\nstart:\n    xor eax, eax\n{body}    \
         invoke ExitProcess, 3\nend start\n"
    )
}

/// Returns whether a document fits the schema, and what xmllint says.
fn lint(document: &Path) -> (bool, String) {
    let output = Command::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .arg(project().join(JUNIT))
        .arg(document)
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), message)
}

fn schema() -> Value {
    let text = fs::read_to_string(project().join(RESULTS)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Returns why a value does not fit a schema; `None` if it does.
///
/// The keywords are those of our schema (JSON Schema 2020-12, "Validation"); a full validator would
/// bring seventy packages for them. Another keyword is an error: nothing is passed over.
fn misfit(schema: &Value, value: &Value) -> Option<String> {
    let schema = schema.as_object().expect("a schema is an object");
    schema.iter().find_map(|(keyword, rule)| {
        let problem = match keyword.as_str() {
            "$schema" | "$comment" => None,
            "type" => (!is_of_type(rule, value)).then(|| "its type".to_owned()),
            "enum" => (!items(rule).contains(value)).then(|| "none of the list".to_owned()),
            "minimum" => {
                let number = value.as_f64();
                let is_less = number.is_some_and(|number| Some(number) < rule.as_f64());
                is_less.then(|| "it is too small".to_owned())
            }
            "minItems" => {
                let len = value.as_array().map(|items| items.len() as u64);
                let is_short = len.is_some_and(|len| Some(len) < rule.as_u64());
                is_short.then(|| "too few items".to_owned())
            }
            "required" => items(rule).iter().find_map(|name| {
                let object = value.as_object()?;
                let name = name.as_str().expect("a name");
                (!object.contains_key(name)).then(|| format!("no {name}"))
            }),
            "properties" => rule.as_object().unwrap().iter().find_map(|(name, rule)| {
                let problem = misfit(rule, value.get(name)?)?;
                Some(format!("{name}: {problem}"))
            }),
            "additionalProperties" => {
                assert_eq!(rule, false);
                let known = schema["properties"].as_object().unwrap();
                let mut names = value
                    .as_object()
                    .into_iter()
                    .flat_map(serde_json::Map::keys);
                let other = names.find(|name| !known.contains_key(*name));
                other.map(|name| format!("{name} is unknown"))
            }
            "items" => items(value).iter().find_map(|item| misfit(rule, item)),
            "anyOf" => {
                let problems: Option<Vec<_>> =
                    items(rule).iter().map(|rule| misfit(rule, value)).collect();
                problems.map(|problems| problems.join(" and "))
            }
            other => panic!("the schema has a keyword that is not known here: {other}"),
        };
        problem.map(|problem| format!("{problem} in {value}"))
    })
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn is_of_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        other => panic!("the schema has a type that is not known here: {other:?}"),
    };
    match rule {
        Value::Array(names) => names.iter().any(is),
        name => is(name),
    }
}
