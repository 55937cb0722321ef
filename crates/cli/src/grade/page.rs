//! A student's page: what was looked at, and a picture of what went wrong.

use std::fmt::Write;

use pagefault_lab::pack::Visibility;
use pagefault_lab::picture::escaped;

use super::record::StudentRecord;

const STYLE: &str = "
:root { --paper: #fff; --ink: #1a1a1a; --grid: #d5d5d5; --good: #1b7a3d; --bad: #b5450b; }
@media screen and (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e8e8e8; --grid: #3a4046;
  --good: #6fd08f; --bad: #f09a5e; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--paper); color: var(--ink); }
table { border-collapse: collapse; width: 100%; } td, th { padding: .3rem .6rem; text-align: left;
  border-bottom: 1px solid var(--grid); vertical-align: top; }
.good { color: var(--good); } .bad { color: var(--bad); } figure { margin: 0; overflow-x: auto; }
td { overflow-wrap: anywhere; } td:last-child { white-space: nowrap; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid var(--grid); padding: .6rem; }
";

/// Returns the page, in one file. What the student may not see is not in it.
pub(super) fn page(title: &str, record: &StudentRecord) -> String {
    let visible = || {
        let checks = record.checks.iter();
        checks.filter(|check| check.visibility == Visibility::Visible)
    };
    let (earned, points) = visible().fold((0, 0), |(earned, points), check| {
        (earned + check.earned(), points + check.points)
    });
    let name = escaped(&record.student);
    let mut body = format!(
        "<h1>{}</h1>\n<p>{name}: <b>{earned} of {points} points</b></p>\n",
        escaped(title)
    );
    for remark in &record.remarks {
        let _ = writeln!(body, "<p class=\"bad\">{}</p>", escaped(remark));
    }
    body += "<table>\n<tr><th>check</th><th>what it looks for</th><th>points</th></tr>\n";
    for check in visible() {
        let (class, word) = if check.is_met {
            ("good", "met")
        } else {
            ("bad", "not met")
        };
        let seen = check
            .seen
            .iter()
            .map(|line| format!("<br>seen: {}", escaped(line)));
        let _ = writeln!(
            body,
            "<tr><td>{}<br><span class=\"{class}\">{word}</span></td><td>{}{}</td><td>{} of {}</td></tr>",
            escaped(&check.name),
            escaped(&check.says),
            seen.collect::<String>(),
            check.earned(),
            check.points
        );
    }
    body += "</table>\n";
    if !record.explanation.is_empty() {
        let lines = escaped(&record.explanation.join("\n"));
        let _ = writeln!(
            body,
            "<h2>How the first run that failed ended</h2>\n<pre>{lines}</pre>"
        );
    }
    if let Some(picture) = &record.picture {
        let _ = writeln!(body, "<figure>{picture}</figure>");
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{name}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
}
