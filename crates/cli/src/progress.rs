//! How far a long run is, on a terminal.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pagefault_machine::{Machine, Outcome, Pause, Watch};

/// Instructions between two looks at the clock: some tenths of a second.
const SLICE: u64 = 10_000_000;
/// How often what is shown turns.
const TICK: Duration = Duration::from_millis(200);

/// Runs a program, and shows how far it is if standard error is a terminal and the program's
/// output goes elsewhere: on one terminal, the two would be in each other's way.
pub(crate) fn run<W: Watch>(machine: &mut Machine<W>, budget: u64) -> Outcome {
    if !io::stderr().is_terminal() || io::stdout().is_terminal() {
        return machine.run(budget);
    }
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {human_pos} instructions, {elapsed}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    let end = machine.instructions().saturating_add(budget);
    let outcome = loop {
        let left = end.saturating_sub(machine.instructions());
        let pause = machine.run_to_pause(left.min(SLICE));
        bar.set_position(machine.instructions());
        match pause {
            Pause::Ended(Outcome::BudgetExceeded) if left > SLICE => {}
            Pause::Ended(outcome) => break outcome,
            Pause::Breakpoint { .. } | Pause::Raised(_) | Pause::Called { .. } => {}
        }
    };
    bar.finish_and_clear();
    outcome
}
