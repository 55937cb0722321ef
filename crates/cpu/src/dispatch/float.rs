//! The list of floating-point, MMX and SSE instructions.

use iced_x86::Code;
use pagefault_mmu::{Mmu, Stored};

use super::{BlockEnd, Entry, RmKind};
use crate::block::{Flow, Slot};
use crate::context::{Context, Cx, HitCx, State};
use crate::exception::Stop;
use crate::exec::{
    Done, InMem, InReg, packed, simd, sse, system, x87, x87_functions, x87_parts, x87_state,
};
use crate::observer::Observer;
use crate::op::Op;

/// As `step!`, for an x87 instruction that is not one of control: the unit remembers where it was.
macro_rules! x87 {
    ($($handler:tt)+) => {{
        #[inline(always)]
        fn noted(cx: &mut impl Context, op: &Op) -> Result<Stored, Stop> {
            let done = $($handler)+(cx, op)?;
            let state = cx.state_mut();
            let eip = state.block_eip.wrapping_add(u32::from(op.at));
            state.regs.fpu.note_instruction(eip);
            Ok(if done.has_stored_code() {
                Stored::Tracked
            } else {
                Stored::Plain
            })
        }
        step!(noted)
    }};
}

/// The floating-point unit.
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
pub(super) fn x87<O: pagefault_mmu::Observer, C: Observer>(code: Code) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Fadd_m32fp => x87!(x87::arith_m::<x87::Add, x87::M32>),
        Code::Fadd_m64fp => x87!(x87::arith_m::<x87::Add, x87::M64>),
        Code::Fiadd_m32int => x87!(x87::arith_m::<x87::Add, x87::I32>),
        Code::Fiadd_m16int => x87!(x87::arith_m::<x87::Add, x87::I16>),
        Code::Fadd_st0_sti => x87!(x87::arith_st0_sti::<x87::Add>),
        Code::Fadd_sti_st0 => x87!(x87::arith_sti_st0::<x87::Add, 0>),
        Code::Faddp_sti_st0 => x87!(x87::arith_sti_st0::<x87::Add, 1>),
        Code::Fmul_m32fp => x87!(x87::arith_m::<x87::Mul, x87::M32>),
        Code::Fmul_m64fp => x87!(x87::arith_m::<x87::Mul, x87::M64>),
        Code::Fimul_m32int => x87!(x87::arith_m::<x87::Mul, x87::I32>),
        Code::Fimul_m16int => x87!(x87::arith_m::<x87::Mul, x87::I16>),
        Code::Fmul_st0_sti => x87!(x87::arith_st0_sti::<x87::Mul>),
        Code::Fmul_sti_st0 => x87!(x87::arith_sti_st0::<x87::Mul, 0>),
        Code::Fmulp_sti_st0 => x87!(x87::arith_sti_st0::<x87::Mul, 1>),
        Code::Fsub_m32fp => x87!(x87::arith_m::<x87::Sub, x87::M32>),
        Code::Fsub_m64fp => x87!(x87::arith_m::<x87::Sub, x87::M64>),
        Code::Fisub_m32int => x87!(x87::arith_m::<x87::Sub, x87::I32>),
        Code::Fisub_m16int => x87!(x87::arith_m::<x87::Sub, x87::I16>),
        Code::Fsub_st0_sti => x87!(x87::arith_st0_sti::<x87::Sub>),
        Code::Fsub_sti_st0 => x87!(x87::arith_sti_st0::<x87::Sub, 0>),
        Code::Fsubp_sti_st0 => x87!(x87::arith_sti_st0::<x87::Sub, 1>),
        Code::Fsubr_m32fp => x87!(x87::arith_m::<x87::Subr, x87::M32>),
        Code::Fsubr_m64fp => x87!(x87::arith_m::<x87::Subr, x87::M64>),
        Code::Fisubr_m32int => x87!(x87::arith_m::<x87::Subr, x87::I32>),
        Code::Fisubr_m16int => x87!(x87::arith_m::<x87::Subr, x87::I16>),
        Code::Fsubr_st0_sti => x87!(x87::arith_st0_sti::<x87::Subr>),
        Code::Fsubr_sti_st0 => x87!(x87::arith_sti_st0::<x87::Subr, 0>),
        Code::Fsubrp_sti_st0 => x87!(x87::arith_sti_st0::<x87::Subr, 1>),
        Code::Fdiv_m32fp => x87!(x87::arith_m::<x87::Div, x87::M32>),
        Code::Fdiv_m64fp => x87!(x87::arith_m::<x87::Div, x87::M64>),
        Code::Fidiv_m32int => x87!(x87::arith_m::<x87::Div, x87::I32>),
        Code::Fidiv_m16int => x87!(x87::arith_m::<x87::Div, x87::I16>),
        Code::Fdiv_st0_sti => x87!(x87::arith_st0_sti::<x87::Div>),
        Code::Fdiv_sti_st0 => x87!(x87::arith_sti_st0::<x87::Div, 0>),
        Code::Fdivp_sti_st0 => x87!(x87::arith_sti_st0::<x87::Div, 1>),
        Code::Fdivr_m32fp => x87!(x87::arith_m::<x87::Divr, x87::M32>),
        Code::Fdivr_m64fp => x87!(x87::arith_m::<x87::Divr, x87::M64>),
        Code::Fidivr_m32int => x87!(x87::arith_m::<x87::Divr, x87::I32>),
        Code::Fidivr_m16int => x87!(x87::arith_m::<x87::Divr, x87::I16>),
        Code::Fdivr_st0_sti => x87!(x87::arith_st0_sti::<x87::Divr>),
        Code::Fdivr_sti_st0 => x87!(x87::arith_sti_st0::<x87::Divr, 0>),
        Code::Fdivrp_sti_st0 => x87!(x87::arith_sti_st0::<x87::Divr, 1>),
        Code::Fcom_m32fp => x87!(x87::com_m::<x87::M32, 0>),
        Code::Fcom_m64fp => x87!(x87::com_m::<x87::M64, 0>),
        Code::Ficom_m32int => x87!(x87::com_m::<x87::I32, 0>),
        Code::Ficom_m16int => x87!(x87::com_m::<x87::I16, 0>),
        Code::Fcom_st0_sti | Code::Fcom_st0_sti_DCD0 => x87!(x87::com_sti::<0>),
        Code::Fucom_st0_sti => x87!(x87::ucom_sti::<0>),
        Code::Fcomi_st0_sti => x87!(x87::comi::<0>),
        Code::Fucomi_st0_sti => x87!(x87::ucomi::<0>),
        Code::Fst_m32fp => x87!(x87::st_m::<x87::M32, 0>),
        Code::Fst_m64fp => x87!(x87::st_m::<x87::M64, 0>),
        Code::Fist_m32int => x87!(x87::ist_m::<x87::I32, 0>),
        Code::Fist_m16int => x87!(x87::ist_m::<x87::I16, 0>),
        Code::Fcomp_m32fp => x87!(x87::com_m::<x87::M32, 1>),
        Code::Fcomp_m64fp => x87!(x87::com_m::<x87::M64, 1>),
        Code::Ficomp_m32int => x87!(x87::com_m::<x87::I32, 1>),
        Code::Ficomp_m16int => x87!(x87::com_m::<x87::I16, 1>),
        Code::Fcomp_st0_sti | Code::Fcomp_st0_sti_DCD8 | Code::Fcomp_st0_sti_DED0 => {
            x87!(x87::com_sti::<1>)
        }
        Code::Fucomp_st0_sti => x87!(x87::ucom_sti::<1>),
        Code::Fcomip_st0_sti => x87!(x87::comi::<1>),
        Code::Fucomip_st0_sti => x87!(x87::ucomi::<1>),
        Code::Fstp_m32fp => x87!(x87::st_m::<x87::M32, 1>),
        Code::Fstp_m64fp => x87!(x87::st_m::<x87::M64, 1>),
        Code::Fistp_m32int => x87!(x87::ist_m::<x87::I32, 1>),
        Code::Fistp_m16int => x87!(x87::ist_m::<x87::I16, 1>),
        Code::Fistp_m64int => x87!(x87::ist_m::<x87::I64, 1>),
        Code::Fisttp_m16int => x87!(x87::isttp_m::<x87::I16>),
        Code::Fild_m16int => x87!(x87::ld_m::<x87::I16>),
        Code::Fisttp_m32int => x87!(x87::isttp_m::<x87::I32>),
        Code::Fild_m32int => x87!(x87::ld_m::<x87::I32>),
        Code::Fisttp_m64int => x87!(x87::isttp_m::<x87::I64>),
        Code::Fild_m64int => x87!(x87::ld_m::<x87::I64>),
        Code::Fst_sti => x87!(x87::st_sti::<0>),
        Code::Fstpnce_sti => x87!(x87::fstpnce),
        Code::Fstp_sti | Code::Fstp_sti_DFD0 | Code::Fstp_sti_DFD8 => {
            x87!(x87::st_sti::<1>)
        }
        Code::Fcompp => x87!(x87::fcompp),
        Code::Fucompp => x87!(x87::fucompp),
        Code::Ftst => x87!(x87::ftst),
        Code::Fxam => x87!(x87::fxam),
        Code::Fld_m32fp => x87!(x87::ld_m::<x87::M32>),
        Code::Fld_m64fp => x87!(x87::ld_m::<x87::M64>),
        Code::Fld_m80fp => x87!(x87::fld_m80),
        Code::Fld_sti => x87!(x87::fld_sti),
        Code::Fld1 => x87!(x87::fld_constant::<0>),
        Code::Fldl2t => x87!(x87::fld_constant::<1>),
        Code::Fldl2e => x87!(x87::fld_constant::<2>),
        Code::Fldpi => x87!(x87::fld_constant::<3>),
        Code::Fldlg2 => x87!(x87::fld_constant::<4>),
        Code::Fldln2 => x87!(x87::fld_constant::<5>),
        Code::Fldz => x87!(x87::fld_constant::<6>),
        Code::Fstp_m80fp => x87!(x87::fstp_m80),
        Code::Fxch_st0_sti | Code::Fxch_st0_sti_DDC8 | Code::Fxch_st0_sti_DFC8 => x87!(x87::fxch),
        Code::Fcmovb_st0_sti => x87!(x87::fcmov::<2>),
        Code::Fcmove_st0_sti => x87!(x87::fcmov::<4>),
        Code::Fcmovbe_st0_sti => x87!(x87::fcmov::<6>),
        Code::Fcmovu_st0_sti => x87!(x87::fcmov::<10>),
        Code::Fcmovnb_st0_sti => x87!(x87::fcmov::<3>),
        Code::Fcmovne_st0_sti => x87!(x87::fcmov::<5>),
        Code::Fcmovnbe_st0_sti => x87!(x87::fcmov::<7>),
        Code::Fcmovnu_st0_sti => x87!(x87::fcmov::<11>),
        Code::Fchs => x87!(x87::sign::<0, 0x8000>),
        Code::Fabs => x87!(x87::sign::<0x8000, 0>),
        Code::Fprem => x87!(x87_parts::fprem),
        Code::Fprem1 => x87!(x87_parts::fprem1),
        Code::Fscale => x87!(x87_parts::fscale),
        Code::Fxtract => x87!(x87_parts::fxtract),
        Code::Fsqrt => x87!(x87::fsqrt),
        Code::Frndint => x87!(x87::frndint),
        Code::Fincstp => x87!(x87::fincstp),
        Code::Fdecstp => x87!(x87::fdecstp),
        Code::Fnclex => step!(x87::fnclex),
        Code::Fninit => step!(x87::fninit),
        Code::Ffree_sti => x87!(x87::ffree),
        Code::Ffreep_sti => x87!(x87::ffreep),
        Code::F2xm1 => x87!(x87_functions::f2xm1),
        Code::Fyl2x => x87!(x87_functions::fyl2x),
        Code::Fyl2xp1 => x87!(x87_functions::fyl2xp1),
        Code::Fpatan => x87!(x87_functions::fpatan),
        Code::Fptan => x87!(x87_functions::fptan),
        Code::Fsin => x87!(x87_functions::fsin),
        Code::Fcos => x87!(x87_functions::fcos),
        Code::Fsincos => x87!(x87_functions::fsincos),
        Code::Fbld_m80bcd => x87!(x87_state::fbld_m80bcd),
        Code::Fbstp_m80bcd => x87!(x87_state::fbstp_m80bcd),
        Code::Fnstenv_m14byte => step!(x87_state::fnstenv::<u16>),
        Code::Fnstenv_m28byte => step!(x87_state::fnstenv::<u32>),
        Code::Fldenv_m14byte => step!(x87_state::fldenv::<u16>),
        Code::Fldenv_m28byte => step!(x87_state::fldenv::<u32>),
        Code::Fnsave_m94byte => step!(x87_state::fnsave::<u16>),
        Code::Fnsave_m108byte => step!(x87_state::fnsave::<u32>),
        Code::Frstor_m94byte => step!(x87_state::frstor::<u16>),
        Code::Frstor_m108byte => step!(x87_state::frstor::<u32>),
        Code::Fxsave_m512byte => step!(x87_state::fxsave_m512byte),
        Code::Fxrstor_m512byte => step!(x87_state::fxrstor_m512byte),
        Code::Fldcw_m2byte => step!(x87::fldcw),
        Code::Fnstcw_m2byte => step!(x87::fnstcw),
        Code::Fnstsw_m2byte => step!(x87::fnstsw),
        Code::Fnstsw_AX => step!(x87::fnstsw_ax),
        Code::Wait => step!(x87::wait),
        Code::Fnop => x87!(x87::wait),
        Code::Fneni | Code::Fndisi | Code::Fnsetpm => quick!(system::nop),
        _ => return None,
    };
    Some(entry)
}

