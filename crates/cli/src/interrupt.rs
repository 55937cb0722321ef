//! Ctrl-C: asks a long run to end, so that what it has found is shown and its files are whole.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

/// Exit code of a run that Ctrl-C has ended, as shells have it: 128 and the number of SIGINT.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

static IS_REQUESTED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C from now on. The first asks for the end; the second, for whom that takes too
/// long, ends the process at once.
///
/// # Errors
///
/// The system does not allow it.
pub(crate) fn listen() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if IS_REQUESTED.swap(true, Ordering::Relaxed) {
            process::exit(EXIT_INTERRUPTED.into());
        }
    })
    .context("cannot listen for Ctrl-C")
}

/// Returns whether the end was asked for.
pub(crate) fn is_requested() -> bool {
    IS_REQUESTED.load(Ordering::Relaxed)
}
