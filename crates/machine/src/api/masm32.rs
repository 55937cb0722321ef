//! `masm32.lib`: what programs link to by its name. Its functions run in the program's mode.

use crate::api::crt::number::integer_of;
use crate::api::text::{Ansi, units};
use crate::api::{Call, Stop};
use crate::command_line;
use crate::stdio::Device;
use crate::watch::Watch;

/// `StdOut`: a string to standard output.
pub(super) fn std_out<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    print(call, Device::Output)
}

/// `StdErr`.
pub(super) fn std_err<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    print(call, Device::Error)
}

fn print<W: Watch>(call: &mut Call<'_, W>, device: Device) -> Result<u32, Stop> {
    let [string] = call.arguments();
    let bytes = call.characters::<Ansi>(string)?;
    call.write_device(device, &bytes)?;
    Ok(units::<Ansi>(&bytes))
}

/// `StdIn`: a line with its end, at most so many bytes; returns how many.
pub(super) fn std_in<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [buffer, capacity] = call.arguments();
    let mut line = Vec::new();
    while (line.len() as u64) < u64::from(capacity) {
        let byte = call.read_device(Device::Input, 1);
        let Some(&byte) = byte.first() else {
            break;
        };
        line.push(byte);
        if byte == b'\n' {
            break;
        }
    }
    call.put_bytes(buffer, &line)?;
    let len = units::<Ansi>(&line);
    if len < capacity {
        call.put_characters::<Ansi>(buffer.wrapping_add(len), &[])?;
    }
    Ok(len)
}

/// `StripLF`: ends a string at its first line end.
pub(super) fn strip_lf<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    let bytes = call.characters::<Ansi>(string)?;
    if let Some(end) = bytes
        .iter()
        .position(|&byte| byte == b'\r' || byte == b'\n')
    {
        let end = u32::try_from(end).unwrap_or(0);
        call.put_characters::<Ansi>(string.wrapping_add(end), &[])?;
    }
    Ok(0)
}

fn store<W: Watch>(call: &mut Call<'_, W>, buffer: u32, text: &str) -> Result<u32, Stop> {
    call.put_characters::<Ansi>(buffer, text.as_bytes())?;
    Ok(buffer)
}

/// `dwtoa` and `dw2a`: a signed number in decimal digits.
pub(super) fn dwtoa<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [value, buffer] = call.arguments();
    store(call, buffer, &value.cast_signed().to_string())
}

/// `udw2str`: an unsigned number.
pub(super) fn udw2str<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [value, buffer] = call.arguments();
    store(call, buffer, &value.to_string())
}

/// `dw2hex` and `dw2ah`: eight hexadecimal digits.
pub(super) fn dw2hex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [value, buffer] = call.arguments();
    store(call, buffer, &format!("{value:08X}"))
}

/// `dw2bin_ex`: 32 binary digits.
pub(super) fn dw2bin<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [value, buffer] = call.arguments();
    store(call, buffer, &format!("{value:032b}"))
}

/// `atodw`, `a2dw` and `ustr2dw`: decimal digits to a number.
pub(super) fn atodw<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    let text = call.characters::<Ansi>(string)?;
    Ok(integer_of(&text, 10))
}

/// `htodw`: hexadecimal digits to a number.
pub(super) fn htodw<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    let text = call.characters::<Ansi>(string)?;
    Ok(integer_of(&text, 16))
}

/// `szCatStr`: appends a string.
pub(super) fn sz_cat_str<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [to, from] = call.arguments();
    append(call, to, from)?;
    Ok(to)
}

fn append<W: Watch>(call: &mut Call<'_, W>, to: u32, from: u32) -> Result<(), Stop> {
    let end = to.wrapping_add(units::<Ansi>(&call.characters::<Ansi>(to)?));
    let added = call.characters::<Ansi>(from)?;
    call.put_characters::<Ansi>(end, &added)
}

/// `szMultiCat`: appends so many strings.
pub(super) fn sz_multi_cat<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [count, to] = call.arguments();
    for index in 0..count {
        let place = call.further(2 + index);
        let from = call.get_u32(place)?;
        append(call, to, from)?;
    }
    Ok(to)
}

/// `szCopy`: the source comes first; returns the length.
pub(super) fn sz_copy<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [from, to] = call.arguments();
    let characters = call.characters::<Ansi>(from)?;
    call.put_characters::<Ansi>(to, &characters)?;
    Ok(units::<Ansi>(&characters))
}

/// `szCmp`: the length if the strings are equal, 0 if not.
pub(super) fn sz_cmp<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [first, second] = call.arguments();
    let first = call.characters::<Ansi>(first)?;
    let second = call.characters::<Ansi>(second)?;
    Ok(if first == second {
        units::<Ansi>(&first)
    } else {
        0
    })
}

