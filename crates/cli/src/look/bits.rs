//! Page-table entries bit by bit.

use pagefault_machine::vmm::mmu::{Level, Step};
use serde_json::{Value, json};

/// A field of an entry.
pub(crate) struct Field {
    /// The highest bit and the lowest one.
    bits: (u32, u32),
    name: &'static str,
    value: u64,
    meaning: &'static str,
}

/// A flag: its bit, its name, and what it means when clear and when set.
type Flag = (u32, &'static str, &'static str, &'static str);

/// P of every entry.
const PRESENT: u64 = 1;
/// PS of a directory entry: it maps a large page.
const LARGE: u64 = 1 << 7;
/// XD of PAE entries.
const NO_EXECUTE: u32 = 63;
/// The last bit of an address in PAE entries.
const PAE_TOP: u32 = 51;

/// The flags that every entry has which maps something.
const COMMON: [Flag; 6] = [
    (
        5,
        "A",
        "not used since A was cleared",
        "was used for a translation",
    ),
    (4, "PCD", "cached", "not cached"),
    (3, "PWT", "write-back", "write-through"),
    (2, "U/S", "for the supervisor only", "for user mode, too"),
    (1, "R/W", "can only be read", "can be written"),
    (0, "P", "not present", "present"),
];
/// The flags of an entry that maps a page.
const OF_LEAF: [Flag; 2] = [
    (8, "G", "not global", "global: survives a load of CR3"),
    (6, "D", "not written since D was cleared", "was written"),
];

/// Returns the fields of an entry, from the highest bit down.
pub(crate) fn fields(step: &Step, is_two_level: bool) -> Vec<Field> {
    let value = step.value;
    let top = if is_two_level { 31 } else { PAE_TOP };
    if value & PRESENT == 0 {
        let top = if is_two_level { 31 } else { NO_EXECUTE };
        let software = field(
            value,
            (top, 1),
            "software",
            "the memory manager's own words",
        );
        return vec![software, flag(value, COMMON[5])];
    }
    let is_large = step.level == Level::Directory && value & LARGE != 0;
    let mut fields = Vec::new();
    if !is_two_level && step.level != Level::Pdpt {
        let flags = (NO_EXECUTE, "XD", "can be executed", "can not be executed");
        fields.push(flag(value, flags));
    }
    let (lowest, what) = match (step.level, is_large) {
        (Level::Pdpt, _) => (12, "the frame of the page directory"),
        (Level::Directory, false) => (12, "the frame of the page table"),
        (Level::Directory, true) if is_two_level => (22, "the first frame of the page, by 1024"),
        (Level::Directory, true) => (21, "the first frame of the page, by 512"),
        (Level::Table, _) => (12, "the frame of the page"),
    };
    fields.push(field(value, (top, lowest), "frame", what));
    if step.level == Level::Pdpt {
        fields.extend([COMMON[1], COMMON[2], COMMON[5]].map(|known| flag(value, known)));
        return fields;
    }
    let is_leaf = is_large || step.level == Level::Table;
    let available = if is_leaf {
        "the system's own: here the page's protection"
    } else {
        "the system's own"
    };
    fields.push(field(value, (11, 9), "AVL", available));
    if is_leaf {
        fields.push(flag(value, OF_LEAF[0]));
    }
    fields.push(match (step.level, is_large) {
        (Level::Table, _) => flag(
            value,
            (7, "PAT", "memory type by PCD and PWT", "and by PAT"),
        ),
        _ => flag(value, (7, "PS", "points to a table", "maps a large page")),
    });
    if is_leaf {
        fields.push(flag(value, OF_LEAF[1]));
    }
    fields.extend(COMMON.map(|known| flag(value, known)));
    fields
}

fn field(value: u64, bits: (u32, u32), name: &'static str, meaning: &'static str) -> Field {
    let (high, low) = bits;
    let mask = u64::MAX >> (63 - (high - low));
    Field {
        bits,
        name,
        value: value >> low & mask,
        meaning,
    }
}

fn flag(value: u64, known: Flag) -> Field {
    let (bit, name, clear, set) = known;
    let is_set = value >> bit & 1 == 1;
    field(value, (bit, bit), name, if is_set { set } else { clear })
}

impl Field {
    /// Returns the line of the field.
    pub(crate) fn text(&self) -> String {
        let bits = match self.bits {
            (high, low) if high == low => high.to_string(),
            (high, low) => format!("{high}:{low}"),
        };
        let value = if self.bits.0 == self.bits.1 {
            self.value.to_string()
        } else {
            format!("{:x}h", self.value)
        };
        format!("{bits:>5}  {:<8} {value:>8}  {}", self.name, self.meaning)
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "high": self.bits.0, "low": self.bits.1, "name": self.name,
            "value": self.value, "meaning": self.meaning,
        })
    }
}

/// Returns the short name of an entry of a level.
pub(crate) fn entry_name(level: Level) -> &'static str {
    match level {
        Level::Pdpt => "PDPTE",
        Level::Directory => "PDE",
        Level::Table => "PTE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pagefault_machine::vmm::mmu::PhysAddr;

    #[test]
    fn the_fields_of_an_entry_cover_each_bit_once() {
        let cases = [
            (Level::Directory, 0x0001_4027, true, 32),
            (Level::Directory, 0x0080_01E3, true, 32),
            (Level::Table, 0x0001_B265, true, 32),
            (Level::Table, 0x0000_1230, true, 32),
            (Level::Table, 0x8000_0000_0001_B265, false, 53),
        ];
        for (level, value, is_two_level, bits) in cases {
            let at = PhysAddr::new(0).unwrap();
            let step = Step { level, at, value };

            let fields = fields(&step, is_two_level);

            let covered: u32 = fields
                .iter()
                .map(|field| field.bits.0 - field.bits.1 + 1)
                .sum();
            let unnamed = match (level, value & LARGE) {
                // Bits 8 and 6 of an entry that points to a table; 21:12 of a large page.
                (Level::Directory, 0) => 2,
                (Level::Directory, _) => 10,
                _ => 0,
            };
            assert_eq!(covered + unnamed, bits, "{value:#x}");
            let sum: u64 = fields.iter().map(|field| field.value << field.bits.1).sum();
            assert_eq!(sum, value, "{value:#x}");
        }
    }
}
