//! A copy of the sources, which may be changed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

/// What a copy of the project leaves out: what is built, and what git keeps.
const LEFT_OUT: [&str; 2] = ["target", ".git"];

/// Makes one folder the copy of another. A file that is the same stays untouched, so that what was
/// built of it stays good; a file that the original does not have goes.
///
/// # Errors
///
/// What the operating system says of the first file that cannot be read or written.
pub fn sync(original: &Path, copy: &Path) -> io::Result<()> {
    fs::create_dir_all(copy)?;
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(original)? {
        let name = entry?.file_name();
        if LEFT_OUT
            .into_iter()
            .any(|left_out| name == OsStr::new(left_out))
        {
            continue;
        }
        let (from, to) = (original.join(&name), copy.join(&name));
        if from.is_dir() {
            sync(&from, &to)?;
        } else {
            copy_changed(&from, &to)?;
        }
        names.insert(name);
    }
    for entry in fs::read_dir(copy)? {
        let entry = entry?;
        if names.contains(&entry.file_name()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn copy_changed(from: &Path, to: &Path) -> io::Result<()> {
    let new = fs::read(from)?;
    match fs::read(to) {
        Ok(old) if old == new => Ok(()),
        // `copy` takes the permissions along: some files are run.
        _ => fs::copy(from, to).map(|_| ()),
    }
}
