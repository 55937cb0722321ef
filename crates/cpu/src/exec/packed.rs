//! Packed integer operations on values: lanes of 8 to 64 bits in a 64- or 128-bit register.

/// A packed operation. MMX registers are the low half of a value, and `len` tells which it is.
pub(crate) trait Packed {
    /// Returns `destination op source`.
    fn apply(a: u128, b: u128, len: usize) -> u128;
}

type Bytes = [u8; 16];

fn map8(a: u128, b: u128, f: impl Fn(u8, u8) -> u8) -> u128 {
    let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
    u128::from_le_bytes(std::array::from_fn(|index| f(a[index], b[index])))
}

fn map16(a: u128, b: u128, f: impl Fn(u16, u16) -> u16) -> u128 {
    let (a, b) = (words(a), words(b));
    from_words(std::array::from_fn(|index| f(a[index], b[index])))
}

fn map32(a: u128, b: u128, f: impl Fn(u32, u32) -> u32) -> u128 {
    let (a, b) = (doublewords(a), doublewords(b));
    from_doublewords(std::array::from_fn(|index| f(a[index], b[index])))
}

fn map64(a: u128, b: u128, f: impl Fn(u64, u64) -> u64) -> u128 {
    let (a, b) = (quadwords(a), quadwords(b));
    from_quadwords(std::array::from_fn(|index| f(a[index], b[index])))
}

/// Splits into 16-bit lanes.
pub(super) fn words(value: u128) -> [u16; 8] {
    let bytes = value.to_le_bytes();
    std::array::from_fn(|index| u16::from_le_bytes([bytes[2 * index], bytes[2 * index + 1]]))
}

/// Joins 16-bit lanes.
pub(super) fn from_words(lanes: [u16; 8]) -> u128 {
    lanes
        .iter()
        .rev()
        .fold(0, |value, lane| value << 16 | u128::from(*lane))
}

/// Splits into 32-bit lanes.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a lane is what is asked for"
)]
pub(super) fn doublewords(value: u128) -> [u32; 4] {
    std::array::from_fn(|index| (value >> (32 * index)) as u32)
}

/// Joins 32-bit lanes.
pub(super) fn from_doublewords(lanes: [u32; 4]) -> u128 {
    lanes
        .iter()
        .rev()
        .fold(0, |value, lane| value << 32 | u128::from(*lane))
}

/// Splits into 64-bit lanes.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a lane is what is asked for"
)]
pub(super) fn quadwords(value: u128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}

/// Joins 64-bit lanes.
pub(super) fn from_quadwords(lanes: [u64; 2]) -> u128 {
    u128::from(lanes[0]) | u128::from(lanes[1]) << 64
}

macro_rules! packed {
    ($($name:ident = |$a:ident, $b:ident, $len:pat_param| $body:expr;)*) => {
        $(
            #[doc = concat!("`", stringify!($name), "`.")]
            #[derive(Debug)]
            pub(crate) struct $name;

            impl Packed for $name {
                fn apply($a: u128, $b: u128, $len: usize) -> u128 {
                    $body
                }
            }
        )*
    };
}

