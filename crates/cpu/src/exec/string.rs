//! MOVS, STOS, LODS, CMPS, SCAS, with their repeat prefixes.
//!
//! Repeated MOVS and STOS upwards go page by page: one translation per page and operand, the
//! elements counted as if each had been translated. The first element of every run is done alone,
//! so that a fault is found where and in the order in which the processor finds it.

use pagefault_mmu::{AccessKind, LinearAddr, PAGE_SIZE, PhysAddr, Stored};

use super::size_of;
use crate::alu;
use crate::context::{Context, Pace, Run};
use crate::exception::Stop;
use crate::op::{AddressMode, Op, RepeatPrefix};
use crate::registers::Reg;
use crate::segment::SegmentRegister;
use crate::width::Width;

/// Shorter runs are not worth a translation of their own.
const SHORTEST_RUN: u32 = 2;

/// MOVS.
#[inline(always)]
pub(crate) fn movs<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    repeat(cx, op, |cx| {
        let stored = move_element::<T>(cx, op)?;
        if op.repeat == RepeatPrefix::None || stored == Stored::Tracked {
            return Ok(stored);
        }
        move_run::<T>(cx, op);
        Ok(stored)
    })
}

/// STOS.
#[inline(always)]
pub(crate) fn stos<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    repeat(cx, op, |cx| {
        let stored = store_element::<T>(cx, op)?;
        if op.repeat == RepeatPrefix::None || stored == Stored::Tracked {
            return Ok(stored);
        }
        store_run::<T>(cx, op);
        Ok(stored)
    })
}

/// LODS.
pub(crate) fn lods<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    repeat(cx, op, |cx| {
        let value = read_source::<T>(cx, op)?;
        cx.set_reg(Reg::Eax, value);
        advance::<T>(cx, op, Reg::Esi);
        Ok(Stored::Plain)
    })
}

/// CMPS: the destination operand, which is only read, is read first.
pub(crate) fn cmps<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    repeat_while(cx, op, |cx| {
        let rhs = read_destination::<T>(cx, op)?;
        let lhs = read_source::<T>(cx, op)?;
        alu::sub(cx.flags_mut(), lhs, rhs);
        advance::<T>(cx, op, Reg::Esi);
        advance::<T>(cx, op, Reg::Edi);
        Ok(Stored::Plain)
    })
}

/// SCAS.
pub(crate) fn scas<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    repeat_while(cx, op, |cx| {
        let rhs = read_destination::<T>(cx, op)?;
        let lhs = cx.reg::<T>(Reg::Eax);
        alu::sub(cx.flags_mut(), lhs, rhs);
        advance::<T>(cx, op, Reg::Edi);
        Ok(Stored::Plain)
    })
}

/// Runs `element` as often as the counter says, or once without a prefix. An `element` may do more
/// than one iteration if it takes the others off the counter.
#[inline(always)]
fn repeat<X: Context>(
    cx: &mut X,
    op: &Op,
    element: impl Fn(&mut X) -> Result<Stored, Stop>,
) -> Result<Stored, Stop> {
    if op.repeat == RepeatPrefix::None {
        return element(cx);
    }
    while count(cx, op) != 0 {
        let stored = element(cx)?;
        set_count(cx, op, count(cx, op).wrapping_sub(1));
        let is_interrupted = stored == Stored::Tracked || ends_iteration(cx);
        if is_interrupted && count(cx, op) != 0 {
            // The store may have been into this very instruction: it is fetched again.
            return Err(Stop::Repeat);
        }
        if stored == Stored::Tracked {
            return Ok(stored);
        }
    }
    Ok(Stored::Plain)
}

/// As `repeat`, and ends when ZF is not what the prefix asks for.
fn repeat_while<X: Context>(
    cx: &mut X,
    op: &Op,
    element: impl Fn(&mut X) -> Result<Stored, Stop>,
) -> Result<Stored, Stop> {
    if op.repeat == RepeatPrefix::None {
        return element(cx);
    }
    let before = *cx.flags();
    while count(cx, op) != 0 {
        if let Err(stop) = element(cx) {
            // Registers show the completed iterations, the flags do not.
            *cx.flags_mut() = before;
            return Err(stop);
        }
        set_count(cx, op, count(cx, op).wrapping_sub(1));
        if cx.flags().zf() != (op.repeat == RepeatPrefix::Equal) {
            break;
        }
        if ends_iteration(cx) && count(cx, op) != 0 {
            return Err(Stop::Repeat);
        }
    }
    Ok(Stored::Plain)
}

