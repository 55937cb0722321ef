//! What is not compared, and why.

use iced_x86::{
    Code, CpuidFeature, Instruction, InstructionInfoFactory, MemorySize, Mnemonic, OpKind,
    Register, RflagsBits,
};
use pagefault_cpu::{Eflags, Exception, Reg, Registers, SegmentRegister, Vector};

/// Why a run ends in front of an instruction.
///
/// A breakpoint takes the instruction's place, and the rest of the run is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Excluded {
    /// `int 80h`, SYSENTER, SYSCALL and their returns: the kernel would act on them.
    SystemCall,
    /// CPUID, RDTSC, RDPMC: each processor answers in its own way, and the interpreter's answers are
    /// its documented choice (`cpuid` and `rdtsc` in `docs/QUIRKS.md`).
    Identity,
    /// Loads of segment registers, far transfers, LAR, LSL, VERR, VERW: what selectors refer to is the
    /// kernel's affair. SGDT, SIDT, SLDT, SMSW, STR: the kernel emulates them, with answers of its own
    /// (`system-tables` in `docs/QUIRKS.md`).
    Segments,
    /// Sets of instructions that the interpreter does not claim, which are undefined to it, or that
    /// this processor lacks.
    NewerSet,
    /// Encodings without a meaning to the decoder in the places where processors get new
    /// instructions: VEX, EVEX, XOP, 3DNow!, and the opcodes 0F 01, 0F 18 to 0F 1F, 0F 38, 0F 3A,
    /// 0F A6, 0F A7, 0F AE and 0F C7.
    Unassigned,
    /// Results that the manual leaves undefined: BSWAP of 16 bits, SHLD and SHRD of 16 bits by more
    /// than 16.
    UndefinedResult,
    /// RCPPS and RSQRTPS and their scalar forms, of which only an error is promised; FSIN, FCOS,
    /// FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X and FYL2XP1, whose last bit differs between processors
    /// (`x87-functions` in `docs/QUIRKS.md`).
    Approximate,
    /// FNSTENV, FNSAVE and FXSAVE, which store the last x87 instruction's address, operand and opcode
    /// (`x87-pointers` in `docs/QUIRKS.md`).
    Pointers,
    /// An instruction that depends on a flag or a condition code which an instruction before it left
    /// undefined.
    ReadsUndefined,
    /// PUSHA, POPA, ENTER, FLDENV, FRSTOR, FXRSTOR, FBSTP and FSTP of 80 bits when they fault, and
    /// instructions with MMX registers when they do, but for #MF: how far they have come, and which
    /// byte they name, differs between processors (`whole-or-nothing` in `docs/QUIRKS.md`).
    Partial,
    /// MASKMOVQ and MASKMOVDQU where not all bytes can be written, with the alignment check or through
    /// CS, FS and GS: whether bytes that the mask leaves out fault is the processor's affair
    /// (`masked-stores` in `docs/QUIRKS.md`).
    MaskedStore,
    /// MOVUPS, MOVUPD and MOVDQU with the alignment check: whether they mind is the processor's affair.
    Alignment,
    /// An access across the last byte of a segment of 4 GiB: it may fault or wrap around (SDM Vol. 3A,
    /// "Limit Checking").
    SegmentEnd,
    /// A locked access across two lines of the cache: systems slow a process down for it, or end it.
    SplitLock,
    /// An encoding without meaning right before a page that is not there: how many of its bytes a
    /// processor fetches before it finds that out differs.
    AtEdge,
    /// Where AMD's processors go another way than Intel's, unless this is one of Intel's: PUSH of a
    /// segment register in 32 bits, the forms of PREFETCH with registers, INT1, BOUND, loads of MXCSR, LOCK
    /// before MOV of a control register, encodings without a meaning behind many prefixes or at the end of
    /// a page, LOOPE and LOOPNE with a prefix of repetition, CMPS and SCAS that fault, stores of the x87
    /// with exceptions unmasked, and repetitions that store over themselves (`intel` in `docs/QUIRKS.md`).
    Vendor,
    /// A touch of the memory of the native side's own program.
    OwnMemory,
    /// More instructions than a run may have: most likely a loop.
    TooLong,
    /// An instruction that the interpreter has no handler for. Those are tested elsewhere.
    Unsupported,
}

