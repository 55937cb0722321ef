//! `counting [PAIRS]`: what counting accesses costs, as a ratio.
//!
//! Two builds of each loop of hits are run in turn, pair by pair: one counts, the other does not. A
//! host that is shared, or that changes its clock rate, does so to both of a pair. Prints, for each
//! kind of access, the median of the pairs' ratios and the least time of an access in either.

use std::hint::black_box;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use pagefault_benches::loops::{
    ACCESSES, HOT_PAGES, fetch_all, hot, mix_all, mmu, read_all, two_level, uniform, write_all,
};
use pagefault_benches::workload::Uncounted;
use pagefault_mmu::{LinearAddr, Mmu, MmuConfig, NoObserver, Observer};

/// The exit code of wrong use.
const USAGE: u8 = 2;
/// Pairs of each loop, unless the command line says how many.
const PAIRS: usize = 2_000;
/// How often both MMUs are made anew. Where they lie in the host's memory takes a tenth more or less:
/// they trade places, and move.
const ROUNDS: usize = 32;
/// How far they move.
const PLACE_BYTES: usize = 272;
/// Passes of a loop that are timed as one: long beside reading the clock, short beside the
/// host's other work.
const PASSES: u32 = 8;

/// The loops, by what they do.
#[derive(Clone, Copy)]
enum Loop {
    Read,
    Write,
    Fetch,
    /// All three in turn.
    Mixed,
}

impl Loop {
    const ALL: [(&str, Self); 4] = [
        ("read", Self::Read),
        ("write", Self::Write),
        ("fetch", Self::Fetch),
        ("mixed", Self::Mixed),
    ];

    /// Returns the addresses of the accesses.
    fn addrs(self) -> Vec<LinearAddr> {
        match self {
            Self::Mixed => uniform(HOT_PAGES),
            _ => hot(),
        }
    }

    /// Returns how many accesses a pass makes.
    fn accesses(self) -> u32 {
        match self {
            Self::Mixed => 3 * ACCESSES,
            _ => ACCESSES,
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let pairs = match args.as_slice() {
        [] => Some(PAIRS),
        [pairs] => pairs.parse().ok().filter(|&pairs| pairs > 0),
        _ => None,
    };
    let Some(pairs) = pairs else {
        let _ = writeln!(io::stderr(), "usage: counting [PAIRS]");
        return ExitCode::from(USAGE);
    };
    for (name, kind) in Loop::ALL {
        let line = compare(kind, pairs);
        if writeln!(io::stdout(), "{name:5} {line}").is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Returns what counting adds to a loop, in words.
fn compare(kind: Loop, pairs: usize) -> String {
    let addrs = kind.addrs();
    let (mut least_with, mut least_without) = (f64::INFINITY, f64::INFINITY);
    let mut ratios = Vec::with_capacity(pairs);
    for round in 0..ROUNDS {
        let padding = black_box(vec![0_u8; round / 2 * PLACE_BYTES]);
        let (mut with, mut without) = make_in_turn(round);
        // Fills the TLB.
        time(kind, &mut with, &addrs);
        time(kind, &mut without, &addrs);
        for pair in 0..pairs.div_ceil(ROUNDS) {
            // Neither is always the second.
            let (counted, uncounted) = if pair % 2 == 0 {
                let counted = time(kind, &mut with, &addrs);
                (counted, time(kind, &mut without, &addrs))
            } else {
                let uncounted = time(kind, &mut without, &addrs);
                (time(kind, &mut with, &addrs), uncounted)
            };
            least_with = least_with.min(counted);
            least_without = least_without.min(uncounted);
            ratios.push(counted / uncounted);
        }
        drop(padding);
    }
    ratios.sort_by(f64::total_cmp);
    let median = (ratios[ratios.len() / 2] - 1.0) * 100.0;
    format!("{median:+6.1} %  {least_with:.2} ns with, {least_without:.2} ns without")
}

/// Makes an MMU that counts and one that does not; in every other round the second is made first.
fn make_in_turn(round: usize) -> (Box<Mmu>, Box<Mmu<Uncounted>>) {
    let with = || Box::new(mmu(two_level(), &MmuConfig::default(), NoObserver));
    let without = || Box::new(mmu(two_level(), &MmuConfig::default(), Uncounted));
    if round.is_multiple_of(2) {
        let counting = with();
        (counting, without())
    } else {
        let uncounting = without();
        (with(), uncounting)
    }
}

/// Returns the nanoseconds of an access.
fn time<O: Observer>(kind: Loop, mmu: &mut Mmu<O>, addrs: &[LinearAddr]) -> f64 {
    let start = Instant::now();
    for _ in 0..PASSES {
        match kind {
            Loop::Read => _ = black_box(read_all(mmu, addrs)),
            Loop::Write => write_all(mmu, addrs),
            Loop::Fetch => _ = black_box(fetch_all(mmu, addrs)),
            Loop::Mixed => _ = black_box(mix_all(mmu, addrs)),
        }
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(PASSES * kind.accesses())
}
