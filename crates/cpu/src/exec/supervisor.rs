//! What only ring 0 may do, and the instructions that show system registers.

use pagefault_mmu::{AccessKind, ControlFault, Cr4, LinearAddr, Privilege, Stored};

use super::control::serialize;
use super::{Rm, either, size_of};
use crate::block::Flow;
use crate::context::{Context, Cx};
use crate::exception::{Stop, general_protection, invalid_opcode};
use crate::flags::{Eflags, State};
use crate::observer::Observer;
use crate::op::Op;
use crate::segment::TableRegister;
use crate::width::Width;

// Quirk: system-tables
/// The selector of LDTR and of TR, of which there is none.
const NO_SELECTOR: u16 = 0;
/// The part of a table's base that SGDT and SIDT store with 16-bit operands.
const BASE_24_BITS: u32 = 0x00FF_FFFF;

/// #GP(0) at CPL 3 for a privileged instruction, or for I/O with IOPL below CPL; at CPL 0 there is
/// no handler.
pub(crate) fn privileged(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    require_ring_0(cx)?;
    // Quirk: ring-0
    Err(Stop::Unsupported)
}

/// WBINVD and its kin: there are no caches.
pub(crate) fn write_back(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    require_ring_0(cx)
}

/// INVLPG: of any address, mapped or not.
pub(crate) fn invlpg_m<O: pagefault_mmu::Observer, C: Observer>(
    cx: &mut Cx<'_, O, C>,
    op: &Op,
) -> Result<(), Stop> {
    require_ring_0(cx)?;
    let offset = cx.state.wrapped_address(op);
    let addr = cx.state.segment(op.segment).base().wrapping_add(offset);
    cx.mmu.invalidate_page(addr);
    Ok(())
}

/// `MOV r32, CRn`.
pub(crate) fn mov_r32_cr<O: pagefault_mmu::Observer, C: Observer>(
    cx: &mut Cx<'_, O, C>,
    op: &Op,
) -> Result<(), Stop> {
    require_ring_0(cx)?;
    let control = cx.mmu.control();
    let value = match op.reg.number() {
        0 => control.cr0().bits(),
        2 => control.cr2().bits(),
        3 => control.cr3(),
        4 => control.cr4().bits(),
        _ => return Err(invalid_opcode()),
    };
    cx.set_reg(op.rm, value);
    Ok(())
}

/// `MOV CRn, r32`.
pub(crate) fn mov_cr_r32<O: pagefault_mmu::Observer, C: Observer>(
    cx: &mut Cx<'_, O, C>,
    op: &Op,
) -> Result<Flow, Stop> {
    require_ring_0(cx)?;
    let value = cx.reg::<u32>(op.rm);
    let loaded = match op.reg.number() {
        0 => cx.mmu.set_cr0(value),
        2 => {
            cx.mmu.set_cr2(LinearAddr::new(value));
            Ok(())
        }
        3 => cx.mmu.set_cr3(value),
        4 => cx.mmu.set_cr4(value),
        _ => return Err(invalid_opcode()),
    };
    loaded.map_err(|_: ControlFault| general_protection())?;
    Ok(serialize(cx, op))
}

/// CLI and STI: at CPL 3 IOPL would have to be 3, which programs cannot make it.
pub(crate) fn set_interrupt_flag<const SET: u8>(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    require_ring_0(cx)?;
    cx.flags_mut()
        .set_system(Eflags::INTERRUPT, state_of::<SET>());
    Ok(())
}

/// CLAC and STAC, by which SMAP lets supervisor accesses through.
pub(crate) fn set_alignment_check<const SET: u8>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<Flow, Stop> {
    if cx.state().privilege == Privilege::User {
        return Err(invalid_opcode());
    }
    cx.flags_mut()
        .set_system(Eflags::ALIGNMENT_CHECK, state_of::<SET>());
    Ok(serialize(cx, op))
}

/// SGDT; 16-bit operands get 24 bits of the base.
pub(crate) fn sgdt<T: Width, O: pagefault_mmu::Observer, C: Observer>(
    cx: &mut Cx<'_, O, C>,
    op: &Op,
) -> Result<Stored, Stop> {
    let table = cx.state.regs.gdtr;
    store_table::<T, O, C>(cx, op, table)
}

/// SIDT.
pub(crate) fn sidt<T: Width, O: pagefault_mmu::Observer, C: Observer>(
    cx: &mut Cx<'_, O, C>,
    op: &Op,
) -> Result<Stored, Stop> {
    let table = cx.state.regs.idtr;
    store_table::<T, O, C>(cx, op, table)
}

/// SLDT and STR into memory, which takes 16 bits at any operand size.
pub(crate) fn store_no_selector<R: Rm, O: pagefault_mmu::Observer, C: Observer>(
    cx: &mut Cx<'_, O, C>,
    op: &Op,
) -> Result<Stored, Stop> {
    require_no_umip(cx)?;
    R::write(cx, op, NO_SELECTOR)
}

/// SLDT and STR into a 32-bit register, whose upper half becomes zero.
pub(crate) fn load_no_selector<O: pagefault_mmu::Observer, C: Observer>(
    cx: &mut Cx<'_, O, C>,
    op: &Op,
) -> Result<(), Stop> {
    require_no_umip(cx)?;
    cx.set_reg(op.rm, u32::from(NO_SELECTOR));
    Ok(())
}

/// SMSW: the low half of CR0; a 32-bit register gets all of it.
pub(crate) fn smsw<T: Width, R: Rm, O: pagefault_mmu::Observer, C: Observer>(
    cx: &mut Cx<'_, O, C>,
    op: &Op,
) -> Result<Stored, Stop> {
    require_no_umip(cx)?;
    let word = cx.mmu.control().cr0().bits();
    R::write(cx, op, T::truncate(word))
}

/// Stores a limit and, behind it, a base. Both pages are known to be writable before anything is
/// written, the lower one first.
fn store_table<T: Width, O: pagefault_mmu::Observer, C: Observer>(
    cx: &mut Cx<'_, O, C>,
    op: &Op,
    table: TableRegister,
) -> Result<Stored, Stop> {
    require_no_umip(cx)?;
    let base = match T::BITS {
        u16::BITS => table.base.bits() & BASE_24_BITS,
        _ => table.base.bits(),
    };
    let kind = AccessKind::Write;
    let limit_at = cx.state.linear(op, size_of::<u16>(), kind)?;
    let base_at = cx
        .state
        .linear_part(op, size_of::<u16>(), size_of::<u32>(), kind)?;
    cx.probe_write::<u16>(limit_at)?;
    let base = cx.write(base_at, base)?;
    let limit = cx.write(limit_at, table.limit)?;
    Ok(either(base, limit))
}

fn require_ring_0(cx: &impl Context) -> Result<(), Stop> {
    match cx.state().privilege {
        Privilege::User => Err(general_protection()),
        Privilege::Supervisor | Privilege::Implicit => Ok(()),
    }
}

/// CR4.UMIP makes the instructions that show system registers privileged.
fn require_no_umip<O: pagefault_mmu::Observer, C: Observer>(cx: &Cx<'_, O, C>) -> Result<(), Stop> {
    let umip = Cr4::USER_MODE_INSTRUCTION_PREVENTION;
    if cx.mmu.control().cr4().contains(umip) {
        return require_ring_0(cx);
    }
    Ok(())
}

const fn state_of<const SET: u8>() -> State {
    if SET == 0 { State::Clear } else { State::Set }
}
