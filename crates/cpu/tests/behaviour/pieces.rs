//! A run in pieces is the run in one piece: to the last hit in the TLB and its order.

use crate::machine::{CODE, DATA, Machine, Random};
use crate::watch::loop_of_accesses;
use pagefault_cpu::{Exit, NoObserver, WatchKind, Watchpoint};
use pagefault_mmu::{FrameNumber, Geometry, LinearAddr, MmuConfig, Policy, TlbConfig};

const END: u64 = 5_000;

#[test]
fn budgets_breakpoints_and_watchpoints_change_no_count_and_no_order() {
    let mut random = Random(0x0DD5_EED5);
    let mut stops = 0;
    for round in 0..24 {
        let code = loop_of_accesses(&mut random);
        let mut whole = machine(&code);
        assert_eq!(whole.run(END), Exit::Budget);

        let mut pieces = machine(&code);
        if round % 2 == 0 {
            for _ in 0..3 {
                // Some of them are inside instructions, and are never reached.
                let offset = random.next_u32() % u32::try_from(code.len()).unwrap();
                pieces.cpu.add_breakpoint(CODE + offset);
            }
        }
        if round % 3 == 0 {
            pieces.cpu.add_watchpoint(Watchpoint {
                addr: LinearAddr::new(DATA + random.next_u32() % 0x2000),
                size_bytes: 16,
                kind: WatchKind::Access,
            });
        }
        while pieces.cpu.instructions() < END {
            let left = END - pieces.cpu.instructions();
            let piece = u64::from(random.next_u32() % 150).min(left);
            let exit = pieces.run(piece);
            stops += u32::from(exit != Exit::Budget);
        }

        assert_eq!(pieces.cpu.registers(), whole.cpu.registers(), "{code:02x?}");
        assert_eq!(
            pieces.mmu.statistics(),
            whole.mmu.statistics(),
            "{code:02x?}"
        );
        let [kept, expected] =
            [&pieces, &whole].map(|machine| machine.mmu.tlb_entries().collect::<Vec<_>>());
        assert_eq!(kept, expected, "{code:02x?}");
    }
    assert!(stops > 1_000, "only {stops} stops");
}

#[test]
fn a_processor_that_is_restored_goes_on_as_it_did() {
    let mut random = Random(0x005A_5ED0);
    let code = loop_of_accesses(&mut random);
    for at in [0, 1, 17, 64, 65, 1000] {
        let mut machine = machine(&code);
        machine.run(at);
        let (cpu, mmu) = (machine.cpu.save(), machine.mmu.save());
        let frames = (0..machine.mmu.mem().frame_count()).filter_map(FrameNumber::new);
        let bytes: Vec<_> = frames
            .map(|frame| (frame, *machine.mmu.mem().frame(frame).unwrap()))
            .collect();
        machine.run(500);
        let end = (machine.cpu.registers().clone(), machine.mmu.statistics());

        machine.cpu.restore(&cpu);
        machine.mmu.restore(&mmu);
        for (frame, bytes) in &bytes {
            *machine.mmu.mem_mut().frame_mut(*frame).unwrap() = *bytes;
        }
        assert_eq!(machine.cpu.instructions(), at);
        machine.run(500);

        let again = (machine.cpu.registers().clone(), machine.mmu.statistics());
        assert_eq!(again, end, "{at}");
    }
}

/// Few entries, so that the order of use decides what is displaced.
fn machine(code: &[u8]) -> Machine<NoObserver> {
    let tlb = TlbConfig::unified(Geometry::new(4, 4, Policy::Lru).unwrap());
    let config = MmuConfig {
        tlb,
        ..MmuConfig::default()
    };
    let mut machine = Machine::with_config(NoObserver, &config);
    machine.load(CODE, code);
    machine
}
