//! The format of the vectors and of the memory map.

use serde::{Deserialize, Deserializer};

/// The memory map of all vectors.
#[derive(Debug, Deserialize)]
pub(super) struct Layout {
    pub(super) regions: Vec<Region>,
    pub(super) fs: SegmentLayout,
    pub(super) gs: SegmentLayout,
    pub(super) cs: u16,
    pub(super) ds: u16,
    pub(super) es: u16,
    pub(super) ss: u16,
    pub(super) default_ip: u32,
}

/// Consecutive pages of one protection.
#[derive(Debug, Deserialize)]
pub(super) struct Region {
    pub(super) base: u32,
    pub(super) pages: u32,
    /// Letters of `rwx`; none for pages that are not present.
    pub(super) prot: String,
    pub(super) fill: Fill,
}

/// What untouched memory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fill {
    /// Breakpoint instructions.
    Cc,
    /// A byte that follows from its address.
    Pattern,
}

impl Fill {
    pub(super) fn byte(self, addr: u32) -> u8 {
        /// The fractional part of the golden ratio, which spreads addresses.
        const SPREAD: u32 = 0x9E37_79B1;
        match self {
            Self::Cc => 0xCC,
            Self::Pattern => addr.wrapping_mul(SPREAD).to_le_bytes()[3],
        }
    }
}

/// A segment that is not flat.
#[derive(Debug, Deserialize)]
pub(super) struct SegmentLayout {
    pub(super) base: u32,
    pub(super) limit: u32,
    pub(super) selector: u16,
}

/// Bytes at an address.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Patch(
    pub(super) u32,
    #[serde(deserialize_with = "hex")] pub(super) Vec<u8>,
);

/// One vector.
#[derive(Debug, Deserialize)]
pub(super) struct Vector {
    pub(super) id: String,
    #[serde(rename = "a", default)]
    pub(super) text: String,
    #[serde(rename = "c", deserialize_with = "hex")]
    pub(super) code: Vec<u8>,
    pub(super) ip: Option<u32>,
    #[serde(rename = "r")]
    pub(super) registers: [u32; 8],
    #[serde(rename = "f")]
    pub(super) flags: u32,
    #[serde(rename = "m", default)]
    pub(super) memory: Vec<Patch>,
    /// Vector, error code, CR2.
    #[serde(rename = "x")]
    pub(super) exception: Option<(u8, u32, u32)>,
    #[serde(rename = "o")]
    pub(super) after: After,
    #[serde(rename = "uf", default)]
    pub(super) undefined_flags: u32,
    #[serde(rename = "ur", default)]
    pub(super) undefined_registers: Vec<(usize, u32)>,
    #[serde(rename = "um", default)]
    pub(super) undefined_memory: Vec<(u32, u32)>,
    #[serde(rename = "t", default)]
    pub(super) tags: Vec<String>,
}

/// The state afterwards, as far as it changed.
#[derive(Debug, Deserialize)]
pub(super) struct After {
    pub(super) ip: u32,
    #[serde(rename = "f")]
    pub(super) flags: u32,
    #[serde(rename = "r", default)]
    pub(super) registers: Vec<(usize, u32)>,
    #[serde(rename = "m", default)]
    pub(super) memory: Vec<Patch>,
}

fn hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits
        .map(|pair| byte(pair).ok_or_else(|| serde::de::Error::custom("not hex digits")))
        .collect()
}
