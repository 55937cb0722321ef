//! The streams of the C library, with their buffers and text mode.

use std::collections::VecDeque;

/// The number of streams: what `_iob` has room for.
pub(crate) const STREAM_COUNT: usize = 20;
/// How much a stream collects before it writes, in bytes.
const BUFFER_BYTES: usize = 4096;
/// Ends a text file where it stands.
const CONTROL_Z: u8 = 0x1A;

/// What a stream reads from and writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Input,
    Output,
    Error,
    /// A file, by its handle.
    File(u32),
}

/// Whether line ends are translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Translation {
    /// `\n` is written as CR LF, and read so.
    Text,
    Binary,
}

/// When a stream writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Buffering {
    /// When its buffer is full, or it is told to.
    Full,
    /// At once.
    None,
}

bitflags::bitflags! {
    /// What may be done with a stream, and how it stands.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct StreamFlags: u8 {
        const READ = 1 << 0;
        const WRITE = 1 << 1;
        /// Writes go to the end of the file, wherever it is read.
        const APPEND = 1 << 2;
        const AT_END = 1 << 3;
        const FAILED = 1 << 4;
    }
}

/// A byte that was put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Taken {
    byte: u8,
    /// How many bytes of the device it was: a line end of text is two.
    len: usize,
}

/// Whether a text has ended where Ctrl-Z stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextEnd {
    NotMet,
    Met,
}

/// Whether a device may have more than was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    Perhaps,
    No,
}

/// A stream that is open.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) device: Device,
    pub(crate) translation: Translation,
    pub(crate) buffering: Buffering,
    /// Written, and not passed on yet.
    pending: Vec<u8>,
    /// Put back, the next one last.
    put_back: Vec<Taken>,
    /// Read and not taken yet, as the device gave it.
    ahead: VecDeque<u8>,
    /// How many bytes of the device the last one taken was.
    last_len: usize,
    /// A text that ends before its device does.
    text: TextEnd,
    pub(crate) flags: StreamFlags,
}

impl Stream {
    pub(crate) fn new(device: Device, translation: Translation) -> Self {
        Self {
            device,
            translation,
            buffering: Buffering::Full,
            pending: Vec::new(),
            put_back: Vec::new(),
            ahead: VecDeque::new(),
            last_len: 1,
            text: TextEnd::NotMet,
            flags: StreamFlags::empty(),
        }
    }

    /// Takes bytes to be written and returns those whose time has come, translated.
    ///
    /// The buffer is written when a byte comes for which it has no room, not when it becomes full,
    /// as the C library has it: that decides the order in which two ways of writing mix.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.buffering == Buffering::None {
            return translated(bytes, self.translation);
        }
        let mut due = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = BUFFER_BYTES - self.pending.len();
            if room == 0 || (self.pending.is_empty() && rest.len() >= BUFFER_BYTES) {
                due.append(&mut self.pending);
                let whole = rest.len() / BUFFER_BYTES * BUFFER_BYTES;
                let (now, later) = rest.split_at(whole);
                due.extend(now);
                rest = later;
                continue;
            }
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.pending.extend(now);
            rest = later;
        }
        translated(&due, self.translation)
    }

    /// Returns what waits to be written, translated.
    pub(crate) fn flush(&mut self) -> Vec<u8> {
        translated(&std::mem::take(&mut self.pending), self.translation)
    }

    /// Returns the next byte that was read ahead, translated. Of a line end whose second half may
    /// still come nothing is taken.
    pub(crate) fn next_ahead(&mut self, more: More) -> Option<u8> {
        if let Some(taken) = self.put_back.pop() {
            self.last_len = taken.len;
            return Some(taken.byte);
        }
        if self.has_ended() {
            return None;
        }
        let first = *self.ahead.front()?;
        let (byte, len) = match (self.translation, first, self.ahead.get(1)) {
            (Translation::Text, CONTROL_Z, _) => {
                self.text = TextEnd::Met;
                return None;
            }
            (Translation::Text, b'\r', Some(b'\n')) => (b'\n', 2),
            (Translation::Text, b'\r', None) if more == More::Perhaps => return None,
            _ => (first, 1),
        };
        self.ahead.drain(..len);
        self.last_len = len;
        Some(byte)
    }

    /// Returns whether nothing more is read, whatever the device has.
    pub(crate) fn has_ended(&self) -> bool {
        self.translation == Translation::Text && self.text == TextEnd::Met
    }

    /// Returns how many bytes of the device were read ahead.
    pub(crate) fn ahead_count(&self) -> usize {
        let put_back: usize = self.put_back.iter().map(|taken| taken.len).sum();
        self.ahead.len() + put_back
    }

    /// Forgets what was read ahead, and that a text had ended.
    pub(crate) fn drop_ahead(&mut self) {
        self.put_back.clear();
        self.ahead.clear();
        self.text = TextEnd::NotMet;
        self.flags -= StreamFlags::AT_END;
    }

    /// Puts a byte back, to be read next; `None` if the buffer has no room.
    pub(crate) fn put_back(&mut self, byte: u8) -> Option<()> {
        if self.ahead_count() >= BUFFER_BYTES {
            return None;
        }
        self.unread(byte);
        Some(())
    }

    /// Puts a byte back that was taken just now, to be read next.
    pub(crate) fn unread(&mut self, byte: u8) {
        let len = std::mem::replace(&mut self.last_len, 1);
        self.put_back.push(Taken { byte, len });
        self.flags -= StreamFlags::AT_END;
    }

    /// Takes bytes that were read from the device.
    pub(crate) fn fill(&mut self, bytes: &[u8]) {
        self.ahead.extend(bytes);
    }
}

