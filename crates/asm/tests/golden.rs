//! Programs against the sections that a MASM-compatible assembler makes of them.
//!
//! `tests/data` has the sources, the raw section bytes, and the lists of relocations and symbols
//! in text form; `tests/data/err` has sources with mistakes and the lines where they are.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use pagefault_asm::{
    Assembled, Content, Failure, IncludeFiles, Object, Options, RelocationKind, SymbolClass,
    SymbolPlace, assemble,
};

#[test]
fn every_program_gives_the_expected_bytes_relocations_and_symbols() {
    let mut failures = String::new();
    let sources = sources(&data());

    for source in &sources {
        let result = assemble_file(source);
        match result {
            Ok(assembled) => compare(source, &assembled.object, &mut failures),
            Err(failure) => write_failure(source, &failure, &mut failures),
        }
    }

    assert!(sources.len() >= 20, "the data are gone");
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn every_mistake_is_reported_on_its_line() {
    let mut failures = String::new();

    for source in sources(&data().join("err")) {
        let expected = expected_lines(&source.with_extension("err"));
        let reported = match assemble_file(&source) {
            Ok(_) => Vec::new(),
            Err(failure) => failure
                .diagnostics
                .iter()
                .map(|found| found.span.line)
                .collect(),
        };
        for line in expected {
            if !reported.contains(&line) {
                let name = source.display();
                let _ = writeln!(
                    failures,
                    "{name}: nothing on line {line}; only {reported:?}"
                );
            }
        }
    }

    assert!(failures.is_empty(), "{failures}");
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("the data folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut sources: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "asm"))
        .collect();
    sources.sort();
    sources
}

struct Folder(PathBuf);

impl IncludeFiles for Folder {
    fn read(&self, _including: &str, name: &[u8]) -> Option<(String, Vec<u8>)> {
        let name = String::from_utf8_lossy(name).into_owned();
        fs::read(self.0.join(&name)).ok().map(|bytes| (name, bytes))
    }
}

fn assemble_file(path: &Path) -> Result<Assembled, Failure> {
    let source = fs::read(path).expect("a source");
    let folder = Folder(path.parent().expect("a folder").into());
    assemble(
        &path.to_string_lossy(),
        &source,
        &folder,
        &Options::default(),
    )
}

fn write_failure(source: &Path, failure: &Failure, out: &mut String) {
    let _ = writeln!(out, "{}: does not assemble", source.display());
    for diagnostic in &failure.diagnostics {
        let _ = writeln!(out, "    {}", diagnostic.one_line(&failure.files));
        for note in &diagnostic.notes {
            let _ = writeln!(out, "        {note}");
        }
    }
}

fn compare(source: &Path, object: &Object, out: &mut String) {
    let files = [
        (".text", "text.bin"),
        (".data", "data.bin"),
        (".rdata", "rdata.bin"),
    ];
    for (section, extension) in files {
        let expected = fs::read(source.with_extension(extension)).unwrap_or_default();
        let found = object.sections.iter().find(|s| s.name == section);
        let actual = found.map(|s| s.bytes.as_slice()).unwrap_or_default();
        if let Some(at) = first_difference(&expected, actual) {
            let name = source.display();
            let from = at.saturating_sub(4);
            let want = expected
                .get(from..(at + 12).min(expected.len()))
                .unwrap_or_default();
            let have = actual
                .get(from..(at + 12).min(actual.len()))
                .unwrap_or_default();
            let _ = writeln!(
                out,
                "{name}: {section}+{from:#x}: {want:02X?} expected, {have:02X?}"
            );
        }
    }
    let expected = fs::read_to_string(source.with_extension("sections.txt")).expect("a listing");
    let actual = listing(object);
    for (want, have) in expected
        .lines()
        .zip(actual.lines().chain(std::iter::repeat("")))
    {
        if want.trim_end() != have {
            let _ = writeln!(out, "{}: {want:?} expected, {have:?}", source.display());
            break;
        }
    }
}

fn first_difference(expected: &[u8], actual: &[u8]) -> Option<usize> {
    let common = expected
        .iter()
        .zip(actual)
        .take_while(|(a, b)| a == b)
        .count();
    (common < expected.len().max(actual.len())).then_some(common)
}

/// The object in the form of the `.sections.txt` files.
fn listing(object: &Object) -> String {
    let mut out = String::new();
    for (index, section) in object.sections.iter().enumerate() {
        let flags = match section.content {
            Content::Code => 0x6000_0020,
            Content::Data => 0xC000_0040,
            Content::Uninitialized => 0xC000_0080,
            Content::Constants => 0x4000_0040_u32,
        } | (section.align.ilog2() + 1) << 20;
        let _ = writeln!(
            out,
            "section {} {} size {:#x} flags {flags:08X} relocations {}",
            index + 1,
            section.name,
            section.size,
            section.relocations.len()
        );
        for relocation in &section.relocations {
            let kind = match relocation.kind {
                RelocationKind::Address => "DIR32",
                RelocationKind::Relative => "REL32",
                RelocationKind::ImageRelative => "DIR32NB",
            };
            let symbol = &object.symbols[relocation.symbol].decorated;
            let _ = writeln!(out, "  {:08X} {kind} {symbol}", relocation.offset);
        }
    }
    let _ = writeln!(out, "symbols");
    for symbol in &object.symbols {
        let (value, section) = match symbol.place {
            SymbolPlace::External => (0, "undefined"),
            SymbolPlace::Common { size_bytes } => (size_bytes, "undefined"),
            SymbolPlace::Defined { section, offset } => (offset, &*object.sections[section].name),
        };
        let ty = if symbol.class == SymbolClass::Procedure {
            0x20
        } else {
            0
        };
        let class = match (symbol.is_public, symbol.class) {
            (true, _) => "external",
            (false, SymbolClass::Label) => "label",
            _ => "static",
        };
        let name = &symbol.decorated;
        let _ = writeln!(
            out,
            "  {name} value {value:08X} section {section} type {ty:x} class {class}"
        );
    }
    out
}

fn expected_lines(path: &Path) -> Vec<u32> {
    let text = fs::read_to_string(path).expect("a list of messages");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|row| row.split('\t').next()?.parse().ok())
        .filter(|&line| line > 0)
        .collect()
}
