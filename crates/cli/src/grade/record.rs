//! What is known of a student's submission, as it is kept between runs.

use std::fs;
use std::path::Path;

use pagefault_lab::pack::{CheckReport, Report, Visibility};
use serde_json::{Value, json};

/// The version of the records' layout.
const SCHEMA: u64 = 1;

/// A student's marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StudentRecord {
    pub(crate) student: String,
    /// What was graded: submission, lab, parameters, limits.
    pub(crate) mark: String,
    pub(crate) checks: Vec<CheckReport>,
    pub(crate) remarks: Vec<String>,
    pub(crate) explanation: Vec<String>,
    pub(crate) picture: Option<String>,
}

impl StudentRecord {
    pub(crate) fn of_report(report: &Report) -> Self {
        Self {
            checks: report.checks.clone(),
            remarks: report.remarks.clone(),
            explanation: report.explanation.clone(),
            picture: report.picture.clone(),
            ..Self::default()
        }
    }

    pub(crate) fn earned(&self) -> u32 {
        self.checks.iter().map(CheckReport::earned).sum()
    }

    pub(crate) fn points(&self) -> u32 {
        self.checks.iter().map(|check| check.points).sum()
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.checks.iter().all(|check| check.is_met)
    }

    pub(crate) fn to_text(&self) -> String {
        format!("{:#}\n", self.to_json())
    }

    pub(crate) fn to_json(&self) -> Value {
        let check = |check: &CheckReport| {
            json!({
                "name": check.name,
                "says": check.says,
                "points": check.points,
                "earned": check.earned(),
                "met": check.is_met,
                "visibility": check.visibility.name(),
                "seen": check.seen,
            })
        };
        json!({
            "schema": SCHEMA,
            "student": self.student,
            "graded": self.mark,
            "earned": self.earned(),
            "points": self.points(),
            "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
            "remarks": self.remarks,
            "explanation": self.explanation,
            "picture": self.picture,
        })
    }

    /// Reads what was written of the same submission; `None` if there is no such record.
    pub(crate) fn load(path: &Path, mark: &str) -> Option<Self> {
        let record = Self::read(&fs::read(path).ok()?)?;
        (record.mark == mark).then_some(record)
    }

    /// Reads a record.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let object: Value = serde_json::from_slice(bytes).ok()?;
        if object["schema"].as_u64() != Some(SCHEMA) {
            return None;
        }
        let checks = object["checks"].as_array()?.iter().map(check);
        Some(Self {
            student: object["student"].as_str()?.to_owned(),
            mark: object["graded"].as_str()?.to_owned(),
            checks: checks.collect::<Option<_>>()?,
            remarks: lines(&object["remarks"])?,
            explanation: lines(&object["explanation"])?,
            picture: object["picture"].as_str().map(str::to_owned),
        })
    }
}

fn check(object: &Value) -> Option<CheckReport> {
    Some(CheckReport {
        name: object["name"].as_str()?.to_owned(),
        says: object["says"].as_str()?.to_owned(),
        points: u32::try_from(object["points"].as_u64()?).ok()?,
        is_met: object["met"].as_bool()?,
        visibility: Visibility::named(object["visibility"].as_str()?)?,
        seen: lines(&object["seen"])?,
    })
}

fn lines(value: &Value) -> Option<Vec<String>> {
    let lines = value.as_array()?.iter();
    lines.map(|line| line.as_str().map(str::to_owned)).collect()
}
