//! The streams of the C library, with their buffers and text mode.

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

/// A stream that is open.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) device: Device,
    pub(crate) translation: Translation,
    pub(crate) buffering: Buffering,
    /// Written, and not passed on yet.
    pending: Vec<u8>,
    /// Read, and not taken yet; the next byte is last.
    ahead: Vec<u8>,
    pub(crate) flags: StreamFlags,
}

impl Stream {
    pub(crate) fn new(device: Device, translation: Translation) -> Self {
        Self {
            device,
            translation,
            buffering: Buffering::Full,
            pending: Vec::new(),
            ahead: Vec::new(),
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

    /// Returns the next byte that was read ahead.
    pub(crate) fn next_ahead(&mut self) -> Option<u8> {
        self.ahead.pop()
    }

    /// Returns how many bytes were read ahead.
    pub(crate) fn ahead_count(&self) -> usize {
        self.ahead.len()
    }

    /// Forgets what was read ahead.
    pub(crate) fn drop_ahead(&mut self) {
        self.ahead.clear();
        self.flags -= StreamFlags::AT_END;
    }

    /// Puts a byte back, to be read next; `None` if the buffer has no room.
    pub(crate) fn put_back(&mut self, byte: u8) -> Option<()> {
        if self.ahead.len() >= BUFFER_BYTES {
            return None;
        }
        self.unread(byte);
        Some(())
    }

    /// Puts a byte back that was taken just now, to be read next.
    pub(crate) fn unread(&mut self, byte: u8) {
        self.ahead.push(byte);
        self.flags -= StreamFlags::AT_END;
    }

    /// Takes bytes that were read from the device.
    pub(crate) fn fill(&mut self, bytes: &[u8]) {
        let mut taken: Vec<u8> = match self.translation {
            Translation::Binary => bytes.to_vec(),
            Translation::Text => bytes
                .iter()
                .copied()
                .take_while(|&byte| byte != CONTROL_Z)
                .filter(|&byte| byte != b'\r')
                .collect(),
        };
        taken.reverse();
        taken.extend(&self.ahead);
        self.ahead = taken;
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
        assert_eq!(stream.next_ahead(), Some(b'x'));
        assert_eq!(stream.put_back(b'y'), Some(()));
    }

    #[test]
    fn line_ends_are_translated_both_ways() {
        let mut stream = Stream::new(Device::Input, Translation::Text);

        stream.fill(b"a\r\nb\x1Ac");

        let read: Vec<u8> = std::iter::from_fn(|| stream.next_ahead()).collect();
        assert_eq!(read, b"a\nb");
    }
}
