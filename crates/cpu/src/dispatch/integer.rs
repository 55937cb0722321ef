//! Arithmetic, shifts and bits.

use iced_x86::Code;
use pagefault_mmu::Mmu;

use super::{BlockEnd, Entry, RmKind};
use crate::block::{Flow, Slot};
use crate::context::{Cx, HitCx, State};
use crate::exec::{Done, InMem, InReg, alu, bcd, bits, muldiv, shift};
use crate::observer::Observer;

/// Arithmetic and logic.
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
pub(super) fn arithmetic<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Add_rm8_r8 => quick_rm!(kind, alu::rm_r::<alu::Add, u8, R>),
        Code::Add_r8_rm8 => quick_rm!(kind, alu::r_rm::<alu::Add, u8, R>),
        Code::Add_rm8_imm8 | Code::Add_rm8_imm8_82 => {
            quick_rm!(kind, alu::rm_imm::<alu::Add, u8, R>)
        }
        Code::Add_AL_imm8 => quick!(alu::rm_imm::<alu::Add, u8, InReg>),
        Code::Add_rm16_r16 => quick_rm!(kind, alu::rm_r::<alu::Add, u16, R>),
        Code::Add_r16_rm16 => quick_rm!(kind, alu::r_rm::<alu::Add, u16, R>),
        Code::Add_rm16_imm16 | Code::Add_rm16_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Add, u16, R>)
        }
        Code::Add_AX_imm16 => quick!(alu::rm_imm::<alu::Add, u16, InReg>),
        Code::Add_rm32_r32 => quick_rm!(kind, alu::rm_r::<alu::Add, u32, R>),
        Code::Add_r32_rm32 => quick_rm!(kind, alu::r_rm::<alu::Add, u32, R>),
        Code::Add_rm32_imm32 | Code::Add_rm32_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Add, u32, R>)
        }
        Code::Add_EAX_imm32 => quick!(alu::rm_imm::<alu::Add, u32, InReg>),
        Code::Or_rm8_r8 => quick_rm!(kind, alu::rm_r::<alu::Or, u8, R>),
        Code::Or_r8_rm8 => quick_rm!(kind, alu::r_rm::<alu::Or, u8, R>),
        Code::Or_rm8_imm8 | Code::Or_rm8_imm8_82 => quick_rm!(kind, alu::rm_imm::<alu::Or, u8, R>),
        Code::Or_AL_imm8 => quick!(alu::rm_imm::<alu::Or, u8, InReg>),
        Code::Or_rm16_r16 => quick_rm!(kind, alu::rm_r::<alu::Or, u16, R>),
        Code::Or_r16_rm16 => quick_rm!(kind, alu::r_rm::<alu::Or, u16, R>),
        Code::Or_rm16_imm16 | Code::Or_rm16_imm8 => quick_rm!(kind, alu::rm_imm::<alu::Or, u16, R>),
        Code::Or_AX_imm16 => quick!(alu::rm_imm::<alu::Or, u16, InReg>),
        Code::Or_rm32_r32 => quick_rm!(kind, alu::rm_r::<alu::Or, u32, R>),
        Code::Or_r32_rm32 => quick_rm!(kind, alu::r_rm::<alu::Or, u32, R>),
        Code::Or_rm32_imm32 | Code::Or_rm32_imm8 => quick_rm!(kind, alu::rm_imm::<alu::Or, u32, R>),
        Code::Or_EAX_imm32 => quick!(alu::rm_imm::<alu::Or, u32, InReg>),
        Code::Adc_rm8_r8 => quick_rm!(kind, alu::rm_r::<alu::Adc, u8, R>),
        Code::Adc_r8_rm8 => quick_rm!(kind, alu::r_rm::<alu::Adc, u8, R>),
        Code::Adc_rm8_imm8 | Code::Adc_rm8_imm8_82 => {
            quick_rm!(kind, alu::rm_imm::<alu::Adc, u8, R>)
        }
        Code::Adc_AL_imm8 => quick!(alu::rm_imm::<alu::Adc, u8, InReg>),
        Code::Adc_rm16_r16 => quick_rm!(kind, alu::rm_r::<alu::Adc, u16, R>),
        Code::Adc_r16_rm16 => quick_rm!(kind, alu::r_rm::<alu::Adc, u16, R>),
        Code::Adc_rm16_imm16 | Code::Adc_rm16_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Adc, u16, R>)
        }
        Code::Adc_AX_imm16 => quick!(alu::rm_imm::<alu::Adc, u16, InReg>),
        Code::Adc_rm32_r32 => quick_rm!(kind, alu::rm_r::<alu::Adc, u32, R>),
        Code::Adc_r32_rm32 => quick_rm!(kind, alu::r_rm::<alu::Adc, u32, R>),
        Code::Adc_rm32_imm32 | Code::Adc_rm32_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Adc, u32, R>)
        }
        Code::Adc_EAX_imm32 => quick!(alu::rm_imm::<alu::Adc, u32, InReg>),
        Code::Sbb_rm8_r8 => quick_rm!(kind, alu::rm_r::<alu::Sbb, u8, R>),
        Code::Sbb_r8_rm8 => quick_rm!(kind, alu::r_rm::<alu::Sbb, u8, R>),
        Code::Sbb_rm8_imm8 | Code::Sbb_rm8_imm8_82 => {
            quick_rm!(kind, alu::rm_imm::<alu::Sbb, u8, R>)
        }
        Code::Sbb_AL_imm8 => quick!(alu::rm_imm::<alu::Sbb, u8, InReg>),
        Code::Sbb_rm16_r16 => quick_rm!(kind, alu::rm_r::<alu::Sbb, u16, R>),
        Code::Sbb_r16_rm16 => quick_rm!(kind, alu::r_rm::<alu::Sbb, u16, R>),
        Code::Sbb_rm16_imm16 | Code::Sbb_rm16_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Sbb, u16, R>)
        }
        Code::Sbb_AX_imm16 => quick!(alu::rm_imm::<alu::Sbb, u16, InReg>),
        Code::Sbb_rm32_r32 => quick_rm!(kind, alu::rm_r::<alu::Sbb, u32, R>),
        Code::Sbb_r32_rm32 => quick_rm!(kind, alu::r_rm::<alu::Sbb, u32, R>),
        Code::Sbb_rm32_imm32 | Code::Sbb_rm32_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Sbb, u32, R>)
        }
        Code::Sbb_EAX_imm32 => quick!(alu::rm_imm::<alu::Sbb, u32, InReg>),
        Code::And_rm8_r8 => quick_rm!(kind, alu::rm_r::<alu::And, u8, R>),
        Code::And_r8_rm8 => quick_rm!(kind, alu::r_rm::<alu::And, u8, R>),
        Code::And_rm8_imm8 | Code::And_rm8_imm8_82 => {
            quick_rm!(kind, alu::rm_imm::<alu::And, u8, R>)
        }
        Code::And_AL_imm8 => quick!(alu::rm_imm::<alu::And, u8, InReg>),
        Code::And_rm16_r16 => quick_rm!(kind, alu::rm_r::<alu::And, u16, R>),
        Code::And_r16_rm16 => quick_rm!(kind, alu::r_rm::<alu::And, u16, R>),
        Code::And_rm16_imm16 | Code::And_rm16_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::And, u16, R>)
        }
        Code::And_AX_imm16 => quick!(alu::rm_imm::<alu::And, u16, InReg>),
        Code::And_rm32_r32 => quick_rm!(kind, alu::rm_r::<alu::And, u32, R>),
        Code::And_r32_rm32 => quick_rm!(kind, alu::r_rm::<alu::And, u32, R>),
        Code::And_rm32_imm32 | Code::And_rm32_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::And, u32, R>)
        }
        Code::And_EAX_imm32 => quick!(alu::rm_imm::<alu::And, u32, InReg>),
        Code::Sub_rm8_r8 => quick_rm!(kind, alu::rm_r::<alu::Sub, u8, R>),
        Code::Sub_r8_rm8 => quick_rm!(kind, alu::r_rm::<alu::Sub, u8, R>),
        Code::Sub_rm8_imm8 | Code::Sub_rm8_imm8_82 => {
            quick_rm!(kind, alu::rm_imm::<alu::Sub, u8, R>)
        }
        Code::Sub_AL_imm8 => quick!(alu::rm_imm::<alu::Sub, u8, InReg>),
        Code::Sub_rm16_r16 => quick_rm!(kind, alu::rm_r::<alu::Sub, u16, R>),
        Code::Sub_r16_rm16 => quick_rm!(kind, alu::r_rm::<alu::Sub, u16, R>),
        Code::Sub_rm16_imm16 | Code::Sub_rm16_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Sub, u16, R>)
        }
        Code::Sub_AX_imm16 => quick!(alu::rm_imm::<alu::Sub, u16, InReg>),
        Code::Sub_rm32_r32 => quick_rm!(kind, alu::rm_r::<alu::Sub, u32, R>),
        Code::Sub_r32_rm32 => quick_rm!(kind, alu::r_rm::<alu::Sub, u32, R>),
        Code::Sub_rm32_imm32 | Code::Sub_rm32_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Sub, u32, R>)
        }
        Code::Sub_EAX_imm32 => quick!(alu::rm_imm::<alu::Sub, u32, InReg>),
        Code::Xor_rm8_r8 => quick_rm!(kind, alu::rm_r::<alu::Xor, u8, R>),
        Code::Xor_r8_rm8 => quick_rm!(kind, alu::r_rm::<alu::Xor, u8, R>),
        Code::Xor_rm8_imm8 | Code::Xor_rm8_imm8_82 => {
            quick_rm!(kind, alu::rm_imm::<alu::Xor, u8, R>)
        }
        Code::Xor_AL_imm8 => quick!(alu::rm_imm::<alu::Xor, u8, InReg>),
        Code::Xor_rm16_r16 => quick_rm!(kind, alu::rm_r::<alu::Xor, u16, R>),
        Code::Xor_r16_rm16 => quick_rm!(kind, alu::r_rm::<alu::Xor, u16, R>),
        Code::Xor_rm16_imm16 | Code::Xor_rm16_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Xor, u16, R>)
        }
        Code::Xor_AX_imm16 => quick!(alu::rm_imm::<alu::Xor, u16, InReg>),
        Code::Xor_rm32_r32 => quick_rm!(kind, alu::rm_r::<alu::Xor, u32, R>),
        Code::Xor_r32_rm32 => quick_rm!(kind, alu::r_rm::<alu::Xor, u32, R>),
        Code::Xor_rm32_imm32 | Code::Xor_rm32_imm8 => {
            quick_rm!(kind, alu::rm_imm::<alu::Xor, u32, R>)
        }
        Code::Xor_EAX_imm32 => quick!(alu::rm_imm::<alu::Xor, u32, InReg>),
        Code::Cmp_rm8_r8 => quick_rm!(kind, alu::cmp_rm_r::<u8, R>),
        Code::Cmp_r8_rm8 => quick_rm!(kind, alu::cmp_r_rm::<u8, R>),
        Code::Cmp_rm8_imm8 | Code::Cmp_rm8_imm8_82 => quick_rm!(kind, alu::cmp_rm_imm::<u8, R>),
        Code::Cmp_AL_imm8 => quick!(alu::cmp_rm_imm::<u8, InReg>),
        Code::Test_rm8_r8 => quick_rm!(kind, alu::test_rm_r::<u8, R>),
        Code::Test_rm8_imm8 | Code::Test_rm8_imm8_F6r1 => {
            quick_rm!(kind, alu::test_rm_imm::<u8, R>)
        }
        Code::Test_AL_imm8 => quick!(alu::test_rm_imm::<u8, InReg>),
        Code::Inc_rm8 => quick_rm!(kind, alu::rm::<alu::Inc, u8, R>),
        Code::Dec_rm8 => quick_rm!(kind, alu::rm::<alu::Dec, u8, R>),
        Code::Neg_rm8 => quick_rm!(kind, alu::rm::<alu::Neg, u8, R>),
        Code::Not_rm8 => quick_rm!(kind, alu::rm::<alu::Not, u8, R>),
        Code::Mul_rm8 => quick_rm!(kind, muldiv::mul::<u8, R>),
        Code::Imul_rm8 => quick_rm!(kind, muldiv::imul::<u8, R>),
        Code::Div_rm8 => quick_rm!(kind, muldiv::div::<u8, R>),
        Code::Idiv_rm8 => quick_rm!(kind, muldiv::idiv::<u8, R>),
        Code::Cmp_rm16_r16 => quick_rm!(kind, alu::cmp_rm_r::<u16, R>),
        Code::Cmp_r16_rm16 => quick_rm!(kind, alu::cmp_r_rm::<u16, R>),
        Code::Cmp_rm16_imm16 | Code::Cmp_rm16_imm8 => quick_rm!(kind, alu::cmp_rm_imm::<u16, R>),
        Code::Cmp_AX_imm16 => quick!(alu::cmp_rm_imm::<u16, InReg>),
        Code::Test_rm16_r16 => quick_rm!(kind, alu::test_rm_r::<u16, R>),
        Code::Test_rm16_imm16 | Code::Test_rm16_imm16_F7r1 => {
            quick_rm!(kind, alu::test_rm_imm::<u16, R>)
        }
        Code::Test_AX_imm16 => quick!(alu::test_rm_imm::<u16, InReg>),
        Code::Inc_rm16 => quick_rm!(kind, alu::rm::<alu::Inc, u16, R>),
        Code::Inc_r16 => quick!(alu::rm::<alu::Inc, u16, InReg>),
        Code::Dec_rm16 => quick_rm!(kind, alu::rm::<alu::Dec, u16, R>),
        Code::Dec_r16 => quick!(alu::rm::<alu::Dec, u16, InReg>),
        Code::Neg_rm16 => quick_rm!(kind, alu::rm::<alu::Neg, u16, R>),
        Code::Not_rm16 => quick_rm!(kind, alu::rm::<alu::Not, u16, R>),
        Code::Mul_rm16 => quick_rm!(kind, muldiv::mul::<u16, R>),
        Code::Imul_rm16 => quick_rm!(kind, muldiv::imul::<u16, R>),
        Code::Div_rm16 => quick_rm!(kind, muldiv::div::<u16, R>),
        Code::Idiv_rm16 => quick_rm!(kind, muldiv::idiv::<u16, R>),
        Code::Imul_r16_rm16 => quick_rm!(kind, muldiv::imul_r_rm::<u16, R>),
        Code::Imul_r16_rm16_imm16 | Code::Imul_r16_rm16_imm8 => {
            quick_rm!(kind, muldiv::imul_r_rm_imm::<u16, R>)
        }
        Code::Cmp_rm32_r32 => quick_rm!(kind, alu::cmp_rm_r::<u32, R>),
        Code::Cmp_r32_rm32 => quick_rm!(kind, alu::cmp_r_rm::<u32, R>),
        Code::Cmp_rm32_imm32 | Code::Cmp_rm32_imm8 => quick_rm!(kind, alu::cmp_rm_imm::<u32, R>),
        Code::Cmp_EAX_imm32 => quick!(alu::cmp_rm_imm::<u32, InReg>),
        Code::Test_rm32_r32 => quick_rm!(kind, alu::test_rm_r::<u32, R>),
        Code::Test_rm32_imm32 | Code::Test_rm32_imm32_F7r1 => {
            quick_rm!(kind, alu::test_rm_imm::<u32, R>)
        }
        Code::Test_EAX_imm32 => quick!(alu::test_rm_imm::<u32, InReg>),
        Code::Inc_rm32 => quick_rm!(kind, alu::rm::<alu::Inc, u32, R>),
        Code::Inc_r32 => quick!(alu::rm::<alu::Inc, u32, InReg>),
        Code::Dec_rm32 => quick_rm!(kind, alu::rm::<alu::Dec, u32, R>),
        Code::Dec_r32 => quick!(alu::rm::<alu::Dec, u32, InReg>),
        Code::Neg_rm32 => quick_rm!(kind, alu::rm::<alu::Neg, u32, R>),
        Code::Not_rm32 => quick_rm!(kind, alu::rm::<alu::Not, u32, R>),
        Code::Mul_rm32 => quick_rm!(kind, muldiv::mul::<u32, R>),
        Code::Imul_rm32 => quick_rm!(kind, muldiv::imul::<u32, R>),
        Code::Div_rm32 => quick_rm!(kind, muldiv::div::<u32, R>),
        Code::Idiv_rm32 => quick_rm!(kind, muldiv::idiv::<u32, R>),
        Code::Imul_r32_rm32 => quick_rm!(kind, muldiv::imul_r_rm::<u32, R>),
        Code::Imul_r32_rm32_imm32 | Code::Imul_r32_rm32_imm8 => {
            quick_rm!(kind, muldiv::imul_r_rm_imm::<u32, R>)
        }
        Code::Daa => step!(bcd::daa),
        Code::Das => step!(bcd::das),
        Code::Aaa => step!(bcd::aaa),
        Code::Aas => step!(bcd::aas),
        Code::Aam_imm8 => step!(bcd::aam_imm8),
        Code::Aad_imm8 => step!(bcd::aad_imm8),
        _ => return None,
    };
    Some(entry)
}

