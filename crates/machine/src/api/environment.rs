//! The command line, the environment, and what a process is told at its start.

use pagefault_vmm::{NewBytes, Win32Code};

use crate::api::text::{Ansi, Text, Wide, units};
use crate::api::{Call, Stop, TRUE};
use crate::error::ENVVAR_NOT_FOUND;
use crate::limits::CONVERTED_BYTES;
use crate::machine::Machine;
use crate::variables::EnvironmentFull;
use crate::watch::Watch;

/// The longest value of a variable, in characters.
const MAX_VALUE: usize = 32_767;

impl<W: Watch> Machine<W> {
    /// Returns the command line: the program's name and its arguments.
    pub(crate) fn command_line(&self) -> String {
        let (name, arguments) = (&self.program_name, &self.services.arguments);
        let name = if name.contains(' ') {
            format!("\"{name}\"")
        } else {
            name.clone()
        };
        if arguments.is_empty() {
            name
        } else {
            format!("{name} {arguments}")
        }
    }

    /// Returns the variables as `NAME=VALUE`.
    pub(crate) fn environment_lines(&self) -> Vec<String> {
        let variables = self.services.environment.iter();
        variables
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    /// Returns the value of a variable, whatever the case of its name.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.services.environment.get(name)
    }

    /// Sets a variable, or removes it.
    pub(crate) fn set_variable(
        &mut self,
        name: &str,
        value: Option<String>,
    ) -> Result<(), EnvironmentFull> {
        if let Some(value) = value {
            return self.services.environment.set(name, value);
        }
        self.services.environment.remove(name);
        Ok(())
    }
}

/// `GetCommandLine`: the same address every time.
pub(super) fn get_command_line<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let key = if T::BYTES == 1 {
        "GetCommandLineA"
    } else {
        "GetCommandLineW"
    };
    if let Some(&known) = call.machine.services.buffers.get(key) {
        return Ok(known);
    }
    let line = T::encode(&call.machine.command_line());
    let block = put_block::<W, T>(call, &line)?;
    call.machine.services.buffers.insert(key, block);
    Ok(block)
}

/// Puts characters and a zero into a new block of the process's heap.
fn put_block<W: Watch, T: Text>(call: &mut Call<'_, W>, bytes: &[u8]) -> Result<u32, Stop> {
    let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX - 2) + T::BYTES;
    let block = call.allocate(size, NewBytes::Zeroed);
    if block != 0 {
        call.put_characters::<T>(block, bytes)?;
    }
    Ok(block)
}

/// `GetEnvironmentVariable`: returns the length, or the size needed.
pub(super) fn get_environment_variable<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
) -> Result<u32, Stop> {
    let [name, buffer, capacity] = call.arguments();
    let name = call.text::<T>(name)?;
    let Some(value) = call.machine.variable(&name).map(str::to_owned) else {
        return Ok(call.fail(ENVVAR_NOT_FOUND));
    };
    call.store_text::<T>(buffer, capacity, &value)
}

/// `SetEnvironmentVariable`: NULL removes the variable.
pub(super) fn set_environment_variable<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
) -> Result<u32, Stop> {
    let [name, value] = call.arguments();
    let name = call.text::<T>(name)?;
    if name.is_empty() || name.contains('=') {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    let value = match value {
        0 => None,
        value => Some(call.text::<T>(value)?),
    };
    if value.is_none() && call.machine.variable(&name).is_none() {
        return Ok(call.fail(ENVVAR_NOT_FOUND));
    }
    let set = call.machine.set_variable(&name, value);
    Ok(call.truth(set.map_err(|EnvironmentFull| Win32Code::NOT_ENOUGH_MEMORY)))
}

/// `GetEnvironmentStrings`: all variables, each ended by a zero, and a zero behind them.
pub(super) fn get_environment_strings<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
) -> Result<u32, Stop> {
    let mut text = call.machine.environment_lines().join("\0");
    text.push('\0');
    put_block::<W, T>(call, &T::encode(&text))
}

/// `FreeEnvironmentStrings`.
pub(super) fn free_environment_strings<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [block] = call.arguments();
    let caller = call.caller();
    let block = pagefault_vmm::mmu::LinearAddr::new(block);
    let freed = call.machine.vmm.global_free(caller, block);
    Ok(call.truth(freed.map_err(pagefault_vmm::GlobalError::win32_code)))
}

/// `ExpandEnvironmentStrings`: returns the size needed, with the zero.
pub(super) fn expand_environment_strings<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
) -> Result<u32, Stop> {
    let [source, buffer, capacity] = call.arguments();
    let source = call.text::<T>(source)?;
    let mut expanded = String::new();
    let mut rest = source.as_str();
    while let Some(start) = rest.find('%') {
        expanded.push_str(rest.get(..start).unwrap_or_default());
        let tail = rest.get(start + 1..).unwrap_or_default();
        let value = tail.split_once('%').and_then(|(name, after)| {
            call.machine
                .variable(name)
                .map(|value| (value.to_owned(), after))
        });
        if let Some((value, after)) = value {
            expanded.push_str(&value);
            rest = after;
        } else {
            expanded.push('%');
            rest = tail;
        }
        if expanded.len() > MAX_VALUE {
            break;
        }
    }
    expanded.push_str(rest);
    let needed = units::<T>(&T::encode(&expanded)) + 1;
    if needed <= capacity {
        call.put_characters::<T>(buffer, &T::encode(&expanded))?;
    }
    Ok(needed)
}

