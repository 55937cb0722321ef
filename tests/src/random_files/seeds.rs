//! Valid files of every kind, which others are made from.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use pagefault_asm::{IncludeFiles, LinkOptions, Options, PeOptions, assemble, link, write_pe};

use super::Kind;

/// A file with its name.
pub(super) type Named = (String, Vec<u8>);

/// Valid files.
#[derive(Clone, Debug)]
pub struct Seeds {
    files: BTreeMap<Kind, Vec<Vec<u8>>>,
    /// What the sources of programs include.
    include: Named,
    labs: Vec<LabSeed>,
}

/// The folder of a student.
#[derive(Clone, Debug)]
pub(super) struct LabSeed {
    /// The name of what is handed in.
    pub(super) submission: String,
    /// What says which lab it is, and whose.
    pub(super) key: Vec<u8>,
}

/// Reference strings as users write them.
const REFERENCES: [&str; 2] = ["1 2 3 4 1 2 5 1 2 3 4 5\n", "7 0 1w 2 0 3 0x1f 4w\n2 3\n"];
/// The longest piece of a trace that is a seed.
const TRACE_BYTES: u64 = 16 << 10;
/// The labs whose submissions are made: of answers, and of programs.
const LABS: [(&str, &str); 3] = [
    ("01-translate", "answers.txt"),
    ("03-reserve-commit-touch", "lab.asm"),
    ("06-copy-on-write", "lab.asm"),
];
/// What is handed in there, beside what `lab start` makes.
const STAFF: &str = "fixtures/labs-staff";
/// The name of the file that programs include.
const INCLUDE: &str = "print.inc";

impl Seeds {
    /// Reads the fixtures of the project; the command makes the folders of labs.
    ///
    /// # Errors
    ///
    /// A fixture cannot be read, or the command not be run.
    pub fn read(project: &Path, binary: &Path, folder: &Path) -> io::Result<Self> {
        let fixtures = project.join("fixtures");
        let programs = fixtures.join("programs");
        let sources = in_folder(&programs, "asm")?;
        let is_judged = |source: &&Vec<u8>| source.windows(2).any(|pair| pair == b";!");
        let judged = sources.iter().filter(is_judged).cloned().collect();
        let mut executables = in_folder(&fixtures.join("c"), "exe")?;
        let made = sources
            .iter()
            .filter_map(|file| executable(file, &programs));
        executables.extend(made);
        let elves = in_folder(&fixtures.join("elf"), "elf")?;
        let corpus = project.join("fuzz/corpus/traces");
        let traces = traces(&fixtures.join("traces"), &corpus)?;
        let (labs, submissions) = labs(project, binary, folder)?;
        let files = [
            (Kind::Bin, code(&executables, &elves)),
            (Kind::Asm, sources),
            (Kind::Exe, executables),
            (Kind::Elf, elves),
            (Kind::Expectations, judged),
            (Kind::Lab, submissions),
            (Kind::Replay, in_folder(&fixtures.join("courses"), "")?),
            (Kind::Paging, REFERENCES.map(Vec::from).to_vec()),
            (Kind::Trace, traces),
            (Kind::Dump, vec![tables()]),
        ];
        Ok(Self {
            files: files.into(),
            include: (INCLUDE.to_owned(), fs::read(programs.join(INCLUDE))?),
            labs,
        })
    }

    /// Returns the valid files of a kind.
    pub(super) fn of(&self, kind: Kind) -> &[Vec<u8>] {
        self.files.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// Returns what the sources of programs include.
    pub(super) fn include(&self) -> &Named {
        &self.include
    }

    /// Returns the folders of students.
    pub(super) fn labs(&self) -> &[LabSeed] {
        &self.labs
    }
}

/// Reads the files of a folder that have this ending; all but the README if it is empty.
fn in_folder(folder: &Path, ending: &str) -> io::Result<Vec<Vec<u8>>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    paths.retain(|path| {
        let is_wanted = path.extension().is_some_and(|found| found == ending);
        path.is_file() && (is_wanted || ending.is_empty() && !path.ends_with("README.md"))
    });
    paths.sort();
    paths.iter().map(fs::read).collect()
}

