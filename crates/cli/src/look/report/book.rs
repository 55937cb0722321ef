//! What is noted of a run while it goes on.

use std::collections::BTreeMap;

use pagefault_machine::vmm::mmu::{AccessKind, LevelId, LinearAddr, PAGE_SIZE, PageFault};
use pagefault_machine::{CallSite, Event, ExceptionReport, MapEntry};

/// The most events of the time line, and the most pictures of the address space: a longer run shows
/// its first ones, and says so.
const MAX_EVENTS: usize = 20_000;
const MAX_MAPS: usize = 400;
/// The most misses that are shown one by one.
const MAX_MISSES: usize = 50_000;
/// The most exceptions that are explained.
const MAX_EXCEPTIONS: usize = 200;

/// What a row of the time line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Call,
    Fault,
    Exception,
}

/// A row of the time line.
#[derive(Debug)]
pub(crate) struct Row {
    /// Instructions before it.
    pub(crate) at: u64,
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// The address that it is about.
    pub(crate) addr: Option<u32>,
    /// The instruction.
    pub(crate) eip: u32,
}

/// The address space at a moment.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) at: u64,
    pub(crate) why: String,
    pub(crate) entries: Vec<MapEntry>,
}

/// What is counted of an instruction or a page.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) runs: u64,
    pub(crate) misses: u64,
    pub(crate) faults: u64,
}

/// The notes.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) instructions: u64,
    eip: u32,
    /// Whether an instruction has begun and nothing has ended it.
    is_under_way: bool,
    pub(crate) rows: Vec<Row>,
    pub(crate) maps: Vec<Picture>,
    /// Misses: instructions before, address.
    pub(crate) misses: Vec<(u64, u32)>,
    pub(crate) by_instruction: BTreeMap<u32, Counts>,
    pub(crate) by_page: BTreeMap<u32, Counts>,
    pub(crate) exceptions: Vec<(u64, Box<ExceptionReport>)>,
    /// What there was no room for.
    pub(crate) left_out: u64,
}

impl Book {
    /// Notes an event.
    pub(crate) fn hear(&mut self, event: &Event) {
        match event {
            Event::Instruction { eip, .. } => {
                self.instructions += 1;
                self.is_under_way = true;
                self.eip = *eip;
                self.by_instruction.entry(*eip).or_default().runs += 1;
            }
            Event::LookUp {
                level,
                addr,
                kind,
                hit: false,
            } if *level != LevelId::L2 => self.miss(*addr, *kind),
            Event::Fault { fault } => self.fault(*fault),
            Event::ApiCall {
                function,
                arguments,
                return_to,
            } => {
                let site = CallSite {
                    function,
                    return_to: *return_to,
                    arguments: arguments.clone(),
                };
                self.is_under_way = false;
                self.add(Kind::Call, site.to_string(), None);
                // The call itself is what a reader looks for, not the jump that it goes through.
                if let Some(row) = self.rows.last_mut().filter(|_| self.left_out == 0) {
                    row.eip = return_to.wrapping_sub(1);
                }
            }
            Event::ApiReturn {
                result, last_error, ..
            } => {
                let error = last_error
                    .map(|error| format!(", last error {error}"))
                    .unwrap_or_default();
                self.extend_last(Kind::Call, &format!(" = {result:X}h{error}"));
            }
            Event::Resolved { how, .. } => self.extend_last(Kind::Fault, &format!("; {how}")),
            _ => {}
        }
    }

    /// Adds to the text of the last row of a kind.
    fn extend_last(&mut self, kind: Kind, text: &str) {
        let last = self.rows.iter_mut().rev().find(|row| row.kind == kind);
        if let Some(last) = last.filter(|_| self.left_out == 0) {
            last.text += text;
        }
    }

    fn miss(&mut self, addr: LinearAddr, kind: AccessKind) {
        let addr = addr.bits();
        // A fetch is made before its instruction is known.
        let eip = if kind == AccessKind::Fetch {
            addr
        } else {
            self.eip
        };
        self.by_instruction.entry(eip).or_default().misses += 1;
        self.by_page.entry(addr / PAGE_SIZE).or_default().misses += 1;
        if self.misses.len() < MAX_MISSES {
            self.misses.push((self.instructions, addr));
        } else {
            self.left_out += 1;
        }
    }

    fn fault(&mut self, fault: PageFault) {
        let addr = fault.addr.bits();
        let eip = if fault.access.kind == AccessKind::Fetch {
            addr
        } else {
            self.eip
        };
        let counts = self.by_instruction.entry(eip).or_default();
        counts.faults += 1;
        if self.is_under_way && fault.access.kind != AccessKind::Fetch {
            // The instruction has not run, and is told again if it does.
            counts.runs = counts.runs.saturating_sub(1);
            self.instructions = self.instructions.saturating_sub(1);
            self.is_under_way = false;
        }
        self.by_page.entry(addr / PAGE_SIZE).or_default().faults += 1;
        let text = format!(
            "page fault: {} of {addr:08X}, error code {}",
            fault.access,
            fault.error_code()
        );
        self.add(Kind::Fault, text, Some(addr));
    }

    pub(crate) fn see_exception(&mut self, report: &ExceptionReport) {
        let addr = report
            .memory
            .as_ref()
            .map(|memory| memory.fault.addr.bits());
        self.add(Kind::Exception, report.status.name().to_owned(), addr);
        if self.exceptions.len() < MAX_EXCEPTIONS {
            let report = Box::new(report.clone());
            self.exceptions.push((self.instructions, report));
        } else {
            self.left_out += 1;
        }
    }

    /// Notes the address space, if it is another one than before.
    pub(crate) fn see_map(&mut self, why: &str, entries: Vec<MapEntry>) {
        if self.maps.last().is_some_and(|last| last.entries == entries) {
            return;
        }
        if self.maps.len() >= MAX_MAPS {
            // The last picture is that of the end.
            self.maps.pop();
            self.left_out += 1;
        }
        self.maps.push(Picture {
            at: self.instructions,
            why: why.to_owned(),
            entries,
        });
    }

    fn add(&mut self, kind: Kind, text: String, addr: Option<u32>) {
        if self.rows.len() >= MAX_EVENTS {
            self.left_out += 1;
            return;
        }
        self.rows.push(Row {
            at: self.instructions,
            kind,
            text,
            addr,
            eip: self.eip,
        });
    }
}
