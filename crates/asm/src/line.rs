//! A logical line: its bytes, its tokens, and where each byte came from.

use crate::lex::{Token, tokenize};
use crate::source::{FileId, Span, to_u32};
use crate::words::{Word, word};

/// Names an expansion (of a macro, a loop, a run-time control-flow directive) that made a line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ExpansionId(pub(crate) u32);

/// Where a line stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Site {
    /// The file, or for an expanded line the file of the outermost call.
    pub(crate) file: FileId,
    /// The line in that file.
    pub(crate) line: u32,
    /// The expansion that made the line.
    pub(crate) expansion: Option<ExpansionId>,
}

/// A stretch of a logical line that came from one place.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// First byte of the stretch in the logical line.
    start: u32,
    /// Source line.
    line: u32,
    /// Column of the first byte, from 1.
    column: u32,
    /// Length in the source if the text was replaced, 0 if bytes correspond one to one.
    replaced: u32,
}

/// The bytes of a logical line with their origin, before it is split into tokens.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) bytes: Vec<u8>,
    pub(crate) site: Site,
    /// Whether the bytes are those of one source line, column by column; then there are no pieces.
    is_physical: bool,
    pieces: Vec<Piece>,
}

impl Text {
    /// A line exactly as it stands in a file.
    pub(crate) fn physical(bytes: &[u8], site: Site) -> Self {
        let is_physical = site.expansion.is_none();
        Self {
            bytes: bytes.to_vec(),
            site,
            is_physical,
            pieces: Vec::new(),
        }
    }

    /// The stretch that a whole physical line is.
    fn whole(&self) -> Piece {
        Piece {
            start: 0,
            line: self.site.line,
            column: 1,
            replaced: 0,
        }
    }

    /// Makes the stretches explicit.
    fn split(&mut self) {
        if std::mem::replace(&mut self.is_physical, false) {
            self.pieces.push(self.whole());
        }
    }

    /// A line that the assembler wrote itself.
    pub(crate) fn generated(bytes: Vec<u8>, site: Site) -> Self {
        Self {
            bytes,
            site,
            is_physical: false,
            pieces: Vec::new(),
        }
    }

    /// Cuts the line to `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Appends a continuation line.
    pub(crate) fn join(&mut self, next: &Self) {
        self.split();
        let shift = to_u32(self.bytes.len());
        self.bytes.extend_from_slice(&next.bytes);
        if self.site.expansion.is_none() {
            let whole = next.is_physical.then(|| next.whole());
            let moved = |p: Piece| Piece {
                start: p.start.saturating_add(shift),
                ..p
            };
            self.pieces.extend(
                whole
                    .into_iter()
                    .chain(next.pieces.iter().copied())
                    .map(moved),
            );
        }
    }

    /// Starts a copy of this line in which parts are replaced.
    pub(crate) fn editor(&self) -> Editor<'_> {
        Editor {
            source: self,
            copied: 0,
            bytes: Vec::with_capacity(self.bytes.len()),
            pieces: Vec::new(),
        }
    }

    /// Returns where bytes `start..end` of the line stand in the source.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let start = to_u32(start);
        let len = to_u32(end).saturating_sub(start);
        if self.is_physical {
            let Site { file, line, .. } = self.site;
            return Span {
                file,
                line,
                column: start.saturating_add(1),
                len,
            };
        }
        let place = self.pieces.partition_point(|piece| piece.start <= start);
        let Some(piece) = place
            .checked_sub(1)
            .and_then(|place| self.pieces.get(place))
        else {
            return Span {
                file: self.site.file,
                line: self.site.line,
                column: 1,
                len: 0,
            };
        };
        let (column, len) = match piece.replaced {
            0 => (piece.column.saturating_add(start - piece.start), len),
            replaced => (piece.column, replaced),
        };
        Span {
            file: self.site.file,
            line: piece.line,
            column,
            len,
        }
    }
}

/// Builds a line from another one, keeping track of columns.
#[derive(Debug)]
pub(crate) struct Editor<'t> {
    source: &'t Text,
    copied: usize,
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

