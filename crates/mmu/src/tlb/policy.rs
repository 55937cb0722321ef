//! Replacement: which way of a set makes room.

use thiserror::Error;

/// A replacement policy.
///
/// Every policy takes an invalid way first, the lowest-numbered one, except where it says
/// otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// True LRU: the way whose last use is longest ago.
    Lru,
    /// Tree-PLRU: a binary tree of bits over the ways; a use turns the bits on its path away.
    TreePlru,
    /// Tree-PLRU whose victim is where the bits point, even when another way is invalid.
    TreePlruPointed,
    /// Bit-PLRU (not-most-recently-used): a bit a way is set on use; once all would be set, the
    /// others are cleared. The lowest way with a clear bit makes room.
    BitPlru,
    /// First in, first out; hits change nothing.
    Fifo,
    /// A way drawn from a seeded generator; hits change nothing.
    Random,
    /// Skylake's second-level TLB: three groups of four ways; the group after the most recently
    /// used one makes room, inside it a tree of three bits, which also decides where ways are
    /// invalid.
    Mru3Plru4,
}

/// A name that is no policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("unknown replacement policy; there are {}", Policy::NAMES.map(|(name, _)| name).join(", "))]
pub struct UnknownPolicy;

/// Ways of a group in [`Policy::Mru3Plru4`].
const GROUP_WAYS: u32 = 4;
/// Groups in [`Policy::Mru3Plru4`].
const GROUPS: u32 = 3;
/// Bits of a group's tree.
const GROUP_TREE_BITS: u32 = GROUP_WAYS - 1;
/// Where [`Policy::Mru3Plru4`] keeps its most recently used group: above the three trees.
const MRU_SHIFT: u32 = GROUPS * GROUP_TREE_BITS;
/// The most ways of a set whose state is kept in one 64-bit word.
pub(crate) const MAX_STATE_WAYS: u32 = 64;

impl Policy {
    /// The policies with the names that users write.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("lru", Self::Lru),
        ("plru", Self::TreePlru),
        ("plru_ptr", Self::TreePlruPointed),
        ("bit_plru", Self::BitPlru),
        ("fifo", Self::Fifo),
        ("random", Self::Random),
        ("mru3plru4", Self::Mru3Plru4),
    ];

    /// Returns the policy of that name.
    ///
    /// # Errors
    ///
    /// [`UnknownPolicy`], whose message lists the names.
    pub fn named(name: &str) -> Result<Self, UnknownPolicy> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|&(_, policy)| policy).ok_or(UnknownPolicy)
    }

    /// Returns the name that users write.
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(_, policy)| *policy == self);
        named.map_or("", |(name, _)| name)
    }

    /// Returns whether a set of so many ways can have this policy.
    pub(crate) fn fits(self, ways: u32) -> bool {
        match self {
            Self::Lru | Self::Fifo | Self::Random => true,
            Self::TreePlru | Self::TreePlruPointed => {
                ways.is_power_of_two() && ways <= MAX_STATE_WAYS
            }
            Self::BitPlru => ways <= MAX_STATE_WAYS,
            Self::Mru3Plru4 => ways == GROUPS * GROUP_WAYS,
        }
    }

    /// Returns whether the policy looks for an invalid way before it asks its state.
    pub fn prefers_invalid(self) -> bool {
        !matches!(self, Self::TreePlruPointed | Self::Mru3Plru4)
    }

    /// Returns the state of a set of `ways` ways after one of them was used. A fresh set has the
    /// state 0; policies that keep stamps, or nothing, leave it alone.
    #[inline]
    pub fn touched(self, state: u64, way: u32, ways: u32) -> u64 {
        match self {
            Self::TreePlru | Self::TreePlruPointed => tree_touched(state, way, ways),
            Self::BitPlru => bit_touched(state, way, ways),
            Self::Mru3Plru4 => mru_touched(state, way),
            Self::Lru | Self::Fifo | Self::Random => state,
        }
    }

    /// Returns the way that makes room by the state of its set alone; way 0 where the policy keeps
    /// no such state.
    pub fn pointed(self, state: u64, ways: u32) -> u32 {
        match self {
            Self::TreePlru | Self::TreePlruPointed => tree_pointed(state, ways),
            Self::BitPlru => (!state).trailing_zeros().min(ways - 1),
            Self::Mru3Plru4 => mru_pointed(state),
            Self::Lru | Self::Fifo | Self::Random => 0,
        }
    }
}

