//! Random bytes as code: whatever a program consists of, a run ends within its budget.

use crate::machine::{CODE, DATA, Machine, Random};
use pagefault_cpu::{Eflags, Exit, NoObserver, Reg};

const STRINGS: u32 = 1_000_000;
const LONGEST: usize = 24;
const BUDGET: u64 = 100;

#[test]
fn a_million_random_byte_strings_run_without_a_panic_and_within_their_budget() {
    let mut machine = Machine::new(NoObserver);
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let mut budgets = 0_u32;

    for index in 0..STRINGS {
        let mut code = [0; LONGEST];
        for chunk in code.chunks_mut(8) {
            chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]);
        }
        // Some straddle the page boundary.
        let at = if index % 8 == 0 {
            CODE + 0xFF0
        } else {
            CODE + 0x100
        };
        machine.load(at, &code);
        for reg in Reg::ALL {
            let near_data = DATA + (random.next_u32() & 0x3FFF);
            machine.cpu.registers_mut().set_gpr(reg, near_data);
        }
        let flags = Eflags::from_bits_truncate(random.next_u32());
        machine.cpu.registers_mut().set_eflags(flags);
        let before = machine.cpu.instructions();

        let exit = machine.run(BUDGET);

        let done = machine.cpu.instructions() - before;
        assert!(done <= BUDGET, "{code:02x?}: {done} instructions, {exit:?}");
        budgets += u32::from(exit == Exit::Budget);
        if exit == Exit::Budget {
            assert_eq!(done, BUDGET, "{code:02x?}");
        }
        // What a string did to the segments does not concern the next one.
        *machine.cpu.registers_mut() = pagefault_cpu::Registers::new();
    }

    assert!(budgets > 0, "no string loops: the strings are not random");
}