/// MMX.
#[expect(clippy::too_many_lines, reason = "a list of instructions")]
pub(super) fn mmx<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Paddb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddb, R>),
        Code::Paddw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddw, R>),
        Code::Paddd_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddd, R>),
        Code::Paddq_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddq, R>),
        Code::Psubb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubb, R>),
        Code::Psubw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubw, R>),
        Code::Psubd_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubd, R>),
        Code::Psubq_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubq, R>),
        Code::Paddusb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddusb, R>),
        Code::Paddusw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddusw, R>),
        Code::Psubusb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubusb, R>),
        Code::Psubusw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubusw, R>),
        Code::Paddsb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddsb, R>),
        Code::Paddsw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Paddsw, R>),
        Code::Psubsb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubsb, R>),
        Code::Psubsw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psubsw, R>),
        Code::Pminub_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pminub, R>),
        Code::Pmaxub_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pmaxub, R>),
        Code::Pminsw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pminsw, R>),
        Code::Pmaxsw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pmaxsw, R>),
        Code::Pavgb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pavgb, R>),
        Code::Pavgw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pavgw, R>),
        Code::Pand_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pand, R>),
        Code::Pandn_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pandn, R>),
        Code::Por_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Por, R>),
        Code::Pxor_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pxor, R>),
        Code::Pcmpeqb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pcmpeqb, R>),
        Code::Pcmpeqw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pcmpeqw, R>),
        Code::Pcmpeqd_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pcmpeqd, R>),
        Code::Pcmpgtb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pcmpgtb, R>),
        Code::Pcmpgtw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pcmpgtw, R>),
        Code::Pcmpgtd_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pcmpgtd, R>),
        Code::Pmullw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pmullw, R>),
        Code::Pmulhw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pmulhw, R>),
        Code::Pmulhuw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pmulhuw, R>),
        Code::Pmuludq_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pmuludq, R>),
        Code::Pmaddwd_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pmaddwd, R>),
        Code::Psadbw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psadbw, R>),
        Code::Packsswb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Packsswb, R>),
        Code::Packuswb_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Packuswb, R>),
        Code::Packssdw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Packssdw, R>),
        Code::Punpckhbw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Punpckhbw, R>),
        Code::Punpckhwd_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Punpckhwd, R>),
        Code::Punpckhdq_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Punpckhdq, R>),
        Code::Psllw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psllw, R>),
        Code::Psrlw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psrlw, R>),
        Code::Psraw_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psraw, R>),
        Code::Pslld_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Pslld, R>),
        Code::Psrld_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psrld, R>),
        Code::Psrad_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psrad, R>),
        Code::Psllq_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psllq, R>),
        Code::Psrlq_mm_mmm64 => rm!(kind, simd::mm_mmm64::<packed::Psrlq, R>),
        Code::Punpcklbw_mm_mmm32 => rm!(kind, simd::mm_mmm32::<packed::Punpcklbw, R>),
        Code::Punpcklwd_mm_mmm32 => rm!(kind, simd::mm_mmm32::<packed::Punpcklwd, R>),
        Code::Punpckldq_mm_mmm32 => rm!(kind, simd::mm_mmm32::<packed::Punpckldq, R>),
        Code::Psllw_mm_imm8 => step!(simd::mm_imm8::<packed::Psllw>),
        Code::Psrlw_mm_imm8 => step!(simd::mm_imm8::<packed::Psrlw>),
        Code::Psraw_mm_imm8 => step!(simd::mm_imm8::<packed::Psraw>),
        Code::Pslld_mm_imm8 => step!(simd::mm_imm8::<packed::Pslld>),
        Code::Psrld_mm_imm8 => step!(simd::mm_imm8::<packed::Psrld>),
        Code::Psrad_mm_imm8 => step!(simd::mm_imm8::<packed::Psrad>),
        Code::Psllq_mm_imm8 => step!(simd::mm_imm8::<packed::Psllq>),
        Code::Psrlq_mm_imm8 => step!(simd::mm_imm8::<packed::Psrlq>),
        Code::Movd_mm_rm32 => quick_rm!(kind, simd::movd_mm_rm32::<R>),
        Code::Movd_rm32_mm => quick_rm!(kind, simd::movd_rm32_mm::<R>),
        Code::Movq_mm_mmm64 => quick_rm!(kind, simd::movq_mm_mmm64::<R>),
        Code::Movq_mmm64_mm => choose!(
            kind,
            step!(simd::movq_mm_mm_store),
            step!(simd::movq_m64_mm)
        ),
        Code::Movntq_m64_mm => quick!(simd::movq_m64_mm),
        Code::Movq2dq_xmm_mm => quick!(simd::movq2dq),
        Code::Movdq2q_mm_xmm => quick!(simd::movdq2q),
        Code::Emms => step!(simd::emms),
        Code::Pmovmskb_r32_mm => step!(simd::pmovmskb_r32_mm),
        Code::Pshufw_mm_mmm64_imm8 => rm!(kind, simd::pshufw::<R>),
        Code::Pinsrw_mm_r32m16_imm8 => rm!(kind, simd::pinsrw_mm::<R>),
        Code::Pextrw_r32_mm_imm8 => step!(simd::pextrw_mm),
        Code::Maskmovq_rDI_mm_mm => step!(simd::maskmovq),
        _ => return None,
    };
    Some(entry)
}

