//! More pages than frames: what is paged out comes back, and the books stay right.

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::{MIB, Machine};
use pagefault_vmm::mmu::LinearAddr;
use pagefault_vmm::{
    InPageCause, MemoryStore, PageBytes, PageStore, PagingMode, PolicyKind, Protection, Resolution,
    StoreError, StreamStore, VmmConfig,
};

/// The bytes from one page to the next.
const PAGE: u32 = 4096;

fn machine(kind: PolicyKind, ram_pages: u64, paging: PagingMode) -> Machine {
    let config = VmmConfig {
        replacement: kind,
        paging,
        ..VmmConfig::default()
    };
    Machine::new(ram_pages * u64::from(PAGE), config)
}

#[test]
fn four_times_the_ram_is_written_and_read_back_under_every_policy() {
    const PAGES: u32 = 256;
    for (name, kind) in PolicyKind::NAMES {
        for paging in [PagingMode::TwoLevel, PagingMode::Pae] {
            let mut machine = machine(kind, 64, paging);
            machine
                .vmm
                .set_paging_file(Box::new(MemoryStore::new()), PAGES);
            let base = machine.commit(PAGES * PAGE, Protection::READ_WRITE);
            for round in 1..4_u32 {
                for page in 0..PAGES {
                    machine.write(base + page * PAGE, page * 3 + round).unwrap();
                    if page % 16 == 0 {
                        machine.audit(name);
                    }
                }
                for page in (0..PAGES).rev() {
                    let value = machine.read(base + page * PAGE).unwrap();
                    assert_eq!(value, page * 3 + round, "{name}, page {page}");
                }
            }

            let counters = *machine.vmm.counters();
            assert!(
                counters.steals > 0 && counters.pages_out > 0 && counters.pages_in > 0,
                "{name}"
            );
            // No more of the paging file was used than there are pages.
            assert!(machine.vmm.paging_file_slots().1 <= PAGES, "{name}");
            machine.audit(name);
        }
    }
}

#[test]
fn pages_that_were_only_read_are_dropped_and_not_written_out() {
    let mut machine = machine(PolicyKind::Clock, 32, PagingMode::TwoLevel);
    machine
        .vmm
        .set_paging_file(Box::new(MemoryStore::new()), 256);
    let base = machine.commit(128 * PAGE, Protection::READ_WRITE);

    for page in 0..128 {
        assert_eq!(machine.read(base + page * PAGE), Ok(0));
    }

    assert!(machine.vmm.counters().steals > 0);
    assert_eq!(machine.vmm.counters().pages_out, 0);
    assert_eq!(machine.vmm.paging_file_slots(), (0, 0));
}

#[test]
fn locked_pages_are_never_taken() {
    let mut machine = machine(PolicyKind::Fifo, 64, PagingMode::TwoLevel);
    machine
        .vmm
        .set_paging_file(Box::new(MemoryStore::new()), 256);
    let base = machine.commit(200 * PAGE, Protection::READ_WRITE);
    machine.lock(base, 20 * PAGE).unwrap();
    let frames = |machine: &Machine| {
        let pages = machine.vmm.resident_pages(&machine.mmu, machine.process);
        pages.into_iter().take(20).collect::<Vec<_>>()
    };
    let before = frames(&machine);

    for page in 20..200 {
        machine.write(base + page * PAGE, page).unwrap();
        machine.audit("locked");
    }

    assert_eq!(frames(&machine), before);
}

#[test]
fn reset_pages_are_discarded_and_the_undo_says_so() {
    let mut machine = machine(PolicyKind::Fifo, 32, PagingMode::TwoLevel);
    machine
        .vmm
        .set_paging_file(Box::new(MemoryStore::new()), 256);
    let base = machine.commit(128 * PAGE, Protection::READ_WRITE);
    for page in 0..4 {
        machine.write(base + page * PAGE, 7).unwrap();
    }
    machine.reset(base, 4 * PAGE).unwrap();
    assert_eq!(
        machine.read(base),
        Ok(7),
        "nothing has needed the frames yet"
    );
    let out = machine.vmm.counters().pages_out;

    for page in 4..60 {
        machine.read(base + page * PAGE).unwrap();
    }

    assert_eq!(machine.vmm.counters().pages_out, out);
    assert_eq!(
        machine
            .reset_undo(base, 4 * PAGE)
            .unwrap_err()
            .win32_code()
            .get(),
        8
    );
    assert_eq!(machine.read(base + PAGE), Ok(0));
    machine.audit("reset");
}

