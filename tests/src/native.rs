//! Sequences of instructions on the processor itself, and on the interpreter: both must come to the
//! same state.
//!
//! A process of 32-bit Linux (`native/runner.asm`, assembled by `pagefault-asm`) has the memory map of
//! `native/layout.rs`: code, data, a page that can only be read, one without rights, a segment of FS
//! with a limit, a stack between nothing. It runs each case until its first exception, and tells all
//! registers, the state of x87 and SSE, the exception with its error code and CR2, and every dword of
//! memory that has changed. The interpreter runs the same on page tables with the same rights.
//!
//! An input is bytes. They choose registers, flags, numbers of all kinds, and then either are the
//! code themselves or choose instructions of all forms, one after another, while the interpreter runs:
//! so memory operands and branches can be aimed at what is there. What cannot be compared is cut off;
//! [`Excluded`] lists it with the reasons.
//!
//! Undefined flags are followed: they are not compared, and nothing that depends on them is run.

mod case;
mod choices;
mod compare;
mod elf;
mod exclude;
mod generate;
mod layout;
mod process;
mod stage;
mod values;
mod vendor;
mod walk;

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use iced_x86::Code;

use self::case::Case;
use self::choices::Choices;
use self::compare::{State, exception_of};
pub use self::exclude::Excluded;
use self::exclude::Undefined;
use self::generate::Forms;
pub use self::process::Unavailable;
use self::process::{Answer, Native};
use self::stage::Stage;
use self::walk::{Source, Step, Walk};

/// What a run may take in one piece; repeated instructions end at the end of memory.
const BUDGET: u64 = 1_000_000;
/// How often a breakpoint is put where a run must not go on.
const MOST_STOPS: usize = 8;
/// The most instructions that are made for a run.
const MOST_INSTRUCTIONS: u8 = 16;

/// A difference between the processor and the interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The shortest beginning of the run that differs, and how it does.
    pub text: String,
    /// The last instruction of it.
    pub code: Code,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What came of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Both have come to the same state.
    Same,
    /// The run could not be compared.
    Rejected(Excluded),
    /// The states differ.
    Different(Box<Difference>),
}

/// A case that is ready to be run on both sides.
#[derive(Debug)]
struct Prepared {
    case: Case,
    steps: Vec<Step>,
    undefined: Undefined,
}

/// The processor and the interpreter side by side.
#[derive(Debug)]
pub struct Differential {
    native: Native,
    stage: Stage,
    forms: Forms,
    executed: BTreeMap<Code, u64>,
    excluded: BTreeMap<Excluded, u64>,
}

impl Differential {
    /// Starts the native side.
    ///
    /// # Errors
    ///
    /// [`Unavailable`], which says why nothing can be compared on this machine.
    pub fn start() -> Result<Self, Unavailable> {
        let native = Native::start()?;
        let stage = Stage::new(native.selectors());
        Ok(Self {
            native,
            stage,
            forms: Forms::new(),
            executed: BTreeMap::new(),
            excluded: BTreeMap::new(),
        })
    }

    /// Runs what some inputs ask for, and compares.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the native side died and cannot be started again.
    pub fn check(&mut self, inputs: &[&[u8]]) -> Result<Vec<Verdict>, Unavailable> {
        let prepared: Vec<_> = inputs.iter().map(|input| self.prepare(input)).collect();
        let ready: Vec<&Case> = prepared.iter().flatten().map(|ready| &ready.case).collect();
        let mut answers = self.native.run(&ready)?.into_iter();
        let mut verdicts = Vec::new();
        for prepared in prepared {
            verdicts.push(match prepared {
                Err(reason) => Verdict::Rejected(reason),
                Ok(ready) => {
                    let answer = answers.next().unwrap_or(Answer::Died);
                    self.judge(&ready, &answer)?
                }
            });
        }
        Ok(verdicts)
    }

    /// Returns how often each form was executed and compared.
    pub fn executed(&self) -> &BTreeMap<Code, u64> {
        &self.executed
    }

    /// Returns how often runs ended before something that is not compared.
    pub fn excluded(&self) -> &BTreeMap<Excluded, u64> {
        &self.excluded
    }

    /// Makes a case of an input.
    fn prepare(&mut self, input: &[u8]) -> Result<Prepared, Excluded> {
        let mut choices = Choices::new(input);
        let kind = choices.byte();
        let mut case = choices::begin(&mut choices);
        if kind.is_multiple_of(8) {
            let start = case.eip.wrapping_sub(case.code_at) as usize;
            let places = case.code.iter_mut().skip(start);
            for (place, byte) in places.zip(choices.rest()) {
                *place = *byte;
            }
        } else {
            let source = Source {
                forms: &self.forms,
                choices: &mut choices,
                count: usize::from(kind % MOST_INSTRUCTIONS) + 1,
            };
            let walk = Walk::new(&mut self.stage, &mut case, Some(source));
            self.stop(&mut case, &walk)?;
        }
        self.settle(case)
    }

