//! A run of the interpreter, instruction by instruction: whether all of them may be compared, and what
//! they leave undefined.

use iced_x86::{Decoder, DecoderError, DecoderOptions, Instruction, OpKind, Register};
use pagefault_cpu::{Eflags, Exit, MAX_INSTRUCTION_BYTES, Reg, Registers};

use super::case::Case;
use super::choices::Choices;
use super::compare::exception_of;
use super::exclude::{self, Excluded, Undefined};
use super::generate::Forms;
use super::layout::{BREAKPOINT, IMAGE, IMAGE_END, WINDOW_BYTES};
use super::stage::Stage;
use super::vendor;

/// Instructions of a run, with all iterations of repeated ones apart.
const MOST_STEPS: usize = 24;
/// Iterations of one repeated instruction: more than there is memory.
const MOST_ITERATIONS: usize = 0x2_0000;

/// An instruction that was run.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) eip: u32,
    pub(super) insn: Instruction,
}

/// A run.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    /// What was run, the one that ended it included.
    pub(super) steps: Vec<Step>,
    /// What the run has left undefined.
    pub(super) undefined: Undefined,
    /// Where it should have ended before something that is not compared.
    pub(super) stopped: Option<(u32, Excluded)>,
}

/// Where instructions come from that are not there yet.
pub(super) struct Source<'a, 'b> {
    pub(super) forms: &'a Forms,
    pub(super) choices: &'a mut Choices<'b>,
    /// How many may be made.
    pub(super) count: usize,
}

impl Walk {
    /// Runs a case. With a source, code that is not there yet is made as the run comes to it.
    pub(super) fn new(stage: &mut Stage, case: &mut Case, mut source: Option<Source>) -> Self {
        stage.prepare(case);
        let mut walk = Self {
            steps: Vec::new(),
            undefined: Undefined::default(),
            stopped: None,
        };
        let mut written = [false; WINDOW_BYTES];
        loop {
            if let Some(source) = &mut source {
                write_next(stage, case, source, &mut written);
            }
            let eip = stage.registers().eip();
            let stopped = match walk.step(stage) {
                Ok(Next::GoOn) => continue,
                Ok(Next::Ended) => return walk,
                Err(reason) => Some((eip, reason)),
            };
            walk.stopped = stopped;
            return walk;
        }
    }

    fn step(&mut self, stage: &mut Stage) -> Result<Next, Excluded> {
        if self.steps.len() >= MOST_STEPS {
            return Err(Excluded::TooLong);
        }
        let before = stage.registers().clone();
        let eip = before.eip();
        let bytes = stage.code_at(eip);
        let mut decoder = Decoder::with_ip(32, &bytes, eip.into(), DecoderOptions::NONE);
        let insn = decoder.decode();
        let is_cut = decoder.last_error() == DecoderError::NoMoreBytes;
        if let Some(reason) = exclude::by_form(&insn, &bytes) {
            return Err(reason);
        }
        if let Some(reason) = exclude::by_operands(&insn, &before) {
            return Err(reason);
        }
        if vendor::differs(&insn, &bytes, &before) {
            return Err(Excluded::Vendor);
        }
        if insn.is_invalid() && !is_cut && bytes.len() < MAX_INSTRUCTION_BYTES {
            return Err(Excluded::AtEdge);
        }
        if exclude::is_masked_store(&insn) && !can_store(stage, &insn, &before) {
            return Err(Excluded::MaskedStore);
        }
        if self.undefined.is_read_by(&insn) {
            return Err(Excluded::ReadsUndefined);
        }
        let exit = run_one(stage, &insn)?;
        let fault = exception_of(&exit).and_then(|exception| exception.page_fault);
        if fault.is_some_and(|fault| (IMAGE..IMAGE_END).contains(&fault.addr.bits())) {
            return Err(Excluded::OwnMemory);
        }
        if exception_of(&exit).is_some_and(|exception| exclude::is_partial(&insn, exception)) {
            return Err(Excluded::Partial);
        }
        if exception_of(&exit).is_some_and(|raised| vendor::differs_in_fault(&insn, raised)) {
            return Err(Excluded::Vendor);
        }
        self.steps.push(Step { eip, insn });
        match exit {
            Exit::Budget => {
                self.undefined.step(&insn, &before);
                Ok(Next::GoOn)
            }
            Exit::Exception { exception, .. } => {
                if exception.class == pagefault_cpu::Class::Trap {
                    self.undefined.step(&insn, &before);
                }
                Ok(Next::Ended)
            }
            Exit::Unsupported(_) => Err(Excluded::Unsupported),
            other => unreachable!("nobody has asked for {other:?}"),
        }
    }
}

/// Tells whether 16 bytes can be stored at EDI, or DI, whatever their alignment is.
fn can_store(stage: &Stage, insn: &Instruction, registers: &Registers) -> bool {
    const LAST: u32 = 15;
    let edi = match insn.op0_kind() {
        OpKind::MemorySegDI => registers.gpr(Reg::Edi) & 0xFFFF,
        _ => registers.gpr(Reg::Edi),
    };
    let is_checked = registers.eflags().contains(Eflags::ALIGNMENT_CHECK);
    let segment = insn.memory_segment();
    let is_data = matches!(segment, Register::DS | Register::ES | Register::SS);
    is_data && !is_checked && stage.is_writable(edi) && stage.is_writable(edi.wrapping_add(LAST))
}

/// Whether a run has come to its end.
enum Next {
    GoOn,
    Ended,
}

/// Runs one instruction with all its iterations.
fn run_one(stage: &mut Stage, insn: &Instruction) -> Result<Exit, Excluded> {
    let eip = stage.registers().eip();
    let is_repeated = insn.is_string_instruction();
    for _ in 0..MOST_ITERATIONS {
        let exit = stage.run(1);
        let goes_on = exit == Exit::Budget && is_repeated && stage.registers().eip() == eip;
        if !goes_on {
            return Ok(exit);
        }
    }
    Err(Excluded::TooLong)
}

/// Makes the next instruction, if there is none yet and there is room for it.
fn write_next(
    stage: &mut Stage,
    case: &mut Case,
    source: &mut Source,
    written: &mut [bool; WINDOW_BYTES],
) {
    let registers = stage.registers().clone();
    let eip = registers.eip();
    let start = eip.wrapping_sub(case.code_at) as usize;
    let is_free = written.get(start).is_some_and(|written| !written);
    if !is_free || source.count == 0 || source.choices.is_empty() {
        return;
    }
    source.count -= 1;
    let bytes = source.forms.next(source.choices, &registers);
    for (index, byte) in bytes.iter().enumerate() {
        let Some(place) = written.get_mut(start + index) else {
            break;
        };
        if *place {
            break;
        }
        *place = true;
        case.code[start + index] = *byte;
        stage.patch(
            eip.wrapping_add(u32::try_from(index).unwrap_or(0)),
            &[*byte],
        );
    }
}

/// Puts a breakpoint where a run must not go on.
#[must_use]
pub(super) fn stop_at(case: &mut Case, addr: u32) -> bool {
    case.put(addr, BREAKPOINT)
}
