//! The guest trace as text or as JSON Lines.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Stderr, Write};
use std::path::Path;
use std::rc::Rc;

use anyhow::Context;
use pagefault_machine::vmm::mmu::{AccessKind, DropCause, Level, LevelId, LinearAddr};
use pagefault_machine::{CallSite, DebugInfo, Event, PartRights, Program, TraceSink, disassemble};
use serde_json::{Value, json};

use crate::output::WholeFile;

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A line of words each.
    Text,
    /// A JSON object each, on a line.
    Json,
}

/// Where a trace goes: the writer's handle, and that of whoever ends it.
#[derive(Clone)]
pub(crate) struct TraceOutput(Rc<RefCell<State>>);

struct State {
    sink: Sink,
    /// Why it could not be written any more.
    error: Option<io::Error>,
}

enum Sink {
    File(WholeFile),
    Terminal(BufWriter<Stderr>),
}

impl TraceOutput {
    /// Begins a trace in a file, or on standard error.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let sink = match path {
            Some(path) => Sink::File(WholeFile::create("the trace to ", path)?),
            None => Sink::Terminal(BufWriter::new(io::stderr())),
        };
        Ok(Self(Rc::new(RefCell::new(State { sink, error: None }))))
    }

    /// Ends the trace and gives its file its name.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let what = "cannot write the trace";
        let state = self.0.replace(State {
            sink: Sink::Terminal(BufWriter::new(io::stderr())),
            error: None,
        });
        match (state.sink, state.error) {
            // A reader that has gone away has read what it wanted.
            (_, Some(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            (_, Some(error)) => Err(error).context(what),
            (Sink::File(file), None) => file.finish(),
            (Sink::Terminal(_), None) => Ok(()),
        }
    }

    /// The guest goes on without a trace if it cannot be written.
    fn put(&self, put: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        let state = &mut *self.0.borrow_mut();
        if state.error.is_none() {
            let sink: &mut dyn Write = match &mut state.sink {
                Sink::File(file) => file,
                Sink::Terminal(stream) => stream,
            };
            state.error = put(sink).err();
        }
    }
}

/// Writes events to a file or to standard error.
pub(crate) struct Writer {
    output: TraceOutput,
    form: Form,
    /// The program's parts by their first address: what instructions are shown from.
    ///
    /// A program that patches its own code is shown with the bytes that it was loaded with.
    code: BTreeMap<u32, Vec<u8>>,
    debug: DebugInfo,
    number: u64,
}