#[test]
fn sections_are_paged_out_from_under_all_their_views() {
    let mut machine = machine(PolicyKind::Clock, 48, PagingMode::Pae);
    machine
        .vmm
        .set_paging_file(Box::new(MemoryStore::new()), 512);
    let (first, second) = machine.map_twice(100 * PAGE);
    for page in 0..100 {
        machine.write(first + page * PAGE, page + 1).unwrap();
        machine.read(second + page * PAGE).unwrap();
        machine.audit("section");
    }

    for page in 0..100 {
        assert_eq!(machine.read(second + page * PAGE), Ok(page + 1));
    }
    machine.audit("section read back");
}

/// A store that can be told to fail.
#[derive(Debug, Default)]
struct Fragile {
    pages: MemoryStore,
    broken: Rc<Cell<bool>>,
}

impl PageStore for Fragile {
    fn read(&mut self, index: u32, page: &mut PageBytes) -> Result<(), StoreError> {
        if self.broken.get() {
            return Err(StoreError::Read { index });
        }
        self.pages.read(index, page)
    }

    fn write(&mut self, index: u32, page: &PageBytes) -> Result<(), StoreError> {
        if self.broken.get() {
            return Err(StoreError::Write { index });
        }
        self.pages.write(index, page)
    }
}

#[test]
fn a_paging_file_that_breaks_gives_in_page_errors_and_no_wrong_byte() {
    let mut machine = machine(PolicyKind::Clock, 32, PagingMode::TwoLevel);
    let broken = Rc::new(Cell::new(false));
    let store = Fragile {
        broken: Rc::clone(&broken),
        ..Fragile::default()
    };
    machine.vmm.set_paging_file(Box::new(store), 256);
    let base = machine.commit(128 * PAGE, Protection::READ_WRITE);
    for page in 0..128 {
        machine.write(base + page * PAGE, page + 1).unwrap();
    }

    broken.set(true);
    let mut errors = 0;
    for page in 0..128 {
        match machine.read(base + page * PAGE) {
            Ok(value) => assert_eq!(value, page + 1),
            Err(Resolution::InPageError(error)) => {
                errors += 1;
                let is_store = matches!(error.cause, InPageCause::Store(_) | InPageCause::NoFrame);
                assert!(is_store, "{error:?}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    machine.audit("broken");
    broken.set(false);

    assert!(errors > 0);
    for page in 0..128 {
        assert_eq!(machine.read(base + page * PAGE), Ok(page + 1));
    }
}

#[test]
fn a_file_that_is_truncated_gives_in_page_errors() {
    let mut machine = machine(PolicyKind::Fifo, 32, PagingMode::TwoLevel);
    let file = tempfile::tempfile().unwrap();
    let store = StreamStore::new(file.try_clone().unwrap());
    machine.vmm.set_paging_file(Box::new(store), 256);
    let base = machine.commit(128 * PAGE, Protection::READ_WRITE);
    for page in 0..128 {
        machine.write(base + page * PAGE, page + 1).unwrap();
    }
    for page in 0..128 {
        assert_eq!(machine.read(base + page * PAGE), Ok(page + 1));
    }

    file.set_len(0).unwrap();

    let errors = (0..20)
        .filter(|page| machine.read(base + page * PAGE).is_err())
        .count();
    assert_eq!(errors, 20);
    machine.audit("truncated");
}

#[test]
fn committing_more_than_ram_and_paging_file_gives_1455_and_changes_nothing() {
    let mut machine = machine(PolicyKind::Clock, 64, PagingMode::TwoLevel);
    let before = *machine.vmm.commit();

    let refused = machine.try_commit(MIB, Protection::READ_WRITE).unwrap_err();

    assert_eq!(refused.win32_code().get(), 1455);
    assert_eq!(*machine.vmm.commit(), before);
    assert!(
        machine
            .try_commit(32 * PAGE, Protection::READ_WRITE)
            .is_ok()
    );
}

#[test]
fn exactly_what_is_available_can_be_committed() {
    let mut machine = machine(PolicyKind::Clock, 64, PagingMode::TwoLevel);
    let left = machine.vmm.commit().available_pages();

    let one_too_many = machine.try_commit((left + 1) * PAGE, Protection::READ_WRITE);
    let all = machine.try_commit(left * PAGE, Protection::READ_WRITE);

    assert_eq!(one_too_many.unwrap_err().win32_code().get(), 1455);
    assert!(all.is_ok());
    assert_eq!(machine.vmm.commit().available_pages(), 0);
}

#[test]
fn everything_that_can_be_committed_can_be_written_at_once() {
    let mut machine = machine(PolicyKind::Clock, 64, PagingMode::TwoLevel);
    machine
        .vmm
        .set_paging_file(Box::new(MemoryStore::new()), 64);
    // A table for the allocation itself is still to come.
    let pages = machine.vmm.commit().available_pages() - 1;
    let base = machine.commit(pages * PAGE, Protection::READ_WRITE);

    for round in 0..3 {
        for page in 0..pages {
            machine.write(base + page * PAGE, page + round).unwrap();
        }
    }

    for page in 0..pages {
        assert_eq!(machine.read(base + page * PAGE), Ok(page + 2));
    }
    machine.audit("full");
}

#[test]
fn an_emptied_working_set_comes_back_by_soft_faults() {
    let mut machine = machine(PolicyKind::Clock, 64, PagingMode::TwoLevel);
    let base = machine.commit(8 * PAGE, Protection::READ_WRITE);
    for page in 0..8 {
        machine.write(base + page * PAGE, page + 1).unwrap();
    }
    machine.lock(base, PAGE).unwrap();

    machine
        .vmm
        .set_working_set(&mut machine.mmu, machine.process, u32::MAX, u32::MAX)
        .unwrap();

    assert_eq!(machine.vmm.working_set(machine.process).resident_pages, 1);
    let soft = machine.vmm.counters().soft_faults;
    for page in 0..8 {
        assert_eq!(machine.read(base + page * PAGE), Ok(page + 1));
    }
    assert_eq!(machine.vmm.counters().soft_faults, soft + 7);
    assert_eq!(machine.vmm.counters().hard_faults, 0);
    machine.audit("emptied");
}

#[test]
fn a_processes_memory_is_given_back_when_it_ends() {
    let mut machine = machine(PolicyKind::Clock, 64, PagingMode::Pae);
    machine
        .vmm
        .set_paging_file(Box::new(MemoryStore::new()), 64);
    let (free, commit) = (machine.vmm.free_frames(), *machine.vmm.commit());
    let child = machine.vmm.create_process(&mut machine.mmu).unwrap();
    machine.vmm.switch_to(&mut machine.mmu, child);
    let parent = std::mem::replace(&mut machine.process, child);
    let base = machine.commit(70 * PAGE, Protection::READ_WRITE);
    for page in 0..70 {
        machine.write(base + page * PAGE, page).unwrap();
    }
    machine.vmm.switch_to(&mut machine.mmu, parent);
    machine.process = parent;

    machine.vmm.destroy_process(&mut machine.mmu, child);

    assert_eq!(machine.vmm.free_frames(), free);
    assert_eq!(machine.vmm.commit().charged_pages, commit.charged_pages);
    assert_eq!(machine.vmm.paging_file_slots().0, 0);
    machine.audit("ended");
    let _ = LinearAddr::new(base);
}
