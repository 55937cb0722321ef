//! The standard streams, and files by their handles.

use pagefault_vmm::Win32Code;
use pagefault_vmm::mmu::LinearAddr;

use crate::api::text::{Text, Wide, units};
use crate::api::{Call, Stop, TRUE};
use crate::codepage;
use crate::console::Stream;
use crate::services::STANDARD_HANDLES;
use crate::stdio::Device;
use crate::watch::Watch;

/// The names of the standard handles: `STD_INPUT_HANDLE`, `STD_OUTPUT_HANDLE`, `STD_ERROR_HANDLE`.
const STANDARD_NAMES: [i32; 3] = [-10, -11, -12];
const STDIN: u32 = STANDARD_HANDLES[0];
const STDOUT: u32 = STANDARD_HANDLES[1];
const STDERR: u32 = STANDARD_HANDLES[2];

/// Returns the handles of standard input, output and error.
pub(super) fn standard_handles() -> [u32; 3] {
    STANDARD_HANDLES
}

/// Returns whether a handle is that of a standard stream.
pub(super) fn is_standard(handle: u32) -> bool {
    standard_handles().contains(&handle)
}

/// Returns the handle that `CreateFile` gives for a console's own names.
pub(super) fn console_handle(name: &str, writes: Writes) -> Option<u32> {
    let name = name.to_ascii_uppercase();
    match (name.as_str(), writes) {
        ("CONIN$", _) | ("CON", Writes::No) => Some(STDIN),
        ("CONOUT$", _) | ("CON", Writes::Yes) => Some(STDOUT),
        _ => None,
    }
}

/// Whether a file is opened for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writes {
    No,
    Yes,
}

/// `INVALID_HANDLE_VALUE`.
const INVALID_HANDLE_VALUE: u32 = u32::MAX;
/// What `MessageBox` returns for its OK button.
const IDOK: u32 = 1;

/// How much is copied out of the guest at a time, in bytes.
const CHUNK_BYTES: u32 = 1 << 16;

/// `GetStdHandle`.
pub(super) fn get_std_handle<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [which] = call.arguments();
    let names = STANDARD_NAMES.iter().zip(call.machine.services.standard);
    let found = { names }.find(|(name, _)| **name == which.cast_signed());
    Ok(found.map_or_else(
        || {
            call.fail(Win32Code::INVALID_HANDLE);
            INVALID_HANDLE_VALUE
        },
        |(_, handle)| handle,
    ))
}

/// `SetStdHandle`.
pub(super) fn set_std_handle<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [which, handle] = call.arguments();
    let found = STANDARD_NAMES
        .iter()
        .position(|name| *name == which.cast_signed());
    let place = found.and_then(|index| call.machine.services.standard.get_mut(index));
    let set = place.map(|place| *place = handle);
    Ok(call.truth(set.ok_or(Win32Code::INVALID_HANDLE)))
}

/// `WriteFile`, to the standard handles and to files.
///
/// The buffer is the kernel's to check: one that cannot be read gives `ERROR_NOACCESS`. The count
/// of bytes written is stored by the function itself, in the program's mode.
pub(super) fn write_file<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, buffer, len_bytes, written, overlapped] = call.arguments();
    if written != 0 || overlapped == 0 {
        call.machine.write_user(LinearAddr::new(written), 0_u32)?;
    }
    match write(call, handle, buffer, len_bytes) {
        Ok(()) => {
            if written != 0 {
                call.machine
                    .write_user(LinearAddr::new(written), len_bytes)?;
            }
            Ok(TRUE)
        }
        Err(code) => Ok(call.fail(code)),
    }
}

/// `ReadFile`: at the end of the input, it succeeds with no bytes.
///
/// The buffer is the kernel's to check, as in `WriteFile`, and before anything is read.
pub(super) fn read_file<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, buffer, len_bytes, read, overlapped] = call.arguments();
    if read != 0 || overlapped == 0 {
        call.put_u32(read, 0)?;
    }
    let done = match handle {
        STDIN => {
            if let Err(code) = call.probe_out(buffer, len_bytes) {
                return Ok(call.fail(code));
            }
            // What was asked should be seen before the answer is waited for.
            call.flush_all()?;
            let bytes = call.read_device(Device::Input, len_bytes.min(CHUNK_BYTES));
            give(call, buffer, &bytes)
        }
        STDOUT | STDERR => Err(Win32Code::ACCESS_DENIED),
        handle => read_whole(call, handle, buffer, len_bytes),
    };
    let done = match done {
        Ok(done) => done,
        Err(code) => return Ok(call.fail(code)),
    };
    if read != 0 {
        call.put_u32(read, done)?;
    }
    Ok(TRUE)
}

