//! MMX and the integer part of SSE and SSE2: moves, packed integers, shuffles.

use pagefault_mmu::{AccessKind, LinearAddr, Stored, Word};

use super::either;
use super::packed::{
    Packed, doublewords, from_doublewords, from_quadwords, from_words, quadwords, shuffle, words,
};
use super::{InMem, InReg, string};
use crate::context::Context;
use crate::exception::{Exception, Stop, Vector, general_protection};
use crate::fpu::Fpu;
use crate::op::Op;
use crate::registers::{Reg, Registers};

/// Bytes of an MMX register.
const MMX_BYTES: usize = 8;
/// Bytes of an XMM register.
const XMM_BYTES: usize = 16;

/// The register or memory operand of an MMX or SSE instruction.
pub(crate) trait VectorRm {
    /// Reads 16 bytes, which have to be aligned in memory.
    fn xmm(cx: &mut impl Context, op: &Op) -> Result<u128, Stop>;
    /// Reads 16 bytes at any address.
    fn xmm_unaligned(cx: &mut impl Context, op: &Op) -> Result<u128, Stop>;
    /// Reads the low 8 bytes.
    fn low64(cx: &mut impl Context, op: &Op) -> Result<u64, Stop>;
    /// Reads the low 4 bytes.
    fn low32(cx: &mut impl Context, op: &Op) -> Result<u32, Stop>;
    /// Reads 8 bytes of an MMX operand.
    fn mm(cx: &mut impl Context, op: &Op) -> Result<u64, Stop>;
    /// Reads 8 bytes for a conversion; what is in an MMX register makes the registers those of MMX.
    fn mmx_operand(cx: &mut impl Context, op: &Op) -> Result<u64, Stop>;
    /// Reads 4 bytes of an MMX operand.
    fn mm32(cx: &mut impl Context, op: &Op) -> Result<u64, Stop>;
}

impl VectorRm for InReg {
    fn xmm(cx: &mut impl Context, op: &Op) -> Result<u128, Stop> {
        Ok(cx.state().regs.xmm(op.rm))
    }

    fn xmm_unaligned(cx: &mut impl Context, op: &Op) -> Result<u128, Stop> {
        Self::xmm(cx, op)
    }

    fn low64(cx: &mut impl Context, op: &Op) -> Result<u64, Stop> {
        Ok(quadwords(Self::xmm(cx, op)?)[0])
    }

    fn low32(cx: &mut impl Context, op: &Op) -> Result<u32, Stop> {
        Ok(doublewords(Self::xmm(cx, op)?)[0])
    }

    fn mm(cx: &mut impl Context, op: &Op) -> Result<u64, Stop> {
        Ok(cx.state().regs.fpu.mmx(op.rm.number()))
    }

    fn mmx_operand(cx: &mut impl Context, op: &Op) -> Result<u64, Stop> {
        mmx_ready(cx)?;
        cx.state_mut().regs.fpu.enter_mmx();
        Self::mm(cx, op)
    }

    fn mm32(cx: &mut impl Context, op: &Op) -> Result<u64, Stop> {
        Self::mm(cx, op)
    }
}

impl VectorRm for InMem {
    fn xmm(cx: &mut impl Context, op: &Op) -> Result<u128, Stop> {
        let addr = aligned(cx, op, AccessKind::Read)?;
        cx.read(addr)
    }

    fn xmm_unaligned(cx: &mut impl Context, op: &Op) -> Result<u128, Stop> {
        cx.load(op)
    }

    fn low64(cx: &mut impl Context, op: &Op) -> Result<u64, Stop> {
        cx.load(op)
    }

    fn low32(cx: &mut impl Context, op: &Op) -> Result<u32, Stop> {
        cx.load(op)
    }

    fn mm(cx: &mut impl Context, op: &Op) -> Result<u64, Stop> {
        cx.load(op)
    }

    fn mmx_operand(cx: &mut impl Context, op: &Op) -> Result<u64, Stop> {
        Self::mm(cx, op)
    }

    fn mm32(cx: &mut impl Context, op: &Op) -> Result<u64, Stop> {
        Ok(u64::from(cx.load::<u32>(op)?))
    }
}

