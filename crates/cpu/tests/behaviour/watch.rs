//! Watchpoints: which accesses end a run, where, and that nothing else changes.

use crate::machine::{CODE, DATA, Machine, Random, STACK_TOP};
use pagefault_cpu::{Eflags, Exit, NoObserver, Reg, Vector, WatchKind, Watchpoint};
use pagefault_mmu::{AccessKind, LinearAddr, PAGE_SIZE};

#[test]
fn a_store_into_a_watched_byte_ends_the_run_behind_it() {
    // inc eax; mov [DATA+4], eax; inc ecx; int3
    let code = [0x40, 0xA3, 0x04, 0x00, 0x02, 0x00, 0x41, 0xCC];
    let mut machine = watching(&code, DATA + 6, 1, WatchKind::Write);

    let exit = machine.run(100);

    assert_eq!(exit, hit(DATA + 4, 4, AccessKind::Write, CODE + 1));
    assert_eq!(machine.cpu.registers().eip(), CODE + 6);
    assert_eq!((machine.reg(Reg::Eax), machine.reg(Reg::Ecx)), (1, 0));
    assert_eq!(machine.cpu.instructions(), 2);
    let stored = machine
        .mmu
        .mem()
        .read::<u32>(machine.frame_of(DATA).byte(4));
    assert_eq!(stored, 1);

    let exit = machine.run(100);
    assert!(
        matches!(exit, Exit::Exception { exception, .. } if exception.vector == Vector::BREAKPOINT)
    );
    assert_eq!(machine.reg(Reg::Ecx), 1);
}

#[test]
fn each_kind_minds_its_accesses() {
    let read = AccessKind::Read;
    let write = AccessKind::Write;
    // mov eax, [ebx]; mov [ebx], eax; add [ebx], eax; push [ebx]; fld dword [ebx]
    let codes: [(&[u8], AccessKind, [bool; 2]); 5] = [
        (&[0x8B, 0x03], read, [true, false]),
        (&[0x89, 0x03], write, [false, true]),
        (&[0x01, 0x03], write, [true, true]),
        (&[0xFF, 0x33], read, [true, false]),
        (&[0xD9, 0x03], read, [true, false]),
    ];
    for (code, access, [reads, writes]) in codes {
        for (kind, is_minded) in [
            (WatchKind::Read, reads),
            (WatchKind::Write, writes),
            (WatchKind::Access, true),
        ] {
            let mut machine = watching(code, DATA, 4, kind);

            let exit = machine.run(1);

            let expected = if is_minded {
                hit(DATA, 4, access, CODE)
            } else {
                Exit::Budget
            };
            assert_eq!(exit, expected, "{code:x?} {kind:?}");
            assert_eq!(machine.cpu.instructions(), 1, "{code:x?} {kind:?}");
        }
    }
}

#[test]
fn branches_that_touch_a_watched_word_arrive() {
    let next = CODE + 2;
    let target = CODE + 0x40;
    // jmp [ebx]; call [ebx]; ret; cmp [ebx], eax and the branch that would be fused with it
    for (code, eip, esp) in [
        (&[0xFF, 0x23][..], target, STACK_TOP),
        (&[0xFF, 0x13], target, STACK_TOP),
        (&[0xC3], target, DATA),
        (&[0x39, 0x03, 0x74, 0x10], next, STACK_TOP),
    ] {
        let mut machine = watching(code, DATA, 4, WatchKind::Read);
        machine.load(DATA, &target.to_le_bytes());
        machine.load(CODE, code);
        machine.cpu.registers_mut().set_gpr(Reg::Esp, esp);

        let exit = machine.run(100);

        assert_eq!(exit, hit(DATA, 4, AccessKind::Read, CODE), "{code:x?}");
        assert_eq!(machine.cpu.registers().eip(), eip, "{code:x?}");
        assert_eq!(machine.cpu.instructions(), 1, "{code:x?}");
    }
}