packed! {
    Paddb = |a, b, _| map8(a, b, u8::wrapping_add);
    Paddw = |a, b, _| map16(a, b, u16::wrapping_add);
    Paddd = |a, b, _| map32(a, b, u32::wrapping_add);
    Paddq = |a, b, _| map64(a, b, u64::wrapping_add);
    Psubb = |a, b, _| map8(a, b, u8::wrapping_sub);
    Psubw = |a, b, _| map16(a, b, u16::wrapping_sub);
    Psubd = |a, b, _| map32(a, b, u32::wrapping_sub);
    Psubq = |a, b, _| map64(a, b, u64::wrapping_sub);
    Paddusb = |a, b, _| map8(a, b, u8::saturating_add);
    Paddusw = |a, b, _| map16(a, b, u16::saturating_add);
    Psubusb = |a, b, _| map8(a, b, u8::saturating_sub);
    Psubusw = |a, b, _| map16(a, b, u16::saturating_sub);
    Paddsb = |a, b, _| map8(a, b, |a, b| signed8(a, b, i8::saturating_add));
    Paddsw = |a, b, _| map16(a, b, |a, b| signed16(a, b, i16::saturating_add));
    Psubsb = |a, b, _| map8(a, b, |a, b| signed8(a, b, i8::saturating_sub));
    Psubsw = |a, b, _| map16(a, b, |a, b| signed16(a, b, i16::saturating_sub));
    Pminub = |a, b, _| map8(a, b, u8::min);
    Pmaxub = |a, b, _| map8(a, b, u8::max);
    Pminsw = |a, b, _| map16(a, b, |a, b| signed16(a, b, i16::min));
    Pmaxsw = |a, b, _| map16(a, b, |a, b| signed16(a, b, i16::max));
    Pavgb = |a, b, _| map8(a, b, |a, b| (u16::from(a) + u16::from(b)).div_ceil(2).to_le_bytes()[0]);
    Pavgw = |a, b, _| map16(a, b, |a, b| low16((u32::from(a) + u32::from(b)).div_ceil(2)));
    Pand = |a, b, _| a & b;
    Pandn = |a, b, _| !a & b;
    Por = |a, b, _| a | b;
    Pxor = |a, b, _| a ^ b;
    Pcmpeqb = |a, b, _| map8(a, b, |a, b| if a == b { u8::MAX } else { 0 });
    Pcmpeqw = |a, b, _| map16(a, b, |a, b| if a == b { u16::MAX } else { 0 });
    Pcmpeqd = |a, b, _| map32(a, b, |a, b| if a == b { u32::MAX } else { 0 });
    Pcmpgtb = |a, b, _| map8(a, b, |a, b| if a.cast_signed() > b.cast_signed() { u8::MAX } else { 0 });
    Pcmpgtw = |a, b, _| map16(a, b, |a, b| if a.cast_signed() > b.cast_signed() { u16::MAX } else { 0 });
    Pcmpgtd = |a, b, _| map32(a, b, |a, b| if a.cast_signed() > b.cast_signed() { u32::MAX } else { 0 });
    Pmullw = |a, b, _| map16(a, b, u16::wrapping_mul);
    Pmulhw = |a, b, _| map16(a, b, |a, b| high16(product(a, b).cast_unsigned()));
    Pmulhuw = |a, b, _| map16(a, b, |a, b| high16(u32::from(a) * u32::from(b)));
    Pmuludq = |a, b, _| map64(a, b, |a, b| (a & LOW_32) * (b & LOW_32));
    Pmaddwd = |a, b, _| multiply_add(a, b);
    Psadbw = |a, b, _| sum_of_differences(a, b);
    Packsswb = |a, b, len| pack_words(a, b, len, |word| word.clamp(-128, 127).to_le_bytes()[0]);
    Packuswb = |a, b, len| pack_words(a, b, len, |word| word.clamp(0, 255).to_le_bytes()[0]);
    Packssdw = |a, b, len| pack_doublewords(a, b, len);
    Punpcklbw = |a, b, len| unpack(a, b, 1, 0, len);
    Punpcklwd = |a, b, len| unpack(a, b, 2, 0, len);
    Punpckldq = |a, b, len| unpack(a, b, 4, 0, len);
    Punpcklqdq = |a, b, len| unpack(a, b, 8, 0, len);
    Punpckhbw = |a, b, len| unpack(a, b, 1, len / 2, len);
    Punpckhwd = |a, b, len| unpack(a, b, 2, len / 2, len);
    Punpckhdq = |a, b, len| unpack(a, b, 4, len / 2, len);
    Punpckhqdq = |a, b, len| unpack(a, b, 8, len / 2, len);
    Psllw = |a, b, _| shift16(a, b, |lane, count| lane.checked_shl(count).unwrap_or(0));
    Psrlw = |a, b, _| shift16(a, b, |lane, count| lane.checked_shr(count).unwrap_or(0));
    Psraw = |a, b, _| shift16(a, b, |lane, count| (lane.cast_signed() >> count.min(15)).cast_unsigned());
    Pslld = |a, b, _| shift32(a, b, |lane, count| lane.checked_shl(count).unwrap_or(0));
    Psrld = |a, b, _| shift32(a, b, |lane, count| lane.checked_shr(count).unwrap_or(0));
    Psrad = |a, b, _| shift32(a, b, |lane, count| (lane.cast_signed() >> count.min(31)).cast_unsigned());
    Psllq = |a, b, _| map64(a, a, |lane, _| lane.checked_shl(count(b)).unwrap_or(0));
    Psrlq = |a, b, _| map64(a, a, |lane, _| lane.checked_shr(count(b)).unwrap_or(0));
    Pslldq = |a, b, _| a.checked_shl(count(b).saturating_mul(8)).unwrap_or(0);
    Psrldq = |a, b, _| a.checked_shr(count(b).saturating_mul(8)).unwrap_or(0);
    Movhlps = |a, b, _| a >> 64 << 64 | b >> 64;
    Movlhps = |a, b, _| a & u128::from(u64::MAX) | b << 64;
}

