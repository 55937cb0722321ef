//! The assembler's diagnostics, as a person reads them.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use pagefault_asm::{Diagnostic, Severity, SourceFiles};
use pagefault_lab::expect::{ExpectError, Span, Unmet};

/// The longest part of a source line that is shown, in characters.
const MAX_LINE_CHARS: usize = 160;

/// Prints diagnostics on standard error.
pub(crate) fn print(diagnostics: &[Diagnostic], files: &SourceFiles) {
    for diagnostic in diagnostics {
        anstream::eprintln!("{}\n", rendered(diagnostic, files));
    }
}

/// Returns a diagnostic with the line that it is about.
pub(crate) fn rendered(diagnostic: &Diagnostic, files: &SourceFiles) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let message = diagnostic.kind.to_string();
    let code = diagnostic.code().map(|code| code.to_string());
    let mut title = level.primary_title(message);
    if let Some(code) = &code {
        title = title.id(code.as_str());
    }

    let span = diagnostic.span;
    let path = files.path(span.file);
    let source = files
        .get(span.file)
        .and_then(|file| file.line(span.line))
        .unwrap_or_default();
    let (line, range) = excerpt(source, span.column, span.len);
    let snippet = Snippet::source(line.as_str())
        .line_start(span.line as usize)
        .path(path)
        .annotation(AnnotationKind::Primary.span(range));
    let mut group = title.element(snippet);
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.to_string()));
    }
    if let Some(help) = diagnostic.help() {
        group = group.element(Level::HELP.message(help));
    }
    Renderer::styled().render(&[group])
}

/// Returns an expectation that cannot be understood, with its line.
pub(crate) fn malformed(error: &ExpectError, path: &str, source: &[u8]) -> String {
    let title = Level::ERROR.primary_title(error.kind.to_string());
    let (line, range) = expectation(error.span, source);
    let snippet = Snippet::source(line.as_str())
        .line_start(error.span.line as usize)
        .path(path)
        .annotation(AnnotationKind::Primary.span(range));
    let mut group = title.element(snippet);
    if let Some(help) = error.kind.help() {
        group = group.element(Level::HELP.message(help));
    }
    Renderer::styled().render(&[group]) + "\n"
}

/// Returns an expectation that is not met, with its line.
pub(crate) fn unmet(unmet: &Unmet, path: &str, source: &[u8]) -> String {
    let title = match unmet.span {
        Some(_) => "the expectation is not met".to_owned(),
        None => format!("not expected: {}", unmet.seen),
    };
    let title = Level::ERROR.primary_title(title);
    let Some(span) = unmet.span else {
        let note = Level::HELP.message("say so with `end` or `fault`, if it is meant");
        let group = title.element(note);
        return Renderer::styled().render(&[group]) + "\n";
    };
    let (line, range) = expectation(span, source);
    let snippet = Snippet::source(line.as_str())
        .line_start(span.line as usize)
        .path(path)
        .annotation(AnnotationKind::Primary.span(range));
    let group = title
        .element(snippet)
        .element(Level::NOTE.message(format!("expected: {}", unmet.expected)))
        .element(Level::NOTE.message(format!("seen: {}", unmet.seen)));
    Renderer::styled().render(&[group]) + "\n"
}

/// Returns the part of a source around a stretch, and the stretch in it.
fn expectation(span: Span, source: &[u8]) -> (String, std::ops::Range<usize>) {
    let newline = |byte: &u8| *byte == b'\n';
    let index = span.line.saturating_sub(1) as usize;
    let line = source.split(newline).nth(index).unwrap_or_default();
    excerpt(line.trim_ascii_end(), span.column, span.len)
}

/// Returns the part of a line around a span, decoded, and the span's bytes in it.
///
/// `column` counts bytes from 1. Sources are in any code page: what is no UTF-8 is shown as `?`.
fn excerpt(line: &[u8], column: u32, len: u32) -> (String, std::ops::Range<usize>) {
    let start = (column.saturating_sub(1) as usize).min(line.len());
    let end = start.saturating_add(len as usize).min(line.len());
    let skipped = start.saturating_sub(MAX_LINE_CHARS / 2);
    let shown = &line[skipped..line.len().min(skipped + MAX_LINE_CHARS)];
    let shown: String = match std::str::from_utf8(shown) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        // One character a byte, so that columns stay right.
        _ => shown.iter().map(|&byte| printable(byte)).collect(),
    };
    let start = (start - skipped).min(shown.len());
    let end = (end - skipped).clamp(start, shown.len());
    let range = whole_characters(&shown, start..end);
    (shown, range)
}

/// Returns a stretch of a text with all of the characters that it has a byte of.
fn whole_characters(text: &str, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let before = (0..=range.start).rev();
    let after = range.end..=text.len();
    let is_boundary = |&at: &usize| text.is_char_boundary(at);
    let start = before.into_iter().find(is_boundary).unwrap_or(0);
    let end = after.into_iter().find(is_boundary).unwrap_or(text.len());
    start..end
}

fn printable(byte: u8) -> char {
    match byte {
        b'\t' => ' ',
        b' '..=b'~' => char::from(byte),
        _ => '?',
    }
}
