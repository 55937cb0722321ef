//! The manager against a slow model that keeps a record for each page, on random calls.
//!
//! RAM is so small that pages are stolen all the time; none of that may ever be seen.

mod common;
#[path = "model/slow.rs"]
mod slow;

use common::Machine;
use pagefault_vmm::mmu::{LinearAddr, PAGE_SIZE};
use pagefault_vmm::{
    AllocRequest, AllocationType, FreeRequest, MemoryStore, PagingMode, PolicyKind, ProtectRequest,
    ResetAfter, Resolution, VmmConfig,
};
use proptest::prelude::*;
use slow::{FENCE_PAGES, Model, WINDOW, WINDOW_PAGES};

/// RAM in pages: tables take a few, and the window has 96.
const RAM_PAGES: u64 = 40;

#[derive(Clone, Debug)]
enum Call {
    Alloc {
        address: u32,
        size: u32,
        kind: u32,
        protect: u32,
    },
    Free {
        address: u32,
        size: u32,
        kind: u32,
    },
    Protect {
        address: u32,
        size: u32,
        protect: u32,
    },
    Lock {
        address: u32,
        size: u32,
    },
    Unlock {
        address: u32,
        size: u32,
    },
    Read {
        address: u32,
    },
    Write {
        address: u32,
        value: u8,
    },
    WriteWatch {
        address: u32,
        size: u32,
        reset: bool,
    },
    EmptyWorkingSet,
}

fn address() -> impl Strategy<Value = u32> {
    let page = 0..WINDOW_PAGES;
    let offset = prop_oneof![3 => Just(0_u32), 1 => 0..PAGE_SIZE];
    prop_oneof![
        20 => (page, offset).prop_map(|(page, offset)| WINDOW + page * PAGE_SIZE + offset),
        1 => Just(0_u32),
        1 => any::<u32>(),
        1 => Just(0x7fff_0000_u32),
    ]
}

fn size() -> impl Strategy<Value = u32> {
    prop_oneof![
        10 => (0..20_u32).prop_map(|pages| pages * PAGE_SIZE),
        5 => 0..0x2_0000_u32,
        1 => Just(1_u32),
        1 => any::<u32>(),
    ]
}

fn protect() -> impl Strategy<Value = u32> {
    prop_oneof![
        8 => Just(0x04_u32),
        3 => Just(0x02_u32),
        2 => Just(0x01_u32),
        2 => Just(0x104_u32),
        2 => Just(0x20_u32),
        1 => Just(0x40_u32),
        1 => Just(0x08_u32),
        1 => 0..0x800_u32,
    ]
}

fn kind() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => Just(0x3000_u32),
        4 => Just(0x1000_u32),
        3 => Just(0x2000_u32),
        2 => Just(0x20_3000_u32),
        1 => Just(0x8_0000_u32),
        1 => Just(0x10_3000_u32),
        1 => 0..0x40_0000_u32,
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let free_kind = prop_oneof![6 => Just(0x4000_u32), 3 => Just(0x8000_u32), 1 => 0..0x1_0000_u32];
    let free_size = prop_oneof![1 => Just(0_u32), 1 => size()];
    prop_oneof![
        4 => (address(), size(), kind(), protect())
            .prop_map(|(address, size, kind, protect)| Call::Alloc { address, size, kind, protect }),
        2 => (address(), free_size, free_kind)
            .prop_map(|(address, size, kind)| Call::Free { address, size, kind }),
        3 => (address(), size(), protect())
            .prop_map(|(address, size, protect)| Call::Protect { address, size, protect }),
        1 => (address(), size()).prop_map(|(address, size)| Call::Lock { address, size }),
        1 => (address(), size()).prop_map(|(address, size)| Call::Unlock { address, size }),
        6 => address().prop_map(|address| Call::Read { address }),
        12 => (address(), 1..=u8::MAX).prop_map(|(address, value)| Call::Write { address, value }),
        1 => (address(), size(), any::<bool>())
            .prop_map(|(address, size, reset)| Call::WriteWatch { address, size, reset }),
        1 => Just(Call::EmptyWorkingSet),
    ]
}

fn machine(paging: PagingMode, replacement: PolicyKind) -> Machine {
    let config = VmmConfig {
        paging,
        replacement,
        ..VmmConfig::default()
    };
    let mut machine = Machine::new(RAM_PAGES * u64::from(PAGE_SIZE), config);
    machine
        .vmm
        .set_paging_file(Box::new(MemoryStore::new()), 4096);
    // Address space for physical pages: it can be neither committed nor protected.
    let kind = AllocationType::RESERVE | AllocationType::PHYSICAL;
    let fence = WINDOW + WINDOW_PAGES * PAGE_SIZE;
    let read_write = pagefault_vmm::Protection::READ_WRITE;
    machine
        .alloc(fence, FENCE_PAGES * PAGE_SIZE, kind, read_write)
        .unwrap();
    machine
}

