//! Running a program and judging what it does.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

use pagefault_machine::vmm::MemoryStore;
use pagefault_machine::{
    Catch, DebugInfo, ExceptionReport, Files, Listener, Machine, MachineConfig, Outcome, Pause,
    Program, Status,
};

use crate::expect::claim::{
    CallClaim, Claim, Comparison, Ending, Expectation, FaultClaim, FaultKind, OutputStream,
    OutputTest, Point, Times,
};
use crate::expect::condition::{Miss, Scene};
use crate::expect::describe;
use crate::expect::error::ExpectError;
use crate::expect::expr::{Expr, Moment};
use crate::expect::names::Names;
use crate::expect::parse::Expectations;
use crate::expect::verdict::{CheckError, Unmet, Update, Verdict};
use crate::expect::witness::{Calls, Recorder, Streams, Witness, is_same_line};

/// The instructions that a program may execute unless it says otherwise.
pub const DEFAULT_BUDGET: u64 = 100_000_000;

/// A program and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The program.
    pub program: &'a Program,
    /// Its labels and source lines.
    pub debug: &'a DebugInfo,
}

/// What a run needs that the expectations do not say.
#[derive(Debug)]
pub struct Surroundings {
    /// What the machine is made of, as far as the expectations leave it open.
    pub config: MachineConfig,
    /// The most instructions that the program may execute; the expectations can say fewer.
    pub budget: u64,
    /// The folder that the program sees as drive C.
    pub files: Option<Box<dyn Files>>,
    /// The contents of [`Expectations::file_names`]; of a file that is missing, nothing is met.
    pub texts: BTreeMap<String, Vec<u8>>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            config: MachineConfig::default(),
            budget: DEFAULT_BUDGET,
            files: None,
            texts: BTreeMap::new(),
        }
    }
}

/// Runs a program and says which expectations are met.
///
/// # Errors
///
/// [`CheckError`]: the program cannot be loaded, or an expectation names what it does not have.
pub fn check(
    expectations: &Expectations,
    subject: Subject<'_>,
    mut surroundings: Surroundings,
) -> Result<Verdict, CheckError> {
    let list = bound(expectations, subject).map_err(CheckError::Expectations)?;
    let calls = Rc::new(RefCell::new(Calls::new(wanted_calls(&list), subject.debug)));
    let streams = Rc::new(RefCell::new(Streams::default()));
    let mut machine = load(
        expectations,
        subject,
        &mut surroundings,
        &streams,
        Witness::listener(&calls),
    )?;
    // Who wrote the program does not raise what who runs it allows.
    let wanted = expectations.settings().budget.unwrap_or(u64::MAX);
    let budget = wanted.min(surroundings.budget);
    let mut trial = Trial {
        progress: list.iter().map(|_| Progress::default()).collect(),
        list: &list,
        subject,
        raised: 0,
        raised_last: None,
    };
    let outcome = trial.run(&mut machine, budget);
    if let Outcome::Exception(report) = &outcome
        && !trial.has_raised(report)
    {
        // What a program raises itself comes to nobody's notice until it ends the run.
        trial.raise(&mut machine, report.clone());
    }
    calls.borrow_mut().settle();
    let (unmet, ending) = {
        let end = End {
            outcome: &outcome,
            streams: &streams.borrow(),
            calls: &calls.borrow(),
            texts: &surroundings.texts,
        };
        (trial.judge_all(&mut machine, &end), trial.ending(&end))
    };
    let instructions = machine.instructions();
    let Streams { output, errors } = streams.take();
    Ok(Verdict {
        unmet,
        ending,
        outcome,
        instructions,
        output,
        errors,
    })
}

/// Loads the program as its expectations ask for it.
fn load(
    expectations: &Expectations,
    subject: Subject<'_>,
    surroundings: &mut Surroundings,
    streams: &Rc<RefCell<Streams>>,
    listener: Listener,
) -> Result<Machine<Listener>, CheckError> {
    let settings = expectations.settings();
    let console = Recorder {
        streams: Rc::clone(streams),
        input: settings.input.clone().unwrap_or_default().into_bytes(),
        at: 0,
    };
    let mut machine = Machine::load_program(
        subject.program,
        subject.debug.clone(),
        &settings.apply(&surroundings.config),
        Box::new(console),
        listener,
    )?;
    if let Some(bytes) = settings.pagefile_bytes {
        machine.set_paging_file(Box::new(MemoryStore::new()), bytes);
    }
    if let Some(files) = surroundings.files.take() {
        machine.set_files(files);
    }
    Ok(machine)
}

