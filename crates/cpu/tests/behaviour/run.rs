//! What ends a run, and what it leaves: EIP, counts, and code that changes under the processor.

use crate::machine::{CODE, DATA, Machine, STACK_TOP};
use pagefault_cpu::{Class, Eflags, Exit, NoObserver, Observer, Reg, Vector};
use pagefault_mmu::{FrontArray, Geometry, MmuConfig, Policy, PteFlags, TlbConfig};

/// `inc eax; inc eax; jmp $-2`: an endless loop of three instructions.
const LOOP: [u8; 4] = [0x40, 0x40, 0xEB, 0xFC];

#[test]
fn the_budget_is_exact_whatever_its_size() {
    for budget in [0, 1, 2, 3, 63, 64, 65, 100, 1000, 100_003] {
        let mut machine = Machine::new(NoObserver);
        machine.load(CODE, &LOOP);

        let exit = machine.run(budget);

        assert_eq!((exit, machine.cpu.instructions()), (Exit::Budget, budget));
        let increments = budget - budget / 3;
        assert_eq!(u64::from(machine.reg(Reg::Eax)), increments, "{budget}");
    }
}

#[test]
fn a_fault_in_the_middle_of_a_block_shows_what_came_before_it_and_restarts() {
    let mut machine = Machine::new(NoObserver);
    // add eax, 5; mov [0x50000], eax; inc ecx; int3
    machine.load(
        CODE,
        &[0x83, 0xC0, 0x05, 0xA3, 0x00, 0x00, 0x05, 0x00, 0x41, 0xCC],
    );

    let exit = machine.run(100);

    let Exit::Exception { exception, at } = exit else {
        panic!("{exit:?}")
    };
    let fault = exception.page_fault.unwrap();
    assert_eq!((exception.vector, exception.error_code), (Vector::PAGE, 6));
    assert_eq!((fault.addr.bits(), at), (0x5_0000, CODE + 3));
    assert_eq!(machine.cpu.registers().eip(), CODE + 3);
    assert_eq!((machine.reg(Reg::Eax), machine.reg(Reg::Ecx)), (5, 0));
    assert_eq!(machine.cpu.instructions(), 1);

    machine.map_new(0x5_0000);
    let exit = machine.run(100);

    let Exit::Exception { exception, at } = exit else {
        panic!("{exit:?}")
    };
    assert_eq!(
        (exception.vector, exception.class),
        (Vector::BREAKPOINT, Class::Trap)
    );
    assert_eq!((at, machine.cpu.registers().eip()), (CODE + 9, CODE + 10));
    assert_eq!((machine.reg(Reg::Ecx), machine.cpu.instructions()), (1, 4));
}

#[test]
fn reaching_the_host_call_range_ends_the_run_even_if_nothing_is_mapped_there() {
    let mut machine = Machine::new(NoObserver);
    machine.cpu.set_host_calls(0x7000_0000..0x7000_1000);
    // mov eax, 0x70000010; call eax
    machine.load(CODE, &[0xB8, 0x10, 0x00, 0x00, 0x70, 0xFF, 0xD0]);

    let exit = machine.run(100);

    assert!(
        matches!(exit, Exit::HostCall { addr } if addr.bits() == 0x7000_0010),
        "{exit:?}"
    );
    assert_eq!(machine.cpu.registers().eip(), 0x7000_0010);
    assert_eq!(machine.reg(Reg::Esp), STACK_TOP - 4);
}

#[test]
fn a_breakpoint_stops_before_its_instruction_and_lets_the_next_run_pass() {
    let mut machine = Machine::new(NoObserver);
    machine.load(CODE, &LOOP);
    machine.cpu.add_breakpoint(CODE + 1);

    for rounds in 1..4 {
        let exit = machine.run(100);

        assert!(
            matches!(exit, Exit::Breakpoint { addr } if addr.bits() == CODE + 1),
            "{exit:?}"
        );
        assert_eq!(machine.reg(Reg::Eax), 2 * rounds - 1);
    }
    machine.cpu.remove_breakpoint(CODE + 1);
    assert_eq!(machine.run(100), Exit::Budget);
}

#[test]
fn an_instruction_without_a_handler_is_named_with_its_bytes() {
    let mut machine = Machine::new(NoObserver);
    // nop; aesenc xmm0, xmm1
    machine.load(CODE, &[0x90, 0x66, 0x0F, 0x38, 0xDC, 0xC1]);

    let Exit::Unsupported(insn) = machine.run(100) else {
        panic!("it is not supported")
    };

    assert_eq!(insn.addr.bits(), CODE + 1);
    assert_eq!(insn.bytes(), [0x66, 0x0F, 0x38, 0xDC, 0xC1]);
    assert_eq!(
        (machine.cpu.registers().eip(), machine.cpu.instructions()),
        (CODE + 1, 1)
    );
    assert!(insn.to_string().contains("Aesenc_xmm_xmmm128"), "{insn}");
}

#[test]
fn the_trap_flag_traps_behind_each_instruction() {
    let mut machine = Machine::new(NoObserver);
    machine.load(CODE, &LOOP);
    machine.cpu.registers_mut().set_eflags(Eflags::TRAP);

    for expected in [CODE + 1, CODE + 2, CODE, CODE + 1] {
        let Exit::Exception { exception, .. } = machine.run(100) else {
            panic!("no trap")
        };

        assert_eq!(exception.vector, Vector::DEBUG);
        assert_eq!(machine.cpu.registers().eip(), expected);
    }
}

