//! Options of a run as users write them: sizes and TLBs.

use pagefault_machine::vmm::mmu::tlb::presets::{self, UnknownPreset};
use pagefault_machine::vmm::mmu::{
    Geometry, GeometryError, Index, Policy, TlbConfig, UnknownPolicy,
};
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
    #[error("{0}; or {FORM}")]
    Preset(UnknownPreset),
    /// Its entries or ways are no numbers.
    #[error("expected {FORM}")]
    Shape,
    /// Levels are named, and one of them has no array.
    #[error("expected d=ARRAY, i=ARRAY and l2=ARRAY, with commas between them")]
    Levels,
    /// Something other than `xor` stands behind the policy.
    #[error("expected nothing, or xor, behind the policy")]
    Index,
    /// There is no such policy.
    #[error(transparent)]
    Policy(UnknownPolicy),
    /// Entries and ways do not go together.
    #[error(transparent)]
    Geometry(GeometryError),
}

/// The form of an array.
const FORM: &str = "ENTRIESxWAYS:POLICY, as in 64x4:lru";
/// What a preset's name can follow.
const PRESET: &str = "preset:";

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

/// Returns a TLB: an array for everything, `ENTRIESxWAYS:POLICY` or `ENTRIESxWAYS:POLICY:xor`; arrays
/// by level, `d=…,i=…,l2=…`; `none`; or that of a processor, `NAME` or `preset:NAME`.
///
/// # Errors
///
/// [`TlbError`].
pub fn parse_tlb(text: &str) -> Result<TlbConfig, TlbError> {
    if text.contains('=') {
        return levels(text);
    }
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(TlbConfig::unified(array(text)?));
    }
    let name = text.strip_prefix(PRESET).unwrap_or(text);
    let preset = presets::named(name).map_err(TlbError::Preset)?;
    Ok(preset.config().clone())
}

fn levels(text: &str) -> Result<TlbConfig, TlbError> {
    let mut config = TlbConfig::none();
    for part in text.split(',') {
        let (level, text) = part.split_once('=').ok_or(TlbError::Levels)?;
        let arrays = match level {
            "d" | "l1" | "l1d" => &mut config.data,
            "i" | "l1i" => &mut config.instruction,
            "l2" => &mut config.second,
            _ => return Err(TlbError::Levels),
        };
        arrays.push(array(text)?);
    }
    Ok(config)
}

fn array(text: &str) -> Result<Geometry, TlbError> {
    let mut parts = text.split(':');
    let shape = parts.next().and_then(|shape| shape.split_once('x'));
    let (entries, ways) = shape.ok_or(TlbError::Shape)?;
    let number = |text: &str| text.parse::<u32>().map_err(|_| TlbError::Shape);
    let policy = parts.next().map_or(Ok(Policy::Lru), Policy::named);
    let policy = policy.map_err(TlbError::Policy)?;
    let index = match (parts.next(), parts.next()) {
        (None, _) => Index::LowBits,
        (Some("xor"), None) => Index::XorFold,
        (Some(_), _) => return Err(TlbError::Index),
    };
    let geometry = Geometry::new(number(entries)?, number(ways)?, policy);
    let geometry = geometry.map_err(TlbError::Geometry)?;
    Ok(geometry.indexed(index))
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

    #[test]
    fn a_tlb_is_an_array_levels_or_a_processor() {
        let array = parse_tlb("64x4").unwrap();
        assert_eq!(parse_tlb("64x4:lru"), Ok(array.clone()));
        assert_ne!(parse_tlb("64x4:lru:xor"), Ok(array));
        assert_eq!(parse_tlb("none"), Ok(TlbConfig::none()));
        assert_eq!(parse_tlb("preset:skylake"), parse_tlb("skylake"));
        let levels = parse_tlb("d=64x4,i=32x4:fifo,l2=1536x12:lru:xor,d=32x4").unwrap();
        let counts = [&levels.data, &levels.instruction, &levels.second].map(Vec::len);
        assert_eq!(counts, [2, 1, 1]);
        for (text, error) in [
            ("64", TlbError::Shape),
            ("64x", TlbError::Shape),
            ("64x4:lru:and", TlbError::Index),
            ("64x4:lru:xor:xor", TlbError::Index),
            ("d=64x4,32x4", TlbError::Levels),
            ("l3=64x4", TlbError::Levels),
        ] {
            assert_eq!(parse_tlb(text), Err(error), "{text}");
        }
        assert!(matches!(parse_tlb("pdp11"), Err(TlbError::Preset(_))));
        assert!(matches!(parse_tlb("64x4:best"), Err(TlbError::Policy(_))));
        assert!(matches!(parse_tlb("63x4"), Err(TlbError::Geometry(_))));
    }
}