/// The sets that the interpreter claims.
const CLAIMED: [CpuidFeature; 22] = [
    CpuidFeature::INTEL8086,
    CpuidFeature::INTEL186,
    CpuidFeature::INTEL286,
    CpuidFeature::INTEL386,
    CpuidFeature::INTEL486,
    CpuidFeature::FPU,
    CpuidFeature::FPU287,
    CpuidFeature::FPU387,
    CpuidFeature::CMOV,
    CpuidFeature::CX8,
    CpuidFeature::MSR,
    CpuidFeature::MMX,
    CpuidFeature::SSE,
    CpuidFeature::SSE2,
    CpuidFeature::FXSR,
    CpuidFeature::CLFSH,
    CpuidFeature::PAUSE,
    CpuidFeature::MULTIBYTENOP,
    CpuidFeature::POPCNT,
    CpuidFeature::LZCNT,
    CpuidFeature::BMI1,
    CpuidFeature::MOVBE,
];

/// Returns why no instruction of this form is run.
pub(super) fn by_form(insn: &Instruction, bytes: &[u8]) -> Option<Excluded> {
    if insn.is_invalid() {
        return is_unassigned(bytes).then_some(Excluded::Unassigned);
    }
    if let Some(reason) = by_mnemonic(insn) {
        return Some(reason);
    }
    let loads_segment = insn.op_count() > 0
        && insn.op0_kind() == OpKind::Register
        && insn.op0_register().is_segment_register()
        && insn.mnemonic() != Mnemonic::Push;
    if loads_segment {
        return Some(Excluded::Segments);
    }
    let is_claimed = |feature: &CpuidFeature| CLAIMED.contains(feature) && has(*feature);
    let claimed = insn.code().cpuid_features().iter().all(is_claimed);
    (!claimed).then_some(Excluded::NewerSet)
}

fn by_mnemonic(insn: &Instruction) -> Option<Excluded> {
    /// The vector of system calls.
    const SYSTEM_CALL: u8 = 0x80;
    Some(match insn.mnemonic() {
        Mnemonic::Int if insn.immediate8() == SYSTEM_CALL => Excluded::SystemCall,
        Mnemonic::Sysenter | Mnemonic::Sysexit | Mnemonic::Syscall | Mnemonic::Sysret => {
            Excluded::SystemCall
        }
        Mnemonic::Cpuid | Mnemonic::Rdtsc | Mnemonic::Rdpmc => Excluded::Identity,
        Mnemonic::Lds
        | Mnemonic::Les
        | Mnemonic::Lss
        | Mnemonic::Lfs
        | Mnemonic::Lgs
        | Mnemonic::Retf
        | Mnemonic::Iret
        | Mnemonic::Iretd
        | Mnemonic::Lar
        | Mnemonic::Lsl
        | Mnemonic::Verr
        | Mnemonic::Verw
        | Mnemonic::Sgdt
        | Mnemonic::Sidt
        | Mnemonic::Sldt
        | Mnemonic::Smsw
        | Mnemonic::Str => Excluded::Segments,
        Mnemonic::Call | Mnemonic::Jmp if is_far(insn) => Excluded::Segments,
        Mnemonic::Rcpps
        | Mnemonic::Rcpss
        | Mnemonic::Rsqrtps
        | Mnemonic::Rsqrtss
        | Mnemonic::Fsin
        | Mnemonic::Fcos
        | Mnemonic::Fsincos
        | Mnemonic::Fptan
        | Mnemonic::Fpatan
        | Mnemonic::F2xm1
        | Mnemonic::Fyl2x
        | Mnemonic::Fyl2xp1 => Excluded::Approximate,
        Mnemonic::Fnstenv | Mnemonic::Fnsave | Mnemonic::Fxsave => Excluded::Pointers,
        Mnemonic::Bswap if insn.code() == Code::Bswap_r16 => Excluded::UndefinedResult,
        _ => return None,
    })
}

fn is_far(insn: &Instruction) -> bool {
    insn.is_call_far()
        || insn.is_call_far_indirect()
        || insn.is_jmp_far()
        || insn.is_jmp_far_indirect()
}

