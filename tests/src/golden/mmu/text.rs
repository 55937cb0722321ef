//! The notation of entries and error codes: `00202000|P|RW|A?` and `P|W|U`.

/// The names of an entry's bits. Bits 6 and 7 have other names where they mean something else.
const ENTRY_BITS: [(&str, u32); 17] = [
    ("P", 0),
    ("RW", 1),
    ("US", 2),
    ("PWT", 3),
    ("PCD", 4),
    ("A", 5),
    ("D", 6),
    ("b6", 6),
    ("PS", 7),
    ("PAT", 7),
    ("b7", 7),
    ("G", 8),
    ("b8", 8),
    ("b9", 9),
    ("b10", 10),
    ("b11", 11),
    ("NX", 63),
];

/// The names of an error code's bits.
const CODE_BITS: [(&str, u32); 5] = [("P", 0), ("W", 1), ("U", 2), ("RSVD", 3), ("I", 4)];

/// A, the bit that a fault may leave either way in a directory entry.
const ACCESSED: u64 = 1 << 5;

/// An entry as a row gives it: bits that are so, and bits that may be either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryText {
    bits: u64,
    either: u64,
}

impl EntryText {
    /// Reads `BASE|BIT|BIT?`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('|');
        let mut entry = Self {
            bits: u64::from_str_radix(parts.next()?, 16).ok()?,
            either: 0,
        };
        for part in parts {
            let name = part.trim_end_matches('?');
            let mask = 1 << bit_of(&ENTRY_BITS, name)?;
            if name == part {
                entry.bits |= mask;
            } else {
                entry.either |= mask;
            }
        }
        Some(entry)
    }

    /// Returns an entry with these bits and no others.
    pub(super) fn exactly(bits: u64) -> Self {
        Self { bits, either: 0 }
    }

    /// Returns the bits to start with; those that may be either way are clear.
    pub(super) fn bits(self) -> u64 {
        self.bits
    }

    /// Returns the low 32 bits, all that a two-level entry has.
    #[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
    pub(super) fn bits_32(self) -> u32 {
        self.bits as u32
    }

    /// Returns the entry with A either way.
    pub(super) fn with_any_accessed(self) -> Self {
        Self {
            either: self.either | ACCESSED,
            ..self
        }
    }

    /// Returns whether the entry may read so.
    pub(super) fn allows(self, found: u64) -> bool {
        (found ^ self.bits) & !self.either == 0
    }
}

/// Reads an error code: `0` or names joined by bars.
pub(super) fn error_code(text: &str) -> Option<u32> {
    if text == "0" {
        return Some(0);
    }
    let bits = text
        .split('|')
        .map(|name| Some(1 << bit_of(&CODE_BITS, name)?));
    bits.sum()
}

/// Writes an error code as rows do.
pub(super) fn error_text(code: u32) -> String {
    let is_set = |&&(_, bit): &&(&str, u32)| code >> bit & 1 == 1;
    let names: Vec<_> = CODE_BITS
        .iter()
        .filter(is_set)
        .map(|(name, _)| *name)
        .collect();
    if names.is_empty() {
        "0".to_owned()
    } else {
        names.join("|")
    }
}

fn bit_of(names: &[(&str, u32)], name: &str) -> Option<u32> {
    let found = names.iter().find(|(known, _)| *known == name);
    found.map(|&(_, bit)| bit)
}