/// Tells whether the run is to end between two iterations: single step, or a watchpoint.
#[inline(always)]
fn ends_iteration(cx: &impl Context) -> bool {
    cx.state().pace == Pace::OneIteration || cx.state().watch.has_hit()
}

fn move_element<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let value = read_source::<T>(cx, op)?;
    let stored = write_destination(cx, op, value)?;
    advance::<T>(cx, op, Reg::Esi);
    advance::<T>(cx, op, Reg::Edi);
    Ok(stored)
}

fn store_element<T: Width>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let value = cx.reg::<T>(Reg::Eax);
    let stored = write_destination(cx, op, value)?;
    advance::<T>(cx, op, Reg::Edi);
    Ok(stored)
}

/// Moves what follows the element just moved, as far as both pages reach.
fn move_run<T: Width>(cx: &mut impl Context, op: &Op) {
    let (from, to) = (cx.reg::<u32>(Reg::Esi), cx.reg::<u32>(Reg::Edi));
    let Some(elements) = run_length::<T>(cx, op, &[from, to]) else {
        return;
    };
    let source = run(cx, from, AccessKind::Read);
    let destination = run(cx, to, AccessKind::Write);
    let (Some(source), Some(destination)) = (source, destination) else {
        return;
    };
    let len = elements * size_of::<T>();
    cx.count_runs(source, destination, elements, size_of::<T>());
    copy_run::<T>(cx, source.hit.at(), destination.hit.at(), len);
    cx.set_reg(Reg::Ecx, cx.reg::<u32>(Reg::Ecx).wrapping_sub(elements));
    cx.set_reg(Reg::Esi, from.wrapping_add(len));
    cx.set_reg(Reg::Edi, to.wrapping_add(len));
}

/// Stores what follows the element just stored, as far as the page reaches.
fn store_run<T: Width>(cx: &mut impl Context, op: &Op) {
    let to = cx.reg::<u32>(Reg::Edi);
    let Some(elements) = run_length::<T>(cx, op, &[to]) else {
        return;
    };
    let Some(destination) = run(cx, to, AccessKind::Write) else {
        return;
    };
    let len = elements * size_of::<T>();
    cx.count_run(destination, elements, size_of::<T>());
    let value = cx.reg::<T>(Reg::Eax);
    if let Some(bytes) = page_part(cx, destination.hit.at(), len) {
        fill(bytes, value);
    }
    cx.set_reg(Reg::Ecx, cx.reg::<u32>(Reg::Ecx).wrapping_sub(elements));
    cx.set_reg(Reg::Edi, to.wrapping_add(len));
}

/// Returns the page of `addr`, if its accesses only need to be counted: it is in the TLB, with the
/// rights, and holds no decoded code.
fn run(cx: &impl Context, addr: u32, kind: AccessKind) -> Option<Run> {
    let addr = LinearAddr::new(addr);
    cx.peek(addr, kind).map(|hit| Run { hit, addr, kind })
}

/// Fills memory with copies of a value, doubling what is filled.
fn fill<T: Width>(bytes: &mut [u8], value: T) {
    let pattern = value.zero_extend().to_le_bytes();
    let mut filled = (size_of::<T>() as usize).min(bytes.len());
    bytes[..filled].copy_from_slice(&pattern[..filled]);
    while filled < bytes.len() {
        let (done, rest) = bytes.split_at_mut(filled);
        let len = done.len().min(rest.len());
        rest[..len].copy_from_slice(&done[..len]);
        filled += len;
    }
}