/// `GetStartupInfo`: fills a `STARTUPINFO`; the standard handles are as `GetStdHandle` gives them.
pub(super) fn get_startup_info<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const STARTUPINFO_BYTES: u32 = 68;
    /// `STARTF_USESTDHANDLES`
    const USE_STANDARD_HANDLES: u32 = 0x100;
    const FLAGS_OFFSET: u32 = 44;
    const HANDLES_OFFSET: u32 = 56;
    let [info] = call.arguments();
    call.fill(info, STARTUPINFO_BYTES, 0)?;
    call.put_u32(info, STARTUPINFO_BYTES)?;
    call.put_u32(info.wrapping_add(FLAGS_OFFSET), USE_STANDARD_HANDLES)?;
    for (index, handle) in (0..).zip(super::output::standard_handles()) {
        call.put_u32(info.wrapping_add(HANDLES_OFFSET + index * 4), handle)?;
    }
    Ok(0)
}

/// `GetVersion`: Windows 10 as it tells programs without a manifest: 6.2, build 9200.
pub(super) fn get_version<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const BUILD: u32 = 9200;
    Ok(BUILD << 16 | 0x0206)
}

/// `GetVersionEx`.
pub(super) fn get_version_ex<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const CSD_UNITS: u32 = 128;
    const PLATFORM_NT: u32 = 2;
    let [info] = call.arguments();
    let size = call.get_u32(info)?;
    let least = 20 + CSD_UNITS * T::BYTES;
    if size < least {
        return Ok(call.fail(crate::error::INSUFFICIENT_BUFFER));
    }
    for (index, word) in (1..).zip([6, 2, 9200, PLATFORM_NT]) {
        call.put_u32(info.wrapping_add(index * 4), word)?;
    }
    call.fill(info.wrapping_add(20), size.min(least + 8) - 20, 0)?;
    Ok(TRUE)
}

/// `GetComputerName` and `GetUserName` want the size in and give the length out.
fn name_of<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    name: &str,
    counted: u32,
) -> Result<u32, Stop> {
    let [buffer, size_at] = call.arguments();
    let capacity = call.get_u32(size_at)?;
    let characters = T::encode(name);
    let len = units::<T>(&characters);
    if capacity <= len {
        call.put_u32(size_at, len + 1)?;
        return Ok(call.fail(crate::error::INSUFFICIENT_BUFFER));
    }
    call.put_characters::<T>(buffer, &characters)?;
    call.put_u32(size_at, len + counted)?;
    Ok(TRUE)
}

/// `GetComputerName`.
pub(super) fn get_computer_name<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    name_of::<W, T>(call, "PAGEFAULT", 0)
}

/// `GetUserName`: the length counts the zero.
pub(super) fn get_user_name<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    name_of::<W, T>(call, "user", 1)
}

/// `MultiByteToWideChar`.
pub(super) fn multi_byte_to_wide_char<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [page, _flags, source, len, target, capacity] = call.arguments();
    let Some(bytes) = source_bytes::<W, Ansi>(call, source, len)? else {
        return Ok(call.fail(Win32Code::NOT_ENOUGH_MEMORY));
    };
    let text = if page == UTF_8 {
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        Ansi::decode(&bytes)
    };
    converted::<W, Wide>(call, &Wide::encode(&text), target, capacity)
}

/// `WideCharToMultiByte`.
pub(super) fn wide_char_to_multi_byte<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [
        page,
        _flags,
        source,
        len,
        target,
        capacity,
        _default,
        used_default,
    ] = call.arguments();
    let Some(units) = source_bytes::<W, Wide>(call, source, len)? else {
        return Ok(call.fail(Win32Code::NOT_ENOUGH_MEMORY));
    };
    let text = Wide::decode(&units);
    let bytes = if page == UTF_8 {
        text.into_bytes()
    } else {
        Ansi::encode(&text)
    };
    if used_default != 0 {
        let is_lossy = page != UTF_8 && Wide::encode(&Ansi::decode(&bytes)) != units;
        call.put_u32(used_default, is_lossy.into())?;
    }
    converted::<W, Ansi>(call, &bytes, target, capacity)
}

/// `CP_UTF8`
const UTF_8: u32 = 65_001;
/// A length of -1: up to the zero, which is converted too.
const TO_ZERO: u32 = u32::MAX;

