//! Code in ring 0, and what ring 3 sees of system registers.

use crate::machine::{CODE, DATA, Machine, STACK_TOP};
use pagefault_cpu::{
    Descriptor, Eflags, Exit, NoObserver, Reg, Segment, SegmentRegister, Selector, TableRegister,
    Vector,
};
use pagefault_mmu::{Cr4, LinearAddr, PteFlags};

/// A code segment of ring 0, flat.
const RING_0: Segment = Segment::new(Selector::new(0x08), Descriptor::FLAT_CODE);

#[test]
fn supervisor_accesses_do_not_have_u_in_their_error_code() {
    let mut machine = in_ring_0();
    // mov [0x50000], eax
    machine.load(CODE, &[0xA3, 0x00, 0x00, 0x05, 0x00]);

    let exit = machine.run(10);

    assert_eq!(vector_and_code(exit), (Vector::PAGE, 0b010));
}

#[test]
fn a_run_may_go_from_ring_3_to_ring_0_and_back_when_the_host_loads_cs() {
    let mut machine = Machine::new(NoObserver);
    let read_cr3 = [0x0F, 0x20, 0xD8, 0x90]; // mov eax, cr3; nop
    machine.load(CODE, &read_cr3);

    assert_eq!(
        vector_and_code(machine.run(10)),
        (Vector::GENERAL_PROTECTION, 0)
    );
    set_cs(&mut machine, RING_0);
    assert_eq!(machine.run(2), Exit::Budget);
    assert_eq!(machine.reg(Reg::Eax), machine.mmu.control().cr3());

    set_cs(&mut machine, Segment::flat(SegmentRegister::Cs));
    machine.load(CODE, &read_cr3);
    assert_eq!(
        vector_and_code(machine.run(10)),
        (Vector::GENERAL_PROTECTION, 0)
    );
}

#[test]
fn invlpg_makes_a_changed_entry_seen() {
    let mut machine = in_ring_0();
    // mov eax, [ebx]; nop
    let read = [0x8B, 0x03, 0x90];
    machine.load(CODE, &read);
    machine.cpu.registers_mut().set_gpr(Reg::Ebx, DATA);
    assert_eq!(machine.run(2), Exit::Budget);
    let other = machine.frame_of(DATA + 0x1000);
    machine.mmu.mem_mut().write(other.byte(0), 7_u32);
    machine.map_leaving_stale(DATA, other, PteFlags::WRITABLE);

    machine.load(CODE, &read);
    assert_eq!(machine.run(2), Exit::Budget);
    assert_eq!(machine.reg(Reg::Eax), 0xCCCC_CCCC);
    // invlpg [ebx]; mov eax, [ebx]
    machine.load(CODE, &[0x0F, 0x01, 0x3B, 0x8B, 0x03]);
    assert_eq!(machine.run(2), Exit::Budget);

    assert_eq!(machine.reg(Reg::Eax), 7);
}

#[test]
fn a_control_register_that_refuses_its_value_raises_gp_and_keeps_the_old_one() {
    let mut machine = in_ring_0();
    let before = machine.mmu.control().cr0();
    // mov eax, 0x80000000 (PG without PE); mov cr0, eax
    machine.load(CODE, &[0xB8, 0x00, 0x00, 0x00, 0x80, 0x0F, 0x22, 0xC0]);

    let exit = machine.run(10);

    assert_eq!(vector_and_code(exit), (Vector::GENERAL_PROTECTION, 0));
    assert_eq!(machine.cpu.registers().eip(), CODE + 5);
    assert_eq!(machine.mmu.control().cr0(), before);
}

#[test]
fn smap_stops_ring_0_at_user_pages_until_stac() {
    let mut machine = in_ring_0();
    machine.mmu.set_cr4(Cr4::SMAP.bits()).unwrap();
    machine.cpu.registers_mut().set_gpr(Reg::Ebx, DATA);
    // mov eax, [ebx]
    machine.load(CODE, &[0x8B, 0x03]);
    assert_eq!(vector_and_code(machine.run(10)), (Vector::PAGE, 0b001));

    // stac; mov eax, [ebx]; clac; mov eax, [ebx]
    machine.load(
        CODE,
        &[0x0F, 0x01, 0xCB, 0x8B, 0x03, 0x0F, 0x01, 0xCA, 0x8B, 0x03],
    );
    let exit = machine.run(10);

    assert_eq!(vector_and_code(exit), (Vector::PAGE, 0b001));
    assert_eq!(machine.cpu.registers().eip(), CODE + 8);
    assert_eq!(machine.reg(Reg::Eax), 0xCCCC_CCCC);
}