/// Tells whether this processor has a set that is not part of every one.
fn has(feature: CpuidFeature) -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    match feature {
        CpuidFeature::POPCNT => return is_x86_feature_detected!("popcnt"),
        CpuidFeature::LZCNT => return is_x86_feature_detected!("lzcnt"),
        CpuidFeature::BMI1 => return is_x86_feature_detected!("bmi1"),
        CpuidFeature::MOVBE => return is_x86_feature_detected!("movbe"),
        _ => {}
    }
    // All others are as old as SSE2, which 64-bit processors have.
    _ = feature;
    true
}

/// Tells whether bytes that do not decode are in a place for new instructions.
fn is_unassigned(bytes: &[u8]) -> bool {
    let mut bytes = behind_prefixes(bytes);
    match bytes.next() {
        Some(0x62 | 0x8F | 0xC4 | 0xC5 | 0xD5) => true,
        Some(0x0F) => matches!(
            bytes.next(),
            Some(
                0x01
                | 0x0E
                | 0x0F
                | 0x18..=0x1F
                | 0x24..=0x27
                | 0x36..=0x3F
                | 0xA6
                | 0xA7
                | 0xAE
                | 0xC7,
            )
        ),
        _ => false,
    }
}

/// Returns the bytes behind the prefixes.
pub(super) fn behind_prefixes(bytes: &[u8]) -> impl Iterator<Item = &u8> {
    const PREFIXES: [u8; 11] = [
        0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65,
    ];
    bytes.iter().skip_while(|byte| PREFIXES.contains(byte))
}

/// Returns why an instruction is not run with registers as they are.
pub(super) fn by_operands(insn: &Instruction, registers: &Registers) -> Option<Excluded> {
    /// The bits of a count.
    const COUNT: u32 = 0x1F;
    let count = match insn.code() {
        Code::Shld_rm16_r16_CL | Code::Shrd_rm16_r16_CL => registers.gpr(Reg::Ecx) & COUNT,
        Code::Shld_rm16_r16_imm8 | Code::Shrd_rm16_r16_imm8 => u32::from(insn.immediate8()) & COUNT,
        _ => 0,
    };
    if count > u16::BITS {
        return Some(Excluded::UndefinedResult);
    }
    let is_unaligned_move = matches!(
        insn.mnemonic(),
        Mnemonic::Movups | Mnemonic::Movupd | Mnemonic::Movdqu
    );
    if is_unaligned_move && registers.eflags().contains(Eflags::ALIGNMENT_CHECK) {
        return Some(Excluded::Alignment);
    }
    if accesses(insn, registers).any(|(_, offset, len)| offset + len > 1 << u32::BITS) {
        return Some(Excluded::SegmentEnd);
    }
    let is_split =
        |(base, offset, len): (u64, u64, u64)| (base + offset) % LINE_BYTES + len > LINE_BYTES;
    let splits = is_locked(insn) && accesses(insn, registers).any(is_split);
    splits.then_some(Excluded::SplitLock)
}

/// Returns how far a bit in a register moves the operand of a bit instruction, in bytes.
fn bit_distance(insn: &Instruction, registers: &Registers) -> u64 {
    let is_bit_string = matches!(
        insn.mnemonic(),
        Mnemonic::Bt | Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc
    );
    if !is_bit_string || insn.op1_kind() != OpKind::Register {
        return 0;
    }
    let register = insn.op1_register();
    let number = u8::try_from(register.number()).unwrap_or(0);
    let bit = registers.gpr(Reg::from_low_bits(number)).cast_signed();
    let units = if register.is_gpr16() {
        (bit << 16 >> 16 >> 4) * 2
    } else {
        (bit >> 5) * 4
    };
    i64::from(units).cast_unsigned()
}

/// Bytes of a line of the cache.
const LINE_BYTES: u64 = 64;

/// Tells whether an instruction locks the bus.
fn is_locked(insn: &Instruction) -> bool {
    insn.has_lock_prefix() || insn.mnemonic() == Mnemonic::Xchg
}

