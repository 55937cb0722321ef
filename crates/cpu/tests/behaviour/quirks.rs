//! Where the interpreter differs from a processor, and stays so: the rows of `docs/QUIRKS.md`.

use crate::machine::{CODE, Machine};
use pagefault_cpu::{NoObserver, Reg};

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
