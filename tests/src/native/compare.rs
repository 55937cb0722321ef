//! The two sides of a case: what the processor answered, and what the interpreter has come to.

use std::fmt::{self, Write};

use pagefault_cpu::{Exception, Exit, Reg, Registers, Vector};

use super::case::Case;
use super::exclude::Undefined;
use super::layout::{RESULT_BYTES, RESULT_COUNT};
use super::stage::Stage;

/// The flags that are compared: the status flags, TF, DF, NT, AC, ID.
const COMPARED_FLAGS: u32 = 0x0024_4DD5;
/// Places in what FXSAVE stores.
const STATUS: usize = 2;
const MXCSR: usize = 24;
const ST: usize = 32;
const XMM: usize = 160;
const STEP: usize = 16;
/// Bytes of an x87 register.
const FLOAT_BYTES: usize = 10;
/// Differences of memory that are named.
const SHOWN: usize = 8;

/// All that is compared of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    extended: Vec<u8>,
    registers: Vec<u32>,
    flags: u32,
    eip: u32,
    vector: u32,
    error_code: u32,
    cr2: u32,
    changes: Vec<(u32, u32)>,
}

impl State {
    /// Reads what the native side has written.
    pub(super) fn from_native(result: &[u8]) -> Self {
        let mut words = dwords(&result[Registers::EXTENDED_BYTES..RESULT_COUNT]);
        let registers = words.by_ref().take(Reg::ALL.len()).collect();
        let mut word = || words.next().unwrap_or_default();
        let (flags, eip, vector, error_code, cr2) = (word(), word(), word(), word(), word());
        let changes: Vec<u32> = dwords(&result[RESULT_BYTES..]).collect();
        Self {
            extended: result[..Registers::EXTENDED_BYTES].to_vec(),
            registers,
            flags,
            eip,
            vector,
            error_code,
            cr2: cr2_of(vector, cr2),
            changes: changes
                .chunks_exact(2)
                .map(|pair| (pair[0], pair[1]))
                .collect(),
        }
    }

    /// Returns what the interpreter has come to by an exception.
    pub(super) fn from_stage(stage: &Stage, case: &Case, exception: &Exception) -> Self {
        let registers = stage.registers();
        let vector = u32::from(exception.vector.number());
        let cr2 = exception.page_fault.map_or(0, |fault| fault.addr.bits());
        Self {
            extended: registers.extended_image().to_vec(),
            registers: Reg::ALL.map(|reg| registers.gpr(reg)).to_vec(),
            flags: registers.eflags().bits(),
            eip: registers.eip(),
            vector,
            error_code: exception.error_code,
            cr2: cr2_of(vector, cr2),
            changes: stage.changes(case),
        }
    }

    /// Returns all differences, a line each; what is undefined is not compared.
    pub(super) fn differences(&self, native: &Self, undefined: Undefined) -> Vec<String> {
        let mut lines = Vec::new();
        let mut note = |what: &dyn fmt::Display, ours: u32, theirs: u32| {
            if ours != theirs {
                lines.push(format!(
                    "{what}: {ours:#010x}, the processor has {theirs:#010x}"
                ));
            }
        };
        let mask = COMPARED_FLAGS & !undefined.eflags();
        note(&"vector", self.vector, native.vector);
        note(&"error code", self.error_code, native.error_code);
        note(&"CR2", self.cr2, native.cr2);
        note(&"EIP", self.eip, native.eip);
        note(&"EFLAGS", self.flags & mask, native.flags & mask);
        let pairs = self.registers.iter().zip(&native.registers);
        for (reg, (ours, theirs)) in Reg::ALL.iter().zip(pairs) {
            note(&format_args!("{reg:?}"), *ours, *theirs);
        }
        self.compare_extended(native, undefined, &mut lines);
        self.compare_memory(native, &mut lines);
        lines
    }

    fn compare_extended(&self, native: &Self, undefined: Undefined, lines: &mut Vec<String>) {
        let mut note = |what: &dyn fmt::Display, ours: &[u8], theirs: &[u8]| {
            if ours != theirs {
                let [ours, theirs] = [ours, theirs].map(|bytes| digits(bytes.iter().rev()));
                lines.push(format!("{what}: {ours}, the processor has {theirs}"));
            }
        };
        let [ours, theirs] = [&self.extended, &native.extended].map(|image| {
            let status = u16::from_le_bytes([image[STATUS], image[STATUS + 1]]);
            (status & !undefined.status()).to_le_bytes()
        });
        note(&"x87 status", &ours, &theirs);
        let parts = [
            ("x87 control", 0, 2),
            ("x87 tags", 4, 1),
            ("MXCSR", MXCSR, 4),
        ];
        let floats = (0..8).map(|index| (FLOATS[index], ST + STEP * index, FLOAT_BYTES));
        let vectors = (0..8).map(|index| (VECTORS[index], XMM + STEP * index, STEP));
        for (name, start, len) in parts.into_iter().chain(floats).chain(vectors) {
            let range = start..start + len;
            note(
                &name,
                &self.extended[range.clone()],
                &native.extended[range],
            );
        }
    }

    fn compare_memory(&self, native: &Self, lines: &mut Vec<String>) {
        let ours = self
            .changes
            .iter()
            .filter(|change| !native.changes.contains(change));
        for (addr, value) in ours.take(SHOWN) {
            lines.push(format!("memory at {addr:#010x}: {value:#010x} only here"));
        }
        let theirs = native
            .changes
            .iter()
            .filter(|change| !self.changes.contains(change));
        for (addr, value) in theirs.take(SHOWN) {
            lines.push(format!(
                "memory at {addr:#010x}: {value:#010x} only on the processor"
            ));
        }
    }
}

const FLOATS: [&str; 8] = ["ST0", "ST1", "ST2", "ST3", "ST4", "ST5", "ST6", "ST7"];
const VECTORS: [&str; 8] = [
    "XMM0", "XMM1", "XMM2", "XMM3", "XMM4", "XMM5", "XMM6", "XMM7",
];

/// Returns the exception that ended a run; `None` for any other end.
pub(super) fn exception_of(exit: &Exit) -> Option<&Exception> {
    match exit {
        Exit::Exception { exception, .. } => Some(exception),
        _ => None,
    }
}

/// CR2 says something of page faults only.
fn cr2_of(vector: u32, cr2: u32) -> u32 {
    if vector == u32::from(Vector::PAGE.number()) {
        cr2
    } else {
        0
    }
}

fn dwords(bytes: &[u8]) -> impl Iterator<Item = u32> {
    let words = bytes.chunks_exact(4);
    words.map(|word| word.first_chunk().copied().map_or(0, u32::from_le_bytes))
}

/// Returns the digits of bytes in this order.
pub(super) fn digits<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    let mut digits = String::new();
    for byte in bytes {
        _ = write!(digits, "{byte:02x}");
    }
    digits
}