#[test]
fn ring_0_may_change_the_interrupt_flag_and_call_any_gate() {
    let mut machine = in_ring_0();
    // cli; pushfd; pop eax; sti; int 0x2E
    machine.load(CODE, &[0xFA, 0x9C, 0x58, 0xFB, 0xCD, 0x2E]);

    let exit = machine.run(10);

    assert_eq!(vector_and_code(exit), (Vector::new(0x2E), 0));
    assert_eq!(machine.reg(Reg::Eax) & Eflags::INTERRUPT.bits(), 0);
    let flags = machine.cpu.registers().eflags();
    assert!(flags.contains(Eflags::INTERRUPT));
}

#[test]
fn ring_0_checks_no_alignment() {
    let mut machine = in_ring_0();
    let registers = machine.cpu.registers_mut();
    registers.set_gpr(Reg::Ebx, DATA + 1);
    registers.set_eflags(Eflags::ALIGNMENT_CHECK);
    machine.load(CODE, &[0x8B, 0x03]);

    assert_eq!(machine.run(1), Exit::Budget);
}

#[test]
fn what_ring_0_lacks_is_named_and_never_raises_gp() {
    // hlt; in al, dx; lgdt [ebx]; iretd; rdmsr
    let codes: [&[u8]; 5] = [
        &[0xF4],
        &[0xEC],
        &[0x0F, 0x01, 0x13],
        &[0xCF],
        &[0x0F, 0x32],
    ];
    for code in codes {
        let mut machine = in_ring_0();
        machine.load(CODE, code);
        machine
            .cpu
            .registers_mut()
            .set_gpr(Reg::Esp, STACK_TOP - 16);

        let exit = machine.run(10);

        assert!(matches!(exit, Exit::Unsupported(_)), "{code:x?}: {exit:?}");
        assert_eq!(machine.cpu.registers().eip(), CODE);
    }
}

#[test]
fn sgdt_shows_the_table_register_to_any_ring_unless_umip_is_on() {
    let mut machine = Machine::new(NoObserver);
    let table = TableRegister {
        base: LinearAddr::new(0x8765_4321),
        limit: 0x03FF,
    };
    machine.cpu.registers_mut().set_gdtr(table);
    machine.cpu.registers_mut().set_gpr(Reg::Ebx, DATA);
    // sgdt [ebx]; smsw eax
    let code = [0x0F, 0x01, 0x03, 0x0F, 0x01, 0xE0];
    machine.load(CODE, &code);

    assert_eq!(machine.run(2), Exit::Budget);

    let stored = machine.frame_of(DATA);
    assert_eq!(machine.mmu.mem().read::<u16>(stored.byte(0)), 0x03FF);
    assert_eq!(machine.mmu.mem().read::<u32>(stored.byte(2)), 0x8765_4321);
    assert_eq!(machine.mmu.mem().read::<u16>(stored.byte(6)), 0xCCCC);
    let cr0 = machine.mmu.control().cr0().bits();
    assert_eq!(machine.reg(Reg::Eax), cr0);

    let umip = Cr4::USER_MODE_INSTRUCTION_PREVENTION;
    machine.mmu.set_cr4(umip.bits()).unwrap();
    machine.load(CODE, &code);
    assert_eq!(
        vector_and_code(machine.run(2)),
        (Vector::GENERAL_PROTECTION, 0)
    );
}

fn in_ring_0() -> Machine<NoObserver> {
    let mut machine = Machine::new(NoObserver);
    set_cs(&mut machine, RING_0);
    machine
}

fn set_cs(machine: &mut Machine<NoObserver>, segment: Segment) {
    let registers = machine.cpu.registers_mut();
    registers.set_segment(SegmentRegister::Cs, segment);
}

fn vector_and_code(exit: Exit) -> (Vector, u32) {
    match exit {
        Exit::Exception { exception, .. } => (exception.vector, exception.error_code),
        other => panic!("{other:?}"),
    }
}
