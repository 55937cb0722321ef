//! A few frames under a policy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::num::NonZeroU32;

use pagefault_machine::vmm::mmu::FrameNumber;
use pagefault_machine::vmm::replacement::{Candidates, Replacement};

use super::{Policy, Reference, ReferenceString, Use};

/// A page that is used no more.
const NEVER: usize = usize::MAX;

/// What a reference string costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Page faults.
    pub faults: u64,
    /// Pages that were written back to make room.
    pub write_backs: u64,
}

/// One reference, and the frames after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The page that was used.
    pub reference: Reference,
    /// Whether it had to be brought in, and what made room for it.
    pub outcome: Hit,
    /// By frame: its page.
    pub frames: Vec<Option<u32>>,
}

/// Whether a page was resident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// It was.
    Hit,
    /// It was not, and this frame now holds it.
    Fault {
        /// The frame.
        frame: usize,
        /// The page that made room.
        evicted: Option<u32>,
    },
}

/// The frames after each reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeLine {
    /// The policy.
    pub policy: Policy,
    /// How many frames there are.
    pub frames: NonZeroU32,
    /// Reference by reference.
    pub moments: Vec<Moment>,
}

impl TimeLine {
    /// Returns how many faults there are.
    pub fn faults(&self) -> usize {
        let is_fault = |moment: &&Moment| moment.outcome != Hit::Hit;
        self.moments.iter().filter(is_fault).count()
    }
}

/// Counts the faults of a reference string in `frames` frames, all empty at the start.
pub fn count(policy: Policy, string: &ReferenceString, frames: NonZeroU32) -> Faults {
    let mut memory = Memory::new(policy, string, frames);
    for (at, &reference) in string.references().iter().enumerate() {
        memory.refer(at, reference);
    }
    memory.faults
}

/// Follows a reference string; the answer grows with references times frames.
pub fn time_line(policy: Policy, string: &ReferenceString, frames: NonZeroU32) -> TimeLine {
    let mut memory = Memory::new(policy, string, frames);
    let references = string.references().iter().enumerate();
    let moments = references
        .map(|(at, &reference)| {
            let outcome = memory.refer(at, reference);
            Moment {
                reference,
                outcome,
                frames: memory.contents.iter().map(|held| held.page).collect(),
            }
        })
        .collect();
    TimeLine {
        policy,
        frames,
        moments,
    }
}

impl fmt::Display for TimeLine {
    /// Draws a column for each reference: the frames, and a star under a fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |moment: &Moment| {
            let write = match moment.reference.kind {
                Use::Read => "",
                Use::Write => "w",
            };
            format!("{}{write}", moment.reference.page)
        };
        let longest = self.moments.iter().map(|moment| name(moment).len()).max();
        let width = longest.unwrap_or(1) + 1;
        write!(f, "{:<10}", "reference")?;
        for moment in &self.moments {
            write!(f, "{:>width$}", name(moment))?;
        }
        for frame in 0..self.frames.get() {
            write!(f, "\n{:<10}", format!("frame {frame}"))?;
            let index = frame as usize;
            for moment in &self.moments {
                let page = moment.frames.get(index).copied().flatten();
                let page = page.map_or_else(|| "-".to_owned(), |page| page.to_string());
                write!(f, "{page:>width$}")?;
            }
        }
        let mut last = format!("{:<10}", "fault");
        for moment in &self.moments {
            let mark = if moment.outcome == Hit::Hit { "" } else { "*" };
            write!(last, "{mark:>width$}")?;
        }
        write!(f, "\n{}", last.trim_end())
    }
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    page: Option<u32>,
    is_referenced: bool,
    is_modified: bool,
}

/// Frames with what a policy remembers of them.
#[derive(Debug)]
struct Memory {
    contents: Vec<Held>,
    /// By page: the frame.
    resident: BTreeMap<u32, usize>,
    /// Frames that were never filled begin here.
    first_empty: usize,
    choice: Choice,
    faults: Faults,
}

/// Who chooses.
#[derive(Debug)]
enum Choice {
    /// A policy of the memory manager.
    Manager(Box<dyn Replacement>),
    /// Exact order: the frame with the lowest key makes room.
    Order {
        /// By reference: the key that it gives to its frame; for LRU, the references count up; for
        /// the optimum, the key is how soon it is needed again, turned round.
        keys: Vec<usize>,
        ordered: BTreeSet<(usize, usize)>,
        key_of: Vec<usize>,
    },
}

