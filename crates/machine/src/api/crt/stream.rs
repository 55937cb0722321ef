//! Streams: opening, reading, positions. Where a `FILE` is in memory says which stream it is.

use pagefault_vmm::Win32Code;

use crate::api::crt::output::PART_BYTES;
use crate::api::crt::{EOF, errno};
use crate::api::text::Ansi;
use crate::api::{Call, Stop};
use crate::console;
use crate::error::{FILE_EXISTS, FILE_NOT_FOUND, PATH_NOT_FOUND, TOO_MANY_OPEN_FILES};
use crate::files::{Creation, FilePath};
use crate::services::FileUse;
use crate::stdio::{
    Buffering, Device, More, STREAM_COUNT, Stream, StreamFlags, Translation, translated,
};
use crate::system::SystemCode;
use crate::watch::Watch;

/// The size of a `FILE` in bytes.
const FILE_BYTES: u32 = 32;
/// The offset of its descriptor.
const DESCRIPTOR_OFFSET: u32 = 16;
/// What is read from a device at a time, in bytes.
const READ_BYTES: u32 = 4096;
/// The place of standard input in `_iob`.
const STDIN: usize = 0;

/// Returns the stream of a `FILE`.
pub(super) fn stream_at(file: u32) -> Option<usize> {
    let offset = file.checked_sub(SystemCode::get().datum("_iob"))?;
    let index = usize::try_from(offset / FILE_BYTES).ok()?;
    let is_one = offset.is_multiple_of(FILE_BYTES) && index < STREAM_COUNT;
    is_one.then_some(index)
}

fn file_of(index: usize) -> u32 {
    let offset = u32::try_from(index).unwrap_or(0) * FILE_BYTES;
    SystemCode::get().datum("_iob") + offset
}

impl<W: Watch> Call<'_, W> {
    /// Writes bytes to a device.
    pub(in crate::api) fn write_device(
        &mut self,
        device: Device,
        bytes: &[u8],
    ) -> Result<(), Stop> {
        let console = &mut self.machine.console;
        match device {
            Device::Output => console.write(console::Stream::Output, bytes),
            Device::Error => console.write(console::Stream::Error, bytes),
            Device::Input => {}
            Device::File(handle) => {
                if let Err(code) = self.write_open(handle, bytes) {
                    self.set_errno(errno_of(code))?;
                }
            }
        }
        Ok(())
    }

    /// Writes bytes to a stream; `None` if it does not take them.
    pub(super) fn put_stream(&mut self, index: usize, bytes: &[u8]) -> Result<Option<()>, Stop> {
        let Some(stream) = self.machine.services.streams.get(index) else {
            self.set_errno(errno::BADF)?;
            return Ok(None);
        };
        if !stream.flags.contains(StreamFlags::WRITE) {
            stream.flags |= StreamFlags::FAILED;
            self.set_errno(errno::BADF)?;
            return Ok(None);
        }
        let due = stream.put(bytes);
        self.deliver(index, &due)?;
        Ok(Some(()))
    }

    /// Writes what a stream has made ready.
    fn deliver(&mut self, index: usize, due: &[u8]) -> Result<(), Stop> {
        if due.is_empty() {
            return Ok(());
        }
        let Some(stream) = self.machine.services.streams.get(index) else {
            return Ok(());
        };
        let device = stream.device;
        let appends = stream.flags.contains(StreamFlags::APPEND);
        if let (Device::File(handle), true) = (device, appends) {
            // Other writers may have made the file longer.
            let _ = crate::api::files::seek(self, handle, 0, 2);
        }
        self.write_device(device, due)
    }

    /// Writes what a stream holds back.
    pub(super) fn flush_stream(&mut self, index: usize) -> Result<(), Stop> {
        let Some(stream) = self.machine.services.streams.get(index) else {
            return Ok(());
        };
        let due = stream.flush();
        self.deliver(index, &due)
    }

    /// Writes what all streams hold back, as the library does when it is unloaded.
    pub(in crate::api) fn flush_all(&mut self) -> Result<(), Stop> {
        (0..STREAM_COUNT).try_for_each(|index| self.flush_stream(index))
    }

    /// Returns the next byte of a stream.
    pub(super) fn next_byte(&mut self, index: usize) -> Result<Option<u8>, Stop> {
        loop {
            let Some(stream) = self.machine.services.streams.get(index) else {
                return Ok(None);
            };
            if let Some(byte) = stream.next_ahead(More::Perhaps) {
                return Ok(Some(byte));
            }
            if !stream.flags.contains(StreamFlags::READ) {
                stream.flags |= StreamFlags::FAILED;
                return Ok(None);
            }
            if stream.has_ended() {
                stream.flags |= StreamFlags::AT_END;
                return Ok(None);
            }
            let device = stream.device;
            // What was asked should be seen before the answer is waited for.
            self.flush_stream(if device == Device::Input { 1 } else { index })?;
            let read = self.read_device(device, READ_BYTES);
            let Some(stream) = self.machine.services.streams.get(index) else {
                return Ok(None);
            };
            stream.fill(&read);
            if read.is_empty() {
                let next = stream.next_ahead(More::No);
                stream.flags.set(StreamFlags::AT_END, next.is_none());
                return Ok(next);
            }
        }
    }

    /// Reads what a device has, at most `limit` bytes; none at its end.
    pub(in crate::api) fn read_device(&mut self, device: Device, limit: u32) -> Vec<u8> {
        match device {
            Device::Input => {
                let mut bytes = vec![0; limit as usize];
                let len = self.machine.console.read(&mut bytes);
                bytes.truncate(len);
                bytes
            }
            Device::Output | Device::Error => Vec::new(),
            Device::File(handle) => self.read_open(handle, limit).unwrap_or_default(),
        }
    }
}