/// Reads from a file, so many bytes or up to its end, and returns how many. A file can be longer
/// than what the host should hold of it.
fn read_whole<W: Watch>(
    call: &mut Call<'_, W>,
    handle: u32,
    buffer: u32,
    len_bytes: u32,
) -> Result<u32, Win32Code> {
    call.readable(handle)?;
    call.probe_out(buffer, len_bytes)?;
    let mut done = 0;
    loop {
        let wanted = (len_bytes - done).min(CHUNK_BYTES);
        let bytes = call.read_open(handle, wanted)?;
        let given = give(call, buffer.wrapping_add(done), &bytes)?;
        done += given;
        if given == 0 || given < wanted {
            return Ok(done);
        }
    }
}

/// Copies what was read to the program, as the kernel does, and returns how many bytes that were.
fn give<W: Watch>(call: &mut Call<'_, W>, buffer: u32, bytes: &[u8]) -> Result<u32, Win32Code> {
    call.copy_out(buffer, bytes)?;
    Ok(u32::try_from(bytes.len()).unwrap_or(0))
}

/// `ReadConsole`: a line of standard input with its end.
pub(super) fn read_console<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, buffer, capacity, read, _control] = call.arguments();
    if handle != STDIN {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    }
    call.flush_all()?;
    let mut line = Vec::new();
    while (line.len() as u64) < u64::from(capacity) {
        let Some(byte) = call.read_device(Device::Input, 1).first().copied() else {
            break;
        };
        // A console ends its lines by CR LF, whatever the host does.
        if byte == b'\n' && line.last() != Some(&b'\r') {
            line.push(b'\r');
        }
        line.push(byte);
        if byte == b'\n' {
            break;
        }
    }
    line.truncate(capacity as usize);
    let characters = T::encode(&codepage::text(&line));
    call.put_bytes(buffer, &characters)?;
    if read != 0 {
        call.put_u32(read, units::<T>(&characters))?;
    }
    Ok(TRUE)
}

/// `OutputDebugString`: nobody listens.
pub(super) fn output_debug_string<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [text] = call.arguments();
    if text != 0 {
        call.characters::<T>(text)?;
    }
    Ok(0)
}

/// `WriteConsoleW`: what code page 1252 lacks is written as `?`.
pub(super) fn write_console_wide<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, buffer, len, written, _reserved] = call.arguments();
    let device = match handle {
        STDOUT => Device::Output,
        STDERR => Device::Error,
        _ => return Ok(call.fail(Win32Code::INVALID_HANDLE)),
    };
    let mut done = 0;
    while done < len {
        let part = (len - done).min(CHUNK_BYTES);
        let at = buffer.wrapping_add(done.wrapping_mul(Wide::BYTES));
        let units = call.get_bytes(at, part * Wide::BYTES)?;
        call.write_device(device, &codepage::bytes(&Wide::decode(&units)))?;
        done += part;
    }
    if written != 0 {
        call.put_u32(written, len)?;
    }
    Ok(TRUE)
}

/// `WriteConsoleA`: takes characters, which are bytes here.
pub(super) fn write_console<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, buffer, len, written, _reserved] = call.arguments();
    match write(call, handle, buffer, len) {
        Ok(()) => {
            if written != 0 {
                call.machine.write_user(LinearAddr::new(written), len)?;
            }
            Ok(TRUE)
        }
        Err(code) => Ok(call.fail(code)),
    }
}

/// `MessageBox`: prints `[caption] text`, since nobody could press a button.
pub(super) fn message_box<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    // Quirk: message-box
    let [_owner, text, caption, _style] = call.arguments();
    let caption = message_text::<W, T>(call, caption, "Error")?;
    let text = message_text::<W, T>(call, text, "")?;
    let line = codepage::bytes(&format!("[{caption}] {text}\r\n"));
    call.machine.console.write(Stream::Output, &line);
    Ok(IDOK)
}

fn message_text<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    addr: u32,
    default: &str,
) -> Result<String, Stop> {
    if addr == 0 {
        Ok(default.to_owned())
    } else {
        call.text::<T>(addr)
    }
}

fn write<W: Watch>(
    call: &mut Call<'_, W>,
    handle: u32,
    buffer: u32,
    len_bytes: u32,
) -> Result<(), Win32Code> {
    let device = match handle {
        STDOUT => Device::Output,
        STDERR => Device::Error,
        handle => Device::File(handle),
    };
    let machine = &mut *call.machine;
    let range = LinearAddr::new(buffer);
    machine
        .vmm
        .probe_read(&mut machine.mmu, range, len_bytes)
        .map_err(|_| Win32Code::NOACCESS)?;
    let mut done = 0;
    while done < len_bytes {
        let len = (len_bytes - done).min(CHUNK_BYTES);
        let mut chunk = vec![0; len as usize];
        let at = LinearAddr::new(buffer.wrapping_add(done));
        let machine = &mut *call.machine;
        let copied = machine.vmm.copy_in(&mut machine.mmu, at, &mut chunk);
        copied.map_err(|_| Win32Code::NOACCESS)?;
        match device {
            Device::File(handle) => call.write_open(handle, &chunk)?,
            Device::Error => call.machine.console.write(Stream::Error, &chunk),
            Device::Output | Device::Input => call.machine.console.write(Stream::Output, &chunk),
        }
        done += len;
    }
    Ok(())
}
