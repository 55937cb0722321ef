//! The control bytes of plain accesses, and what they say.

use crate::record::{Op, Record};

/// By bits 1:0 of a control byte: the bytes of the difference, a mask of them, and what was added.
pub(super) const DELTA_BYTES: [u32; 4] = [0, 1, 2, 4];
const DELTA_MASKS: [u32; 4] = [0, 0xFF, 0xFFFF, u32::MAX];
const DELTA_BIASES: [u64; 4] = [0, 0x80, 0x8000, 0x8000_0000];
/// Sizes of data accesses by their code; those of fetches are their codes. No access has code 0.
const DATA_SIZES: [u32; 16] = [1, 1, 2, 4, 8, 16, 32, 64, 10, 6, 3, 14, 28, 94, 108, 512];
const FETCH_SIZES: [u32; 16] = [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
pub(super) const OP_SHIFT: u32 = 2;
/// Bits 3:2 of a control byte, and what they are for a fetch.
const OP_MASK: usize = 0b11 << OP_SHIFT;
const FETCH: usize = (Op::Fetch as usize) << OP_SHIFT;
pub(super) const SIZE_SHIFT: u32 = 4;

/// What a control byte says. Five words: a multiple that an address can be computed with at once.
#[derive(Clone, Copy)]
pub(super) struct Control {
    /// The record; in place of its address, what is added to the difference as it is stored.
    pub(super) template: Record,
    /// What brings a difference to its half of [`Narrow`](super::bases::Narrow): 1 for a fetch.
    pub(super) scale: u64,
    /// The size of a fetch; 0 for data.
    pub(super) fetch_size: u64,
    /// The bits of the difference in the four bytes that are read, and how many bytes it has.
    pub(super) mask: u32,
    pub(super) bytes: u32,
}

pub(super) const CONTROLS: [Control; 256] = {
    let mut controls = [Control {
        template: Record {
            addr: 0,
            size_bytes: 0,
            op: Op::Fetch,
            page_shift: 0,
        },
        scale: 1 << 32,
        fetch_size: 0,
        mask: 0,
        bytes: 0,
    }; 256];
    let mut index = 0;
    while index < controls.len() {
        let control = &mut controls[index];
        let (delta, op, size) = (index & 3, index & OP_MASK, index >> SIZE_SHIFT);
        control.mask = DELTA_MASKS[delta];
        control.bytes = DELTA_BYTES[delta];
        control.template.addr = DELTA_BIASES[delta].wrapping_neg();
        control.template.op = ACCESSES[op >> OP_SHIFT];
        if op == FETCH {
            control.template.size_bytes = FETCH_SIZES[size];
            control.fetch_size = FETCH_SIZES[size] as u64;
            control.scale = 1;
        } else {
            control.template.size_bytes = DATA_SIZES[size];
        }
        index += 1;
    }
    controls
};

/// Operations by bits 3:2 of a control byte.
const ACCESSES: [Op; 4] = [Op::Fetch, Op::Read, Op::Write, Op::Modify];
/// Returns the code of a difference and the number that is stored for it; `None` if it needs more
/// than 32 bits.
#[inline(always)]
pub(super) fn fold(delta: u64) -> Option<(u8, u32)> {
    let code = match delta.cast_signed() {
        0 => 0,
        -0x80..0x80 => 1,
        -0x8000..0x8000 => 2,
        -0x8000_0000..0x8000_0000 => 3,
        _ => return None,
    };
    let stored = delta.wrapping_add(DELTA_BIASES[usize::from(code)]);
    u32::try_from(stored).ok().map(|stored| (code, stored))
}

/// Returns the code of a size, if it has one.
#[inline(always)]
pub(super) fn size_code(is_fetch: bool, size_bytes: u32) -> Option<u8> {
    if is_fetch {
        return u8::try_from(size_bytes)
            .ok()
            .filter(|size| (1..16).contains(size));
    }
    match size_bytes {
        1 => Some(1),
        2 => Some(2),
        4 => Some(3),
        8 => Some(4),
        other => {
            let mut sizes = DATA_SIZES.iter().skip(1);
            sizes
                .position(|&size| size == other)
                .and_then(|index| u8::try_from(index + 1).ok())
        }
    }
}