fn errno_of(code: Win32Code) -> u32 {
    match code {
        FILE_NOT_FOUND | PATH_NOT_FOUND => errno::NOENT,
        FILE_EXISTS => errno::EXIST,
        TOO_MANY_OPEN_FILES => errno::MFILE,
        Win32Code::INVALID_HANDLE => errno::BADF,
        Win32Code::NOT_ENOUGH_MEMORY => errno::NOMEM,
        Win32Code::ACCESS_DENIED => errno::ACCES,
        _ => errno::INVAL,
    }
}

/// `fopen`.
pub(in crate::api) fn fopen<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [name, mode] = call.arguments();
    let name = call.text::<Ansi>(name)?;
    let mode = call.characters::<Ansi>(mode)?;
    let both = StreamFlags::READ | StreamFlags::WRITE;
    let (creation, mut flags) = match mode.first() {
        Some(b'r') => (Creation::Open, StreamFlags::READ),
        Some(b'w') => (Creation::Replace, StreamFlags::WRITE),
        Some(b'a') => (
            Creation::OpenOrCreate,
            StreamFlags::WRITE | StreamFlags::APPEND,
        ),
        _ => {
            call.set_errno(errno::INVAL)?;
            return Ok(0);
        }
    };
    if mode.contains(&b'+') {
        flags |= both;
    }
    let mut uses = FileUse::empty();
    uses.set(FileUse::READ, flags.contains(StreamFlags::READ));
    uses.set(FileUse::WRITE, flags.contains(StreamFlags::WRITE));
    let path = FilePath::resolve(&call.machine.services.folder, &name);
    let handle = match call.open(path, creation, uses) {
        Ok(handle) => handle,
        Err(error) => {
            call.set_errno(errno_of(crate::api::files::code(error)))?;
            return Ok(0);
        }
    };
    let translation = if mode.contains(&b'b') {
        Translation::Binary
    } else {
        Translation::Text
    };
    let mut stream = Stream::new(Device::File(handle), translation);
    stream.flags = flags;
    let Some(index) = call.machine.services.streams.open(stream) else {
        call.close_open(handle);
        call.set_errno(errno::MFILE)?;
        return Ok(0);
    };
    let file = file_of(index);
    let descriptor = u32::try_from(index).unwrap_or(0);
    call.put_u32(file.wrapping_add(DESCRIPTOR_OFFSET), descriptor)?;
    Ok(file)
}

/// `fclose`.
pub(in crate::api) fn fclose<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [file] = call.arguments();
    let Some(index) = stream_at(file) else {
        return Ok(EOF);
    };
    call.flush_stream(index)?;
    Ok(match call.machine.services.streams.close(index) {
        Some(stream) => {
            if let Device::File(handle) = stream.device {
                call.close_open(handle);
            }
            0
        }
        None => EOF,
    })
}

