//! TLBs as users write them.

use std::str::FromStr;

use pagefault_machine::vmm::mmu::tlb::presets;
use pagefault_machine::vmm::mmu::{Geometry, Index, Policy, TlbConfig};

/// A TLB with the name that results give it.
#[derive(Clone, Debug)]
pub(crate) struct TlbSpec {
    pub(crate) name: String,
    pub(crate) config: TlbConfig,
}

/// The form of an array.
const FORM: &str = "ENTRIESxWAYS:POLICY, as in 64x4:lru";
/// What a preset's name can follow.
const PRESET: &str = "preset:";

impl FromStr for TlbSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let config = match text.strip_prefix(PRESET) {
            Some(name) => preset(name)?,
            None if text.contains('=') => levels(text)?,
            None if text.starts_with(|first: char| first.is_ascii_digit()) => {
                TlbConfig::unified(array(text)?)
            }
            None => preset(text).map_err(|error| format!("{error}; or {FORM}"))?,
        };
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

fn preset(name: &str) -> Result<TlbConfig, String> {
    let preset = presets::named(name).map_err(|error| error.to_string())?;
    Ok(preset.config().clone())
}

fn levels(text: &str) -> Result<TlbConfig, String> {
    let mut config = TlbConfig::none();
    for part in text.split(',') {
        let (level, text) = part.split_once('=').ok_or("expected d=…, i=…, l2=…")?;
        let arrays = match level {
            "d" | "l1" | "l1d" => &mut config.data,
            "i" | "l1i" => &mut config.instruction,
            "l2" => &mut config.second,
            _ => return Err(format!("unknown level {level:?}; there are d, i and l2")),
        };
        arrays.push(array(text)?);
    }
    Ok(config)
}

fn array(text: &str) -> Result<Geometry, String> {
    let wrong = || format!("expected {FORM}");
    let mut parts = text.split(':');
    let (entries, ways) = parts
        .next()
        .and_then(|shape| shape.split_once('x'))
        .ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    let policy = parts.next().map_or(Ok(Policy::Lru), policy)?;
    let index = match parts.next() {
        None => Index::LowBits,
        Some("xor") => Index::XorFold,
        Some(_) => return Err("expected nothing, or xor, behind the policy".to_owned()),
    };
    let geometry = Geometry::new(number(entries)?, number(ways)?, policy);
    geometry
        .map(|geometry| geometry.indexed(index))
        .map_err(|error| error.to_string())
}
