//! More memory, and more page faults: a reference string under first in, first out, and beside it the
//! policies that cannot do that.
//!
//! `cargo run -p pagefault-lab --example belady`

use std::io::{self, Write};

use pagefault_lab::paging::{Policy, ReferenceString, anomalies, fault_curve};

const STRING: &str = "1 2 3 4 1 2 5 1 2 3 4 5";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = io::stdout().lock();
    let string: ReferenceString = STRING.parse()?;
    writeln!(out, "page faults of {STRING}, with 1 to 5 frames")?;
    for policy in [Policy::Fifo, Policy::Lru, Policy::Clock, Policy::Optimal] {
        let curve = fault_curve(policy, &string, 1..=5);
        write!(out, "{:>6}", policy.name())?;
        for point in &curve {
            write!(out, "{:>4}", point.faults)?;
        }
        for anomaly in anomalies(&curve) {
            write!(
                out,
                "   {} frames fault {} times, one fewer {} times",
                anomaly.frames, anomaly.faults, anomaly.faults_before
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}