/// Returns the expectations with the values of their names.
fn bound(
    expectations: &Expectations,
    subject: Subject<'_>,
) -> Result<Vec<Expectation>, Vec<ExpectError>> {
    let Subject { program, debug } = subject;
    let names = Names { debug, program };
    let mut list = expectations.list.clone();
    let errors: Vec<_> = list
        .iter_mut()
        .filter_map(|expectation| expectation.bind(&names).err())
        .collect();
    if errors.is_empty() {
        Ok(list)
    } else {
        Err(errors)
    }
}

fn wanted_calls(list: &[Expectation]) -> Vec<crate::expect::witness::WantedCall> {
    let wanted = list
        .iter()
        .filter_map(|expectation| match &expectation.claim {
            Claim::Call(claim) => Some(claim.wanted()),
            _ => None,
        });
    wanted.collect()
}

/// What has been seen so far of what an expectation speaks of.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// Visits of its address, or exceptions of its kind.
    count: u32,
    miss: Option<Miss>,
}

/// What is known when the run has ended.
struct End<'a> {
    outcome: &'a Outcome,
    streams: &'a Streams,
    calls: &'a Calls,
    texts: &'a BTreeMap<String, Vec<u8>>,
}

struct Trial<'a> {
    list: &'a [Expectation],
    progress: Vec<Progress>,
    subject: Subject<'a>,
    /// Exceptions so far.
    raised: u32,
    raised_last: Option<Box<ExceptionReport>>,
}

