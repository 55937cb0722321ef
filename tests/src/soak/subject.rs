//! A program that is run under several settings, and what must hold of its runs.

use std::cell::RefCell;
use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use pagefault_asm::{IncludeFiles, LinkOptions, Options, assemble, link};
use pagefault_machine::vmm::{MemoryStore, PolicyKind};
use pagefault_machine::{
    Console, DebugInfo, Listener, Machine, MachineConfig, Moment, Outcome, Program, RecordOptions,
    Recording, Stop, Stops, Stream, Topics, Tracer, Turns, Watch,
};
use pagefault_mmu::{Geometry, MmuConfig, Policy, TlbConfig};
use pagefault_vmm::{PagingMode, VmmConfig};

use super::digest::{self, Digest, Ear};
use crate::random::Random;

/// A program that can be run.
#[derive(Clone, Debug)]
pub struct Subject {
    name: String,
    program: Program,
    debug: DebugInfo,
}

/// Where raw bytes are loaded.
const RAW_BASE: u32 = 0x40_0000;

impl Subject {
    /// Reads the programs of a folder: those in MASM that assemble, executables for Windows and for
    /// Linux that can be read.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn of_folder(folder: &Path) -> std::io::Result<Vec<Self>> {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        paths.sort();
        let read = |path: &PathBuf| {
            let bytes = fs::read(path).ok()?;
            let name = path.file_name()?.to_string_lossy().into_owned();
            let program = match path.extension()?.to_str()? {
                "asm" => {
                    return Self::with_includes(&name, &bytes, &Includes(folder.to_path_buf()));
                }
                "exe" => Program::from_pe(&bytes).ok()?,
                "elf" => Program::from_elf(&bytes).ok()?,
                _ => return None,
            };
            Some(Self {
                name,
                program,
                debug: DebugInfo::default(),
            })
        };
        Ok(paths.iter().filter_map(read).collect())
    }

    pub(super) fn assembled(name: &str, source: &str) -> Option<Self> {
        Self::with_includes(name, source.as_bytes(), &Includes(PathBuf::new()))
    }

    fn with_includes(name: &str, source: &[u8], includes: &Includes) -> Option<Self> {
        let assembled = assemble(name, source, includes, &Options::default()).ok()?;
        let image = link(&assembled.object, &LinkOptions::default()).ok()?;
        Some(Self {
            name: name.to_owned(),
            program: Program::from_image(&image).ok()?,
            debug: DebugInfo::new(&assembled, &image),
        })
    }

    pub(super) fn raw(name: &str, bytes: &[u8]) -> Option<Self> {
        Some(Self {
            name: name.to_owned(),
            program: Program::from_flat(bytes, RAW_BASE, RAW_BASE).ok()?,
            debug: DebugInfo::default(),
        })
    }

    /// Returns what it is called.
    pub fn name(&self) -> &str {
        &self.name
    }
}

struct Includes(PathBuf);

impl IncludeFiles for Includes {
    fn read(&self, _including: &str, name: &[u8]) -> Option<(String, Vec<u8>)> {
        let name = String::from_utf8_lossy(name).into_owned();
        let bytes = fs::read(self.0.join(&name)).ok()?;
        Some((name, bytes))
    }
}

/// How a program is run.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    config: MachineConfig,
    budget: u64,
}

/// Instructions of a run of the digests.
const FIXED_BUDGET: u64 = 100_000;
const PAGING_FILE_BYTES: u64 = 16 << 20;

impl Settings {
    pub(super) fn fixed() -> Self {
        Self {
            config: MachineConfig::default(),
            budget: FIXED_BUDGET,
        }
    }

    pub(super) fn random(random: &mut Random) -> Self {
        const SHAPES: [(u32, u32); 5] = [(64, 4), (16, 16), (32, 1), (8, 2), (4, 4)];
        const POLICIES: [Policy; 3] = [Policy::Lru, Policy::Fifo, Policy::TreePlru];
        let (entries, ways) = random.one_of(&SHAPES);
        let geometry = Geometry::new(entries, ways, random.one_of(&POLICIES));
        let tlb = TlbConfig::unified(geometry.expect("the shapes are good"));
        let (_, replacement) = random.one_of(&PolicyKind::NAMES);
        Self {
            config: MachineConfig {
                ram_bytes: random.one_of(&[1 << 20, 2 << 20, 16 << 20]),
                mmu: MmuConfig {
                    tlb,
                    ..MmuConfig::default()
                },
                vmm: VmmConfig {
                    paging: random.one_of(&[PagingMode::TwoLevel, PagingMode::Pae]),
                    replacement,
                    ..VmmConfig::default()
                },
                turns: Turns {
                    quantum: random.below(3000) + 1,
                    seed: random.next(),
                },
                ..MachineConfig::default()
            },
            budget: random.one_of(&[1_000, 20_000, 200_000]),
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MachineConfig {
            ram_bytes,
            mmu,
            vmm,
            turns,
            ..
        } = &self.config;
        write!(
            f,
            "RAM {ram_bytes}, {:?}, {:?}, {:?}, {turns:?}, budget {}",
            vmm.paging, vmm.replacement, mmu.tlb, self.budget
        )
    }
}

/// Keeps what a program writes; it reads these lines.
#[derive(Debug)]
struct Screen {
    printed: Rc<RefCell<DefaultHasher>>,
    input: &'static [u8],
}

impl Console for Screen {
    fn write(&mut self, _stream: Stream, bytes: &[u8]) {
        bytes.hash(&mut *self.printed.borrow_mut());
    }

