//! The command line.

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use pagefault_lab::{parse_ram, parse_size, parse_tlb};
use pagefault_machine::cpu::Reg;
use pagefault_machine::vmm::mmu::TlbConfig;
use pagefault_machine::vmm::{self, PolicyKind};
use pagefault_machine::{DEFAULT_QUANTUM, Topics};

use crate::grade::{GradeArguments, GradeOneArguments};
use crate::lab::LabCommand;
use crate::look::{ExplainArguments, MapArguments, WalkArguments};
use crate::paging::PagingArguments;
use crate::quiz::QuizArguments;
use crate::replay::ReplayArguments;
use crate::shell::{CompletionsArguments, ManArguments};
use crate::test::TestArguments;
use crate::tlb::TlbCommand;

/// What `--help` says of exit codes, which the README says too.
const EXIT_CODES: &str = "\
Exit codes:
  The program's own exit code, modulo 256; --exit-code tool gives 0 in its place.
    2  the command line is wrong
  120  the program was ended by an exception that nobody handled
  121  the program reached an instruction or a function that is not emulated
  122  --max-insns was reached, every thread waits for ever, or calls lead only to calls
  123  the program cannot be read, assembled or loaded, or --files not be used
  125  a file that was asked for cannot be written, or an address not be listened at
  130  Ctrl-C has ended the run; what was asked for is written as far as the run came";

/// What the debugger's `--help` says of exit codes: the program's own is not among them.
const DEBUG_EXIT_CODES: &str = "\
Exit codes:
    0  the user has ended it
    2  the command line is wrong, or there is no terminal
  123  the program cannot be read, assembled or loaded, or --files not be used
  125  the terminal cannot be used, or the program not be recorded";

