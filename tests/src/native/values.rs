//! Numbers that are worth computing with: random ones, and those at the edges.

use super::layout::{DATA_BLOCK, WINDOW, WINDOW_BYTES};

/// xorshift64*: the same numbers everywhere.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u32) -> Self {
        // Neighbouring seeds must not begin alike, and the state must not be 0.
        Self((u64::from(seed) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Returns a number below another, which is not 0.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        u32::try_from((self.next() >> 32) % u64::from(end)).expect("it is below a u32")
    }

    fn dword(&mut self) -> u32 {
        u32::try_from(self.next() >> 32).expect("32 bits are left")
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        let index = self.next() >> 32;
        values[usize::try_from(index).map_or(0, |index| index % values.len())]
    }
}

/// Zero, one, infinity, NaN of both kinds, denormals, the largest, the edges of integers.
const SINGLES: [u32; 16] = [
    0,
    0x3F80_0000,
    0x7F80_0000,
    0x7FC0_0000,
    0x7F80_0001,
    0x7FC1_2345,
    0x0000_0001,
    0x007F_FFFF,
    0x0080_0000,
    0x7F7F_FFFF,
    0x4F00_0000,
    0x4EFF_FFFF,
    0x4F80_0000,
    0x4B80_0001,
    0x3F00_0000,
    0x46FF_FE00,
];

/// The same in 64 bits.
const DOUBLES: [u64; 18] = [
    0,
    0x3FF0_0000_0000_0000,
    0x7FF0_0000_0000_0000,
    0x7FF8_0000_0000_0000,
    0x7FF0_0000_0000_0001,
    0x7FF8_1234_5678_9ABC,
    0x0000_0000_0000_0001,
    0x000F_FFFF_FFFF_FFFF,
    0x0010_0000_0000_0000,
    0x7FEF_FFFF_FFFF_FFFF,
    0x41E0_0000_0000_0000,
    0x41DF_FFFF_FFE0_0000,
    0x41DF_FFFF_FFC0_0000,
    0x43E0_0000_0000_0000,
    0x3FE0_0000_0000_0000,
    0x40DF_FFE0_0000_0000,
    0x47EF_FFFF_E000_0000,
    0x3690_0000_0000_0000,
];

/// Significands and exponents in 80 bits, in any combination: also those that are not numbers.
const SIGNIFICANDS: [u64; 10] = [
    0,
    1,
    0x8000_0000_0000_0000,
    0x8000_0000_0000_0001,
    0xC000_0000_0000_0000,
    0xFFFF_FFFF_FFFF_FFFF,
    0x4000_0000_0000_0000,
    0x7FFF_FFFF_FFFF_FFFF,
    0x8000_0000_0000_0400,
    0xFFFF_FFFF_FFFF_FC00,
];
const EXPONENTS: [u16; 14] = [
    0, 1, 0x7FFF, 0x7FFE, 0x3FFF, 0x3FFE, 0x4000, 0x401E, 0x403E, 0x400E, 0x3F81, 0x407E, 0x3C01,
    0x43FE,
];

/// Returns a number of 80 bits.
pub(super) fn float80(random: &mut Random) -> [u8; 10] {
    const SIGN: u16 = 0x8000;
    const ONE: u32 = 0x3FFF;
    const INTEGER_BIT: u64 = 1 << 63;
    let sign = random.one_of(&[0, SIGN]);
    let (significand, exponent) = match random.below(8) {
        0 | 1 => (random.one_of(&SIGNIFICANDS), random.one_of(&EXPONENTS)),
        // A register of MMX.
        2 => (random.next(), 0x7FFF),
        3 => (random.next() | INTEGER_BIT, random.one_of(&EXPONENTS)),
        // A small integer.
        4 => {
            let value = u64::from(random.below(1000)) + 1;
            let shift = value.leading_zeros();
            (value << shift, small(ONE + 63 - shift))
        }
        // Numbers that differ by not too much.
        _ => {
            let exponent = small(ONE + random.below(40)) - 20;
            (random.next() | INTEGER_BIT, exponent)
        }
    };
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&significand.to_le_bytes());
    bytes[8..].copy_from_slice(&(sign | exponent).to_le_bytes());
    bytes
}

/// Returns a number of 32 bits.
fn single(random: &mut Random) -> u32 {
    const SIGN: u32 = 1 << 31;
    let sign = random.one_of(&[0, SIGN]);
    match random.below(4) {
        0 => sign | random.one_of(&SINGLES),
        1 => random.dword(),
        // Numbers that differ by not too much.
        _ => sign | (117 + random.below(20)) << 23 | random.dword() >> 9,
    }
}

/// Returns a number of 64 bits.
fn double(random: &mut Random) -> u64 {
    const SIGN: u64 = 1 << 63;
    let sign = random.one_of(&[0, SIGN]);
    match random.below(4) {
        0 => sign | random.one_of(&DOUBLES),
        1 => random.next(),
        _ => sign | u64::from(1003 + random.below(40)) << 52 | random.next() >> 12,
    }
}

/// Returns 16 bytes of one kind of lanes.
pub(super) fn vector(random: &mut Random) -> [u8; 16] {
    const WORDS: [u16; 8] = [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0xFF80, 0x007F];
    let mut bytes = [0; 16];
    match random.below(8) {
        0..=2 => fill(&mut bytes, || single(random).to_le_bytes()),
        3..=5 => fill(&mut bytes, || double(random).to_le_bytes()),
        6 => fill(&mut bytes, || random.one_of(&WORDS).to_le_bytes()),
        _ => fill(&mut bytes, || random.next().to_le_bytes()),
    }
    bytes
}

/// Returns the data of a case: numbers of all kinds, and addresses.
pub(super) fn data(random: &mut Random, code_at: u32) -> [u8; WINDOW_BYTES] {
    let mut data = [0; WINDOW_BYTES];
    for slot in data.chunks_exact_mut(16) {
        match random.below(12) {
            0 | 1 => slot[..10].copy_from_slice(&float80(random)),
            2 => {
                let starts = [DATA_BLOCK, code_at];
                fill(slot, || {
                    (random.one_of(&starts) + random.below(WINDOW)).to_le_bytes()
                });
            }
            3 => fill(slot, || random.below(100).to_le_bytes()),
            // Packed decimals.
            4 => fill(slot, || {
                let digits = random.below(100);
                [small(digits / 10 * 16 + digits % 10).to_le_bytes()[0]]
            }),
            _ => slot.copy_from_slice(&vector(random)),
        }
    }
    data
}

fn fill<const N: usize>(bytes: &mut [u8], mut lane: impl FnMut() -> [u8; N]) {
    for chunk in bytes.chunks_exact_mut(N) {
        chunk.copy_from_slice(&lane());
    }
}

fn small(value: u32) -> u16 {
    u16::try_from(value).expect("a small number")
}
