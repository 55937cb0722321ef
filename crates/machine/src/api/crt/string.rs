//! Strings of the C library, 8 and 16 bits wide.

use pagefault_vmm::NewBytes;

use crate::api::crt::errno;
use crate::api::crt::memory::compared;
use crate::api::text::{Ansi, Text, Wide, units};
use crate::api::{Call, Stop};
use crate::watch::Watch;

/// `strlen`.
pub(in crate::api) fn strlen<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    Ok(units::<T>(&call.characters::<T>(string)?))
}

/// `strnlen`.
pub(in crate::api) fn strnlen<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string, limit] = call.arguments();
    Ok(units::<Ansi>(
        &call.characters_up_to::<Ansi>(string, limit)?,
    ))
}

/// `_strset`.
pub(in crate::api) fn strset<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string, character] = call.arguments();
    let len = units::<Ansi>(&call.characters::<Ansi>(string)?);
    call.fill(string, len, character.to_le_bytes()[0])?;
    Ok(string)
}

/// `_strnset`.
pub(in crate::api) fn strnset<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string, character, limit] = call.arguments();
    let len = units::<Ansi>(&call.characters_up_to::<Ansi>(string, limit)?);
    call.fill(string, len, character.to_le_bytes()[0])?;
    Ok(string)
}

/// `strcpy`.
pub(in crate::api) fn strcpy<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [to, from] = call.arguments();
    let characters = call.characters::<T>(from)?;
    call.put_characters::<T>(to, &characters)?;
    Ok(to)
}

/// `strncpy`: fills up with zeros, and ends with none if the text is as long as the count.
pub(in crate::api) fn strncpy<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [to, from, count] = call.arguments();
    let characters = call.characters_up_to::<T>(from, count)?;
    call.put_bytes(to, &characters)?;
    let done = units::<T>(&characters);
    let end = to.wrapping_add(done * T::BYTES);
    call.fill(end, count.saturating_sub(done).saturating_mul(T::BYTES), 0)?;
    Ok(to)
}

/// `strcat`.
pub(in crate::api) fn strcat<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [to, from] = call.arguments();
    let end = end::<W, T>(call, to)?;
    let characters = call.characters::<T>(from)?;
    call.put_characters::<T>(end, &characters)?;
    Ok(to)
}

/// `strncat`.
pub(in crate::api) fn strncat<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [to, from, count] = call.arguments();
    let end = end::<W, T>(call, to)?;
    let characters = call.characters_up_to::<T>(from, count)?;
    call.put_characters::<T>(end, &characters)?;
    Ok(to)
}

fn end<W: Watch, T: Text>(call: &mut Call<'_, W>, string: u32) -> Result<u32, Stop> {
    let len = call.characters::<T>(string)?.len();
    Ok(string.wrapping_add(u32::try_from(len).unwrap_or(u32::MAX)))
}

/// `strcmp`.
pub(in crate::api) fn strcmp<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [first, second] = call.arguments();
    compare::<W, T>(call, [first, second], u32::MAX, |unit| unit)
}

/// `strncmp`.
pub(in crate::api) fn strncmp<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [first, second, count] = call.arguments();
    compare::<W, T>(call, [first, second], count, |unit| unit)
}

/// `_stricmp`.
pub(in crate::api) fn stricmp<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [first, second] = call.arguments();
    compare::<W, T>(call, [first, second], u32::MAX, lower)
}

/// `_strnicmp`.
pub(in crate::api) fn strnicmp<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [first, second, count] = call.arguments();
    compare::<W, T>(call, [first, second], count, lower)
}

fn lower(unit: u16) -> u16 {
    u8::try_from(unit).map_or(unit, |byte| byte.to_ascii_lowercase().into())
}

fn upper(unit: u16) -> u16 {
    u8::try_from(unit).map_or(unit, |byte| byte.to_ascii_uppercase().into())
}