/// Copies within physical memory as MOVS does: upwards, element by element, so that an overlap
/// repeats a pattern.
fn copy_run<T: Width>(cx: &mut impl Context, from: PhysAddr, to: PhysAddr, len: u32) {
    let distance = to.bits().wrapping_sub(from.bits());
    if distance >= u64::from(len) {
        // A whole frame is copied aside: that is quicker than clearing room for a part.
        let Some(source) = cx.memory().frame(from.frame()).copied() else {
            return;
        };
        let start = from.page_offset() as usize;
        if let (Some(destination), Some(source)) = (
            page_part(cx, to, len),
            source.get(start..start + len as usize),
        ) {
            destination.copy_from_slice(source);
        }
        return;
    }
    for offset in (0..u64::from(len)).step_by(size_of::<T>() as usize) {
        let at = |start: PhysAddr| PhysAddr::new(start.bits() + offset);
        if let (Some(source), Some(destination)) = (at(from), at(to)) {
            let value = cx.memory().read::<T>(source);
            cx.memory().write(destination, value);
        }
    }
}

/// Returns `len` bytes of a frame, unless there is no memory behind it.
fn page_part(cx: &mut impl Context, at: PhysAddr, len: u32) -> Option<&mut [u8]> {
    let start = at.page_offset() as usize;
    cx.memory()
        .frame_mut(at.frame())?
        .get_mut(start..start + len as usize)
}

/// Returns how many further elements lie in the pages of all these addresses, if a run is
/// possible: upwards, with flat addresses, not in single steps. The counter still counts the
/// element that has just been done.
fn run_length<T: Width>(cx: &impl Context, op: &Op, addresses: &[u32]) -> Option<u32> {
    let state = cx.state();
    let is_plain = op.mode == AddressMode::Flat
        && !state.regs.flags.is_downwards()
        && state.pace == Pace::Whole;
    if !is_plain {
        return None;
    }
    let in_page = |address: &u32| (PAGE_SIZE - address % PAGE_SIZE) / size_of::<T>();
    let left = count(cx, op).wrapping_sub(1);
    let elements = addresses.iter().map(in_page).fold(left, u32::min);
    (elements >= SHORTEST_RUN).then_some(elements)
}

fn read_source<T: Width>(cx: &mut impl Context, op: &Op) -> Result<T, Stop> {
    let offset = offset(cx, op, Reg::Esi);
    let addr =
        cx.state()
            .string_linear(op, op.segment, offset, size_of::<T>(), AccessKind::Read)?;
    cx.read(addr)
}

fn read_destination<T: Width>(cx: &mut impl Context, op: &Op) -> Result<T, Stop> {
    let offset = offset(cx, op, Reg::Edi);
    let segment = SegmentRegister::Es;
    let addr = cx
        .state()
        .string_linear(op, segment, offset, size_of::<T>(), AccessKind::Read)?;
    cx.read(addr)
}

fn write_destination<T: Width>(cx: &mut impl Context, op: &Op, value: T) -> Result<Stored, Stop> {
    let offset = offset(cx, op, Reg::Edi);
    let segment = SegmentRegister::Es;
    let addr = cx
        .state()
        .string_linear(op, segment, offset, size_of::<T>(), AccessKind::Write)?;
    cx.write(addr, value)
}

/// Moves an index register to the next element, keeping its upper half with 16-bit addresses.
fn advance<T: Width>(cx: &mut impl Context, op: &Op, reg: Reg) {
    let step = if cx.flags().is_downwards() {
        size_of::<T>().wrapping_neg()
    } else {
        size_of::<T>()
    };
    let next = offset(cx, op, reg).wrapping_add(step);
    set_address_register(cx, op, reg, next);
}

/// Returns the part of a register that addresses memory.
pub(super) fn offset(cx: &impl Context, op: &Op, reg: Reg) -> u32 {
    let value = cx.reg::<u32>(reg);
    if op.mode == AddressMode::Segmented16 {
        value & 0xFFFF
    } else {
        value
    }
}

fn count(cx: &impl Context, op: &Op) -> u32 {
    offset(cx, op, Reg::Ecx)
}

fn set_count(cx: &mut impl Context, op: &Op, count: u32) {
    set_address_register(cx, op, Reg::Ecx, count);
}

fn set_address_register(cx: &mut impl Context, op: &Op, reg: Reg, value: u32) {
    if op.mode == AddressMode::Segmented16 {
        cx.set_reg(reg, u16::truncate(value));
    } else {
        cx.set_reg(reg, value);
    }
}