/// The integer part of SSE and SSE2, and moves.
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
pub(super) fn sse<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Paddb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddb, R>),
        Code::Paddw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddw, R>),
        Code::Paddd_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddd, R>),
        Code::Paddq_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddq, R>),
        Code::Psubb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubb, R>),
        Code::Psubw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubw, R>),
        Code::Psubd_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubd, R>),
        Code::Psubq_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubq, R>),
        Code::Paddusb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddusb, R>),
        Code::Paddusw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddusw, R>),
        Code::Psubusb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubusb, R>),
        Code::Psubusw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubusw, R>),
        Code::Paddsb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddsb, R>),
        Code::Paddsw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Paddsw, R>),
        Code::Psubsb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubsb, R>),
        Code::Psubsw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psubsw, R>),
        Code::Pminub_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pminub, R>),
        Code::Pmaxub_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pmaxub, R>),
        Code::Pminsw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pminsw, R>),
        Code::Pmaxsw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pmaxsw, R>),
        Code::Pavgb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pavgb, R>),
        Code::Pavgw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pavgw, R>),
        Code::Pand_xmm_xmmm128 | Code::Andps_xmm_xmmm128 | Code::Andpd_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Pand, R>)
        }
        Code::Pandn_xmm_xmmm128 | Code::Andnps_xmm_xmmm128 | Code::Andnpd_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Pandn, R>)
        }
        Code::Por_xmm_xmmm128 | Code::Orps_xmm_xmmm128 | Code::Orpd_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Por, R>)
        }
        Code::Pxor_xmm_xmmm128 | Code::Xorps_xmm_xmmm128 | Code::Xorpd_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Pxor, R>)
        }
        Code::Pcmpeqb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pcmpeqb, R>),
        Code::Pcmpeqw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pcmpeqw, R>),
        Code::Pcmpeqd_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pcmpeqd, R>),
        Code::Pcmpgtb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pcmpgtb, R>),
        Code::Pcmpgtw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pcmpgtw, R>),
        Code::Pcmpgtd_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pcmpgtd, R>),
        Code::Pmullw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pmullw, R>),
        Code::Pmulhw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pmulhw, R>),
        Code::Pmulhuw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pmulhuw, R>),
        Code::Pmuludq_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pmuludq, R>),
        Code::Pmaddwd_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pmaddwd, R>),
        Code::Psadbw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psadbw, R>),
        Code::Packsswb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Packsswb, R>),
        Code::Packuswb_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Packuswb, R>),
        Code::Packssdw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Packssdw, R>),
        Code::Punpckhbw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Punpckhbw, R>),
        Code::Punpckhwd_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Punpckhwd, R>),
        Code::Punpckhdq_xmm_xmmm128 | Code::Unpckhps_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Punpckhdq, R>)
        }
        Code::Psllw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psllw, R>),
        Code::Psrlw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psrlw, R>),
        Code::Psraw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psraw, R>),
        Code::Pslld_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Pslld, R>),
        Code::Psrld_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psrld, R>),
        Code::Psrad_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psrad, R>),
        Code::Psllq_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psllq, R>),
        Code::Psrlq_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Psrlq, R>),
        Code::Punpcklbw_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Punpcklbw, R>),
        Code::Punpcklwd_xmm_xmmm128 => rm!(kind, simd::xmm_xmmm128::<packed::Punpcklwd, R>),
        Code::Punpckldq_xmm_xmmm128 | Code::Unpcklps_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Punpckldq, R>)
        }
        Code::Punpcklqdq_xmm_xmmm128 | Code::Unpcklpd_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Punpcklqdq, R>)
        }
        Code::Punpckhqdq_xmm_xmmm128 | Code::Unpckhpd_xmm_xmmm128 => {
            rm!(kind, simd::xmm_xmmm128::<packed::Punpckhqdq, R>)
        }
        Code::Psllw_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psllw>),
        Code::Psrlw_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psrlw>),
        Code::Psraw_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psraw>),
        Code::Pslld_xmm_imm8 => step!(simd::xmm_imm8::<packed::Pslld>),
        Code::Psrld_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psrld>),
        Code::Psrad_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psrad>),
        Code::Psllq_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psllq>),
        Code::Psrlq_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psrlq>),
        Code::Pslldq_xmm_imm8 => step!(simd::xmm_imm8::<packed::Pslldq>),
        Code::Psrldq_xmm_imm8 => step!(simd::xmm_imm8::<packed::Psrldq>),
        Code::Movhlps_xmm_xmm => step!(simd::xmm_xmmm128::<packed::Movhlps, InReg>),
        Code::Movlhps_xmm_xmm => step!(simd::xmm_xmmm128::<packed::Movlhps, InReg>),
        Code::Movaps_xmm_xmmm128 | Code::Movapd_xmm_xmmm128 | Code::Movdqa_xmm_xmmm128 => {
            quick_rm!(kind, simd::mova_xmm_xmmm128::<R>)
        }
        Code::Movups_xmm_xmmm128 | Code::Movupd_xmm_xmmm128 | Code::Movdqu_xmm_xmmm128 => {
            quick_rm!(kind, simd::movu_xmm_xmmm128::<R>)
        }
        Code::Movaps_xmmm128_xmm | Code::Movapd_xmmm128_xmm | Code::Movdqa_xmmm128_xmm => {
            choose!(kind, step!(simd::mov_rm_xmm), step!(simd::mova_m128_xmm))
        }
        Code::Movups_xmmm128_xmm | Code::Movupd_xmmm128_xmm | Code::Movdqu_xmmm128_xmm => {
            choose!(kind, step!(simd::mov_rm_xmm), step!(simd::movu_m128_xmm))
        }
        Code::Movntps_m128_xmm | Code::Movntpd_m128_xmm | Code::Movntdq_m128_xmm => {
            quick!(simd::mova_m128_xmm)
        }
        Code::Movss_xmm_xmmm32 => choose!(kind, step!(simd::movss_reg::<0>), step!(simd::load32)),
        Code::Movss_xmmm32_xmm => choose!(kind, step!(simd::movss_reg::<1>), step!(simd::store32)),
        Code::Movsd_xmm_xmmm64 => choose!(
            kind,
            step!(simd::movsd_reg::<0>),
            step!(simd::load64::<InMem>)
        ),
        Code::Movsd_xmmm64_xmm => choose!(kind, step!(simd::movsd_reg::<1>), step!(simd::store64)),
        Code::Movq_xmm_xmmm64 => rm!(kind, simd::load64::<R>),
        Code::Movq_xmmm64_xmm => {
            choose!(kind, step!(simd::movq_xmm_xmm_store), step!(simd::store64))
        }
        Code::Movd_xmm_rm32 => choose!(kind, step!(simd::movd_xmm_r32), step!(simd::load32)),
        Code::Movd_rm32_xmm => choose!(kind, step!(simd::movd_r32_xmm), step!(simd::store32)),
        Code::Movlps_xmm_m64 | Code::Movlpd_xmm_m64 => step!(simd::load_low64),
        Code::Movlps_m64_xmm | Code::Movlpd_m64_xmm => step!(simd::store64),
        Code::Movhps_xmm_m64 | Code::Movhpd_xmm_m64 => step!(simd::load_high64),
        Code::Movhps_m64_xmm | Code::Movhpd_m64_xmm => step!(simd::store_high64),
        Code::Pmovmskb_r32_xmm => step!(simd::pmovmskb_r32_xmm),
        Code::Movmskps_r32_xmm => quick!(simd::movmskps),
        Code::Movmskpd_r32_xmm => quick!(simd::movmskpd),
        Code::Pshufd_xmm_xmmm128_imm8 => rm!(kind, simd::pshufd::<R>),
        Code::Pshuflw_xmm_xmmm128_imm8 => rm!(kind, simd::pshuf_words::<R, 0>),
        Code::Pshufhw_xmm_xmmm128_imm8 => rm!(kind, simd::pshuf_words::<R, 4>),
        Code::Shufps_xmm_xmmm128_imm8 => rm!(kind, simd::shufps::<R>),
        Code::Shufpd_xmm_xmmm128_imm8 => rm!(kind, simd::shufpd::<R>),
        Code::Pinsrw_xmm_r32m16_imm8 => rm!(kind, simd::pinsrw_xmm::<R>),
        Code::Pextrw_r32_xmm_imm8 => step!(simd::pextrw_xmm),
        Code::Maskmovdqu_rDI_xmm_xmm => step!(simd::maskmovdqu),
        Code::Ldmxcsr_m32 => step!(simd::ldmxcsr),
        Code::Stmxcsr_m32 => step!(simd::stmxcsr),
        _ => return None,
    };
    Some(entry)
}

