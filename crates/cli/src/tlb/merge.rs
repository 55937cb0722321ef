//! `pagefault tlb merge`.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, anyhow};
use serde_json::Value;

use crate::output;
use crate::tlb::args::{Form, MergeArguments};
use crate::tlb::{Failure, write_file};

/// Joins results line by line: geometries do not depend on each other, so that this is exact. A
/// line that is in several files, as the LRU geometries of every shard of a sweep, is kept once.
pub(crate) fn run(arguments: &MergeArguments) -> Result<(), Failure> {
    if !matches!(arguments.output.form(), Form::Text | Form::Jsonl) {
        let message = "merge writes JSON Lines, which every data frame reads";
        return Err(Failure::Usage(message.to_owned()));
    }
    let mut seen = BTreeSet::new();
    let mut text = String::new();
    for path in &arguments.files {
        let what = || format!("cannot read {}", path.display());
        let lines = fs::read_to_string(path)
            .with_context(what)
            .map_err(Failure::Trace)?;
        for (number, line) in (1..).zip(lines.lines()) {
            let value: Value = serde_json::from_str(line)
                .with_context(|| format!("{}: line {number} is no JSON", path.display()))
                .map_err(Failure::Trace)?;
            if value.get("table").is_none() {
                let wrong = anyhow!(
                    "{}: line {number} is no result of --format jsonl",
                    path.display()
                );
                return Err(Failure::Trace(wrong));
            }
            let line = value.to_string();
            if seen.insert(line.clone()) {
                text += &line;
                text.push('\n');
            }
        }
    }
    match &arguments.output.out {
        Some(path) => write_file(path, &text),
        None => output::print(&text).map_err(Failure::Output),
    }
}
