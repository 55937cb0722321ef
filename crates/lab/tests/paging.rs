//! Reference strings under policies: textbook counts, bounds that hold for all, and pictures.

use std::num::{NonZeroU32, NonZeroUsize};

use pagefault_lab::paging::{
    Hit, Policy, Reference, ReferenceError, ReferenceString, Use, anomalies, count, fault_curve,
    time_line, working_set,
};
use pagefault_lab::picture;
use pagefault_machine::vmm::replacement::{optimal_faults, simulate};

/// The string of "An anomaly in space-time characteristics of certain programs".
const BELADY: &str = "1 2 3 4 1 2 5 1 2 3 4 5";
/// The string of operating-system textbooks.
const TEXTBOOK: &str = "7 0 1 2 0 3 0 4 2 3 0 3 2 1 2 0 1 7 0 1";

#[test]
fn the_counts_are_those_of_the_textbooks() {
    for (string, policy, frames, faults) in [
        (BELADY, Policy::Fifo, 3, 9),
        (BELADY, Policy::Fifo, 4, 10),
        (BELADY, Policy::Lru, 3, 10),
        (BELADY, Policy::Lru, 4, 8),
        (BELADY, Policy::Optimal, 3, 7),
        (BELADY, Policy::Optimal, 4, 6),
        (TEXTBOOK, Policy::Fifo, 3, 15),
        (TEXTBOOK, Policy::Lru, 3, 12),
        (TEXTBOOK, Policy::Optimal, 3, 9),
    ] {
        let found = count(policy, &string.parse().unwrap(), some(frames));
        assert_eq!(
            found.faults, faults,
            "{string}, {policy:?}, {frames} frames"
        );
    }
}

#[test]
fn the_counts_agree_with_the_memory_managers_own_simulation() {
    for seed in 1..15 {
        let pages = wandering(seed);
        let string = string(&pages);
        for (name, policy) in Policy::NAMES {
            for frames in 1..12 {
                let found = count(policy, &string, some(frames)).faults;
                let expected = match policy.kind() {
                    Some(kind) => simulate(kind, &pages, frames),
                    None if policy == Policy::Optimal => optimal_faults(&pages, frames),
                    None => slow_lru(&pages, frames as usize),
                };
                assert_eq!(found, expected, "{name}, seed {seed}, {frames} frames");
            }
        }
    }
}

#[test]
fn belady_is_found_for_fifo_and_for_no_stack_policy() {
    let string = BELADY.parse().unwrap();

    let fifo = anomalies(&fault_curve(Policy::Fifo, &string, 1..=6));

    assert_eq!(fifo.len(), 1);
    assert_eq!(
        (fifo[0].frames, fifo[0].faults, fifo[0].faults_before),
        (some(4), 10, 9)
    );
    for seed in 0..30 {
        let string = self::string(&wandering(seed));
        for policy in [Policy::Lru, Policy::Optimal] {
            let curve = fault_curve(policy, &string, 1..=12);
            assert_eq!(anomalies(&curve), [], "{policy:?}, seed {seed}");
        }
    }
}

#[test]
fn a_time_line_shows_each_fault_with_what_made_room() {
    let line = time_line(Policy::Lru, &"1 2 3 1 4".parse().unwrap(), some(3));

    assert_eq!(line.faults(), 4);
    assert_eq!(line.moments[3].outcome, Hit::Hit);
    let last = &line.moments[4];
    assert_eq!(
        last.outcome,
        Hit::Fault {
            frame: 1,
            evicted: Some(2)
        }
    );
    assert_eq!(last.frames, [Some(1), Some(4), Some(3)]);
    let expected = "reference  1 2 3 1 4\nframe 0    1 1 1 1 1\nframe 1    - 2 2 2 4\n\
                    frame 2    - - 3 3 3\nfault      * * *   *";
    assert_eq!(line.to_string(), expected);
}

#[test]
fn pictures_are_one_svg_each_and_name_what_they_show() {
    let string: ReferenceString = BELADY.parse().unwrap();
    let line = picture::time_line(&time_line(Policy::Fifo, &string, some(3)));
    let points = fault_curve(Policy::Fifo, &string, 1..=5);
    let curve = picture::NamedCurve {
        name: "fifo",
        points: &points,
    };
    let curves = picture::fault_curves(&[curve]);

    for svg in [&line, &curves] {
        assert!(
            svg.starts_with("<svg ") && svg.ends_with("</svg>\n"),
            "{svg}"
        );
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }
    assert!(line.contains("9 faults of 12"), "{line}");
    assert_eq!(line.matches("cell new").count(), 9);
    assert!(curves.contains("<polyline"), "{curves}");
}

#[test]
fn writes_are_written_back_when_their_page_makes_room() {
    let string: ReferenceString = "1w 2 3 4w 1 1w 5 6 7".parse().unwrap();

    let found = count(Policy::Fifo, &string, some(2));

    assert_eq!((found.faults, found.write_backs), (8, 3));
}

#[test]
fn words_that_are_no_pages_are_refused_with_their_number() {
    let read = |text: &str| text.parse::<ReferenceString>();

    assert_eq!(read("1, 2 x 3"), Err(ReferenceError::Word { word: 3 }));
    assert_eq!(read("1 -2"), Err(ReferenceError::Word { word: 2 }));
    assert_eq!(read("4294967296"), Err(ReferenceError::Word { word: 1 }));
    assert_eq!(read(" ,\n"), Err(ReferenceError::Empty));
    let hex = read("0x1F,2W").unwrap();
    let kinds: Vec<_> = hex
        .references()
        .iter()
        .map(|used| (used.page, used.kind))
        .collect();
    assert_eq!(kinds, [(31, Use::Read), (2, Use::Write)]);
}

#[test]
fn a_window_as_long_as_the_string_faults_once_for_each_page() {
    let string: ReferenceString = TEXTBOOK.parse().unwrap();

    let whole = working_set(&string, NonZeroUsize::new(20).unwrap());
    let one = working_set(&string, NonZeroUsize::MIN);
    let four = working_set(&string, NonZeroUsize::new(4).unwrap());

    assert_eq!((whole.faults, whole.peak_pages), (6, 6));
    assert_eq!((one.faults, one.peak_pages, one.total_pages), (20, 1, 20));
    assert!(
        whole.faults < four.faults && four.faults < one.faults,
        "{four:?}"
    );
}

fn some(frames: u32) -> NonZeroU32 {
    NonZeroU32::new(frames).unwrap()
}

fn string(pages: &[u32]) -> ReferenceString {
    let kind = Use::Read;
    ReferenceString::new(pages.iter().map(|&page| Reference { page, kind }).collect())
}

/// The obvious list, the page that was used last at its end.
fn slow_lru(pages: &[u32], frames: usize) -> u64 {
    let mut list: Vec<u32> = Vec::new();
    let mut faults = 0;
    for &page in pages {
        if let Some(place) = list.iter().position(|&held| held == page) {
            list.remove(place);
        } else {
            faults += 1;
            if list.len() == frames {
                list.remove(0);
            }
        }
        list.push(page);
    }
    faults
}

/// Pages near a place that wanders.
fn wandering(seed: u32) -> Vec<u32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = |limit: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % limit
    };
    let mut place = 0;
    let mut pages = Vec::new();
    for _ in 0..400 {
        if next(12) == 0 {
            place = next(25);
        }
        pages.push(place + next(5));
    }
    pages
}
