//! From bytes in physical memory to a block of operations.

use iced_x86::{Code, Decoder, DecoderError, DecoderOptions, Instruction, OpKind};
use pagefault_mmu::{FrameNumber, Mmu, PAGE_SIZE, PhysAddr};

use crate::block::{Block, Handler, MAX_BLOCK_OPS, Slot};
use crate::context::State;
use crate::dispatch::{self, BlockEnd, Entry, RmKind};
use crate::exception::MAX_INSTRUCTION_BYTES;
use crate::observer::Observer;
use crate::op::{Op, is_prefix};
use crate::optimize;

const PAGE_BYTES: usize = PAGE_SIZE as usize;

/// Reads of memory that is not there give all ones.
const UNBACKED: [u8; PAGE_BYTES] = [0xFF; PAGE_BYTES];

/// Where a block has to end at the latest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The most instructions.
    pub(crate) instructions: usize,
    /// The most bytes: the next place where something has to be looked at.
    pub(crate) bytes: u32,
}

impl Limits {
    /// As long as blocks may be.
    pub(crate) const BLOCK: Self = Self {
        instructions: MAX_BLOCK_OPS,
        bytes: PAGE_SIZE,
    };
    /// One instruction.
    pub(crate) const ONE: Self = Self {
        instructions: 1,
        bytes: PAGE_SIZE,
    };
}

/// The first instruction continues on the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Straddles;

/// Decodes the block at `at`, up to the end of the page.
///
/// # Errors
///
/// [`Straddles`] if not even one instruction ends in the page.
pub(crate) fn decode<O: pagefault_mmu::Observer, C: Observer>(
    mmu: &Mmu<O>,
    state: &State,
    at: PhysAddr,
    limits: Limits,
) -> Result<Block<O, C>, Straddles> {
    let frame = mmu.mem().frame(at.frame()).unwrap_or(&UNBACKED);
    let bytes = &frame[at.page_offset() as usize..];
    decode_bytes(state, at, bytes, limits).ok_or(Straddles)
}

/// Decodes the one instruction at `at` that continues in the frame `tail`.
pub(crate) fn decode_straddling<O: pagefault_mmu::Observer, C: Observer>(
    mmu: &Mmu<O>,
    state: &State,
    at: PhysAddr,
    tail: FrameNumber,
) -> Block<O, C> {
    let first = mmu.mem().frame(at.frame()).unwrap_or(&UNBACKED);
    let second = mmu.mem().frame(tail).unwrap_or(&UNBACKED);
    let mut bytes = first[at.page_offset() as usize..].to_vec();
    bytes.extend_from_slice(&second[..MAX_INSTRUCTION_BYTES]);
    let block = decode_bytes(state, at, &bytes, Limits::ONE);
    let mut block = block.expect("an instruction ends within 15 bytes, valid or not");
    block.tail = Some(tail);
    block
}

/// An operation on its way into a block.
pub(crate) struct Decoded<O: pagefault_mmu::Observer, C> {
    pub(crate) handler: Handler<O, C>,
    pub(crate) op: Op,
    pub(crate) kind: RmKind,
}

fn decode_bytes<O: pagefault_mmu::Observer, C: Observer>(
    state: &State,
    at: PhysAddr,
    bytes: &[u8],
    limits: Limits,
) -> Option<Block<O, C>> {
    let mut decoder = Decoder::with_ip(32, bytes, 0, DecoderOptions::NONE);
    let mut insn = Instruction::default();
    let mut decoded: Vec<Decoded<O, C>> = Vec::new();
    let mut target = 0;
    while decoded.len() < limits.instructions && decoder.can_decode() {
        let start = decoder.position();
        if start >= limits.bytes as usize {
            break;
        }
        decoder.decode_out(&mut insn);
        let rest = bytes.len() - start;
        if decoder.last_error() == DecoderError::NoMoreBytes && rest < MAX_INSTRUCTION_BYTES {
            break;
        }
        let kind = rm_kind(&insn);
        let entry = entry_of(&insn, kind, &bytes[start..]);
        let offset = u16::try_from(start).ok()?;
        let before = u8::try_from(decoded.len()).ok()?;
        let op = Op::new(&insn, &bytes[start..], offset, before, state.checks);
        decoded.push(Decoded {
            handler: entry.handler,
            op,
            kind,
        });
        if entry.end == BlockEnd::Yes {
            target = op.imm;
            break;
        }
    }
    // A run may have to end between the two operations that fusing makes one.
    if !C::WATCHES && !state.watch.is_armed() {
        optimize::fuse(&mut decoded);
    }
    if !C::WATCHES {
        optimize::drop_dead_flags(&mut decoded);
    }
    chain(at, &decoded, target)
}

/// Stores each handler in the slot before its own.
fn chain<O: pagefault_mmu::Observer, C: Observer>(
    at: PhysAddr,
    decoded: &[Decoded<O, C>],
    target: u32,
) -> Option<Block<O, C>> {
    let entry = decoded.first()?.handler;
    let successors = decoded.iter().skip(1).map(|next| next.handler);
    let nexts = successors.chain(std::iter::once(dispatch::fall_through()));
    let slots = decoded
        .iter()
        .zip(nexts)
        .map(|(this, next)| Slot { next, op: this.op })
        .collect();
    Some(Block::new(at, entry, slots, target))
}

fn rm_kind(insn: &Instruction) -> RmKind {
    let has_memory = (0..insn.op_count()).any(|index| insn.op_kind(index) == OpKind::Memory);
    if has_memory {
        RmKind::Memory
    } else {
        RmKind::Register
    }
}

fn entry_of<O: pagefault_mmu::Observer, C: Observer>(
    insn: &Instruction,
    kind: RmKind,
    bytes: &[u8],
) -> Entry<O, C> {
    if insn.code() != Code::INVALID {
        return dispatch::entry(insn.code(), kind);
    }
    if is_too_long(bytes) {
        dispatch::too_long()
    } else {
        dispatch::undefined()
    }
}

/// Tells whether bytes that do not decode would, if they were not more than 15: whether leaving out
/// a prefix that a later one overrides or repeats helps.
fn is_too_long(bytes: &[u8]) -> bool {
    let prefixes = bytes
        .iter()
        .take(MAX_INSTRUCTION_BYTES)
        .take_while(|byte| is_prefix(**byte));
    let prefixes = prefixes.count();
    if prefixes >= MAX_INSTRUCTION_BYTES {
        return true;
    }
    // With fewer than five prefixes nothing that decodes is too long.
    let mut kept: Vec<u8> = bytes[..prefixes].to_vec();
    kept.sort_unstable();
    kept.dedup();
    let opcode = bytes.iter().skip(prefixes).take(MAX_INSTRUCTION_BYTES);
    let shortened: Vec<u8> = kept.iter().chain(opcode).copied().collect();
    let mut decoder = Decoder::new(32, &shortened, DecoderOptions::NONE);
    let insn = decoder.decode();
    let dropped = prefixes - kept.len();
    !insn.is_invalid() && insn.len() + dropped > MAX_INSTRUCTION_BYTES
}