    fn read(&mut self, bytes: &mut [u8]) -> usize {
        let len = bytes.len().min(self.input.len());
        let (now, later) = self.input.split_at(len);
        bytes[..len].copy_from_slice(now);
        self.input = later;
        len
    }
}

/// A loaded machine, and what it prints.
struct Loaded<W: Watch> {
    machine: Machine<W>,
    printed: Rc<RefCell<DefaultHasher>>,
}

fn load<W: Watch>(subject: &Subject, settings: &Settings, watch: W) -> Option<Loaded<W>> {
    let printed = Rc::new(RefCell::new(DefaultHasher::new()));
    let console = Box::new(Screen {
        printed: Rc::clone(&printed),
        input: b"12\r\nabc\r\n",
    });
    let debug = subject.debug.clone();
    let loaded = Machine::load_program(&subject.program, debug, &settings.config, console, watch);
    let mut machine = loaded.ok()?;
    machine.set_paging_file(Box::new(MemoryStore::new()), PAGING_FILE_BYTES);
    Some(Loaded { machine, printed })
}

/// What is left of a run.
#[derive(Debug, PartialEq, Eq)]
struct Trail {
    machine: Digest,
    printed: u64,
}

impl<W: Watch> Loaded<W> {
    fn run(&mut self, budget: u64) -> Result<Trail, String> {
        let outcome = self.machine.run(budget);
        audited(&self.machine)?;
        Ok(Trail {
            machine: digest::machine(&self.machine, Some(&outcome)),
            printed: self.printed.borrow().finish(),
        })
    }
}

/// Returns a number for all that a program does; `None` if it cannot be loaded.
pub(super) fn digest(subject: &Subject, settings: &Settings) -> Option<u64> {
    let ear = Ear::default();
    let tracer = Tracer::new(Topics::all(), ear.clone());
    let trail = load(subject, settings, tracer)?.run(settings.budget).ok()?;
    let mut hasher = DefaultHasher::new();
    (trail.machine, trail.printed, ear.digest()).hash(&mut hasher);
    Some(hasher.finish())
}

/// Runs a program in every way there is, and compares; returns how many instructions that took.
pub(super) fn check(
    subject: &Subject,
    settings: &Settings,
    random: &mut Random,
) -> Result<u64, String> {
    let ears = [Ear::default(), Ear::default()];
    let mut trails = Vec::new();
    let mut instructions = 0;
    for ear in &ears {
        let tracer = Tracer::new(Topics::all(), ear.clone());
        // RAM can be too small for the program: then it is for each run.
        let Some(mut heard) = load(subject, settings, tracer) else {
            return Ok(0);
        };
        trails.push(heard.run(settings.budget)?);
        instructions += heard.machine.instructions();
    }
    let mut unheard =
        load(subject, settings, Listener::deaf()).ok_or("it cannot be loaded again")?;
    trails.push(unheard.run(settings.budget)?);
    instructions += unheard.machine.instructions();
    if ears[0].digest() != ears[1].digest() {
        return Err("two runs tell different events".to_owned());
    }
    if trails[0] != trails[1] {
        return Err(format!("two runs differ: {trails:?}"));
    }
    if trails[0] != trails[2] {
        return Err(format!("a run that is traced differs: {trails:?}"));
    }
    let moment = random.below(unheard.machine.instructions() + 1);
    there_and_back(subject, settings, moment)?;
    Ok(instructions)
}

/// Records a run, and compares a moment with itself after the end was seen.
fn there_and_back(subject: &Subject, settings: &Settings, moment: u64) -> Result<(), String> {
    let Some(loaded) = load(subject, settings, Listener::deaf()) else {
        return Ok(());
    };
    let options = RecordOptions {
        spacing: settings.budget / 8 + 1,
        ..RecordOptions::default()
    };
    let recording = Recording::new(loaded.machine, options);
    let mut recording = recording.map_err(|error| error.to_string())?;
    let go = |recording: &mut Recording, instructions| {
        let gone = recording.go_to(Moment::behind(instructions));
        gone.map_err(|error| error.to_string())
    };
    go(&mut recording, moment)?;
    let first = digest::machine(recording.machine(), None);
    let left = settings.budget.saturating_sub(moment);
    let stop = recording.run(&Stops::NONE, left);
    let ended: Option<Outcome> = recording.ended().cloned();
    if !matches!(stop, Stop::Ended(_) | Stop::Budget) {
        return Err(format!("a recording stops for {stop:?}"));
    }
    let end = digest::machine(recording.machine(), ended.as_ref());
    audited(recording.machine())?;
    go(&mut recording, moment)?;
    audited(recording.machine())?;
    same(moment, &first, &digest::machine(recording.machine(), None))?;
    recording.run(&Stops::NONE, left);
    same(
        moment,
        &end,
        &digest::machine(recording.machine(), ended.as_ref()),
    )
}

fn same(moment: u64, first: &Digest, again: &Digest) -> Result<(), String> {
    if first == again {
        return Ok(());
    }
    Err(format!(
        "back at {moment} instructions, first and then: {first:x?} {again:x?}"
    ))
}

/// Checks the memory manager against the tables and the TLB.
fn audited<W: Watch>(machine: &Machine<W>) -> Result<(), String> {
    let audit = machine.vmm().audit(machine.mmu());
    audit.map_err(|error| format!("the audit fails: {error}"))
}
