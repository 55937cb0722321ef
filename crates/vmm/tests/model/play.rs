//! The calls that are made on both, and what is compared.

use pagefault_vmm::mmu::{LinearAddr, PAGE_SIZE};
use pagefault_vmm::{
    AllocRequest, AllocationType, FreeRequest, MemoryStore, PagingMode, PolicyKind, ProtectRequest,
    ResetAfter, Resolution, VmmConfig,
};

use crate::common::Machine;
use crate::slow::{self, FENCE_PAGES, Model, WINDOW, WINDOW_PAGES};

/// RAM in pages: tables take a few, and the window has 96.
const RAM_PAGES: u64 = 40;

/// A call, or an access.
#[derive(Clone, Debug)]
pub(crate) enum Call {
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
#[expect(clippy::too_many_lines, reason = "an arm for each call")]
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

/// Makes calls on the machine and on the model, and compares after each.
pub(crate) fn play(paging: PagingMode, replacement: PolicyKind, calls: &[Call]) {
    let mut machine = machine(paging, replacement);
    let mut model = Model::new();
    for (step, call) in calls.iter().enumerate() {
        let predicted = predict(&mut model, call);
        let made = make(&mut machine, call);
        assert_eq!(made, predicted, "step {step}: {call:x?}");
        compare(&mut machine, &mut model);
    }
}
