//! Exercises on page replacement.

use std::num::{NonZeroU32, NonZeroUsize};

use super::{Answer, Exercise, Question, Topic};
use crate::paging::{
    Hit, Policy, Reference, ReferenceString, Use, anomalies, count, fault_curve, time_line,
    working_set as slide,
};
use crate::variant::Draws;

/// References of an exercise.
const REFERENCES: u32 = 14;
/// The policies that are followed by hand.
const POLICIES: [Policy; 4] = [Policy::Fifo, Policy::Lru, Policy::Clock, Policy::Optimal];

fn string(draws: &mut Draws, pages: u32) -> ReferenceString {
    let mut string = ReferenceString::default();
    while string.references().len() < REFERENCES as usize {
        string.push_merged(Reference {
            page: draws.below(pages),
            kind: Use::Read,
        });
    }
    string
}

fn listed(string: &ReferenceString) -> String {
    let pages = string.references().iter().map(|used| used.page.to_string());
    pages.collect::<Vec<_>>().join(" ")
}

fn rule(policy: Policy) -> &'static str {
    match policy {
        Policy::Fifo => "FIFO: the page that came in first makes room",
        Policy::Lru => "LRU: the page that was not used for longest makes room",
        Policy::Clock => {
            "clock: the oldest page makes room unless it was used since the hand last passed it; \
             a page that comes in counts as used"
        }
        Policy::Optimal => "OPT: the page whose next use is farthest away makes room",
        Policy::Aging => "aging",
        Policy::WorkingSetClock => "working-set clock",
        Policy::Random { .. } => "random",
    }
}

fn frames(draws: &mut Draws) -> NonZeroU32 {
    match NonZeroU32::new(draws.within(3, 4)) {
        Some(frames) => frames,
        None => unreachable!("3 is not 0"),
    }
}

/// Asks which references fault.
pub(super) fn sequence(draws: &mut Draws) -> Exercise {
    let policy = *draws.pick(&POLICIES);
    let frames = frames(draws);
    let string = string(draws, frames.get() + 3);
    let line = time_line(policy, &string, frames);
    let words = line.moments.iter().map(|moment| match moment.outcome {
        Hit::Hit => "hit",
        Hit::Fault { .. } => "fault",
    });
    let worked: Vec<String> = line.to_string().lines().map(str::to_owned).collect();
    let evicted = line.moments.iter().find_map(|moment| match moment.outcome {
        Hit::Fault { evicted, .. } => evicted,
        Hit::Hit => None,
    });
    let mut questions = vec![Question {
        text: "Hit or fault, reference by reference?".to_owned(),
        answer: Answer::Sequence(words.collect()),
        worked: worked.clone(),
    }];
    questions.push(Question {
        text: "Which page makes room first? Or: none.".to_owned(),
        answer: evicted.map_or(Answer::Word("none"), |page| Answer::Count(u64::from(page))),
        worked,
    });
    Exercise {
        topic: Topic::Replacement,
        title: "Page replacement".to_owned(),
        given: vec![
            format!("{frames} frames, all empty at the start; {}", rule(policy)),
            format!("references: {}", listed(&string)),
        ],
        questions,
    }
}

/// Asks how many faults there are, policy by policy.
pub(super) fn counts(draws: &mut Draws) -> Exercise {
    let frames = frames(draws);
    let string = string(draws, frames.get() + 3);
    let mut questions: Vec<Question> = POLICIES
        .iter()
        .map(|&policy| {
            let line = time_line(policy, &string, frames);
            Question {
                text: format!("How many page faults: {}?", rule(policy)),
                answer: Answer::Count(count(policy, &string, frames).faults),
                worked: line.to_string().lines().map(str::to_owned).collect(),
            }
        })
        .collect();
    let curve = fault_curve(Policy::Fifo, &string, frames.get()..=frames.get() + 1);
    let more = curve.last().map_or(0, |point| point.faults);
    let is_anomaly = !anomalies(&curve).is_empty();
    questions.push(Question {
        text: format!(
            "FIFO with {} frames: does it show Belady's anomaly? yes or none.",
            frames.get() + 1
        ),
        answer: Answer::Word(if is_anomaly { "yes" } else { "none" }),
        worked: vec![format!(
            "{} faults with {frames} frames, {more} with one more",
            curve.first().map_or(0, |point| point.faults)
        )],
    });
    Exercise {
        topic: Topic::FaultCount,
        title: "Page faults by policy".to_owned(),
        given: vec![
            format!("{frames} frames, all empty at the start"),
            format!("references: {}", listed(&string)),
        ],
        questions,
    }
}

/// Asks for the working set of a window: what a program needs lest it thrash.
#[expect(clippy::cast_precision_loss, reason = "a mean is asked to two digits")]
pub(super) fn working_set(draws: &mut Draws) -> Exercise {
    let string = string(draws, 6);
    let references = string.references().len();
    let Some(window) = NonZeroUsize::new(draws.within(3, 5) as usize) else {
        unreachable!("3 is not 0")
    };
    let counted = slide(&string, window);
    let pages: Vec<u32> = string.references().iter().map(|used| used.page).collect();
    let worked: Vec<String> = (1..=references)
        .map(|end| {
            let mut held = pages[end.saturating_sub(window.get())..end].to_vec();
            held.sort_unstable();
            held.dedup();
            let held = held
                .iter()
                .map(u32::to_string)
                .collect::<Vec<_>>()
                .join(" ");
            format!("after reference {end}, page {}: {held}", pages[end - 1])
        })
        .collect();
    let mean = counted.total_pages as f64 / references as f64;
    let frames = u64::try_from(counted.peak_pages).unwrap_or(u64::MAX);
    Exercise {
        topic: Topic::WorkingSet,
        title: "The working set of a window".to_owned(),
        given: vec![
            format!("references: {}", listed(&string)),
            format!("the working set: the pages of the last {window} references, the present one included"),
        ],
        questions: vec![
            Question {
                text: "How many pages has the largest working set, which the program needs lest it thrash?".to_owned(),
                answer: Answer::Count(frames),
                worked: worked.clone(),
            },
            Question {
                text: "How many references fault: whose page is not in the working set before them?".to_owned(),
                answer: Answer::Count(counted.faults),
                worked: worked.clone(),
            },
            Question {
                text: "How many pages has the working set on average?".to_owned(),
                answer: Answer::Measure(mean),
                worked,
            },
        ],
    }
}
