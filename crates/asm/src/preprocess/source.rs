//! Where lines come from: files, macros and repeat blocks.

use std::sync::Arc;

use super::loops::Repetition;
use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::line::{Site, Text};
use crate::source::{FileId, SourceFiles, Span, is_line_end};

/// Bytes of all expansions that are being read.
const MAX_LIVE_BYTES: usize = 96 << 20;

/// A source of lines.
#[derive(Debug)]
pub(super) enum Source {
    File {
        file: FileId,
        text: Arc<[u8]>,
        at: usize,
        line: u32,
    },
    Expansion(Expanded),
}

/// The lines of a macro or of one round of a repeat block.
#[derive(Debug)]
pub(super) struct Expanded {
    pub(super) lines: Vec<Vec<u8>>,
    pub(super) at: usize,
    pub(super) site: Site,
    /// Conditional blocks that were open before.
    pub(super) conditionals: usize,
    /// Bytes of the lines.
    pub(super) bytes: usize,
    /// What comes after the last line.
    pub(super) repetition: Option<Repetition>,
}

impl Source {
    pub(super) fn file(file: FileId, files: &SourceFiles) -> Self {
        let text = files
            .get(file)
            .map(super::super::source::SourceFile::text)
            .unwrap_or_default();
        Self::File {
            file,
            text,
            at: 0,
            line: 0,
        }
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }
}

impl Assembler<'_> {
    /// Returns the next physical line of the sources above `level`.
    pub(super) fn next_physical(&mut self, level: usize) -> Option<Text> {
        while self.pre.sources.len() > level {
            let line = match self.pre.sources.last_mut()? {
                Source::File {
                    file,
                    text,
                    at,
                    line,
                } => next_file_line(*file, text, at, line),
                Source::Expansion(expanded) => {
                    let bytes = expanded.lines.get(expanded.at).cloned();
                    expanded.at += 1;
                    bytes.map(|bytes| Text::generated(bytes, expanded.site))
                }
            };
            if let Some(line) = line {
                self.count_line(&line)?;
                return Some(line);
            }
            if !self.next_round() {
                self.leave_source();
            }
        }
        None
    }

    fn count_line(&mut self, line: &Text) -> Option<()> {
        let span = Span {
            file: line.site.file,
            line: line.site.line,
            column: 1,
            len: 0,
        };
        if line.site.expansion.is_none() {
            self.pre.last = Some(span);
        }
        self.count_lines(1, span)
    }

    /// Counts lines against the limit; past it everything ends.
    pub(crate) fn count_lines(&mut self, count: u64, span: Span) -> Option<()> {
        self.pre.lines += count;
        let limit = self.options.max_lines;
        if self.pre.lines > limit {
            self.error(Kind::TooManyLines { limit }, span);
            self.is_stopped = true;
            return None;
        }
        Some(())
    }

    /// Counts bytes of files, expansions and kept lines against the limit; past it everything ends.
    pub(crate) fn count_source(&mut self, bytes: usize, span: Span) -> Result<(), Reported> {
        self.pre.source_bytes = self.pre.source_bytes.saturating_add(bytes as u64);
        let limit = self.options.max_source_bytes;
        if self.pre.source_bytes > limit {
            let reported = self.error(Kind::SourceTooLarge { limit }, span);
            self.is_stopped = true;
            return Err(reported);
        }
        Ok(())
    }

    /// Counts the bytes of an expansion against the limits; past them everything ends.
    pub(super) fn count_bytes(&mut self, lines: &[Vec<u8>], span: Span) -> Option<usize> {
        let bytes = lines.iter().map(Vec::len).sum();
        self.count_source(bytes, span).ok()?;
        self.pre.live_bytes += bytes;
        if self.pre.live_bytes > MAX_LIVE_BYTES {
            let limit = u32::try_from(MAX_LIVE_BYTES).unwrap_or(u32::MAX);
            self.error(Kind::LineTooLong { limit }, span);
            self.is_stopped = true;
            return None;
        }
        Some(bytes)
    }

    /// Ends the innermost source.
    pub(super) fn leave_source(&mut self) {
        if let Some(Source::Expansion(expanded)) = self.pre.sources.pop() {
            self.pre.conditionals.truncate(expanded.conditionals);
            self.pre.live_bytes = self.pre.live_bytes.saturating_sub(expanded.bytes);
        }
    }
}

fn next_file_line(file: FileId, text: &[u8], at: &mut usize, line: &mut u32) -> Option<Text> {
    let rest = text.get(*at..).filter(|rest| !rest.is_empty())?;
    let len = rest
        .iter()
        .position(|&byte| is_line_end(byte))
        .unwrap_or(rest.len());
    let end = rest.get(len..len + 2);
    let end_len = match (end, rest.get(len)) {
        (Some(b"\r\n"), _) => 2,
        (_, Some(_)) => 1,
        (_, None) => 0,
    };
    *at += len + end_len;
    *line += 1;
    let site = Site {
        file,
        line: *line,
        expansion: None,
    };
    Some(Text::physical(rest.get(..len)?, site))
}
