//! Results in the formats that courses read.

use std::fmt::Write;

use pagefault_lab::pack::{CheckReport, Lab};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use super::record::StudentRecord;

/// The version of the class's results.
const SCHEMA: u32 = 1;

/// Returns what Gradescope reads of one student: `results.json` of its autograder.
pub(super) fn gradescope(record: &StudentRecord) -> String {
    let tests = (1..).zip(&record.checks).map(|(number, check)| {
        let number: u32 = number;
        json!({
            "name": format!("{}: {}", check.name, check.says),
            "number": number.to_string(),
            "score": check.earned(),
            "max_score": check.points,
            "status": if check.is_met { "passed" } else { "failed" },
            "output": test_text(check),
            "output_format": "text",
            "visibility": check.visibility.name(),
        })
    });
    let mut object = json!({
        "output": about(record),
        "output_format": "md",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests.collect::<Vec<_>>(),
    });
    // Without a test there is no sum, and Gradescope wants a score.
    if record.checks.is_empty() {
        object["score"] = json!(0);
    }
    format!("{object:#}\n")
}

/// Returns what a student reads above the tests, as Markdown.
fn about(record: &StudentRecord) -> String {
    let mut text = String::new();
    for remark in &record.remarks {
        let _ = writeln!(text, "{remark}\n");
    }
    if !record.explanation.is_empty() {
        text += "How the first run that failed ended:\n\n```\n";
        for line in &record.explanation {
            let _ = writeln!(text, "{}", line.replace("```", "'''"));
        }
        text += "```\n";
    }
    text
}

fn test_text(check: &CheckReport) -> String {
    if check.is_met {
        return "as it should be".to_owned();
    }
    check.seen.join("\n")
}

/// Returns `JUnit` XML: a suite for each student, a case for each check.
pub(super) fn junit(lab: &Lab, records: &[StudentRecord]) -> anyhow::Result<String> {
    let mut report = Report::new(lab.name());
    for record in records {
        let mut suite = TestSuite::new(record.student.as_str());
        for check in &record.checks {
            let status = if check.is_met {
                TestCaseStatus::success()
            } else {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(check.says.as_str());
                status.set_description(test_text(check));
                status
            };
            let mut case = TestCase::new(check.name.as_str(), status);
            case.set_classname(format!("{}.{}", lab.name(), record.student));
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    crate::grade::junit::xml(&report)
}

/// Returns a line for each student and the points of each check.
pub(super) fn csv(records: &[StudentRecord]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for check in records.iter().flat_map(|record| &record.checks) {
        if !names.contains(&check.name.as_str()) {
            names.push(&check.name);
        }
    }
    let header = ["student", "earned", "points"]
        .into_iter()
        .chain(names.iter().copied());
    let mut text = header.map(quoted).collect::<Vec<_>>().join(",") + ",remarks\n";
    for record in records {
        let mut cells = vec![
            quoted(&record.student),
            record.earned().to_string(),
            record.points().to_string(),
        ];
        for name in &names {
            let check = record.checks.iter().find(|check| check.name == *name);
            cells.push(
                check
                    .map(|check| check.earned().to_string())
                    .unwrap_or_default(),
            );
        }
        cells.push(quoted(&record.remarks.join("; ")));
        text += &(cells.join(",") + "\n");
    }
    text
}

/// Quotes a cell where it must be; one that a spreadsheet would compute gets an apostrophe.
fn quoted(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// Returns everything of the class as one object.
pub(super) fn class(lab: &Lab, records: &[StudentRecord]) -> String {
    let students: Vec<Value> = records
        .iter()
        .map(|record| {
            let mut object = record.to_json();
            // It is in the student's page.
            object["picture"] = Value::Null;
            object
        })
        .collect();
    let object = json!({
        "schema": SCHEMA,
        "lab": lab.name(),
        "title": lab.title(),
        "students": students,
    });
    format!("{object:#}\n")
}

/// Returns a line for each student, and the mean.
pub(super) fn summary(records: &[StudentRecord]) -> String {
    let width = records
        .iter()
        .map(|record| record.student.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for record in records {
        let unmet: Vec<&str> = record
            .checks
            .iter()
            .filter(|check| !check.is_met)
            .map(|check| check.name.as_str())
            .collect();
        let mut line = format!(
            "{:width$}  {:>3} of {}",
            record.student,
            record.earned(),
            record.points()
        );
        if !unmet.is_empty() {
            let _ = write!(line, "  not met: {}", unmet.join(" "));
        }
        if let Some(remark) = record.remarks.first() {
            let _ = write!(line, "  ({remark})");
        }
        let _ = writeln!(text, "{line}");
    }
    let whole = records.iter().filter(|record| record.is_whole()).count();
    let _ = writeln!(text, "{} students, {whole} with full marks", records.len());
    text
}
