//! Files, in the folder that the program may use.

use pagefault_vmm::Win32Code;
use pagefault_vmm::mmu::LinearAddr;

use crate::api::output::Writes;
use crate::api::text::Text;
use crate::api::{Call, Stop, TRUE};
use crate::error::{
    ALREADY_EXISTS, DIR_NOT_EMPTY, DISK_FULL, FILE_EXISTS, FILE_NOT_FOUND, NEGATIVE_SEEK,
    NO_MORE_FILES, PATH_NOT_FOUND, READ_FAULT, SHARING_VIOLATION, TOO_MANY_OPEN_FILES,
};
use crate::files::{Creation, FileError, FileInfo, FileMode, FilePath, Files};
use crate::limits::COPIED_BYTES;
use crate::services::{Closed, FileObject, FileUse};
use crate::watch::Watch;

/// `INVALID_HANDLE_VALUE`, `INVALID_FILE_SIZE`, `INVALID_FILE_ATTRIBUTES`.
const INVALID: u32 = u32::MAX;
/// `GENERIC_READ`, `GENERIC_WRITE`, `GENERIC_ALL`.
const GENERIC_READ: u32 = 0x8000_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;
const GENERIC_ALL: u32 = 0x1000_0000;
/// `FILE_WRITE_DATA`
const FILE_WRITE: u32 = 0x0002;
/// `FILE_APPEND_DATA`
const FILE_APPEND: u32 = 0x0004;
/// `FILE_READ_DATA`
const FILE_READ: u32 = 0x0001;
/// Rights with which a file is written at any place.
const WRITES: u32 = GENERIC_WRITE | GENERIC_ALL | FILE_WRITE;
/// `FILE_FLAG_DELETE_ON_CLOSE`
const DELETE_ON_CLOSE: u32 = 0x0400_0000;
/// `FILE_ATTRIBUTE_*`.
const ATTRIBUTE_READ_ONLY: u32 = 0x01;
const ATTRIBUTE_DIRECTORY: u32 = 0x10;
const ATTRIBUTE_ARCHIVE: u32 = 0x20;

/// Returns the error code of a file that cannot be had.
pub(super) fn code(error: FileError) -> Win32Code {
    match error {
        FileError::NotFound => FILE_NOT_FOUND,
        FileError::NoFolder => PATH_NOT_FOUND,
        FileError::Denied => Win32Code::ACCESS_DENIED,
        FileError::Exists => FILE_EXISTS,
        FileError::NotEmpty => DIR_NOT_EMPTY,
        FileError::TooMany => TOO_MANY_OPEN_FILES,
        FileError::Failed => READ_FAULT,
    }
}

/// Returns the path that a program names.
fn path<W: Watch, T: Text>(call: &mut Call<'_, W>, name: u32) -> Result<FilePath, Stop> {
    let name = call.text::<T>(name)?;
    Ok(FilePath::resolve(&call.machine.services.folder, &name))
}

/// `CreateFile`.
pub(super) fn create_file<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [
        name,
        access,
        _share,
        _security,
        disposition,
        flags,
        _template,
    ] = call.arguments();
    let text = call.text::<T>(name)?;
    let writes = if access & GENERIC_WRITE == 0 {
        Writes::No
    } else {
        Writes::Yes
    };
    if let Some(handle) = super::output::console_handle(&text, writes) {
        return Ok(handle);
    }
    let path = FilePath::resolve(&call.machine.services.folder, &text);
    let creation = match disposition {
        1 => Creation::New,
        2 => Creation::Replace,
        3 => Creation::Open,
        4 => Creation::OpenOrCreate,
        5 => Creation::Empty,
        _ => {
            call.fail(Win32Code::INVALID_PARAMETER);
            return Ok(INVALID);
        }
    };
    let mut uses = FileUse::empty();
    for (bits, right) in [
        (WRITES | FILE_APPEND, FileUse::WRITE),
        (GENERIC_READ | GENERIC_ALL | FILE_READ, FileUse::READ),
    ] {
        uses.set(right, access & bits != 0);
    }
    let appends = access & FILE_APPEND != 0 && access & WRITES == 0;
    uses.set(FileUse::APPEND, appends);
    uses.set(FileUse::DELETE_ON_CLOSE, flags & DELETE_ON_CLOSE != 0);
    let existed = call.machine.services.files.info(&path).is_ok();
    let opened = call.open(path, creation, uses);
    Ok(match opened {
        Ok(handle) => {
            let replaces = matches!(creation, Creation::Replace | Creation::OpenOrCreate);
            let code = if existed && replaces {
                ALREADY_EXISTS
            } else {
                Win32Code::new(0)
            };
            call.set_last_error(code);
            handle
        }
        Err(error) => {
            call.fail(code(error));
            INVALID
        }
    })
}

