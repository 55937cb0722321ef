//! Options of the run, as the lines that begin with `run` say them.

use pagefault_machine::vmm::mmu::{MmuConfig, TlbConfig};
use pagefault_machine::vmm::{PagingMode, PolicyKind, Profile, VmmConfig};
use pagefault_machine::{MachineConfig, Turns};

use crate::expect::error::{ExpectError, ExpectErrorKind, Word};
use crate::expect::lex::{Span, span_of};
use crate::options::{parse_ram, parse_size, parse_tlb};

/// The options by name.
pub(crate) const OPTIONS: [&str; 12] = [
    "paging",
    "profile",
    "ram",
    "tlb",
    "pagefile",
    "replacement",
    "seed",
    "quantum",
    "budget",
    "args",
    "stdin",
    "files",
];

/// How a program wants to be run. What is `None` is as the caller has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The format of the page tables.
    pub paging: Option<PagingMode>,
    /// Whose rules hold.
    pub profile: Option<Profile>,
    /// The size of guest RAM in bytes.
    pub ram_bytes: Option<u64>,
    /// The TLB.
    pub tlb: Option<TlbConfig>,
    /// The size of the paging file in bytes.
    pub pagefile_bytes: Option<u64>,
    /// Which page makes room.
    pub replacement: Option<PolicyKind>,
    /// What lengths of turns are drawn from.
    pub seed: Option<u64>,
    /// Instructions of a turn.
    pub quantum: Option<u64>,
    /// Instructions of the whole run.
    pub budget: Option<u64>,
    /// The program's command line.
    pub arguments: Option<String>,
    /// What the program reads from standard input.
    pub input: Option<String>,
    /// The folder that the program sees as drive C, relative to its source.
    pub files: Option<String>,
}

impl Settings {
    /// Returns a configuration with what is set here in place of what it has.
    pub fn apply(&self, base: &MachineConfig) -> MachineConfig {
        let base = base.clone();
        MachineConfig {
            ram_bytes: self.ram_bytes.unwrap_or(base.ram_bytes),
            mmu: MmuConfig {
                tlb: self.tlb.clone().unwrap_or(base.mmu.tlb),
                ..base.mmu
            },
            vmm: VmmConfig {
                paging: self.paging.unwrap_or(base.vmm.paging),
                profile: self.profile.unwrap_or(base.vmm.profile),
                replacement: self.replacement.unwrap_or(base.vmm.replacement),
                ..base.vmm
            },
            turns: Turns {
                quantum: self.quantum.unwrap_or(base.turns.quantum),
                seed: self.seed.unwrap_or(base.turns.seed),
            },
            arguments: self.arguments.clone().unwrap_or(base.arguments),
            ..base
        }
    }

    /// Reads the options behind `run`: words of the form `name=value`, the value in quotes if there
    /// are blanks in it.
    pub(crate) fn read(
        &mut self,
        line: u32,
        first_column: u32,
        text: &str,
    ) -> Result<(), ExpectError> {
        let mut at = 0;
        while let Some((start, end)) = next_word(text, at) {
            let span = span_of(line, first_column, start, end);
            self.set(&text[start..end])
                .map_err(|kind| ExpectError { span, kind })?;
            at = end;
        }
        if at == 0 {
            let span: Span = span_of(line, first_column, 0, text.len());
            let what = "options, as in `run ram=16M paging=pae`";
            let kind = ExpectErrorKind::Expected { what };
            return Err(ExpectError { span, kind });
        }
        Ok(())
    }

    fn set(&mut self, word: &str) -> Result<(), ExpectErrorKind> {
        let unknown = |name: &str| ExpectErrorKind::UnknownOption {
            word: Word::new(name),
        };
        let Some((name, value)) = word.split_once('=') else {
            return Err(unknown(word));
        };
        let value = value.trim_matches('"');
        let number = |option, what| {
            let bad = ExpectErrorKind::BadOption { option, what };
            value.replace('_', "").parse::<u64>().map_err(|_| bad)
        };
        let bad = |option, what| ExpectErrorKind::BadOption { option, what };
        match name {
            "paging" => {
                let mode = match value {
                    "two-level" => PagingMode::TwoLevel,
                    "pae" => PagingMode::Pae,
                    _ => return Err(bad("paging", "two-level or pae")),
                };
                self.paging = Some(mode);
            }
            "profile" => {
                let profile = match value {
                    "nt" => Profile::Nt,
                    "win9x" => Profile::Win9x,
                    _ => return Err(bad("profile", "nt or win9x")),
                };
                self.profile = Some(profile);
            }
            "ram" => {
                let bytes = parse_ram(value).map_err(|_| bad("ram", "4K to 4G, whole frames"))?;
                self.ram_bytes = Some(bytes);
            }
            "pagefile" => {
                let bytes = parse_size(value).map_err(|_| bad("pagefile", "a size, as 16M"))?;
                self.pagefile_bytes = Some(bytes);
            }
            "tlb" => {
                let what = "ENTRIESxWAYS:POLICY, none, or a processor";
                self.tlb = Some(parse_tlb(value).map_err(|_| bad("tlb", what))?);
            }
            "replacement" => {
                let what = "clock, fifo, aging, wsclock or random";
                let policy = PolicyKind::named(value).ok_or(bad("replacement", what))?;
                self.replacement = Some(policy);
            }
            "seed" => self.seed = Some(number("seed", "a number")?),
            "quantum" => {
                let quantum = number("quantum", "a number of instructions, at least 1")?;
                self.quantum = Some(quantum.max(1));
            }
            "budget" => self.budget = Some(number("budget", "a number of instructions")?),
            "args" => self.arguments = Some(value.to_owned()),
            "stdin" => self.input = Some(value.replace("\\n", "\n").replace("\\r", "\r")),
            "files" => self.files = Some(below(value)?.to_owned()),
            _ => return Err(unknown(name)),
        }
        Ok(())
    }
}

/// Returns a path that leads nowhere but below where it begins, whatever the host: a source may come
/// from anybody, and what it names is read, written and given to its program.
pub(crate) fn below(path: &str) -> Result<&str, ExpectErrorKind> {
    let is_rooted = path.starts_with(['/', '\\']) || path.contains(':');
    if is_rooted || path.split(['/', '\\']).any(|part| part == "..") {
        let path = Word::new(path);
        return Err(ExpectErrorKind::Outside { path });
    }
    Ok(path)
}

/// Returns where the next word begins and ends: blanks within quotes belong to it, and a semicolon
/// outside of them begins a comment.
fn next_word(text: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let rest = bytes.get(from..)?;
    let start = from + rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
    if bytes[start] == b';' {
        return None;
    }
    let mut is_quoted = false;
    let len = bytes[start..].iter().position(|&byte| {
        is_quoted ^= byte == b'"';
        !is_quoted && (byte.is_ascii_whitespace() || byte == b';')
    });
    Some((start, len.map_or(bytes.len(), |len| start + len)))
}