fn compare<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    [first, second]: [u32; 2],
    count: u32,
    map: fn(u16) -> u16,
) -> Result<u32, Stop> {
    let mut index = 0;
    while index < count {
        let at = |addr: u32| addr.wrapping_add(index.wrapping_mul(T::BYTES));
        let a = map(unit::<W, T>(call, at(first))?);
        let b = map(unit::<W, T>(call, at(second))?);
        if a != b || a == 0 {
            return Ok(compared(a.cmp(&b)));
        }
        index += 1;
    }
    Ok(0)
}

fn unit<W: Watch, T: Text>(call: &mut Call<'_, W>, addr: u32) -> Result<u16, Stop> {
    let bytes = call.get_bytes(addr, T::BYTES)?;
    Ok(T::widen(&bytes).first().copied().unwrap_or(0))
}

/// Reads a string as numbers.
fn read<W: Watch, T: Text>(call: &mut Call<'_, W>, string: u32) -> Result<Vec<u16>, Stop> {
    Ok(T::widen(&call.characters::<T>(string)?))
}

fn place<T: Text>(string: u32, index: Option<usize>) -> u32 {
    let offset = |index| u32::try_from(index).unwrap_or(0).wrapping_mul(T::BYTES);
    index.map_or(0, |index| string.wrapping_add(offset(index)))
}

/// Returns a character as the string has it.
fn wanted<T: Text>(character: u32) -> u16 {
    let [first, second, ..] = character.to_le_bytes();
    match T::BYTES {
        1 => first.into(),
        _ => u16::from_le_bytes([first, second]),
    }
}

/// `strchr`: the zero at the end is found too.
pub(in crate::api) fn strchr<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string, character] = call.arguments();
    let mut text = read::<W, T>(call, string)?;
    text.push(0);
    let wanted = wanted::<T>(character);
    Ok(place::<T>(
        string,
        text.iter().position(|&unit| unit == wanted),
    ))
}

/// `strrchr`.
pub(in crate::api) fn strrchr<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string, character] = call.arguments();
    let mut text = read::<W, T>(call, string)?;
    text.push(0);
    let wanted = wanted::<T>(character);
    Ok(place::<T>(
        string,
        text.iter().rposition(|&unit| unit == wanted),
    ))
}

/// `strstr`.
pub(in crate::api) fn strstr<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string, part] = call.arguments();
    let text = read::<W, T>(call, string)?;
    let part = read::<W, T>(call, part)?;
    if part.is_empty() {
        return Ok(string);
    }
    let found = text.windows(part.len()).position(|window| window == part);
    Ok(place::<T>(string, found))
}

/// `strspn`: how many characters at the front are in the set.
pub(in crate::api) fn strspn<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string, set] = call.arguments();
    let text = read::<W, T>(call, string)?;
    let set = read::<W, T>(call, set)?;
    let count = text.iter().take_while(|unit| set.contains(unit)).count();
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// `strcspn`: how many characters at the front are not in the set.
pub(in crate::api) fn strcspn<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string, set] = call.arguments();
    let text = read::<W, T>(call, string)?;
    let set = read::<W, T>(call, set)?;
    let count = text.iter().take_while(|unit| !set.contains(unit)).count();
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// `strpbrk`.
pub(in crate::api) fn strpbrk<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string, set] = call.arguments();
    let text = read::<W, T>(call, string)?;
    let set = read::<W, T>(call, set)?;
    Ok(place::<T>(
        string,
        text.iter().position(|unit| set.contains(unit)),
    ))
}

/// `strtok`: goes on where it was in the thread that calls if the string is NULL.
pub(in crate::api) fn strtok<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string, set] = call.arguments();
    let string = if string == 0 {
        call.machine.threads.current().token
    } else {
        string
    };
    if string == 0 {
        return Ok(0);
    }
    let text = read::<W, T>(call, string)?;
    let set = read::<W, T>(call, set)?;
    let start = text.iter().take_while(|unit| set.contains(unit)).count();
    let rest = text.get(start..).unwrap_or_default();
    let len = rest.iter().take_while(|unit| !set.contains(unit)).count();
    let mut next = place::<T>(string, Some(start + len));
    if start + len < text.len() {
        call.put_characters::<T>(next, &[])?;
        next = next.wrapping_add(T::BYTES);
    }
    call.machine.threads.current_mut().token = next;
    let token = (!rest.is_empty()).then_some(start);
    Ok(place::<T>(string, token))
}