/// Returns the linear address of 16 bytes that have to be aligned: #GP if they are not, also where
/// the alignment check would raise #AC.
fn aligned(cx: &impl Context, op: &Op, kind: AccessKind) -> Result<LinearAddr, Stop> {
    match cx.linear(op, u128::SIZE, kind) {
        Err(Stop::Exception(exception)) if exception.vector == Vector::ALIGNMENT => {
            Err(general_protection())
        }
        Ok(addr) if !addr.bits().is_multiple_of(u128::SIZE) => Err(general_protection()),
        other => other,
    }
}

/// The floating-point unit for an MMX instruction: #MF first if an exception is pending.
pub(super) fn mmx_ready(cx: &mut impl Context) -> Result<(), Stop> {
    let fpu: &Fpu = &cx.state().regs.fpu;
    if fpu.is_pending() {
        return Err(Exception::fault(Vector::X87).into());
    }
    Ok(())
}

fn set_mm(cx: &mut impl Context, reg: Reg, value: u64) {
    cx.state_mut().regs.fpu.set_mmx(reg.number(), value);
}

fn set_xmm(cx: &mut impl Context, reg: Reg, value: u128) {
    cx.state_mut().regs.set_xmm(reg, value);
}

/// `op mm, mm/m64`.
pub(crate) fn mm_mmm64<P: Packed, R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    mmx_ready(cx)?;
    let source = R::mm(cx, op)?;
    mmx_apply::<P>(cx, op.reg, u128::from(source));
    Ok(())
}

/// `op mm, mm/m32`: the low unpacks.
pub(crate) fn mm_mmm32<P: Packed, R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    mmx_ready(cx)?;
    let source = R::mm32(cx, op)?;
    mmx_apply::<P>(cx, op.reg, u128::from(source));
    Ok(())
}

/// `shift mm, imm8`.
pub(crate) fn mm_imm8<P: Packed>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    mmx_ready(cx)?;
    mmx_apply::<P>(cx, op.rm, u128::from(op.imm));
    Ok(())
}

fn mmx_apply<P: Packed>(cx: &mut impl Context, reg: Reg, source: u128) {
    let old = cx.state().regs.fpu.mmx(reg.number());
    let result = P::apply(u128::from(old), source, MMX_BYTES);
    set_mm(cx, reg, quadwords(result)[0]);
}

/// `op xmm, xmm/m128`.
pub(crate) fn xmm_xmmm128<P: Packed, R: VectorRm>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<(), Stop> {
    let source = R::xmm(cx, op)?;
    let result = P::apply(cx.state().regs.xmm(op.reg), source, XMM_BYTES);
    set_xmm(cx, op.reg, result);
    Ok(())
}

/// `shift xmm, imm8`.
pub(crate) fn xmm_imm8<P: Packed>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let result = P::apply(cx.state().regs.xmm(op.rm), u128::from(op.imm), XMM_BYTES);
    set_xmm(cx, op.rm, result);
    Ok(())
}

/// MOVAPS, MOVAPD, MOVDQA to a register.
pub(crate) fn mova_xmm_xmmm128<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = R::xmm(cx, op)?;
    set_xmm(cx, op.reg, value);
    Ok(())
}

/// MOVUPS, MOVUPD, MOVDQU to a register.
pub(crate) fn movu_xmm_xmmm128<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = R::xmm_unaligned(cx, op)?;
    set_xmm(cx, op.reg, value);
    Ok(())
}

/// Aligned stores: MOVAPS, MOVAPD, MOVDQA, MOVNTPS, MOVNTPD, MOVNTDQ.
pub(crate) fn mova_m128_xmm(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let addr = aligned(cx, op, AccessKind::Write)?;
    let value = cx.state().regs.xmm(op.reg);
    cx.write(addr, value)
}

/// Unaligned stores: MOVUPS, MOVUPD, MOVDQU.
pub(crate) fn movu_m128_xmm(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let value = cx.state().regs.xmm(op.reg);
    cx.store(op, value)
}

/// The store forms between registers.
pub(crate) fn mov_rm_xmm(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = cx.state().regs.xmm(op.reg);
    set_xmm(cx, op.rm, value);
    Ok(())
}

/// `MOVSS xmm, m32` and `MOVD xmm, m32`: the rest becomes zero.
pub(crate) fn load32(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = cx.load::<u32>(op)?;
    set_xmm(cx, op.reg, u128::from(value));
    Ok(())
}

