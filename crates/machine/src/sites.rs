//! Call sites: which call at which place changed a page.

use std::collections::BTreeMap;

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
