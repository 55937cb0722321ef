//! Going back to breakpoints, to the last write, to the last change of an entry.

use std::fs;

use pagefault_machine::cpu::{Reg, WatchKind, Watchpoint};
use pagefault_machine::vmm::mmu::LinearAddr;
use pagefault_machine::{Exceptions, FaultStops, RecordOptions, Recording, Stop, Stops};

use crate::common::{programs, record};
use crate::replay::COUNT;

const OPTIONS: RecordOptions = RecordOptions {
    memory_bytes: 64 << 20,
    spacing: 500,
};

#[test]
fn breakpoints_are_met_backwards_in_the_order_in_which_they_were_passed() {
    let mut recording = record(COUNT, OPTIONS);
    let stops = Stops {
        breakpoints: [address(&recording, "start") + 6].into(),
        ..Stops::NONE
    };
    let mut passed = Vec::new();
    while passed.len() < 2_000 {
        // Budgets that end at the breakpoint, too, hide none of them.
        match recording.run(&stops, 7) {
            Stop::Budget => {}
            Stop::Breakpoint => passed.push(recording.here()),
            other => panic!("{other:?}"),
        }
    }
    let counter = LinearAddr::new(address(&recording, "counter"));
    assert_eq!(word(&mut recording, counter), 2_000);
    recording.step();

    while let Some(moment) = passed.pop() {
        // Each one is looked for, but not all: the test is to be quick.
        let stop = recording.run_back(&stops).unwrap();
        assert!(matches!(stop, Stop::Breakpoint), "{moment:?}");
        assert_eq!(recording.here(), moment);
        if passed.len() == 1_900 {
            break;
        }
    }
    let none = Stops {
        breakpoints: [0x7777].into(),
        ..Stops::NONE
    };
    assert!(matches!(
        recording.run_back(&none).unwrap(),
        Stop::Beginning
    ));
    assert_eq!(recording.here(), recording.beginning());
}

#[test]
fn the_last_write_is_the_instruction_that_is_about_to_make_it() {
    let mut recording = record(COUNT, OPTIONS);
    recording.run(&Stops::NONE, 10_000);
    let start = address(&recording, "start");
    let counter = LinearAddr::new(address(&recording, "counter"));
    let stops = watching(counter, 4);
    let mut last = recording.here();
    for _ in 0..5 {
        let value = word(&mut recording, counter);

        let stop = recording.run_back(&stops).unwrap();

        let Stop::Watch(change) = stop else {
            panic!("{stop:?}")
        };
        assert_eq!((change.by, recording.machine().eip()), (Some(start), start));
        assert_eq!(word(&mut recording, counter), value - 1);
        assert!(recording.here() < last);
        last = recording.here();
    }
}

#[test]
fn what_a_call_writes_is_found_too() {
    let source = b"
    .386
    .model flat, stdcall
VirtualProtect proto :dword, :dword, :dword, :dword
    .data
old dd 0
    .code
start:
    invoke VirtualProtect, addr old, 4, 4, addr old
    mov ecx, 1000
again:
    dec ecx
    jnz again
    ret
    end start
";
    let mut recording = record(source, OPTIONS);
    let old = LinearAddr::new(address(&recording, "old"));
    let stops = watching(old, 4);

    let stop = recording.run(&stops, 100);
    let Stop::Watch(change) = stop else {
        panic!("{stop:?}")
    };
    assert_eq!(change.by, None);
    recording.run(&Stops::NONE, 500);
    let stop = recording.run_back(&stops).unwrap();

    assert!(matches!(stop, Stop::Watch(_)), "{stop:?}");
    assert_eq!(recording.function_here().as_deref(), Some("VirtualProtect"));
    assert_eq!(word(&mut recording, old), 0);
    recording.step();
    assert_ne!(word(&mut recording, old), 0);
}