/// Makes a call on the machine and says what came of it in the model's words.
fn make(machine: &mut Machine, call: &Call) -> Result<Vec<u32>, u32> {
    let caller = machine.caller();
    let (vmm, mmu, process) = (&mut machine.vmm, &mut machine.mmu, machine.process);
    match *call {
        Call::Alloc {
            address,
            size,
            kind,
            protect,
        } => {
            let request = AllocRequest {
                address: LinearAddr::new(address),
                size_bytes: size,
                allocation_type: kind,
                protect,
            };
            let made = vmm.alloc(mmu, caller, &request);
            made.map(|base| vec![base.bits()])
                .map_err(|error| error.win32_code().get())
        }
        Call::Free {
            address,
            size,
            kind,
        } => {
            let address = LinearAddr::new(address);
            let request = FreeRequest {
                address,
                size_bytes: size,
                free_type: kind,
            };
            let made = vmm.free(mmu, caller, &request);
            made.map(|()| vec![])
                .map_err(|error| error.win32_code().get())
        }
        Call::Protect {
            address,
            size,
            protect,
        } => {
            let address = LinearAddr::new(address);
            let request = ProtectRequest {
                address,
                size_bytes: size,
                protect,
            };
            let made = vmm.protect(mmu, caller, &request);
            made.map(|old| vec![old.bits()])
                .map_err(|error| error.win32_code().get())
        }
        Call::Lock { address, size } => {
            let made = vmm.lock(mmu, caller, LinearAddr::new(address), size);
            made.map(|()| vec![])
                .map_err(|error| error.win32_code().get())
        }
        Call::Unlock { address, size } => {
            let made = vmm.unlock(mmu, caller, LinearAddr::new(address), size);
            made.map(|()| vec![])
                .map_err(|error| error.win32_code().get())
        }
        Call::Read { address } => exception(machine.read_u8(address)).map(|byte| vec![byte]),
        Call::Write { address, value } => {
            exception(machine.write_u8(address, value).map(|()| 0)).map(|_| vec![])
        }
        Call::WriteWatch {
            address,
            size,
            reset,
        } => {
            let reset = if reset {
                ResetAfter::Yes
            } else {
                ResetAfter::No
            };
            let made = vmm.write_watch(mmu, process, LinearAddr::new(address), size, reset, 1000);
            let addresses =
                made.map(|pages| pages.iter().map(|page| page.start().bits()).collect());
            addresses.map_err(|error| error.win32_code().get())
        }
        Call::EmptyWorkingSet => {
            vmm.set_working_set(mmu, process, u32::MAX, u32::MAX)
                .unwrap();
            Ok(vec![])
        }
    }
}

/// Returns the byte, or the exception's code.
fn exception(result: Result<u8, Resolution>) -> Result<u32, u32> {
    result.map(u32::from).map_err(|refused| match refused {
        Resolution::AccessViolation(_) => 0xC000_0005,
        Resolution::GuardPage(_) => 0x8000_0001,
        other => panic!("{other:?}"),
    })
}

fn predict(model: &mut Model, call: &Call) -> Result<Vec<u32>, u32> {
    match *call {
        Call::Alloc {
            address,
            size,
            kind,
            protect,
        } => model
            .alloc(address, size, kind, protect)
            .map(|base| vec![base]),
        Call::Free {
            address,
            size,
            kind,
        } => model.free(address, size, kind).map(|()| vec![]),
        Call::Protect {
            address,
            size,
            protect,
        } => model.protect(address, size, protect).map(|old| vec![old]),
        Call::Lock { address, size } => model.lock(address, size).map(|()| vec![]),
        Call::Unlock { address, size } => model.unlock(address, size).map(|()| vec![]),
        Call::Read { address } => model.read(address).map(|byte| vec![u32::from(byte)]),
        Call::Write { address, value } => model.write(address, value).map(|()| vec![]),
        Call::WriteWatch {
            address,
            size,
            reset,
        } => model.write_watch(address, size, reset),
        Call::EmptyWorkingSet => Ok(vec![]),
    }
}

/// Compares everything that can be seen without touching anything.
fn compare(machine: &mut Machine, model: &mut Model) {
    for number in 0..WINDOW_PAGES {
        let address = WINDOW + number * PAGE_SIZE;
        let info = machine.query(address);
        let found = slow::Seen {
            allocation: info
                .allocation
                .map(|seen| (seen.base.bits(), seen.protection.bits())),
            size: info.size_bytes,
            state: info.state.bits(),
            protect: info.protection.map_or(0, pagefault_vmm::Protection::bits),
        };
        assert_eq!(found, model.query(number), "page {number}");
        let mut bytes = [0; PAGE_SIZE as usize];
        let at = LinearAddr::new(address);
        let peeked = machine
            .vmm
            .peek(&machine.mmu, machine.process, at, &mut bytes);
        model.check_contents(number, peeked.ok().map(|()| bytes.as_slice()));
    }
    assert_eq!(
        machine.vmm.locked_pages(machine.process),
        model.locked_count()
    );
    machine.audit("after a call");
}

fn play(paging: PagingMode, replacement: PolicyKind, calls: &[Call]) {
    let mut machine = machine(paging, replacement);
    let mut model = Model::new();
    for (step, call) in calls.iter().enumerate() {
        let predicted = predict(&mut model, call);
        let made = make(&mut machine, call);
        assert_eq!(made, predicted, "step {step}: {call:x?}");
        compare(&mut machine, &mut model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_manager_does_what_the_model_does(
        calls in prop::collection::vec(call(), 1..160),
        pae in any::<bool>(),
        policy in 0..PolicyKind::NAMES.len(),
    ) {
        let paging = if pae { PagingMode::Pae } else { PagingMode::TwoLevel };
        play(paging, PolicyKind::NAMES[policy].1, &calls);
    }
}
