//! File mappings: sections and views of them.

use pagefault_vmm::mmu::LinearAddr;
use pagefault_vmm::{
    Handle, KernelObject, MapRequest, PageBytes, PageStore, SectionFile, SectionId, SectionRequest,
    StoreError, Win32Code,
};

use crate::api::text::Text;
use crate::api::{Call, Stop};
use crate::error::{
    ALREADY_EXISTS, FILE_INVALID, FILE_NOT_FOUND, NAME_TOO_LONG, NO_SYSTEM_RESOURCES,
};
use crate::files::OpenFile;
use crate::watch::Watch;

/// `INVALID_HANDLE_VALUE`: the paging file.
const PAGING_FILE: u32 = u32::MAX;
/// Protections with which a section writes to its file.
const WRITABLE: u32 = 0x04 | 0x40;

/// The most names of sections, where names of those that are gone are looked for.
const MAX_NAMES: usize = 1 << 17;

/// A file behind a section.
#[derive(Debug)]
struct Mapped {
    file: Box<dyn OpenFile>,
    size_bytes: u64,
}

impl PageStore for Mapped {
    fn read(&mut self, index: u32, page: &mut PageBytes) -> Result<(), StoreError> {
        let at = u64::from(index) * page.len() as u64;
        page.fill(0);
        let read = self.file.read(at, page);
        read.map(|_| ()).map_err(|_| StoreError::Read { index })
    }

    fn write(&mut self, index: u32, page: &PageBytes) -> Result<(), StoreError> {
        let at = u64::from(index) * page.len() as u64;
        let left = self.size_bytes.saturating_sub(at);
        let len = usize::try_from(left).map_or(page.len(), |left| left.min(page.len()));
        let written = self.file.write(at, &page[..len]);
        written.map_err(|_| StoreError::Write { index })
    }
}

impl SectionFile for Mapped {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn copy_file(&self) -> Option<Box<dyn SectionFile>> {
        Some(Box::new(Self {
            file: self.file.copy()?,
            size_bytes: self.size_bytes,
        }))
    }
}

/// `CreateFileMapping`.
pub(super) fn create_file_mapping<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [file, _security, protect, size_high, size_low, name] = call.arguments();
    let name = match name {
        0 => None,
        name => match call.name::<T>(name)? {
            None => return Ok(call.fail(NAME_TOO_LONG)),
            name => name,
        },
    };
    let size_bytes = u64::from(size_high) << u32::BITS | u64::from(size_low);
    if let Some(section) = name.as_ref().and_then(|name| named(call, name)) {
        let handle = open(call, section);
        if handle != 0 {
            call.set_last_error(ALREADY_EXISTS);
        }
        return Ok(handle);
    }
    if !has_room(call) {
        return Ok(call.fail(NO_SYSTEM_RESOURCES));
    }
    let mapped = match file {
        PAGING_FILE => None,
        handle => match mapped_file(call, handle, protect, size_bytes) {
            Ok(file) => Some(file),
            Err(code) => return Ok(call.fail(code)),
        },
    };
    let request = SectionRequest {
        size_bytes,
        protect,
        file: mapped,
    };
    let section = match call.machine.vmm.create_section(request) {
        Ok(section) => section,
        Err(error) => return Ok(call.fail(error.win32_code())),
    };
    if let Err(code) = extend(call, file, size_bytes) {
        let machine = &mut *call.machine;
        machine.vmm.close_section(&machine.mmu, section);
        return Ok(call.fail(code));
    }
    let machine = &mut *call.machine;
    if let Some(name) = name {
        let names = &mut machine.services.sections;
        // Those of sections that are gone stay until then.
        if names.len() >= MAX_NAMES {
            names.retain(|_, &mut section| machine.vmm.has_section(section));
        }
        names.insert(name, section);
    }
    let object = KernelObject::Section(section);
    let handle = machine.vmm.open_handle(machine.process, object);
    call.set_last_error(Win32Code::new(0));
    Ok(handle.0)
}

/// Returns the file of a handle for a section, which changes nothing.
fn mapped_file<W: Watch>(
    call: &mut Call<'_, W>,
    handle: u32,
    protect: u32,
    size_bytes: u64,
) -> Result<Box<dyn SectionFile>, Win32Code> {
    let services = &mut call.machine.services;
    let open = services
        .handles
        .get(handle)
        .ok_or(Win32Code::INVALID_HANDLE)?;
    let is_writable = protect & WRITABLE != 0;
    if is_writable && !open.uses.allows_overwriting() {
        return Err(Win32Code::ACCESS_DENIED);
    }
    let present = open.file.size().map_err(crate::api::files::code)?;
    if size_bytes > present && !is_writable {
        return Err(Win32Code::NOT_ENOUGH_MEMORY);
    }
    if size_bytes == 0 && present == 0 {
        return Err(FILE_INVALID);
    }
    let mode = if is_writable {
        crate::files::FileMode::ReadWrite
    } else {
        crate::files::FileMode::Read
    };
    let path = open.path.clone();
    let file = services
        .files
        .open(&path, mode, crate::files::Creation::Open);
    let file = file.map_err(crate::api::files::code)?;
    let size_bytes = if size_bytes == 0 { present } else { size_bytes };
    Ok(Box::new(Mapped { file, size_bytes }))
}

