//! `pagefault run --report`: one HTML file that shows a run.

mod book;
mod data;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use pagefault_machine::{Catch, Event, Machine, Outcome, Pause, Topics, TraceSink, Watch};

use crate::interrupt;
use crate::look::report::book::Book;
use crate::output::WholeFile;

/// The page, with places for the style, the script and the data.
const PAGE: &str = include_str!("report/page.html");
const STYLE: &str = include_str!("report/style.css");
const SCRIPT: &str = concat!(
    include_str!("report/common.js"),
    include_str!("report/timeline.js"),
    include_str!("report/space.js"),
    include_str!("report/walk.js"),
    include_str!("report/tables.js"),
);
/// Calls that change the address space, by how their names begin.
const MEMORY_CALLS: [&str; 9] = [
    "Virtual",
    "Heap",
    "Global",
    "Local",
    "MapView",
    "UnmapView",
    "CreateThread",
    "NtAllocate",
    "NtFree",
];

/// Notes a run for its report: the tracer's sink, and the handle of whoever runs the machine.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
    book: Rc<RefCell<Book>>,
    /// Until the report is written.
    file: Rc<RefCell<Option<WholeFile>>>,
}

impl Reporter {
    /// What is noted.
    pub(crate) const TOPICS: Topics = Topics::API
        .union(Topics::FAULT)
        .union(Topics::TLB)
        .union(Topics::INSN);

    /// Returns a sink for a run whose report goes to a file, which is made at once: that it cannot
    /// be written is told before the run.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = WholeFile::create("the report to ", path)?;
        Ok(Self {
            book: Rc::default(),
            file: Rc::new(RefCell::new(Some(file))),
        })
    }

    /// Runs a program to its end, and notes what the machine looks like on the way.
    pub(crate) fn drive<W: Watch>(&self, machine: &mut Machine<W>, budget: u64) -> Outcome {
        machine.set_catch(Catch::ExceptionsAndCalls);
        self.book
            .borrow_mut()
            .see_map("the start", machine.address_map());
        let end = machine.instructions().saturating_add(budget);
        loop {
            let left = end.saturating_sub(machine.instructions());
            match machine.run_to_pause_while(left, |_| !interrupt::is_requested()) {
                Pause::Raised(report) => {
                    self.book.borrow_mut().see_exception(&report);
                }
                Pause::Called { function } => {
                    let changes = MEMORY_CALLS.iter().any(|begin| function.starts_with(begin));
                    if changes {
                        self.book
                            .borrow_mut()
                            .see_map(function, machine.address_map());
                    }
                }
                Pause::Breakpoint { .. } => {}
                Pause::Ended(outcome) => {
                    let mut book = self.book.borrow_mut();
                    book.instructions = machine.instructions();
                    book.see_map("the end", machine.address_map());
                    return outcome;
                }
            }
        }
    }

    /// Writes the report.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(crate) fn finish<W: Watch>(
        &self,
        machine: &Machine<W>,
        outcome: &Outcome,
        program: &str,
    ) -> anyhow::Result<()> {
        let data = data::of(&self.book.borrow(), machine, outcome, program);
        // Nothing in the data can end the element that it stands in.
        let data = data.to_string().replace('<', "\\u003c");
        // The data comes last: what looks like a place in it is none.
        let page = PAGE
            .replace("@STYLE@", STYLE)
            .replace("@SCRIPT@", SCRIPT)
            .replace("@DATA@", &data);
        let file = self.file.borrow_mut().take();
        file.map_or(Ok(()), |file| file.fill(page.as_bytes()))
    }
}

impl TraceSink for Reporter {
    fn event(&mut self, event: &Event) {
        self.book.borrow_mut().hear(event);
    }
}
