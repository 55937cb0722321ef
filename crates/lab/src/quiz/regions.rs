//! Exercises on `VirtualQuery`.

use pagefault_machine::vmm::mmu::{LinearAddr, PAGE_SIZE};
use pagefault_machine::vmm::{Profile, Protection, Rights};

use super::{Answer, Exercise, Question, Topic};
use crate::course::replay::{Replay, ReplayConfig};
use crate::course::{Operation, Place, Step, Target};
use crate::variant::Draws;

/// RAM of an exercise.
const RAM_BYTES: u64 = 4 << 20;
/// Pages of the reservation: 2 to 8 times 16.
const GRANULE_PAGES: u32 = 16;
/// Where reservations may begin.
const FIRST_GRANULE: u32 = 0x10;
const LAST_GRANULE: u32 = 0x7FF;
/// The protections that are drawn.
const RIGHTS: [Rights; 5] = [
    Rights::ReadOnly,
    Rights::ReadWrite,
    Rights::Execute,
    Rights::ExecuteRead,
    Rights::ExecuteReadWrite,
];

/// A reservation, and the calls that were made on it.
struct Calls {
    replay: Replay,
    base: LinearAddr,
    given: Vec<String>,
}

impl Calls {
    /// Does something to `count` pages, from page `first` of the reservation on.
    fn perform(&mut self, operation: Operation, first: u32, count: u32, rights: Rights) {
        let step = Step {
            place: Place::Line(1),
            at_ms: 0,
            operation,
            target: Target::Range {
                address: self.base.wrapping_add(first * PAGE_SIZE),
                size_bytes: count * PAGE_SIZE,
            },
            protect: rights.bits(),
            units: count,
        };
        self.given.push(self.replay.step(&step).call);
    }
}

/// Draws calls, and asks what the query says after them.
pub(super) fn query(draws: &mut Draws) -> Exercise {
    let config = ReplayConfig {
        ram_bytes: RAM_BYTES,
        profile: Profile::Nt,
    };
    let Ok(replay) = Replay::new(&config) else {
        unreachable!("4 MiB of RAM are enough for an empty process")
    };
    let base =
        LinearAddr::new(draws.within(FIRST_GRANULE, LAST_GRANULE) * GRANULE_PAGES * PAGE_SIZE);
    let pages = draws.within(2, 8) * GRANULE_PAGES;
    let mut calls = Calls {
        replay,
        base,
        given: Vec::new(),
    };
    calls.perform(Operation::Reserve, 0, pages, *draws.pick(&RIGHTS));
    for _ in 0..2 {
        let first = draws.below(pages / 2);
        let count = draws.within(2, pages / 2);
        calls.perform(Operation::Commit, first, count, *draws.pick(&RIGHTS));
    }
    let first = draws.below(pages / 2);
    let count = draws.within(1, 6);
    calls.perform(Operation::Decommit, first, count, Rights::ReadOnly);
    if draws.once_in(2) {
        let first = draws.below(pages / 2);
        calls.perform(Operation::Guard, first, 1, Rights::ReadWrite);
    }
    let asked = base.wrapping_add(draws.below(pages) * PAGE_SIZE + draws.below(PAGE_SIZE));
    let Calls {
        replay, mut given, ..
    } = calls;
    given.push(format!("VirtualQuery({asked}, &info, sizeof info)"));
    Exercise {
        topic: Topic::Query,
        title: "What does VirtualQuery return?".to_owned(),
        given,
        questions: fields(&replay, asked),
    }
}

fn fields(replay: &Replay, asked: LinearAddr) -> Vec<Question> {
    let Some(info) = replay.query(asked) else {
        unreachable!("the address is in user space")
    };
    let runs = replay.map();
    let map = runs.iter().map(|run| {
        let protection = run.info.protection.map(|protection| protection.to_string());
        format!(
            "{:08X} {:6} KiB {:7} {}",
            run.info.base.bits(),
            run.info.size_bytes / 1024,
            run.info.state.name(),
            protection.unwrap_or_default()
        )
    });
    let map: Vec<String> = map.collect();
    let question = |field: &str, answer, worked: Vec<String>| Question {
        text: format!("{field}?"),
        answer,
        worked,
    };
    let hex = |addr: LinearAddr| Answer::Hex(u64::from(addr.bits()));
    let allocation = info
        .allocation
        .map_or(0, |allocation| allocation.base.bits());
    let allocated = info
        .allocation
        .map_or(0, |allocation| allocation.protection.bits());
    vec![
        question(
            "BaseAddress",
            hex(info.base),
            vec!["the page of the address".to_owned()],
        ),
        question(
            "AllocationBase",
            Answer::Hex(u64::from(allocation)),
            vec!["where the reservation begins".to_owned()],
        ),
        question(
            "AllocationProtect, as a number",
            Answer::Hex(u64::from(allocated)),
            vec!["what the reservation was given; it never changes".to_owned()],
        ),
        question(
            "RegionSize in bytes",
            Answer::Hex(u64::from(info.size_bytes)),
            map.clone(),
        ),
        question(
            "State: COMMIT, RESERVE or FREE",
            Answer::Word(info.state.name()),
            map,
        ),
        question(
            "Protect, as a number; 0 for a reserved page",
            Answer::Hex(u64::from(info.protection.map_or(0, Protection::bits))),
            vec!["what the last call gave the page; PAGE_GUARD is 0x100".to_owned()],
        ),
    ]
}
