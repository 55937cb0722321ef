//! TLBs as users write them.

use std::str::FromStr;

use pagefault_lab::parse_tlb;
use pagefault_machine::vmm::mmu::{Policy, TlbConfig};

/// A TLB with the name that results give it.
#[derive(Clone, Debug)]
pub(crate) struct TlbSpec {
    pub(crate) name: String,
    pub(crate) config: TlbConfig,
}

impl FromStr for TlbSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let config = parse_tlb(text).map_err(|error| error.to_string())?;
        if config.data.is_empty() {
            return Err("there is no TLB in it: nothing can be counted".to_owned());
        }
        Ok(Self {
            name: text.to_owned(),
            config,
        })
    }
}

/// Returns the policy of that name.
pub(crate) fn policy(name: &str) -> Result<Policy, String> {
    Policy::named(name).map_err(|error| error.to_string())
}