impl Trial<'_> {
    fn run(&mut self, machine: &mut Machine<Listener>, budget: u64) -> Outcome {
        let mut wants_exceptions = false;
        for expectation in self.list {
            match &expectation.claim {
                Claim::At(Point::Address(place, _), _) | Claim::Visits(place, ..) => {
                    machine.add_breakpoint(constant(place));
                }
                Claim::Fault(_) | Claim::At(Point::Fault(_), _) => wants_exceptions = true,
                _ => {}
            }
        }
        if wants_exceptions {
            machine.set_catch(Catch::Exceptions);
        }
        loop {
            let left = budget.saturating_sub(machine.instructions());
            match machine.run_to_pause(left) {
                Pause::Breakpoint { eip } => self.arrive(machine, eip),
                Pause::Raised(report) => self.raise(machine, report),
                Pause::Called { .. } => {}
                Pause::Ended(outcome) => return outcome,
            }
        }
    }

    /// Control has come to an address.
    fn arrive(&mut self, machine: &mut Machine<Listener>, eip: u32) {
        for (expectation, progress) in self.list.iter().zip(&mut self.progress) {
            match &expectation.claim {
                Claim::Visits(place, ..) if constant(place) == eip => {
                    progress.count = progress.count.saturating_add(1);
                }
                Claim::At(Point::Address(place, which), condition) if constant(place) == eip => {
                    progress.count = progress.count.saturating_add(1);
                    let is_meant = which.is_none_or(|which| which == progress.count);
                    if !is_meant || progress.miss.is_some() {
                        continue;
                    }
                    let mut scene = Scene {
                        moment: Moment::now(machine),
                        machine: &mut *machine,
                        expectation,
                    };
                    if let Err(mut miss) = scene.judge(condition) {
                        if progress.count > 1 {
                            _ = write!(miss.seen, " (visit {})", progress.count);
                        }
                        progress.miss = Some(miss);
                    }
                }
                _ => {}
            }
        }
    }

    /// Returns whether an exception is the last one that was dispatched.
    fn has_raised(&self, report: &ExceptionReport) -> bool {
        let fault = |report: &ExceptionReport| {
            let memory = report.memory.as_ref();
            memory.map(|memory| memory.fault.addr)
        };
        self.raised_last.as_ref().is_some_and(|last| {
            last.status == report.status
                && last.place.addr == report.place.addr
                && fault(last) == fault(report)
        })
    }

    /// An exception is about to be dispatched.
    fn raise(&mut self, machine: &mut Machine<Listener>, report: Box<ExceptionReport>) {
        self.raised = self.raised.saturating_add(1);
        let moment = Moment {
            gprs: report.registers,
            eip: report.place.addr,
            ..Moment::now(machine)
        };
        for (expectation, progress) in self.list.iter().zip(&mut self.progress) {
            match &expectation.claim {
                Claim::Fault(claim)
                    if claim.means(machine, &moment, &report, self.subject.debug) =>
                {
                    progress.count = progress.count.saturating_add(1);
                }
                Claim::At(Point::Fault(which), condition) => {
                    progress.count = self.raised;
                    let is_meant = which.is_none_or(|which| which == self.raised);
                    if !is_meant || progress.miss.is_some() {
                        continue;
                    }
                    let mut scene = Scene {
                        moment,
                        machine: &mut *machine,
                        expectation,
                    };
                    progress.miss = scene.judge(condition).err();
                }
                _ => {}
            }
        }
        self.raised_last = Some(report);
    }

    fn judge_all(&self, machine: &mut Machine<Listener>, end: &End<'_>) -> Vec<Option<Unmet>> {
        let mut tallies = end.calls.tallies.iter();
        let mut unmet = Vec::new();
        for (expectation, progress) in self.list.iter().zip(&self.progress) {
            let judged = match &expectation.claim {
                Claim::Exit(code) => self.judge_exit(code, expectation, end),
                Claim::End(ending) => self.judge_ending(*ending, end),
                Claim::Output(stream, test) => judge_output(*stream, test, end),
                Claim::Fault(claim) => self.judge_fault(claim, progress),
                Claim::At(point, condition) => match point {
                    Point::Exit => Scene {
                        moment: last_moment(machine, end.outcome),
                        machine: &mut *machine,
                        expectation,
                    }
                    .judge(condition),
                    _ => judge_visits(point, progress),
                },
                Claim::Call(claim) => {
                    let tally = tallies.next();
                    tally.map_or(Ok(()), |tally| self.judge_call(claim, tally))
                }
                Claim::Count(counter, comparison, value) => {
                    let counted = counter.value(machine);
                    judge_count(counter.name(), counted, *comparison, value, expectation)
                }
                Claim::Visits(place, comparison, value) => {
                    let name = describe::part(&expectation.text, expectation.span, place.span);
                    let name = format!("visits of {name}");
                    judge_count(
                        &name,
                        progress.count.into(),
                        *comparison,
                        value,
                        expectation,
                    )
                }
            };
            let report = self.explaining(&expectation.claim, end.outcome);
            unmet.push(judged.err().map(|miss| Unmet {
                span: Some(expectation.span),
                expected: expectation.text.clone(),
                seen: miss.seen,
                report,
                update: miss.update,
            }));
        }
        unmet
    }

    /// Returns the exception that explains why a claim is not met.
    fn explaining(&self, claim: &Claim, outcome: &Outcome) -> Option<Box<ExceptionReport>> {
        let last = match outcome {
            Outcome::Exception(report) => Some(report.clone()),
            _ => None,
        };
        match claim {
            Claim::Fault(_) => self.raised_last.clone().or(last),
            _ => last,
        }
    }

    fn judge_exit(&self, code: &Expr, whole: &Expectation, end: &End<'_>) -> Result<(), Miss> {
        let wanted = constant(code);
        match end.outcome {
            Outcome::Exited { code } if *code == wanted => Ok(()),
            other => {
                let seen = describe::outcome(other, self.subject.debug);
                let exited = match other {
                    Outcome::Exited { code } => Some(*code),
                    _ => None,
                };
                let written = describe::part(&whole.text, whole.span, code.span);
                let update = exited
                    .zip(code.literal())
                    .map(|(exited, _)| Update::Source {
                        span: code.span,
                        text: describe::like(written, exited),
                    });
                Err(Miss { seen, update })
            }
        }
    }

    fn judge_ending(&self, wanted: Ending, end: &End<'_>) -> Result<(), Miss> {
        let is_so = match end.outcome {
            Outcome::Exited { .. } | Outcome::Interrupted => false,
            Outcome::Exception(_) => wanted == Ending::Exception,
            Outcome::UnsupportedInstruction(_) | Outcome::MissingFunction(_) => {
                wanted == Ending::NotEmulated
            }
            Outcome::BudgetExceeded | Outcome::EndlessCalls { .. } => wanted == Ending::Budget,
            Outcome::Deadlock { .. } => wanted == Ending::Deadlock,
        };
        let miss = || Miss::new(describe::outcome(end.outcome, self.subject.debug));
        is_so.then_some(()).ok_or_else(miss)
    }

    fn judge_fault(&self, claim: &FaultClaim, progress: &Progress) -> Result<(), Miss> {
        let is_met = match &claim.times {
            Times::Some => progress.count > 0,
            Times::None => progress.count == 0,
            Times::Exactly(wanted) => progress.count == constant(wanted),
        };
        if is_met {
            return Ok(());
        }
        let last = self.raised_last.as_ref();
        let last = last.map(|report| describe::exception(report, self.subject.debug));
        let seen = match (progress.count, self.raised, last) {
            (0, _, None) => "no exception was raised".to_owned(),
            (0, 1, Some(last)) => format!("one exception: {last}"),
            (0, raised, Some(last)) => format!("{raised} exceptions, the last one: {last}"),
            (1, _, Some(last)) => format!("one of that kind; the last exception: {last}"),
            (count, _, _) => format!("{count} of that kind"),
        };
        let update = exact_times(&claim.times, progress.count);
        Err(Miss { seen, update })
    }

    fn judge_call(
        &self,
        claim: &CallClaim,
        tally: &crate::expect::witness::Tally,
    ) -> Result<(), Miss> {
        let is_met = match &claim.times {
            Times::Some => tally.matched > 0,
            Times::None => tally.matched == 0,
            Times::Exactly(wanted) => tally.matched == constant(wanted),
        };
        if is_met {
            return Ok(());
        }
        let samples = tally.samples.iter();
        let samples: Vec<_> = samples
            .map(|call| describe::call(call, self.subject.debug))
            .collect();
        let seen = match (tally.seen, tally.matched) {
            (0, _) => format!("{} is never called", claim.function),
            (seen, 0) if samples.is_empty() => {
                format!("{} is called {seen} times, and not there", claim.function)
            }
            (_, 0) => samples.join("; "),
            (_, matched) => format!("{matched} such calls"),
        };
        let update = exact_times(&claim.times, tally.matched);
        Err(Miss { seen, update })
    }

    /// Returns what is wrong with how the run ended, unless an expectation speaks of it.
    fn ending(&self, end: &End<'_>) -> Option<Unmet> {
        let speaks = |expectation: &Expectation| match &expectation.claim {
            Claim::Exit(_) | Claim::End(_) => true,
            Claim::Fault(_) => matches!(end.outcome, Outcome::Exception(_)),
            _ => false,
        };
        let is_fine = matches!(end.outcome, Outcome::Exited { .. });
        if is_fine || self.list.iter().any(speaks) {
            return None;
        }
        let report = match end.outcome {
            Outcome::Exception(report) => Some(report.clone()),
            _ => None,
        };
        Some(Unmet {
            span: None,
            expected: "the program ends by itself".to_owned(),
            seen: describe::outcome(end.outcome, self.subject.debug),
            report,
            update: None,
        })
    }
}