/// `MOVSD xmm, m64` and `MOVQ xmm, xmm/m64`: the rest becomes zero.
pub(crate) fn load64<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = R::low64(cx, op)?;
    set_xmm(cx, op.reg, u128::from(value));
    Ok(())
}

/// `MOVSS xmm, xmm`: only the low lane; the operands may come in either encoding.
pub(crate) fn movss_reg<const FROM_REG: u8>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    merge_low::<FROM_REG>(cx, op, u128::from(u32::MAX))
}

/// `MOVSD xmm, xmm`.
pub(crate) fn movsd_reg<const FROM_REG: u8>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    merge_low::<FROM_REG>(cx, op, u128::from(u64::MAX))
}

fn merge_low<const FROM_REG: u8>(cx: &mut impl Context, op: &Op, mask: u128) -> Result<(), Stop> {
    let (to, from) = if FROM_REG == 1 {
        (op.rm, op.reg)
    } else {
        (op.reg, op.rm)
    };
    let regs = &cx.state().regs;
    let merged = regs.xmm(to) & !mask | regs.xmm(from) & mask;
    set_xmm(cx, to, merged);
    Ok(())
}

/// Stores the low 4 bytes: MOVSS, MOVD.
pub(crate) fn store32(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let value = doublewords(cx.state().regs.xmm(op.reg))[0];
    cx.store(op, value)
}

/// Stores the low 8 bytes: MOVSD, MOVQ, MOVLPS, MOVLPD.
pub(crate) fn store64(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let value = quadwords(cx.state().regs.xmm(op.reg))[0];
    cx.store(op, value)
}

/// Stores the high 8 bytes: MOVHPS, MOVHPD.
pub(crate) fn store_high64(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let value = quadwords(cx.state().regs.xmm(op.reg))[1];
    cx.store(op, value)
}

/// MOVLPS and MOVLPD from memory.
pub(crate) fn load_low64(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let low = cx.load::<u64>(op)?;
    let [_, high] = quadwords(cx.state().regs.xmm(op.reg));
    set_xmm(cx, op.reg, from_quadwords([low, high]));
    Ok(())
}

/// MOVHPS and MOVHPD from memory.
pub(crate) fn load_high64(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let high = cx.load::<u64>(op)?;
    let [low, _] = quadwords(cx.state().regs.xmm(op.reg));
    set_xmm(cx, op.reg, from_quadwords([low, high]));
    Ok(())
}

/// `MOVQ xmm, xmm` in the store encoding.
pub(crate) fn movq_xmm_xmm_store(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = quadwords(cx.state().regs.xmm(op.reg))[0];
    set_xmm(cx, op.rm, u128::from(value));
    Ok(())
}

/// `MOVD xmm, r32`.
pub(crate) fn movd_xmm_r32(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = cx.reg::<u32>(op.rm);
    set_xmm(cx, op.reg, u128::from(value));
    Ok(())
}

/// `MOVD r32, xmm`.
pub(crate) fn movd_r32_xmm(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = doublewords(cx.state().regs.xmm(op.reg))[0];
    cx.set_reg(op.rm, value);
    Ok(())
}

/// `MOVD mm, r/m32`.
pub(crate) fn movd_mm_rm32<R: super::Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    mmx_ready(cx)?;
    let value = R::read::<u32>(cx, op)?;
    set_mm(cx, op.reg, u64::from(value));
    Ok(())
}

/// `MOVD r/m32, mm`.
pub(crate) fn movd_rm32_mm<R: super::Rm>(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    mmx_ready(cx)?;
    let value = crate::alu::low(cx.state().regs.fpu.mmx(op.reg.number()));
    let stored = R::write(cx, op, value)?;
    cx.state_mut().regs.fpu.enter_mmx();
    Ok(stored)
}

/// `MOVQ mm, mm/m64`.
pub(crate) fn movq_mm_mmm64<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    mmx_ready(cx)?;
    let value = R::mm(cx, op)?;
    set_mm(cx, op.reg, value);
    Ok(())
}

/// `MOVQ m64, mm` and MOVNTQ.
pub(crate) fn movq_m64_mm(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    mmx_ready(cx)?;
    let value = cx.state().regs.fpu.mmx(op.reg.number());
    let stored = cx.store(op, value)?;
    cx.state_mut().regs.fpu.enter_mmx();
    Ok(stored)
}