/// `fflush`: NULL means all streams.
pub(in crate::api) fn fflush<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [file] = call.arguments();
    if file == 0 {
        call.flush_all()?;
        return Ok(0);
    }
    let Some(index) = stream_at(file) else {
        return Ok(EOF);
    };
    call.flush_stream(index)?;
    Ok(0)
}

/// `_flushall`: returns how many streams are open.
pub(in crate::api) fn flushall<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    call.flush_all()?;
    let streams = &mut call.machine.services.streams;
    let open = (0..STREAM_COUNT)
        .filter(|&index| streams.get(index).is_some())
        .count();
    Ok(u32::try_from(open).unwrap_or(0))
}

/// `fgetc` and `getc`.
pub(in crate::api) fn fgetc<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [file] = call.arguments();
    let Some(index) = stream_at(file) else {
        return Ok(EOF);
    };
    Ok(call.next_byte(index)?.map_or(EOF, u32::from))
}

/// `getchar`.
pub(in crate::api) fn getchar<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(call.next_byte(STDIN)?.map_or(EOF, u32::from))
}

/// `_getch` and `_getche`: a key is a byte of standard input.
pub(in crate::api) fn getch<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    /// What the Enter key gives.
    const ENTER: u32 = 13;
    Ok(match call.next_byte(STDIN)? {
        Some(b'\n') => ENTER,
        Some(byte) => byte.into(),
        None => EOF,
    })
}

/// `_kbhit`: whether a byte of standard input is there already.
pub(in crate::api) fn kbhit<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let stream = call.machine.services.streams.get(STDIN);
    Ok(u32::from(stream.is_some_and(|stream| {
        stream.ahead_count() > 0 && !stream.has_ended()
    })))
}

/// `ungetc`.
pub(in crate::api) fn ungetc<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [character, file] = call.arguments();
    let stream = stream_at(file);
    let stream = stream.and_then(|index| call.machine.services.streams.get(index));
    Ok(match stream {
        Some(stream) if character != EOF => stream
            .put_back(character.to_le_bytes()[0])
            .map_or(EOF, |()| character & 0xFF),
        _ => EOF,
    })
}

/// `fgets`: a line with its end, at most `capacity - 1` characters.
pub(in crate::api) fn fgets<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [buffer, capacity, file] = call.arguments();
    let Some(index) = stream_at(file) else {
        return Ok(0);
    };
    let limit = capacity
        .cast_signed()
        .saturating_sub(1)
        .max(0)
        .cast_unsigned();
    let mut line = Sink::new(buffer);
    while line.count < limit {
        let Some(byte) = call.next_byte(index)? else {
            break;
        };
        line.push(call, byte)?;
        if byte == b'\n' {
            break;
        }
    }
    if line.count == 0 && limit > 0 {
        return Ok(0);
    }
    line.push(call, 0)?;
    line.flush(call)?;
    Ok(buffer)
}

/// Where bytes go that a stream gives: to the program, piece by piece. A file can be longer than
/// what the host should hold of it.
pub(super) struct Sink {
    /// Where the next piece goes; `None` if nobody wants it.
    at: Option<u32>,
    held: Vec<u8>,
    /// How many bytes came.
    pub(super) count: u32,
}

impl Sink {
    fn new(buffer: u32) -> Self {
        Self::to(Some(buffer))
    }

    /// Returns a sink to a place, or one that drops what comes.
    pub(super) fn to(place: Option<u32>) -> Self {
        Self {
            at: place,
            held: Vec::new(),
            count: 0,
        }
    }

    pub(super) fn push<W: Watch>(&mut self, call: &mut Call<'_, W>, byte: u8) -> Result<(), Stop> {
        if self.held.len() >= PART_BYTES as usize {
            self.flush(call)?;
        }
        self.held.push(byte);
        self.count = self.count.wrapping_add(1);
        Ok(())
    }

    pub(super) fn flush<W: Watch>(&mut self, call: &mut Call<'_, W>) -> Result<(), Stop> {
        if let Some(at) = &mut self.at {
            call.put_bytes(*at, &self.held)?;
            let len = u32::try_from(self.held.len()).unwrap_or(0);
            *at = at.wrapping_add(len);
        }
        self.held.clear();
        Ok(())
    }
}