impl FaultClaim {
    /// Returns whether an exception is one that the claim speaks of.
    fn means(
        &self,
        machine: &mut Machine<Listener>,
        moment: &Moment,
        report: &ExceptionReport,
        debug: &DebugInfo,
    ) -> bool {
        let mut is = |expr: &Option<Expr>, test: &dyn Fn(u32) -> bool| match expr {
            Some(expr) => expr.value(machine, moment).is_ok_and(test),
            None => true,
        };
        let memory = report.memory.as_deref();
        let addr = memory.map(|memory| memory.fault.addr.bits());
        let code = memory.map(|memory| memory.fault.error_code());
        let by = report.place.addr;
        self.kind.means(report)
            && is(&self.at, &|wanted| Some(wanted) == addr)
            && is(&self.code, &|wanted| Some(wanted) == code)
            && is(&self.by, &|wanted| is_same_line(debug, wanted, by))
    }
}

impl FaultKind {
    fn means(self, report: &ExceptionReport) -> bool {
        let status = report.status;
        let accesses = |operation: &str| {
            let memory = report.memory.as_ref();
            status == Status::ACCESS_VIOLATION
                && memory.is_some_and(|memory| memory.operation() == operation)
        };
        match self {
            Self::Any => true,
            Self::Access => status == Status::ACCESS_VIOLATION,
            Self::Read => accesses("read"),
            Self::Write => accesses("write"),
            Self::Execute => accesses("execute"),
            Self::Guard => status == Status::GUARD_PAGE_VIOLATION,
            Self::StackOverflow => status == Status::STACK_OVERFLOW,
            Self::InPage => status == Status::IN_PAGE_ERROR,
            Self::DivideByZero => status == Status::INTEGER_DIVIDE_BY_ZERO,
            Self::IllegalInstruction => status == Status::ILLEGAL_INSTRUCTION,
            Self::PrivilegedInstruction => status == Status::PRIVILEGED_INSTRUCTION,
            Self::Breakpoint => status == Status::BREAKPOINT,
            Self::SingleStep => status == Status::SINGLE_STEP,
            Self::Overflow => status == Status::INTEGER_OVERFLOW,
            Self::Bounds => status == Status::ARRAY_BOUNDS_EXCEEDED,
            Self::Misaligned => status == Status::DATATYPE_MISALIGNMENT,
            Self::Code(code) => status.bits() == code,
        }
    }
}

