//! Exercises on the TLB: sets and ways, hits and misses, what they cost.

use pagefault_machine::vmm::mmu::{
    Cr0, Execute, FrameNumber, Geometry, LevelId, LinearAddr, Mmu, MmuConfig, NoObserver,
    PageEntry, PageNumber, PhysMemory, Policy, Privilege, PteFlags, Root, TlbConfig, tables,
};

use super::{Answer, Exercise, Question, Topic};
use crate::variant::Draws;

/// RAM of an exercise.
const RAM_BYTES: u64 = 1 << 20;
/// Where the directory and its first table are.
const ROOT_FRAME: u32 = 1;
const TABLE_FRAME: u32 = 2;
/// The frame that every page shows: nothing is read from it that matters.
const PAGE_FRAME: u32 = 3;
/// Pages that exercises use, all in one table.
pub(super) const PAGES: u32 = 512;
/// Pages of sequences: two digits in hex.
const LISTED_PAGES: u32 = 64;
/// Accesses of a sequence.
const ACCESSES: u32 = 12;
/// The policies of a course, with what they are called there.
const POLICIES: [(Policy, &str); 4] = [
    (Policy::Lru, "true LRU"),
    (Policy::Fifo, "FIFO"),
    (Policy::TreePlru, "tree-PLRU"),
    (Policy::BitPlru, "bit-PLRU"),
];

/// A TLB on the path of accesses.
pub(super) struct Bench {
    pub(super) mmu: Mmu<NoObserver>,
    geometry: Geometry,
}

impl Bench {
    pub(super) fn new(geometry: Geometry) -> Self {
        let frame = |number| match FrameNumber::new(number) {
            Some(frame) => frame,
            None => unreachable!("small frame numbers exist"),
        };
        let root = Root::TwoLevel(frame(ROOT_FRAME));
        let config = MmuConfig {
            tlb: TlbConfig::unified(geometry),
            ..MmuConfig::default()
        };
        let memory = PhysMemory::new(RAM_BYTES);
        let Some(mut mmu) = memory
            .ok()
            .and_then(|memory| Mmu::new(memory, &config).ok())
        else {
            unreachable!("one array of 4 KiB pages is a TLB")
        };
        let entry = PageEntry {
            frame: frame(PAGE_FRAME),
            flags: PteFlags::USER,
            execute: Execute::Allowed,
        };
        let first = PageNumber::containing(LinearAddr::new(0));
        let added = tables::add_table(mmu.mem_mut(), root, first, frame(TABLE_FRAME));
        let mapped = (0..PAGES).filter_map(PageNumber::new).try_for_each(|page| {
            // Nothing is cached yet, so that nothing is owed.
            tables::set_page(mmu.mem_mut(), root, page, entry).map(|_| ())
        });
        let paging = Cr0::PROTECTED_MODE | Cr0::PAGING;
        let started = mmu.set_cr3(root.cr3());
        let started = started.and_then(|()| mmu.set_cr0(paging.bits()));
        match (added, mapped, started) {
            (Ok(()), Ok(()), Ok(())) => Self { mmu, geometry },
            _ => unreachable!("an empty directory takes a table of pages"),
        }
    }

    /// Reads from a page, and returns whether the TLB had it.
    pub(super) fn read(&mut self, page: u32) -> bool {
        let misses = |mmu: &Mmu<NoObserver>| mmu.statistics().level(LevelId::L1Data).misses.total();
        let before = misses(&self.mmu);
        let read = self.mmu.read::<u8>(address(page), Privilege::User);
        debug_assert!(read.is_ok(), "page {page} is mapped");
        misses(&self.mmu) == before
    }

    fn description(&self, name: &str) -> String {
        format!(
            "a TLB of {} entries in {} ways: {} sets, {name}; the set is the page number modulo the sets; \
             the lowest empty way is filled first",
            self.geometry.entries(),
            self.geometry.ways(),
            self.geometry.sets()
        )
    }

    /// Returns what a set holds, way by way.
    fn set(&self, set: u32) -> String {
        let ways = (0..self.geometry.ways()).map(|way| {
            let mut entries = self.mmu.tlb_entries();
            let held = entries.find(|entry| entry.set == set && entry.way == way);
            held.map_or_else(
                || "-".to_owned(),
                |entry| format!("{:x}", entry.page.bits()),
            )
        });
        format!("set {set}: {}", ways.collect::<Vec<_>>().join(" "))
    }
}

fn address(page: u32) -> LinearAddr {
    match PageNumber::new(page) {
        Some(page) => page.start(),
        None => unreachable!("exercises use {PAGES} pages"),
    }
}

/// Draws a small TLB: 2 to 4 sets of 2 or 4 ways.
fn geometry(draws: &mut Draws) -> (Geometry, &'static str) {
    let &(policy, name) = draws.pick(&POLICIES);
    let ways = *draws.pick(&[2, 4]);
    let sets = *draws.pick(&[2, 4]);
    match Geometry::new(ways * sets, ways, policy) {
        Ok(geometry) => (geometry, name),
        Err(error) => unreachable!("powers of two fit every policy: {error}"),
    }
}

/// Draws pages with locality: a few that come again, most of them of one set.
fn pages(draws: &mut Draws, geometry: Geometry, count: u32) -> Vec<u32> {
    let sets = geometry.sets();
    let set = draws.below(sets);
    let candidates = geometry.ways() + 2;
    let own: Vec<u32> = (0..candidates).map(|number| number * sets + set).collect();
    (0..count)
        .map(|_| {
            if draws.once_in(5) {
                draws.below(LISTED_PAGES)
            } else {
                *draws.pick(&own)
            }
        })
        .collect()
}

