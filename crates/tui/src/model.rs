//! The model: a recording, what stops it, and what is looked at.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use pagefault_machine::cpu::{Reg, Registers, Watchpoint};
use pagefault_machine::vmm::mmu::LinearAddr;
use pagefault_machine::{Exceptions, FaultStops, Outcome, Recording, SnapshotError, Stop, Stops};

use crate::command;
use crate::expression::{ExpressionError, Scope, evaluate};
use crate::keys::Key;
use crate::output::Output;

/// Instructions between two looks at the keyboard.
const SLICE: u64 = 4_000_000;

/// Whether the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// It does: [`Debugger::go_on`] is to be called.
    Yes,
    /// It stands, and waits for a key.
    No,
    /// The user has had enough.
    Over,
}

/// Something that stops the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Code(u32),
    Call(String),
    Faults,
    Exceptions,
    Watch(Watchpoint),
    Entry(LinearAddr),
}

/// What the lower half of the screen shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pane {
    Memory,
    Stack,
    Regions,
    Tables,
    Tlb,
    Explain,
    Stops,
    Output,
}

impl Pane {
    pub(crate) const ALL: [(Self, &str); 8] = [
        (Self::Memory, "memory"),
        (Self::Stack, "stack"),
        (Self::Regions, "regions"),
        (Self::Tables, "tables"),
        (Self::Tlb, "tlb"),
        (Self::Explain, "explain"),
        (Self::Stops, "stops"),
        (Self::Output, "output"),
    ];
}

/// Whether the screen shows the program or the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    Program,
    Help,
}

/// A run that is under way.
#[derive(Clone, Debug)]
struct Run {
    stops: Stops,
    /// A place that ends it, once the stack is no deeper than here.
    until: Option<Place>,
}

/// A place to run to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) eip: u32,
    /// The least ESP there; 0 takes any.
    pub(crate) least_esp: u32,
}

/// A debugger.
#[derive(Debug)]
pub struct Debugger {
    pub(crate) recording: Recording,
    pub(crate) program: String,
    pub(crate) output: Rc<RefCell<Output>>,
    pub(crate) marks: Vec<Mark>,
    /// The registers before the last command.
    pub(crate) before: Registers,
    pub(crate) pane: Pane,
    pub(crate) scroll: usize,
    pub(crate) memory_at: u32,
    /// The address whose tables are shown; without one, that of the last fault or EIP.
    pub(crate) tables_at: Option<u32>,
    pub(crate) screen: Screen,
    /// The command that is being typed.
    pub(crate) input: Option<String>,
    pub(crate) message: String,
    run: Option<Run>,
    is_over: bool,
}

impl Debugger {
    /// Returns a debugger of a recorded program, which stops at exceptions. `output` is where the
    /// program's console writes.
    pub fn new(recording: Recording, program: String, output: Rc<RefCell<Output>>) -> Self {
        let before = recording.machine().registers().clone();
        let memory_at = before.gpr(Reg::Esp);
        Self {
            recording,
            program,
            output,
            marks: vec![Mark::Exceptions],
            before,
            pane: Pane::Stack,
            scroll: 0,
            memory_at,
            tables_at: None,
            screen: Screen::Program,
            input: None,
            message: "? shows the keys, : takes a command".to_owned(),
            run: None,
            is_over: false,
        }
    }

    /// Returns whether the program runs.
    pub fn running(&self) -> Running {
        match &self.run {
            _ if self.is_over => Running::Over,
            Some(_) => Running::Yes,
            None => Running::No,
        }
    }

    /// Returns the recording, when the debugger is done.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Lets the program run on for a while, if it runs.
    pub fn go_on(&mut self) {
        let Some(run) = &self.run else { return };
        let stop = self.recording.run(&run.stops, SLICE);
        if let (Stop::Breakpoint, Some(place)) = (&stop, run.until) {
            let registers = self.recording.machine().registers();
            let is_there = registers.eip() == place.eip;
            let is_deeper = registers.gpr(Reg::Esp) < place.least_esp;
            let is_marked = self.marks.contains(&Mark::Code(place.eip));
            if is_there && is_deeper && !is_marked {
                return;
            }
        }
        if !matches!(stop, Stop::Budget) {
            self.run = None;
            self.tell(&stop);
        }
    }

