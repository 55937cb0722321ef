//! What a program has written, as far as it is kept.

use std::borrow::Cow;

/// The end of what a program has written.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// What is kept, and up to as many bytes before it, so that they need not move at each write.
    bytes: Vec<u8>,
    written_bytes: u64,
}

impl Output {
    /// What of an output is kept, in bytes: a program can write without end.
    pub const MAX_BYTES: usize = 1 << 20;

    /// Adds what the program writes.
    pub fn add(&mut self, bytes: &[u8]) {
        let added = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.written_bytes = self.written_bytes.saturating_add(added);
        self.bytes.extend_from_slice(last(bytes));
        if self.bytes.len() >= 2 * Self::MAX_BYTES {
            self.bytes.drain(..self.bytes.len() - Self::MAX_BYTES);
        }
    }

    /// Returns the bytes that are kept: the last ones.
    pub fn kept(&self) -> &[u8] {
        last(&self.bytes)
    }

    /// Returns how many bytes came before what is kept.
    pub fn left_out_bytes(&self) -> u64 {
        let kept = u64::try_from(self.kept().len()).unwrap_or(u64::MAX);
        self.written_bytes.saturating_sub(kept)
    }

    /// Returns how many lines are kept.
    pub(crate) fn line_count(&self) -> usize {
        self.raw_lines().count()
    }

    /// Returns `count` lines of those that are kept, from line `first` on; only these are made into
    /// text.
    pub(crate) fn lines(&self, first: usize, count: usize) -> impl Iterator<Item = Cow<'_, str>> {
        self.raw_lines().skip(first).take(count).map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            String::from_utf8_lossy(line)
        })
    }

    fn raw_lines(&self) -> impl Iterator<Item = &[u8]> {
        let kept = self.kept();
        let whole = kept.strip_suffix(b"\n").unwrap_or(kept);
        let lines = whole.split(|&byte| byte == b'\n');
        lines.take(if kept.is_empty() { 0 } else { usize::MAX })
    }
}

fn last(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.len().saturating_sub(Output::MAX_BYTES)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_output_is_kept_and_the_rest_is_counted() {
        let mut output = Output::default();

        output.add(b"first\n");
        for _ in 0..5 {
            output.add(&vec![b'a'; Output::MAX_BYTES / 2]);
        }
        output.add(&vec![b'b'; Output::MAX_BYTES + 1]);
        output.add(b"\nlast");

        let kept = output.kept();
        assert_eq!(kept.len(), Output::MAX_BYTES);
        assert!(kept.starts_with(b"bb") && kept.ends_with(b"b\nlast"));
        let written = 6 + Output::MAX_BYTES / 2 * 5 + Output::MAX_BYTES + 1 + 5;
        let left_out = u64::try_from(written - Output::MAX_BYTES).unwrap();
        assert_eq!(output.left_out_bytes(), left_out);
        assert!(output.bytes.len() < 2 * Output::MAX_BYTES);
    }

    #[test]
    fn lines_end_as_texts_end_them() {
        for (text, lines) in [
            ("", &[][..]),
            ("\n", &[""]),
            ("a\r\nb", &["a", "b"]),
            ("a\n\nb\n", &["a", "", "b"]),
        ] {
            let mut output = Output::default();
            output.add(text.as_bytes());

            assert_eq!(output.lines(0, 9).collect::<Vec<_>>(), lines, "{text:?}");
            assert_eq!(output.line_count(), lines.len(), "{text:?}");
        }
    }
}
