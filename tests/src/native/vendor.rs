//! Where processors go different ways, and the interpreter goes Intel's.
//!
//! On a processor of Intel's all of this is compared. On others it is left out.

use std::fs;
use std::sync::OnceLock;

use iced_x86::{Code, Instruction, Mnemonic, OpKind};
use pagefault_cpu::{Eflags, Exception, MAX_INSTRUCTION_BYTES, Reg, Registers, Vector};

use super::exclude;

/// Where Linux tells what the processor is.
const CPUINFO: &str = "/proc/cpuinfo";
/// What it says of Intel's.
const INTEL: &str = "GenuineIntel";

/// Tells whether this processor is one of Intel's.
fn is_intel() -> bool {
    static IS_INTEL: OnceLock<bool> = OnceLock::new();
    *IS_INTEL.get_or_init(|| fs::read_to_string(CPUINFO).is_ok_and(|text| text.contains(INTEL)))
}

/// Tells whether this processor may go another way with an instruction and these registers.
pub(super) fn differs(insn: &Instruction, bytes: &[u8], registers: &Registers) -> bool {
    !is_intel()
        && (differs_by_form(insn, bytes)
            || may_except_at_store(insn, registers)
            || overwrites_itself(insn, registers))
}

/// Tells whether this processor may end an instruction in another state, if with an exception: of the
/// two operands of CMPS, AMD's read that at ESI first; the flags of a SCAS that was repeated before are
/// those of the last comparison.
pub(super) fn differs_in_fault(insn: &Instruction, exception: &Exception) -> bool {
    let compares = matches!(
        insn.mnemonic(),
        Mnemonic::Cmpsb
            | Mnemonic::Cmpsw
            | Mnemonic::Cmpsd
            | Mnemonic::Scasb
            | Mnemonic::Scasw
            | Mnemonic::Scasd
    );
    let is_memory = [
        Vector::PAGE,
        Vector::ALIGNMENT,
        Vector::GENERAL_PROTECTION,
        Vector::STACK,
    ];
    !is_intel() && compares && is_memory.contains(&exception.vector)
}

fn differs_by_form(insn: &Instruction, bytes: &[u8]) -> bool {
    match insn.code() {
        // AMD's store the selector in 32 bits, Intel's in 16.
        Code::Pushd_ES
        | Code::Pushd_CS
        | Code::Pushd_SS
        | Code::Pushd_DS
        | Code::Pushd_FS
        | Code::Pushd_GS
        // AMD's read both bounds before they compare, Intel's one after the other.
        | Code::Bound_r16_m1616
        | Code::Bound_r32_m3232
        // AMD's have a bit 17 in MXCSR.
        | Code::Ldmxcsr_m32
        | Code::Fxrstor_m512byte
        // The #DB of INT1 is a fault under some hypervisors.
        | Code::Int1 => true,
        // AMD's have PREFETCH there, without a form for registers.
        Code::Reservednop_rm16_r16_0F0D | Code::Reservednop_rm32_r32_0F0D => {
            insn.op0_kind() == OpKind::Register
        }
        Code::INVALID => {
            // AMD's fetch no more of it than tells that it has no meaning.
            let is_at_edge = bytes.len() < MAX_INSTRUCTION_BYTES;
            is_at_edge || is_locked_control(bytes) || may_be_too_long(bytes)
        }
        _ => is_repeated_loop(insn, bytes),
    }
}

/// Tells whether bytes without a meaning may be more than an instruction's 15: AMD's look at that first.
fn may_be_too_long(bytes: &[u8]) -> bool {
    /// Prefixes in front of the longest opcode and operands.
    const PREFIXES: usize = 3;
    bytes.len() - exclude::behind_prefixes(bytes).count() > PREFIXES
}

/// Tells whether bytes are a move of a control register that does not decode: to AMD's, LOCK before
/// CR0 makes it CR8.
fn is_locked_control(bytes: &[u8]) -> bool {
    let mut bytes = exclude::behind_prefixes(bytes);
    bytes.next() == Some(&0x0F) && matches!(bytes.next(), Some(0x20 | 0x22))
}

/// Tells whether an instruction is LOOPE or LOOPNE with a prefix of repetition: to AMD's, the prefix
/// says on which ZF.
fn is_repeated_loop(insn: &Instruction, bytes: &[u8]) -> bool {
    let loops = [
        Code::Loope_rel8_16_CX,
        Code::Loope_rel8_32_CX,
        Code::Loope_rel8_16_ECX,
        Code::Loope_rel8_32_ECX,
        Code::Loopne_rel8_16_CX,
        Code::Loopne_rel8_32_CX,
        Code::Loopne_rel8_16_ECX,
        Code::Loopne_rel8_32_ECX,
    ];
    let repeats = |byte: &u8| matches!(byte, 0xF2 | 0xF3);
    // The last two bytes are opcode and distance.
    let prefixes = insn.len().saturating_sub(2);
    loops.contains(&insn.code()) && bytes.iter().take(prefixes).any(repeats)
}

/// Tells whether an instruction of the x87 stores to memory and may raise an exception: if the place
/// faults as well, AMD's raise the page fault.
fn may_except_at_store(insn: &Instruction, registers: &Registers) -> bool {
    /// The bits of the control word that mask exceptions.
    const MASKS: u16 = 0x3F;
    let stores = matches!(
        insn.mnemonic(),
        Mnemonic::Fst
            | Mnemonic::Fstp
            | Mnemonic::Fist
            | Mnemonic::Fistp
            | Mnemonic::Fisttp
            | Mnemonic::Fbstp
    );
    stores && insn.op0_kind() == OpKind::Memory && registers.fpu().control() & MASKS != MASKS
}

/// Tells whether repetitions of a string instruction may store over the instruction: when a processor
/// notices that depends on how many it makes at once.
fn overwrites_itself(insn: &Instruction, registers: &Registers) -> bool {
    let is_repeated = insn.has_rep_prefix() || insn.has_repne_prefix();
    let element = match insn.mnemonic() {
        Mnemonic::Stosb | Mnemonic::Movsb => 1_u64,
        Mnemonic::Stosw | Mnemonic::Movsw => 2,
        Mnemonic::Stosd | Mnemonic::Movsd if insn.is_string_instruction() => 4,
        _ => return false,
    };
    if !is_repeated {
        return false;
    }
    let first = u64::from(registers.gpr(Reg::Edi));
    let stored = element * u64::from(registers.gpr(Reg::Ecx));
    let (start, end) = if registers.eflags().contains(Eflags::DIRECTION) {
        ((first + element).saturating_sub(stored), first + element)
    } else {
        (first, first + stored)
    };
    start < insn.next_ip() && insn.ip() < end
}
