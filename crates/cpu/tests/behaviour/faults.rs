//! What a fault leaves: registers, flags and memory as they were, but for the iterations that are
//! done; and what faults at all.

use crate::machine::{CODE, DATA, Machine};
use pagefault_cpu::{
    Descriptor, Eflags, Exception, Exit, NoObserver, Reg, SegmentRegister, Selector, Vector,
};
use pagefault_mmu::{PAGE_SIZE, PteFlags};

/// The end of the data that is mapped.
const DATA_END: u32 = DATA + 4 * PAGE_SIZE;

fn exception(exit: Exit) -> (Exception, u32) {
    match exit {
        Exit::Exception { exception, at } => (exception, at),
        other => panic!("{other:?}"),
    }
}

fn set(machine: &mut Machine<NoObserver>, registers: &[(Reg, u32)]) {
    for &(reg, value) in registers {
        machine.cpu.registers_mut().set_gpr(reg, value);
    }
}

fn byte(machine: &Machine<NoObserver>, addr: u32) -> u8 {
    let at = machine.frame_of(addr).byte(addr % PAGE_SIZE);
    machine.mmu.mem().read(at)
}

#[test]
fn a_repeated_move_that_faults_shows_the_iterations_that_are_done_and_goes_on() {
    let mut machine = Machine::new(NoObserver);
    // rep movsb; int3
    machine.load(CODE, &[0xF3, 0xA4, 0xCC]);
    let (from, to) = (DATA, DATA_END - 5);
    set(
        &mut machine,
        &[(Reg::Esi, from), (Reg::Edi, to), (Reg::Ecx, 9)],
    );

    let exit = machine.run(100);

    let (fault, at) = exception(exit);
    assert_eq!((fault.vector, at), (Vector::PAGE, CODE));
    assert_eq!(fault.page_fault.unwrap().addr.bits(), DATA_END);
    let left = [Reg::Esi, Reg::Edi, Reg::Ecx].map(|reg| machine.reg(reg));
    assert_eq!(left, [from + 5, DATA_END, 4]);
    assert_eq!(machine.cpu.instructions(), 0);

    machine.map_new(DATA_END);
    let (trap, _) = exception(machine.run(100));
    assert_eq!(
        (trap.vector, machine.reg(Reg::Ecx)),
        (Vector::BREAKPOINT, 0)
    );
    assert_eq!(machine.reg(Reg::Edi), to + 9);
}

#[test]
fn a_repeated_compare_that_faults_leaves_the_flags_that_were() {
    let mut machine = Machine::new(NoObserver);
    // repe cmpsb
    machine.load(CODE, &[0xF3, 0xA6]);
    let registers = [(Reg::Esi, DATA), (Reg::Edi, DATA_END - 2), (Reg::Ecx, 9)];
    set(&mut machine, &registers);
    let before = Eflags::CARRY | Eflags::SIGN | Eflags::ALWAYS_ONE;
    machine.cpu.registers_mut().set_eflags(before);

    let (fault, _) = exception(machine.run(100));

    assert_eq!((fault.vector, machine.reg(Reg::Ecx)), (Vector::PAGE, 7));
    assert_eq!(machine.cpu.registers().eflags(), before);
}

#[test]
fn an_addition_to_a_page_that_cannot_be_written_leaves_memory_and_flags() {
    let mut machine = Machine::new(NoObserver);
    // add [DATA], al
    machine.load(CODE, &[0x00, 0x05, 0x00, 0x00, 0x02, 0x00]);
    let frame = machine.frame_of(DATA);
    machine.map(DATA, frame, PteFlags::empty());
    set(&mut machine, &[(Reg::Eax, 0x34)]);
    let before = machine.cpu.registers().eflags();

    let (fault, at) = exception(machine.run(100));

    // Present, a write, by the user.
    assert_eq!(
        (fault.vector, fault.error_code, at),
        (Vector::PAGE, 7, CODE)
    );
    assert_eq!(machine.cpu.registers().eflags(), before);
    assert_eq!(byte(&machine, DATA), 0xCC);
}

#[test]
fn the_last_byte_inside_a_segment_can_be_read_and_the_next_one_not() {
    // mov eax, es:[ebx]
    let code = [0x26, 0x8B, 0x03, 0xCC];
    for (register, prefix, vector) in [
        (SegmentRegister::Es, 0x26, Vector::GENERAL_PROTECTION),
        (SegmentRegister::Ss, 0x36, Vector::STACK),
    ] {
        let mut machine = Machine::new(NoObserver);
        machine.load(CODE, &code);
        machine.load(CODE, &[prefix]);
        let limit = DATA + 7;
        let descriptor = Descriptor {
            limit,
            ..Descriptor::FLAT_DATA
        };
        let selector = Selector::new(0x3B);
        machine.cpu.descriptors_mut().set(selector, descriptor);
        let segment = machine.cpu.descriptors_mut().load(register, selector);
        machine
            .cpu
            .registers_mut()
            .set_segment(register, segment.unwrap());

        set(&mut machine, &[(Reg::Ebx, limit - 3)]);
        let (inside, _) = exception(machine.run(100));
        machine.cpu.registers_mut().set_eip(CODE);
        set(&mut machine, &[(Reg::Ebx, limit - 2)]);
        let (outside, at) = exception(machine.run(100));

        assert_eq!(inside.vector, Vector::BREAKPOINT);
        assert_eq!((outside.vector, outside.error_code, at), (vector, 0, CODE));
    }
}

#[test]
fn an_instruction_has_at_most_fifteen_bytes() {
    const OPERAND_SIZE: u8 = 0x66;
    const NOP: u8 = 0x90;
    for (prefixes, vector) in [
        (14, Vector::BREAKPOINT),
        (15, Vector::GENERAL_PROTECTION),
        (40, Vector::GENERAL_PROTECTION),
    ] {
        let mut machine = Machine::new(NoObserver);
        let mut code = vec![OPERAND_SIZE; prefixes];
        code.push(NOP);
        machine.load(CODE, &code);

        let (raised, _) = exception(machine.run(100));

        assert_eq!(raised.vector, vector, "{prefixes} prefixes");
    }
}
