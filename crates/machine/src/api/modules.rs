//! Modules: the program itself and the libraries of the system.

use pagefault_vmm::Win32Code;

use crate::api::text::{Ansi, Text, units};
use crate::api::{Call, Modules, Stop, TRUE};
use crate::error::{INSUFFICIENT_BUFFER, MOD_NOT_FOUND, PROC_NOT_FOUND};
use crate::watch::Watch;

/// Where the program is.
const PROGRAM_FOLDER: &str = "C:\\";
/// Where the system's libraries are.
const SYSTEM_FOLDER: &str = "C:\\WINDOWS\\system32\\";
/// The highest number that `GetProcAddress` takes for an ordinal and not for a pointer.
const MAX_ORDINAL: u32 = 0xFFFF;

/// `GetModuleHandle`: NULL names the program.
pub(super) fn get_module_handle<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [name] = call.arguments();
    if name == 0 {
        return Ok(call.machine.image.start);
    }
    module_named::<W, T>(call, name)
}

/// `GetModuleFileName`: returns the length of the path; a buffer that is too small gets what fits.
pub(super) fn get_module_file_name<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [module, buffer, capacity] = call.arguments();
    let path = if module == 0 || module == call.machine.image.start {
        format!("{PROGRAM_FOLDER}{}", call.machine.program_name)
    } else if let Some(id) = Modules::at::<W>(module) {
        format!("{SYSTEM_FOLDER}{}", Modules::name::<W>(id))
    } else {
        return Ok(call.fail(MOD_NOT_FOUND));
    };
    let characters = T::encode(&path);
    if capacity <= units::<T>(&characters) {
        let fitting = capacity.saturating_sub(1).saturating_mul(T::BYTES);
        if capacity > 0 {
            let fitting = characters.get(..fitting as usize).unwrap_or_default();
            call.put_characters::<T>(buffer, fitting)?;
        }
        call.set_last_error(INSUFFICIENT_BUFFER);
        return Ok(capacity);
    }
    call.put_characters::<T>(buffer, &characters)?;
    Ok(units::<T>(&characters))
}

/// `LoadLibrary`: all libraries that there are, are loaded from the start.
pub(super) fn load_library<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [name] = call.arguments();
    load::<W, T>(call, name)
}

/// `LoadLibraryEx`: the flags change nothing for a library of the system.
pub(super) fn load_library_ex<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [name, _file, _flags] = call.arguments();
    load::<W, T>(call, name)
}

/// `FreeLibrary`: libraries of the system stay.
pub(super) fn free_library<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [module] = call.arguments();
    let is_known = module == call.machine.image.start || Modules::at::<W>(module).is_some();
    Ok(if is_known {
        TRUE
    } else {
        call.fail(MOD_NOT_FOUND)
    })
}

/// `GetProcAddress`: returns the address of a function by its name. Ordinals are not known.
pub(super) fn get_proc_address<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [module, name] = call.arguments();
    let Some(id) = Modules::at::<W>(module) else {
        let code = if module == call.machine.image.start {
            PROC_NOT_FOUND
        } else {
            MOD_NOT_FOUND
        };
        return Ok(call.fail(code));
    };
    if name <= MAX_ORDINAL {
        return Ok(call.fail(PROC_NOT_FOUND));
    }
    let name = call.text::<Ansi>(name)?;
    Ok(match Modules::export::<W>(id, &name) {
        Some(addr) => addr,
        None => call.fail(PROC_NOT_FOUND),
    })
}

fn load<W: Watch, T: Text>(call: &mut Call<'_, W>, name: u32) -> Result<u32, Stop> {
    if name == 0 {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    module_named::<W, T>(call, name)
}

fn module_named<W: Watch, T: Text>(call: &mut Call<'_, W>, name: u32) -> Result<u32, Stop> {
    let name = call.text::<T>(name)?;
    if call.machine.is_program(&name) {
        return Ok(call.machine.image.start);
    }
    Ok(match Modules::named::<W>(&name) {
        Some(id) => id.base(),
        None => call.fail(MOD_NOT_FOUND),
    })
}
