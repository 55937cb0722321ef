//! How far a long run is, on a terminal.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pagefault_machine::{Machine, Outcome, Watch};

use crate::interrupt;

/// How often what is shown turns.
const TICK: Duration = Duration::from_millis(200);

/// Runs a program, and shows how far it is if standard error is a terminal and the program's
/// output goes elsewhere: on one terminal, the two would be in each other's way.
pub(crate) fn run<W: Watch>(machine: &mut Machine<W>, budget: u64) -> Outcome {
    if !io::stderr().is_terminal() || io::stdout().is_terminal() {
        return machine.run_while(budget, |_| !interrupt::is_requested());
    }
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {human_pos} instructions, {elapsed}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    let outcome = machine.run_while(budget, |done| {
        bar.set_position(done);
        !interrupt::is_requested()
    });
    bar.finish_and_clear();
    outcome
}