/// Returns the characters to convert; `None` if they are too many.
fn source_bytes<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    source: u32,
    len: u32,
) -> Result<Option<Vec<u8>>, Stop> {
    if len != TO_ZERO {
        let len_bytes = len.saturating_mul(T::BYTES);
        if len_bytes > CONVERTED_BYTES {
            return Ok(None);
        }
        return call.get_bytes(source, len_bytes).map(Some);
    }
    let mut bytes = call.characters::<T>(source)?;
    bytes.extend(std::iter::repeat_n(0, T::BYTES as usize));
    Ok(Some(bytes))
}

fn converted<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    characters: &[u8],
    target: u32,
    capacity: u32,
) -> Result<u32, Stop> {
    let len = units::<T>(characters);
    if capacity == 0 {
        return Ok(len);
    }
    if len > capacity {
        return Ok(call.fail(crate::error::INSUFFICIENT_BUFFER));
    }
    call.put_bytes(target, characters)?;
    Ok(len)
}

/// `IsDBCSLeadByte` and `IsDBCSLeadByteEx`: code page 1252 has none.
pub(super) fn is_lead_byte<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(0)
}

/// `GetACP`: 1252.
pub(super) fn get_ansi_page<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const WINDOWS_1252: u32 = 1252;
    Ok(WINDOWS_1252)
}

/// `GetOEMCP`, `GetConsoleCP` and `GetConsoleOutputCP`: 437.
pub(super) fn get_oem_page<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const OEM_US: u32 = 437;
    Ok(OEM_US)
}

/// What succeeds because there is nothing that it could change, such as a console's title.
pub(super) fn succeed<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(TRUE)
}

/// What a console has and a redirected stream does not, such as its size and mode.
pub(super) fn no_console<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(call.fail(Win32Code::INVALID_HANDLE))
}

/// Maps the characters of a string: NULL's neighbours below 64 KiB are single characters.
fn mapped<W: Watch, T: Text>(call: &mut Call<'_, W>, map: fn(&str) -> String) -> Result<u32, Stop> {
    const LAST_CHARACTER: u32 = 0xFFFF;
    let [string] = call.arguments();
    if string <= LAST_CHARACTER {
        let [first, second, ..] = string.to_le_bytes();
        let bytes = [first, second];
        let text = map(&T::decode(bytes.get(..T::BYTES as usize).unwrap_or(&bytes)));
        let mut changed = T::encode(&text);
        changed.resize(4, 0);
        return Ok(changed
            .first_chunk()
            .map_or(0, |bytes| u32::from_le_bytes(*bytes)));
    }
    let text = map(&call.text::<T>(string)?);
    call.put_bytes(string, &T::encode(&text))?;
    Ok(string)
}

fn upper(text: &str) -> String {
    same_length(text, |character| character.to_uppercase().next())
}

fn lower(text: &str) -> String {
    same_length(text, |character| character.to_lowercase().next())
}

/// Maps characters one to one; one whose image the code page lacks stays.
fn same_length(text: &str, map: fn(char) -> Option<char>) -> String {
    let keep = |character: char| {
        let mapped = map(character).unwrap_or(character);
        if crate::codepage::encode(character).is_some() && crate::codepage::encode(mapped).is_none()
        {
            character
        } else {
            mapped
        }
    };
    text.chars().map(keep).collect()
}

/// `CharUpper`.
pub(super) fn char_upper<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    mapped::<W, T>(call, upper)
}

/// `CharLower`.
pub(super) fn char_lower<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    mapped::<W, T>(call, lower)
}

/// `CharUpperBuff`.
pub(super) fn char_upper_buff<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    mapped_buffer::<W, T>(call, upper)
}

/// `CharLowerBuff`.
pub(super) fn char_lower_buff<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    mapped_buffer::<W, T>(call, lower)
}

fn mapped_buffer<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    map: fn(&str) -> String,
) -> Result<u32, Stop> {
    let [buffer, len] = call.arguments();
    let len_bytes = len.saturating_mul(T::BYTES);
    let mut done = 0;
    while done < len_bytes {
        let part = (len_bytes - done).min(CONVERTED_BYTES);
        let at = buffer.wrapping_add(done);
        let bytes = call.get_bytes(at, part)?;
        call.put_bytes(at, &T::encode(&map(&T::decode(&bytes))))?;
        done += part;
    }
    Ok(len)
}

/// `CharNext`.
pub(super) fn char_next<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    let next = call.characters_up_to::<T>(string, 1)?;
    Ok(string.wrapping_add(u32::try_from(next.len()).unwrap_or(0)))
}

/// `MulDiv`: a product divided, rounded to the nearest integer; -1 if it does not fit.
pub(super) fn mul_div<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const FAILED: u32 = u32::MAX;
    let [number, numerator, denominator] = call.arguments().map(u32::cast_signed);
    if denominator == 0 {
        return Ok(FAILED);
    }
    let product = i128::from(number) * i128::from(numerator);
    let divisor = i128::from(denominator);
    let half = divisor.abs() / 2;
    let rounded = if (product < 0) == (divisor < 0) {
        (product.abs() + half) / divisor.abs()
    } else {
        -((product.abs() + half) / divisor.abs())
    };
    Ok(i32::try_from(rounded).map_or(FAILED, i32::cast_unsigned))
}
