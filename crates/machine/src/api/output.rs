//! Where a program's output goes.

use pagefault_vmm::Win32Code;
use pagefault_vmm::mmu::LinearAddr;

use crate::api::text::Text;
use crate::api::{Call, Stop};
use crate::codepage;
use crate::console::Stream;
use crate::watch::Watch;

/// `STD_INPUT_HANDLE`, `STD_OUTPUT_HANDLE`, `STD_ERROR_HANDLE`, with the handles they stand for.
const STANDARD_HANDLES: [(i32, u32); 3] = [(-10, 3), (-11, STDOUT), (-12, STDERR)];
const STDOUT: u32 = 7;
const STDERR: u32 = 11;

/// `INVALID_HANDLE_VALUE`.
const INVALID_HANDLE_VALUE: u32 = u32::MAX;
/// `TRUE`.
const TRUE: u32 = 1;
/// What `MessageBox` returns for its OK button.
const IDOK: u32 = 1;

/// How much is copied out of the guest at a time, in bytes.
const CHUNK_BYTES: u32 = 1 << 16;

/// `GetStdHandle`.
pub(super) fn get_std_handle<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [which] = call.arguments();
    let found = STANDARD_HANDLES
        .iter()
        .find(|(name, _)| *name == which.cast_signed());
    Ok(found.map_or_else(
        || {
            call.fail(Win32Code::INVALID_HANDLE);
            INVALID_HANDLE_VALUE
        },
        |&(_, handle)| handle,
    ))
}

/// `WriteFile`, to the standard handles.
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
    let stream = match handle {
        STDOUT => Stream::Output,
        STDERR => Stream::Error,
        _ => return Err(Win32Code::INVALID_HANDLE),
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
        let copied = machine.vmm.copy_in(&mut machine.mmu, at, &mut chunk);
        copied.map_err(|_| Win32Code::NOACCESS)?;
        machine.console.write(stream, &chunk);
        done += len;
    }
    Ok(())
}
