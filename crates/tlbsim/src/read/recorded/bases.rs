//! What addresses are coded against.

use std::hint::select_unpredictable;

use crate::read::recorded::control::Control;

/// The width of the addresses of a block, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Width {
    Bits32 = 0,
    Bits64 = 1,
}

impl Width {
    pub(super) fn of(addr: u64) -> Self {
        if addr <= Self::Bits32.mask() {
            Self::Bits32
        } else {
            Self::Bits64
        }
    }

    pub(super) fn mask(self) -> u64 {
        match self {
            Self::Bits32 => u64::from(u32::MAX),
            Self::Bits64 => u64::MAX,
        }
    }

    /// Returns the difference between two addresses, the short way round; `None` for a fetch to
    /// which, or to whose end, it leads over the end of the address space.
    #[inline(always)]
    pub(super) fn difference(self, addr: u64, base: u64, fetch_bytes: Option<u32>) -> Option<u64> {
        let delta = addr.wrapping_sub(base);
        match self {
            Self::Bits64 => Some(delta),
            #[expect(clippy::cast_possible_truncation, reason = "sums are modulo 2^32")]
            Self::Bits32 => {
                let short = i64::from((delta as u32).cast_signed()).cast_unsigned();
                let wraps = fetch_bytes
                    .is_some_and(|bytes| short != delta || addr + u64::from(bytes) > self.mask());
                (!wraps).then_some(short)
            }
        }
    }
}

/// What addresses are coded against: the end of the last fetch and the last address of data.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bases {
    fetch: u64,
    data: u64,
}

impl Bases {
    #[inline(always)]
    pub(super) fn of(&self, is_fetch: bool) -> u64 {
        if is_fetch { self.fetch } else { self.data }
    }

    #[inline(always)]
    pub(super) fn note(&mut self, width: Width, fetch_bytes: Option<u32>, addr: u64) {
        match fetch_bytes {
            Some(bytes) => self.fetch = addr.wrapping_add(u64::from(bytes)) & width.mask(),
            None => self.data = addr,
        }
    }
}

/// Bases in the form that a width decodes fastest.
pub(super) trait Sums: Copy {
    fn of(bases: Bases) -> Self;

    fn bases(self) -> Bases;

    /// Adds a difference to its base, and returns the address.
    fn add(&mut self, delta: u64, control: &Control) -> u64;
}

/// Both bases of 32-bit addresses in one word, that of data in the upper half. No carry comes up from
/// the lower half: what would leave it is an event.
#[derive(Clone, Copy)]
pub(super) struct Narrow(u64);

impl Sums for Narrow {
    fn of(bases: Bases) -> Self {
        Self(bases.data << u32::BITS | bases.fetch & Width::Bits32.mask())
    }

    fn bases(self) -> Bases {
        Bases {
            fetch: self.0 & Width::Bits32.mask(),
            data: self.0 >> u32::BITS,
        }
    }

    #[inline(always)]
    fn add(&mut self, delta: u64, control: &Control) -> u64 {
        let sums = self.0.wrapping_add(delta.wrapping_mul(control.scale));
        self.0 = sums.wrapping_add(control.fetch_size);
        let (fetch, data) = (sums & Width::Bits32.mask(), sums >> u32::BITS);
        select_unpredictable(control.scale == 1, fetch, data)
    }
}

/// Both bases of 64-bit addresses.
#[derive(Clone, Copy)]
pub(super) struct Wide(Bases);

impl Sums for Wide {
    fn of(bases: Bases) -> Self {
        Self(bases)
    }

    fn bases(self) -> Bases {
        self.0
    }

    #[inline(always)]
    fn add(&mut self, delta: u64, control: &Control) -> u64 {
        let is_fetch = control.scale == 1;
        let addr = self.0.of(is_fetch).wrapping_add(delta);
        let fetch_bytes = is_fetch.then_some(control.template.size_bytes);
        self.0.note(Width::Bits64, fetch_bytes, addr);
        addr
    }
}
