//! One sentence on what to do about an exception.

use std::ops::Range;

use pagefault_vmm::Rule;
use pagefault_vmm::mmu::AccessKind;

use crate::report::{Deed, MemoryReport};
use crate::status::Status;

/// What the advice depends on.
#[derive(Debug)]
pub(crate) struct Circumstances<'a> {
    pub(crate) status: Status,
    pub(crate) memory: Option<&'a MemoryReport>,
    pub(crate) function: Option<&'static str>,
    /// Where the program's image is.
    pub(crate) image: Range<u32>,
    /// Where the stack is.
    pub(crate) stack: Range<u32>,
}

/// Addresses that can only come of a NULL pointer and an offset.
const NULL_AREA_END: u32 = 0x1_0000;

/// Returns the sentence.
pub(crate) fn advice(circumstances: &Circumstances<'_>) -> String {
    let by_status = match circumstances.status {
        Status::INTEGER_DIVIDE_BY_ZERO => "the divisor is zero: test it before the division",
        Status::INTEGER_OVERFLOW => {
            "the quotient does not fit its register: clear or sign-extend EDX (cdq) before dividing"
        }
        Status::ILLEGAL_INSTRUCTION => {
            "these bytes are no instruction: has control run past the code, or into data?"
        }
        Status::PRIVILEGED_INSTRUCTION => {
            "programs run in ring 3 and cannot use this instruction: remove it"
        }
        Status::BREAKPOINT => "INT3 stops a program under a debugger; without one it ends it",
        Status::SINGLE_STEP => {
            "the trap flag is set, and each instruction raises this: clear bit 8 of the flags"
        }
        Status::ARRAY_BOUNDS_EXCEEDED => "the index of BOUND is outside of its limits",
        Status::DATATYPE_MISALIGNMENT => {
            "the alignment check is on: clear bit 18 of the flags, or align the data"
        }
        Status::STACK_OVERFLOW => {
            "the stack is used up: end the recursion, or make the stack larger"
        }
        Status::GUARD_PAGE_VIOLATION => {
            "the first touch of a PAGE_GUARD page raises this; the next one is allowed: handle the \
             exception, or commit the page without PAGE_GUARD"
        }
        Status::IN_PAGE_ERROR => "the contents of the page are lost: look at the paging file",
        _ => "",
    };
    match circumstances.memory {
        Some(memory) if by_status.is_empty() => memory_advice(circumstances, memory),
        _ if circumstances.function == Some("RaiseException") => {
            "the program raises this exception itself, and no handler takes it: set one around the \
             call"
                .to_owned()
        }
        _ if by_status.is_empty() => {
            "the processor refuses this instruction or operand: look at its operands".to_owned()
        }
        _ => by_status.to_owned(),
    }
}

fn memory_advice(circumstances: &Circumstances<'_>, memory: &MemoryReport) -> String {
    let addr = memory.fault.addr.bits();
    let kind = memory.fault.access.kind;
    let page = memory.fault.addr.page().start();
    match memory.rule {
        Some(Rule::NotUserSpace) if addr < NULL_AREA_END => null_advice(circumstances),
        Some(Rule::NotUserSpace) => {
            "the address belongs to the system: has a pointer been computed wrongly, or used \
             before it was set?"
                .to_owned()
        }
        Some(Rule::Free) => free_advice(circumstances, memory),
        Some(Rule::Reserved) => format!(
            "the page is reserved but not committed: call VirtualAlloc({page}, size, MEM_COMMIT, \
             PAGE_READWRITE) before touching it"
        ),
        Some(Rule::Decommitted) => format!(
            "the page was decommitted: commit it again with VirtualAlloc({page}, size, \
             MEM_COMMIT, PAGE_READWRITE), or do not use it any more"
        ),
        Some(Rule::NoAccess) => {
            let wanted = if kind == AccessKind::Write {
                "PAGE_READWRITE"
            } else {
                "PAGE_READONLY"
            };
            format!(
                "the page allows nothing: call VirtualProtect({page}, size, {wanted}, &old) first"
            )
        }
        Some(Rule::ReadOnly) => read_only_advice(circumstances, memory),
        Some(Rule::NotExecutable) => format!(
            "the page holds data: call VirtualProtect({page}, size, PAGE_EXECUTE_READ, &old) \
             before running code in it"
        ),
        None => String::new(),
    }
}

fn null_advice(circumstances: &Circumstances<'_>) -> String {
    let what = "the lowest 64 KiB are never mapped: this is a NULL pointer with an offset";
    match circumstances.function {
        Some(function) => format!("{what}; look at what is passed to {function}"),
        None => format!("{what}; test what VirtualAlloc and the like return before using it"),
    }
}

fn free_advice(circumstances: &Circumstances<'_>, memory: &MemoryReport) -> String {
    let addr = memory.fault.addr.bits();
    if memory
        .history
        .iter()
        .any(|line| line.deed == Deed::Released)
    {
        return "the memory was released: use it before VirtualFree, or allocate it again"
            .to_owned();
    }
    if addr < circumstances.image.start && circumstances.stack.end <= addr {
        let past = addr - circumstances.stack.end;
        if past < NULL_AREA_END {
            return "this is just above the stack: more has been popped than was pushed".to_owned();
        }
    }
    "nothing is allocated there: has a pointer been computed wrongly, or run past its array?"
        .to_owned()
}

fn read_only_advice(circumstances: &Circumstances<'_>, memory: &MemoryReport) -> String {
    let page = memory.fault.addr.page().start();
    let in_image = circumstances.image.contains(&memory.fault.addr.bits());
    let protection = memory.region.and_then(|region| region.protection);
    let is_executable = protection.is_some_and(|protection| protection.rights().is_executable());
    if in_image && memory.history.is_empty() {
        return if is_executable {
            "this is code: keep variables in .data, or call VirtualProtect with \
             PAGE_EXECUTE_READWRITE before patching it"
                .to_owned()
        } else {
            "this is a constant: move it from .const to .data if it has to change".to_owned()
        };
    }
    format!(
        "the page can only be read: write to it before it is protected, or call \
         VirtualProtect({page}, size, PAGE_READWRITE, &old) first"
    )
}