impl Memory {
    fn new(policy: Policy, string: &ReferenceString, frames: NonZeroU32) -> Self {
        let references = string.references();
        // More frames than pages would stay empty.
        let frames = (frames.get() as usize).min(references.len().max(1));
        let order = |keys| Choice::Order {
            keys,
            ordered: BTreeSet::new(),
            key_of: vec![0; frames],
        };
        let choice = match policy.kind() {
            Some(kind) => Choice::Manager(kind.policy()),
            None if policy == Policy::Optimal => order(distances(references)),
            None => order((0..references.len()).collect()),
        };
        Self {
            contents: vec![Held::default(); frames],
            resident: BTreeMap::new(),
            first_empty: 0,
            choice,
            faults: Faults::default(),
        }
    }

    fn refer(&mut self, at: usize, reference: Reference) -> Hit {
        let is_write = reference.kind == Use::Write;
        if let Some(&frame) = self.resident.get(&reference.page) {
            let held = &mut self.contents[frame];
            held.is_referenced = true;
            held.is_modified |= is_write;
            self.choice.used(frame, at);
            return Hit::Hit;
        }
        self.faults.faults += 1;
        let (frame, evicted) = self.make_room();
        self.contents[frame] = Held {
            page: Some(reference.page),
            is_referenced: true,
            is_modified: is_write,
        };
        self.resident.insert(reference.page, frame);
        if let Choice::Manager(policy) = &mut self.choice {
            policy.admit(number(frame));
        }
        self.choice.used(frame, at);
        Hit::Fault { frame, evicted }
    }

    /// Returns a frame that is empty now, and the page that was in it.
    fn make_room(&mut self) -> (usize, Option<u32>) {
        if self.first_empty < self.contents.len() {
            self.first_empty += 1;
            return (self.first_empty - 1, None);
        }
        let frame = match &mut self.choice {
            Choice::Manager(policy) => {
                let victim = policy.victim(&mut View(&mut self.contents));
                let victim = victim.unwrap_or(number(0));
                policy.remove(victim);
                victim.bits() as usize
            }
            Choice::Order { ordered, .. } => {
                let first = ordered.pop_first();
                first.map_or(0, |(_, frame)| frame)
            }
        };
        let held = std::mem::take(&mut self.contents[frame]);
        self.faults.write_backs += u64::from(held.is_modified);
        if let Some(page) = held.page {
            self.resident.remove(&page);
        }
        (frame, held.page)
    }
}

impl Choice {
    /// Notes that a frame was used by this reference.
    fn used(&mut self, frame: usize, at: usize) {
        if let Self::Order {
            keys,
            ordered,
            key_of,
        } = self
        {
            ordered.remove(&(key_of[frame], frame));
            key_of[frame] = keys[at];
            ordered.insert((keys[at], frame));
        }
    }
}

/// Returns, for each reference, a key that is lower the later its page is used again.
fn distances(references: &[Reference]) -> Vec<usize> {
    let mut keys = vec![0; references.len()];
    let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
    for (at, reference) in references.iter().enumerate().rev() {
        let next = seen.insert(reference.page, at).unwrap_or(NEVER);
        keys[at] = NEVER - next;
    }
    keys
}

fn number(frame: usize) -> FrameNumber {
    let number = u32::try_from(frame).ok().and_then(FrameNumber::new);
    match number {
        Some(number) => number,
        None => unreachable!("a memory has no more frames than the reference string has pages"),
    }
}

/// The frames as a policy sees them.
struct View<'a>(&'a mut [Held]);

impl Candidates for View<'_> {
    fn may_take(&self, _frame: FrameNumber) -> bool {
        true
    }

    fn take_referenced(&mut self, frame: FrameNumber) -> bool {
        let held = self.0.get_mut(frame.bits() as usize);
        held.is_some_and(|held| std::mem::take(&mut held.is_referenced))
    }

    fn is_modified(&self, frame: FrameNumber) -> bool {
        let held = self.0.get(frame.bits() as usize);
        held.is_some_and(|held| held.is_modified)
    }
}
