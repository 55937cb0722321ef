//! What a vector asked for against what happened.

use std::fmt::Write;

use pagefault_cpu::{Exit, Reg};

use super::format::{Patch, Vector};
use super::stage::Stage;

/// The flags that are compared: the status flags, DF, TF.
const COMPARED_FLAGS: u32 = 0x0CD5;
/// INT3.
const BREAKPOINT_BYTE: u8 = 0xCC;
/// Differences of memory named in full.
const SHOWN_BYTES: usize = 8;

/// Compares everything; the error describes all differences.
pub(super) fn compare(vector: &Vector, stage: &Stage, exit: &Exit) -> Result<(), String> {
    let mut differences = String::new();
    let Exit::Exception { exception, at } = exit else {
        return Err(format!("{}\n    ended with {exit:?}", describe(vector)));
    };
    let cr2 = exception.page_fault.map_or(0, |fault| fault.addr.bits());
    let is_end = exception.vector.number() == 3
        && stage.byte(*at) == Some(BREAKPOINT_BYTE)
        && *at != stage.start_of(vector);
    let raised = (exception.vector.number(), exception.error_code, cr2);
    let (raised, ip) = if is_end {
        (None, *at)
    } else {
        (Some(raised), stage.registers().eip())
    };
    if raised != vector.exception {
        note(&mut differences, "exception", &vector.exception, &raised);
    }
    if ip != vector.after.ip {
        note(&mut differences, "eip", &hex(vector.after.ip), &hex(ip));
    }
    compare_registers(vector, stage, &mut differences);
    compare_memory(vector, stage, &mut differences);
    if differences.is_empty() {
        return Ok(());
    }
    Err(format!("{}{differences}", describe(vector)))
}

fn compare_registers(vector: &Vector, stage: &Stage, differences: &mut String) {
    let mut expected = vector.registers;
    for (index, value) in &vector.after.registers {
        if let Some(register) = expected.get_mut(*index) {
            *register = *value;
        }
    }
    for ((index, reg), expected) in Reg::ALL.into_iter().enumerate().zip(expected) {
        let undefined = vector
            .undefined_registers
            .iter()
            .filter(|(other, _)| *other == index);
        let mask = !undefined.fold(0, |mask, (_, bits)| mask | bits);
        let actual = stage.registers().gpr(reg);
        if actual & mask != expected & mask {
            note(
                differences,
                &format!("{reg:?}"),
                &hex(expected),
                &hex(actual),
            );
        }
    }
    let mask = COMPARED_FLAGS & !vector.undefined_flags;
    let actual = stage.registers().eflags().bits();
    if actual & mask != vector.after.flags & mask {
        note(
            differences,
            "flags",
            &hex(vector.after.flags & mask),
            &hex(actual & mask),
        );
    }
}

fn compare_memory(vector: &Vector, stage: &Stage, differences: &mut String) {
    let code = Patch(stage.start_of(vector), vector.code.clone());
    let is_undefined = |addr: u32| {
        let mut ranges = vector.undefined_memory.iter();
        ranges.any(|(start, len)| addr.wrapping_sub(*start) < *len)
    };
    let mut shown = 0;
    for (start, now, fill) in stage.memory() {
        let mut expected = fill.to_vec();
        for patch in std::iter::once(&code)
            .chain(&vector.memory)
            .chain(&vector.after.memory)
        {
            apply(patch, start, &mut expected);
        }
        if expected == now {
            continue;
        }
        for ((addr, actual), expected) in (start..).zip(now).zip(expected) {
            if *actual != expected && !is_undefined(addr) && shown < SHOWN_BYTES {
                shown += 1;
                let what = format!("byte at {addr:#010x}");
                note(
                    differences,
                    &what,
                    &format!("{expected:#04x}"),
                    &format!("{actual:#04x}"),
                );
            }
        }
    }
}

/// Applies the part of a patch that lies in the page at `start`.
fn apply(patch: &Patch, start: u32, page: &mut [u8]) {
    for (index, byte) in (0_u32..).zip(&patch.1) {
        let offset = patch.0.wrapping_add(index).wrapping_sub(start);
        if let Some(target) = page.get_mut(offset as usize) {
            *target = *byte;
        }
    }
}

fn note(
    differences: &mut String,
    what: &str,
    expected: &dyn std::fmt::Debug,
    actual: &dyn std::fmt::Debug,
) {
    let _ = write!(
        differences,
        "\n    {what}: expected {expected:?}, got {actual:?}"
    );
}

fn describe(vector: &Vector) -> String {
    format!("{} ({}) tags {:?}", vector.id, vector.text, vector.tags)
}

fn hex(value: u32) -> String {
    format!("{value:#010x}")
}