/// `_strdup`.
pub(in crate::api) fn strdup<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    if string == 0 {
        return Ok(0);
    }
    let characters = call.characters::<T>(string)?;
    let size_bytes = u32::try_from(characters.len()).unwrap_or(u32::MAX - T::BYTES) + T::BYTES;
    let block = call.allocate(size_bytes, NewBytes::Stale);
    if block == 0 {
        call.set_errno(errno::NOMEM)?;
        return Ok(0);
    }
    call.put_characters::<T>(block, &characters)?;
    Ok(block)
}

/// Changes each character of a string.
fn changed<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    change: fn(Vec<u16>) -> Vec<u16>,
) -> Result<u32, Stop> {
    let [string] = call.arguments();
    let text = change(read::<W, T>(call, string)?);
    call.put_bytes(string, &T::narrow(&text))?;
    Ok(string)
}

/// `_strlwr`.
pub(in crate::api) fn strlwr<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    changed::<W, T>(call, |text| text.into_iter().map(lower).collect())
}

/// `_strupr`.
pub(in crate::api) fn strupr<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    changed::<W, T>(call, |text| text.into_iter().map(upper).collect())
}

/// `_strrev`.
pub(in crate::api) fn strrev<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    changed::<W, T>(call, |mut text| {
        text.reverse();
        text
    })
}

/// `mbstowcs`: a NULL buffer asks for the length.
pub(in crate::api) fn mbstowcs<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [to, from, count] = call.arguments();
    let text = call.text::<Ansi>(from)?;
    recoded::<W, Wide>(call, &text, to, count)
}

/// `wcstombs`.
pub(in crate::api) fn wcstombs<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [to, from, count] = call.arguments();
    let text = call.text::<Wide>(from)?;
    recoded::<W, Ansi>(call, &text, to, count)
}

fn recoded<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    text: &str,
    to: u32,
    count: u32,
) -> Result<u32, Stop> {
    let characters = T::encode(text);
    let len = units::<T>(&characters);
    if to == 0 {
        return Ok(len);
    }
    if len < count {
        call.put_characters::<T>(to, &characters)?;
        return Ok(len);
    }
    let fitting = (count as usize).saturating_mul(T::BYTES as usize);
    call.put_bytes(to, characters.get(..fitting).unwrap_or(&characters))?;
    Ok(count)
}

/// Returns what an `errno` value means.
pub(super) fn error_text(number: u32) -> &'static str {
    match number {
        0 => "No error",
        1 => "Operation not permitted",
        2 => "No such file or directory",
        3 => "No such process",
        4 => "Interrupted function call",
        5 => "Input/output error",
        7 => "Arg list too long",
        8 => "Exec format error",
        9 => "Bad file descriptor",
        12 => "Not enough space",
        13 => "Permission denied",
        14 => "Bad address",
        16 => "Resource device",
        17 => "File exists",
        20 => "Not a directory",
        21 => "Is a directory",
        22 => "Invalid argument",
        24 => "Too many open files",
        27 => "File too large",
        28 => "No space left on device",
        29 => "Invalid seek",
        32 => "Broken pipe",
        33 => "Domain error",
        34 => "Result too large",
        41 => "Directory not empty",
        _ => "Unknown error",
    }
}

/// `strerror`.
pub(in crate::api) fn strerror<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const BUFFER_BYTES: u32 = 64;
    let [number] = call.arguments();
    let buffer = call.static_buffer("strerror", BUFFER_BYTES);
    if buffer != 0 {
        call.put_characters::<Ansi>(buffer, error_text(number).as_bytes())?;
    }
    Ok(buffer)
}
