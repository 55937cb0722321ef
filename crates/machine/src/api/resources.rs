//! Resources: what a program's file carries besides code and data (Microsoft, "PE Format", "The
//! .rsrc Section").

use pagefault_vmm::mmu::LinearAddr;

use crate::api::text::Text;
use crate::api::{Call, Stop};
use crate::error::{RESOURCE_DATA_NOT_FOUND, RESOURCE_NAME_NOT_FOUND, RESOURCE_TYPE_NOT_FOUND};
use crate::watch::Watch;

/// The highest pointer that is taken for a number.
const MAX_NUMBER: u32 = 0xFFFF;
/// In the tables: the name is a string, the entry leads to a table.
const HIGH_BIT: u32 = 0x8000_0000;
/// From the PE signature to the directory of resources.
const DIRECTORY: u32 = 24 + 96 + 2 * 8;
/// The size of a table's header, and of an entry, in bytes.
const TABLE_BYTES: u32 = 16;
const ENTRY_BYTES: u32 = 8;
/// The most entries of a table that are looked at.
const MAX_ENTRIES: u32 = 1 << 16;

/// What names a resource or its type.
enum Name {
    Number(u32),
    /// In upper case, as the tables have it.
    Text(Vec<u16>),
}

/// `FindResource`: returns the address of the entry that describes the data.
pub(super) fn find_resource<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [module, name, kind] = call.arguments();
    let base = if module == 0 {
        call.machine.image.start
    } else {
        module
    };
    let Some(root) = call.resources(base)? else {
        return Ok(call.fail(RESOURCE_DATA_NOT_FOUND));
    };
    let kind = call.resource_name::<T>(kind)?;
    let name = call.resource_name::<T>(name)?;
    let Some(names) = call.resource_entry(root, root, Some(&kind))? else {
        return Ok(call.fail(RESOURCE_TYPE_NOT_FOUND));
    };
    let Some(languages) = call.resource_entry(root, names, Some(&name))? else {
        return Ok(call.fail(RESOURCE_NAME_NOT_FOUND));
    };
    // The first language will do.
    Ok(match call.resource_entry(root, languages, None)? {
        Some(entry) => entry,
        None => call.fail(RESOURCE_DATA_NOT_FOUND),
    })
}

/// `SizeofResource`
pub(super) fn sizeof_resource<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [_module, entry] = call.arguments();
    if entry == 0 {
        return Ok(call.fail(RESOURCE_DATA_NOT_FOUND));
    }
    call.word_at(entry.wrapping_add(4))
}

/// `LoadResource`: returns the address of the data.
pub(super) fn load_resource<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [module, entry] = call.arguments();
    if entry == 0 {
        return Ok(call.fail(RESOURCE_DATA_NOT_FOUND));
    }
    let base = if module == 0 {
        call.machine.image.start
    } else {
        module
    };
    Ok(base.wrapping_add(call.word_at(entry)?))
}

/// `LockResource`: the address is what `LoadResource` has returned.
pub(super) fn lock_resource<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [data] = call.arguments();
    Ok(data)
}

/// `FreeResource`: resources stay.
pub(super) fn free_resource<W: Watch>(_call: &mut Call<'_, W>) -> Result<u32, Stop> {
    Ok(0)
}

impl<W: Watch> Call<'_, W> {
    fn word_at(&mut self, addr: u32) -> Result<u32, Stop> {
        self.machine.read_user(LinearAddr::new(addr))
    }

    /// Returns where the tables of a module begin.
    fn resources(&mut self, base: u32) -> Result<Option<u32>, Stop> {
        const PE_OFFSET: u32 = 0x3C;
        let pe = base.wrapping_add(self.word_at(base.wrapping_add(PE_OFFSET))?);
        let offset = self.word_at(pe.wrapping_add(DIRECTORY))?;
        Ok((offset != 0).then(|| base.wrapping_add(offset)))
    }

    /// Returns what an argument names: a number, also as `#7`, or a text.
    fn resource_name<T: Text>(&mut self, argument: u32) -> Result<Name, Stop> {
        if argument <= MAX_NUMBER {
            return Ok(Name::Number(argument));
        }
        let text = self.text::<T>(argument)?;
        let number = text
            .strip_prefix('#')
            .and_then(|digits| digits.parse().ok());
        Ok(match number {
            Some(number) => Name::Number(number),
            None => Name::Text(text.to_uppercase().encode_utf16().collect()),
        })
    }

    /// Returns where an entry of a table leads; the first one of all, if no name is given.
    fn resource_entry(
        &mut self,
        root: u32,
        table: u32,
        wanted: Option<&Name>,
    ) -> Result<Option<u32>, Stop> {
        const COUNTS: u32 = 12;
        let counts = self.word_at(table.wrapping_add(COUNTS))?;
        let count = (counts & 0xFFFF).wrapping_add(counts >> 16);
        for index in 0..count.min(MAX_ENTRIES) {
            let at = table.wrapping_add(TABLE_BYTES + index * ENTRY_BYTES);
            let name = self.word_at(at)?;
            let matches = match wanted {
                None => true,
                Some(Name::Number(number)) => name == *number,
                Some(Name::Text(text)) => {
                    name & HIGH_BIT != 0
                        && self.has_name(root.wrapping_add(name & !HIGH_BIT), text)?
                }
            };
            if matches {
                let place = self.word_at(at.wrapping_add(4))?;
                return Ok(Some(root.wrapping_add(place & !HIGH_BIT)));
            }
        }
        Ok(None)
    }

    /// Compares a counted string with a text.
    fn has_name(&mut self, addr: u32, text: &[u16]) -> Result<bool, Stop> {
        let len = self.machine.read_user::<u16>(LinearAddr::new(addr))?;
        if usize::from(len) != text.len() {
            return Ok(false);
        }
        let bytes = self.get_bytes(addr.wrapping_add(2), u32::from(len) * 2)?;
        let units = bytes.as_chunks::<2>().0.iter();
        Ok(units
            .map(|unit| u16::from_le_bytes(*unit))
            .eq(text.iter().copied()))
    }
}