/// `MOVQ mm, mm` in the store encoding.
pub(crate) fn movq_mm_mm_store(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    mmx_ready(cx)?;
    let value = cx.state().regs.fpu.mmx(op.reg.number());
    set_mm(cx, op.rm, value);
    Ok(())
}

/// MOVQ2DQ.
pub(crate) fn movq2dq(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    mmx_ready(cx)?;
    let value = cx.state().regs.fpu.mmx(op.rm.number());
    cx.state_mut().regs.fpu.enter_mmx();
    set_xmm(cx, op.reg, u128::from(value));
    Ok(())
}

/// MOVDQ2Q.
pub(crate) fn movdq2q(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    mmx_ready(cx)?;
    let value = quadwords(cx.state().regs.xmm(op.rm))[0];
    set_mm(cx, op.reg, value);
    Ok(())
}

/// EMMS.
pub(crate) fn emms(cx: &mut impl Context, _: &Op) -> Result<(), Stop> {
    mmx_ready(cx)?;
    cx.state_mut().regs.fpu.leave_mmx();
    Ok(())
}

/// PMOVMSKB of an XMM register.
pub(crate) fn pmovmskb_r32_xmm(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let bytes = cx.state().regs.xmm(op.rm).to_le_bytes();
    cx.set_reg(op.reg, sign_bits(bytes.iter().map(|byte| byte >> 7)));
    Ok(())
}

/// PMOVMSKB of an MMX register.
pub(crate) fn pmovmskb_r32_mm(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    mmx_ready(cx)?;
    let bytes = cx.state().regs.fpu.mmx(op.rm.number()).to_le_bytes();
    cx.state_mut().regs.fpu.enter_mmx();
    cx.set_reg(op.reg, sign_bits(bytes.iter().map(|byte| byte >> 7)));
    Ok(())
}

/// MOVMSKPS.
pub(crate) fn movmskps(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let lanes = doublewords(cx.state().regs.xmm(op.rm));
    cx.set_reg(
        op.reg,
        sign_bits(lanes.iter().map(|lane| u8::from(lane >> 31 != 0))),
    );
    Ok(())
}

/// MOVMSKPD.
pub(crate) fn movmskpd(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let lanes = quadwords(cx.state().regs.xmm(op.rm));
    cx.set_reg(
        op.reg,
        sign_bits(lanes.iter().map(|lane| u8::from(lane >> 63 != 0))),
    );
    Ok(())
}

fn sign_bits(signs: impl DoubleEndedIterator<Item = u8>) -> u32 {
    signs
        .rev()
        .fold(0, |mask, sign| mask << 1 | u32::from(sign))
}

/// PSHUFD.
pub(crate) fn pshufd<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let source = R::xmm(cx, op)?;
    set_xmm(
        cx,
        op.reg,
        from_doublewords(shuffle(doublewords(source), op.imm)),
    );
    Ok(())
}

/// PSHUFLW and PSHUFHW: the four words from `FIRST` on.
pub(crate) fn pshuf_words<R: VectorRm, const FIRST: usize>(
    cx: &mut impl Context,
    op: &Op,
) -> Result<(), Stop> {
    let mut lanes = words(R::xmm(cx, op)?);
    let source = [0, 1, 2, 3].map(|index| lanes[FIRST + index]);
    lanes[FIRST..FIRST + 4].copy_from_slice(&shuffle(source, op.imm));
    set_xmm(cx, op.reg, from_words(lanes));
    Ok(())
}

/// PSHUFW.
pub(crate) fn pshufw<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    mmx_ready(cx)?;
    let lanes = words(u128::from(R::mm(cx, op)?));
    let [a, b, c, d] = shuffle([lanes[0], lanes[1], lanes[2], lanes[3]], op.imm);
    set_mm(
        cx,
        op.reg,
        quadwords(from_words([a, b, c, d, 0, 0, 0, 0]))[0],
    );
    Ok(())
}

/// SHUFPS: two lanes of the destination, then two of the source.
pub(crate) fn shufps<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let source = shuffle(doublewords(R::xmm(cx, op)?), op.imm);
    let old = shuffle(doublewords(cx.state().regs.xmm(op.reg)), op.imm);
    set_xmm(
        cx,
        op.reg,
        from_doublewords([old[0], old[1], source[2], source[3]]),
    );
    Ok(())
}

