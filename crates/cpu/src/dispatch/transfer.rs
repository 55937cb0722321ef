//! Control transfers, and what belongs to the system.

use iced_x86::Code;
use pagefault_mmu::Mmu;

use super::{BlockEnd, Entry, RmKind};
use crate::block::{Flow, Slot};
use crate::context::{Cx, HitCx, State};
use crate::exec::{Done, InMem, InReg, control, supervisor, system};
use crate::observer::Observer;

/// Control transfer.
#[expect(clippy::too_many_lines, reason = "a list of instructions")]
pub(super) fn control<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Jo_rel8_32 | Code::Jo_rel32_32 => quick_end!(control::jcc::<0>),
        Code::Jo_rel8_16 | Code::Jo_rel16 => end!(control::jcc16::<0>),
        Code::Jno_rel8_32 | Code::Jno_rel32_32 => quick_end!(control::jcc::<1>),
        Code::Jno_rel8_16 | Code::Jno_rel16 => end!(control::jcc16::<1>),
        Code::Jb_rel8_32 | Code::Jb_rel32_32 => quick_end!(control::jcc::<2>),
        Code::Jb_rel8_16 | Code::Jb_rel16 => end!(control::jcc16::<2>),
        Code::Jae_rel8_32 | Code::Jae_rel32_32 => quick_end!(control::jcc::<3>),
        Code::Jae_rel8_16 | Code::Jae_rel16 => end!(control::jcc16::<3>),
        Code::Je_rel8_32 | Code::Je_rel32_32 => quick_end!(control::jcc::<4>),
        Code::Je_rel8_16 | Code::Je_rel16 => end!(control::jcc16::<4>),
        Code::Jne_rel8_32 | Code::Jne_rel32_32 => quick_end!(control::jcc::<5>),
        Code::Jne_rel8_16 | Code::Jne_rel16 => end!(control::jcc16::<5>),
        Code::Jbe_rel8_32 | Code::Jbe_rel32_32 => quick_end!(control::jcc::<6>),
        Code::Jbe_rel8_16 | Code::Jbe_rel16 => end!(control::jcc16::<6>),
        Code::Ja_rel8_32 | Code::Ja_rel32_32 => quick_end!(control::jcc::<7>),
        Code::Ja_rel8_16 | Code::Ja_rel16 => end!(control::jcc16::<7>),
        Code::Js_rel8_32 | Code::Js_rel32_32 => quick_end!(control::jcc::<8>),
        Code::Js_rel8_16 | Code::Js_rel16 => end!(control::jcc16::<8>),
        Code::Jns_rel8_32 | Code::Jns_rel32_32 => quick_end!(control::jcc::<9>),
        Code::Jns_rel8_16 | Code::Jns_rel16 => end!(control::jcc16::<9>),
        Code::Jp_rel8_32 | Code::Jp_rel32_32 => quick_end!(control::jcc::<10>),
        Code::Jp_rel8_16 | Code::Jp_rel16 => end!(control::jcc16::<10>),
        Code::Jnp_rel8_32 | Code::Jnp_rel32_32 => quick_end!(control::jcc::<11>),
        Code::Jnp_rel8_16 | Code::Jnp_rel16 => end!(control::jcc16::<11>),
        Code::Jl_rel8_32 | Code::Jl_rel32_32 => quick_end!(control::jcc::<12>),
        Code::Jl_rel8_16 | Code::Jl_rel16 => end!(control::jcc16::<12>),
        Code::Jge_rel8_32 | Code::Jge_rel32_32 => quick_end!(control::jcc::<13>),
        Code::Jge_rel8_16 | Code::Jge_rel16 => end!(control::jcc16::<13>),
        Code::Jle_rel8_32 | Code::Jle_rel32_32 => quick_end!(control::jcc::<14>),
        Code::Jle_rel8_16 | Code::Jle_rel16 => end!(control::jcc16::<14>),
        Code::Jg_rel8_32 | Code::Jg_rel32_32 => quick_end!(control::jcc::<15>),
        Code::Jg_rel8_16 | Code::Jg_rel16 => end!(control::jcc16::<15>),
        Code::Jmp_rel8_32 | Code::Jmp_rel32_32 => quick_end!(control::jmp_rel),
        Code::Jmp_rel8_16 | Code::Jmp_rel16 => end!(control::jmp_rel16),
        Code::Call_rel32_32 => quick_end!(control::call_rel32),
        Code::Call_rel16 => end!(control::call_rel16),
        Code::Jmp_rm16 => quick_end_rm!(kind, control::jmp_rm::<u16, R>),
        Code::Call_rm16 => end_rm!(kind, control::call_rm::<u16, R>),
        Code::Jmp_ptr1616 => end!(control::jmp_far_imm::<u16>),
        Code::Jmp_m1616 => end!(control::jmp_far_m::<u16>),
        Code::Call_ptr1616 => end!(control::call_far_imm::<u16>),
        Code::Call_m1616 => end!(control::call_far_m::<u16>),
        Code::Jmp_rm32 => quick_end_rm!(kind, control::jmp_rm::<u32, R>),
        Code::Call_rm32 => end_rm!(kind, control::call_rm::<u32, R>),
        Code::Jmp_ptr1632 => end!(control::jmp_far_imm::<u32>),
        Code::Jmp_m1632 => end!(control::jmp_far_m::<u32>),
        Code::Call_ptr1632 => end!(control::call_far_imm::<u32>),
        Code::Call_m1632 => end!(control::call_far_m::<u32>),
        Code::Retnw | Code::Retnw_imm16 => end!(control::ret::<u16>),
        Code::Retfw | Code::Retfw_imm16 => end!(control::retf::<u16>),
        Code::Iretw => end!(control::iret::<u16>),
        Code::Bound_r16_m1616 => step!(control::bound::<u16>),
        Code::Retnd | Code::Retnd_imm16 => quick_end!(control::ret::<u32>),
        Code::Retfd | Code::Retfd_imm16 => end!(control::retf::<u32>),
        Code::Iretd => end!(control::iret::<u32>),
        Code::Bound_r32_m3232 => step!(control::bound::<u32>),
        Code::Loop_rel8_32_CX => end!(control::loop_rel::<control::Always, u16>),
        Code::Loop_rel8_16_CX => end!(control::loop_rel16::<control::Always, u16>),
        Code::Loop_rel8_32_ECX => end!(control::loop_rel::<control::Always, u32>),
        Code::Loop_rel8_16_ECX => end!(control::loop_rel16::<control::Always, u32>),
        Code::Loope_rel8_32_CX => end!(control::loop_rel::<control::WhileEqual, u16>),
        Code::Loope_rel8_16_CX => end!(control::loop_rel16::<control::WhileEqual, u16>),
        Code::Loope_rel8_32_ECX => end!(control::loop_rel::<control::WhileEqual, u32>),
        Code::Loope_rel8_16_ECX => end!(control::loop_rel16::<control::WhileEqual, u32>),
        Code::Loopne_rel8_32_CX => end!(control::loop_rel::<control::WhileNotEqual, u16>),
        Code::Loopne_rel8_16_CX => end!(control::loop_rel16::<control::WhileNotEqual, u16>),
        Code::Loopne_rel8_32_ECX => end!(control::loop_rel::<control::WhileNotEqual, u32>),
        Code::Loopne_rel8_16_ECX => end!(control::loop_rel16::<control::WhileNotEqual, u32>),
        Code::Jcxz_rel8_32 => end!(control::jcxz::<u16>),
        Code::Jcxz_rel8_16 => end!(control::jcxz16::<u16>),
        Code::Jecxz_rel8_32 => end!(control::jcxz::<u32>),
        Code::Jecxz_rel8_16 => end!(control::jcxz16::<u32>),
        Code::Int3 => end!(control::int3),
        Code::Int1 => end!(control::int1),
        Code::Int_imm8 => end!(control::int_imm8),
        Code::Into => step!(control::into),
        _ => return None,
    };
    Some(entry)
}

