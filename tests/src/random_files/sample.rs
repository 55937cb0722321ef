//! A file, what lies beside it, and the command that is to read it.

use std::fs;
use std::io;
use std::path::Path;

use super::Kind;
use super::mutate;
use super::seeds::{Named, Seeds};
use crate::random::Random;

/// The longest file of bytes of any value.
const MAX_RANDOM_BYTES: usize = 4096;
/// The most instructions of a run.
const BUDGETS: [&str; 3] = ["1000", "20000", "100000"];
/// The budget where every event is told.
const TOLD_BUDGET: &str = "1000";

/// What is asked of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To run, and to say in JSON how the run has ended.
    RunJson,
    /// To run, and to return 0 if the program ends by itself.
    RunTool,
    /// To write a file of what was assembled.
    Assemble,
    /// To judge a program, a lab or a driver file: some of it may be wrong.
    Judge,
    /// To show what is in the file, for what the command line says of it.
    Show,
}

/// A file and what is done with it.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    kind: Kind,
    number: u64,
    /// What lies in the folder, the file itself first.
    files: Vec<Named>,
    asked: Asked,
    arguments: Vec<String>,
}

impl Sample {
    /// Makes the file of this number.
    pub(super) fn make(seeds: &Seeds, seed: u64, kind: Kind, number: u64) -> Self {
        // Neighbours in any of the three must not be alike.
        let mixed = [seed, kind as u64, number].into_iter();
        let start = mixed.fold(0_u64, |sum, part| {
            Random::new(sum ^ part).next().rotate_left(21)
        });
        let mut random = Random::new(start >> 1);
        let random = &mut random;
        let bytes = content(random, seeds.of(kind), kind);
        let mut sample = Self {
            kind,
            number,
            files: Vec::new(),
            asked: Asked::RunJson,
            arguments: Vec::new(),
        };
        sample.fill(random, seeds, bytes);
        sample
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn asked(&self) -> Asked {
        self.asked
    }

    /// Returns the arguments of the command, which is to run in the folder of the sample.
    pub(super) fn arguments(&self) -> Vec<String> {
        self.arguments.clone()
    }

    /// Writes the files into the folder, and removes what was there.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        let mut files = self.files.iter();
        files.try_for_each(|(name, bytes)| fs::write(folder.join(name), bytes))
    }

    fn fill(&mut self, random: &mut Random, seeds: &Seeds, bytes: Vec<u8>) {
        let name = match self.kind {
            Kind::Asm => random.one_of(&["x.asm", "x.asm", "x.asm", "x.inc", "x"]),
            Kind::Exe => random.one_of(&["x.exe", "x.exe", "x.exe", "x.dll", "x"]),
            Kind::Elf => random.one_of(&["x.elf", "x", "x.o"]),
            Kind::Bin => "x.bin",
            Kind::Expectations => "x.asm",
            Kind::Lab => {
                let lab = random.choose(seeds.labs());
                let mut key = lab.key.clone();
                if random.below(16) == 0 {
                    key = mutate::bytes(random, key, b"lab 06-copy-on-write\n");
                }
                self.files.push((lab.submission.clone(), bytes));
                self.files.push(("lab.key".to_owned(), key));
                self.ask(Asked::Judge, &["lab", "check", "."]);
                return;
            }
            Kind::Replay | Kind::Paging => "x.txt",
            Kind::Trace => random.one_of(&["x.trace", "x.zst", "x.gz"]),
            Kind::Dump => "x.dump",
        };
        self.files.push((name.to_owned(), bytes));
        if matches!(self.kind, Kind::Asm | Kind::Expectations) {
            self.files.push(seeds.include().clone());
        }
        match self.kind {
            Kind::Asm if random.below(4) == 0 => self.assemble(random, name),
            Kind::Asm | Kind::Exe | Kind::Elf => self.run(random, &[name]),
            Kind::Bin => self.run_raw(random, name),
            Kind::Expectations => self.ask(Asked::Judge, &["test", name]),
            Kind::Lab => {}
            Kind::Replay => self.replay(random, name),
            Kind::Paging => self.paging(random, name),
            Kind::Trace => self.trace(random, name),
            Kind::Dump => self.dump(random, name),
        }
    }

    fn ask(&mut self, asked: Asked, arguments: &[&str]) {
        self.asked = asked;
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        self.arguments.extend(arguments);
    }

    /// Adds one of these lists of arguments.
    fn vary(&mut self, random: &mut Random, choices: &[&[&str]]) {
        let chosen = random.choose(choices).iter();
        self.arguments
            .extend(chosen.map(|&argument| argument.to_owned()));
    }

    fn assemble(&mut self, random: &mut Random, name: &str) {
        self.ask(Asked::Assemble, &["asm", name, "-o", "made"]);
        let formats: [&[&str]; 3] = [&[], &["--format", "coff"], &["--format", "bin"]];
        self.vary(random, &formats);
        let beside: [&[&str]; 2] = [&[], &["--listing", "made.lst", "--symbols", "made.sym"]];
        self.vary(random, &beside);
    }

