//! How a run ended, for programs.

use pagefault_machine::vmm::mmu::{ByKind, Level, LevelId, Statistics};
use pagefault_machine::vmm::{MemoryInfo, Protection};
use pagefault_machine::{
    ExceptionReport, HistoryLine, Machine, MemoryReport, Outcome, Place, SourceLine, Watch,
};
use serde_json::{Value, json};

use crate::run::Output;

/// The version of the objects' layout. It grows when a field changes its meaning or goes away.
pub(crate) const SCHEMA: u32 = 1;

/// Returns the object that `run --json` prints.
pub(crate) fn result<W: Watch>(machine: &Machine<W>, outcome: &Outcome, output: &Output) -> Value {
    let mut object = json!({
        "schema": SCHEMA,
        "outcome": name(outcome),
        "instructions": machine.instructions(),
        "stdout": String::from_utf8_lossy(&output.bytes),
        "statistics": statistics(&machine.statistics()),
    });
    if output.left_out_bytes > 0 {
        object["stdout_left_out_bytes"] = json!(output.left_out_bytes);
    }
    let details = match outcome {
        Outcome::Exited { code } => json!({ "exit_code": code }),
        Outcome::Exception(report) => json!({ "exception": exception(report) }),
        Outcome::UnsupportedInstruction(instruction) => json!({
            "instruction": {
                "addr": instruction.addr.bits(),
                "bytes": instruction.bytes(),
                "name": format!("{:?}", instruction.code),
                "source": source(machine.debug().line(instruction.addr.bits())),
            }
        }),
        Outcome::MissingFunction(call) => json!({
            "function": {
                "name": call.function.name,
                "library": call.function.library,
                "return_to": call.return_to,
                "source": source(machine.debug().line(call.return_to.wrapping_sub(1))),
            }
        }),
        Outcome::BudgetExceeded | Outcome::Interrupted => json!({ "eip": machine.eip() }),
        Outcome::Deadlock { threads } => json!({ "threads": threads }),
        Outcome::EndlessCalls { calls } => json!({ "calls": calls }),
    };
    if let (Value::Object(object), Value::Object(details)) = (&mut object, details) {
        object.extend(details);
    }
    object
}

pub(crate) fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Exited { .. } => "exited",
        Outcome::Exception(_) => "exception",
        Outcome::UnsupportedInstruction(_) => "unsupported_instruction",
        Outcome::MissingFunction(_) => "function_not_emulated",
        Outcome::BudgetExceeded => "budget_exceeded",
        Outcome::Interrupted => "interrupted",
        Outcome::Deadlock { .. } => "deadlock",
        Outcome::EndlessCalls { .. } => "endless_calls",
    }
}

/// Returns an exception with what is known of it.
pub(crate) fn exception(report: &ExceptionReport) -> Value {
    json!({
        "code": report.status.bits(),
        "name": report.status.name(),
        "function": report.function,
        "place": place(&report.place),
        "registers": report.registers,
        "memory": report.memory.as_deref().map(memory),
        "advice": report.advice,
    })
}

fn place(place: &Place) -> Value {
    json!({
        "addr": place.addr,
        "instruction": place.instruction,
        "bytes": place.bytes,
        "symbol": place.symbol.as_ref().map(|symbol| json!({
            "name": symbol.name,
            "offset": symbol.offset,
        })),
        "source": source(place.source.as_ref()),
    })
}

fn memory(memory: &MemoryReport) -> Value {
    let step = |step: &pagefault_machine::vmm::mmu::Step| {
        let level = match step.level {
            Level::Pdpt => "pdpte",
            Level::Directory => "pde",
            Level::Table => "pte",
        };
        json!({ "level": level, "at": step.at.bits(), "value": step.value })
    };
    let region = memory.region.as_ref().map(region);
    json!({
        "operation": memory.operation(),
        "addr": memory.fault.addr.bits(),
        "error_code": memory.fault.error_code(),
        "cr3": memory.cr3,
        "walk": memory.walk.steps().iter().map(step).collect::<Vec<_>>(),
        "rule": memory.rule.map(|rule| rule.to_string()),
        "region": region,
        "history": memory.history.iter().map(history).collect::<Vec<_>>(),
    })
}

/// Returns what `VirtualQuery` says of a page.
pub(crate) fn region(info: &MemoryInfo) -> Value {
    let allocation = info.allocation.as_ref();
    json!({
        "base": info.base.bits(),
        "size": info.size_bytes,
        "state": info.state.bits(),
        "protect": info.protection.map_or(0, Protection::bits),
        "allocation_base": allocation.map(|allocation| allocation.base.bits()),
        "allocation_protect": allocation.map(|allocation| allocation.protection.bits()),
        "type": allocation.map(|allocation| allocation.kind.bits()),
    })
}

/// Returns a call in the history of a page.
pub(crate) fn history(line: &HistoryLine) -> Value {
    json!({
        "deed": line.deed.participle(),
        "function": line.call.as_ref().map(|call| call.function),
        "arguments": line.call.as_ref().map(|call| &call.arguments),
        "source": source(line.source.as_ref()),
    })
}

fn source(line: Option<&SourceLine>) -> Value {
    line.map_or(
        Value::Null,
        |line| json!({ "file": line.file, "line": line.line, "text": line.text }),
    )
}

/// Returns what the MMU has counted.
pub(crate) fn statistics(counted: &Statistics) -> Value {
    let level = |level| {
        let level = counted.level(level);
        json!({
            "hits": by_kind(&level.hits),
            "misses": by_kind(&level.misses),
            "evictions": level.evictions,
        })
    };
    json!({
        "accesses": by_kind(&counted.accesses),
        "l1_data": level(LevelId::L1Data),
        "l1_instruction": level(LevelId::L1Instruction),
        "l2": level(LevelId::L2),
        "walks": counted.walks,
        "walk_references": counted.walk_references,
        "rewalks": counted.rewalks,
        "accessed_marks": counted.accessed_marks,
        "dirty_marks": counted.dirty_marks,
        "invalidations": counted.invalidations,
        "flushes_all": counted.flushes_all,
        "flushes_non_global": counted.flushes_non_global,
        "page_faults": {
            "not_present": by_kind(&counted.not_present_faults),
            "protection": by_kind(&counted.protection_faults),
            "reserved": by_kind(&counted.reserved_faults),
        },
    })
}

fn by_kind(counters: &ByKind) -> Value {
    json!({
        "reads": counters.reads,
        "writes": counters.writes,
        "fetches": counters.fetches,
    })
}