#[test]
fn no_trap_comes_between_a_load_of_ss_and_the_next_instruction() {
    // mov eax, ss; mov ss, eax; inc ecx; push ss; pop ss; inc ecx; inc ecx
    let code = [0x8C, 0xD0, 0x8E, 0xD0, 0x41, 0x16, 0x17, 0x41, 0x41];
    let mut machine = Machine::new(NoObserver);
    machine.load(CODE, &code);
    machine.cpu.registers_mut().set_eflags(Eflags::TRAP);

    for expected in [2, 5, 6, 8, 9] {
        let Exit::Exception { exception, .. } = machine.run(100) else {
            panic!("no trap")
        };

        assert_eq!(exception.vector, Vector::DEBUG);
        assert_eq!(machine.cpu.registers().eip(), CODE + expected);
    }
}

#[test]
fn a_store_through_an_alias_changes_decoded_code() {
    let mut machine = Machine::new(NoObserver);
    let frame = machine.frame_of(CODE);
    machine.map(DATA, frame, PteFlags::WRITABLE);
    // L: inc eax; mov byte [DATA], 0x41 (inc ecx); jmp L
    machine.load(
        CODE,
        &[0x40, 0xC6, 0x05, 0x00, 0x00, 0x02, 0x00, 0x41, 0xEB, 0xF6],
    );

    assert_eq!(machine.run(300), Exit::Budget);

    assert_eq!((machine.reg(Reg::Eax), machine.reg(Reg::Ecx)), (1, 99));
}

#[test]
fn an_instruction_on_two_pages_notices_changes_of_either() {
    let mut machine = Machine::new(NoObserver);
    let (first, second) = (CODE + 0xFFD, CODE + 0x1000);
    let run = |machine: &mut Machine<NoObserver>| {
        machine.cpu.registers_mut().set_eip(first);
        machine.run(10);
        machine.reg(Reg::Eax)
    };
    // mov eax, imm32 with its last two bytes on the next page; int3
    machine.load(second, &[0x33, 0x44, 0xCC]);
    machine.load(first, &[0xB8, 0x11, 0x22]);
    assert_eq!(run(&mut machine), 0x4433_2211);

    machine.load(second, &[0x55]);
    assert_eq!(run(&mut machine), 0x4455_2211, "a write to the second page");

    machine.load(first + 1, &[0x99]);
    assert_eq!(run(&mut machine), 0x4455_2299, "a write to the first page");

    machine.map_new(second);
    machine.load(second, &[0x66, 0x77]);
    assert_eq!(run(&mut machine), 0x7766_2299, "another second page");
}

#[test]
fn the_counts_are_the_same_with_every_shortcut_off() {
    // mov ecx, 600000; K: dec ecx; jnz K; mov esi, DATA; mov ecx, 250000; L: add [esi], eax; lodsd;
    // push eax; pop edx; and esi, DATA + 0x3FFF; dec ecx; jnz L; mov ecx, 2500; mov edi, DATA;
    // mov esi, DATA; rep movsd; int3
    let code = [
        0xB9, 0xC0, 0x27, 0x09, 0x00, 0x49, 0x75, 0xFD, 0xBE, 0x00, 0x00, 0x02, 0x00, 0xB9, 0x90,
        0xD0, 0x03, 0x00, 0x01, 0x06, 0xAD, 0x50, 0x5A, 0x81, 0xE6, 0xFF, 0x3F, 0x02, 0x00, 0x49,
        0x75, 0xF2, 0xB9, 0xC4, 0x09, 0x00, 0x00, 0xBF, 0x00, 0x10, 0x02, 0x00, 0xBE, 0x00, 0x00,
        0x02, 0x00, 0xF3, 0xA5, 0xCC,
    ];
    // More look-ups than the clock of the TLB takes before it is wound; fetches alone at first.
    for policy in [Policy::Lru, Policy::TreePlru, Policy::Fifo, Policy::Random] {
        let counts = [FrontArray::On, FrontArray::Off].map(|front| {
            let tlb = TlbConfig::unified(Geometry::new(4, 2, policy).unwrap());
            let config = MmuConfig {
                tlb,
                front,
                ..MmuConfig::default()
            };
            let mut machine = Machine::with_config(NoObserver, &config);
            machine.load(CODE, &code);
            machine.run(4_000_000);
            assert!(machine.mmu.statistics().accesses.total() > 1 << 20);
            (
                machine.mmu.statistics(),
                machine.cpu.instructions(),
                machine.reg(Reg::Edx),
            )
        });

        assert_eq!(counts[0], counts[1], "{policy:?}");
    }
}

#[test]
fn an_observer_sees_every_instruction_and_changes_none() {
    #[derive(Default)]
    struct Steps(Vec<u32>, Vec<(u32, u32)>);

    impl Observer for Steps {
        const INSTRUCTIONS: bool = true;
        const BRANCHES: bool = true;

        fn instruction(&mut self, eip: u32, _: u8) {
            self.0.push(eip);
        }

        fn branch(&mut self, from: u32, to: u32) {
            self.1.push((from, to));
        }
    }

    let mut machine = Machine::new(Steps::default());
    // mov ecx, 2; L: dec ecx; jnz L; int3
    machine.load(
        CODE,
        &[0xB9, 0x02, 0x00, 0x00, 0x00, 0x49, 0x75, 0xFD, 0xCC],
    );

    machine.run(100);

    let offsets: Vec<u32> = machine.observer.0.iter().map(|eip| eip - CODE).collect();
    assert_eq!(offsets, [0, 5, 6, 5, 6, 8]);
    assert_eq!(machine.observer.1, [(CODE + 8, CODE + 5)]);
}