    /// Puts breakpoints where the run must not go on, until it does not.
    fn settle(&mut self, mut case: Case) -> Result<Prepared, Excluded> {
        let mut reason = Excluded::TooLong;
        for _ in 0..MOST_STOPS {
            let walk = Walk::new(&mut self.stage, &mut case, None);
            if let Some((_, stopped)) = walk.stopped {
                reason = stopped;
                self.stop(&mut case, &walk)?;
                continue;
            }
            return Ok(Prepared {
                case,
                steps: walk.steps,
                undefined: walk.undefined,
            });
        }
        Err(reason)
    }

    fn stop(&mut self, case: &mut Case, walk: &Walk) -> Result<(), Excluded> {
        let Some((addr, reason)) = walk.stopped else {
            return Ok(());
        };
        *self.excluded.entry(reason).or_default() += 1;
        if walk::stop_at(case, addr) {
            Ok(())
        } else {
            Err(reason)
        }
    }

    fn judge(&mut self, ready: &Prepared, answer: &Answer) -> Result<Verdict, Unavailable> {
        for step in &ready.steps {
            *self.executed.entry(step.insn.code()).or_default() += 1;
        }
        if self.differences(ready, answer).is_empty() {
            return Ok(Verdict::Same);
        }
        let difference = self.narrow(ready, answer)?;
        Ok(Verdict::Different(Box::new(difference)))
    }

    /// Runs a case in one piece on the interpreter, and holds it against the answer.
    fn differences(&mut self, ready: &Prepared, answer: &Answer) -> Vec<String> {
        self.stage.prepare(&ready.case);
        let exit = self.stage.run(BUDGET);
        let Some(exception) = exception_of(&exit) else {
            return vec![format!("the interpreter ended with {exit:?}")];
        };
        let ours = State::from_stage(&self.stage, &ready.case, exception);
        match answer {
            Answer::Died => vec!["the process of the native side died".to_owned()],
            Answer::Result(result) => {
                ours.differences(&State::from_native(result), ready.undefined)
            }
        }
    }

    /// Finds the shortest beginning of a run that differs, and describes it.
    fn narrow(&mut self, ready: &Prepared, answer: &Answer) -> Result<Difference, Unavailable> {
        for count in 1..ready.steps.len() {
            let mut case = ready.case.clone();
            if !walk::stop_at(&mut case, ready.steps[count].eip) {
                continue;
            }
            let Ok(shorter) = self.settle(case) else {
                continue;
            };
            let answers = self.native.run(&[&shorter.case])?;
            let differences = self.differences(&shorter, &answers[0]);
            if !differences.is_empty() {
                return Ok(describe(&shorter, &differences));
            }
        }
        let differences = self.differences(ready, answer);
        Ok(describe(ready, &differences))
    }
}

/// Returns inputs without end, which follow from a seed.
pub fn inputs(seed: u32) -> impl Iterator<Item = Vec<u8>> {
    /// Enough for the longest run.
    const BYTES: usize = 600;
    let mut random = values::Random::new(seed);
    std::iter::repeat_with(move || {
        let bytes = std::iter::repeat_with(|| random.next().to_le_bytes()[7]);
        bytes.take(BYTES).collect()
    })
}

fn describe(ready: &Prepared, differences: &[String]) -> Difference {
    let case = &ready.case;
    let mut text = String::new();
    let registers = case.registers.map(|value| format!("{value:08x}"));
    _ = writeln!(text, "registers {}", registers.join(" "));
    let [control, status, mxcsr] = [0..2, 2..4, 24..28].map(|range| &case.extended[range]);
    let tags = case.extended[4];
    _ = writeln!(
        text,
        "flags {:#x}, x87 control {control:02x?} status {status:02x?} tags {tags:#04x}, MXCSR {mxcsr:02x?}",
        case.flags
    );
    for step in &ready.steps {
        let start = step.eip.wrapping_sub(case.code_at) as usize;
        let bytes = case.code.get(start..start + step.insn.len());
        let bytes = bytes.unwrap_or_default();
        let digits = compare::digits(bytes.iter());
        let _ = writeln!(
            text,
            "  {:08x}  {digits:20} {:?}",
            step.eip,
            step.insn.code()
        );
    }
    for line in differences {
        _ = writeln!(text, "    {line}");
    }
    // The last one is the breakpoint.
    let mut last = ready.steps.iter().rev();
    let code = |step: &Step| step.insn.code();
    let end = last.next().map_or(Code::INVALID, code);
    let code = match end {
        Code::Int3 => last.next().map_or(end, code),
        other => other,
    };
    Difference { text, code }
}
