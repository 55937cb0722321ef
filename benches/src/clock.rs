//! The processor time of this process.

use std::time::Instant;

/// Where Linux tells the nanoseconds that the process has been running.
const SCHEDSTAT: &str = "/proc/self/schedstat";

/// A clock of processor time, or of wall time where the system does not tell.
#[derive(Debug)]
pub struct CpuClock {
    started: Instant,
}

impl CpuClock {
    /// Returns a clock that starts now.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Returns the nanoseconds of processor time so far.
    pub fn nanoseconds(&self) -> u64 {
        scheduled()
            .unwrap_or_else(|| u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Default for CpuClock {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the scheduler's account, which it brings up to date when the thread yields.
fn scheduled() -> Option<u64> {
    std::thread::yield_now();
    let text = std::fs::read_to_string(SCHEDSTAT).ok()?;
    text.split_ascii_whitespace().next()?.parse().ok()
}
