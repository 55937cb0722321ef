//! The memory that the decoder's instruction descriptions name is the memory that is touched.

use std::collections::{BTreeMap, BTreeSet};

use crate::machine::{CODE, DATA, Machine, Random};
use iced_x86::{
    Code, Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess,
    Register,
};
use pagefault_cpu::{Eflags, Exit, Observer, Reg, Registers};
use pagefault_mmu::{AccessKind, LinearAddr};

const ENCODINGS: u32 = 1_000_000;
/// Forms that have to be seen for the comparison to mean anything.
const FORMS: usize = 900;

#[test]
fn every_instruction_touches_the_memory_that_it_is_described_to_use() {
    let mut machine = Machine::new(Recorder::default());
    let mut factory = InstructionInfoFactory::new();
    let mut random = Random(0x0DDB_1A5E_5BAD_5EED);
    let mut seen: BTreeMap<Code, u32> = BTreeMap::new();

    for _ in 0..ENCODINGS {
        let mut code = [0; 16];
        code[..8].copy_from_slice(&random.next().to_le_bytes());
        code[8..].copy_from_slice(&random.next().to_le_bytes());
        // Half of all opcodes have an escape byte, and most of those a mandatory prefix.
        match random.next() % 8 {
            0 => code[0] = 0x0F,
            1 => code[..2].copy_from_slice(&[0x66, 0x0F]),
            2 => code[..2].copy_from_slice(&[0xF2, 0x0F]),
            3 => code[..2].copy_from_slice(&[0xF3, 0x0F]),
            _ => {}
        }
        let insn = Decoder::with_ip(32, &code, u64::from(CODE), DecoderOptions::NONE).decode();
        if insn.is_invalid() || is_exempt(&insn) {
            continue;
        }
        *machine.cpu.registers_mut() = Registers::new();
        machine.load(CODE, &code);
        machine.cpu.registers_mut().set_eflags(Eflags::INTERRUPT);
        for reg in Reg::ALL {
            let near_data = DATA + 0x1000 + (random.next_u32() & 0x1FF0);
            machine.cpu.registers_mut().set_gpr(reg, near_data);
        }
        let expected = described(&insn, &mut factory, &machine);
        machine.observer.accesses.clear();

        let exit = machine.run(1);

        if exit == Exit::Budget {
            assert_eq!(machine.observer.accesses, expected, "{insn} {code:02x?}");
            *seen.entry(insn.code()).or_default() += 1;
        }
    }

    assert!(
        seen.len() >= FORMS,
        "only {} forms were compared",
        seen.len()
    );
}

/// Instructions whose description is not exact.
fn is_exempt(insn: &Instruction) -> bool {
    // One entry of unknown size for all iterations.
    let is_repeated = insn.has_rep_prefix() || insn.has_repne_prefix();
    // Only the frame pointer's push is described; ours also probes the new top, which moves nothing.
    let is_enter = insn.mnemonic() == Mnemonic::Enter;
    // The bit offset moves the address, which the description leaves out.
    let is_bit_string = matches!(
        insn.mnemonic(),
        Mnemonic::Bt | Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc
    );
    // The mask chooses the bytes.
    let is_masked = matches!(insn.mnemonic(), Mnemonic::Maskmovq | Mnemonic::Maskmovdqu);
    // Nothing is stored where the image is reserved, nor read there.
    let has_reserved_part = matches!(insn.mnemonic(), Mnemonic::Fxsave | Mnemonic::Fxrstor);
    // A selector load also reads a descriptor, which is not in memory here.
    let loads_segment = insn.op0_register().is_segment_register()
        || matches!(
            insn.mnemonic(),
            Mnemonic::Lds | Mnemonic::Les | Mnemonic::Lfs | Mnemonic::Lgs | Mnemonic::Lss
        );
    // Far transfers are described as one access of the whole pointer or frame.
    let is_far = insn.is_call_far()
        || insn.is_call_far_indirect()
        || insn.is_jmp_far()
        || insn.is_jmp_far_indirect()
        || matches!(
            insn.mnemonic(),
            Mnemonic::Retf | Mnemonic::Iret | Mnemonic::Iretd
        );
    // Of a selector 16 bits move, whatever the operand size.
    let moves_selector =
        matches!(insn.mnemonic(), Mnemonic::Push) && insn.op0_register().is_segment_register();
    // What does not change is not written.
    let is_arpl = insn.mnemonic() == Mnemonic::Arpl;
    is_repeated
        || is_arpl
        || is_enter
        || is_bit_string
        || is_masked
        || has_reserved_part
        || loads_segment
        || is_far
        || moves_selector
}

/// Returns the bytes that an instruction is described to read only, and to write.
fn described(
    insn: &Instruction,
    factory: &mut InstructionInfoFactory,
    machine: &Machine<Recorder>,
) -> Accesses {
    let mut accesses = Accesses::default();
    for memory in factory.info(insn).used_memory() {
        let address = memory.virtual_address(0, |register, _, _| {
            if register.is_segment_register() {
                return Some(0);
            }
            Some(u64::from(value_of(machine, register)))
        });
        let start = u32::try_from(address.unwrap()).unwrap();
        let len = u32::try_from(memory.memory_size().size()).unwrap();
        let kind = match memory.access() {
            OpAccess::Read | OpAccess::CondRead => AccessKind::Read,
            OpAccess::NoMemAccess | OpAccess::None => continue,
            _ => AccessKind::Write,
        };
        accesses.add(start, len, kind);
    }
    accesses
}

fn value_of(machine: &Machine<Recorder>, register: Register) -> u32 {
    let full = machine.reg(Reg::from_low_bits(
        u8::try_from(register.full_register32().number()).unwrap(),
    ));
    match register.size() {
        1 => full & 0xFF,
        2 => full & 0xFFFF,
        _ => full,
    }
}

/// The bytes touched. A byte that is read and written counts as written: it is one access.
#[derive(Debug, Default, PartialEq, Eq)]
struct Accesses {
    read: BTreeSet<u32>,
    written: BTreeSet<u32>,
}

impl Accesses {
    fn add(&mut self, start: u32, len: u32, kind: AccessKind) {
        for addr in (0..len).map(|offset| start.wrapping_add(offset)) {
            if kind == AccessKind::Write {
                self.written.insert(addr);
                self.read.remove(&addr);
            } else if !self.written.contains(&addr) {
                self.read.insert(addr);
            }
        }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

#[derive(Debug, Default)]
struct Recorder {
    accesses: Accesses,
}

impl Observer for Recorder {
    const ACCESSES: bool = true;

    fn access(&mut self, addr: LinearAddr, size_bytes: u32, kind: AccessKind) {
        self.accesses.add(addr.bits(), size_bytes, kind);
    }
}