pub(super) fn listed(pages: &[u32]) -> String {
    let pages = pages.iter().map(|page| format!("{page:x}"));
    pages.collect::<Vec<_>>().join(" ")
}

/// Asks where pages lie after some accesses.
pub(super) fn place(draws: &mut Draws) -> Exercise {
    let (geometry, name) = geometry(draws);
    let mut bench = Bench::new(geometry);
    let pages = pages(draws, geometry, ACCESSES);
    for &page in &pages {
        bench.read(page);
    }
    let mut asked = pages.clone();
    asked.sort_unstable();
    asked.dedup();
    draws.shuffle(&mut asked);
    asked.truncate(3);
    let mut questions = Vec::new();
    for page in asked {
        let set = page % geometry.sets();
        let mut entries = bench.mmu.tlb_entries();
        let held = entries.find(|entry| entry.page.bits() == page);
        let offset = draws.below(0x1000);
        let addr = address(page).wrapping_add(offset);
        questions.push(Question {
            text: format!("Into which set does {addr} go?"),
            answer: Answer::Count(u64::from(set)),
            worked: vec![format!(
                "page {page:#x} modulo {} sets = {set}",
                geometry.sets()
            )],
        });
        questions.push(Question {
            text: "In which way is it after the accesses? Or: none.".to_owned(),
            answer: held.map_or(Answer::Word("none"), |entry| {
                Answer::Count(u64::from(entry.way))
            }),
            worked: vec![format!("{}, way 0 first", bench.set(set))],
        });
    }
    Exercise {
        topic: Topic::TlbPlace,
        title: "Which set and way of the TLB?".to_owned(),
        given: vec![
            bench.description(name),
            format!("reads from these pages, in hex: {}", listed(&pages)),
        ],
        questions,
    }
}

/// Asks which accesses hit.
pub(super) fn sequence(draws: &mut Draws) -> Exercise {
    let (geometry, name) = geometry(draws);
    let mut bench = Bench::new(geometry);
    let pages = pages(draws, geometry, ACCESSES);
    let mut words = Vec::new();
    let mut worked = Vec::new();
    for &page in &pages {
        let word = if bench.read(page) { "hit" } else { "miss" };
        words.push(word);
        let set = page % geometry.sets();
        worked.push(format!("page {page:2x}: {word:4}  {}", bench.set(set)));
    }
    let misses = words.iter().filter(|word| **word == "miss").count() as u64;
    Exercise {
        topic: Topic::TlbSequence,
        title: "Hits and misses of a TLB".to_owned(),
        given: vec![
            bench.description(name),
            format!("reads from these pages, in hex: {}", listed(&pages)),
        ],
        questions: vec![
            Question {
                text: "Hit or miss, access by access?".to_owned(),
                answer: Answer::Sequence(words),
                worked: worked.clone(),
            },
            Question {
                text: "How many misses are there?".to_owned(),
                answer: Answer::Count(misses),
                worked,
            },
        ],
    }
}

/// Asks what an access costs on average, with and without a TLB.
#[expect(clippy::cast_precision_loss, reason = "a time is asked to two digits")]
pub(super) fn access_time(draws: &mut Draws) -> Exercise {
    const LOOP_ROUNDS: u32 = 20;
    let (geometry, name) = geometry(draws);
    let mut bench = Bench::new(geometry);
    // A loop that fits, and now and then a page that does not belong to it.
    let inner = draws.within(2, geometry.entries());
    let mut pages: Vec<u32> = (0..LOOP_ROUNDS).flat_map(|_| 0..inner).collect();
    for _ in 0..draws.within(2, 10) {
        let place = draws.below(LOOP_ROUNDS * inner) as usize;
        pages.insert(place, draws.within(inner, PAGES - 1));
    }
    let hits = pages.iter().filter(|&&page| bench.read(page)).count() as u64;
    let accesses = pages.len() as u64;
    let memory_ns = f64::from(draws.within(6, 20) * 10);
    let tlb_ns = f64::from(draws.within(1, 9));
    let ratio = hits as f64 / accesses as f64;
    let walk_ns = 2.0 * memory_ns;
    let average = tlb_ns + (1.0 - ratio) * walk_ns + memory_ns;
    let without = walk_ns + memory_ns;
    Exercise {
        topic: Topic::AccessTime,
        title: "Effective access time".to_owned(),
        given: vec![
            bench.description(name),
            format!("{accesses} accesses, of which {hits} hit the TLB"),
            format!("a look-up of the TLB takes {tlb_ns} ns, a reference to memory {memory_ns} ns"),
            "two-level paging: a walk reads two entries from memory".to_owned(),
        ],
        questions: vec![
            Question {
                text: "How long does an access take on average, in ns?".to_owned(),
                answer: Answer::Measure(average),
                worked: vec![
                    format!(
                        "misses: {} of {accesses}, each two references more",
                        accesses - hits
                    ),
                    format!(
                        "{tlb_ns} + {:.4} x 2 x {memory_ns} + {memory_ns} = {average:.2} ns",
                        1.0 - ratio
                    ),
                ],
            },
            Question {
                text: "And without a TLB?".to_owned(),
                answer: Answer::Measure(without),
                worked: vec![format!(
                    "every access walks: 3 x {memory_ns} = {without:.2} ns"
                )],
            },
        ],
    }
}