/// Returns the base of the segment, the offset and the size of all that an instruction accesses.
fn accesses(
    insn: &Instruction,
    registers: &Registers,
) -> impl Iterator<Item = (u64, u64, u64)> + use<> {
    let value = |register: Register, _, _| {
        let number = u8::try_from(register.number()).ok()?;
        let value = registers.gpr(Reg::from_low_bits(number));
        match register {
            Register::AL => Some(u64::from(value & 0xFF)),
            _ if register.is_gpr16() => Some(u64::from(value & 0xFFFF)),
            _ if register.is_gpr32() => Some(u64::from(value)),
            // Segments count from their beginning.
            _ => Some(0),
        }
    };
    let mut factory = InstructionInfoFactory::new();
    let used = factory.info(insn).used_memory().iter();
    let accesses = used.map(|memory| {
        let base = match memory.segment() {
            Register::FS => registers.segment(SegmentRegister::Fs).base().bits(),
            Register::GS => registers.segment(SegmentRegister::Gs).base().bits(),
            _ => 0,
        };
        let offset = memory.virtual_address(0, value).unwrap_or(0);
        let offset = offset.wrapping_add(bit_distance(insn, registers)) & u64::from(u32::MAX);
        // How much a repetition accesses is unknown; its first access is one element.
        let size = match memory.memory_size() {
            MemorySize::Unknown => insn.memory_size(),
            size => size,
        };
        let len = size.size() as u64;
        (u64::from(base), offset, len)
    });
    accesses.collect::<Vec<_>>().into_iter()
}

/// Returns whether an instruction that ends with an exception may have done a part of its work.
pub(super) fn is_partial(insn: &Instruction, exception: &Exception) -> bool {
    let is_late = [
        Vector::PAGE,
        Vector::ALIGNMENT,
        Vector::GENERAL_PROTECTION,
        Vector::SIMD,
    ]
    .contains(&exception.vector);
    let has_many = matches!(
        insn.mnemonic(),
        Mnemonic::Pusha | Mnemonic::Pushad | Mnemonic::Popa | Mnemonic::Popad | Mnemonic::Enter
    ) || matches!(
        insn.mnemonic(),
        Mnemonic::Fldenv | Mnemonic::Frstor | Mnemonic::Fxrstor | Mnemonic::Fbstp
    ) || insn.code() == Code::Fstp_m80fp;
    let is_mmx = (0..insn.op_count()).any(|index| insn.op_register(index).is_mm());
    is_late && (has_many || is_mmx)
}

/// Tells whether an instruction stores bytes that a mask chooses.
pub(super) fn is_masked_store(insn: &Instruction) -> bool {
    matches!(insn.mnemonic(), Mnemonic::Maskmovq | Mnemonic::Maskmovdqu)
}

/// The flags and condition codes that the manual leaves undefined, in the notation of iced-x86.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Undefined(u32);

impl Undefined {
    /// Tells whether an instruction depends on one of them.
    pub(super) fn is_read_by(self, insn: &Instruction) -> bool {
        let mut read = insn.rflags_read();
        if matches!(insn.mnemonic(), Mnemonic::Fnstsw | Mnemonic::Fstsw) {
            read |= CONDITIONS;
        }
        self.0 & read != 0
    }

    /// Takes over what an instruction leaves, which began with these registers.
    pub(super) fn step(&mut self, insn: &Instruction, registers: &Registers) {
        let defined = insn.rflags_modified() & !insn.rflags_undefined();
        if always_writes(insn) {
            self.0 &= !defined;
        }
        self.0 |= insn.rflags_undefined()
            | undefined_carry(insn, registers)
            | undefined_overflow(insn, registers);
    }

    /// Returns the bits of EFLAGS.
    pub(super) fn eflags(self) -> u32 {
        translated(self.0, &FLAGS)
    }

    /// Returns the bits of the x87 status word.
    pub(super) fn status(self) -> u16 {
        let bits = translated(self.0, &CODES);
        u16::try_from(bits).expect("the status word has 16 bits")
    }
}

const CONDITIONS: u32 = RflagsBits::C0 | RflagsBits::C1 | RflagsBits::C2 | RflagsBits::C3;

