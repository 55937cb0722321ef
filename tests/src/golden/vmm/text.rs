//! Operands and results as the scenarios write them.

use std::collections::BTreeMap;

use pagefault_vmm::Protection;

/// The symbols that a scenario has bound.
pub(super) type Symbols = BTreeMap<String, u32>;

/// The operands of a call, taken one by one.
pub(super) struct Operands<'a> {
    tokens: std::str::Split<'a, char>,
    symbols: &'a Symbols,
}

/// An address operand: its value, and the symbol by which results are told.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) address: u32,
    symbol: Option<(String, u32)>,
}

/// An operand is missing or means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadOperand(pub(super) String);

const TYPES: [(&str, u32); 11] = [
    ("COMMIT", 0x1000),
    ("RESERVE", 0x2000),
    ("DECOMMIT", 0x4000),
    ("RELEASE", 0x8000),
    ("FREE", 0x1_0000),
    ("RESET", 0x8_0000),
    ("TOP_DOWN", 0x10_0000),
    ("WRITE_WATCH", 0x20_0000),
    ("PHYSICAL", 0x40_0000),
    ("RESET_UNDO", 0x100_0000),
    ("LARGE_PAGES", 0x2000_0000),
];

const PROTECTIONS: [(&str, u32); 15] = [
    ("NOACCESS", 0x1),
    ("READONLY", 0x2),
    ("READWRITE", 0x4),
    ("WRITECOPY", 0x8),
    ("EXECUTE", 0x10),
    ("EXECUTE_READ", 0x20),
    ("EXECUTE_READWRITE", 0x40),
    ("EXECUTE_WRITECOPY", 0x80),
    ("GUARD", 0x100),
    ("NOCACHE", 0x200),
    ("WRITECOMBINE", 0x400),
    ("SEC_RESERVE", 0x400_0000),
    ("SEC_COMMIT", 0x800_0000),
    ("SEC_NOCACHE", 0x1000_0000),
    ("SEC_LARGE_PAGES", 0x8000_0000),
];

const VIEW_ACCESSES: [(&str, u32); 4] = [
    ("COPY", 0x1),
    ("WRITE", 0x2),
    ("READ", 0x4),
    ("EXECUTE", 0x20),
];

const GLOBAL_FLAGS: [(&str, u32); 7] = [
    ("FIXED", 0x0),
    ("MOVEABLE", 0x2),
    ("ZEROINIT", 0x40),
    ("MODIFY", 0x80),
    ("DISCARDABLE", 0x100),
    ("GHND", 0x42),
    ("GPTR", 0x40),
];

impl<'a> Operands<'a> {
    /// Returns the name of a call, and its operands.
    pub(super) fn of(call: &'a str, symbols: &'a Symbols) -> (&'a str, Self) {
        let mut tokens = call.split(' ');
        let name = tokens.next().unwrap_or_default();
        (name, Self { tokens, symbols })
    }

    pub(super) fn word(&mut self) -> Result<&'a str, BadOperand> {
        self.tokens
            .next()
            .ok_or_else(|| BadOperand("nothing".to_owned()))
    }

    /// Returns the operand, or `None` at the end of the line.
    pub(super) fn optional(&mut self) -> Option<&'a str> {
        self.tokens.next()
    }

    pub(super) fn number(&mut self) -> Result<u32, BadOperand> {
        let word = self.word()?;
        number(word).ok_or_else(|| BadOperand(word.to_owned()))
    }

    /// `NULL`, a number, or a symbol with an offset.
    pub(super) fn place(&mut self) -> Result<Place, BadOperand> {
        let word = self.word()?;
        if word == "NULL" {
            return Ok(Place {
                address: 0,
                symbol: None,
            });
        }
        if let Some(address) = number(word) {
            return Ok(Place {
                address,
                symbol: None,
            });
        }
        let bad = || BadOperand(word.to_owned());
        let at = word.find(['+', '-']);
        let (name, offset) = word.split_at(at.unwrap_or(word.len()));
        let base = *self.symbols.get(name).ok_or_else(bad)?;
        let distance = offset.get(1..).filter(|digits| !digits.is_empty());
        let distance = distance.map_or(Some(0), number).ok_or_else(bad)?;
        let address = if offset.starts_with('-') {
            base.wrapping_sub(distance)
        } else {
            base.wrapping_add(distance)
        };
        Ok(Place {
            address,
            symbol: Some((name.to_owned(), base)),
        })
    }

    pub(super) fn kind(&mut self) -> Result<u32, BadOperand> {
        flags(self.word()?, &TYPES)
    }

    pub(super) fn protection(&mut self) -> Result<u32, BadOperand> {
        flags(self.word()?, &PROTECTIONS)
    }

    pub(super) fn view_access(&mut self) -> Result<u32, BadOperand> {
        flags(self.word()?, &VIEW_ACCESSES)
    }

    pub(super) fn global_flags(&mut self) -> Result<u32, BadOperand> {
        flags(self.word()?, &GLOBAL_FLAGS)
    }
}

impl Place {
    /// Tells an address by the symbol of this operand.
    pub(super) fn tell(&self, address: u32) -> String {
        let Some((name, base)) = &self.symbol else {
            return hex(address);
        };
        if address == 0 {
            return "0".to_owned();
        }
        match address.wrapping_sub(*base).cast_signed() {
            0 => name.clone(),
            offset @ 1.. => format!("{name}+{offset:#x}"),
            offset => format!("{name}-{:#x}", offset.unsigned_abs()),
        }
    }

    /// Tells an address that an allocation has returned: by the name it was given if the system
    /// chose it.
    pub(super) fn tell_result(&self, name: &str, address: u32) -> String {
        if self.address == 0 {
            name.to_owned()
        } else {
            self.tell(address)
        }
    }
}

/// Returns names and numbers joined by `|` as a number.
fn flags(word: &str, names: &[(&str, u32)]) -> Result<u32, BadOperand> {
    word.split('|').try_fold(0, |bits, part| {
        let named = names
            .iter()
            .find(|(name, _)| *name == part)
            .map(|&(_, bit)| bit);
        let bit = named
            .or_else(|| number(part))
            .ok_or_else(|| BadOperand(part.to_owned()))?;
        Ok(bits | bit)
    })
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Tells a number; zero has no prefix.
pub(super) fn hex(value: u32) -> String {
    if value == 0 {
        "0".to_owned()
    } else {
        format!("{value:#x}")
    }
}

/// Tells a protection by its names, in ascending order of bits.
pub(super) fn protection(protection: Option<Protection>) -> String {
    let bits = protection.map_or(0, Protection::bits);
    let names = PROTECTIONS
        .iter()
        .filter(|(_, bit)| bits & bit != 0)
        .map(|(name, _)| *name);
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        "0".to_owned()
    } else {
        names.join("|")
    }
}