/// Shifts, rotates and bits.
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
pub(super) fn shifts_and_bits<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Rol_rm8_imm8 | Code::Rol_rm8_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Rol, u8, R>)
        }
        Code::Rol_rm8_CL => quick_rm!(kind, shift::rm_cl::<shift::Rol, u8, R>),
        Code::Ror_rm8_imm8 | Code::Ror_rm8_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Ror, u8, R>)
        }
        Code::Ror_rm8_CL => quick_rm!(kind, shift::rm_cl::<shift::Ror, u8, R>),
        Code::Rcl_rm8_imm8 | Code::Rcl_rm8_1 => rm!(kind, shift::rm_imm8::<shift::Rcl, u8, R>),
        Code::Rcl_rm8_CL => rm!(kind, shift::rm_cl::<shift::Rcl, u8, R>),
        Code::Rcr_rm8_imm8 | Code::Rcr_rm8_1 => rm!(kind, shift::rm_imm8::<shift::Rcr, u8, R>),
        Code::Rcr_rm8_CL => rm!(kind, shift::rm_cl::<shift::Rcr, u8, R>),
        Code::Shl_rm8_imm8 | Code::Shl_rm8_1 | Code::Sal_rm8_imm8 | Code::Sal_rm8_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Shl, u8, R>)
        }
        Code::Shl_rm8_CL | Code::Sal_rm8_CL => quick_rm!(kind, shift::rm_cl::<shift::Shl, u8, R>),
        Code::Shr_rm8_imm8 | Code::Shr_rm8_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Shr, u8, R>)
        }
        Code::Shr_rm8_CL => quick_rm!(kind, shift::rm_cl::<shift::Shr, u8, R>),
        Code::Sar_rm8_imm8 | Code::Sar_rm8_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Sar, u8, R>)
        }
        Code::Sar_rm8_CL => quick_rm!(kind, shift::rm_cl::<shift::Sar, u8, R>),
        Code::Rol_rm16_imm8 | Code::Rol_rm16_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Rol, u16, R>)
        }
        Code::Rol_rm16_CL => quick_rm!(kind, shift::rm_cl::<shift::Rol, u16, R>),
        Code::Ror_rm16_imm8 | Code::Ror_rm16_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Ror, u16, R>)
        }
        Code::Ror_rm16_CL => quick_rm!(kind, shift::rm_cl::<shift::Ror, u16, R>),
        Code::Rcl_rm16_imm8 | Code::Rcl_rm16_1 => rm!(kind, shift::rm_imm8::<shift::Rcl, u16, R>),
        Code::Rcl_rm16_CL => rm!(kind, shift::rm_cl::<shift::Rcl, u16, R>),
        Code::Rcr_rm16_imm8 | Code::Rcr_rm16_1 => rm!(kind, shift::rm_imm8::<shift::Rcr, u16, R>),
        Code::Rcr_rm16_CL => rm!(kind, shift::rm_cl::<shift::Rcr, u16, R>),
        Code::Shl_rm16_imm8 | Code::Shl_rm16_1 | Code::Sal_rm16_imm8 | Code::Sal_rm16_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Shl, u16, R>)
        }
        Code::Shl_rm16_CL | Code::Sal_rm16_CL => {
            quick_rm!(kind, shift::rm_cl::<shift::Shl, u16, R>)
        }
        Code::Shr_rm16_imm8 | Code::Shr_rm16_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Shr, u16, R>)
        }
        Code::Shr_rm16_CL => quick_rm!(kind, shift::rm_cl::<shift::Shr, u16, R>),
        Code::Sar_rm16_imm8 | Code::Sar_rm16_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Sar, u16, R>)
        }
        Code::Sar_rm16_CL => quick_rm!(kind, shift::rm_cl::<shift::Sar, u16, R>),
        Code::Shld_rm16_r16_imm8 => rm!(kind, shift::rm_r_imm8::<shift::Shld, u16, R>),
        Code::Shld_rm16_r16_CL => rm!(kind, shift::rm_r_cl::<shift::Shld, u16, R>),
        Code::Shrd_rm16_r16_imm8 => rm!(kind, shift::rm_r_imm8::<shift::Shrd, u16, R>),
        Code::Shrd_rm16_r16_CL => rm!(kind, shift::rm_r_cl::<shift::Shrd, u16, R>),
        Code::Bt_rm16_imm8 => quick_rm!(kind, bits::bt_imm::<u16, R>),
        Code::Bt_rm16_r16 => choose!(
            kind,
            step!(bits::bt_r_r::<u16, InReg>),
            step!(bits::bt_m_r::<u16>)
        ),
        Code::Bts_rm16_imm8 => rm!(kind, bits::change_imm::<bits::Set, u16, R>),
        Code::Bts_rm16_r16 => choose!(
            kind,
            step!(bits::change_r_r::<bits::Set, u16, InReg>),
            step!(bits::change_m_r::<bits::Set, u16>)
        ),
        Code::Btr_rm16_imm8 => rm!(kind, bits::change_imm::<bits::Reset, u16, R>),
        Code::Btr_rm16_r16 => choose!(
            kind,
            step!(bits::change_r_r::<bits::Reset, u16, InReg>),
            step!(bits::change_m_r::<bits::Reset, u16>)
        ),
        Code::Btc_rm16_imm8 => rm!(kind, bits::change_imm::<bits::Complement, u16, R>),
        Code::Btc_rm16_r16 => choose!(
            kind,
            step!(bits::change_r_r::<bits::Complement, u16, InReg>),
            step!(bits::change_m_r::<bits::Complement, u16>)
        ),
        Code::Bsf_r16_rm16 => quick_rm!(kind, bits::bsf::<u16, R>),
        Code::Bsr_r16_rm16 => quick_rm!(kind, bits::bsr::<u16, R>),
        Code::Tzcnt_r16_rm16 => rm!(kind, bits::tzcnt::<u16, R>),
        Code::Lzcnt_r16_rm16 => rm!(kind, bits::lzcnt::<u16, R>),
        Code::Popcnt_r16_rm16 => rm!(kind, bits::popcnt::<u16, R>),
        Code::Rol_rm32_imm8 | Code::Rol_rm32_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Rol, u32, R>)
        }
        Code::Rol_rm32_CL => quick_rm!(kind, shift::rm_cl::<shift::Rol, u32, R>),
        Code::Ror_rm32_imm8 | Code::Ror_rm32_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Ror, u32, R>)
        }
        Code::Ror_rm32_CL => quick_rm!(kind, shift::rm_cl::<shift::Ror, u32, R>),
        Code::Rcl_rm32_imm8 | Code::Rcl_rm32_1 => rm!(kind, shift::rm_imm8::<shift::Rcl, u32, R>),
        Code::Rcl_rm32_CL => rm!(kind, shift::rm_cl::<shift::Rcl, u32, R>),
        Code::Rcr_rm32_imm8 | Code::Rcr_rm32_1 => rm!(kind, shift::rm_imm8::<shift::Rcr, u32, R>),
        Code::Rcr_rm32_CL => rm!(kind, shift::rm_cl::<shift::Rcr, u32, R>),
        Code::Shl_rm32_imm8 | Code::Shl_rm32_1 | Code::Sal_rm32_imm8 | Code::Sal_rm32_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Shl, u32, R>)
        }
        Code::Shl_rm32_CL | Code::Sal_rm32_CL => {
            quick_rm!(kind, shift::rm_cl::<shift::Shl, u32, R>)
        }
        Code::Shr_rm32_imm8 | Code::Shr_rm32_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Shr, u32, R>)
        }
        Code::Shr_rm32_CL => quick_rm!(kind, shift::rm_cl::<shift::Shr, u32, R>),
        Code::Sar_rm32_imm8 | Code::Sar_rm32_1 => {
            quick_rm!(kind, shift::rm_imm8::<shift::Sar, u32, R>)
        }
        Code::Sar_rm32_CL => quick_rm!(kind, shift::rm_cl::<shift::Sar, u32, R>),
        Code::Shld_rm32_r32_imm8 => rm!(kind, shift::rm_r_imm8::<shift::Shld, u32, R>),
        Code::Shld_rm32_r32_CL => rm!(kind, shift::rm_r_cl::<shift::Shld, u32, R>),
        Code::Shrd_rm32_r32_imm8 => rm!(kind, shift::rm_r_imm8::<shift::Shrd, u32, R>),
        Code::Shrd_rm32_r32_CL => rm!(kind, shift::rm_r_cl::<shift::Shrd, u32, R>),
        Code::Bt_rm32_imm8 => quick_rm!(kind, bits::bt_imm::<u32, R>),
        Code::Bt_rm32_r32 => choose!(
            kind,
            step!(bits::bt_r_r::<u32, InReg>),
            step!(bits::bt_m_r::<u32>)
        ),
        Code::Bts_rm32_imm8 => rm!(kind, bits::change_imm::<bits::Set, u32, R>),
        Code::Bts_rm32_r32 => choose!(
            kind,
            step!(bits::change_r_r::<bits::Set, u32, InReg>),
            step!(bits::change_m_r::<bits::Set, u32>)
        ),
        Code::Btr_rm32_imm8 => rm!(kind, bits::change_imm::<bits::Reset, u32, R>),
        Code::Btr_rm32_r32 => choose!(
            kind,
            step!(bits::change_r_r::<bits::Reset, u32, InReg>),
            step!(bits::change_m_r::<bits::Reset, u32>)
        ),
        Code::Btc_rm32_imm8 => rm!(kind, bits::change_imm::<bits::Complement, u32, R>),
        Code::Btc_rm32_r32 => choose!(
            kind,
            step!(bits::change_r_r::<bits::Complement, u32, InReg>),
            step!(bits::change_m_r::<bits::Complement, u32>)
        ),
        Code::Bsf_r32_rm32 => quick_rm!(kind, bits::bsf::<u32, R>),
        Code::Bsr_r32_rm32 => quick_rm!(kind, bits::bsr::<u32, R>),
        Code::Tzcnt_r32_rm32 => rm!(kind, bits::tzcnt::<u32, R>),
        Code::Lzcnt_r32_rm32 => rm!(kind, bits::lzcnt::<u32, R>),
        Code::Popcnt_r32_rm32 => rm!(kind, bits::popcnt::<u32, R>),
        _ => return None,
    };
    Some(entry)
}