/// Runs 32-bit x86 programs on an emulated MMU under a Windows-style virtual memory manager.
#[derive(Debug, Parser)]
#[command(name = "pagefault", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// When to colour messages.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs an executable, or assembles a MASM program and runs it.
    Run(RunCommand),
    /// Debugs a program on the terminal, forwards and back.
    Debug(DebugArguments),
    /// Runs a program and shows its address space, at the end or at another moment.
    Map(MapArguments),
    /// Explains an exception of a program, or one of its addresses.
    Explain(ExplainArguments),
    /// Walks the page tables of a program, or of a dump of physical memory.
    Walk(WalkArguments),
    /// Traces and patterns against TLBs: counts, sweeps, curves, real processors.
    #[command(subcommand)]
    Tlb(TlbCommand),
    /// Assembles a MASM program to a file.
    Asm(AsmArguments),
    /// Runs programs and judges them by the expectations in their sources.
    Test(TestArguments),
    /// Prints what makes a shell complete the command line.
    Completions(CompletionsArguments),
    /// Prints a manual page, in roff.
    Man(ManArguments),
    /// Replays the driver file of a course lab, with the address space after each operation.
    Replay(ReplayArguments),
    /// Counts the page faults of a reference string under every replacement policy.
    Paging(PagingArguments),
    /// Makes exercises about memory, and marks the answers.
    Quiz(QuizArguments),
    /// Labs: begin one, check it, see a student's parameters.
    #[command(subcommand)]
    Lab(LabCommand),
    /// Grades a class of submissions.
    Grade(GradeArguments),
    /// Grades one submission, for `grade`.
    #[command(hide = true)]
    GradeOne(GradeOneArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunCommand {
    #[command(flatten)]
    pub(crate) run: RunArguments,
    #[command(flatten)]
    pub(crate) gdb: GdbArguments,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DebugArguments {
    #[command(flatten)]
    pub(crate) run: RunArguments,
    /// Host memory for going back: bytes, or a number with K, M or G.
    #[arg(long, value_name = "SIZE", default_value = "512M", value_parser = parse_size)]
    pub(crate) history: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct GdbArguments {
    /// Wait for gdb, which can go back too: PORT or HOST:PORT of this machine; port 0 takes a free
    /// one.
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["json", "trace", "record_trace", "report"])]
    pub(crate) gdb: Option<String>,
    /// Let --gdb listen at an address that other machines reach: whoever connects controls the
    /// program and reads its files.
    #[arg(long, requires = "gdb")]
    pub(crate) gdb_any_address: bool,
    /// Write the program's labels as an ELF file, for gdb's `file` command.
    #[arg(long, value_name = "FILE", requires = "gdb")]
    pub(crate) gdb_symbols: Option<PathBuf>,
    /// Host memory for going back: bytes, or a number with K, M or G.
    #[arg(long, value_name = "SIZE", default_value = "512M", value_parser = parse_size)]
    pub(crate) history: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct AsmArguments {
    /// The program: MASM source (.asm).
    pub(crate) program: PathBuf,
    /// What to write.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// The file to write; without it, the source's name with another ending, in this folder.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write offsets, bytes and source lines, with the code that directives have made.
    #[arg(long, value_name = "FILE")]
    pub(crate) listing: Option<PathBuf>,
    /// Write the addresses and sizes of the labels.
    #[arg(long, value_name = "FILE")]
    pub(crate) symbols: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// An executable for 32-bit Windows.
    #[default]
    Pe,
    /// An object file for a linker.
    Coff,
    /// Raw bytes, from the first section on.
    Bin,
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct RunArguments {
    /// The program: MASM source (.asm), an executable for 32-bit Windows (.exe), a static
    /// executable for Linux on i386 (ELF), or, with --base, raw bytes.
    pub(crate) program: PathBuf,
    /// What the program finds on its command line; behind `--`, also what begins with a dash.
    pub(crate) arguments: Vec<String>,
    /// Take the program as raw bytes that are at this address, as in 0x401000.
    #[arg(long, value_name = "ADDR", value_parser = number)]
    pub(crate) base: Option<u32>,
    /// Where raw bytes begin to run; without it, at their first one.
    #[arg(long, value_name = "ADDR", value_parser = number, requires = "base")]
    pub(crate) entry: Option<u32>,
    /// Set a register before the program runs, as in eax=0x10; can be given several times.
    #[arg(long, value_name = "REG=VALUE", value_parser = register)]
    pub(crate) reg: Vec<(Reg, u32)>,
    /// Give the program memory before it runs, as in 0x500000:0x2000:rw; PROT is none or of r, w
    /// and x; can be given several times.
    #[arg(long, value_name = "ADDR:SIZE:PROT", value_parser = mapping)]
    pub(crate) map: Vec<Mapping>,
    /// The folder of files that the program may use, which it sees as drive C; without it, none.
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Option<PathBuf>,
    /// Load a program that can be anywhere at an address drawn from this number.
    #[arg(long, value_name = "SEED")]
    pub(crate) aslr: Option<u64>,
    /// What to trace, as a comma list: api, fault, walk, tlb, insn, mem.
    #[arg(long, value_name = "TOPICS", value_parser = topics)]
    pub(crate) trace: Option<Topics>,
    /// Where the trace goes, in place of standard error.
    #[arg(long, value_name = "FILE", requires = "trace")]
    pub(crate) trace_out: Option<PathBuf>,
    /// Record every access for `pagefault tlb`; compressed if the name ends in .zst.
    #[arg(long, value_name = "FILE", conflicts_with = "trace")]
    pub(crate) record_trace: Option<PathBuf>,
    /// Print one JSON object on standard output, which holds the program's output; the trace
    /// becomes JSON Lines.
    #[arg(long)]
    pub(crate) json: bool,
    /// Stop after so many instructions.
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    pub(crate) max_insns: u64,
    /// The size of guest RAM: bytes, or a number with K, M or G.
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = parse_ram)]
    pub(crate) ram: u64,
    /// The size of the paging file, in a temporary file; without it, nothing is paged out.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) pagefile: Option<u64>,
    /// Which page makes room when RAM is full: clock, fifo, aging, wsclock or random.
    #[arg(long, value_name = "POLICY", default_value = "clock", value_parser = replacement)]
    pub(crate) replacement: PolicyKind,
    /// The TLB: ENTRIESxWAYS:POLICY, "none", or that of a processor, as "i486" or "skylake".
    #[arg(long, value_name = "TLB", default_value = "64x4:lru", value_parser = parse_tlb)]
    pub(crate) tlb: TlbConfig,
    /// The format of the page tables. Only PAE can forbid execution.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) paging: Paging,
    /// Whose rules hold.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) profile: Profile,
    /// How many instructions a thread runs before the next one has its turn.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_QUANTUM, value_parser = quantum)]
    pub(crate) quantum: u64,
    /// Draw the lengths of the turns from this number; 0 keeps them all alike.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Write a report of the run: one HTML file with a time line, the address space over time, page
    /// tables, walks, misses and faults by region and instruction.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trace", "record_trace"])]
    pub(crate) report: Option<PathBuf>,
    /// Print what the MMU has counted, on standard error.
    #[arg(long)]
    pub(crate) stats: bool,
    /// Show the address space at the end, on standard error.
    #[arg(long)]
    pub(crate) map_at_exit: bool,
    /// Whose exit code the command returns.
    #[arg(long, value_enum, default_value_t, value_name = "WHOSE")]
    pub(crate) exit_code: ExitCodeOf,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Paging {
    #[default]
    TwoLevel,
    Pae,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Profile {
    #[default]
    Nt,
    Win9x,
}

impl Paging {
    /// Returns the mode as the memory manager names it.
    pub(crate) fn mode(self) -> vmm::PagingMode {
        match self {
            Self::TwoLevel => vmm::PagingMode::TwoLevel,
            Self::Pae => vmm::PagingMode::Pae,
        }
    }
}

impl Profile {
    /// Returns the rules as the memory manager names them.
    pub(crate) fn rules(self) -> vmm::Profile {
        match self {
            Self::Nt => vmm::Profile::Nt,
            Self::Win9x => vmm::Profile::Win9x,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExitCodeOf {
    /// The program's, modulo 256.
    #[default]
    Guest,
    /// 0 if the program ended by itself.
    Tool,
}

/// What stands for the program where none is named.
pub(crate) const NO_PROGRAM: &str = "-";

/// Returns the command line with what is peculiar to single commands.
pub(crate) fn command() -> clap::Command {
    // A dump stands in the place of a program.
    let program = |arg: clap::Arg| {
        let arg = arg.required(false).default_value(NO_PROGRAM);
        arg.hide_default_value(true).index(2)
    };
    let walk = |walk: clap::Command| {
        let walk = walk.mut_arg("address", |arg| arg.index(1));
        let walk = walk.mut_arg("program", program);
        walk.mut_arg("arguments", |arg| arg.index(3))
    };
    let without = |command: clap::Command, unfit: &[&'static str]| {
        let hide = |command: clap::Command, &name: &&'static str| {
            command.mut_arg(name, |arg| arg.hide(true))
        };
        unfit.iter().fold(command, hide)
    };
    let look = |command: clap::Command| without(command, &UNFIT_FOR_A_LOOK);
    Arguments::command()
        .mut_subcommand("walk", |command| look(walk(command)))
        .mut_subcommand("explain", look)
        .mut_subcommand("map", look)
        .mut_subcommand("tlb", |tlb| tlb.mut_subcommand("show", look))
        .mut_subcommand("debug", |debug| {
            without(debug, &UNFIT_FOR_THE_DEBUGGER).after_help(DEBUG_EXIT_CODES)
        })
}

/// Options of whole runs, which a look at one moment refuses.
pub(crate) const UNFIT_FOR_A_LOOK: [&str; 3] = ["report", "map_at_exit", "exit_code"];
/// Options of runs that end and tell of it, which the debugger refuses.
pub(crate) const UNFIT_FOR_THE_DEBUGGER: [&str; 9] = [
    "json",
    "trace",
    "trace_out",
    "record_trace",
    "report",
    "stats",
    "map_at_exit",
    "exit_code",
    "max_insns",
];

impl RunArguments {
    /// Returns one of these options, as users write it, if one was given.
    pub(crate) fn unfit(&self, unfit: &[&str]) -> Option<String> {
        let options = [
            ("json", self.json),
            ("trace", self.trace.is_some()),
            ("trace_out", self.trace_out.is_some()),
            ("record_trace", self.record_trace.is_some()),
            ("report", self.report.is_some()),
            ("stats", self.stats),
            ("map_at_exit", self.map_at_exit),
            ("exit_code", self.exit_code != ExitCodeOf::default()),
            ("max_insns", self.max_insns != u64::MAX),
        ];
        let mut given = options.into_iter().filter(|&(_, is_given)| is_given);
        let found = given.find(|(name, _)| unfit.contains(name));
        found.map(|(name, _)| format!("--{}", name.replace('_', "-")))
    }

    /// Returns what follows the program's name on its command line.
    pub(crate) fn command_line(&self) -> String {
        let quoted = self.arguments.iter().map(|argument| {
            if argument.is_empty() || argument.contains([' ', '\t', '"']) {
                format!("\"{}\"", argument.replace('"', "\\\""))
            } else {
                argument.clone()
            }
        });
        quoted.collect::<Vec<_>>().join(" ")
    }
}

fn topics(list: &str) -> Result<Topics, String> {
    list.split(',').try_fold(Topics::empty(), |topics, name| {
        let named = Topics::NAMES
            .iter()
            .find(|(known, _)| *known == name.trim());
        let known = Topics::NAMES.map(|(name, _)| name).join(", ");
        let unknown = || format!("unknown topic \"{name}\"; there are {known}");
        named.map(|&(_, topic)| topics | topic).ok_or_else(unknown)
    })
}

/// Memory that a program is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapping {
    pub(crate) addr: u32,
    pub(crate) size_bytes: u32,
    /// A `PAGE_*` constant.
    pub(crate) protect: u32,
}

/// Returns a number as users write it: `0x1000`, `1000h`, `4096`.
pub(crate) fn number(text: &str) -> Result<u32, String> {
    const HEXADECIMAL: u32 = 16;
    let lower = text.to_ascii_lowercase();
    let digits = lower.strip_prefix("0x").or_else(|| lower.strip_suffix('h'));
    let parsed = match digits {
        Some(digits) => u32::from_str_radix(digits, HEXADECIMAL),
        None => lower.parse(),
    };
    parsed.map_err(|_| "expected a number of 32 bits, as 0x401000, 401000h or 4198400".to_owned())
}

fn register(text: &str) -> Result<(Reg, u32), String> {
    const NAMES: [&str; 8] = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
    let (name, value) = text
        .split_once('=')
        .ok_or("expected a register, = and a number")?;
    let place = NAMES
        .iter()
        .position(|known| known.eq_ignore_ascii_case(name));
    let found = place.and_then(|index| Reg::ALL.get(index).copied());
    let unknown = || format!("unknown register; there are {}", NAMES.join(", "));
    Ok((found.ok_or_else(unknown)?, number(value)?))
}

fn mapping(text: &str) -> Result<Mapping, String> {
    /// The rights with their `PAGE_*` constants.
    const RIGHTS: [(&str, u32); 6] = [
        ("none", 0x01),
        ("r", 0x02),
        ("rw", 0x04),
        ("x", 0x10),
        ("rx", 0x20),
        ("rwx", 0x40),
    ];
    let parts: Vec<&str> = text.split(':').collect();
    let [addr, size, rights] = parts[..] else {
        return Err("expected ADDR:SIZE:PROT, as in 0x500000:0x2000:rw".to_owned());
    };
    let found = RIGHTS.iter().find(|(known, _)| *known == rights);
    let unknown = || {
        let known = RIGHTS.map(|(name, _)| name).join(", ");
        format!("unknown rights; there are {known}")
    };
    Ok(Mapping {
        addr: number(addr)?,
        size_bytes: number(size)?,
        protect: found.ok_or_else(unknown)?.1,
    })
}

fn quantum(text: &str) -> Result<u64, String> {
    let number = text.parse::<u64>().ok().filter(|&number| number > 0);
    number.ok_or_else(|| "expected a number of instructions, at least 1".to_owned())
}

fn replacement(name: &str) -> Result<PolicyKind, String> {
    let known = PolicyKind::NAMES.map(|(name, _)| name).join(", ");
    let unknown = || format!("unknown replacement policy; there are {known}");
    PolicyKind::named(name).ok_or_else(unknown)
}