/// `gets`: a line of standard input without its end.
pub(in crate::api) fn gets<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [buffer] = call.arguments();
    let mut line = Sink::new(buffer);
    let mut has_read = false;
    while let Some(byte) = call.next_byte(STDIN)? {
        has_read = true;
        if byte == b'\n' {
            break;
        }
        line.push(call, byte)?;
    }
    if !has_read {
        return Ok(0);
    }
    line.push(call, 0)?;
    line.flush(call)?;
    Ok(buffer)
}

/// `fread`: returns how many whole items were read.
pub(in crate::api) fn fread<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [buffer, size, count, file] = call.arguments();
    let Some(index) = stream_at(file) else {
        return Ok(0);
    };
    let Some(wanted) = size.checked_mul(count).filter(|&wanted| wanted > 0) else {
        return Ok(0);
    };
    let mut bytes = Sink::new(buffer);
    while bytes.count < wanted {
        let Some(byte) = call.next_byte(index)? else {
            break;
        };
        bytes.push(call, byte)?;
    }
    bytes.flush(call)?;
    Ok(bytes.count / size)
}

/// `feof`.
pub(in crate::api) fn feof<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    /// `_IOEOF`
    const AT_END: u32 = 0x10;
    let [file] = call.arguments();
    let stream = stream_at(file);
    let stream = stream.and_then(|index| call.machine.services.streams.get(index));
    Ok(stream.map_or(0, |stream| {
        u32::from(stream.flags.contains(StreamFlags::AT_END)) * AT_END
    }))
}

/// `ferror`.
pub(in crate::api) fn ferror<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    /// `_IOERR`
    const FAILED: u32 = 0x20;
    let [file] = call.arguments();
    let stream = stream_at(file);
    let stream = stream.and_then(|index| call.machine.services.streams.get(index));
    Ok(stream.map_or(0, |stream| {
        u32::from(stream.flags.contains(StreamFlags::FAILED)) * FAILED
    }))
}

/// `clearerr`.
pub(in crate::api) fn clearerr<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [file] = call.arguments();
    let stream = stream_at(file);
    if let Some(stream) = stream.and_then(|index| call.machine.services.streams.get(index)) {
        stream.flags -= StreamFlags::AT_END | StreamFlags::FAILED;
    }
    Ok(0)
}

/// `fseek`.
pub(in crate::api) fn fseek<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [file, distance, origin] = call.arguments();
    let Some(index) = stream_at(file) else {
        return Ok(EOF);
    };
    move_to(call, index, i64::from(distance.cast_signed()), origin)
}

/// `rewind`.
pub(in crate::api) fn rewind<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [file] = call.arguments();
    if let Some(index) = stream_at(file) {
        move_to(call, index, 0, 0)?;
        clearerr(call)?;
    }
    Ok(0)
}

fn move_to<W: Watch>(
    call: &mut Call<'_, W>,
    index: usize,
    distance: i64,
    origin: u32,
) -> Result<u32, Stop> {
    call.flush_stream(index)?;
    let Some(stream) = call.machine.services.streams.get(index) else {
        return Ok(EOF);
    };
    let Device::File(handle) = stream.device else {
        return Ok(EOF);
    };
    // What was read ahead is not where the program thinks it is.
    let ahead = i64::try_from(stream.ahead_count()).unwrap_or(0);
    stream.drop_ahead();
    let distance = if origin == 1 {
        distance - ahead
    } else {
        distance
    };
    Ok(
        match crate::api::files::seek(call, handle, distance, origin) {
            Ok(_) => 0,
            Err(code) => {
                call.set_errno(errno_of(code))?;
                EOF
            }
        },
    )
}

/// `ftell`.
pub(in crate::api) fn ftell<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [file] = call.arguments();
    let Some(index) = stream_at(file) else {
        return Ok(EOF);
    };
    call.flush_stream(index)?;
    let Some(stream) = call.machine.services.streams.get(index) else {
        return Ok(EOF);
    };
    let (device, ahead) = (stream.device, stream.ahead_count());
    let Device::File(handle) = device else {
        return Ok(EOF);
    };
    let position = call
        .machine
        .services
        .handles
        .get(handle)
        .map_or(0, |open| open.position);
    let position = position.saturating_sub(ahead as u64);
    Ok(u32::try_from(position).unwrap_or(EOF))
}

/// `setvbuf`: whether a stream is buffered.
pub(in crate::api) fn setvbuf<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    /// `_IONBF`
    const NOT_BUFFERED: u32 = 4;
    let [file, _buffer, mode, _size] = call.arguments();
    let buffering = if mode == NOT_BUFFERED {
        Buffering::None
    } else {
        Buffering::Full
    };
    set_buffering(call, file, buffering)
}

