//! Listings: offset, bytes and source, with the code that directives and macros made.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, MasmFormatter};

use crate::Assembled;
use crate::object::{Content, LineEntry, LineOrigin};
use crate::source::{FileId, SourceFile, to_u32};

/// Bytes shown in one row.
const ROW: usize = 8;
/// Rows of bytes shown for one line.
const MAX_ROWS: usize = 16;
/// Width of the columns before the source text.
const TEXT_COLUMN: usize = 36;

/// Returns the listing of an assembled module.
///
/// Every line of the main file appears with the offset and the bytes that it made; under a line
/// that a directive or a macro expanded stand the instructions made, marked with `*`. Lines of
/// included files appear only if they made bytes, marked with `C`.
pub fn listing(assembled: &Assembled) -> String {
    let mut by_line: BTreeMap<(FileId, u32), Vec<&LineEntry>> = BTreeMap::new();
    for entry in &assembled.object.lines {
        by_line
            .entry((entry.span.file, entry.span.line))
            .or_default()
            .push(entry);
    }
    let mut out = String::new();
    let mut main = None;
    for (id, file) in assembled.files.iter() {
        let is_main = *main.get_or_insert(id) == id;
        for line in 1..=file.line_count() {
            let entries = by_line
                .get(&(id, line))
                .map(Vec::as_slice)
                .unwrap_or_default();
            if is_main || !entries.is_empty() {
                write_line(
                    assembled,
                    file,
                    line,
                    entries,
                    if is_main { ' ' } else { 'C' },
                    &mut out,
                );
            }
        }
    }
    out
}

fn write_line(
    assembled: &Assembled,
    file: &SourceFile,
    line: u32,
    entries: &[&LineEntry],
    mark: char,
    out: &mut String,
) {
    let text = String::from_utf8_lossy(file.line(line).unwrap_or_default()).into_owned();
    let own = entries
        .iter()
        .find(|entry| entry.origin == LineOrigin::Source);
    match own {
        Some(entry) => write_bytes(assembled, entry, &text, mark, out),
        None => {
            let _ = writeln!(out, "{:TEXT_COLUMN$}{mark} {}", "", text.trim_end());
        }
    }
    for entry in entries
        .iter()
        .filter(|entry| entry.origin != LineOrigin::Source)
    {
        let code = disassemble(assembled, entry);
        write_bytes(assembled, entry, &format!("    {code}"), '*', out);
    }
}

fn bytes_of<'a>(assembled: &'a Assembled, entry: &LineEntry) -> &'a [u8] {
    let section = assembled.object.sections.get(entry.section);
    let start = entry.offset as usize;
    section
        .and_then(|s| s.bytes.get(start..start + entry.len as usize))
        .unwrap_or_default()
}

fn write_bytes(assembled: &Assembled, entry: &LineEntry, text: &str, mark: char, out: &mut String) {
    let bytes = bytes_of(assembled, entry);
    let mut rows = bytes.chunks(ROW);
    let mut offset = entry.offset;
    let first = row(offset, rows.next().unwrap_or_default());
    let _ = writeln!(out, "{first:TEXT_COLUMN$}{mark} {}", text.trim_end());
    for bytes in rows.by_ref().take(MAX_ROWS - 1) {
        offset += to_u32(ROW);
        let _ = writeln!(out, "{}", row(offset, bytes).trim_end());
    }
    if rows.next().is_some() {
        let _ = writeln!(out, "          ... {} bytes", bytes.len());
    }
}

fn row(offset: u32, bytes: &[u8]) -> String {
    let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!(" {offset:08X}  {}", hex.join(" "))
}

/// Returns the instruction that an entry made, or nothing for data.
fn disassemble(assembled: &Assembled, entry: &LineEntry) -> String {
    let is_code = assembled
        .object
        .sections
        .get(entry.section)
        .is_some_and(|section| section.content == Content::Code);
    if !is_code {
        return String::new();
    }
    let bytes = bytes_of(assembled, entry);
    let mut decoder = Decoder::with_ip(32, bytes, entry.offset.into(), DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let mut formatter = MasmFormatter::new();
    let mut text = String::new();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        if !text.is_empty() {
            text.push_str("; ");
        }
        formatter.format(&instruction, &mut text);
    }
    text
}
