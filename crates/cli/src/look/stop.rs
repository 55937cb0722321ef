//! Running a program to the moment that is looked at.

use std::str::FromStr;

use pagefault_lab::expect::{Expression, Subject};
use pagefault_machine::{Catch, ExceptionReport, Machine, Outcome, PageReport, Pause, Watch};

/// When a program is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// When its run has ended.
    Exit,
    /// When so many exceptions have been raised.
    Fault(u32),
    /// When so many instructions have been executed.
    Instructions(u64),
    /// When control has come to a place so often.
    Place { text: String, visit: u32 },
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let positive = |digits: &str| digits.parse::<u32>().ok().filter(|&number| number > 0);
        if text == "exit" {
            return Ok(Self::Exit);
        }
        if text == "fault" {
            return Ok(Self::Fault(1));
        }
        if let Some(number) = text.strip_prefix("fault:") {
            let wrong = || "expected the number of an exception, as in fault:2".to_owned();
            return positive(number).map(Self::Fault).ok_or_else(wrong);
        }
        if let Some(number) = text.strip_prefix("insns:") {
            let number = number.replace('_', "").parse().ok();
            let wrong = || "expected a number of instructions, as in insns:1000".to_owned();
            return number.map(Self::Instructions).ok_or_else(wrong);
        }
        let (place, visit) = text.split_once('#').unwrap_or((text, "1"));
        let wrong = || "expected the number of a visit, as in again#3".to_owned();
        Ok(Self::Place {
            text: place.to_owned(),
            visit: positive(visit).ok_or_else(wrong)?,
        })
    }
}

/// An exception, with what was known of its address when it was raised.
pub(crate) struct Raised {
    pub(crate) report: Box<ExceptionReport>,
    pub(crate) page: Option<PageReport>,
}

impl Raised {
    /// Returns an exception that is being raised.
    fn now<W: Watch>(report: Box<ExceptionReport>, machine: &mut Machine<W>) -> Self {
        let memory = report.memory.as_deref();
        let page = memory.map(|memory| PageReport {
            // As it was when the access was made.
            walk: memory.walk,
            entry_meaning: memory.entry_meaning.clone(),
            ..machine.page_report(memory.fault.addr)
        });
        Self { report, page }
    }
}

impl Until {
    /// Returns whether a run that has ended so, within `end` instructions, came to this moment.
    fn is_end(&self, outcome: &Outcome, end: u64) -> bool {
        match self {
            Self::Exit => true,
            Self::Instructions(number) => {
                matches!(outcome, Outcome::BudgetExceeded) && end == *number
            }
            Self::Fault(_) | Self::Place { .. } => false,
        }
    }
}

/// How a program was left.
pub(crate) struct Stopped {
    /// How its run ended; `None` if it could go on.
    pub(crate) outcome: Option<Outcome>,
    /// The exception that was raised last.
    pub(crate) raised: Option<Raised>,
    /// How many were raised.
    pub(crate) count: u32,
}

/// Runs a program to a moment.
///
/// # Errors
///
/// One sentence for the user: the place is none, or the run has ended before.
pub(crate) fn run<W: Watch>(
    machine: &mut Machine<W>,
    subject: Subject<'_>,
    until: &Until,
    max_insns: u64,
) -> Result<Stopped, String> {
    machine.set_catch(Catch::Exceptions);
    let mut visits_left = 0;
    if let Until::Place { text, visit } = until {
        let place = Expression::new(text, subject).and_then(|place| place.constant());
        let place = place.map_err(|error| with_help(&error, text))?;
        machine.add_breakpoint(place);
        visits_left = *visit;
    }
    let end = match until {
        Until::Instructions(number) => max_insns.min(*number),
        _ => max_insns,
    };
    let mut stopped = Stopped {
        outcome: None,
        raised: None,
        count: 0,
    };
    loop {
        let left = end.saturating_sub(machine.instructions());
        match machine.run_to_pause(left) {
            Pause::Raised(report) => {
                stopped.count += 1;
                stopped.raised = Some(Raised::now(report, machine));
                if *until == Until::Fault(stopped.count) {
                    return Ok(stopped);
                }
            }
            Pause::Called { .. } => {}
            Pause::Breakpoint { .. } => {
                visits_left -= 1;
                if visits_left == 0 {
                    return Ok(stopped);
                }
            }
            Pause::Ended(outcome) => {
                if !until.is_end(&outcome, end) {
                    return Err(too_early(until, &stopped, visits_left));
                }
                let is_budget = matches!(outcome, Outcome::BudgetExceeded);
                let has_ended = !is_budget || *until == Until::Exit;
                stopped.outcome = has_ended.then_some(outcome);
                return Ok(stopped);
            }
        }
    }
}

/// Says that a run has ended before the moment that was asked for.
fn too_early(until: &Until, stopped: &Stopped, visits_left: u32) -> String {
    match until {
        Until::Exit => unreachable!("the end is never too early"),
        Until::Fault(wanted) => {
            let count = stopped.count;
            format!("the program has ended before exception number {wanted}: there are {count}")
        }
        Until::Instructions(wanted) => {
            format!("the run has ended before {wanted} instructions were executed")
        }
        Until::Place { text, visit } => match visit - visits_left {
            0 => format!("the run has ended, and control never came to {text}"),
            count => format!("the run has ended, and control came to {text} only {count} times"),
        },
    }
}

/// Returns the message for an expression that cannot be understood.
pub(crate) fn with_help(error: &pagefault_lab::expect::ExpectError, text: &str) -> String {
    let help = error.kind.help();
    let help = help.map(|help| format!(": {help}")).unwrap_or_default();
    format!("\"{text}\" is no place in the program: {error}{help}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_users_write_them() {
        let place = |text: &str, visit| Until::Place {
            text: text.to_owned(),
            visit,
        };
        let cases = [
            ("exit", Until::Exit),
            ("fault", Until::Fault(1)),
            ("fault:3", Until::Fault(3)),
            ("insns:1_000", Until::Instructions(1000)),
            ("again#2", place("again", 2)),
            ("start+4", place("start+4", 1)),
        ];
        for (text, until) in cases {
            assert_eq!(text.parse(), Ok(until), "{text}");
        }
        for wrong in ["fault:0", "fault:x", "insns:", "again#0"] {
            assert!(wrong.parse::<Until>().is_err(), "{wrong}");
        }
    }
}
