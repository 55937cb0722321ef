//! What was seen, in words.

use std::fmt::Write;

use pagefault_machine::{DebugInfo, ExceptionReport, Outcome};

use crate::expect::lex::Span;
use crate::expect::witness::SeenCall;

/// The longest text that is shown, in bytes.
const MAX_SHOWN_BYTES: usize = 400;
/// The largest number that is shown in decimal only.
const MAX_PLAIN: u32 = 9;

/// Returns how a run ended.
pub(crate) fn outcome(outcome: &Outcome, debug: &DebugInfo) -> String {
    match outcome {
        Outcome::Exited { code } => format!("the program exits with {}", number(*code)),
        Outcome::Exception(report) => {
            format!("the program is ended by {}", exception(report, debug))
        }
        Outcome::UnsupportedInstruction(instruction) => {
            format!("an instruction is not emulated: {instruction}")
        }
        Outcome::MissingFunction(call) => {
            let (name, at) = (&call.function.name, place(call.return_to, debug));
            format!("the function {name} is not emulated, called before {at}")
        }
        Outcome::BudgetExceeded => "the instructions of the budget are used up".to_owned(),
        Outcome::Interrupted => "the run was interrupted".to_owned(),
        Outcome::Deadlock { threads } => format!("{threads} threads wait, and nobody can end it"),
        Outcome::EndlessCalls { calls } => {
            format!("{calls} calls were made without an instruction between them")
        }
    }
}

/// Returns what an exception is, where it was raised, and at which address.
pub(crate) fn exception(report: &ExceptionReport, debug: &DebugInfo) -> String {
    let status = report.status;
    let access = match &report.memory {
        Some(memory) => {
            let (kind, addr) = (memory.operation(), memory.fault.addr.bits());
            format!(": {kind} at {}", place(addr, debug))
        }
        None => format!(" ({:#010X})", status.bits()),
    };
    let by = place(report.place.addr, debug);
    format!("{}{access} by {by}", status.name())
}

/// Returns an address with the label before it and the source line.
pub(crate) fn place(addr: u32, debug: &DebugInfo) -> String {
    let mut text = format!("0x{addr:08X}");
    if let Some(symbol) = debug.symbol(addr) {
        let offset = match symbol.offset {
            0 => String::new(),
            offset => format!("+{offset:X}h"),
        };
        _ = write!(text, " ({}{offset})", symbol.name);
    }
    if let Some(line) = debug.line(addr) {
        _ = write!(text, " in line {}", line.line);
    }
    text
}

/// Returns a number in decimal and, unless it is small, in hexadecimal.
pub(crate) fn number(value: u32) -> String {
    if value <= MAX_PLAIN {
        value.to_string()
    } else {
        format!("{value} (0x{value:08X})")
    }
}

/// Returns a call as a program writes it, with its result.
pub(crate) fn call(call: &SeenCall, debug: &DebugInfo) -> String {
    let site = pagefault_machine::CallSite {
        function: call.function,
        return_to: call.return_to,
        arguments: call.arguments.clone(),
    };
    let result = match call.returned {
        Some((result, Some(error))) => format!(" = {}, error {error}", number(result)),
        Some((result, None)) => format!(" = {}", number(result)),
        None => " did not return".to_owned(),
    };
    let line = debug.line(call.return_to.wrapping_sub(1));
    let line = line
        .map(|line| format!(" in line {}", line.line))
        .unwrap_or_default();
    format!("{site}{result}{line}")
}

/// Returns bytes as a text in quotes, as expectations write it; the end of a long one is left out.
pub(crate) fn shown_text(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(MAX_SHOWN_BYTES)];
    let rest = bytes.len() - cut.len();
    let more = match rest {
        0 => String::new(),
        rest => format!(" and {rest} bytes more"),
    };
    format!("{}{more}", quoted(cut))
}

/// Returns bytes as a text in quotes, as expectations write it.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'\n' => text += "\\n",
            b'\r' => text += "\\r",
            b'\t' => text += "\\t",
            b'"' => text += "\\\"",
            b'\\' => text += "\\\\",
            b' '..=b'~' => text.push(char::from(byte)),
            _ => _ = write!(text, "\\x{byte:02X}"),
        }
    }
    text + "\""
}

/// Returns a number in the form in which another one stands in a source.
pub(crate) fn like(model: &str, value: u32) -> String {
    let lower = model.to_ascii_lowercase();
    if lower.starts_with("0x") {
        return format!("0x{value:X}");
    }
    if !lower.ends_with('h') {
        return value.to_string();
    }
    // A number begins with a digit, or it would be a name.
    let digits = format!("{value:X}");
    let zero = if digits.starts_with(|first: char| first.is_ascii_digit()) {
        ""
    } else {
        "0"
    };
    format!("{zero}{digits}h")
}

/// Returns the part of an expectation's text that a stretch of its line covers.
pub(crate) fn part(text: &str, whole: Span, wanted: Span) -> &str {
    let start = wanted.column.saturating_sub(whole.column) as usize;
    let end = start.saturating_add(wanted.len as usize);
    text.get(start..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_like_the_one_that_it_replaces() {
        let written = ["7", "0x10", "10h", "0FFh"].map(|model| like(model, 171));

        assert_eq!(written, ["171", "0xAB", "0ABh", "0ABh"]);
    }

    #[test]
    fn a_text_in_quotes_reads_back_as_its_bytes() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = quoted(&bytes);

        let tokens = crate::expect::lex::tokens(1, 1, text.as_bytes()).unwrap();

        assert_eq!(tokens[0].kind, crate::expect::lex::Kind::Text(bytes));
    }
}