impl<W: Watch> Call<'_, W> {
    /// Opens a file and returns its handle.
    pub(super) fn open(
        &mut self,
        path: FilePath,
        creation: Creation,
        uses: FileUse,
    ) -> Result<u32, FileError> {
        let services = &mut self.machine.services;
        let known = services.files.info(&path);
        if known.as_ref().is_ok_and(|info| info.is_folder) {
            return Err(FileError::Denied);
        }
        // Before the file is made or emptied.
        if !services.handles.has_room() {
            return Err(FileError::TooMany);
        }
        let creation = match creation {
            Creation::OpenOrCreate if known.is_ok() => Creation::Open,
            creation => creation,
        };
        let mode = match creation {
            Creation::Open if !uses.contains(FileUse::WRITE) => FileMode::Read,
            _ => FileMode::ReadWrite,
        };
        let file = services.files.open(&path, mode, creation)?;
        let object = FileObject {
            file,
            path,
            position: 0,
            uses,
        };
        Ok(services.handles.insert(object))
    }

    /// Returns the file of a handle through which it may be read.
    pub(super) fn readable(&mut self, handle: u32) -> Result<&mut FileObject, Win32Code> {
        let open = self.machine.services.handles.get(handle);
        let open = open.ok_or(Win32Code::INVALID_HANDLE)?;
        let is_readable = open.uses.contains(FileUse::READ);
        is_readable.then_some(open).ok_or(Win32Code::ACCESS_DENIED)
    }

    /// Reads from an open file at its position.
    pub(super) fn read_open(&mut self, handle: u32, len: u32) -> Result<Vec<u8>, Win32Code> {
        let open = self.readable(handle)?;
        let left = open
            .file
            .size()
            .map_err(code)?
            .saturating_sub(open.position);
        let len = usize::try_from(u64::from(len).min(left)).unwrap_or(0);
        let mut bytes = vec![0; len];
        let read = open.file.read(open.position, &mut bytes).map_err(code)?;
        bytes.truncate(read);
        open.position += read as u64;
        Ok(bytes)
    }

    /// Writes to an open file at its position, or at its end if that is all it was opened for.
    pub(super) fn write_open(&mut self, handle: u32, bytes: &[u8]) -> Result<(), Win32Code> {
        let open = self.machine.services.handles.get(handle);
        let open = open.ok_or(Win32Code::INVALID_HANDLE)?;
        if !open.uses.contains(FileUse::WRITE) {
            return Err(Win32Code::ACCESS_DENIED);
        }
        if open.uses.contains(FileUse::APPEND) {
            open.position = open.file.size().map_err(code)?;
        }
        open.file.write(open.position, bytes).map_err(code)?;
        open.position += bytes.len() as u64;
        Ok(())
    }

    /// Closes an open file; `None` if the handle is none.
    pub(super) fn close_open(&mut self, handle: u32) -> Option<()> {
        let services = &mut self.machine.services;
        if services.searches.remove(&handle).is_some() {
            return Some(());
        }
        if let Closed::Last(closed) = services.handles.close(handle)?
            && closed.uses.contains(FileUse::DELETE_ON_CLOSE)
        {
            drop(closed.file);
            // Nobody hears of a file that has gone already.
            let _ = services.files.remove(&closed.path);
        }
        Some(())
    }
}

/// `GetFileSize`: the low half; the high one is stored if there is a place for it.
pub(super) fn get_file_size<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, high] = call.arguments();
    let Some(size) = size(call, handle) else {
        return Ok(INVALID);
    };
    let [low_half, high_half] = halves(size);
    if high != 0 {
        call.put_u32(high, high_half)?;
    }
    if low_half == INVALID {
        call.set_last_error(Win32Code::new(0));
    }
    Ok(low_half)
}

/// `GetFileSizeEx`.
pub(super) fn get_file_size_ex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, place] = call.arguments();
    let Some(size) = size(call, handle) else {
        return Ok(0);
    };
    call.put_bytes(place, &size.to_le_bytes())?;
    Ok(TRUE)
}

fn size<W: Watch>(call: &mut Call<'_, W>, handle: u32) -> Option<u64> {
    let open = call.machine.services.handles.get(handle);
    let size = open.map(|open| open.file.size());
    match size {
        Some(Ok(size)) => Some(size),
        Some(Err(error)) => {
            call.fail(code(error));
            None
        }
        None => {
            call.fail(Win32Code::INVALID_HANDLE);
            None
        }
    }
}

