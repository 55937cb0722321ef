//! What each replacement policy remembers of a page's use, by strings and uses worked out by hand.

use std::collections::BTreeSet;

use pagefault_vmm::PolicyKind;
use pagefault_vmm::mmu::FrameNumber;
use pagefault_vmm::replacement::{Candidates, Replacement, simulate};

/// Frames as a policy sees them, with what a test has said of them.
#[derive(Default)]
struct Frames {
    takeable: BTreeSet<u32>,
    referenced: BTreeSet<u32>,
}

impl Candidates for Frames {
    fn may_take(&self, frame: FrameNumber) -> bool {
        self.takeable.contains(&frame.bits())
    }

    fn take_referenced(&mut self, frame: FrameNumber) -> bool {
        self.referenced.remove(&frame.bits())
    }

    fn is_modified(&self, _frame: FrameNumber) -> bool {
        false
    }
}

fn admitted(kind: PolicyKind, frames: u32) -> Box<dyn Replacement> {
    let mut policy = kind.policy();
    for frame in 0..frames {
        policy.admit(FrameNumber::new(frame).unwrap());
    }
    policy
}

fn victim(policy: &mut dyn Replacement, frames: &mut Frames) -> Option<u32> {
    policy.victim(frames).map(FrameNumber::bits)
}

#[test]
fn the_clock_passes_a_page_by_that_was_used_since_the_hand_was_there() {
    // The fault of 4 takes every mark away and 1 with it; then 2 is used, so that 5 takes 3.
    let string = [1, 2, 3, 4, 2, 5, 2];

    assert_eq!(simulate(PolicyKind::Clock, &string, 3), 5);
    // First in, first out: 5 takes 2, which is wanted again.
    assert_eq!(simulate(PolicyKind::Fifo, &string, 3), 6);
}

#[test]
fn aging_remembers_uses_before_the_last_sweep() {
    // When 6 comes, neither 2 nor 4 was used since the last fault. 2 was used more often: 4 goes.
    let string = [1, 2, 3, 4, 2, 5, 6, 2];

    assert_eq!(simulate(PolicyKind::Aging, &string, 3), 6);
}

#[test]
fn the_working_set_clock_takes_a_page_from_before_the_window_first() {
    let mut policy = admitted(PolicyKind::WorkingSetClock, 3);
    let mut frames = Frames::default();
    // Time passes, by searches that find nothing; the window is as long as there are frames.
    for _ in 0..4 {
        assert_eq!(victim(policy.as_mut(), &mut frames), None);
    }
    // Then the first page is used, which a search notices.
    frames.takeable = BTreeSet::from([0]);
    frames.referenced = BTreeSet::from([0]);
    assert_eq!(victim(policy.as_mut(), &mut frames), Some(0));
    // And the hand goes once around: it stands behind the last page.
    frames.takeable = BTreeSet::from([2]);
    assert_eq!(victim(policy.as_mut(), &mut frames), Some(2));

    frames.takeable = BTreeSet::from([0, 1]);

    // It comes to the first page first, which is inside the window.
    assert_eq!(victim(policy.as_mut(), &mut frames), Some(1));
}

#[test]
fn random_replacement_is_as_its_seed_says() {
    const FRAMES: u32 = 64;
    let victims = |seed| {
        let mut policy = admitted(PolicyKind::Random { seed }, FRAMES);
        let mut frames = Frames {
            takeable: (0..FRAMES).collect(),
            ..Frames::default()
        };
        let victims = (0..32).map(|_| victim(policy.as_mut(), &mut frames));
        victims.collect::<Vec<_>>()
    };

    assert_eq!(victims(5), victims(5));
    assert_ne!(victims(5), victims(6));
}
