//! Any bytes as instructions, in any state of the processor: a run in pieces is the run in one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pagefault_cpu::{
    Descriptor, Eflags, Exit, NoObserver, Reg, Registers, Segment, SegmentRegister, Selector,
};
use pagefault_fuzz::bytes::Bytes;
use pagefault_mmu::{FrameNumber, Geometry, MmuConfig, Policy, TlbConfig};

#[allow(dead_code, reason = "the tests of the processor use more of it")]
#[path = "../../crates/cpu/tests/behaviour/machine.rs"]
mod machine;

use machine::{CODE, DATA, Machine, Random, STACK_TOP};

/// Instructions of a run.
const BUDGET: u64 = 400;
/// The bytes of code that are taken.
const MAX_CODE_BYTES: usize = 256;
/// The bits of MXCSR, which FXRSTOR takes.
const MXCSR: std::ops::Range<usize> = 24..28;
const MXCSR_BITS: [u8; 4] = [0xFF, 0xFF, 0, 0];
/// A code segment of ring 0, flat.
const RING_0: Segment = Segment::new(Selector::new(0x08), Descriptor::FLAT_CODE);

/// What an input says of a run.
struct Start<'a> {
    kind: u8,
    flags: Eflags,
    registers: [u32; Reg::ALL.len()],
    extended: [u8; Registers::EXTENDED_BYTES],
    piece: u64,
    code: &'a [u8],
}

fuzz_target!(|data: &[u8]| {
    let start = Start::new(data);
    let mut whole = start.machine();
    let expected = whole.run(BUDGET);

    let mut pieces = start.machine();
    let mut exit = Exit::Budget;
    while exit == Exit::Budget && pieces.cpu.instructions() < BUDGET {
        let left = BUDGET - pieces.cpu.instructions();
        exit = pieces.run(start.piece.min(left));
    }

    assert_eq!(exit, expected);
    assert!(whole.cpu.instructions() <= BUDGET);
    assert_eq!(pieces.cpu.instructions(), whole.cpu.instructions());
    assert_eq!(pieces.cpu.registers(), whole.cpu.registers());
    assert_eq!(pieces.mmu.statistics(), whole.mmu.statistics());
    let [kept, entries] =
        [&pieces, &whole].map(|machine| machine.mmu.tlb_entries().collect::<Vec<_>>());
    assert_eq!(kept, entries);
    for frame in (0..whole.mmu.mem().frame_count()).filter_map(FrameNumber::new) {
        assert_eq!(pieces.mmu.mem().frame(frame), whole.mmu.mem().frame(frame));
    }
});

impl<'a> Start<'a> {
    fn new(data: &'a [u8]) -> Self {
        let mut bytes = Bytes::new(data);
        let kind = bytes.byte();
        let flags = Eflags::from_bits_truncate(bytes.dword());
        let registers = Reg::ALL.map(|_| value(bytes.byte()));
        let piece = u64::from(bytes.byte()).max(1);
        let mut random = Random(u64::from(bytes.byte()) + 1);
        let mut extended = [0; Registers::EXTENDED_BYTES];
        extended.fill_with(|| random.next().to_le_bytes()[7]);
        for (byte, bits) in extended[MXCSR].iter_mut().zip(MXCSR_BITS) {
            *byte &= bits;
        }
        let code = bytes.rest();
        let code = &code[..code.len().min(MAX_CODE_BYTES)];
        Self {
            kind,
            flags,
            registers,
            extended,
            piece,
            code,
        }
    }

    fn machine(&self) -> Machine<NoObserver> {
        let tlb = TlbConfig::unified(Geometry::new(4, 4, Policy::Lru).expect("four ways in a set"));
        let config = MmuConfig {
            tlb,
            ..MmuConfig::default()
        };
        let mut machine = Machine::with_config(NoObserver, &config);
        // Some of it straddles the page boundary.
        let at = if self.kind & 1 == 0 {
            CODE
        } else {
            CODE + 0xFF0
        };
        machine.load(at, self.code);
        let registers = machine.cpu.registers_mut();
        for (reg, value) in Reg::ALL.into_iter().zip(self.registers) {
            registers.set_gpr(reg, value);
        }
        if self.kind & 2 == 0 {
            registers.set_gpr(Reg::Esp, STACK_TOP - 0x100);
        }
        if self.kind & 4 != 0 {
            let loaded = registers.load_extended_image(&self.extended);
            loaded.expect("MXCSR has only bits that there are");
        }
        if self.kind & 8 != 0 {
            registers.set_segment(SegmentRegister::Cs, RING_0);
        }
        if self.kind & 16 != 0 {
            registers.set_eflags(self.flags);
        }
        machine
    }
}

/// Returns the value that a byte stands for: mostly an address.
fn value(choice: u8) -> u32 {
    let low = u32::from(choice & 0x0F);
    match choice >> 4 {
        0 => low,
        1..=5 => DATA + low * 0x111,
        6 => DATA + 0x0FF8 + low,
        7 => DATA + 0x3FF8 + low,
        8 => CODE + low * 8,
        9 => CODE + 0xFF8 + low,
        10 => STACK_TOP - low * 4,
        11 => 1 << low,
        12 => 0x1_0000 << low,
        13 => low.wrapping_neg(),
        14 => 0x7FFF_FFF8 + low,
        _ => 0xFFFF_F000 + low * 0x100,
    }
}