impl Writer {
    pub(crate) fn new(
        output: TraceOutput,
        form: Form,
        program: &Program,
        debug: &DebugInfo,
    ) -> Self {
        let parts = program
            .parts
            .iter()
            .filter(|part| part.rights.contains(PartRights::EXECUTE));
        let code = parts
            .map(|part| (program.base.wrapping_add(part.offset), part.bytes.clone()))
            .collect();
        Self {
            output,
            form,
            code,
            debug: debug.clone(),
            number: 0,
        }
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each event")]
    fn text(&self, event: &Event) -> String {
        match event {
            Event::Instruction { eip, len } => {
                format!("insn  {eip:08X}  {}", self.instruction(*eip, *len))
            }
            Event::Access {
                addr,
                size_bytes,
                kind,
            } => {
                format!(
                    "mem   {:08X}  {} of {size_bytes} bytes",
                    addr.bits(),
                    access(*kind)
                )
            }
            Event::LookUp {
                level,
                addr,
                kind,
                hit,
            } => {
                let hit = if *hit { "hit" } else { "miss" };
                let (level, kind) = (level_name(*level), access(*kind));
                format!("tlb   {:08X}  {level} {hit}, {kind}", addr.bits())
            }
            Event::Fill { level, addr } => {
                format!("tlb   {:08X}  {} fill", addr.bits(), level_name(*level))
            }
            Event::Evict { level, first } => {
                format!(
                    "tlb   {:08X}  {} eviction",
                    first.bits(),
                    level_name(*level)
                )
            }
            Event::Drop { cause, addr } => {
                let page =
                    addr.map_or("        ".to_owned(), |addr| format!("{:08X}", addr.bits()));
                format!("tlb   {page}  {}", drop_name(*cause))
            }
            Event::WalkStep { addr, step } => {
                let level = entry_name(step.level);
                let (at, value) = (step.at.bits(), step.value);
                format!(
                    "walk  {:08X}  {level} at {at:08X} = {value:08X}",
                    addr.bits()
                )
            }
            Event::Mark { at, value } => {
                format!("walk  entry at {:08X} marked: {value:08X}", at.bits())
            }
            Event::Fault { fault } => {
                let (addr, code) = (fault.addr.bits(), fault.error_code());
                format!(
                    "fault {addr:08X}  {}, error code {code}: {}",
                    fault.access, fault.cause
                )
            }
            Event::Resolved { addr, how } => format!("fault {:08X}  resolved: {how}", addr.bits()),
            Event::ApiCall {
                function,
                arguments,
                return_to,
            } => {
                let (function, return_to, arguments) = (*function, *return_to, arguments.clone());
                let call = CallSite {
                    function,
                    return_to,
                    arguments,
                };
                let at = self.debug.line(return_to.wrapping_sub(1));
                let at = at
                    .map(|at| format!("  {}:{}", at.file, at.line))
                    .unwrap_or_default();
                format!("api   {call}{at}")
            }
            Event::ApiReturn {
                function,
                result,
                last_error,
            } => {
                let error = last_error
                    .map(|error| format!(", last error {error}"))
                    .unwrap_or_default();
                format!("api   {function} = {result:X}h{error}")
            }
        }
    }

    /// Returns the instruction in MASM's syntax; empty for code that is not in the image.
    fn instruction(&self, eip: u32, len: u8) -> String {
        let segment = self.code.range(..=eip).next_back();
        let bytes = segment.and_then(|(start, bytes)| {
            let offset = (eip - start) as usize;
            bytes.get(offset..offset + usize::from(len))
        });
        bytes
            .and_then(|bytes| disassemble(bytes, eip))
            .unwrap_or_default()
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each event")]
    fn json(&self, event: &Event) -> Value {
        let kind_of = |kind: AccessKind| access(kind);
        let addr_of = |addr: &LinearAddr| addr.bits();
        match event {
            Event::Instruction { eip, len } => json!({
                "kind": "insn", "eip": eip, "len": len, "text": self.instruction(*eip, *len),
            }),
            Event::Access {
                addr,
                size_bytes,
                kind,
            } => json!({
                "kind": "mem", "addr": addr_of(addr), "size": size_bytes, "access": kind_of(*kind),
            }),
            Event::LookUp {
                level,
                addr,
                kind,
                hit,
            } => json!({
                "kind": "tlb", "event": "look-up", "level": level_name(*level),
                "addr": addr_of(addr), "access": kind_of(*kind), "hit": hit,
            }),
            Event::Fill { level, addr } => json!({
                "kind": "tlb", "event": "fill", "level": level_name(*level), "addr": addr_of(addr),
            }),
            Event::Evict { level, first } => json!({
                "kind": "tlb", "event": "eviction", "level": level_name(*level),
                "addr": addr_of(first),
            }),
            Event::Drop { cause, addr } => json!({
                "kind": "tlb", "event": drop_name(*cause), "addr": addr.as_ref().map(addr_of),
            }),
            Event::WalkStep { addr, step } => json!({
                "kind": "walk", "event": "step", "addr": addr_of(addr),
                "entry": entry_name(step.level), "at": step.at.bits(), "value": step.value,
            }),
            Event::Mark { at, value } => json!({
                "kind": "walk", "event": "mark", "at": at.bits(), "value": value,
            }),
            Event::Fault { fault } => json!({
                "kind": "fault", "event": "raised", "addr": fault.addr.bits(),
                "access": fault.access.to_string(), "cause": fault.cause.to_string(),
                "error_code": fault.error_code(),
            }),
            Event::Resolved { addr, how } => json!({
                "kind": "fault", "event": "resolved", "addr": addr_of(addr), "how": how,
            }),
            Event::ApiCall {
                function,
                arguments,
                return_to,
            } => json!({
                "kind": "api", "event": "call", "function": function, "arguments": arguments,
                "return_to": return_to,
                "line": self.debug.line(return_to.wrapping_sub(1)).map(|line| line.line),
            }),
            Event::ApiReturn {
                function,
                result,
                last_error,
            } => json!({
                "kind": "api", "event": "return", "function": function, "result": result,
                "last_error": last_error,
            }),
        }
    }
}

impl TraceSink for Writer {
    fn event(&mut self, event: &Event) {
        let line = match self.form {
            Form::Text => self.text(event),
            Form::Json => {
                let mut object = self.json(event);
                object["n"] = json!(self.number);
                object.to_string()
            }
        };
        self.number += 1;
        self.output.put(|sink| writeln!(sink, "{line}"));
    }

    fn flush(&mut self) {
        self.output.put(|sink| sink.flush());
    }
}

fn access(kind: AccessKind) -> &'static str {
    match kind {
        AccessKind::Read => "read",
        AccessKind::Write => "write",
        AccessKind::Fetch => "fetch",
    }
}

fn level_name(level: LevelId) -> &'static str {
    match level {
        LevelId::L1Data => "L1",
        LevelId::L1Instruction => "L1 insn",
        LevelId::L2 => "L2",
    }
}

fn entry_name(level: Level) -> &'static str {
    match level {
        Level::Pdpt => "PDPTE",
        Level::Directory => "PDE",
        Level::Table => "PTE",
    }
}

fn drop_name(cause: DropCause) -> &'static str {
    match cause {
        DropCause::Invalidated => "invalidated",
        DropCause::Faulted => "dropped by a page fault",
        DropCause::FlushedNonGlobal => "flushed, but for global pages",
        DropCause::FlushedAll => "flushed",
    }
}
