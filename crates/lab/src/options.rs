//! Options of a run as users write them: sizes and TLBs.

use pagefault_machine::vmm::mmu::tlb::presets::{self, UnknownPreset};
use pagefault_machine::vmm::mmu::{Geometry, GeometryError, Policy, TlbConfig, UnknownPolicy};
use thiserror::Error;

/// A size that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SizeError {
    /// It is no number, or too large.
    #[error("expected bytes, or a number with K, M or G, as in 64M")]
    NoSize,
    /// It cannot be the size of guest RAM.
    #[error("expected a multiple of 4K, 4K to 4G")]
    NoRam,
}

/// A TLB that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TlbError {
    /// It begins with a letter and is no processor.
    #[error("{0}; or ENTRIESxWAYS:POLICY, as in 64x4:lru")]
    Preset(UnknownPreset),
    /// Its entries or ways are no numbers.
    #[error("expected ENTRIESxWAYS:POLICY, as in 64x4:lru")]
    Shape,
    /// There is no such policy.
    #[error(transparent)]
    Policy(UnknownPolicy),
    /// Entries and ways do not go together.
    #[error(transparent)]
    Geometry(GeometryError),
}

/// The most guest RAM: what a 32-bit physical address reaches.
const MAX_RAM_BYTES: u64 = 4 << 30;
/// The size of a frame.
const FRAME_BYTES: u64 = 4 << 10;

/// Returns a size in bytes: a number, or one with K, M or G.
///
/// # Errors
///
/// [`SizeError::NoSize`].
pub fn parse_size(text: &str) -> Result<u64, SizeError> {
    let units = [('K', 1_u64 << 10), ('M', 1 << 20), ('G', 1 << 30)];
    let upper = text.to_ascii_uppercase();
    let unit = units
        .into_iter()
        .find(|&(letter, _)| upper.ends_with(letter));
    let (digits, factor) = unit.map_or((upper.as_str(), 1), |(_, factor)| {
        (&upper[..upper.len() - 1], factor)
    });
    let bytes = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor));
    bytes.ok_or(SizeError::NoSize)
}

/// Returns a size that guest RAM can have, in bytes.
///
/// # Errors
///
/// [`SizeError`].
pub fn parse_ram(text: &str) -> Result<u64, SizeError> {
    let bytes = parse_size(text)?;
    let is_ram = (FRAME_BYTES..=MAX_RAM_BYTES).contains(&bytes) && bytes % FRAME_BYTES == 0;
    is_ram.then_some(bytes).ok_or(SizeError::NoRam)
}

/// Returns a TLB: `ENTRIESxWAYS:POLICY`, `none`, or that of a processor.
///
/// # Errors
///
/// [`TlbError`].
pub fn parse_tlb(text: &str) -> Result<TlbConfig, TlbError> {
    let starts_with_digit = text.starts_with(|first: char| first.is_ascii_digit());
    let Some((entries, ways)) = text.split_once('x').filter(|_| starts_with_digit) else {
        let preset = presets::named(text).map_err(TlbError::Preset)?;
        return Ok(preset.config().clone());
    };
    let (ways, policy) = ways.split_once(':').unwrap_or((ways, "lru"));
    let number = |text: &str| text.parse::<u32>().map_err(|_| TlbError::Shape);
    let (entries, ways) = (number(entries)?, number(ways)?);
    let policy = Policy::named(policy).map_err(TlbError::Policy)?;
    let geometry = Geometry::new(entries, ways, policy).map_err(TlbError::Geometry)?;
    Ok(TlbConfig::unified(geometry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ram_is_a_multiple_of_a_frame() {
        assert_eq!(parse_ram("64M"), Ok(64 << 20));
        assert_eq!(parse_ram("4k"), Ok(4096));
        assert_eq!(parse_ram("5000"), Err(SizeError::NoRam));
        assert_eq!(parse_ram("8G"), Err(SizeError::NoRam));
        assert_eq!(parse_ram("x"), Err(SizeError::NoSize));
    }
}
