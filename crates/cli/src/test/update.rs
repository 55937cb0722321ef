//! `--update`: exact expectations are rewritten to what was seen.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pagefault_lab::expect::{Span, Update};

use crate::output;
use crate::test::judge::{Judged, Judgement};

/// The programs whose expectations are all met now.
#[derive(Default)]
pub(crate) struct Updated(BTreeSet<PathBuf>);

impl Updated {
    /// Returns whether a program failed and would not fail again.
    pub(crate) fn covers(&self, judged: &Judged) -> bool {
        self.0.contains(&judged.path)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// Rewrites sources and files with expected output.
///
/// # Errors
///
/// One of them cannot be written.
pub(crate) fn apply(judged: &[Judged]) -> anyhow::Result<Updated> {
    let mut updated = Updated::default();
    for one in judged {
        let Judgement::Failed { unmet, .. } = &one.judgement else {
            continue;
        };
        let mut edits = Vec::new();
        for update in unmet.iter().filter_map(|unmet| unmet.update.as_ref()) {
            match update {
                Update::Source { span, text } => edits.push((*span, text.as_str())),
                Update::File { name, bytes } => {
                    let folder = one.path.parent().unwrap_or(Path::new(""));
                    write(&folder.join(name), bytes)?;
                }
            }
        }
        if !edits.is_empty() {
            write(&one.path, &edited(&one.source, edits))?;
        }
        if unmet.iter().all(|unmet| unmet.update.is_some()) {
            updated.0.insert(one.path.clone());
        }
    }
    Ok(updated)
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    output::write_file(path, bytes)
}

/// Returns a source with stretches replaced. Its other bytes stay as they are, line ends too.
fn edited(source: &[u8], mut edits: Vec<(Span, &str)>) -> Vec<u8> {
    // From the end, so that the places before stay right.
    edits.sort_by_key(|(span, _)| std::cmp::Reverse((span.line, span.column)));
    let mut bytes = source.to_vec();
    for (span, text) in edits {
        let Some(start) = line_start(&bytes, span.line) else {
            continue;
        };
        let range = span.range();
        let (start, end) = (start + range.start, start + range.end);
        if end <= bytes.len() {
            bytes.splice(start..end, text.bytes());
        }
    }
    bytes
}

/// Returns where a line begins, counted from 1.
fn line_start(source: &[u8], line: u32) -> Option<usize> {
    let mut start = 0;
    for _ in 1..line {
        let rest = source.get(start..)?;
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n' || *byte == b'\r')?;
        let is_pair = rest[end..].starts_with(b"\r\n");
        start += end + 1 + usize::from(is_pair);
    }
    Some(start)
}
