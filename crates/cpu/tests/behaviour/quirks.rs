//! Where the interpreter differs from a processor, and stays so: the rows of `docs/QUIRKS.md`.

use crate::machine::{CODE, Machine, STACK_TOP};
use pagefault_cpu::{Exit, NoObserver, Reg, Vector};

#[test]
fn rdtsc_counts_instructions() {
    let mut machine = Machine::new(NoObserver);
    // nop; nop; rdtsc; mov ebx, eax; rdtsc; int3
    machine.load(
        CODE,
        &[0x90, 0x90, 0x0F, 0x31, 0x89, 0xC3, 0x0F, 0x31, 0xCC],
    );

    machine.run(100);

    let between = machine.reg(Reg::Eax).wrapping_sub(machine.reg(Reg::Ebx));
    assert_eq!((between, machine.reg(Reg::Edx)), (2, 0));
}

#[test]
fn cpuid_names_no_real_vendor() {
    let mut machine = Machine::new(NoObserver);
    // xor eax, eax; cpuid; int3
    machine.load(CODE, &[0x31, 0xC0, 0x0F, 0xA2, 0xCC]);

    machine.run(100);

    let words = [Reg::Ebx, Reg::Edx, Reg::Ecx].map(|reg| machine.reg(reg).to_le_bytes());
    assert_eq!(words.as_flattened(), b"PagefaultCPU");
}

#[test]
fn instructions_that_show_system_tables_raise_gp_as_under_umip() {
    let mut machine = Machine::new(NoObserver);
    // sgdt [esp-8]
    machine.load(CODE, &[0x0F, 0x01, 0x44, 0x24, 0xF8]);

    let exit = machine.run(100);

    let Exit::Exception { exception, at } = exit else {
        panic!("{exit:?}")
    };
    assert_eq!(
        (exception.vector, exception.error_code),
        (Vector::GENERAL_PROTECTION, 0)
    );
    assert_eq!((at, machine.reg(Reg::Esp)), (CODE, STACK_TOP));
}
