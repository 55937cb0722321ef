//! Which instructions of the 386 to SSE2 sets have no handler.

use std::collections::BTreeMap;

use crate::machine::{CODE, DATA, Machine, STACK_TOP};
use iced_x86::{Code, CpuidFeature, Decoder, DecoderOptions};
use pagefault_cpu::{Exit, NoObserver, Reg, Registers};

/// The sets that programs for a Pentium 4 use.
const FEATURES: [CpuidFeature; 24] = [
    CpuidFeature::INTEL8086,
    CpuidFeature::INTEL186,
    CpuidFeature::INTEL286,
    CpuidFeature::INTEL386,
    CpuidFeature::INTEL486,
    CpuidFeature::FPU,
    CpuidFeature::FPU287,
    CpuidFeature::FPU387,
    CpuidFeature::CMOV,
    CpuidFeature::CPUID,
    CpuidFeature::CX8,
    CpuidFeature::TSC,
    CpuidFeature::MSR,
    CpuidFeature::MMX,
    CpuidFeature::SSE,
    CpuidFeature::SSE2,
    CpuidFeature::FXSR,
    CpuidFeature::SEP,
    CpuidFeature::CLFSH,
    CpuidFeature::PAUSE,
    CpuidFeature::MULTIBYTENOP,
    CpuidFeature::POPCNT,
    CpuidFeature::LZCNT,
    CpuidFeature::MOVBE,
];

#[test]
fn every_user_mode_instruction_up_to_sse2_has_a_handler() {
    let mut unsupported = Vec::new();
    let encodings = encodings();

    for (code, bytes) in &encodings {
        let mut machine = Machine::new(NoObserver);
        *machine.cpu.registers_mut() = Registers::new();
        machine.load(CODE, bytes);
        let registers = machine.cpu.registers_mut();
        for reg in Reg::ALL {
            registers.set_gpr(reg, DATA + 0x1000);
        }
        registers.set_gpr(Reg::Esp, STACK_TOP - 0x100);
        if matches!(machine.run(1), Exit::Unsupported(_)) {
            unsupported.push(*code);
        }
    }

    assert!(encodings.len() > 1000, "only {} forms", encodings.len());
    assert_eq!(unsupported, []);
}

/// Returns one encoding of each form that a 32-bit decoder knows, with a memory operand where the
/// form takes one.
fn encodings() -> BTreeMap<Code, [u8; 15]> {
    let mut found = BTreeMap::new();
    for prefixes in [&[][..], &[0x66], &[0xF2], &[0xF3], &[0x67], &[0x66, 0x67]] {
        for escape in [&[][..], &[0x0F], &[0x0F, 0x38], &[0x0F, 0x3A]] {
            for opcode in 0..=u8::MAX {
                for modrm in 0..=u8::MAX {
                    let mut bytes = [0; 15];
                    let parts = [prefixes, escape, &[opcode, modrm]].concat();
                    bytes[..parts.len()].copy_from_slice(&parts);
                    let insn = Decoder::new(32, &bytes, DecoderOptions::NONE).decode();
                    let sets = insn.code().cpuid_features();
                    if !insn.is_invalid() && sets.iter().all(|set| FEATURES.contains(set)) {
                        found.entry(insn.code()).or_insert(bytes);
                    }
                }
            }
        }
    }
    found
}
