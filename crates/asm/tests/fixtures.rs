//! Every program of the project's fixtures assembles, links, and can be written in each form.

use std::fs;
use std::path::{Path, PathBuf};

use pagefault_asm::{
    IncludeFiles, LinkOptions, Options, PeOptions, assemble, link, listing, write_coff, write_pe,
};

/// Folders of programs that all assemble.
const FOLDERS: [&str; 3] = ["programs", "labs", "pressure"];

struct Folder<'a>(&'a Path);

impl IncludeFiles for Folder<'_> {
    fn read(&self, _including: &str, name: &[u8]) -> Option<(String, Vec<u8>)> {
        let name = String::from_utf8_lossy(name).into_owned();
        let bytes = fs::read(self.0.join(&name)).ok()?;
        Some((name, bytes))
    }
}

#[test]
fn every_fixture_assembles_and_can_be_written_in_each_form() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let mut count = 0;
    for folder in FOLDERS {
        let folder = fixtures.join(folder);
        for source in sources(&folder) {
            let name = source.display().to_string();
            let text = fs::read(&source).unwrap();
            let assembled = assemble(&name, &text, &Folder(&folder), &Options::default());
            let assembled = assembled.unwrap_or_else(|failure| {
                let lines = failure.diagnostics.iter();
                let lines: Vec<_> = lines.map(|found| found.one_line(&failure.files)).collect();
                panic!("{name}: {lines:#?}")
            });

            let image = link(&assembled.object, &LinkOptions::default());
            let image = image.unwrap_or_else(|error| panic!("{name}: {error}"));
            let executable = write_pe(&image, &PeOptions::default());
            let object = write_coff(&assembled.object);

            assert!(executable.unwrap().starts_with(b"MZ"), "{name}");
            // IMAGE_FILE_MACHINE_I386
            assert!(object.unwrap().starts_with(&[0x4C, 0x01]), "{name}");
            let lines = text.split(|&byte| byte == b'\n').count() - 1;
            assert!(listing(&assembled).lines().count() >= lines, "{name}");
            count += 1;
        }
    }
    assert!(count >= 80, "only {count} fixtures were found");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_source = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "asm");
    let mut sources: Vec<_> = paths.filter(is_source).collect();
    sources.sort();
    sources
}