/// Makes a file as large as the section of it.
fn extend<W: Watch>(call: &mut Call<'_, W>, handle: u32, size_bytes: u64) -> Result<(), Win32Code> {
    let Some(open) = call.machine.services.handles.get(handle) else {
        return Ok(()); // The paging file.
    };
    let present = open.file.size().map_err(crate::api::files::code)?;
    if size_bytes > present {
        let set = open.file.set_size(size_bytes);
        set.map_err(crate::api::files::code)?;
    }
    Ok(())
}

/// `OpenFileMapping`.
pub(super) fn open_file_mapping<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [_access, _inherit, name] = call.arguments();
    if name == 0 {
        return Ok(call.fail(Win32Code::INVALID_PARAMETER));
    }
    let Some(name) = call.name::<T>(name)? else {
        return Ok(call.fail(NAME_TOO_LONG));
    };
    match named(call, &name) {
        Some(section) => Ok(open(call, section)),
        None => Ok(call.fail(FILE_NOT_FOUND)),
    }
}

/// Returns the section of that name. The name ends with its section.
fn named<W: Watch>(call: &Call<'_, W>, name: &str) -> Option<SectionId> {
    let machine = &*call.machine;
    let known = machine.services.sections.get(name).copied();
    known.filter(|&section| machine.vmm.has_section(section))
}

/// Returns another handle to a section; 0 with an error code if the process has too many.
fn open<W: Watch>(call: &mut Call<'_, W>, section: SectionId) -> u32 {
    if !has_room(call) {
        return call.fail(NO_SYSTEM_RESOURCES);
    }
    let machine = &mut *call.machine;
    machine.vmm.reference_section(section);
    let object = KernelObject::Section(section);
    machine.vmm.open_handle(machine.process, object).0
}

fn has_room<W: Watch>(call: &Call<'_, W>) -> bool {
    let machine = &*call.machine;
    let sections = machine.vmm.handle_count(machine.process);
    machine.objects.has_room(sections)
}

/// `MapViewOfFile`.
pub(super) fn map_view_of_file<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [mapping, access, offset_high, offset_low, size_bytes] = call.arguments();
    let place = [offset_high, offset_low, size_bytes, 0];
    Ok(map(call, mapping, access, place))
}

/// `MapViewOfFileEx`.
pub(super) fn map_view_of_file_ex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [
        mapping,
        access,
        offset_high,
        offset_low,
        size_bytes,
        address,
    ] = call.arguments();
    let place = [offset_high, offset_low, size_bytes, address];
    Ok(map(call, mapping, access, place))
}

fn map<W: Watch>(call: &mut Call<'_, W>, mapping: u32, access: u32, place: [u32; 4]) -> u32 {
    let [offset_high, offset_low, size_bytes, address] = place;
    let caller = call.caller();
    let section = call
        .machine
        .vmm
        .section_behind(caller.process, Handle(mapping));
    let section = match section {
        Ok(section) => section,
        Err(error) => return call.fail(error.win32_code()),
    };
    let request = MapRequest {
        access,
        offset_bytes: u64::from(offset_high) << u32::BITS | u64::from(offset_low),
        size_bytes,
        address: LinearAddr::new(address),
    };
    match call.machine.vmm.map_view(caller, section, &request) {
        Ok(base) => base.bits(),
        Err(error) => call.fail(error.win32_code()),
    }
}

/// `UnmapViewOfFile`.
pub(super) fn unmap_view_of_file<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [address] = call.arguments();
    let caller = call.caller();
    let machine = &mut *call.machine;
    let unmapped = machine
        .vmm
        .unmap_view(&mut machine.mmu, caller, LinearAddr::new(address));
    Ok(call.truth(unmapped.map_err(pagefault_vmm::UnmapError::win32_code)))
}

/// `FlushViewOfFile`.
pub(super) fn flush_view_of_file<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [address, size_bytes] = call.arguments();
    let caller = call.caller();
    let machine = &mut *call.machine;
    let flushed = machine.vmm.flush_view(
        &mut machine.mmu,
        caller,
        LinearAddr::new(address),
        size_bytes,
    );
    Ok(call.truth(flushed.map_err(pagefault_vmm::FlushError::win32_code)))
}
