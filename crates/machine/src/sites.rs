//! Call sites: which call at which place changed a page.

use std::collections::BTreeMap;
use std::fmt;

use pagefault_vmm::Origin;

/// A call of an imported function that changed memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSite {
    /// The function.
    pub function: &'static str,
    /// The address behind the call instruction.
    pub return_to: u32,
    /// The arguments, first one first.
    pub arguments: Vec<u32>,
}

/// What a parameter means, for printing an argument as a program writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parameter {
    Address,
    Size,
    AllocationType,
    FreeType,
    Protection,
    Process,
    /// Nothing is known of it.
    Plain,
}

use Parameter::{Address, AllocationType, FreeType, Process, Protection, Size};

/// The parameters of the functions that change memory.
const PARAMETERS: [(&str, &[Parameter]); 8] = [
    ("VirtualAlloc", &[Address, Size, AllocationType, Protection]),
    (
        "VirtualAllocEx",
        &[Process, Address, Size, AllocationType, Protection],
    ),
    ("VirtualFree", &[Address, Size, FreeType]),
    ("VirtualFreeEx", &[Process, Address, Size, FreeType]),
    ("VirtualProtect", &[Address, Size, Protection, Address]),
    (
        "VirtualProtectEx",
        &[Process, Address, Size, Protection, Address],
    ),
    ("VirtualLock", &[Address, Size]),
    ("VirtualUnlock", &[Address, Size]),
];

/// `MEM_*` names of the allocation types.
const ALLOCATION_TYPES: [(u32, &str); 8] = [
    (0x1000, "MEM_COMMIT"),
    (0x2000, "MEM_RESERVE"),
    (0x8_0000, "MEM_RESET"),
    (0x10_0000, "MEM_TOP_DOWN"),
    (0x20_0000, "MEM_WRITE_WATCH"),
    (0x40_0000, "MEM_PHYSICAL"),
    (0x100_0000, "MEM_RESET_UNDO"),
    (0x2000_0000, "MEM_LARGE_PAGES"),
];

/// `MEM_*` names of the free types.
const FREE_TYPES: [(u32, &str); 2] = [(0x4000, "MEM_DECOMMIT"), (0x8000, "MEM_RELEASE")];

/// `PAGE_*` names of the protections.
const PROTECTIONS: [(u32, &str); 11] = [
    (0x01, "PAGE_NOACCESS"),
    (0x02, "PAGE_READONLY"),
    (0x04, "PAGE_READWRITE"),
    (0x08, "PAGE_WRITECOPY"),
    (0x10, "PAGE_EXECUTE"),
    (0x20, "PAGE_EXECUTE_READ"),
    (0x40, "PAGE_EXECUTE_READWRITE"),
    (0x80, "PAGE_EXECUTE_WRITECOPY"),
    (0x100, "PAGE_GUARD"),
    (0x200, "PAGE_NOCACHE"),
    (0x400, "PAGE_WRITECOMBINE"),
];

impl fmt::Display for CallSite {
    /// Writes the call as a program does: `VirtualAlloc(NULL, 4096, MEM_COMMIT, PAGE_READWRITE)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = PARAMETERS.iter().find(|(name, _)| *name == self.function);
        let parameters = known.map_or(&[][..], |&(_, parameters)| parameters);
        let shown = |(index, &value): (usize, &u32)| {
            shown(
                value,
                parameters.get(index).copied().unwrap_or(Parameter::Plain),
            )
        };
        let arguments: Vec<_> = self.arguments.iter().enumerate().map(shown).collect();
        write!(f, "{}({})", self.function, arguments.join(", "))
    }
}

/// The pseudo handle of the current process.
const CURRENT_PROCESS: u32 = u32::MAX;

fn shown(value: u32, parameter: Parameter) -> String {
    match parameter {
        Address if value == 0 => "NULL".to_owned(),
        Process if value == CURRENT_PROCESS => "-1".to_owned(),
        Address | Process => format!("0x{value:08X}"),
        Parameter::Plain => format!("{value:#x}"),
        Size => value.to_string(),
        AllocationType => names(value, &ALLOCATION_TYPES),
        FreeType => names(value, &FREE_TYPES),
        Protection => names(value, &PROTECTIONS),
    }
}

/// Returns the names of the bits that are set, and the rest as a number.
fn names(value: u32, known: &[(u32, &str)]) -> String {
    let named = known.iter().filter(|(bit, _)| value & bit != 0);
    let rest = known.iter().fold(value, |rest, (bit, _)| rest & !bit);
    let mut parts: Vec<_> = named.map(|&(_, name)| name.to_owned()).collect();
    if rest != 0 || parts.is_empty() {
        parts.push(format!("{rest:#x}"));
    }
    parts.join("|")
}

/// The call sites seen so far, numbered. A site that calls again with the same arguments keeps its
/// number, so that a loop does not fill the list.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallSites {
    sites: Vec<CallSite>,
    numbers: BTreeMap<(u32, Vec<u32>), Origin>,
}

/// The most call sites that are told apart; later ones are not remembered.
const MAX_SITES: usize = 1 << 16;

impl CallSites {
    /// Returns the number of the site.
    pub(crate) fn number(&mut self, site: CallSite) -> Origin {
        let key = (site.return_to, site.arguments.clone());
        if let Some(&origin) = self.numbers.get(&key) {
            return origin;
        }
        let Some(number) = u32::try_from(self.sites.len())
            .ok()
            .filter(|_| self.sites.len() < MAX_SITES)
        else {
            return Origin::UNKNOWN;
        };
        let origin = Origin(number);
        self.sites.push(site);
        self.numbers.insert(key, origin);
        origin
    }

    /// Returns the site of that number; `None` for the loader's own doing.
    pub(crate) fn get(&self, origin: Origin) -> Option<&CallSite> {
        self.sites.get(usize::try_from(origin.0).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_as_a_program_writes_it() {
        let call = |function, arguments: &[u32]| {
            CallSite {
                function,
                return_to: 0,
                arguments: arguments.to_vec(),
            }
            .to_string()
        };

        assert_eq!(
            call("VirtualAlloc", &[0, 10_485_760, 0x3000, 4]),
            "VirtualAlloc(NULL, 10485760, MEM_COMMIT|MEM_RESERVE, PAGE_READWRITE)"
        );
        assert_eq!(
            call("VirtualFreeEx", &[u32::MAX, 0x11_0000, 0, 0x8001]),
            "VirtualFreeEx(-1, 0x00110000, 0, MEM_RELEASE|0x1)"
        );
        assert_eq!(call("Frobnicate", &[7]), "Frobnicate(0x7)");
    }

    #[test]
    fn the_same_call_keeps_its_number_and_another_gets_its_own() {
        let mut sites = CallSites::default();
        let site = |argument| CallSite {
            function: "VirtualFree",
            return_to: 0x0040_1010,
            arguments: vec![argument],
        };

        let first = sites.number(site(1));
        let second = sites.number(site(2));

        assert_eq!(sites.number(site(1)), first);
        assert_ne!(first, second);
        assert_eq!(sites.get(second), Some(&site(2)));
        assert_eq!(sites.get(Origin::UNKNOWN), None);
    }
}