#[test]
fn the_last_change_of_an_entry_is_the_access_that_made_it() {
    // The first touch of a page is a read; a thousand instructions later it is written.
    let source = b"
    .386
    .model flat, stdcall
    .data?
page db 3000h dup (?)
    .code
start:
    mov eax, dword ptr page[1000h]
    mov ecx, 90000
again:
    dec ecx
    jnz again
writes:
    mov dword ptr page[1000h], 1
    mov ecx, 90000
more:
    dec ecx
    jnz more
    ret
    end start
";
    let mut recording = record(source, OPTIONS);
    let page = LinearAddr::new(address(&recording, "page") + 0x1000);
    let stops = Stops {
        entries: vec![page],
        ..Stops::NONE
    };
    recording.run(&Stops::NONE, 300_000);

    let stop = recording.run_back(&stops).unwrap();

    let Stop::Entries(change) = stop else {
        panic!("{stop:?}")
    };
    let [old, new] = [&change.old, &change.new].map(|walk| walk.steps().last().unwrap().value);
    assert_eq!(new & !old, 0x40, "{old:#x} {new:#x}"); // D
    assert_eq!(recording.machine().eip(), address(&recording, "writes"));

    let stop = recording.run_back(&stops).unwrap();
    let Stop::Entries(change) = stop else {
        panic!("{stop:?}")
    };
    assert!(change.new.leaf().is_ok());
    assert_eq!(recording.machine().eip(), address(&recording, "start"));

    let start = recording.beginning();
    recording.go_to(start).unwrap();
    let forward = recording.run(&stops, 1_000);
    assert!(matches!(forward, Stop::Entries(_)), "{forward:?}");
}

#[test]
fn a_run_stops_at_calls_faults_and_exceptions() {
    let source = fs::read(programs().join("reserve_and_touch.asm")).unwrap();
    let mut recording = record(&source, OPTIONS);
    let calls = Stops {
        calls: ["VirtualAlloc".to_owned()].into(),
        ..Stops::NONE
    };

    let stop = recording.run(&calls, 1_000_000);
    assert!(
        matches!(&stop, Stop::Call(name) if name == "VirtualAlloc"),
        "{stop:?}"
    );
    let call = recording.here();
    let stack = LinearAddr::new(esp(&recording));
    let return_to = word(&mut recording, stack);
    let behind_call = Stops {
        breakpoints: [return_to].into(),
        ..Stops::NONE
    };
    assert!(matches!(
        recording.run(&behind_call, 1_000),
        Stop::Breakpoint
    ));
    assert_eq!(recording.here().instructions, call.instructions);
    let faults = Stops {
        faults: FaultStops::All,
        exceptions: Exceptions::All,
        ..Stops::NONE
    };
    let mut resolved = 0;
    let status = loop {
        match recording.run(&faults, 1_000_000) {
            Stop::Fault(_) => resolved += 1,
            Stop::Exception(status) => break status,
            other => panic!("{other:?} after {resolved} faults"),
        }
    };
    assert_eq!(status.bits(), 0xC000_0005);
    let fault = *recording.pending_fault().unwrap();
    let moment = recording.here();

    let stop = recording.run(&Stops::NONE, 1_000_000);
    assert!(matches!(stop, Stop::Ended(_)), "{stop:?}");
    let stop = recording.run_back(&Stops::EXCEPTIONS).unwrap();
    assert!(matches!(stop, Stop::Exception(_)), "{stop:?}");
    assert_eq!(recording.here(), moment);
    assert_eq!(recording.pending_fault(), Some(&fault));
    let stop = recording.run_back(&calls).unwrap();
    assert!(matches!(stop, Stop::Call(_)), "{stop:?}");
    assert_eq!(recording.here(), call);
}

fn address(recording: &Recording, name: &str) -> u32 {
    recording.machine().debug().address(name).unwrap()
}

fn esp(recording: &Recording) -> u32 {
    recording.machine().registers().gpr(Reg::Esp)
}

fn word(recording: &mut Recording, addr: LinearAddr) -> u32 {
    let mut bytes = [0; 4];
    recording.peek(addr, &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

fn watching(addr: LinearAddr, size_bytes: u32) -> Stops {
    Stops {
        watchpoints: vec![Watchpoint {
            addr,
            size_bytes,
            kind: WatchKind::Write,
        }],
        ..Stops::NONE
    }
}