/// `szCmpi`: 0 if so many characters are equal, whatever their case.
pub(super) fn sz_cmpi<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [first, second, len] = call.arguments();
    let first = call.characters_up_to::<Ansi>(first, len)?;
    let second = call.characters_up_to::<Ansi>(second, len)?;
    Ok(u32::from(!first.eq_ignore_ascii_case(&second)))
}

/// Replaces a string by what is made of it.
fn changed<W: Watch>(call: &mut Call<'_, W>, change: fn(Vec<u8>) -> Vec<u8>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    let characters = change(call.characters::<Ansi>(string)?);
    call.put_characters::<Ansi>(string, &characters)?;
    Ok(string)
}

/// `szUpper` and `ucase`.
pub(super) fn sz_upper<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    changed(call, |text| text.to_ascii_uppercase())
}

/// `szLower` and `lcase`.
pub(super) fn sz_lower<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    changed(call, |text| text.to_ascii_lowercase())
}

/// `szTrim`: without spaces and tabs at both ends; returns the length.
pub(super) fn sz_trim<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let string = changed(call, |text| text.trim_ascii().to_vec())?;
    Ok(units::<Ansi>(&call.characters::<Ansi>(string)?))
}

/// `szLtrim`: the source comes first.
pub(super) fn sz_ltrim<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    copied(call, <[u8]>::trim_ascii_start)
}

/// `szRtrim`.
pub(super) fn sz_rtrim<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    copied(call, <[u8]>::trim_ascii_end)
}

fn copied<W: Watch>(call: &mut Call<'_, W>, part: fn(&[u8]) -> &[u8]) -> Result<u32, Stop> {
    let [from, to] = call.arguments();
    let characters = call.characters::<Ansi>(from)?;
    let part = part(&characters).to_vec();
    call.put_characters::<Ansi>(to, &part)?;
    Ok(units::<Ansi>(&part))
}

/// `szRev`.
pub(super) fn sz_rev<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [from, to] = call.arguments();
    let mut characters = call.characters::<Ansi>(from)?;
    characters.reverse();
    call.put_characters::<Ansi>(to, &characters)?;
    Ok(to)
}

/// `szLeft`: so many characters from the front.
pub(super) fn sz_left<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [from, to, len] = call.arguments();
    let characters = call.characters_up_to::<Ansi>(from, len)?;
    call.put_characters::<Ansi>(to, &characters)?;
    Ok(to)
}

/// `szRight`: so many from the end.
pub(super) fn sz_right<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [from, to, len] = call.arguments();
    let characters = call.characters::<Ansi>(from)?;
    let skipped = characters.len().saturating_sub(len as usize);
    let part = characters.get(skipped..).unwrap_or_default();
    call.put_characters::<Ansi>(to, part)?;
    Ok(to)
}

/// `szMid`: so many from a place, from 1.
pub(super) fn sz_mid<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [from, to, start, len] = call.arguments();
    let characters = call.characters::<Ansi>(from)?;
    let rest = characters
        .get(start.saturating_sub(1) as usize..)
        .unwrap_or_default();
    let part = rest.get(..len as usize).unwrap_or(rest);
    call.put_characters::<Ansi>(to, part)?;
    Ok(to)
}

/// `exist`: whether there is such a file.
pub(super) fn exist<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [name] = call.arguments();
    let name = call.text::<Ansi>(name)?;
    let services = &mut call.machine.services;
    let path = crate::files::FilePath::resolve(&services.folder, &name);
    Ok(u32::from(services.files.info(&path).is_ok()))
}

/// `GetCL` and `ArgCl`: the argument of a number from 1; returns 1, or 2 if there is none.
pub(super) fn get_cl<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const FOUND: u32 = 1;
    const NONE: u32 = 2;
    let [number, buffer] = call.arguments();
    let arguments = command_line::split(&call.machine.command_line());
    let argument = arguments.get(number as usize).cloned();
    let bytes = argument.as_ref().map(|text| crate::codepage::bytes(text));
    call.put_characters::<Ansi>(buffer, &bytes.unwrap_or_default())?;
    Ok(if argument.is_some() { FOUND } else { NONE })
}

/// `MemCopy`: the source comes first.
pub(super) fn mem_copy<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [from, to, len_bytes] = call.arguments();
    call.move_bytes(to, from, len_bytes)?;
    Ok(0)
}

/// `MemFill`: fills with the dword.
pub(super) fn mem_fill<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [to, len_bytes, value] = call.arguments();
    let pattern = value.to_le_bytes();
    for index in 0..len_bytes {
        let byte = pattern[index as usize % pattern.len()];
        call.put_bytes(to.wrapping_add(index), &[byte])?;
    }
    Ok(0)
}
