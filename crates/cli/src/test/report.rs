//! The results for people and for programs.

use std::fmt::Write;

use pagefault_lab::expect::Unmet;
use serde_json::{Value, json};

use crate::json::SCHEMA;
use crate::test::judge::{Judged, Judgement};
use crate::test::update::Updated;
use crate::{diagnostics, explain};

/// Returns the results as text: a line for each program, what failed, and the sums.
pub(crate) fn text(judged: &[Judged], updated: &Updated) -> String {
    let mut text = format!("running {} programs\n", judged.len());
    for one in judged {
        let result = match &one.judgement {
            _ if updated.covers(one) => "updated".to_owned(),
            Judgement::Passed { expectations, .. } => {
                format!("{} ({expectations} expectations)", green("ok"))
            }
            Judgement::Failed { .. } => red("FAILED"),
            Judgement::Broken(_) => red("BROKEN"),
        };
        _ = writeln!(text, "test {} ... {result}", one.name());
    }
    for one in judged.iter().filter(|one| !updated.covers(one)) {
        let failure = match &one.judgement {
            Judgement::Passed { .. } => continue,
            Judgement::Failed { unmet, .. } => failures(one, unmet),
            Judgement::Broken(message) => message.clone(),
        };
        _ = write!(text, "\n---- {} ----\n{failure}", one.name());
    }
    let count = |is: fn(&Judgement) -> bool| {
        let counted = judged.iter().filter(|one| !updated.covers(one));
        counted.filter(|one| is(&one.judgement)).count()
    };
    let passed = count(|judgement| matches!(judgement, Judgement::Passed { .. }));
    let failed = count(|judgement| matches!(judgement, Judgement::Failed { .. }));
    let broken = count(|judgement| matches!(judgement, Judgement::Broken(_)));
    let result = if failed + broken == 0 {
        green("ok")
    } else {
        red("FAILED")
    };
    let updates = match updated.count() {
        0 => String::new(),
        count => format!("; {count} updated"),
    };
    _ = writeln!(
        text,
        "\ntest result: {result}. {passed} passed; {failed} failed; {broken} broken{updates}"
    );
    text
}

/// Returns what is wrong with a program, and the exception that explains it once.
fn failures(judged: &Judged, unmet: &[Unmet]) -> String {
    let mut text = String::new();
    let mut explained = Vec::new();
    for one in unmet {
        text += &diagnostics::unmet(one, &judged.name(), &judged.source);
        let Some(report) = &one.report else {
            continue;
        };
        let explanation = explain::exception(report);
        if !explained.contains(&explanation) {
            explained.push(explanation);
        }
    }
    for explanation in explained {
        _ = write!(text, "\nwhat happened:\n{explanation}");
    }
    text
}

/// Returns the object that `test --json` prints.
pub(crate) fn json(judged: &[Judged]) -> Value {
    let unmet = |unmet: &Unmet| {
        json!({
            "line": unmet.span.map(|span| span.line),
            "column": unmet.span.map(|span| span.column),
            "expected": unmet.expected,
            "seen": unmet.seen,
        })
    };
    let test = |one: &Judged| match &one.judgement {
        Judgement::Passed {
            expectations,
            instructions,
        } => json!({
            "program": one.name(), "result": "passed",
            "expectations": expectations, "instructions": instructions, "unmet": [],
        }),
        Judgement::Failed {
            expectations,
            instructions,
            unmet: list,
        } => json!({
            "program": one.name(), "result": "failed",
            "expectations": expectations, "instructions": instructions,
            "unmet": list.iter().map(unmet).collect::<Vec<_>>(),
        }),
        Judgement::Broken(message) => json!({
            "program": one.name(), "result": "broken", "message": plain(message),
        }),
    };
    let passed = judged
        .iter()
        .filter(|one| matches!(one.judgement, Judgement::Passed { .. }));
    json!({
        "schema": SCHEMA,
        "passed": passed.count(),
        "programs": judged.len(),
        "tests": judged.iter().map(test).collect::<Vec<_>>(),
    })
}

/// Returns what failed, without colours.
pub(crate) fn plain_failures(judged: &Judged) -> String {
    match &judged.judgement {
        Judgement::Passed { .. } => String::new(),
        Judgement::Failed { unmet, .. } => plain(&failures(judged, unmet)),
        Judgement::Broken(message) => plain(message),
    }
}

/// Returns a text without colours.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn green(text: &str) -> String {
    format!("\x1b[1;32m{text}\x1b[0m")
}

fn red(text: &str) -> String {
    format!("\x1b[1;31m{text}\x1b[0m")
}
