//! The system's libraries as modules of the process, and what an import is bound to.

use std::ops::Range;

use pagefault_vmm::mmu::{LinearAddr, PAGE_SIZE};

use crate::api::table::{Library, Table};
use crate::api::{Convention, Function};
use crate::layout::{API_SLOT_BYTES, MODULE_BYTES, SYSTEM_BASE};
use crate::system::SystemCode;
use crate::watch::{Listener, Watch};

/// Returns the functions that are emulated: the file name of the library in lower case, and the name
/// of the function or datum.
pub fn emulated_functions() -> impl Iterator<Item = (&'static str, &'static str)> {
    Table::<Listener>::LIBRARIES.iter().flat_map(|library| {
        let functions = library.functions.iter();
        functions.map(|function| (library.name, function.name))
    })
}

/// A library of the system, by its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ModuleId(u32);

/// The most libraries; behind them comes the module of what is not emulated.
const MAX_LIBRARIES: u32 = 31;
/// The first function of a module; before it comes its header.
const FIRST_SLOT_OFFSET: u32 = PAGE_SIZE;
/// Functions for which a module has room.
const SLOTS: u32 = (MODULE_BYTES - FIRST_SLOT_OFFSET) / API_SLOT_BYTES;

/// The module that holds what no library does.
const OTHERS: ModuleId = ModuleId(MAX_LIBRARIES);
/// The slot at which a process that returns from its entry point arrives.
const RETURN_SLOT: u32 = 0;
/// The slot of the first function that is not emulated.
const FIRST_MISSING: u32 = 1;

/// The address at which a process that returns from its entry point arrives.
pub(crate) const RETURN_ADDRESS: u32 = OTHERS.slot(RETURN_SLOT);

impl ModuleId {
    /// Returns the address of the module, which is its handle.
    pub(crate) const fn base(self) -> u32 {
        SYSTEM_BASE + self.0 * MODULE_BYTES
    }

    const fn slot(self, slot: u32) -> u32 {
        self.base() + FIRST_SLOT_OFFSET + slot * API_SLOT_BYTES
    }
}

/// A function that a program imports and that is not emulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingFunction {
    /// The function.
    pub name: String,
    /// The library that the program names, if it does.
    pub library: Option<String>,
}

/// The system's modules, with the imports that no library has, in the order of their slots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Modules {
    missing: Vec<MissingFunction>,
}