/// `setbuf`: NULL means no buffer.
pub(in crate::api) fn setbuf<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [file, buffer] = call.arguments();
    let buffering = if buffer == 0 {
        Buffering::None
    } else {
        Buffering::Full
    };
    set_buffering(call, file, buffering)
}

fn set_buffering<W: Watch>(
    call: &mut Call<'_, W>,
    file: u32,
    buffering: Buffering,
) -> Result<u32, Stop> {
    let Some(index) = stream_at(file) else {
        return Ok(EOF);
    };
    call.flush_stream(index)?;
    let Some(stream) = call.machine.services.streams.get(index) else {
        return Ok(EOF);
    };
    stream.buffering = buffering;
    Ok(0)
}

/// `_fileno`: the descriptor is the stream's number.
pub(in crate::api) fn fileno<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [file] = call.arguments();
    let index = stream_at(file);
    Ok(index
        .and_then(|index| u32::try_from(index).ok())
        .unwrap_or(EOF))
}

/// `_isatty`: the streams are redirected.
pub(in crate::api) fn isatty<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(0)
}

/// `_setmode`: text or binary; returns what it was.
pub(in crate::api) fn setmode<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    /// `_O_TEXT` and `_O_BINARY`.
    const TEXT: u32 = 0x4000;
    const BINARY: u32 = 0x8000;
    let [descriptor, mode] = call.arguments();
    let index = usize::try_from(descriptor).unwrap_or(usize::MAX);
    let Some(stream) = call.machine.services.streams.get(index) else {
        return Ok(EOF);
    };
    let old = match stream.translation {
        Translation::Text => TEXT,
        Translation::Binary => BINARY,
    };
    stream.translation = match mode {
        TEXT => Translation::Text,
        BINARY => Translation::Binary,
        _ => return Ok(EOF),
    };
    Ok(old)
}

/// `_write`: past the buffer, but translated.
pub(in crate::api) fn write<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [descriptor, buffer, len_bytes] = call.arguments();
    let index = usize::try_from(descriptor).unwrap_or(usize::MAX);
    let Some(stream) = call.machine.services.streams.get(index) else {
        call.set_errno(errno::BADF)?;
        return Ok(EOF);
    };
    let (device, translation) = (stream.device, stream.translation);
    let mut done = 0;
    while done < len_bytes {
        let part = (len_bytes - done).min(PART_BYTES);
        let bytes = call.get_bytes(buffer.wrapping_add(done), part)?;
        call.write_device(device, &translated(&bytes, translation))?;
        done += part;
    }
    Ok(len_bytes)
}

/// `_read`.
pub(in crate::api) fn read<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [descriptor, buffer, len_bytes] = call.arguments();
    let index = usize::try_from(descriptor).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < u64::from(len_bytes) {
        match call.next_byte(index)? {
            Some(byte) => bytes.push(byte),
            None => break,
        }
        let ahead = call.machine.services.streams.get(index);
        if ahead.is_none_or(|stream| stream.ahead_count() == 0) {
            break;
        }
    }
    call.put_bytes(buffer, &bytes)?;
    Ok(u32::try_from(bytes.len()).unwrap_or(EOF))
}

/// `remove` and `_unlink`.
pub(in crate::api) fn remove<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [name] = call.arguments();
    let name = call.text::<Ansi>(name)?;
    let services = &mut call.machine.services;
    let path = FilePath::resolve(&services.folder, &name);
    let removed = services.files.remove(&path);
    finished(call, removed)
}

/// `rename`.
pub(in crate::api) fn rename<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [from, to] = call.arguments();
    let from = call.text::<Ansi>(from)?;
    let to = call.text::<Ansi>(to)?;
    let services = &mut call.machine.services;
    let [from, to] = [from, to].map(|name| FilePath::resolve(&services.folder, &name));
    let renamed = services.files.rename(&from, &to);
    finished(call, renamed)
}

fn finished<W: Watch>(
    call: &mut Call<'_, W>,
    result: Result<(), crate::files::FileError>,
) -> Result<u32, Stop> {
    match result {
        Ok(()) => Ok(0),
        Err(error) => {
            call.set_errno(errno_of(crate::api::files::code(error)))?;
            Ok(EOF)
        }
    }
}