/// Returns bytes as they are written to the device.
pub(crate) fn translated(bytes: &[u8], translation: Translation) -> Vec<u8> {
    match translation {
        Translation::Binary => bytes.to_vec(),
        Translation::Text => {
            let mut output = Vec::with_capacity(bytes.len());
            for &byte in bytes {
                if byte == b'\n' {
                    output.push(b'\r');
                }
                output.push(byte);
            }
            output
        }
    }
}

/// The streams by their place in `_iob`.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    streams: Vec<Option<Stream>>,
}

impl Streams {
    /// Returns the streams of a new process: standard input, output and error.
    pub(crate) fn new() -> Self {
        let mut input = Stream::new(Device::Input, Translation::Text);
        input.flags = StreamFlags::READ;
        let mut output = Stream::new(Device::Output, Translation::Text);
        output.flags = StreamFlags::WRITE;
        let mut error = Stream::new(Device::Error, Translation::Text);
        error.flags = StreamFlags::WRITE;
        error.buffering = Buffering::None;
        let mut streams = vec![Some(input), Some(output), Some(error)];
        streams.resize(STREAM_COUNT, None);
        Self { streams }
    }

    /// Returns whether a stream has bytes that are not passed on yet.
    pub(crate) fn hold_output(&self) -> bool {
        let open = self.streams.iter().flatten();
        { open }.any(|stream| !stream.pending.is_empty())
    }

    pub(crate) fn get(&mut self, index: usize) -> Option<&mut Stream> {
        self.streams.get_mut(index)?.as_mut()
    }

    /// Returns the place of a new stream; `None` if all are in use.
    pub(crate) fn open(&mut self, stream: Stream) -> Option<usize> {
        let index = self.streams.iter().position(Option::is_none)?;
        *self.streams.get_mut(index)? = Some(stream);
        Some(index)
    }

    pub(crate) fn close(&mut self, index: usize) -> Option<Stream> {
        self.streams.get_mut(index)?.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_written_when_a_byte_finds_no_room() {
        let mut stream = Stream::new(Device::Output, Translation::Text);

        assert_eq!(stream.put(&[b'a'; BUFFER_BYTES - 1]), b"");
        assert_eq!(stream.put(b"b"), b"");
        assert_eq!(stream.put(b"\n").len(), BUFFER_BYTES);
        assert_eq!(stream.flush(), b"\r\n");
    }

    #[test]
    fn no_more_can_be_put_back_than_a_buffer_holds() {
        let mut stream = Stream::new(Device::Input, Translation::Text);

        let put = std::iter::from_fn(|| stream.put_back(b'x'));

        assert_eq!(put.count(), BUFFER_BYTES);
        assert_eq!(stream.next_ahead(More::No), Some(b'x'));
        assert_eq!(stream.put_back(b'y'), Some(()));
    }

    #[test]
    fn line_ends_are_translated_both_ways() {
        let mut stream = Stream::new(Device::Input, Translation::Text);

        stream.fill(b"a\r\nb\rc\r");

        let first = std::iter::from_fn(|| stream.next_ahead(More::Perhaps));
        assert_eq!(first.collect::<Vec<u8>>(), b"a\nb\rc");
        assert_eq!(stream.ahead_count(), 1);
        stream.fill(b"\n\r");
        assert_eq!(stream.next_ahead(More::No), Some(b'\n'));
        stream.unread(b'\n');
        assert_eq!(stream.ahead_count(), 3);
        let rest = std::iter::from_fn(|| stream.next_ahead(More::No));
        assert_eq!(rest.collect::<Vec<u8>>(), b"\n\r");
    }

    #[test]
    fn a_text_ends_at_its_control_z_until_the_position_is_set() {
        let mut stream = Stream::new(Device::Input, Translation::Text);

        stream.fill(b"a\x1Ab");

        assert_eq!(stream.next_ahead(More::Perhaps), Some(b'a'));
        assert_eq!(stream.next_ahead(More::Perhaps), None);
        stream.fill(b"c");
        assert!(stream.has_ended());
        assert_eq!(stream.next_ahead(More::No), None);
        stream.drop_ahead();
        stream.fill(b"c");
        assert_eq!(stream.next_ahead(More::No), Some(b'c'));
    }
}