/// Returns the low and the high half.
pub(super) fn halves(value: u64) -> [u32; 2] {
    [0, u32::BITS].map(|shift| {
        let half = value >> shift & u64::from(u32::MAX);
        u32::try_from(half).unwrap_or(u32::MAX)
    })
}

/// `SetFilePointer`: returns the low half of the new position.
pub(super) fn set_file_pointer<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, low, high, origin] = call.arguments();
    let distance = if high == 0 {
        i64::from(low.cast_signed())
    } else {
        let high = call.get_u32(high)?;
        (u64::from(high) << u32::BITS | u64::from(low)).cast_signed()
    };
    Ok(match seek(call, handle, distance, origin) {
        Ok(position) => {
            let [low_half, high_half] = halves(position);
            if high != 0 {
                call.put_u32(high, high_half)?;
            }
            if low_half == INVALID {
                call.set_last_error(Win32Code::new(0));
            }
            low_half
        }
        Err(code) => {
            call.fail(code);
            INVALID
        }
    })
}

/// `SetFilePointerEx`.
pub(super) fn set_file_pointer_ex<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, low, high, place, origin] = call.arguments();
    let distance = (u64::from(high) << u32::BITS | u64::from(low)).cast_signed();
    Ok(match seek(call, handle, distance, origin) {
        Ok(position) => {
            if place != 0 {
                call.put_bytes(place, &position.to_le_bytes())?;
            }
            TRUE
        }
        Err(code) => call.fail(code),
    })
}

/// Moves the position of an open file: from the start (0), from where it is (1), from the end (2).
pub(super) fn seek<W: Watch>(
    call: &mut Call<'_, W>,
    handle: u32,
    distance: i64,
    origin: u32,
) -> Result<u64, Win32Code> {
    let open = call.machine.services.handles.get(handle);
    let open = open.ok_or(Win32Code::INVALID_HANDLE)?;
    let from = match origin {
        0 => 0,
        1 => open.position,
        2 => open.file.size().map_err(code)?,
        _ => return Err(Win32Code::INVALID_PARAMETER),
    };
    let position = from.checked_add_signed(distance).ok_or(NEGATIVE_SEEK)?;
    open.position = position;
    Ok(position)
}

/// `SetEndOfFile`: the file ends at the position.
pub(super) fn set_end_of_file<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle] = call.arguments();
    let Some(open) = call.machine.services.handles.get(handle) else {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    };
    let set = if open.uses.allows_overwriting() {
        open.file.set_size(open.position).map_err(code)
    } else {
        Err(Win32Code::ACCESS_DENIED)
    };
    Ok(call.truth(set))
}

/// `FlushFileBuffers`: what is written is with the host already.
pub(super) fn flush_file_buffers<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle] = call.arguments();
    let is_known =
        call.machine.services.handles.get(handle).is_some() || super::output::is_standard(handle);
    Ok(call.truth(if is_known {
        Ok(())
    } else {
        Err(Win32Code::INVALID_HANDLE)
    }))
}

/// `GetFileType`: files and the standard streams, which are redirected, are `FILE_TYPE_DISK`.
pub(super) fn get_file_type<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    const FILE_TYPE_DISK: u32 = 1;
    let [handle] = call.arguments();
    // Quirk: redirected
    let is_known =
        call.machine.services.handles.get(handle).is_some() || super::output::is_standard(handle);
    Ok(if is_known {
        FILE_TYPE_DISK
    } else {
        call.fail(Win32Code::INVALID_HANDLE)
    })
}

/// `DeleteFile`.
pub(super) fn delete_file<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [name] = call.arguments();
    let path = path::<W, T>(call, name)?;
    let removed = call.machine.services.files.remove(&path);
    Ok(call.truth(removed.map_err(code)))
}

/// `MoveFile`.
pub(super) fn move_file<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [from, to] = call.arguments();
    let from = path::<W, T>(call, from)?;
    let to = path::<W, T>(call, to)?;
    let files = &mut call.machine.services.files;
    let moved = if files.info(&to).is_ok() {
        Err(ALREADY_EXISTS)
    } else {
        files.rename(&from, &to).map_err(code)
    };
    Ok(call.truth(moved))
}