/// SSE and SSE2 floating point.
#[expect(clippy::too_many_lines, reason = "a list of instructions")]
pub(super) fn sse_float<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Addps_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Add, sse::Single, R>),
        Code::Addpd_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Add, sse::Double, R>),
        Code::Addss_xmm_xmmm32 => rm!(kind, sse::scalar::<sse::Add, sse::Single, R>),
        Code::Addsd_xmm_xmmm64 => rm!(kind, sse::scalar::<sse::Add, sse::Double, R>),
        Code::Subps_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Sub, sse::Single, R>),
        Code::Subpd_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Sub, sse::Double, R>),
        Code::Subss_xmm_xmmm32 => rm!(kind, sse::scalar::<sse::Sub, sse::Single, R>),
        Code::Subsd_xmm_xmmm64 => rm!(kind, sse::scalar::<sse::Sub, sse::Double, R>),
        Code::Mulps_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Mul, sse::Single, R>),
        Code::Mulpd_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Mul, sse::Double, R>),
        Code::Mulss_xmm_xmmm32 => rm!(kind, sse::scalar::<sse::Mul, sse::Single, R>),
        Code::Mulsd_xmm_xmmm64 => rm!(kind, sse::scalar::<sse::Mul, sse::Double, R>),
        Code::Divps_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Div, sse::Single, R>),
        Code::Divpd_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Div, sse::Double, R>),
        Code::Divss_xmm_xmmm32 => rm!(kind, sse::scalar::<sse::Div, sse::Single, R>),
        Code::Divsd_xmm_xmmm64 => rm!(kind, sse::scalar::<sse::Div, sse::Double, R>),
        Code::Sqrtps_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Sqrt, sse::Single, R>),
        Code::Sqrtpd_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Sqrt, sse::Double, R>),
        Code::Sqrtss_xmm_xmmm32 => rm!(kind, sse::scalar::<sse::Sqrt, sse::Single, R>),
        Code::Sqrtsd_xmm_xmmm64 => rm!(kind, sse::scalar::<sse::Sqrt, sse::Double, R>),
        Code::Minps_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Min, sse::Single, R>),
        Code::Minpd_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Min, sse::Double, R>),
        Code::Minss_xmm_xmmm32 => rm!(kind, sse::scalar::<sse::Min, sse::Single, R>),
        Code::Minsd_xmm_xmmm64 => rm!(kind, sse::scalar::<sse::Min, sse::Double, R>),
        Code::Maxps_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Max, sse::Single, R>),
        Code::Maxpd_xmm_xmmm128 => rm!(kind, sse::packed::<sse::Max, sse::Double, R>),
        Code::Maxss_xmm_xmmm32 => rm!(kind, sse::scalar::<sse::Max, sse::Single, R>),
        Code::Maxsd_xmm_xmmm64 => rm!(kind, sse::scalar::<sse::Max, sse::Double, R>),
        Code::Cmpps_xmm_xmmm128_imm8 => rm!(kind, sse::cmp_packed::<sse::Single, R>),
        Code::Cmppd_xmm_xmmm128_imm8 => rm!(kind, sse::cmp_packed::<sse::Double, R>),
        Code::Cmpss_xmm_xmmm32_imm8 => rm!(kind, sse::cmp_scalar::<sse::Single, R>),
        Code::Cmpsd_xmm_xmmm64_imm8 => rm!(kind, sse::cmp_scalar::<sse::Double, R>),
        Code::Comiss_xmm_xmmm32 => rm!(kind, sse::comis::<sse::Single, R>),
        Code::Comisd_xmm_xmmm64 => rm!(kind, sse::comis::<sse::Double, R>),
        Code::Ucomiss_xmm_xmmm32 => rm!(kind, sse::ucomis::<sse::Single, R>),
        Code::Ucomisd_xmm_xmmm64 => rm!(kind, sse::ucomis::<sse::Double, R>),
        Code::Cvtsi2ss_xmm_rm32 => rm!(kind, sse::cvtsi2::<sse::Single, R>),
        Code::Cvtss2si_r32_xmmm32 => rm!(kind, sse::cvt2si::<sse::Single, R>),
        Code::Cvttss2si_r32_xmmm32 => rm!(kind, sse::cvtt2si::<sse::Single, R>),
        Code::Cvtps2dq_xmm_xmmm128 => rm!(kind, sse::cvt2dq::<sse::Single, R, 0>),
        Code::Cvttps2dq_xmm_xmmm128 => rm!(kind, sse::cvt2dq::<sse::Single, R, 1>),
        Code::Cvtsi2sd_xmm_rm32 => rm!(kind, sse::cvtsi2::<sse::Double, R>),
        Code::Cvtsd2si_r32_xmmm64 => rm!(kind, sse::cvt2si::<sse::Double, R>),
        Code::Cvttsd2si_r32_xmmm64 => rm!(kind, sse::cvtt2si::<sse::Double, R>),
        Code::Cvtpd2dq_xmm_xmmm128 => rm!(kind, sse::cvt2dq::<sse::Double, R, 0>),
        Code::Cvttpd2dq_xmm_xmmm128 => rm!(kind, sse::cvt2dq::<sse::Double, R, 1>),
        Code::Cvtss2sd_xmm_xmmm32 => rm!(kind, sse::cvt_scalar::<sse::Single, sse::Double, R>),
        Code::Cvtsd2ss_xmm_xmmm64 => rm!(kind, sse::cvt_scalar::<sse::Double, sse::Single, R>),
        Code::Cvtps2pd_xmm_xmmm64 => rm!(kind, sse::cvtps2pd::<R>),
        Code::Cvtpd2ps_xmm_xmmm128 => rm!(kind, sse::cvtpd2ps::<R>),
        Code::Cvtdq2ps_xmm_xmmm128 => rm!(kind, sse::cvtdq2ps::<R>),
        Code::Cvtdq2pd_xmm_xmmm64 => rm!(kind, sse::cvtdq2pd::<R>),
        Code::Cvtps2pi_mm_xmmm64 => rm!(kind, sse::cvtps2pi::<R, 0>),
        Code::Cvttps2pi_mm_xmmm64 => rm!(kind, sse::cvtps2pi::<R, 1>),
        Code::Cvtpd2pi_mm_xmmm128 => rm!(kind, sse::cvtpd2pi::<R, 0>),
        Code::Cvttpd2pi_mm_xmmm128 => rm!(kind, sse::cvtpd2pi::<R, 1>),
        Code::Cvtpi2ps_xmm_mmm64 => rm!(kind, sse::cvtpi2ps::<R>),
        Code::Cvtpi2pd_xmm_mmm64 => rm!(kind, sse::cvtpi2pd::<R>),
        Code::Rcpps_xmm_xmmm128 => rm!(kind, sse::approximate_packed::<sse::Reciprocal, R>),
        Code::Rcpss_xmm_xmmm32 => rm!(kind, sse::approximate_scalar::<sse::Reciprocal, R>),
        Code::Rsqrtps_xmm_xmmm128 => rm!(kind, sse::approximate_packed::<sse::ReciprocalRoot, R>),
        Code::Rsqrtss_xmm_xmmm32 => rm!(kind, sse::approximate_scalar::<sse::ReciprocalRoot, R>),
        _ => return None,
    };
    Some(entry)
}