/// What stands at an address of the system's modules.
#[derive(Debug)]
pub(crate) enum Target<'a, W: Watch> {
    /// The process has returned from its entry point.
    Return,
    /// A function of the table.
    Function(&'static Function<W>),
    /// A function that is not emulated.
    Missing(&'a MissingFunction),
    /// Nothing: the program has jumped there by itself.
    Nothing,
}

impl Modules {
    /// Returns the addresses at which control comes to the host.
    pub(crate) const fn host_calls() -> Range<u32> {
        SYSTEM_BASE..OTHERS.base() + MODULE_BYTES
    }

    /// Returns the address and the used size of each module that has to be mapped.
    pub(crate) fn extents<W: Watch>() -> impl Iterator<Item = (u32, u32)> {
        let libraries = Table::<W>::LIBRARIES.iter().zip(0..).map(|(library, id)| {
            let slots = slot_number(library.functions.len());
            let bytes = FIRST_SLOT_OFFSET + slots.min(SLOTS) * API_SLOT_BYTES;
            (ModuleId(id).base(), bytes.next_multiple_of(PAGE_SIZE))
        });
        libraries.chain([(OTHERS.base(), MODULE_BYTES)])
    }

    /// Returns the header of a module: that of a library without sections, which programs look at
    /// to see whether a handle is one.
    pub(crate) fn header(base: u32) -> Vec<u8> {
        const PE_OFFSET: u32 = 0x80;
        const HEADER_BYTES: usize = 0x200;
        /// Machine, no sections, no symbols, size of the optional header, library for 32 bits.
        const COFF: [u16; 10] = [0x14C, 0, 0, 0, 0, 0, 0, 0, 0xE0, 0x2102];
        const PE32_MAGIC: u16 = 0x10B;
        const IMAGE_BASE_OFFSET: usize = PE_OFFSET as usize + 24 + 28;
        let mut header = vec![0; HEADER_BYTES];
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(field) = header.get_mut(at..at + bytes.len()) {
                field.copy_from_slice(bytes);
            }
        };
        put(0, b"MZ");
        put(0x3C, &PE_OFFSET.to_le_bytes());
        put(PE_OFFSET as usize, b"PE\0\0");
        let coff: Vec<u8> = COFF.iter().flat_map(|word| word.to_le_bytes()).collect();
        put(PE_OFFSET as usize + 4, &coff);
        put(PE_OFFSET as usize + 24, &PE32_MAGIC.to_le_bytes());
        put(IMAGE_BASE_OFFSET, &base.to_le_bytes());
        header
    }

    /// Returns the address, the size and the name of each library.
    pub(crate) fn all<W: Watch>() -> impl Iterator<Item = (u32, u32, &'static str)> {
        Self::extents::<W>()
            .zip(Table::<W>::LIBRARIES)
            .map(|((base, size), library)| (base, size, library.name))
    }

    /// Returns the library of that name: a file name with or without a folder and an ending.
    pub(crate) fn named<W: Watch>(name: &str) -> Option<ModuleId> {
        let name = file_name(name);
        let known = |library: &Library<W>| library.name.eq_ignore_ascii_case(&name);
        let index = Table::<W>::LIBRARIES.iter().position(known)?;
        Some(ModuleId(slot_number(index)))
    }

    /// Returns the library at a handle.
    pub(crate) fn at<W: Watch>(handle: u32) -> Option<ModuleId> {
        let index = handle.checked_sub(SYSTEM_BASE)? / MODULE_BYTES;
        let id = ModuleId(index);
        (id.base() == handle && (index as usize) < Table::<W>::LIBRARIES.len()).then_some(id)
    }

    /// Returns the name of a library.
    pub(crate) fn name<W: Watch>(id: ModuleId) -> &'static str {
        library::<W>(id).map_or("", |library| library.name)
    }

    /// Returns the address of a function that a library exports.
    pub(crate) fn export<W: Watch>(id: ModuleId, name: &str) -> Option<u32> {
        let functions = library::<W>(id)?.functions;
        let index = functions.iter().position(|known| known.name == name)?;
        match functions[index].convention {
            Convention::Guest => SystemCode::get().address(name),
            Convention::Datum => Some(SystemCode::get().datum(name)),
            Convention::Stdcall(_) | Convention::Cdecl(_) => Some(id.slot(slot_number(index))),
        }
    }

    /// Returns the address for an import; `None` if there is no room for another one.
    pub(crate) fn bind<W: Watch>(&mut self, name: &str, library: Option<&str>) -> Option<u32> {
        let known = library.and_then(Self::named::<W>);
        let found = match known {
            Some(id) => Self::export::<W>(id, name),
            None => (0..slot_number(Table::<W>::LIBRARIES.len()))
                .find_map(|index| Self::export::<W>(ModuleId(index), name)),
        };
        if found.is_some() {
            return found;
        }
        let library = library.map(str::to_owned);
        let name = name.to_owned();
        let wanted = MissingFunction { name, library };
        let known = self.missing.iter().position(|missing| *missing == wanted);
        let index = known.unwrap_or(self.missing.len());
        let slot = slot_number(index).checked_add(FIRST_MISSING);
        let slot = slot.filter(|&slot| slot < SLOTS)?;
        if known.is_none() {
            self.missing.push(wanted);
        }
        Some(OTHERS.slot(slot))
    }

    /// Returns what stands at an address.
    pub(crate) fn target<W: Watch>(&self, addr: LinearAddr) -> Target<'_, W> {
        self.slot_at(addr).unwrap_or(Target::Nothing)
    }

    fn slot_at<W: Watch>(&self, addr: LinearAddr) -> Option<Target<'_, W>> {
        let offset = addr.bits().checked_sub(SYSTEM_BASE)?;
        let id = ModuleId(offset / MODULE_BYTES);
        let offset = (offset % MODULE_BYTES).checked_sub(FIRST_SLOT_OFFSET)?;
        if !offset.is_multiple_of(API_SLOT_BYTES) {
            return None;
        }
        let slot = offset / API_SLOT_BYTES;
        if id != OTHERS {
            let function = library::<W>(id)?.functions.get(slot as usize)?;
            let is_here = !matches!(function.convention, Convention::Guest | Convention::Datum);
            return is_here.then_some(Target::Function(function));
        }
        match slot.checked_sub(FIRST_MISSING) {
            None => Some(Target::Return),
            Some(index) => Some(Target::Missing(self.missing.get(index as usize)?)),
        }
    }
}

fn library<W: Watch>(id: ModuleId) -> Option<&'static Library<W>> {
    Table::<W>::LIBRARIES.get(id.0 as usize)
}

/// Returns the file name of a module in lower case, with its ending.
fn file_name(name: &str) -> String {
    let name = name
        .rsplit(['\\', '/'])
        .next()
        .unwrap_or(name)
        .to_ascii_lowercase();
    match name.rsplit_once('.') {
        // A dot at the end says that there is no ending.
        Some((stem, "")) => stem.to_owned(),
        Some((stem, "lib")) => format!("{stem}.dll"),
        Some(_) => name,
        None => name + ".dll",
    }
}

fn slot_number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