/// `CopyFile`. A file is not its own copy: it is open for reading then, and cannot be emptied.
pub(super) fn copy_file<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [from, to, fails_if_exists] = call.arguments();
    let from = path::<W, T>(call, from)?;
    let to = path::<W, T>(call, to)?;
    let creation = if fails_if_exists == 0 {
        Creation::Replace
    } else {
        Creation::New
    };
    let files = call.machine.services.files.as_mut();
    let copied = copy(files, &from, &to, creation);
    Ok(call.truth(copied))
}

fn copy(
    files: &mut dyn Files,
    from: &FilePath,
    to: &FilePath,
    creation: Creation,
) -> Result<(), Win32Code> {
    let source = files.info(from).map_err(code)?;
    if source.is_folder {
        return Err(Win32Code::ACCESS_DENIED);
    }
    if from.is_same(to) {
        return Err(match creation {
            Creation::New => FILE_EXISTS,
            _ => SHARING_VIOLATION,
        });
    }
    let left = usize::try_from(source.size_bytes).unwrap_or(usize::MAX);
    if left > COPIED_BYTES {
        return Err(DISK_FULL);
    }
    let mut source = files.open(from, FileMode::Read, Creation::Open);
    let source = source.as_mut().map_err(|error| code(*error))?;
    let mut target = files.open(to, FileMode::ReadWrite, creation);
    let target = target.as_mut().map_err(|error| code(*error))?;
    let mut chunk = vec![0; COPY_BYTES];
    let mut done = 0;
    // Not further than it was long, in case another name of the same file is written.
    while done < left {
        let wanted = (left - done).min(COPY_BYTES);
        let piece = chunk.get_mut(..wanted).unwrap_or_default();
        let len = source.read(done as u64, piece).map_err(code)?;
        if len == 0 {
            break;
        }
        let piece = piece.get(..len).unwrap_or_default();
        target.write(done as u64, piece).map_err(code)?;
        done += len;
    }
    Ok(())
}

/// How much of a file is copied at a time.
const COPY_BYTES: usize = 1 << 16;

/// `CreateDirectory`.
pub(super) fn create_directory<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [name, _security] = call.arguments();
    let path = path::<W, T>(call, name)?;
    let made = call.machine.services.files.create_folder(&path);
    Ok(call.truth(made.map_err(|error| match error {
        FileError::Exists => ALREADY_EXISTS,
        other => code(other),
    })))
}

/// `RemoveDirectory`.
pub(super) fn remove_directory<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [name] = call.arguments();
    let path = path::<W, T>(call, name)?;
    let removed = call.machine.services.files.remove_folder(&path);
    Ok(call.truth(removed.map_err(code)))
}

/// `GetFileAttributes`.
pub(super) fn get_file_attributes<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [name] = call.arguments();
    let path = path::<W, T>(call, name)?;
    Ok(match call.machine.services.files.info(&path) {
        Ok(info) => attributes(&info),
        Err(error) => {
            call.fail(code(error));
            INVALID
        }
    })
}

/// `SetFileAttributes`: nothing is kept of them.
pub(super) fn set_file_attributes<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [name, _attributes] = call.arguments();
    let path = path::<W, T>(call, name)?;
    let info = call.machine.services.files.info(&path);
    Ok(call.truth(info.map(|_| ()).map_err(code)))
}

fn attributes(info: &FileInfo) -> u32 {
    let kind = if info.is_folder {
        ATTRIBUTE_DIRECTORY
    } else {
        ATTRIBUTE_ARCHIVE
    };
    kind | if info.is_read_only {
        ATTRIBUTE_READ_ONLY
    } else {
        0
    }
}

/// `GetCurrentDirectory`.
pub(super) fn get_current_directory<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
) -> Result<u32, Stop> {
    let [capacity, buffer] = call.arguments();
    let folder = call.machine.services.folder.shown();
    call.store_text::<T>(buffer, capacity, &folder)
}

/// `SetCurrentDirectory`.
pub(super) fn set_current_directory<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
) -> Result<u32, Stop> {
    let [name] = call.arguments();
    let path = path::<W, T>(call, name)?;
    let services = &mut call.machine.services;
    let set = match services.files.info(&path) {
        Ok(info) if info.is_folder => {
            services.folder = path;
            Ok(())
        }
        _ => Err(FILE_NOT_FOUND),
    };
    Ok(call.truth(set))
}

/// `GetTempPath`.
pub(super) fn get_temp_path<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [capacity, buffer] = call.arguments();
    call.store_text::<T>(buffer, capacity, "C:\\")
}

