//! What names stand for: labels of the program, and constants of Windows.

use pagefault_machine::asm::windows_constant;
use pagefault_machine::{DebugInfo, PartRights, Program};

use crate::expect::error::{ExpectErrorKind, Word};

/// The beginning of the constants that protections may be written without.
const PROTECTION_PREFIX: &str = "PAGE_";

/// The names that a program's expectations can use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    pub(crate) debug: &'a DebugInfo,
    pub(crate) program: &'a Program,
}

impl Names<'_> {
    /// Returns the address of a label or the value of a constant. The case of a label matters only
    /// if there are several that differ in nothing else.
    pub(crate) fn value(&self, name: &str) -> Option<u32> {
        self.label(name)
            .or_else(|| windows_constant(name))
            .or_else(|| windows_constant(&name.to_ascii_uppercase()))
            .or_else(|| protection(name))
    }

    pub(crate) fn label(&self, name: &str) -> Option<u32> {
        let alike = |(addr, known): (u32, &str)| known.eq_ignore_ascii_case(name).then_some(addr);
        let exact = self.debug.address(name);
        exact.or_else(|| self.debug.labels().find_map(alike))
    }

    /// Returns the error for a name that stands for nothing.
    pub(crate) fn unknown(&self, name: &str) -> ExpectErrorKind {
        let nearest = self
            .debug
            .labels()
            .map(|(_, label)| (distance(name, label), label))
            .min();
        let near = nearest
            .filter(|&(distance, _)| distance <= name.len() * 2 / 5)
            .map(|(_, label)| Word::new(label));
        ExpectErrorKind::UnknownName {
            name: Word::new(name),
            near,
        }
    }

    /// Returns whether the program has code at an address when it is loaded.
    pub(crate) fn is_code(&self, addr: u32) -> bool {
        let offset = addr.wrapping_sub(self.program.base);
        self.program.parts.iter().any(|part| {
            let distance = offset.wrapping_sub(part.offset);
            distance < part.size && part.rights.contains(PartRights::EXECUTE)
        })
    }
}

/// Returns the protection of that name: `READWRITE` is `PAGE_READWRITE`.
fn protection(name: &str) -> Option<u32> {
    windows_constant(&format!("{PROTECTION_PREFIX}{}", name.to_ascii_uppercase()))
}

/// Returns how many letters have to be changed, added or left out to make one word the other,
/// whatever their case.
fn distance(from: &str, to: &str) -> usize {
    let to = to.to_ascii_lowercase().into_bytes();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.to_ascii_lowercase().bytes().enumerate() {
        let mut diagonal = index;
        row[0] = index + 1;
        for (column, &other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_differ_in_a_letter_are_near() {
        let pairs = [("buffer", "Buffer"), ("bufer", "buffer"), ("x", "start")];

        let distances = pairs.map(|(from, to)| distance(from, to));

        assert_eq!(distances, [0, 1, 5]);
    }
}