/// SHUFPD.
pub(crate) fn shufpd<R: VectorRm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let source = quadwords(R::xmm(cx, op)?);
    let old = quadwords(cx.state().regs.xmm(op.reg));
    let lanes = [
        old[(op.imm & 1) as usize],
        source[(op.imm >> 1 & 1) as usize],
    ];
    set_xmm(cx, op.reg, from_quadwords(lanes));
    Ok(())
}

/// `PINSRW xmm, r32/m16, imm8`.
pub(crate) fn pinsrw_xmm<R: super::Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = R::read::<u16>(cx, op)?;
    let mut lanes = words(cx.state().regs.xmm(op.reg));
    lanes[(op.imm & 7) as usize] = value;
    set_xmm(cx, op.reg, from_words(lanes));
    Ok(())
}

/// `PINSRW mm, r32/m16, imm8`.
pub(crate) fn pinsrw_mm<R: super::Rm>(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    mmx_ready(cx)?;
    let value = R::read::<u16>(cx, op)?;
    let mut lanes = words(u128::from(cx.state().regs.fpu.mmx(op.reg.number())));
    lanes[(op.imm & 3) as usize] = value;
    set_mm(cx, op.reg, quadwords(from_words(lanes))[0]);
    Ok(())
}

/// `PEXTRW r32, xmm, imm8`.
pub(crate) fn pextrw_xmm(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let lanes = words(cx.state().regs.xmm(op.rm));
    cx.set_reg(op.reg, u32::from(lanes[(op.imm & 7) as usize]));
    Ok(())
}

/// `PEXTRW r32, mm, imm8`.
pub(crate) fn pextrw_mm(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    mmx_ready(cx)?;
    let lanes = words(u128::from(cx.state().regs.fpu.mmx(op.rm.number())));
    cx.state_mut().regs.fpu.enter_mmx();
    cx.set_reg(op.reg, u32::from(lanes[(op.imm & 3) as usize]));
    Ok(())
}

/// MASKMOVDQU: bytes whose mask has the sign bit go to DS:EDI.
pub(crate) fn maskmovdqu(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let regs = &cx.state().regs;
    let (data, mask) = (
        regs.xmm(op.reg).to_le_bytes(),
        regs.xmm(op.rm).to_le_bytes(),
    );
    masked_store(cx, op, &data, &mask)
}

/// MASKMOVQ.
pub(crate) fn maskmovq(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    mmx_ready(cx)?;
    let fpu = &cx.state().regs.fpu;
    let data = fpu.mmx(op.reg.number()).to_le_bytes();
    let mask = fpu.mmx(op.rm.number()).to_le_bytes();
    let stored = masked_store(cx, op, &data, &mask)?;
    cx.state_mut().regs.fpu.enter_mmx();
    Ok(stored)
}

// Quirk: masked-stores
/// Stores the chosen bytes at DS:EDI, or DS:DI, after all of them have been found writable.
fn masked_store(cx: &mut impl Context, op: &Op, data: &[u8], mask: &[u8]) -> Result<Stored, Stop> {
    let edi = string::offset(cx, op, Reg::Edi);
    let chosen = || {
        (0_u32..)
            .zip(data)
            .zip(mask)
            .filter(|(_, mask)| **mask >> 7 != 0)
    };
    let mut stored = Stored::Plain;
    for ((index, _), _) in chosen() {
        let offset = edi.wrapping_add(index);
        let addr = cx
            .state()
            .segment_linear(op.segment, offset, 1, AccessKind::Write)?;
        cx.probe_write::<u8>(addr)?;
    }
    for ((index, byte), _) in chosen() {
        let offset = edi.wrapping_add(index);
        let addr = cx
            .state()
            .segment_linear(op.segment, offset, 1, AccessKind::Write)?;
        stored = either(stored, cx.write(addr, *byte)?);
    }
    Ok(stored)
}

/// LDMXCSR: #GP for bits that do not exist.
pub(crate) fn ldmxcsr(cx: &mut impl Context, op: &Op) -> Result<(), Stop> {
    let value = cx.load::<u32>(op)?;
    if value & !Registers::MXCSR_BITS != 0 {
        return Err(general_protection());
    }
    cx.state_mut().regs.set_mxcsr(value);
    Ok(())
}

/// STMXCSR.
pub(crate) fn stmxcsr(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
    let value = cx.state().regs.mxcsr();
    cx.store(op, value)
}