/// `GetFullPathName`.
pub(super) fn get_full_path_name<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [name, capacity, buffer, file_part] = call.arguments();
    let shown = path::<W, T>(call, name)?.shown();
    let stored = call.store_text::<T>(buffer, capacity, &shown)?;
    if file_part != 0 {
        let folder = shown.rfind('\\').map_or(0, |at| at + 1);
        let units = u32::try_from(T::encode(shown.get(..folder).unwrap_or_default()).len());
        call.put_u32(file_part, buffer.wrapping_add(units.unwrap_or(0)))?;
    }
    Ok(stored)
}

/// `FindFirstFile`: returns the handle of a search and the first file found.
pub(super) fn find_first_file<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [pattern, data] = call.arguments();
    let path = path::<W, T>(call, pattern)?;
    let (Some(folder), Some(pattern)) = (path.folder(), path.parts().last()) else {
        call.fail(FILE_NOT_FOUND);
        return Ok(INVALID);
    };
    let services = &mut call.machine.services;
    let listed = match services.files.list(&folder) {
        Ok(listed) => listed,
        Err(error) => {
            call.fail(code(error));
            return Ok(INVALID);
        }
    };
    let mut found = listed;
    if !folder.parts().is_empty() {
        let dots = [".", ".."].map(|name| FileInfo {
            name: name.to_owned(),
            size_bytes: 0,
            is_folder: true,
            is_read_only: false,
        });
        found.splice(0..0, dots);
    }
    found.retain(|info| matches(pattern, &info.name));
    let Some(first) = found.first().cloned() else {
        call.fail(FILE_NOT_FOUND);
        return Ok(INVALID);
    };
    let Some(handle) = services.begin_search(found) else {
        call.fail(Win32Code::NOT_ENOUGH_MEMORY);
        return Ok(INVALID);
    };
    put_find_data::<W, T>(call, data, &first)?;
    Ok(handle)
}

/// `FindNextFile`.
pub(super) fn find_next_file<W: Watch, T: Text>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle, data] = call.arguments();
    let Some(search) = call.machine.services.searches.get_mut(&handle) else {
        return Ok(call.fail(Win32Code::INVALID_HANDLE));
    };
    let Some(info) = search.found.get(search.next).cloned() else {
        return Ok(call.fail(NO_MORE_FILES));
    };
    search.next += 1;
    put_find_data::<W, T>(call, data, &info)?;
    Ok(TRUE)
}

/// `FindClose`.
pub(super) fn find_close<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [handle] = call.arguments();
    let closed = call.machine.services.searches.remove(&handle);
    Ok(call.truth(closed.map(|_| ()).ok_or(Win32Code::INVALID_HANDLE)))
}

/// Fills a `WIN32_FIND_DATA`.
fn put_find_data<W: Watch, T: Text>(
    call: &mut Call<'_, W>,
    data: u32,
    info: &FileInfo,
) -> Result<(), Stop> {
    /// Words before the name: attributes, three times, size, two reserved.
    const NAME_OFFSET: u32 = 44;
    /// Room for the name, in characters.
    const NAME_UNITS: u32 = 260;
    let [low, high] = halves(info.size_bytes);
    let words = [attributes(info), 0, 0, 0, 0, 0, 0, high, low, 0, 0];
    for (word, index) in words.iter().zip(0..) {
        call.machine
            .write_user(LinearAddr::new(data).wrapping_add(index * 4), *word)?;
    }
    let name = T::encode(&info.name);
    let name = name
        .get(..(NAME_UNITS - 1) as usize * T::BYTES as usize)
        .unwrap_or(&name);
    call.put_characters::<T>(data.wrapping_add(NAME_OFFSET), name)?;
    let alternate = data.wrapping_add(NAME_OFFSET + NAME_UNITS * T::BYTES);
    call.put_characters::<T>(alternate, &[])
}

/// Returns whether a name fits a pattern with `*` and `?`, whatever the case.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    if pattern == "*.*" {
        return true;
    }
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, read));
                at += 1;
            }
            Some(&wanted) if wanted == '?' || Some(&wanted) == name.get(read) => {
                (at, read) = (at + 1, read + 1);
            }
            _ => match star {
                // Let the star take one more character.
                Some((after, taken)) => {
                    star = Some((after, taken + 1));
                    (at, read) = (after, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|&rest| rest == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_names() {
        for (pattern, name, expected) in [
            ("*.*", "noending", true),
            ("*.txt", "A.TXT", true),
            ("a?c.*", "abc.x.y", true),
            ("a*c", "abd", false),
            ("a*b*c", "aXbYbZc", true),
            ("*", "", true),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
