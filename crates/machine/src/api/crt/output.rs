//! The `printf` family, and what else writes to streams.

use crate::api::crt::EOF;
use crate::api::crt::errno;
use crate::api::crt::stream::stream_at;
use crate::api::strings::List;
use crate::api::text::{Ansi, Text, Wide, units};
use crate::api::{Call, Stop};
use crate::cformat::{self, Arguments};
use crate::format::{self, Form};
use crate::stdio::Device;
use crate::watch::Watch;

/// The places of the standard streams in `_iob`.
pub(super) const STDOUT: usize = 1;
pub(super) const STDERR: usize = 2;

/// How much of a long output is held at a time, in bytes: a multiple of a stream's buffer, so that
/// it is written as in one piece.
pub(super) const PART_BYTES: u32 = 1 << 24;

impl<W: Watch> Arguments for List<'_, '_, W> {
    type Error = Stop;

    fn next(&mut self) -> Result<u32, Stop> {
        format::Arguments::next(self)
    }

    fn string(&mut self, addr: u32, limit: usize) -> Result<Vec<u8>, Stop> {
        format::Arguments::string(self, addr, limit)
    }

    fn wide_string(&mut self, addr: u32, limit: usize) -> Result<Vec<u16>, Stop> {
        format::Arguments::wide_string(self, addr, limit)
    }

    fn store(&mut self, addr: u32, bytes: &[u8]) -> Result<(), Stop> {
        self.call.put_bytes(addr, bytes)
    }
}

/// Returns the text of a format with the arguments at `list`.
fn formatted<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    format: u32,
    list: u32,
) -> Result<Vec<u16>, Stop> {
    let format = T::widen(&call.characters::<T>(format)?);
    let mut arguments = List { call, next: list };
    cformat::printf(&format, T::FORM, &mut arguments)
}

/// Writes a formatted text to a stream and returns its length.
fn print<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    stream: Option<usize>,
    format: u32,
    list: u32,
) -> Result<u32, Stop> {
    let text = formatted::<W, T>(call, format, list)?;
    let Some(stream) = stream else {
        call.set_errno(errno::INVAL)?;
        return Ok(EOF);
    };
    // Streams take bytes, whatever the form.
    let bytes = match T::FORM {
        Form::Ansi => Ansi::narrow(&text),
        Form::Wide => Ansi::encode(&String::from_utf16_lossy(&text)),
    };
    Ok(match call.put_stream(stream, &bytes)? {
        Some(()) => u32::try_from(text.len()).unwrap_or(EOF),
        None => EOF,
    })
}

/// `printf`.
pub(in crate::api) fn printf<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [format] = call.arguments();
    let list = call.further(1);
    print::<W, Ansi>(call, Some(STDOUT), format, list)
}

/// `wprintf`.
pub(in crate::api) fn wprintf<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [format] = call.arguments();
    let list = call.further(1);
    print::<W, Wide>(call, Some(STDOUT), format, list)
}

/// `vprintf`.
pub(in crate::api) fn vprintf<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [format, list] = call.arguments();
    print::<W, Ansi>(call, Some(STDOUT), format, list)
}

/// `fprintf`.
pub(in crate::api) fn fprintf<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [file, format] = call.arguments();
    let list = call.further(2);
    let stream = stream_at(file);
    print::<W, T>(call, stream, format, list)
}

/// `vfprintf`.
pub(in crate::api) fn vfprintf<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [file, format, list] = call.arguments();
    let stream = stream_at(file);
    print::<W, T>(call, stream, format, list)
}

/// `_cprintf`: writes to the console, which is the standard output here.
pub(in crate::api) fn cprintf<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [format] = call.arguments();
    let list = call.further(1);
    let text = formatted::<W, Ansi>(call, format, list)?;
    call.write_device(Device::Output, &Ansi::narrow(&text))?;
    Ok(u32::try_from(text.len()).unwrap_or(EOF))
}

/// `sprintf` and `swprintf`, which takes no size in this library.
pub(in crate::api) fn sprintf<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [buffer, format] = call.arguments();
    let list = call.further(2);
    let text = T::narrow(&formatted::<W, T>(call, format, list)?);
    call.put_characters::<T>(buffer, &text)?;
    Ok(units::<T>(&text))
}

/// `vsprintf`.
pub(in crate::api) fn vsprintf<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [buffer, format, list] = call.arguments();
    let text = T::narrow(&formatted::<W, T>(call, format, list)?);
    call.put_characters::<T>(buffer, &text)?;
    Ok(units::<T>(&text))
}

