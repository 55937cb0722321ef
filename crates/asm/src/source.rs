//! Source files, positions in them, and the bytes of a name as a message shows them.

use std::fmt;
use std::sync::Arc;

/// Names one file of a [`SourceFiles`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(u32);

impl FileId {
    /// Returns the position of the file in [`SourceFiles`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A stretch of one source line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The line, counted from 1.
    pub line: u32,
    /// The first byte of the stretch, counted from 1.
    pub column: u32,
    /// The length in bytes; 0 means the whole line.
    pub len: u32,
}

/// One file that took part in an assembly.
#[derive(Clone, Debug)]
pub struct SourceFile {
    path: String,
    text: Arc<[u8]>,
    line_starts: Vec<u32>,
}

impl SourceFile {
    /// Returns the path as the caller or the include resolver named it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the bytes of line `line`, counted from 1, without its end.
    pub fn line(&self, line: u32) -> Option<&[u8]> {
        let index = line.checked_sub(1)? as usize;
        let start = *self.line_starts.get(index)? as usize;
        let rest = self.text.get(start..)?;
        let len = rest
            .iter()
            .position(|&b| is_line_end(b))
            .unwrap_or(rest.len());
        rest.get(..len)
    }

    /// Returns the number of lines.
    pub fn line_count(&self) -> u32 {
        to_u32(self.line_starts.len())
    }

    /// Returns line and column of the first `byte`.
    pub(crate) fn place_of(&self, byte: u8) -> Option<(u32, u32)> {
        let at = to_u32(self.text.iter().position(|&found| found == byte)?);
        let line = self.line_starts.partition_point(|&start| start <= at);
        let start = line
            .checked_sub(1)
            .and_then(|index| self.line_starts.get(index))?;
        Some((to_u32(line), at - start + 1))
    }

    pub(crate) fn text(&self) -> Arc<[u8]> {
        Arc::clone(&self.text)
    }
}

/// The files that took part in an assembly, in the order in which they were opened.
#[derive(Clone, Debug, Default)]
pub struct SourceFiles {
    files: Vec<SourceFile>,
}

impl SourceFiles {
    /// Returns the file with this id.
    pub fn get(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.index())
    }

    /// Returns all files with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files
            .iter()
            .enumerate()
            .map(|(index, file)| (FileId(to_u32(index)), file))
    }

    /// Returns the path of a file, or an empty text for an id of another set.
    pub fn path(&self, id: FileId) -> &str {
        self.get(id).map_or("", SourceFile::path)
    }

    pub(crate) fn add(&mut self, path: String, text: &[u8]) -> FileId {
        let end = text
            .iter()
            .position(|&b| b == END_OF_FILE)
            .unwrap_or(text.len());
        let text = text.get(..end).unwrap_or(text);
        let id = FileId(to_u32(self.files.len()));
        self.files.push(SourceFile {
            path,
            text: text.into(),
            line_starts: line_starts(text),
        });
        id
    }
}

/// Ctrl-Z, which ends a file as under DOS.
const END_OF_FILE: u8 = 0x1A;

pub(crate) fn is_line_end(byte: u8) -> bool {
    byte == b'\r' || byte == b'\n'
}

fn line_starts(text: &[u8]) -> Vec<u32> {
    let mut starts = vec![0];
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        if byte == b'\r' && text.get(at) == Some(&b'\n') {
            at += 1;
        }
        if is_line_end(byte) {
            starts.push(to_u32(at));
        }
    }
    if starts
        .last()
        .is_some_and(|&last| last as usize == text.len())
        && starts.len() > 1
    {
        starts.pop();
    }
    starts
}

/// Converts a count of bytes or lines, all of which the limits keep far below 4 Gi.
pub(crate) fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Bytes of the source as a message shows them: not UTF-8, hence converted only for display.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceText(Box<[u8]>);

impl SourceText {
    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for SourceText {
    fn from(bytes: &[u8]) -> Self {
        /// Longer texts are cut: a message is one line.
        const SHOWN: usize = 80;
        Self(bytes.get(..SHOWN).unwrap_or(bytes).into())
    }
}

impl fmt::Display for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_cr_lf_lf_or_cr_and_the_file_at_control_z() {
        let mut files = SourceFiles::default();
        let id = files.add("x.asm".into(), b"one\r\ntwo\nthree\rfour\x1Agarbage");
        let file = files.get(id).expect("just added");

        let lines: Vec<_> = (1..=4).map(|n| file.line(n).expect("a line")).collect();

        assert_eq!(lines, [&b"one"[..], b"two", b"three", b"four"]);
        assert_eq!(file.line(5), None);
        assert_eq!(file.line(0), None);
    }
}
