//! The instructions that rows name, as code. Their memory operand is at EBX.

use pagefault_cpu::Reg;
use pagefault_mmu::Privilege;

use crate::golden::mmu::program::{Program, stack_top};

/// EAX and EDX before the instruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inputs {
    pub(super) eax: u32,
    pub(super) edx: u32,
}

impl Inputs {
    /// What the registers hold where a row does not say.
    pub(super) const DEFAULT: Self = Self {
        eax: 0x1122_3344,
        edx: 0x5566_7788,
    };
}

/// The prefix of names of locked instructions, and the prefix byte.
const LOCK_NAME: &str = "lk";
const LOCK: u8 = 0xF0;

/// Name and code of the instructions with one memory operand.
const INSTRUCTIONS: [(&str, &[u8]); 29] = [
    ("rd8", &[0x8A, 0x03]),
    ("rd16", &[0x66, 0x8B, 0x03]),
    ("rd32", &[0x8B, 0x03]),
    ("wr8", &[0x88, 0x03]),
    ("wr16", &[0x66, 0x89, 0x03]),
    ("wr32", &[0x89, 0x03]),
    // An MOVNTI, whatever its name.
    ("movntdq", &[0x0F, 0xC3, 0x03]),
    ("mov_imm", &[0xC7, 0x03, 0x78, 0x56, 0x34, 0x12]),
    ("addrm", &[0x03, 0x03]),
    ("cmp32", &[0x39, 0x03]),
    ("test32", &[0x85, 0x03]),
    ("bt32", &[0x0F, 0xA3, 0x03]),
    ("bts32", &[0x0F, 0xAB, 0x03]),
    ("add32", &[0x01, 0x03]),
    ("and32", &[0x21, 0x03]),
    ("or0", &[0x83, 0x0B, 0x00]),
    ("shl0", &[0xB1, 0x00, 0xD3, 0x23]),
    ("inc", &[0xFF, 0x03]),
    ("inc32", &[0xFF, 0x03]),
    ("xchg32", &[0x87, 0x03]),
    ("xadd32", &[0x0F, 0xC1, 0x03]),
    ("cmpxchg32", &[0x0F, 0xB1, 0x13]),
    ("cmpxchg32eq", &[0x0F, 0xB1, 0x13]),
    ("cmpxchg8b", &CMPXCHG8B),
    ("cmpxchg8beq", &CMPXCHG8B),
    ("setnz8", &[0x0F, 0x95, 0x03]),
    ("pushm", &[0xFF, 0x33]),
    ("popm", &[0x8F, 0x03]),
    ("sgdtm", &[0x0F, 0x01, 0x03]),
];

/// PUSH EBX; MOV EDI, EBX; MOV EBX, 11111111h; MOV ECX, 22222222h; CMPXCHG8B \[EDI]; POP EBX.
const CMPXCHG8B: [u8; 17] = [
    0x53, 0x8B, 0xFB, 0xBB, 0x11, 0x11, 0x11, 0x11, 0xB9, 0x22, 0x22, 0x22, 0x22, 0x0F, 0xC7, 0x0F,
    0x5B,
];

/// Returns the program of a row whose memory operand is at `addr`, with a stack of `stack_pages`;
/// `None` if this is no instruction that the runner knows.
pub(super) fn program(
    name: &str,
    privilege: Privilege,
    addr: u32,
    inputs: Inputs,
    stack_pages: u32,
) -> Option<Program> {
    let (lock, plain) = match name.strip_prefix(LOCK_NAME) {
        Some(plain) => (Some(LOCK), plain),
        None => (None, name),
    };
    let (_, code) = INSTRUCTIONS.iter().find(|(known, _)| *known == plain)?;
    let code: Vec<u8> = lock.iter().chain(*code).copied().collect();
    let program = Program::new(privilege, &code)
        .with(Reg::Eax, inputs.eax)
        .with(Reg::Edx, inputs.edx)
        .with(Reg::Ebx, addr)
        .with(Reg::Esp, stack_top(privilege, stack_pages));
    Some(program)
}