/// Returns the executable of a source.
fn executable(source: &[u8], folder: &Path) -> Option<Vec<u8>> {
    let includes = Includes(folder.to_path_buf());
    let assembled = assemble("seed.asm", source, &includes, &Options::default()).ok()?;
    let image = link(&assembled.object, &LinkOptions::default()).ok()?;
    write_pe(&image, &PeOptions::default()).ok()
}

struct Includes(PathBuf);

impl IncludeFiles for Includes {
    fn read(&self, _including: &str, name: &[u8]) -> Option<(String, Vec<u8>)> {
        let name = String::from_utf8_lossy(name).into_owned();
        let bytes = fs::read(self.0.join(&name)).ok()?;
        Some((name, bytes))
    }
}

/// Returns the code of programs: the first section of an executable, what follows the headers of
/// an ELF file.
fn code(executables: &[Vec<u8>], elves: &[Vec<u8>]) -> Vec<Vec<u8>> {
    const SECTION: std::ops::Range<usize> = 0x400..0x800;
    const HEADERS_BYTES: usize = 0x54;
    let sections = executables.iter().filter_map(|file| file.get(SECTION));
    let others = elves.iter().filter_map(|file| file.get(HEADERS_BYTES..));
    sections.chain(others).map(<[u8]>::to_vec).collect()
}

/// Returns beginnings of the traces, plain and compressed, and the seeds of the fuzz target
/// without the byte that chooses their format.
fn traces(fixtures: &Path, corpus: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut traces = Vec::new();
    for compressed in in_folder(fixtures, "zst")? {
        let mut plain = Vec::new();
        let reader = zstd::Decoder::new(&compressed[..])?;
        reader.take(TRACE_BYTES).read_to_end(&mut plain)?;
        traces.push(zstd::encode_all(&plain[..], 0)?);
        traces.push(plain);
    }
    for seed in in_folder(corpus, "")? {
        traces.extend(seed.split_first().map(|(_, rest)| rest.to_vec()));
    }
    Ok(traces)
}

/// Returns 16 pages of physical memory: a directory in page 1, tables in pages 2 and 3, pages.
fn tables() -> Vec<u8> {
    const PAGE: usize = 0x1000;
    const PRESENT_USER_WRITABLE: u32 = 0b111;
    let mut memory = vec![0; 16 * PAGE];
    let mut put = |at: usize, value: u32| {
        memory[at..at + 4].copy_from_slice(&(value | PRESENT_USER_WRITABLE).to_le_bytes());
    };
    put(PAGE, 0x2000);
    put(PAGE + 4, 0x3000);
    // The directory shows itself, as is often done.
    put(PAGE + 0xFFC, 0x1000);
    for (entry, frame) in (4..16).enumerate() {
        put(2 * PAGE + 4 * entry, frame << 12);
        put(3 * PAGE + 8 * entry, frame << 12);
    }
    memory
}

/// Returns the folders of students, and what can be handed in there.
fn labs(project: &Path, binary: &Path, folder: &Path) -> io::Result<(Vec<LabSeed>, Vec<Vec<u8>>)> {
    let mut seeds = Vec::new();
    let mut submissions = Vec::new();
    for (lab, submission) in LABS {
        let made = folder.join(lab);
        let mut start = Command::new(binary);
        start.current_dir(project).args(["lab", "start", lab]);
        start.arg(&made).args(["--student", "somebody"]);
        let output = start.output()?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(io::Error::other(message));
        }
        seeds.push(LabSeed {
            submission: submission.to_owned(),
            key: fs::read(made.join("lab.key"))?,
        });
        submissions.push(fs::read(made.join(submission))?);
        submissions.extend(fs::read(project.join(STAFF).join(lab).join("solution.asm")).ok());
    }
    Ok((seeds, submissions))
}