const LOW_32: u64 = 0xFFFF_FFFF;

fn low16(value: u32) -> u16 {
    let [low, high, ..] = value.to_le_bytes();
    u16::from_le_bytes([low, high])
}

fn high16(value: u32) -> u16 {
    low16(value >> 16)
}

fn signed8(a: u8, b: u8, f: fn(i8, i8) -> i8) -> u8 {
    f(a.cast_signed(), b.cast_signed()).cast_unsigned()
}

fn signed16(a: u16, b: u16, f: fn(i16, i16) -> i16) -> u16 {
    f(a.cast_signed(), b.cast_signed()).cast_unsigned()
}

fn product(a: u16, b: u16) -> i32 {
    i32::from(a.cast_signed()) * i32::from(b.cast_signed())
}

/// Returns the shift count, which is a whole quadword.
fn count(b: u128) -> u32 {
    u32::try_from(quadwords(b)[0]).unwrap_or(u32::MAX)
}

fn shift16(a: u128, b: u128, f: impl Fn(u16, u32) -> u16) -> u128 {
    map16(a, a, |lane, _| f(lane, count(b)))
}

fn shift32(a: u128, b: u128, f: impl Fn(u32, u32) -> u32) -> u128 {
    map32(a, a, |lane, _| f(lane, count(b)))
}

fn multiply_add(a: u128, b: u128) -> u128 {
    let (a, b) = (words(a), words(b));
    from_doublewords(std::array::from_fn(|index| {
        let product = |lane: usize| product(a[lane], b[lane]);
        product(2 * index)
            .wrapping_add(product(2 * index + 1))
            .cast_unsigned()
    }))
}

fn sum_of_differences(a: u128, b: u128) -> u128 {
    let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
    from_quadwords([0, 8].map(|start: usize| {
        (start..start + 8)
            .map(|lane| u64::from(a[lane].abs_diff(b[lane])))
            .sum()
    }))
}

fn pack_words(a: u128, b: u128, len: usize, f: impl Fn(i16) -> u8) -> u128 {
    let lanes = len / 2;
    let (a, b) = (words(a), words(b));
    let mut packed: Bytes = [0; 16];
    for (lane, byte) in packed.iter_mut().enumerate().take(len) {
        let word = if lane < lanes {
            a[lane]
        } else {
            b[lane - lanes]
        };
        *byte = f(word.cast_signed());
    }
    u128::from_le_bytes(packed)
}

fn pack_doublewords(a: u128, b: u128, len: usize) -> u128 {
    let lanes = len / 4;
    let (a, b) = (doublewords(a), doublewords(b));
    let mut packed = [0; 8];
    for (lane, word) in packed.iter_mut().enumerate().take(len / 2) {
        let value = if lane < lanes {
            a[lane]
        } else {
            b[lane - lanes]
        }
        .cast_signed();
        let clamped = value.clamp(i32::from(i16::MIN), i32::from(i16::MAX));
        *word = low16(clamped.cast_unsigned());
    }
    from_words(packed)
}

/// Interleaves lanes of `width` bytes from byte `start` of both operands.
fn unpack(a: u128, b: u128, width: usize, start: usize, len: usize) -> u128 {
    let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
    let mut result: Bytes = [0; 16];
    for (index, byte) in result.iter_mut().enumerate().take(len) {
        let from = start + index / (2 * width) * width + index % width;
        *byte = if (index / width).is_multiple_of(2) {
            a[from]
        } else {
            b[from]
        };
    }
    u128::from_le_bytes(result)
}

/// PSHUFD and, on 64 bits of 16-bit lanes, PSHUFW: two bits of `order` for each lane.
pub(super) fn shuffle<T: Copy>(lanes: [T; 4], order: u32) -> [T; 4] {
    std::array::from_fn(|index| lanes[(order >> (2 * index) & 3) as usize])
}
