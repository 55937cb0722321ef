//! Policies on a recorded reference string, without a machine around them.

use std::collections::BTreeMap;

use pagefault_mmu::FrameNumber;

use super::{Candidates, PolicyKind};

/// What is resident in a simulated memory.
#[derive(Debug, Default)]
struct Memory {
    /// By page: the frame that it is in.
    resident: BTreeMap<u32, FrameNumber>,
    /// By frame: whether its page was used since that was last asked.
    referenced: Vec<bool>,
}

impl Candidates for Memory {
    fn may_take(&self, _frame: FrameNumber) -> bool {
        true
    }

    fn take_referenced(&mut self, frame: FrameNumber) -> bool {
        let flag = self.referenced.get_mut(frame.bits() as usize);
        flag.is_some_and(std::mem::take)
    }

    fn is_modified(&self, _frame: FrameNumber) -> bool {
        false
    }
}

/// Returns how many page faults a reference string of page numbers causes in `frame_count` frames,
/// all empty at the start.
pub fn simulate(kind: PolicyKind, references: &[u32], frame_count: u32) -> u64 {
    let mut policy = kind.policy();
    let mut memory = Memory::default();
    let mut faults = 0;
    for &page in references {
        if let Some(frame) = memory.resident.get(&page) {
            memory.referenced[frame.bits() as usize] = true;
            continue;
        }
        faults += 1;
        let used = u32::try_from(memory.referenced.len()).unwrap_or(u32::MAX);
        let frame = if used < frame_count {
            memory.referenced.push(false);
            FrameNumber::new(used)
        } else {
            policy.victim(&mut memory)
        };
        let Some(frame) = frame else { continue };
        if memory.resident.values().any(|&resident| resident == frame) {
            memory.resident.retain(|_, resident| *resident != frame);
            policy.remove(frame);
        }
        policy.admit(frame);
        memory.resident.insert(page, frame);
        memory.referenced[frame.bits() as usize] = true;
    }
    faults
}

/// Returns how many page faults the optimal policy takes, which knows the future: it gives up the
/// page whose next use is farthest away. No policy takes fewer.
pub fn optimal_faults(references: &[u32], frame_count: u32) -> u64 {
    const NEVER: usize = usize::MAX;
    // For each reference, where the same page is used next.
    let mut next_use = vec![NEVER; references.len()];
    let mut seen = BTreeMap::new();
    for (at, &page) in references.iter().enumerate().rev() {
        next_use[at] = seen.insert(page, at).unwrap_or(NEVER);
    }
    let mut resident: BTreeMap<u32, usize> = BTreeMap::new();
    let mut faults = 0;
    for (&page, &next) in references.iter().zip(&next_use) {
        if !resident.contains_key(&page) {
            faults += 1;
            if resident.len() >= frame_count as usize {
                let farthest = resident.iter().max_by_key(|&(_, &next)| next);
                let Some(farthest) = farthest.map(|(&page, _)| page) else {
                    continue;
                };
                resident.remove(&farthest);
            }
        }
        resident.insert(page, next);
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Belady's string, from "An anomaly in space-time characteristics of certain programs".
    const BELADY: [u32; 12] = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5];

    #[test]
    fn fifo_shows_beladys_anomaly_from_3_to_4_frames() {
        assert_eq!(simulate(PolicyKind::Fifo, &BELADY, 3), 9);
        assert_eq!(simulate(PolicyKind::Fifo, &BELADY, 4), 10);
        assert_eq!(optimal_faults(&BELADY, 3), 7);
        assert_eq!(optimal_faults(&BELADY, 4), 6);
    }

    #[test]
    fn no_policy_beats_the_optimal_one() {
        for (name, kind) in PolicyKind::NAMES {
            for seed in 1..20_u64 {
                let string = string(seed);
                for frames in 1..10 {
                    let (found, best) = (
                        simulate(kind, &string, frames),
                        optimal_faults(&string, frames),
                    );
                    assert!(
                        found >= best,
                        "{name}, seed {seed}, {frames} frames: {found} < {best}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_second_chance_saves_a_page_that_is_used() {
        // 1 is used between the faults, so that the hand passes it by.
        let string = [1, 2, 3, 1, 4, 1, 5, 1];

        assert!(simulate(PolicyKind::Clock, &string, 3) <= simulate(PolicyKind::Fifo, &string, 3));
    }

    /// A string with locality: mostly pages near a place that wanders.
    fn string(seed: u64) -> Vec<u32> {
        let mut state = seed;
        let mut next = |limit: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            u32::try_from((state >> 33) % limit).unwrap()
        };
        let mut place = 0;
        let mut step = || {
            if next(10) == 0 {
                place = next(30);
            }
            place + next(4)
        };
        (0..300).map(|_| step()).collect()
    }
}
