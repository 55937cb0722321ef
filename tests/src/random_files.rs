//! Random files of every kind that the command reads, given to the command itself: what
//! `random-files` does.
//!
//! Every file is made from the seed, its kind and its number, so that a finding can be made again.

mod judge;
mod mutate;
mod sample;
mod seeds;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, ScopedJoinHandle};

use self::judge::{Verdict, judge};
use self::sample::Sample;
pub use self::seeds::Seeds;

/// What is in a file, by what the command is to make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A source, for `run` and `asm`.
    Asm,
    /// An executable for Windows, for `run`.
    Exe,
    /// An executable for Linux, for `run`.
    Elf,
    /// Raw bytes with an address, for `run`.
    Bin,
    /// A source with expectations, for `test`.
    Expectations,
    /// What a student hands in, for `lab check`.
    Lab,
    /// A driver file of a course's lab, for `replay`.
    Replay,
    /// A reference string, for `paging`.
    Paging,
    /// A trace, for `tlb sim`.
    Trace,
    /// Physical memory, for `walk --dump`.
    Dump,
}

impl Kind {
    /// All kinds, by the names that users write.
    pub const NAMES: [(&'static str, Self); 10] = [
        ("asm", Self::Asm),
        ("exe", Self::Exe),
        ("elf", Self::Elf),
        ("bin", Self::Bin),
        ("expectations", Self::Expectations),
        ("lab", Self::Lab),
        ("replay", Self::Replay),
        ("paging", Self::Paging),
        ("trace", Self::Trace),
        ("dump", Self::Dump),
    ];

    /// Returns the kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        let mut names = Self::NAMES.iter();
        names
            .find(|(known, _)| *known == name)
            .map(|&(_, kind)| kind)
    }

    /// Returns the name that users write.
    pub fn name(self) -> &'static str {
        let mut names = Self::NAMES.iter();
        names
            .find(|(_, kind)| *kind == self)
            .map_or("", |&(name, _)| name)
    }
}

/// Something that may not happen.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What the file is.
    pub kind: Kind,
    /// Its number, from which it can be made again.
    pub number: u64,
    /// The arguments of the command.
    pub arguments: Vec<String>,
    /// What was wrong, in a sentence.
    pub what: String,
    /// The folder where the file was kept.
    pub kept: PathBuf,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, arguments) = (self.kind.name(), self.arguments.join(" "));
        writeln!(f, "{kind} {}: {}", self.number, self.what)?;
        write!(f, "  pagefault {arguments}\n  in {}", self.kept.display())
    }
}

/// What a campaign has seen.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How often each kind of file has ended in each way.
    pub outcomes: BTreeMap<(Kind, String), u64>,
    /// What may not happen, in the order of the files.
    pub findings: Vec<Finding>,
}

/// Which files are made.
#[derive(Clone, Copy, Debug)]
pub struct Campaign<'a> {
    /// The command.
    pub binary: &'a Path,
    /// Valid files, from which others are made.
    pub seeds: &'a Seeds,
    /// What all files are made from.
    pub seed: u64,
    /// The number of the first file.
    pub from: u64,
    /// How many files of a kind are made.
    pub files: u64,
    /// The folder for files while they are read, and for findings.
    pub folder: &'a Path,
}

/// Commands that run at a time.
const WORKERS: u64 = 2;

impl Campaign<'_> {
    /// Makes the files of a kind, gives each to the command, and adds what came of it.
    ///
    /// # Errors
    ///
    /// The folder cannot be written, or the command not be started.
    ///
    /// # Panics
    ///
    /// If a thread does.
    pub fn run(&self, kind: Kind, tally: &mut Tally) -> io::Result<()> {
        let next = AtomicU64::new(self.from);
        let shared = Mutex::new(&mut *tally);
        let done: io::Result<()> = thread::scope(|scope| {
            let work = |worker| {
                let (next, shared) = (&next, &shared);
                scope.spawn(move || self.work(kind, worker, next, shared))
            };
            let workers: Vec<_> = (0..WORKERS).map(work).collect();
            let mut ends = workers.into_iter().map(ScopedJoinHandle::join);
            ends.try_for_each(|end| end.expect("no worker panics"))
        });
        tally
            .findings
            .sort_by_key(|finding| (finding.kind, finding.number));
        done
    }

    fn work(
        &self,
        kind: Kind,
        worker: u64,
        next: &AtomicU64,
        tally: &Mutex<&mut Tally>,
    ) -> io::Result<()> {
        let folder = self.folder.join(format!("worker{worker}"));
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= self.from.saturating_add(self.files) {
                return Ok(());
            }
            let sample = Sample::make(self.seeds, self.seed, kind, number);
            sample.write(&folder)?;
            let verdict = judge(self.binary, &sample, &folder)?;
            let kept = match &verdict {
                Verdict::Expected(_) => None,
                Verdict::Wrong(_) => Some(self.keep(&sample, &folder)?),
            };
            let mut tally = tally.lock().expect("no worker panics");
            let outcome = match (verdict, kept) {
                (Verdict::Wrong(what), Some(kept)) => {
                    tally.findings.push(Finding {
                        kind,
                        number,
                        arguments: sample.arguments(),
                        what,
                        kept,
                    });
                    "FOUND".to_owned()
                }
                (Verdict::Expected(outcome), _) | (Verdict::Wrong(outcome), None) => outcome,
            };
            *tally.outcomes.entry((kind, outcome)).or_default() += 1;
        }
    }

    /// Copies what a finding needs to a folder of its own.
    fn keep(&self, sample: &Sample, folder: &Path) -> io::Result<PathBuf> {
        let name = format!("{}-{}-{}", sample.kind().name(), self.seed, sample.number());
        let kept = self.folder.join(name);
        if kept.exists() {
            fs::remove_dir_all(&kept)?;
        }
        fs::rename(folder, &kept)?;
        Ok(kept)
    }
}