    /// Takes a key.
    pub fn press(&mut self, key: Key) {
        if self.run.is_some() {
            if matches!(key, Key::Escape | Key::Char('q')) {
                self.run = None;
                "interrupted".clone_into(&mut self.message);
            }
            return;
        }
        if let Some(input) = self.input.take() {
            self.typed(input, key);
            return;
        }
        if self.screen == Screen::Help {
            self.screen = Screen::Program;
            return;
        }
        match key {
            Key::Char(letter) => self.letter(letter),
            Key::Tab => self.turn_pane(1),
            Key::BackTab => self.turn_pane(Pane::ALL.len() - 1),
            Key::Up => self.scroll = self.scroll.saturating_sub(1),
            Key::Down => self.scroll = self.scroll.saturating_add(1),
            Key::PageUp => self.scroll = self.scroll.saturating_sub(PAGE_LINES),
            Key::PageDown => self.scroll = self.scroll.saturating_add(PAGE_LINES),
            Key::Enter | Key::Escape | Key::Backspace => {}
        }
    }

    fn typed(&mut self, mut input: String, key: Key) {
        match key {
            Key::Char(letter) => {
                input.push(letter);
                self.input = Some(input);
            }
            Key::Backspace => {
                // Taking away more than there is leaves the command.
                if input.pop().is_some() {
                    self.input = Some(input);
                }
            }
            Key::Enter => {
                let told = command::run(self, &input);
                self.message = told.unwrap_or_else(|error| error.to_string());
            }
            Key::Escape => {}
            _ => self.input = Some(input),
        }
    }

    fn letter(&mut self, letter: char) {
        match letter {
            's' => self.step(),
            'n' => self.step_over(),
            'b' => self.back(Recording::step_back),
            'c' => self.start(self.stops(), None),
            'r' => self.run_back(&self.stops()),
            ':' => self.input = Some(String::new()),
            '?' | 'h' => self.screen = Screen::Help,
            'q' => self.is_over = true,
            '1'..='8' => {
                let index = usize::try_from(letter.to_digit(10).unwrap_or(1)).unwrap_or(1) - 1;
                if let Some(&(pane, _)) = Pane::ALL.get(index) {
                    self.show(pane);
                }
            }
            _ => self.message = format!("{letter} does nothing: ? shows the keys"),
        }
    }

    pub(crate) fn show(&mut self, pane: Pane) {
        self.pane = pane;
        self.scroll = 0;
    }

    fn turn_pane(&mut self, by: usize) {
        let at = Pane::ALL.iter().position(|&(pane, _)| pane == self.pane);
        let next = at.unwrap_or(0).wrapping_add(by) % Pane::ALL.len();
        if let Some(&(pane, _)) = Pane::ALL.get(next) {
            self.show(pane);
        }
    }

    pub(crate) fn step(&mut self) {
        self.remember();
        let stop = self.recording.step();
        self.tell(&stop);
    }

    /// Steps, but not into a procedure.
    pub(crate) fn step_over(&mut self) {
        let registers = self.recording.machine().registers();
        let (eip, esp) = (registers.eip(), registers.gpr(Reg::Esp));
        let places = self.recording.places(eip, 2);
        let is_call = places.first().is_some_and(|place| {
            let instruction = place.instruction.as_deref();
            instruction.is_some_and(|text| text.starts_with("call") || text.starts_with("rep"))
        });
        match places.get(1) {
            Some(next) if is_call => {
                let place = Place {
                    eip: next.addr,
                    least_esp: esp,
                };
                self.start(self.stops(), Some(place));
            }
            _ => self.step(),
        }
    }

    /// Begins to run.
    pub(crate) fn start(&mut self, mut stops: Stops, until: Option<Place>) {
        self.remember();
        if let Some(place) = until {
            stops.breakpoints.insert(place.eip);
        }
        "running: Escape stops".clone_into(&mut self.message);
        self.run = Some(Run { stops, until });
    }

    pub(crate) fn run_back(&mut self, stops: &Stops) {
        self.back(|recording| recording.run_back(stops));
    }

    pub(crate) fn back(
        &mut self,
        back: impl FnOnce(&mut Recording) -> Result<Stop, SnapshotError>,
    ) {
        self.remember();
        match back(&mut self.recording) {
            Ok(stop) => self.tell(&stop),
            Err(error) => self.message = error.to_string(),
        }
    }

    pub(crate) fn remember(&mut self) {
        self.before = self.recording.machine().registers().clone();
        self.scroll = 0;
    }

    /// Returns what stops the program.
    pub(crate) fn stops(&self) -> Stops {
        let mut stops = Stops::NONE;
        for mark in &self.marks {
            match mark {
                Mark::Code(eip) => _ = stops.breakpoints.insert(*eip),
                Mark::Call(name) => _ = stops.calls.insert(name.clone()),
                Mark::Faults => stops.faults = FaultStops::All,
                Mark::Exceptions => stops.exceptions = Exceptions::All,
                Mark::Watch(point) => stops.watchpoints.push(*point),
                Mark::Entry(addr) => stops.entries.push(*addr),
            }
        }
        stops
    }

