//! The start and the end of C programs, and their environment.

use pagefault_vmm::NewBytes;

use crate::api::crt::output::STDERR;
use crate::api::text::{Ansi, Text};
use crate::api::{Call, Stop};
use crate::command_line;
use crate::system::SystemCode;
use crate::watch::Watch;

/// The exit code of `abort`.
const ABORTED: u32 = 3;
/// The exit code of a runtime error.
const RUNTIME_ERROR: u32 = 255;
/// What `abort` says.
const ABORT_TEXT: &[u8] =
    b"\nThis application has requested the Runtime to terminate it in an unusual way.\n\
      Please contact the application's support team for more information.\n";

/// `__getmainargs` and `__wgetmainargs`: the arguments and the environment as arrays of pointers.
pub(in crate::api) fn get_main_arguments<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
) -> Result<u32, Stop> {
    let [
        count_at,
        arguments_at,
        environment_at,
        _wildcards,
        _start_info,
    ] = call.arguments();
    let line = call.machine.command_line();
    let arguments = command_line::split(&line);
    let environment = call.machine.environment_lines();
    let count = u32::try_from(arguments.len()).unwrap_or(0);
    let arguments = pointers::<W, T>(call, &arguments)?;
    let environment = pointers::<W, T>(call, &environment)?;
    for (place, value) in [
        (count_at, count),
        (arguments_at, arguments),
        (environment_at, environment),
    ] {
        if place != 0 {
            call.put_u32(place, value)?;
        }
    }
    let names = if T::BYTES == 1 {
        ["__argv", "_environ", "__initenv"]
    } else {
        ["__wargv", "_wenviron", "__winitenv"]
    };
    let code = SystemCode::get();
    call.put_u32(code.datum("__argc"), count)?;
    for (name, value) in names.into_iter().zip([arguments, environment, environment]) {
        call.put_u32(code.datum(name), value)?;
    }
    Ok(0)
}

/// Makes an array of pointers to texts that ends with NULL, and returns its address.
fn pointers<W: Watch, T: Text>(call: &mut Call<'_, W>, texts: &[String]) -> Result<u32, Stop> {
    const POINTER_BYTES: u32 = 4;
    let encoded: Vec<Vec<u8>> = texts.iter().map(|text| T::encode(text)).collect();
    let count = u32::try_from(encoded.len()).unwrap_or(0) + 1;
    let texts_bytes: usize = encoded
        .iter()
        .map(|text| text.len() + T::BYTES as usize)
        .sum();
    let size = count * POINTER_BYTES + u32::try_from(texts_bytes).unwrap_or(0);
    let block = call.allocate(size, NewBytes::Zeroed);
    if block == 0 {
        return Ok(0);
    }
    let mut at = block + count * POINTER_BYTES;
    for (index, text) in (0..).zip(&encoded) {
        call.put_u32(block + index * POINTER_BYTES, at)?;
        call.put_characters::<T>(at, text)?;
        at += u32::try_from(text.len()).unwrap_or(0) + T::BYTES;
    }
    Ok(block)
}

/// What `abort` does when no handler of the signal has stopped it.
pub(in crate::api) fn aborted<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    call.put_stream(STDERR, ABORT_TEXT)?;
    call.flush_all()?;
    Err(Stop::Exit(ABORTED))
}

/// `_amsg_exit`: an error of the library's start.
pub(in crate::api) fn runtime_error<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [number] = call.arguments();
    let text = format!("\nruntime error {number}\n");
    call.put_stream(STDERR, text.as_bytes())?;
    call.flush_all()?;
    Err(Stop::Exit(RUNTIME_ERROR))
}

/// What is to do nothing, and returns 0.
pub(in crate::api) fn nothing<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(0)
}

/// `setlocale`: there is only "C"; asking for another one fails.
pub(in crate::api) fn setlocale<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [_category, name] = call.arguments();
    if name != 0 {
        let name = call.characters::<Ansi>(name)?;
        if !name.is_empty() && name != b"C" {
            return Ok(0);
        }
    }
    Ok(SystemCode::get().datum("crt_locale"))
}

/// `getenv`.
pub(in crate::api) fn getenv<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [name] = call.arguments();
    let name = call.text::<Ansi>(name)?;
    let Some(value) = call.machine.variable(&name).map(str::to_owned) else {
        return Ok(0);
    };
    let size = u32::try_from(value.len()).unwrap_or(0) + 1;
    let block = call.allocate(size, NewBytes::Stale);
    if block != 0 {
        call.put_characters::<Ansi>(block, &Ansi::encode(&value))?;
    }
    Ok(block)
}

/// `_putenv`: `NAME=VALUE`; nothing behind the sign removes the variable.
pub(in crate::api) fn putenv<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [line] = call.arguments();
    let line = call.text::<Ansi>(line)?;
    let Some((name, value)) = line.split_once('=') else {
        return Ok(u32::MAX);
    };
    let value = (!value.is_empty()).then(|| value.to_owned());
    let set = call.machine.set_variable(name, value);
    Ok(set.map_or(u32::MAX, |()| 0))
}

/// `system`: there is no command interpreter; a program is not started.
pub(in crate::api) fn system<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [command] = call.arguments();
    if command == 0 {
        return Ok(0);
    }
    let command = call.text::<Ansi>(command)?.to_ascii_lowercase();
    // What only changes how a console looks has nothing to change.
    let words = ["pause", "cls", "color", "title", "chcp", "mode"];
    let is_harmless = words
        .iter()
        .any(|word| command.trim_start().starts_with(word));
    call.flush_all()?;
    Ok((!is_harmless).into())
}
