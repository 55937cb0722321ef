//! A folder of programs in memory; files may be compressed with gzip.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::golden::GoldenError;

/// The files of a folder by name.
#[derive(Debug, Default)]
pub(super) struct Folder(BTreeMap<String, Vec<u8>>);

/// The ending of a compressed file.
const COMPRESSED: &str = ".gz";

impl Folder {
    /// Reads all files of a folder; a folder that is not there has none.
    pub(super) fn read(dir: &Path) -> Result<Self, GoldenError> {
        let failed = |source| GoldenError::Read {
            path: dir.to_owned(),
            source,
        };
        if !dir.exists() {
            return Ok(Self::default());
        }
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            let bytes = fs::read(&path).map_err(failed)?;
            let (name, bytes) = match name.strip_suffix(COMPRESSED) {
                Some(name) => {
                    let mut unpacked = Vec::new();
                    let mut decoder = MultiGzDecoder::new(bytes.as_slice());
                    decoder.read_to_end(&mut unpacked).map_err(failed)?;
                    (name, unpacked)
                }
                None => (name, bytes),
            };
            files.insert(name.to_owned(), bytes);
        }
        Ok(Self(files))
    }

    /// Returns the names of the files with this ending, without it, in order.
    pub(super) fn names<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .keys()
            .filter_map(move |name| name.strip_suffix(ending))
    }

    /// Returns the bytes of `NAME` with an ending.
    pub(super) fn get(&self, name: &str, ending: &str) -> Option<&[u8]> {
        self.0.get(&format!("{name}{ending}")).map(Vec::as_slice)
    }

    /// Returns the file of that name, or of that name in another case.
    pub(super) fn find(&self, name: &str) -> Option<(&str, &[u8])> {
        let found = self
            .0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }
}
