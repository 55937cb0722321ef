//! How large must a TLB be for a matrix that is walked by columns?
//!
//! `cargo run -p pagefault-tlbsim --example miss_curve`

use std::io::{self, Write};

use pagefault_tlbsim::engine::distances::StackDistances;
use pagefault_tlbsim::{DEFAULT_SEED, Pattern};

/// Look-ups of each pattern.
const LOOK_UPS: usize = 200_000;
/// The sizes of fully associative LRU TLBs.
const ENTRIES: [u64; 6] = [16, 32, 64, 128, 256, 512];

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "misses of {LOOK_UPS} look-ups, LRU, by entries")?;
    write!(out, "{:>10}", "")?;
    for entries in ENTRIES {
        write!(out, "{entries:>8}")?;
    }
    writeln!(out)?;
    let patterns = [
        ("rows", Pattern::MatrixRows { order: 300 }),
        ("columns", Pattern::MatrixColumns { order: 300 }),
        ("list", Pattern::Chase { pages: 100 }),
    ];
    for (name, pattern) in patterns {
        let pages: Vec<u64> = pattern.pages(DEFAULT_SEED).take(LOOK_UPS).collect();
        // One pass counts all sizes.
        let mut distances = StackDistances::new();
        distances.run(&pages);
        write!(out, "{name:>10}")?;
        for entries in ENTRIES {
            write!(out, "{:>8}", distances.misses(entries))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
