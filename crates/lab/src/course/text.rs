//! Labs whose files are lines of five numbers.

use pagefault_machine::vmm::mmu::{LinearAddr, PAGE_SIZE};
use pagefault_machine::vmm::{ALLOCATION_GRANULARITY, Rights};

use super::{Field, Malformed, Operation, Parsed, Place, Step, Target};

/// Milliseconds of a second.
const MS_PER_SECOND: u64 = 1000;
/// The numbers of a line.
const FIELDS: usize = 5;
/// The digits of a number in hex.
const HEX: u32 = 16;

/// What a time says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// Seconds to wait before the operation.
    Wait,
    /// Milliseconds since the start.
    Absolute,
}

/// How a lab writes its lines.
#[derive(Debug)]
pub(super) struct Dialect {
    clock: Clock,
    /// The operations, from code 1 on.
    operations: &'static [Operation],
    /// The protections, from code 1 on.
    accesses: &'static [Rights],
    /// The bytes of a unit of a reservation.
    reserve_unit: u32,
}

/// The protections of both labs; the first has one more, which forbids everything.
const ACCESSES: [Rights; 6] = [
    Rights::ReadOnly,
    Rights::ReadWrite,
    Rights::Execute,
    Rights::ExecuteRead,
    Rights::ExecuteReadWrite,
    Rights::NoAccess,
];

/// `VMdriver`.
pub(super) const DRIVER: Dialect = Dialect {
    clock: Clock::Wait,
    operations: &[
        Operation::Reserve,
        Operation::Commit,
        Operation::Touch,
        Operation::Lock,
        Operation::Unlock,
        Operation::Guard,
        Operation::Decommit,
        Operation::Release,
    ],
    accesses: &ACCESSES,
    reserve_unit: ALLOCATION_GRANULARITY,
};

/// The script with absolute times.
pub(super) const SCRIPT: Dialect = Dialect {
    clock: Clock::Absolute,
    operations: &[
        Operation::Reserve,
        Operation::Commit,
        Operation::Decommit,
        Operation::Reset,
        Operation::Release,
        Operation::Lock,
        Operation::Unlock,
    ],
    accesses: ACCESSES.split_at(5).0,
    reserve_unit: PAGE_SIZE,
};

/// Reads lines; empty ones, and those that begin with `#`, say nothing.
pub(super) fn parse(dialect: &Dialect, bytes: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    let mut now_ms = 0;
    for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        let place = Place::Line(number);
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let step = step(dialect, line, place, now_ms);
        now_ms = step.map_or(now_ms, |step| step.at_ms);
        if parsed.push(place, step).is_break() {
            break;
        }
    }
    parsed
}

fn step(dialect: &Dialect, line: &[u8], place: Place, now_ms: u64) -> Result<Step, Malformed> {
    let line = std::str::from_utf8(line).map_err(|_| Malformed::NotText)?;
    if line.contains(',') {
        return Err(Malformed::Commas);
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let [time, operation, address, units, access] = words[..] else {
        return Err(Malformed::Count { found: words.len() });
    };
    debug_assert_eq!(words.len(), FIELDS);
    let at_ms = time_of(dialect, number(time, Field::Time)?, now_ms)?;
    let operation = operation_of(dialect, number(operation, Field::Operation)?)?;
    let address = hex(address)?;
    let units = number(units, Field::Units)?;
    let rights = access_of(dialect, number(access, Field::Access)?)?;
    let unit_bytes = match operation {
        Operation::Reserve => dialect.reserve_unit,
        _ => PAGE_SIZE,
    };
    let size_bytes = units
        .checked_mul(unit_bytes)
        .ok_or(Malformed::TooLarge { units })?;
    Ok(Step {
        place,
        at_ms,
        operation,
        target: Target::Range {
            address,
            size_bytes,
        },
        protect: rights.bits(),
        units,
    })
}

fn time_of(dialect: &Dialect, time: u32, now_ms: u64) -> Result<u64, Malformed> {
    let time = u64::from(time);
    match dialect.clock {
        Clock::Wait => Ok(now_ms.saturating_add(time * MS_PER_SECOND)),
        Clock::Absolute if time < now_ms => Err(Malformed::TimeGoesBack {
            at_ms: time,
            before_ms: now_ms,
        }),
        Clock::Absolute => Ok(time),
    }
}

fn operation_of(dialect: &Dialect, code: u32) -> Result<Operation, Malformed> {
    let last = u32::try_from(dialect.operations.len()).unwrap_or(u32::MAX);
    let found = numbered(dialect.operations, code);
    found.ok_or(Malformed::Operation {
        code,
        first: 1,
        last,
    })
}

fn access_of(dialect: &Dialect, code: u32) -> Result<Rights, Malformed> {
    let last = u32::try_from(dialect.accesses.len()).unwrap_or(u32::MAX);
    let found = numbered(dialect.accesses, code);
    found.ok_or(Malformed::Access {
        code,
        first: 1,
        last,
    })
}

/// Returns the item of a number that counts from 1.
fn numbered<T: Copy>(items: &[T], code: u32) -> Option<T> {
    let index = usize::try_from(code.checked_sub(1)?).ok()?;
    items.get(index).copied()
}

/// Reads a decimal number, as `%d` does.
fn number(word: &str, field: Field) -> Result<u32, Malformed> {
    match word.parse::<i64>() {
        Ok(number) if number < 0 => Err(Malformed::Negative { field }),
        Ok(number) => u32::try_from(number).map_err(|_| Malformed::Number { field }),
        Err(_) => Err(Malformed::Number { field }),
    }
}

/// Reads an address in hex, as `%p` does, with or without `0x`.
fn hex(word: &str) -> Result<LinearAddr, Malformed> {
    let wrong = Malformed::Number {
        field: Field::Address,
    };
    let prefix = ["0x", "0X"]
        .iter()
        .find_map(|prefix| word.strip_prefix(prefix));
    let digits = prefix.unwrap_or(word);
    // A sign is a number to Rust, but no digit.
    if !digits.starts_with(|first: char| first.is_ascii_hexdigit()) {
        return Err(wrong);
    }
    let bits = u32::from_str_radix(digits, HEX).map_err(|_| wrong)?;
    Ok(LinearAddr::new(bits))
}
