//! Where the interpreter differs from a processor, and stays so: the rows of `docs/QUIRKS.md`.

use crate::machine::{CODE, DATA, Machine};
use pagefault_cpu::{Exit, NoObserver, Reg, SegmentRegister};
use pagefault_mmu::{FrameNumber, PAGE_SIZE, PteFlags};

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
fn where_processors_differ_it_is_intels_way() {
    let fault_of = |exit: Exit| match exit {
        Exit::Exception { exception, .. } => exception.page_fault.map(|fault| fault.addr.bits()),
        other => panic!("{other:?}"),
    };
    let mut machine = Machine::new(NoObserver);
    // mov dword [DATA], -1; mov esp, DATA + 4; push ds; pop eax; prefetch with a register;
    // test esp, esp; mov ecx, 2; rep loopne over an int3; cmpsb
    let code = [
        0xC7, 0x05, 0x00, 0x00, 0x02, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0x04, 0x00, 0x02, 0x00,
        0x1E, 0x58, 0x0F, 0x0D, 0xC9, 0x85, 0xE4, 0xB9, 0x02, 0x00, 0x00, 0x00, 0xF3, 0xE0, 0x01,
        0xCC, 0xA6,
    ];
    machine.load(CODE, &code);
    let registers = machine.cpu.registers_mut();
    registers.set_gpr(Reg::Esi, 0x7000_0000);
    registers.set_gpr(Reg::Edi, 0x7100_0000);

    let exit = machine.run(20);

    assert_eq!(fault_of(exit), Some(0x7100_0000));
    let ds = machine
        .cpu
        .registers()
        .segment(SegmentRegister::Ds)
        .selector()
        .bits();
    assert_eq!(machine.reg(Reg::Eax), 0xFFFF_0000 | u32::from(ds));
}

#[test]
fn frames_that_fault_in_the_middle_are_there_in_part() {
    let page = DATA + 0x1000;
    // The stack goes down from 8 bytes above a page that may be read only.
    let top = page + 8;
    let run = |code: &[u8], esp: u32| {
        let mut machine = Machine::new(NoObserver);
        machine.load(CODE, code);
        let below = machine.frame_of(DATA);
        machine.map(DATA, below, PteFlags::empty());
        let registers = machine.cpu.registers_mut();
        for (value, reg) in (1..).zip(Reg::ALL) {
            registers.set_gpr(reg, value);
        }
        registers.set_gpr(Reg::Esp, esp);
        let exit = machine.run(10);
        assert!(matches!(exit, Exit::Exception { .. }), "{exit:?}");
        machine
    };
    let stored = |machine: &Machine<NoObserver>, addr: u32| {
        let at = machine.frame_of(addr).byte(addr % 0x1000);
        machine.mmu.mem().read::<u32>(at)
    };

    // pusha
    let pusha = run(&[0x60], top);
    // enter 0, 3: EBP, two links, and the new frame
    let enter = run(&[0xC8, 0, 0, 3], top);
    // popa, whose third dword lies behind all memory
    let popa = run(&[0x61], DATA + 4 * 0x1000 - 8);

    assert_eq!([stored(&pusha, page + 4), stored(&pusha, page)], [1, 2]);
    assert_eq!(pusha.reg(Reg::Esp), top);
    assert_eq!(stored(&enter, page + 4), 6);
    assert_eq!((enter.reg(Reg::Esp), enter.reg(Reg::Ebp)), (top, 6));
    assert_eq!([popa.reg(Reg::Edi), popa.reg(Reg::Esi)], [0xCCCC_CCCC; 2]);
    assert_eq!(
        (popa.reg(Reg::Ebp), popa.reg(Reg::Esp)),
        (6, DATA + 4 * 0x1000 - 8)
    );
}

/// Each element by itself, and a page in one go: the TLB holds the page, and no memory stands behind it.
#[test]
fn a_page_without_ram_reads_as_ones_however_it_is_read() {
    let mut machine = Machine::new(NoObserver);
    let no_ram = FrameNumber::new(0xF_FFFF).unwrap();
    machine.map(DATA, no_ram, PteFlags::WRITABLE);
    // mov eax, [esi]; rep movsd; mov edi, DATA; mov ecx, 3; rep stosd; mov edx, [DATA]; int3
    let code = [
        &[0x8B, 0x06, 0xF3, 0xA5, 0xBF][..],
        &DATA.to_le_bytes(),
        &[0xB9, 3, 0, 0, 0, 0xF3, 0xAB, 0x8B, 0x15],
        &DATA.to_le_bytes(),
        &[0xCC],
    ];
    machine.load(CODE, &code.concat());
    let copy = DATA + PAGE_SIZE;
    for (reg, value) in [
        (Reg::Esi, DATA),
        (Reg::Edi, copy),
        (Reg::Ecx, PAGE_SIZE / 4),
    ] {
        machine.cpu.registers_mut().set_gpr(reg, value);
    }

    machine.run(10);

    assert_eq!(
        (machine.reg(Reg::Eax), machine.reg(Reg::Edx)),
        (u32::MAX, u32::MAX)
    );
    let copied = machine.mmu.mem().frame(machine.frame_of(copy)).unwrap();
    assert!(copied.iter().all(|&byte| byte == 0xFF));
}
