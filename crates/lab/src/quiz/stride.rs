//! Exercises on TLB reach, strides and loops.

use pagefault_machine::vmm::mmu::{Geometry, PAGE_SIZE, Policy};

use super::tlb::{Bench, PAGES};
use super::{Answer, Exercise, Question, Topic};
use crate::variant::Draws;

/// Rounds of a loop, the first of which finds the TLB empty.
const ROUNDS: u32 = 4;

fn array(entries: u32, ways: u32, policy: Policy) -> Bench {
    match Geometry::new(entries, ways, policy) {
        Ok(geometry) => Bench::new(geometry),
        Err(error) => unreachable!("powers of two fit every policy: {error}"),
    }
}

/// Reads each page of a loop, round by round, and returns the misses of each round.
fn loop_misses(bench: &mut Bench, pages: &[u32]) -> Vec<u64> {
    let round = |_| pages.iter().filter(|&&page| !bench.read(page)).count() as u64;
    (0..ROUNDS).map(round).collect()
}

/// Asks how far a TLB reaches, and what strides cost.
pub(super) fn reach(draws: &mut Draws) -> Exercise {
    let ways = *draws.pick(&[2, 4]);
    let sets = *draws.pick(&[8, 16]);
    let entries = ways * sets;
    // From one page for each element to one set for all.
    let stride_pages = *draws.pick(&[1, 2, 4, 8]);
    let count = draws.within(ways * 2, entries);
    let pages: Vec<u32> = (0..count)
        .map(|index| index * stride_pages % PAGES)
        .collect();
    let mut bench = array(entries, ways, Policy::Lru);
    let misses = loop_misses(&mut bench, &pages);
    let used_sets = sets / stride_pages.min(sets);
    let reach = u64::from(entries) * u64::from(PAGE_SIZE);
    let last = misses.last().copied().unwrap_or(0);
    let stride_bytes = stride_pages * PAGE_SIZE;
    let by_round = misses
        .iter()
        .map(u64::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    Exercise {
        topic: Topic::TlbReach,
        title: "TLB reach and stride".to_owned(),
        given: vec![
            format!(
                "a TLB of {entries} entries in {ways} ways, true LRU, 4 KiB pages; the set is the page number modulo the sets"
            ),
            format!(
                "a loop reads {count} elements, {stride_bytes} bytes apart, the first at address 0, and does so {ROUNDS} times"
            ),
        ],
        questions: vec![
            Question {
                text: "How many bytes does the TLB reach?".to_owned(),
                answer: Answer::Count(reach),
                worked: vec![format!("{entries} entries of {PAGE_SIZE} bytes")],
            },
            Question {
                text: "Over how many sets do the elements spread?".to_owned(),
                answer: Answer::Count(u64::from(used_sets.min(count))),
                worked: vec![format!("{sets} sets, every {stride_pages}th of them")],
            },
            Question {
                text: "How many misses are there in the last round?".to_owned(),
                answer: Answer::Count(last),
                worked: vec![
                    format!("misses by round: {by_round}"),
                    format!(
                        "a set holds {ways} pages; a loop over more of them misses every time under LRU"
                    ),
                ],
            },
        ],
    }
}

/// Asks where LRU loses.
pub(super) fn lru_plru(draws: &mut Draws) -> Exercise {
    let ways = *draws.pick(&[4, 8]);
    let count = ways + draws.within(1, 2);
    let pages: Vec<u32> = (0..count).collect();
    let policies = [
        (Policy::Lru, "true LRU"),
        (Policy::TreePlru, "tree-PLRU"),
        (Policy::Fifo, "FIFO"),
    ];
    let mut questions = Vec::new();
    for (policy, name) in policies {
        let mut bench = array(ways, ways, policy);
        let misses = loop_misses(&mut bench, &pages);
        let by_round = misses
            .iter()
            .map(u64::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        questions.push(Question {
            text: format!("How many misses are there in all, under {name}?"),
            answer: Answer::Count(misses.iter().sum()),
            worked: vec![format!("misses by round: {by_round}")],
        });
    }
    Exercise {
        topic: Topic::LruPlru,
        title: "Where LRU loses to tree-PLRU".to_owned(),
        given: vec![
            format!(
                "a fully associative TLB of {ways} entries; the lowest empty way is filled first"
            ),
            format!("a loop reads from {count} pages in order, and does so {ROUNDS} times"),
        ],
        questions,
    }
}
