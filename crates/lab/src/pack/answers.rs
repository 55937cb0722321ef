//! Labs whose hand-in are answers to generated exercises.

use std::fmt::Write;

use super::report::{CheckReport, Report, Visibility};
use crate::quiz::{AnswerSheet, Exam, Mark, Topic};
use crate::variant::VariantKey;

/// The points of a question.
const POINTS: u32 = 1;
/// The most bytes of a sheet that are read.
const MAX_SHEET_BYTES: usize = 1 << 20;

/// Returns the exercises, and a line for each answer.
pub(super) fn starter(topics: &[Topic], key: &VariantKey) -> String {
    let exam = Exam::of_key(topics, key);
    let mut text = String::from("# Write each answer behind its number, as 1.1 0x1234.\n");
    for (number, exercise) in (1..).zip(&exam.exercises) {
        let _ = writeln!(text, "\n# {number}. {}\n#", exercise.title);
        for line in exercise.given.iter().flat_map(|given| given.lines()) {
            let _ = writeln!(text, "#   {line}");
        }
        for (question, asked) in (1..).zip(&exercise.questions) {
            let _ = writeln!(text, "\n# {}\n{number}.{question}", asked.text);
        }
    }
    text
}

/// Returns the answers.
pub(super) fn solution(topics: &[Topic], key: &VariantKey) -> String {
    let exam = Exam::of_key(topics, key);
    let mut text = String::new();
    for (number, exercise) in (1..).zip(&exam.exercises) {
        for (question, asked) in (1..).zip(&exercise.questions) {
            let _ = writeln!(text, "{number}.{question} {}", asked.answer);
        }
    }
    text
}

/// Marks a sheet.
pub(super) fn mark(topics: &[Topic], key: &VariantKey, submission: &[u8]) -> Report {
    let exam = Exam::of_key(topics, key);
    let mut report = Report::default();
    let read = &submission[..submission.len().min(MAX_SHEET_BYTES)];
    if read.len() < submission.len() {
        let remark = format!("only the first {MAX_SHEET_BYTES} bytes were read");
        report.remarks.push(remark);
    }
    let sheet = AnswerSheet::read(&String::from_utf8_lossy(read));
    // A question that was left open has its number alone.
    for line in sheet.unread() {
        let remark = format!("line {line} is no answer: write 1.2 0x1234");
        report.remarks.push(remark);
    }
    let score = exam.mark(&sheet);
    for ((number, exercise), marks) in (1..).zip(&exam.exercises).zip(&score.marks) {
        for ((question, asked), mark) in (1..).zip(&exercise.questions).zip(marks) {
            let seen = match mark {
                Mark::Right => Vec::new(),
                Mark::Wrong => vec!["the answer is not right".to_owned()],
                Mark::Missing => vec!["there is no answer".to_owned()],
            };
            report.checks.push(CheckReport {
                name: format!("{number}.{question}"),
                says: asked.text.clone(),
                points: POINTS,
                is_met: *mark == Mark::Right,
                visibility: Visibility::Visible,
                seen,
            });
        }
    }
    report
}