#[test]
fn a_repeated_instruction_stops_behind_the_iteration_that_hit() {
    // rep movsd from DATA + 0x1000
    let mut machine = watching(&[0xF3, 0xA5, 0xCC], DATA + 40, 1, WatchKind::Write);
    let registers = machine.cpu.registers_mut();
    registers.set_gpr(Reg::Esi, DATA + 0x1000);
    registers.set_gpr(Reg::Edi, DATA);
    registers.set_gpr(Reg::Ecx, 100);

    let exit = machine.run(100);

    assert_eq!(exit, hit(DATA + 40, 4, AccessKind::Write, CODE));
    assert_eq!(machine.cpu.registers().eip(), CODE);
    assert_eq!(
        (machine.reg(Reg::Ecx), machine.reg(Reg::Edi)),
        (89, DATA + 44)
    );
    assert_eq!(machine.cpu.instructions(), 0);
    machine.run(100);
    assert_eq!(machine.reg(Reg::Ecx), 0);
}

#[test]
fn an_access_of_an_instruction_that_faults_does_not_count() {
    // push [ebx] onto a stack that is not there
    let mut machine = watching(&[0xFF, 0x33], DATA, 4, WatchKind::Read);
    machine.cpu.registers_mut().set_gpr(Reg::Esp, 0x9000);

    for _ in 0..2 {
        let exit = machine.run(100);

        assert!(
            matches!(exit, Exit::Exception { exception, .. } if exception.vector == Vector::PAGE),
            "{exit:?}"
        );
    }
}

#[test]
fn a_single_step_traps_first_and_the_watchpoint_follows() {
    let mut machine = watching(&[0x8B, 0x03, 0x90], DATA, 4, WatchKind::Read);
    machine.cpu.registers_mut().set_eflags(Eflags::TRAP);

    let exit = machine.run(100);
    assert!(matches!(exit, Exit::Exception { exception, .. } if exception.vector == Vector::DEBUG));
    assert_eq!(machine.run(100), hit(DATA, 4, AccessKind::Read, CODE));
    assert_eq!(machine.cpu.registers().eip(), CODE + 2);
}

#[test]
fn accesses_across_pages_and_next_to_the_watchpoint_are_told_apart() {
    for (offset, is_hit) in [
        (-5_i32, false),
        (-4, false),
        (-3, true),
        (0, true),
        (1, false),
    ] {
        let boundary = DATA + PAGE_SIZE;
        let mut machine = watching(&[0x8B, 0x03], boundary, 1, WatchKind::Access);
        let addr = boundary.wrapping_add_signed(offset);
        machine.cpu.registers_mut().set_gpr(Reg::Ebx, addr);

        let exit = machine.run(1);

        let expected = if is_hit {
            hit(addr, 4, AccessKind::Read, CODE)
        } else {
            Exit::Budget
        };
        assert_eq!(exit, expected, "{offset}");
    }
}

#[test]
fn a_removed_watchpoint_is_not_hit() {
    let mut machine = watching(&[0x8B, 0x03], DATA, 4, WatchKind::Read);
    machine
        .cpu
        .remove_watchpoint(point(DATA, 4, WatchKind::Read));

    assert_eq!(machine.run(1), Exit::Budget);
}