/// `_snprintf`: without a zero if the text just fits, and -1 if it does not.
pub(in crate::api) fn snprintf<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [buffer, capacity, format] = call.arguments();
    let list = call.further(3);
    let text = formatted::<W, T>(call, format, list)?;
    store_cut::<W, T>(call, buffer, capacity, &text)
}

/// `_vsnprintf`.
pub(in crate::api) fn vsnprintf<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [buffer, capacity, format, list] = call.arguments();
    let text = formatted::<W, T>(call, format, list)?;
    store_cut::<W, T>(call, buffer, capacity, &text)
}

/// `_scprintf`: the length that `sprintf` would return.
pub(in crate::api) fn scprintf<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [format] = call.arguments();
    let list = call.further(1);
    let text = formatted::<W, Ansi>(call, format, list)?;
    Ok(u32::try_from(text.len()).unwrap_or(EOF))
}

/// `_vscprintf`.
pub(in crate::api) fn vscprintf<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [format, list] = call.arguments();
    let text = formatted::<W, Ansi>(call, format, list)?;
    Ok(u32::try_from(text.len()).unwrap_or(EOF))
}

fn store_cut<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    buffer: u32,
    capacity: u32,
    text: &[u16],
) -> Result<u32, Stop> {
    let bytes = T::narrow(text);
    let len = units::<T>(&bytes);
    if len < capacity {
        call.put_characters::<T>(buffer, &bytes)?;
        return Ok(len);
    }
    let fitting = (capacity as usize).saturating_mul(T::BYTES as usize);
    call.put_bytes(buffer, bytes.get(..fitting).unwrap_or(&bytes))?;
    Ok(if len == capacity { len } else { EOF })
}

/// `puts`: the string and a line end.
pub(in crate::api) fn puts<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    let mut bytes = call.characters::<Ansi>(string)?;
    bytes.push(b'\n');
    Ok(written(call.put_stream(STDOUT, &bytes)?, 0))
}

/// `_putws`.
pub(in crate::api) fn putws<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    let text = call.text::<Wide>(string)? + "\n";
    Ok(written(call.put_stream(STDOUT, &Ansi::encode(&text))?, 0))
}

/// `fputs`.
pub(in crate::api) fn fputs<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string, file] = call.arguments();
    let bytes = call.characters::<Ansi>(string)?;
    let Some(stream) = stream_at(file) else {
        return Ok(EOF);
    };
    Ok(written(call.put_stream(stream, &bytes)?, 0))
}

/// `fputc` and `putc`.
pub(in crate::api) fn fputc<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [character, file] = call.arguments();
    let byte = character.to_le_bytes()[0];
    let Some(stream) = stream_at(file) else {
        return Ok(EOF);
    };
    Ok(written(call.put_stream(stream, &[byte])?, byte.into()))
}

/// `putchar`.
pub(in crate::api) fn putchar<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [character] = call.arguments();
    let byte = character.to_le_bytes()[0];
    Ok(written(call.put_stream(STDOUT, &[byte])?, byte.into()))
}

/// `_putch`: a character to the console.
pub(in crate::api) fn putch<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [character] = call.arguments();
    call.write_device(Device::Output, &character.to_le_bytes()[..1])?;
    Ok(character)
}

/// `_cputs`: a string to the console.
pub(in crate::api) fn cputs<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    let bytes = call.characters::<Ansi>(string)?;
    call.write_device(Device::Output, &bytes)?;
    Ok(0)
}

/// `fwrite`: returns how many whole items were written.
pub(in crate::api) fn fwrite<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [buffer, size, count, file] = call.arguments();
    let Some(len_bytes) = size.checked_mul(count).filter(|&len| len > 0) else {
        return Ok(0);
    };
    let Some(stream) = stream_at(file) else {
        return Ok(0);
    };
    let mut done = 0;
    while done < len_bytes {
        let part = (len_bytes - done).min(PART_BYTES);
        let bytes = call.get_bytes(buffer.wrapping_add(done), part)?;
        if call.put_stream(stream, &bytes)?.is_none() {
            return Ok(0);
        }
        done += part;
    }
    Ok(count)
}

/// `perror`: a text, and what `errno` means.
pub(in crate::api) fn perror<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    let number = call.get_u32(call.errno_place())?;
    let mut line = Vec::new();
    if string != 0 {
        let text = call.characters::<Ansi>(string)?;
        if !text.is_empty() {
            line.extend(text);
            line.extend(b": ");
        }
    }
    line.extend(super::string::error_text(number).as_bytes());
    line.push(b'\n');
    call.put_stream(STDERR, &line)?;
    Ok(0)
}

fn written(result: Option<()>, value: u32) -> u32 {
    match result {
        Some(()) => value,
        None => EOF,
    }
}
