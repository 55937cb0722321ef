//! Functions of the program's own mode: they touch memory as the program does, and fault as it.

use std::cmp::Ordering;

use pagefault_vmm::mmu::LinearAddr;

use crate::api::text::{Text, units};
use crate::api::{Call, Stop};
use crate::collate::{self, Case};
use crate::format::{self, Arguments};
use crate::watch::Watch;

/// `CompareString` without flags, as a number: less, equal, greater.
const COMPARED: [u32; 3] = [u32::MAX, 0, 1];

/// `RtlZeroMemory`: fills memory with zeros.
pub(super) fn rtl_zero_memory<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [destination, len_bytes] = call.arguments();
    call.fill(destination, len_bytes, 0)?;
    Ok(0)
}

/// `RtlFillMemory`.
pub(super) fn rtl_fill_memory<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [destination, len_bytes, value] = call.arguments();
    call.fill(destination, len_bytes, value.to_le_bytes()[0])?;
    Ok(0)
}

/// `RtlMoveMemory`: copies memory; the blocks may overlap.
pub(super) fn rtl_move_memory<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [destination, source, len_bytes] = call.arguments();
    call.move_bytes(destination, source, len_bytes)?;
    Ok(0)
}

/// `RtlCompareMemory`: returns how many bytes are equal.
pub(super) fn rtl_compare_memory<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [first, second, len_bytes] = call.arguments();
    for index in 0..len_bytes {
        let [a, b] = [first, second].map(|addr| LinearAddr::new(addr).wrapping_add(index));
        if call.machine.read_user::<u8>(a)? != call.machine.read_user::<u8>(b)? {
            return Ok(index);
        }
    }
    Ok(len_bytes)
}

/// `lstrlen`: returns the length of a string; 0 for one that cannot be read.
pub(super) fn lstrlen<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string] = call.arguments();
    if string == 0 {
        return Ok(0);
    }
    let characters = call.characters::<T>(string);
    caught(characters.map(|characters| units::<T>(&characters)))
}

/// `lstrcpy`: returns the destination; NULL if memory cannot be touched.
pub(super) fn lstrcpy<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [destination, source] = call.arguments();
    let copied = call
        .characters::<T>(source)
        .and_then(|characters| call.put_characters::<T>(destination, &characters));
    caught(copied.map(|()| destination))
}

/// `lstrcpyn`: copies at most so many characters, the zero among them.
pub(super) fn lstrcpyn<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [destination, source, capacity] = call.arguments();
    // A count of 0 copies nothing and is no error.
    let Some(room) = (capacity.cast_signed().max(0).cast_unsigned()).checked_sub(1) else {
        return Ok(destination);
    };
    let copied = call
        .characters_up_to::<T>(source, room)
        .and_then(|characters| call.put_characters::<T>(destination, &characters));
    caught(copied.map(|()| destination))
}

/// `lstrcat`: returns the destination; NULL if memory cannot be touched.
pub(super) fn lstrcat<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [destination, source] = call.arguments();
    caught(append::<W, T>(call, destination, source))
}

fn append<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    destination: u32,
    source: u32,
) -> Result<u32, Stop> {
    let present = call.characters::<T>(destination)?;
    let added = call.characters::<T>(source)?;
    let end = destination.wrapping_add(u32::try_from(present.len()).unwrap_or(u32::MAX));
    call.put_characters::<T>(end, &added)?;
    Ok(destination)
}

/// `lstrcmp`: compares by the user's locale.
pub(super) fn lstrcmp<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    compare::<W, T>(call, Case::Matters)
}

/// `lstrcmpi`: the same, whatever the case.
pub(super) fn lstrcmpi<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    compare::<W, T>(call, Case::Ignored)
}

fn compare<W: Watch, T: Text>(call: &mut Call<'_, W>, case: Case) -> Result<u32, Stop> {
    let [first, second] = call.arguments();
    let ordering = match (first, second) {
        (0, 0) => Ordering::Equal,
        (0, _) => Ordering::Less,
        (_, 0) => Ordering::Greater,
        _ => {
            let first = call.text::<T>(first)?;
            let second = call.text::<T>(second)?;
            collate::compare(&first, &second, case)
        }
    };
    Ok(COMPARED[(ordering as i8 + 1).unsigned_abs() as usize])
}

/// Answers 0 for an access violation: these functions catch their own.
fn caught(result: Result<u32, Stop>) -> Result<u32, Stop> {
    match result {
        Err(Stop::Refused(_)) => Ok(0),
        result => result,
    }
}

/// `wsprintf`: formats into a buffer and returns the length without the terminating zero.
pub(super) fn wsprintf<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [output, format] = call.arguments();
    let next = call.further(2);
    formatted::<W, T>(call, output, format, next)
}

/// `wvsprintf`: the same with the arguments in a list.
pub(super) fn wvsprintf<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [output, format, list] = call.arguments();
    formatted::<W, T>(call, output, format, list)
}

fn formatted<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    output: u32,
    format: u32,
    list: u32,
) -> Result<u32, Stop> {
    let format: Vec<u16> = T::widen(&call.characters::<T>(format)?);
    let mut arguments = List { call, next: list };
    let text = format::wsprintf(&format, T::FORM, &mut arguments)?;
    let text = T::narrow(&text);
    call.put_characters::<T>(output, &text)?;
    Ok(units::<T>(&text))
}

/// Arguments of 32 bits that follow one another in memory.
pub(super) struct List<'a, 'b, W: Watch> {
    pub(super) call: &'a mut Call<'b, W>,
    /// Where the next one is.
    pub(super) next: u32,
}

impl<W: Watch> Arguments for List<'_, '_, W> {
    type Error = Stop;

    fn next(&mut self) -> Result<u32, Stop> {
        let argument = self.call.get_u32(self.next)?;
        self.next = self.next.wrapping_add(4);
        Ok(argument)
    }

    fn string(&mut self, addr: u32, limit: usize) -> Result<Vec<u8>, Stop> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        self.call.characters_up_to::<super::text::Ansi>(addr, limit)
    }

    fn wide_string(&mut self, addr: u32, limit: usize) -> Result<Vec<u16>, Stop> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let bytes = self
            .call
            .characters_up_to::<super::text::Wide>(addr, limit)?;
        Ok(super::text::Wide::widen(&bytes))
    }
}
