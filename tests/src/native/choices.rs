//! An input as choices, and the beginning of a case out of it.

use pagefault_cpu::{Eflags, Reg, Registers};

use super::case::Case;
use super::layout::{
    BREAKPOINT, CODE, DATA, DATA_BLOCK, FORBIDDEN, READ_ONLY, STACK_END, TEB, WINDOW, WINDOW_BYTES,
};
use super::values::{self, Random};
use pagefault_mmu::PAGE_SIZE;

/// The bytes that are left of an input. Where they have ended, every number is 0.
#[derive(Debug, Clone)]
pub(super) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    pub(super) fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    pub(super) fn dword(&mut self) -> u32 {
        u32::from(self.word()) | u32::from(self.word()) << 16
    }

    /// Takes a byte: whether it is among the first `part` of 256.
    pub(super) fn chance(&mut self, part: u8) -> bool {
        self.byte() < part
    }

    /// Takes a byte, which chooses one of these.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()]
    }

    /// Takes what a general register begins with, or what is loaded into one: mostly an address.
    pub(super) fn value(&mut self) -> u32 {
        const EDGES: [u32; 8] = [
            0,
            1,
            u32::MAX,
            0x7FFF_FFFF,
            0x8000_0000,
            0x7FFF,
            0x8000,
            0xFF80,
        ];
        match self.byte() % 8 {
            0..=2 => self.place(),
            3 => self.pick(&EDGES),
            4 => u32::from(self.byte()),
            5 => u32::from(self.byte()).wrapping_neg(),
            6 => 1 << (self.byte() % 32),
            _ => self.dword(),
        }
    }

    /// Takes an address: mostly one that can be read and written.
    pub(super) fn place(&mut self) -> u32 {
        let near = u32::from(self.byte());
        match self.byte() % 24 {
            0..=9 => DATA_BLOCK + (near & !0xF),
            10..=14 => DATA_BLOCK + near,
            15 => DATA + near * 16,
            16 => READ_ONLY + near * 8,
            17 => READ_ONLY - near % 16,
            18 => FORBIDDEN - near % 16,
            19 => TEB + near * 8,
            20 => TEB + PAGE_SIZE - near % 16,
            21 => STACK_END - near * 4,
            22 => CODE + PAGE_SIZE - 128 + near,
            _ => self.dword(),
        }
    }
}

/// Where a run starts: the address of the window of code, and the offset of EIP in it.
const STARTS: [(u32, u32); 6] = [
    (CODE + 0x100, 0),
    (CODE + 0x100, 0),
    (CODE + 0x100, 0),
    // The run crosses into the second page early.
    (CODE + PAGE_SIZE - 64, 50),
    (CODE + PAGE_SIZE - 128, 110),
    // Behind the window there is nothing.
    (CODE + 2 * PAGE_SIZE - WINDOW, 216),
];

/// Takes the beginning of a case; its code is all breakpoints.
pub(super) fn begin(choices: &mut Choices) -> Case {
    let mut random = Random::new(choices.dword());
    let (code_at, offset) = choices.pick(&STARTS);
    let mut registers = Reg::ALL.map(|_| choices.value());
    if !choices.chance(8) {
        registers[usize::from(Reg::Esp.number())] =
            STACK_END - 0x200 - u32::from(choices.byte()) * 4;
    }
    Case {
        extended: extended(choices, &mut random),
        registers,
        flags: flags(choices).bits(),
        eip: code_at + offset,
        code_at,
        code: [BREAKPOINT; WINDOW_BYTES],
        data: values::data(&mut random, code_at),
    }
}

fn flags(choices: &mut Choices) -> Eflags {
    let status = Eflags::from_bits_truncate(u32::from(choices.word())) & Eflags::STATUS;
    let mut flags = status | Eflags::ALWAYS_ONE | Eflags::INTERRUPT;
    let rare = [
        (Eflags::DIRECTION, 32),
        (Eflags::ALIGNMENT_CHECK, 6),
        (Eflags::ID, 16),
        (Eflags::NESTED_TASK, 4),
    ];
    for (flag, part) in rare {
        flags.set(flag, choices.chance(part));
    }
    flags
}

/// The exceptions of x87 and their masks.
const X87_EXCEPTIONS: u16 = 0x3F;
/// ES and B, which say that an exception is not masked.
const X87_PENDING: u16 = 0x8080;
/// The bit of the control word that is always set.
const X87_CONTROL_ONE: u16 = 0x40;
/// Precision and rounding of x87.
const X87_MODES: u16 = 0x0F00;
/// TOP and the condition codes.
const X87_STATE: u16 = 0x7F00;
/// Rounding of SSE.
const SSE_ROUNDING: u32 = 0x6000;
/// Flush to zero, and denormals are zero.
const SSE_ZEROS: u32 = 0x8040;
const SSE_EXCEPTIONS: u32 = 0x3F;
const SSE_MASKS: u32 = 0x1F80;

fn extended(choices: &mut Choices, random: &mut Random) -> [u8; Registers::EXTENDED_BYTES] {
    let mut image = [0; Registers::EXTENDED_BYTES];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    let mut control = X87_CONTROL_ONE | X87_EXCEPTIONS | choices.word() & X87_MODES;
    let mut status = choices.word() & X87_STATE;
    if choices.chance(40) {
        status |= u16::from(choices.byte()) & X87_EXCEPTIONS;
    }
    if choices.chance(24) {
        control &= !(u16::from(choices.byte()) & X87_EXCEPTIONS);
    }
    if status & !control & X87_EXCEPTIONS != 0 {
        status |= X87_PENDING;
    }
    let mut mxcsr = SSE_MASKS | u32::from(choices.word()) & SSE_ROUNDING;
    if choices.chance(40) {
        mxcsr |= u32::from(choices.byte()) & SSE_EXCEPTIONS;
    }
    if choices.chance(40) {
        mxcsr |= choices.dword() & SSE_ZEROS;
    }
    if choices.chance(16) {
        mxcsr &= !(choices.dword() & SSE_MASKS);
    }
    let tags = choices.byte();
    let used = match tags % 4 {
        0 => 0xFF,
        1 => 0,
        _ => choices.byte(),
    };
    put(0, &control.to_le_bytes());
    put(2, &status.to_le_bytes());
    put(4, &[used]);
    put(24, &mxcsr.to_le_bytes());
    for index in 0..8 {
        put(32 + 16 * index, &values::float80(random));
        put(160 + 16 * index, &values::vector(random));
    }
    image
}
