//! Names and source lines of a program, for reports.

use pagefault_asm::{Assembled, Image, Rights};

/// A line of source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLine {
    /// The file, as the user named it.
    pub file: String,
    /// The line's number, from 1.
    pub line: u32,
    /// Its text, decoded for display.
    pub text: String,
}

/// A label and the distance from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearSymbol {
    /// The label.
    pub name: String,
    /// Bytes from the label to the address.
    pub offset: u32,
}

/// What is known of a program beyond its bytes.
#[derive(Clone, Debug, Default)]
pub struct DebugInfo {
    /// Labels by address.
    symbols: Vec<(u32, String)>,
    /// Source lines by the address of their first instruction.
    lines: Vec<(u32, usize)>,
    sources: Vec<SourceLine>,
    /// The first address above the program's code.
    end: u32,
}

impl DebugInfo {
    /// Returns what the assembler knows of an image.
    pub fn new(assembled: &Assembled, image: &Image) -> Self {
        let mut symbols: Vec<_> = image
            .symbols
            .iter()
            .map(|symbol| (symbol.addr, symbol.name.clone()))
            .collect();
        symbols.sort();
        let mut sources = Vec::new();
        let mut lines = Vec::new();
        let code: Vec<_> = image
            .segments
            .iter()
            .filter(|segment| segment.rights.contains(Rights::EXECUTE))
            .map(|segment| segment.addr..segment.addr.saturating_add(segment.size))
            .collect();
        for line in &image.lines {
            // Data has lines, too.
            if !code.iter().any(|range| range.contains(&line.addr)) {
                continue;
            }
            let Some(file) = assembled.files.get(line.span.file) else {
                continue;
            };
            let text = file
                .line(line.span.line)
                .map(String::from_utf8_lossy)
                .unwrap_or_default();
            lines.push((line.addr, sources.len()));
            sources.push(SourceLine {
                file: file.path().to_owned(),
                line: line.span.line,
                text: text.into_owned(),
            });
        }
        let end = code.iter().map(|range| range.end).max();
        Self {
            symbols,
            lines,
            sources,
            end: end.unwrap_or(0),
        }
    }

    /// Returns the source line of the instruction at or around `addr`. The jumps to imported
    /// functions, which the linker puts behind the program's code, are of no line.
    pub fn line(&self, addr: u32) -> Option<&SourceLine> {
        if addr >= self.end {
            return None;
        }
        let after = self.lines.partition_point(|&(start, _)| start <= addr);
        let &(start, source) = self.lines.get(after.checked_sub(1)?)?;
        // A label begins a line. What stands behind a label without one was not written by anybody.
        let labels = self.symbols.partition_point(|&(label, _)| label <= addr);
        let label = labels.checked_sub(1).and_then(|at| self.symbols.get(at));
        let is_behind_all = after == self.lines.len();
        if is_behind_all && label.is_some_and(|&(label, _)| label > start) {
            return None;
        }
        self.sources.get(source)
    }

    /// Returns the label at or before `addr`, if it is near.
    pub fn symbol(&self, addr: u32) -> Option<NearSymbol> {
        let after = self.symbols.partition_point(|&(start, _)| start <= addr);
        let (start, name) = self.symbols.get(after.checked_sub(1)?)?;
        let offset = addr - start;
        (offset < MAX_SYMBOL_OFFSET).then(|| NearSymbol {
            name: name.clone(),
            offset,
        })
    }

    /// Returns the source lines that have code, by its address; one may come several times.
    pub fn lines(&self) -> impl Iterator<Item = &SourceLine> {
        self.lines
            .iter()
            .filter_map(|&(_, source)| self.sources.get(source))
    }

    /// Returns the labels by address.
    pub fn labels(&self) -> impl Iterator<Item = (u32, &str)> {
        self.symbols
            .iter()
            .map(|(addr, name)| (*addr, name.as_str()))
    }

    /// Returns the address of a label.
    pub fn address(&self, name: &str) -> Option<u32> {
        self.symbols
            .iter()
            .find(|(_, known)| known == name)
            .map(|&(addr, _)| addr)
    }
}

/// How far from a label an address is still described by it, in bytes.
const MAX_SYMBOL_OFFSET: u32 = 0x1_0000;