impl Editor<'_> {
    /// Copies up to byte `end` of the source line.
    pub(crate) fn copy_to(&mut self, end: usize) {
        if end <= self.copied {
            return;
        }
        self.start_piece(self.copied, 0);
        self.bytes
            .extend_from_slice(self.source.bytes.get(self.copied..end).unwrap_or_default());
        self.copied = end;
    }

    /// Puts `text` in place of the bytes up to `end`.
    pub(crate) fn replace_to(&mut self, end: usize, text: &[u8]) {
        let len = to_u32(end.saturating_sub(self.copied)).max(1);
        self.start_piece(self.copied, len);
        self.bytes.extend_from_slice(text);
        self.copied = end;
    }

    fn start_piece(&mut self, from: usize, replaced: u32) {
        if self.source.pieces.is_empty() && !self.source.is_physical {
            return;
        }
        let span = self.source.span(from, from + 1);
        let start = to_u32(self.bytes.len());
        let replaced = if replaced == 0 && span.len > 1 {
            span.len
        } else {
            replaced
        };
        self.pieces.push(Piece {
            start,
            line: span.line,
            column: span.column,
            replaced,
        });
    }

    /// Number of bytes written so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Copies the rest and returns the new line.
    pub(crate) fn finish(mut self) -> Text {
        self.copy_to(self.source.bytes.len());
        Text {
            bytes: self.bytes,
            site: self.source.site,
            is_physical: false,
            pieces: self.pieces,
        }
    }
}

/// What a token or a replaced part of a line takes in bytes, the same on all hosts.
pub(crate) const PART_COST: usize = 24;
const _: () = assert!(size_of::<Token>() + size_of::<Word>() <= PART_COST);
const _: () = assert!(size_of::<Piece>() <= PART_COST);

/// A logical line split into tokens.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) text: Text,
    pub(crate) tokens: Box<[Token]>,
    pub(crate) words: Box<[Word]>,
}

impl Line {
    pub(crate) fn new(text: Text) -> Self {
        let tokens = tokenize(&text.bytes).into_boxed_slice();
        let words = tokens
            .iter()
            .map(|token| word(*token, &text.bytes))
            .collect();
        Self {
            text,
            tokens,
            words,
        }
    }

    /// About the bytes of memory that the line takes.
    pub(crate) fn cost(&self) -> usize {
        let parts = self.tokens.len() + self.text.pieces.len();
        self.text.bytes.len() + parts * PART_COST
    }

    /// Number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(crate) fn token(&self, at: usize) -> Option<Token> {
        self.tokens.get(at).copied()
    }

    pub(crate) fn word(&self, at: usize) -> Word {
        self.words.get(at).copied().unwrap_or(Word::Name)
    }

    /// The bytes of one token.
    pub(crate) fn bytes(&self, at: usize) -> &[u8] {
        self.token(at)
            .map(|token| token.text(&self.text.bytes))
            .unwrap_or_default()
    }

    /// The bytes of tokens `start..end`, as written.
    pub(crate) fn range(&self, start: usize, end: usize) -> &[u8] {
        if start >= end {
            return &[];
        }
        let (Some(first), Some(last)) = (self.token(start), self.token(end - 1)) else {
            return &[];
        };
        self.text
            .bytes
            .get(first.start as usize..last.end as usize)
            .unwrap_or_default()
    }

    /// The bytes from token `start` to the end of the line.
    pub(crate) fn rest(&self, start: usize) -> &[u8] {
        let Some(first) = self.token(start) else {
            return &[];
        };
        self.text
            .bytes
            .get(first.start as usize..)
            .unwrap_or_default()
    }

    /// Where tokens `start..end` stand in the source; past the last token, the end of the line.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let len = self.text.bytes.len();
        let Some(first) = self.token(start) else {
            return self.text.span(len, len + 1);
        };
        let last = end
            .checked_sub(1)
            .and_then(|last| self.token(last))
            .unwrap_or(first);
        self.text
            .span(first.start as usize, last.end.max(first.end) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceFiles;

    #[test]
    fn columns_survive_the_replacement_of_a_name() {
        let mut files = SourceFiles::default();
        let file = files.add("x.asm".into(), b"");
        let site = Site {
            file,
            line: 7,
            expansion: None,
        };
        let text = Text::physical(b"mov reg1,0", site);

        let mut editor = text.editor();
        editor.copy_to(4);
        editor.replace_to(8, b"esi+ebx");
        let edited = editor.finish();

        assert_eq!(edited.bytes, b"mov esi+ebx,0");
        assert_eq!(
            edited.span(8, 11),
            Span {
                file,
                line: 7,
                column: 5,
                len: 4
            }
        );
        assert_eq!(
            edited.span(12, 13),
            Span {
                file,
                line: 7,
                column: 10,
                len: 1
            }
        );
    }
}