/// Returns the value of an expression that was found constant when it was bound.
fn constant(expr: &Expr) -> u32 {
    expr.constant().unwrap_or(0)
}

fn exact_times(times: &Times, count: u32) -> Option<Update> {
    let Times::Exactly(wanted) = times else {
        return None;
    };
    wanted.literal().map(|_| Update::Source {
        span: wanted.span,
        text: count.to_string(),
    })
}

/// Returns the registers at the end: those of the instruction that ended the program, if one did.
fn last_moment(machine: &Machine<Listener>, outcome: &Outcome) -> Moment {
    let now = Moment::now(machine);
    match outcome {
        Outcome::Exception(report) => Moment {
            gprs: report.registers,
            eip: report.place.addr,
            ..now
        },
        _ => now,
    }
}

/// Judges a condition that was looked at during the run.
fn judge_visits(point: &Point, progress: &Progress) -> Result<(), Miss> {
    if let Some(miss) = &progress.miss {
        return Err(miss.clone());
    }
    let which = match point {
        Point::Address(_, which) | Point::Fault(which) => which.unwrap_or(1),
        Point::Exit => 0,
    };
    if progress.count >= which {
        return Ok(());
    }
    let seen = match (point, progress.count) {
        (Point::Fault(_), 0) => "no exception was raised".to_owned(),
        (Point::Fault(_), count) => format!("only {count} exceptions were raised"),
        (_, 0) => "control never comes there".to_owned(),
        (_, count) => format!("control comes there only {count} times"),
    };
    Err(Miss::new(seen))
}

fn judge_count(
    name: &str,
    counted: u64,
    comparison: Comparison,
    value: &Expr,
    whole: &Expectation,
) -> Result<(), Miss> {
    if comparison.holds(counted, constant(value).into()) {
        return Ok(());
    }
    let is_exact = comparison == Comparison::Equal && value.literal().is_some();
    let fitting = u32::try_from(counted).ok().filter(|_| is_exact);
    let written = describe::part(&whole.text, whole.span, value.span);
    let update = fitting.map(|counted| Update::Source {
        span: value.span,
        text: describe::like(written, counted),
    });
    let seen = format!("{name} = {counted}");
    Err(Miss { seen, update })
}

fn judge_output(stream: OutputStream, test: &OutputTest, end: &End<'_>) -> Result<(), Miss> {
    let written = match stream {
        OutputStream::Output => &end.streams.output,
        OutputStream::Error => &end.streams.errors,
    };
    let has = |wanted: &[u8]| {
        wanted.is_empty() || written.windows(wanted.len()).any(|window| window == wanted)
    };
    let seen = || format!("the program writes {}", describe::shown_text(written));
    match test {
        OutputTest::Is(wanted, _) if wanted == written => Ok(()),
        OutputTest::Is(_, span) => Err(Miss {
            seen: seen(),
            update: Some(Update::Source {
                span: *span,
                text: describe::quoted(written),
            }),
        }),
        OutputTest::Contains(wanted) => has(wanted).then_some(()).ok_or_else(|| Miss::new(seen())),
        OutputTest::Lacks(wanted) => (!has(wanted))
            .then_some(())
            .ok_or_else(|| Miss::new(seen())),
        OutputTest::File(name) => {
            let wanted = end.texts.get(name);
            if wanted == Some(written) {
                return Ok(());
            }
            let seen = match wanted {
                Some(wanted) => difference(wanted, written),
                None => format!("the file cannot be read; {}", seen()),
            };
            let update = Update::File {
                name: name.clone(),
                bytes: written.clone(),
            };
            Err(Miss {
                seen,
                update: Some(update),
            })
        }
    }
}

/// Says in which line two texts differ first.
fn difference(wanted: &[u8], written: &[u8]) -> String {
    let newline = |byte: &u8| *byte == b'\n';
    let mut lines = (1..).zip(wanted.split(newline).zip(written.split(newline)));
    let differing = lines.find(|(_, (wanted, written))| wanted != written);
    match differing {
        Some((number, (wanted, written))) => {
            let (wanted, written) = (describe::shown_text(wanted), describe::shown_text(written));
            format!("line {number} is {written}, expected {wanted}")
        }
        None => format!(
            "the program writes {} bytes, expected {}",
            written.len(),
            wanted.len()
        ),
    }
}