/// The tree's nodes are numbered as in a heap: 1 is the root, node n has children 2n and 2n + 1.
/// A clear bit points to the lower half.
#[inline]
fn tree_touched(state: u64, way: u32, ways: u32) -> u64 {
    let mut node = ways + way;
    let mut state = state;
    while node > 1 {
        let parent = node >> 1;
        // Used in the upper half: point to the lower one, and the other way round.
        if node & 1 == 1 {
            state &= !(1 << parent);
        } else {
            state |= 1 << parent;
        }
        node = parent;
    }
    state
}

fn tree_pointed(state: u64, ways: u32) -> u32 {
    let mut node = 1;
    while node < ways {
        node = node << 1 | u32::from(state >> node & 1 == 1);
    }
    node - ways
}

#[inline]
fn bit_touched(state: u64, way: u32, ways: u32) -> u64 {
    let all = u64::MAX >> (u64::BITS - ways);
    let used = state | 1 << way;
    if used == all { 1 << way } else { used }
}

#[inline]
fn mru_touched(state: u64, way: u32) -> u64 {
    let (group, within) = (way / GROUP_WAYS, way % GROUP_WAYS);
    let shift = group * GROUP_TREE_BITS;
    let mask = (1 << GROUP_TREE_BITS) - 1;
    // The tree's nodes 1 to 3 are kept in bits 0 to 2 of the group's field.
    let tree = tree_touched((state >> shift & mask) << 1, within, GROUP_WAYS) >> 1;
    let trees = state & ((1 << MRU_SHIFT) - 1) & !(mask << shift);
    trees | tree << shift | u64::from(group) << MRU_SHIFT
}

fn mru_pointed(state: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "a group number below 3")]
    let group = ((state >> MRU_SHIFT) as u32 + 1) % GROUPS;
    let tree = state >> (group * GROUP_TREE_BITS) & ((1 << GROUP_TREE_BITS) - 1);
    group * GROUP_WAYS + tree_pointed(tree << 1, GROUP_WAYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_never_points_to_the_way_just_used() {
        for ways in [1, 2, 4, 8, 64] {
            let mut state = 0;
            for step in 0..1000_u32 {
                let way = step.wrapping_mul(2_654_435_761) >> 16 & (ways - 1);
                state = Policy::TreePlru.touched(state, way, ways);
                assert!(
                    ways == 1 || Policy::TreePlru.pointed(state, ways) != way,
                    "{ways} {way}"
                );
            }
        }
    }

    #[test]
    fn a_fresh_tree_points_to_the_lowest_way_and_then_across() {
        let touched = Policy::TreePlru.touched(0, 0, 4);

        assert_eq!(Policy::TreePlru.pointed(0, 4), 0);
        assert_eq!(Policy::TreePlru.pointed(touched, 4), 2);
    }

    #[test]
    fn bit_plru_forgets_the_others_when_the_last_bit_would_be_set() {
        let mut state = 0;
        for way in [0, 1, 2] {
            state = Policy::BitPlru.touched(state, way, 4);
        }
        assert_eq!(Policy::BitPlru.pointed(state, 4), 3);

        state = Policy::BitPlru.touched(state, 3, 4);

        assert_eq!(state, 0b1000);
        assert_eq!(Policy::BitPlru.pointed(state, 4), 0);
    }

    #[test]
    fn names_lead_to_policies_and_back() {
        for (name, policy) in Policy::NAMES {
            assert_eq!(Policy::named(name), Ok(policy));
            assert_eq!(policy.name(), name);
        }
        let message = Policy::named("mru").unwrap_err().to_string();
        assert!(message.contains("lru, plru, plru_ptr"), "{message}");
    }
}