/// Flags, no-operations, and what programs may not do.
#[expect(clippy::too_many_lines, reason = "a table, one line for each handler")]
pub(super) fn system<O: pagefault_mmu::Observer, C: Observer>(
    code: Code,
    kind: RmKind,
) -> Option<Entry<O, C>> {
    let entry = match code {
        Code::Nopw
        | Code::Nopd
        | Code::Pause
        | Code::Nop_rm16
        | Code::Nop_rm32
        | Code::Endbr32
        | Code::Endbr64
        | Code::Prefetch_m8
        | Code::Prefetchw_m8
        | Code::Prefetchwt1_m8
        | Code::Prefetchnta_m8
        | Code::Prefetcht0_m8
        | Code::Prefetcht1_m8
        | Code::Prefetcht2_m8
        | Code::Cldemote_m8
        | Code::Reservednop_rm16_r16_0F0D
        | Code::Reservednop_rm32_r32_0F0D
        | Code::Reservednop_rm16_r16_0F18
        | Code::Reservednop_rm32_r32_0F18
        | Code::Reservednop_rm16_r16_0F19
        | Code::Reservednop_rm32_r32_0F19
        | Code::Reservednop_rm16_r16_0F1A
        | Code::Reservednop_rm32_r32_0F1A
        | Code::Reservednop_rm16_r16_0F1B
        | Code::Reservednop_rm32_r32_0F1B
        | Code::Reservednop_rm16_r16_0F1C
        | Code::Reservednop_rm32_r32_0F1C
        | Code::Reservednop_rm16_r16_0F1D
        | Code::Reservednop_rm32_r32_0F1D
        | Code::Reservednop_rm16_r16_0F1E
        | Code::Reservednop_rm32_r32_0F1E
        | Code::Reservednop_rm16_r16_0F1F
        | Code::Reservednop_rm32_r32_0F1F
        | Code::Lfence
        | Code::Mfence
        | Code::Sfence
        | Code::Lfence_E9
        | Code::Lfence_EA
        | Code::Lfence_EB
        | Code::Lfence_EC
        | Code::Lfence_ED
        | Code::Lfence_EE
        | Code::Lfence_EF
        | Code::Mfence_F1
        | Code::Mfence_F2
        | Code::Mfence_F3
        | Code::Mfence_F4
        | Code::Mfence_F5
        | Code::Mfence_F6
        | Code::Mfence_F7
        | Code::Sfence_F9
        | Code::Sfence_FA
        | Code::Sfence_FB
        | Code::Sfence_FC
        | Code::Sfence_FD
        | Code::Sfence_FE
        | Code::Sfence_FF
        | Code::Prefetchreserved3_m8
        | Code::Prefetchreserved4_m8
        | Code::Prefetchreserved5_m8
        | Code::Prefetchreserved6_m8
        | Code::Prefetchreserved7_m8
        | Code::Bndldx_bnd_mib
        | Code::Bndmov_bnd_bndm64
        | Code::Bndcl_bnd_rm32
        | Code::Bndcu_bnd_rm32
        | Code::Bndstx_mib_bnd
        | Code::Bndmov_bndm64_bnd
        | Code::Bndmk_bnd_m32
        | Code::Bndcn_bnd_rm32
        | Code::Rdsspd_r32 => quick!(system::nop),
        Code::Clflush_m8 | Code::Clflushopt_m8 | Code::Clwb_m8 => step!(system::clflush_m8),
        Code::Hlt
        | Code::In_AL_imm8
        | Code::In_AX_imm8
        | Code::In_EAX_imm8
        | Code::Out_imm8_AL
        | Code::Out_imm8_AX
        | Code::Out_imm8_EAX
        | Code::In_AL_DX
        | Code::In_AX_DX
        | Code::In_EAX_DX
        | Code::Out_DX_AL
        | Code::Out_DX_AX
        | Code::Out_DX_EAX
        | Code::Insb_m8_DX
        | Code::Insw_m16_DX
        | Code::Insd_m32_DX
        | Code::Outsb_DX_m8
        | Code::Outsw_DX_m16
        | Code::Outsd_DX_m32
        | Code::Lgdt_m1632_16
        | Code::Lgdt_m1632
        | Code::Lidt_m1632_16
        | Code::Lidt_m1632
        | Code::Lldt_rm16
        | Code::Lldt_r32m16
        | Code::Ltr_rm16
        | Code::Ltr_r32m16
        | Code::Lmsw_rm16
        | Code::Lmsw_r32m16
        | Code::Clts
        | Code::Mov_r32_dr
        | Code::Mov_dr_r32
        | Code::Rdmsr
        | Code::Wrmsr
        | Code::Rdpmc
        | Code::Sysenter
        | Code::Sysexitd => step!(supervisor::privileged),
        Code::Invd | Code::Wbinvd | Code::Wbnoinvd => step!(supervisor::write_back),
        Code::Invlpg_m => step!(supervisor::invlpg_m),
        Code::Mov_r32_cr => step!(supervisor::mov_r32_cr),
        Code::Mov_cr_r32 => end!(supervisor::mov_cr_r32),
        Code::Cli => step!(supervisor::set_interrupt_flag::<0>),
        Code::Sti => step!(supervisor::set_interrupt_flag::<1>),
        Code::Clac => end!(supervisor::set_alignment_check::<0>),
        Code::Stac => end!(supervisor::set_alignment_check::<1>),
        Code::Sgdt_m1632_16 => step!(supervisor::sgdt::<u16, O, C>),
        Code::Sgdt_m1632 => step!(supervisor::sgdt::<u32, O, C>),
        Code::Sidt_m1632_16 => step!(supervisor::sidt::<u16, O, C>),
        Code::Sidt_m1632 => step!(supervisor::sidt::<u32, O, C>),
        Code::Sldt_rm16 | Code::Str_rm16 => {
            rm!(kind, supervisor::store_no_selector::<R, O, C>)
        }
        Code::Sldt_r32m16 | Code::Str_r32m16 => choose!(
            kind,
            step!(supervisor::load_no_selector),
            step!(supervisor::store_no_selector::<InMem, O, C>)
        ),
        Code::Smsw_rm16 => rm!(kind, supervisor::smsw::<u16, R, O, C>),
        Code::Smsw_r32m16 => choose!(
            kind,
            step!(supervisor::smsw::<u32, InReg, O, C>),
            step!(supervisor::smsw::<u16, InMem, O, C>)
        ),
        Code::Ud0
        | Code::Ud0_r16_rm16
        | Code::Ud0_r32_rm32
        | Code::Ud1_r16_rm16
        | Code::Ud1_r32_rm32
        | Code::Ud2
        | Code::Syscall
        | Code::Sysretd
        | Code::Swapgs
        | Code::Rsm
        | Code::Getsecd
        | Code::Vmcall
        | Code::Vmlaunch
        | Code::Vmresume
        | Code::Vmxoff
        | Code::Vmfunc
        | Code::Vmread_rm32_r32
        | Code::Vmwrite_r32_rm32
        | Code::Vmptrld_m64
        | Code::Vmptrst_m64
        | Code::Vmclear_m64
        | Code::Vmxon_m64
        | Code::Monitorw
        | Code::Monitord
        | Code::Mwait
        | Code::Encls
        | Code::Enclu
        | Code::Enclv
        | Code::Xgetbv
        | Code::Xsetbv
        | Code::Xend
        | Code::Xtest
        | Code::Xabort_imm8
        | Code::Xbegin_rel16
        | Code::Xbegin_rel32
        | Code::Rdrand_r16
        | Code::Rdrand_r32
        | Code::Rdseed_r16
        | Code::Rdseed_r32
        | Code::Rdpid_r32
        | Code::Rdtscp
        | Code::Rdpkru
        | Code::Wrpkru
        | Code::Pconfig
        | Code::Vmrunw
        | Code::Vmrund
        | Code::Vmmcall
        | Code::Vmloadw
        | Code::Vmloadd
        | Code::Vmsavew
        | Code::Vmsaved
        | Code::Stgi
        | Code::Clgi
        | Code::Skinit
        | Code::Invlpgaw
        | Code::Invlpgad
        | Code::Monitorxw
        | Code::Monitorxd
        | Code::Mwaitx
        | Code::Clzerow
        | Code::Clzerod
        | Code::Mcommit
        | Code::Rdpru
        | Code::Serialize
        | Code::Xsusldtrk
        | Code::Xresldtrk
        | Code::Setssbsy
        | Code::Saveprevssp
        | Code::Rstorssp_m64
        | Code::Incsspd_r32
        | Code::Clrssbsy_m64
        | Code::Wrssd_m32_r32
        | Code::Wrussd_m32_r32
        | Code::Tpause_r32
        | Code::Umonitor_r16
        | Code::Umonitor_r32
        | Code::Umwait_r32
        | Code::Ptwrite_rm32
        | Code::Xsave_mem
        | Code::Xrstor_mem
        | Code::Xsaveopt_mem
        | Code::Xsavec_mem
        | Code::Xsaves_mem
        | Code::Xrstors_mem
        | Code::Invept_r32_m128
        | Code::Invvpid_r32_m128
        | Code::Invpcid_r32_m128
        | Code::Adcx_r32_rm32
        | Code::Adox_r32_rm32
        | Code::Crc32_r32_rm8
        | Code::Crc32_r32_rm16
        | Code::Crc32_r32_rm32
        | Code::Movdiri_m32_r32
        | Code::Movdir64b_r16_m512
        | Code::Movdir64b_r32_m512
        | Code::Enqcmd_r16_m512
        | Code::Enqcmd_r32_m512
        | Code::Enqcmds_r16_m512
        | Code::Enqcmds_r32_m512
        | Code::Jmpe_rm16
        | Code::Jmpe_rm32
        | Code::Jmpe_disp16
        | Code::Jmpe_disp32
        | Code::Getsecq
        | Code::Vmgexit
        | Code::Vmgexit_F2
        | Code::Rdfsbase_r32
        | Code::Wrfsbase_r32
        | Code::Rdgsbase_r32
        | Code::Wrgsbase_r32
        | Code::Pcommit
        | Code::Femms
        | Code::Storeall
        | Code::Loadall286
        | Code::Loadall386
        | Code::Umov_rm8_r8
        | Code::Hreset_imm8
        | Code::Psmash
        | Code::Pvalidatew
        | Code::Pvalidated
        | Code::Rmpadjust
        | Code::Rmpupdate
        | Code::Invlpgbw
        | Code::Invlpgbd
        | Code::Tlbsync
        | Code::Seamcall
        | Code::Seamops
        | Code::Seamret
        | Code::Tdcall
        | Code::Clui
        | Code::Stui
        | Code::Testui
        | Code::Uiret => step!(system::undefined),
        Code::Clc => quick!(system::clc),
        Code::Stc => quick!(system::stc),
        Code::Cmc => step!(system::cmc),
        Code::Cld => quick!(system::cld),
        Code::Std => step!(system::std),
        Code::Lahf => step!(system::lahf),
        Code::Sahf => step!(system::sahf),
        Code::Salc => step!(system::salc),
        Code::Cpuid => step!(system::cpuid),
        Code::Rdtsc => step!(system::rdtsc),
        _ => return None,
    };
    Some(entry)
}