const FLAGS: [(u32, u32); 6] = [
    (RflagsBits::CF, 1 << 0),
    (RflagsBits::PF, 1 << 2),
    (RflagsBits::AF, 1 << 4),
    (RflagsBits::ZF, 1 << 6),
    (RflagsBits::SF, 1 << 7),
    (RflagsBits::OF, 1 << 11),
];

const CODES: [(u32, u32); 4] = [
    (RflagsBits::C0, 1 << 8),
    (RflagsBits::C1, 1 << 9),
    (RflagsBits::C2, 1 << 10),
    (RflagsBits::C3, 1 << 14),
];

fn translated(bits: u32, table: &[(u32, u32)]) -> u32 {
    let set = table.iter().filter(|(bit, _)| bits & bit != 0);
    set.fold(0, |all, (_, bit)| all | bit)
}

/// Tells whether an instruction writes its flags whatever its operands are: shifts by nothing and
/// repetitions of nothing do not.
fn always_writes(insn: &Instruction) -> bool {
    let is_shift = matches!(
        insn.mnemonic(),
        Mnemonic::Shl
            | Mnemonic::Sal
            | Mnemonic::Shr
            | Mnemonic::Sar
            | Mnemonic::Rol
            | Mnemonic::Ror
            | Mnemonic::Rcl
            | Mnemonic::Rcr
            | Mnemonic::Shld
            | Mnemonic::Shrd
    );
    !is_shift
        && !keeps_c1(insn)
        && !(insn.is_string_instruction() && (insn.has_rep_prefix() || insn.has_repne_prefix()))
}

/// Tells whether an instruction leaves C1 as it was, other than the manual says.
fn keeps_c1(insn: &Instruction) -> bool {
    let compares = matches!(
        insn.mnemonic(),
        Mnemonic::Fcomi | Mnemonic::Fcomip | Mnemonic::Fucomi | Mnemonic::Fucomip
    );
    let moves = matches!(
        insn.mnemonic(),
        Mnemonic::Fcmovb
            | Mnemonic::Fcmove
            | Mnemonic::Fcmovbe
            | Mnemonic::Fcmovu
            | Mnemonic::Fcmovnb
            | Mnemonic::Fcmovne
            | Mnemonic::Fcmovnbe
            | Mnemonic::Fcmovnu
    );
    compares || moves
}

/// Returns CF if an instruction shifts an operand out as a whole (SDM Vol. 2, "SAL/SAR/SHL/SHR").
fn undefined_carry(insn: &Instruction, registers: &Registers) -> u32 {
    if !matches!(
        insn.mnemonic(),
        Mnemonic::Shl | Mnemonic::Sal | Mnemonic::Shr
    ) {
        return 0;
    }
    let is_out = shift_count(insn, registers) >= operand_bytes(insn) * 8;
    if is_out { RflagsBits::CF } else { 0 }
}

/// Returns OF if an instruction rotates an operand and CF all the way round: by more than 1, but CF
/// comes out as it was (SDM Vol. 2, "RCL/RCR/ROL/ROR").
fn undefined_overflow(insn: &Instruction, registers: &Registers) -> u32 {
    if !matches!(insn.mnemonic(), Mnemonic::Rcl | Mnemonic::Rcr) {
        return 0;
    }
    let bits = operand_bytes(insn) * 8 + 1;
    let count = shift_count(insn, registers);
    let is_round = count != 0 && count.is_multiple_of(bits);
    if is_round { RflagsBits::OF } else { 0 }
}

/// Returns by how much an instruction shifts or rotates, before what it shifts limits that.
fn shift_count(insn: &Instruction, registers: &Registers) -> usize {
    const COUNT: u32 = 0x1F;
    let count = match insn.op1_kind() {
        OpKind::Immediate8 => u32::from(insn.immediate8()),
        OpKind::Register if insn.op1_register() == Register::CL => registers.gpr(Reg::Ecx),
        _ => 1,
    };
    (count & COUNT) as usize
}

/// Returns the size of the operand that an instruction changes.
fn operand_bytes(insn: &Instruction) -> usize {
    match insn.op0_kind() {
        OpKind::Register => insn.op0_register().size(),
        _ => insn.memory_size().size(),
    }
}