    fn run(&mut self, random: &mut Random, what: &[&str]) {
        self.ask(Asked::RunJson, &["run"]);
        self.ask(Asked::RunJson, what);
        if random.below(2) == 0 {
            self.ask(Asked::RunJson, &["--json"]);
        } else {
            self.ask(Asked::RunTool, &["--exit-code", "tool"]);
            let shown: [&[&str]; 3] = [&[], &["--stats"], &["--map-at-exit"]];
            self.vary(random, &shown);
        }
        match random.below(12) {
            0 => self.vary(random, &[&["--trace", "api,fault,walk,tlb,insn,mem"]]),
            1 => self.vary(random, &[&["--report", "made.html"]]),
            2 => self.vary(random, &[&["--record-trace", "made.trace"]]),
            _ => {
                let budget = random.one_of(&BUDGETS);
                self.vary(random, &[&["--max-insns", budget]]);
            }
        }
        if !self.arguments.iter().any(|given| given == "--max-insns") {
            self.vary(random, &[&["--max-insns", TOLD_BUDGET]]);
        }
        let sizes: [&[&str]; 4] = [
            &["--ram", "1M"],
            &["--ram", "4M"],
            &["--ram", "2M", "--pagefile", "4M"],
            &["--ram", "16M"],
        ];
        self.vary(random, &sizes);
        let modes: [&[&str]; 4] = [&[], &[], &["--paging", "pae"], &["--profile", "win9x"]];
        self.vary(random, &modes);
        let others: [&[&str]; 4] = [
            &[],
            &[],
            &["--quantum", "7", "--seed", "3"],
            &["--tlb", "none"],
        ];
        self.vary(random, &others);
    }

    fn run_raw(&mut self, random: &mut Random, name: &str) {
        let len = self.files.first().map_or(0, |(_, bytes)| bytes.len());
        let base = match random.below(8) {
            0 => random.next().to_le_bytes(),
            _ => (0x40_0000 + random.below(0x2000)).to_le_bytes(),
        };
        let [a, b, c, d, ..] = base;
        let base = u32::from_le_bytes([a, b, c, d]);
        let within = u32::try_from(random.index(len + 1)).unwrap_or(0);
        let entry = random.one_of(&[base, base.wrapping_add(within)]);
        let (base, entry) = (format!("{base:#x}"), format!("{entry:#x}"));
        self.run(random, &[name, "--base", &base, "--entry", &entry]);
        let register = random.one_of(&["eax", "ecx", "edi", "esi", "esp", "ebp"]);
        let value = random.next() & u64::from(u32::MAX);
        let set = format!("{register}={value:#x}");
        self.vary(random, &[&[], &["--reg", &set]]);
        let mappings: [&[&str]; 4] = [
            &[],
            &["--map", "0x500000:0x2000:rw"],
            &["--map", "0x600000:1:none", "--map", "0x500000:0x10000:rwx"],
            &["--map", "0x7ffe0000:0xffffffff:r"],
        ];
        self.vary(random, &mappings);
    }

    fn replay(&mut self, random: &mut Random, name: &str) {
        let format = random.one_of(&["vmdriver", "opfile", "script"]);
        self.ask(Asked::Judge, &["replay", "--format", format, name]);
        let shown: [&[&str]; 5] = [
            &[],
            &["--json"],
            &["--strict"],
            &["--map", "end", "--tracker", "made.txt"],
            &["--profile", "win9x", "--ram", "256K", "--pagefile", "1M"],
        ];
        self.vary(random, &shown);
    }

    fn paging(&mut self, random: &mut Random, name: &str) {
        self.ask(Asked::Show, &["paging", "--file", name]);
        let shown: [&[&str]; 4] = [
            &[],
            &["--format", "json", "--window", "3"],
            &["--frames", "1-4", "--svg", "made.svg"],
            &["--timeline", "clock:3", "--timeline-svg", "made.svg"],
        ];
        self.vary(random, &shown);
    }

    fn trace(&mut self, random: &mut Random, name: &str) {
        const FORMATS: [&str; 8] = [
            "lackey", "din", "xdin", "drview", "champsim", "csv", "perf", "recorded",
        ];
        self.ask(Asked::Show, &["tlb", "sim", name, "--no-progress"]);
        let format = random.one_of(&FORMATS);
        self.vary(random, &[&[], &[], &["--trace-format", format]]);
        let others: [&[&str]; 5] = [
            &[],
            &["--json"],
            &["--top", "3", "--bad-limit", "1000000"],
            &["--tlb", "skylake", "--flush-every", "100"],
            &["--html", "made.html"],
        ];
        self.vary(random, &others);
    }

    fn dump(&mut self, random: &mut Random, name: &str) {
        let cr3 = match random.below(4) {
            0 => format!("{:#x}", random.next() & u64::from(u32::MAX)),
            _ => "0x1000".to_owned(),
        };
        let addr = match random.below(3) {
            0 => "all".to_owned(),
            1 => format!("{:#x}", random.below(16) << 12),
            _ => format!("{:#x}", random.next() & u64::from(u32::MAX)),
        };
        self.ask(Asked::Show, &["walk", "--dump", name, "--cr3", &cr3, &addr]);
        let others: [&[&str]; 3] = [&[], &["--json"], &["--tables", "xv6"]];
        self.vary(random, &others);
        self.vary(random, &[&[], &["--paging", "pae"]]);
    }
}

/// Makes what is in a file: bytes of any value, a valid file with some changes, or a text that is
/// nearly one.
fn content(random: &mut Random, valid: &[Vec<u8>], kind: Kind) -> Vec<u8> {
    let file = random.choose(valid).clone();
    let has_words = matches!(
        kind,
        Kind::Asm | Kind::Expectations | Kind::Lab | Kind::Replay | Kind::Paging | Kind::Trace
    );
    match random.below(8) {
        0 => {
            let len = random.index(MAX_RANDOM_BYTES);
            random.bytes(len)
        }
        1 => {
            // What the file begins with is what it is read by.
            let len = random.index(MAX_RANDOM_BYTES);
            let mut bytes = random.bytes(len);
            let head = random.index(64.min(file.len() + 1));
            bytes.splice(0..0, file[..head].iter().copied());
            bytes
        }
        2..7 if has_words => mutate::text(random, valid),
        _ => {
            let other = random.choose(valid).clone();
            mutate::bytes(random, file, &other)
        }
    }
}