    /// Returns the breakpoints.
    pub(crate) fn breakpoints(&self) -> BTreeSet<u32> {
        self.stops().breakpoints
    }

    fn tell(&mut self, stop: &Stop) {
        self.message = told(stop);
        if matches!(stop, Stop::Exception(_)) {
            self.show(Pane::Explain);
        }
    }

    /// Returns the value of an expression.
    pub(crate) fn value(&mut self, text: &str) -> Result<u32, ExpressionError> {
        evaluate(text, &mut Names(&mut self.recording))
    }
}

/// Lines that a page key scrolls by.
const PAGE_LINES: usize = 8;

/// Returns why the program stands, in words.
fn told(stop: &Stop) -> String {
    match stop {
        Stop::Stepped => String::new(),
        Stop::Budget => "the budget is used up".to_owned(),
        Stop::Breakpoint => "breakpoint".to_owned(),
        Stop::Watch(change) => {
            let addr = change.addr;
            match change.by {
                Some(eip) => format!("{addr} accessed by the instruction at {eip:08x}"),
                None => format!("{addr} changed by the system"),
            }
        }
        Stop::Call(name) => format!("call of {name}"),
        Stop::Fault(fault) => format!(
            "page fault at {}, error code {:#x}, resolved",
            fault.addr,
            fault.error_code()
        ),
        Stop::Exception(status) => format!("exception: {}", status.name()),
        Stop::Entries(change) => format!("the entry of {} changed", change.addr),
        Stop::Ended(outcome) => match outcome.as_ref() {
            Outcome::Exited { code } => format!("the program has ended with exit code {code}"),
            Outcome::Exception(report) => {
                format!("the program was ended by {}", report.status.name())
            }
            Outcome::UnsupportedInstruction(instruction) => instruction.to_string(),
            Outcome::MissingFunction(call) => format!("{} is not emulated", call.function.name),
            Outcome::BudgetExceeded => "the budget is used up".to_owned(),
            Outcome::Interrupted => "the run was interrupted".to_owned(),
            Outcome::Deadlock { threads } => format!("all {threads} threads wait for ever"),
            Outcome::EndlessCalls { calls } => format!("{calls} calls, and no instruction between"),
        },
        Stop::Beginning => "this is the beginning".to_owned(),
    }
}

/// The names of a program as expressions use them.
struct Names<'a>(&'a mut Recording);

/// The general registers by name: of 32 bits, of 16, and the low and high bytes.
const NAMES: [(&str, Reg); 8] = [
    ("ax", Reg::Eax),
    ("cx", Reg::Ecx),
    ("dx", Reg::Edx),
    ("bx", Reg::Ebx),
    ("sp", Reg::Esp),
    ("bp", Reg::Ebp),
    ("si", Reg::Esi),
    ("di", Reg::Edi),
];

impl Scope for Names<'_> {
    fn name(&self, name: &str) -> Option<u32> {
        let machine = self.0.machine();
        let registers = machine.registers();
        let lower = name.to_ascii_lowercase();
        let gpr = |wanted: &str| {
            let found = NAMES.iter().find(|(known, _)| *known == wanted);
            found.map(|&(_, reg)| registers.gpr(reg))
        };
        let byte = |wanted: &str, shift: u32| {
            let letter = wanted.get(..1).filter(|_| wanted.len() == 2)?;
            let value = matches!(letter, "a" | "b" | "c" | "d").then(|| gpr(&format!("{letter}x")));
            Some(value?? >> shift & 0xFF)
        };
        let register = match lower.as_str() {
            "eip" => Some(registers.eip()),
            "eflags" | "efl" => Some(registers.eflags().bits()),
            "cr2" => Some(machine.mmu().control().cr2().bits()),
            "cr3" => Some(machine.mmu().control().cr3()),
            _ if lower.starts_with('e') => gpr(&lower[1..]),
            _ if lower.ends_with('l') => byte(&lower, 0),
            _ if lower.ends_with('h') => byte(&lower, 8),
            _ => gpr(&lower).map(|value| value & 0xFFFF),
        };
        register.or_else(|| {
            let debug = machine.debug();
            let any_case = || {
                let mut labels = debug.labels();
                labels.find(|(_, known)| known.eq_ignore_ascii_case(name))
            };
            debug
                .address(name)
                .or_else(|| any_case().map(|(addr, _)| addr))
        })
    }

    fn memory(&mut self, addr: u32, bytes: &mut [u8]) -> Option<()> {
        self.0.peek(LinearAddr::new(addr), bytes).ok()
    }
}