/// Random loads and stores in a loop: with a watchpoint that is touched again and again, and with
/// one that never is, everything ends as without, and the statistics are the same to the last hit.
#[test]
fn watchpoints_change_no_result_and_no_count() {
    const ROUNDS: u64 = 20_000;
    let mut random = Random(0x5EED_0F5E_EDED_5EED);
    let mut all_hits = 0;
    for _ in 0..8 {
        let code = loop_of_accesses(&mut random);
        let watched = DATA + random.next_u32() % (2 * PAGE_SIZE);
        let untouched = DATA + 3 * PAGE_SIZE + 8;
        let ends = [None, Some(untouched), Some(watched)].map(|addr| {
            let mut machine = Machine::new(NoObserver);
            machine.load(CODE, &code);
            if let Some(addr) = addr {
                let point = point(addr, 64, WatchKind::Access);
                machine.cpu.add_watchpoint(point);
            }
            let mut hits = 0;
            while machine.cpu.instructions() < ROUNDS {
                let left = ROUNDS - machine.cpu.instructions();
                match machine.run(left) {
                    Exit::Budget => {}
                    Exit::Watchpoint { .. } => hits += 1,
                    other => panic!("{other:?}"),
                }
            }
            // What the last instruction touched is still to be told.
            hits += u32::from(machine.run(0) != Exit::Budget);
            let data: Vec<u8> = (0..4)
                .flat_map(|page| {
                    let frame = machine.frame_of(DATA + page * PAGE_SIZE);
                    *machine.mmu.mem().frame(frame).unwrap()
                })
                .collect();
            (
                machine.cpu.registers().clone(),
                data,
                machine.mmu.statistics(),
                hits,
            )
        });

        let [plain, unhit, hit] = ends;
        assert_eq!((&plain.0, &plain.1), (&unhit.0, &unhit.1), "{code:02x?}");
        assert_eq!((&plain.0, &plain.1), (&hit.0, &hit.1), "{code:02x?}");
        assert_eq!(plain.2, unhit.2, "{code:02x?}");
        assert_eq!(plain.2, hit.2, "{code:02x?}");
        assert_eq!((plain.3, unhit.3), (0, 0));
        all_hits += hit.3;
    }
    assert!(all_hits > 300, "only {all_hits} hits");
}

/// `mov reg, imm` for the pointers, then accesses through them that walk over two pages, for ever.
pub(crate) fn loop_of_accesses(random: &mut Random) -> Vec<u8> {
    // mov esi, DATA; mov ecx, 0
    let mut code = vec![0xBE, 0x00, 0x00, 0x02, 0x00, 0xB9, 0x00, 0x00, 0x00, 0x00];
    let start = code.len();
    for _ in 0..12 {
        let bytes: &[u8] = match random.next_u32() % 7 {
            0 => &[0x8B, 0x04, 0x0E],             // mov eax, [esi+ecx]
            1 => &[0x89, 0x04, 0x0E],             // mov [esi+ecx], eax
            2 => &[0x01, 0x0C, 0x0E],             // add [esi+ecx], ecx
            3 => &[0x51, 0x5A],                   // push ecx; pop edx
            4 => &[0x0F, 0xB6, 0x54, 0x0E, 0x03], // movzx edx, byte [esi+ecx+3]
            5 => &[0x3B, 0x04, 0x0E, 0x74, 0x00], // cmp eax, [esi+ecx]; je next
            _ => &[0x40],                         // inc eax
        };
        code.extend(bytes);
    }
    // add ecx, 52; and ecx, 0x1FFF; jmp back
    code.extend([0x83, 0xC1, 0x34, 0x81, 0xE1, 0xFF, 0x1F, 0x00, 0x00]);
    let back = start.wrapping_sub(code.len() + 2).to_le_bytes()[0];
    code.extend([0xEB, back]);
    code
}

fn watching(code: &[u8], addr: u32, size_bytes: u32, kind: WatchKind) -> Machine<NoObserver> {
    let mut machine = Machine::new(NoObserver);
    machine.load(CODE, code);
    machine.cpu.registers_mut().set_gpr(Reg::Ebx, DATA);
    let point = point(addr, size_bytes, kind);
    machine.cpu.add_watchpoint(point);
    machine
}

fn point(addr: u32, size_bytes: u32, kind: WatchKind) -> Watchpoint {
    Watchpoint {
        addr: LinearAddr::new(addr),
        size_bytes,
        kind,
    }
}

fn hit(addr: u32, size_bytes: u32, kind: AccessKind, at: u32) -> Exit {
    Exit::Watchpoint {
        addr: LinearAddr::new(addr),
        size_bytes,
        kind,
        at,
    }
}
