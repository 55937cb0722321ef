//! The ways of all arrays, as they lie in the host's memory.

use wide::{CmpEq, i32x4};

use crate::packed::Packed;

/// A key of an array: a page number and, with it, whatever tells pages of different sizes apart.
///
/// Zero is no key: it marks an invalid way.
pub(crate) type Key = u32;

/// What an invalid way holds.
pub(super) const INVALID: Key = 0;

/// Ways that are looked at together.
pub(super) const QUAD: usize = 4;

/// The words of a [`Row`].
pub(super) const ROW: usize = 2 * QUAD;

/// What times are multiples of: the bits below tell the ways of a quad apart.
pub(crate) const TICK: u64 = QUAD as u64;

/// The stamp of a way that fills a quad and is none of the array's: it never makes room.
const PADDING: u64 = u64::MAX;

/// What the ways of a quad hold besides their keys: when each was last used, then what each
/// translates to. As long as a line of the host's cache.
///
/// The time is the caller's, a multiple of [`TICK`]: exact LRU order. It is 0 while a way is invalid,
/// which is before any use. Policies that keep no stamps let hits write here all the same.
type Row = [u64; ROW];

/// The ways of all arrays. What a look-up compares lies apart from what a hit stamps and answers. A
/// set begins on a quad.
///
/// A slot is the number of a way's stamp among the words of all rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ways {
    keys: Vec<[Key; QUAD]>,
    /// The words of all rows, flat: a hit needs one of them.
    words: Vec<u64>,
}

/// A set of no more ways than are looked at together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quad(pub(super) usize);

impl Ways {
    /// Returns how many slots an array of so many entries takes at most.
    pub(crate) const fn most_slots(entries: u32) -> u64 {
        entries as u64 * ROW as u64
    }

    /// Returns how many quads there are.
    pub(super) fn quads(&self) -> usize {
        self.keys.len()
    }

    /// Adds quads, none of whose ways makes room before it was cleared.
    pub(super) fn add_quads(&mut self, count: usize) {
        let len = self.keys.len() + count;
        self.keys.resize(len, [INVALID; QUAD]);
        self.words.resize(len * ROW, PADDING);
    }

    /// Returns the slot that holds the key, in a set of one quad.
    #[inline(always)]
    pub(crate) fn find_in(&self, set: Quad, key: Key) -> Option<usize> {
        let way = position(self.keys.get(set.0)?, key)?;
        Some(set.0 * ROW + way)
    }

    /// As [`Self::find_in`], in a set of any number of quads.
    #[inline(never)]
    pub(super) fn find_in_quads(&self, first: usize, quads: u32, key: Key) -> Option<usize> {
        let set = self.keys.get(first..first + quads as usize)?;
        let way = set.as_flattened().iter().position(|&held| held == key)?;
        Some(slot_of(first, way))
    }

    /// Puts a translation in the way of the quad that was not used for the longest time, and
    /// returns the slot, and the key that was displaced. The quad must be a set in which stamps
    /// decide.
    #[inline(always)]
    pub(crate) fn replace_oldest(
        &mut self,
        set: Quad,
        key: Key,
        payload: Packed,
        clock: u64,
    ) -> Option<(usize, Option<Key>)> {
        let row = self.words.as_chunks_mut::<ROW>().0.get_mut(set.0)?;
        let way = oldest_of_quad(row);
        let keys = self.keys.get_mut(set.0)?;
        let old = std::mem::replace(&mut keys[way], key);
        row[way] = clock;
        row[QUAD + way] = payload.bits();
        Some((set.0 * ROW + way, (old != INVALID).then_some(old)))
    }

    /// Puts a translation in the slot and returns the key that was displaced.
    pub(super) fn replace(
        &mut self,
        slot: usize,
        key: Key,
        payload: Packed,
        clock: u64,
    ) -> Option<Key> {
        let (quad, way) = (slot / ROW, slot % QUAD);
        let old = std::mem::replace(&mut self.keys[quad][way], key);
        self.words[slot] = clock;
        self.words[slot + QUAD] = payload.bits();
        (old != INVALID).then_some(old)
    }

    /// Returns the key of the slot, if it holds one.
    pub(super) fn key(&self, slot: usize) -> Option<Key> {
        let key = self.keys[slot / ROW][slot % QUAD];
        (key != INVALID).then_some(key)
    }

    /// Returns what the slot holds, or the empty word past the last slot.
    #[inline(always)]
    pub(crate) fn payload(&self, slot: usize) -> Packed {
        Packed::from_bits(self.words.get(slot + QUAD).copied().unwrap_or_default())
    }

    #[inline]
    pub(crate) fn set_payload(&mut self, slot: usize, payload: Packed) {
        self.words[slot + QUAD] = payload.bits();
    }

    /// Returns the time of the slot's last use.
    pub(super) fn stamp(&self, slot: usize) -> u64 {
        self.words[slot]
    }

    /// Returns where the time of the slot's last use is kept, or `None` past the last slot.
    #[inline(always)]
    pub(crate) fn stamp_mut(&mut self, slot: usize) -> Option<&mut u64> {
        self.words.get_mut(slot)
    }

    /// Drops what the slot holds; the replacement state of its set stays.
    #[inline(always)]
    pub(crate) fn clear(&mut self, slot: usize) {
        let (quad, way) = (slot / ROW, slot % QUAD);
        if let (Some(keys), Some(stamp)) = (self.keys.get_mut(quad), self.words.get_mut(slot)) {
            keys[way] = INVALID;
            *stamp = 0;
        }
    }
}

/// Returns the slot of a way of the set that begins at this quad.
#[inline(always)]
pub(super) fn slot_of(first_quad: usize, way: usize) -> usize {
    (first_quad + way / QUAD) * ROW + way % QUAD
}

/// Returns the way of a slot that lies so far behind the first of its set.
#[inline(always)]
pub(super) fn way_at(in_set: usize) -> usize {
    in_set / ROW * QUAD + in_set % QUAD
}

/// Returns which of the ways holds the key.
#[inline(always)]
fn position(ways: &[Key; QUAD], key: Key) -> Option<usize> {
    // All at once. Whether a compiler sees that by itself changes with the code around, and makes
    // a fifth of a miss.
    let equal = i32x4::from(ways.map(Key::cast_signed)).cmp_eq(i32x4::splat(key.cast_signed()));
    let holders = equal.move_mask();
    (holders != 0).then(|| holders.trailing_zeros() as usize)
}

/// Returns the way with the smallest stamp: the lowest invalid one, if there is one.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the lowest two bits")]
fn oldest_of_quad(&[first, second, third, fourth, ..]: &Row) -> usize {
    // Below a tick there is room for the number of the way.
    let low = first.min(second | 1);
    let high = (third | 2).min(fourth | 3);
    low.min(high) as usize % QUAD
}
