//! The clock of the TLB: which look-up came before which, and how many there were of each kind.

use crate::fault::AccessKind;
use crate::tlb::statistics::ByKind;
use crate::tlb::ways::TICK;

/// Set in a [`Clock`]'s word that can count no more: its top bit, so that it costs a hit one test of
/// a sign.
const FULL: u64 = 1 << (u64::BITS - 1);
/// Bits of each count in the word.
const COUNT_BITS: u32 = 20;
/// Where the word counts all look-ups: at its top, so that it grows with each of them, and [`FULL`]
/// is a bit of this count. No other count is ever greater.
const ALL_SHIFT: u32 = u64::BITS - COUNT_BITS;
/// Where it counts writes and fetches.
const WRITES_SHIFT: u32 = ALL_SHIFT - COUNT_BITS;
const FETCHES_SHIFT: u32 = WRITES_SHIFT - COUNT_BITS;

const _: () = assert!(
    TICK <= 1 << FETCHES_SHIFT,
    "the bits below a tick stay clear"
);

/// What a look-up adds to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tick {
    word: u64,
    /// Whether counts are in the word, which it is too short for after some of them.
    counts: bool,
}

impl Tick {
    /// A tick that tells the order of look-ups only.
    pub(crate) const UNCOUNTED: Self = Self {
        word: TICK,
        counts: false,
    };

    /// Returns the tick that counts a look-up of this kind.
    #[inline(always)]
    pub(crate) const fn counting(kind: AccessKind) -> Self {
        let of_kind = match kind {
            // What there is beyond writes and fetches.
            AccessKind::Read => 0,
            AccessKind::Write => 1 << WRITES_SHIFT,
            AccessKind::Fetch => 1 << FETCHES_SHIFT,
        };
        Self {
            word: 1 << ALL_SHIFT | of_kind,
            counts: true,
        }
    }
}

/// The clock, which the stamps of true LRU come from.
///
/// One word tells the time and holds the counts: a hit adds to one word of memory. It is full after
/// 2^19 look-ups, and to be wound.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    now: u64,
    /// The word when look-ups were counted anew, or when it was wound.
    counted_from: u64,
    /// Look-ups counted anew before the clock was wound.
    before: ByKind,
}

impl Clock {
    /// Returns the time of the last look-up.
    #[inline(always)]
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Returns the time of the next look-up; `None` if the clock must be wound before.
    #[inline(always)]
    pub(crate) fn next(&self, tick: Tick) -> Option<u64> {
        let time = self.now.wrapping_add(tick.word);
        (!tick.counts || time < FULL).then_some(time)
    }

    /// Sets the time to one that [`Self::next`] gave.
    #[inline(always)]
    pub(crate) fn set(&mut self, time: u64) {
        self.now = time;
    }

    /// Returns the time after so many look-ups; `None` if the clock must be wound before.
    pub(crate) fn after(&self, tick: Tick, count: u64) -> Option<u64> {
        let time = self.now.checked_add(tick.word.checked_mul(count)?)?;
        (time < FULL).then_some(time)
    }

    /// Counts look-ups of a kind in no time.
    pub(crate) fn count(&mut self, kind: AccessKind, count: u64) {
        *self.before.of_mut(kind) += count;
    }

    /// Returns the look-ups since they were counted anew, if their ticks counted them.
    pub(crate) fn counts(&self) -> ByKind {
        let word = self.now.wrapping_sub(self.counted_from);
        let count = |shift: u32| word >> shift & ((1 << COUNT_BITS) - 1);
        let (writes, fetches) = (count(WRITES_SHIFT), count(FETCHES_SHIFT));
        ByKind {
            reads: self.before.reads + count(ALL_SHIFT).saturating_sub(writes + fetches),
            writes: self.before.writes + writes,
            fetches: self.before.fetches + fetches,
        }
    }

    /// Begins to count anew. Time goes on.
    pub(crate) fn count_anew(&mut self) {
        self.before = ByKind::default();
        self.counted_from = self.now;
    }

    /// Has time begin anew. The counts go on.
    ///
    /// Whoever keeps times makes them early ones first.
    pub(crate) fn wind(&mut self) {
        self.before = self.counts();
        self.now = 0;
        self.counted_from = 0;
    }

    /// Returns a time before that of any look-up, the later the greater `order`.
    pub(crate) fn early(order: usize) -> u64 {
        (order as u64 + 1) * TICK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a clock counts before it is full.
    const IN_ONE_GO: u64 = (FULL >> ALL_SHIFT) - 1;
    const KINDS: [AccessKind; 3] = [AccessKind::Read, AccessKind::Write, AccessKind::Fetch];

    #[test]
    fn a_full_clock_says_so_and_counts_on_when_wound() {
        for kind in KINDS {
            let mut clock = Clock::default();
            let tick = Tick::counting(kind);
            let mut in_one_go = 0;

            while let Some(time) = clock.next(tick) {
                assert!(time > clock.now() && time.is_multiple_of(TICK));
                assert!(time > Clock::early(1 << 16));
                clock.set(time);
                in_one_go += 1;
            }
            assert_eq!(in_one_go, IN_ONE_GO);
            assert_eq!(clock.counts().of(kind), in_one_go);

            clock.wind();
            clock.set(clock.next(tick).unwrap());
            assert_eq!(clock.counts().of(kind), in_one_go + 1);
            assert_eq!(clock.counts().total(), in_one_go + 1);
        }
    }

    #[test]
    fn kinds_are_counted_apart_and_anew() {
        let mut clock = Clock::default();
        for (count, kind) in (1..).zip(KINDS) {
            let time = clock.after(Tick::counting(kind), count).unwrap();
            clock.set(time);
            clock.count(kind, 10);
        }
        let counts = clock.counts();
        assert_eq!(KINDS.map(|kind| counts.of(kind)), [11, 12, 13]);

        clock.count_anew();
        assert_eq!(clock.counts(), ByKind::default());
        clock.set(clock.next(Tick::counting(AccessKind::Write)).unwrap());
        clock.wind();
        assert_eq!(clock.counts().writes, 1);
        assert_eq!(clock.counts().total(), 1);
    }

    #[test]
    fn more_look_ups_than_the_clock_takes_are_not_taken() {
        let mut clock = Clock::default();
        let tick = Tick::counting(AccessKind::Fetch);

        assert_eq!(clock.after(tick, IN_ONE_GO + 1), None);
        assert_eq!(clock.after(tick, u64::MAX), None);
        clock.set(clock.after(tick, IN_ONE_GO).unwrap());
        assert_eq!(clock.counts().fetches, IN_ONE_GO);
        assert_eq!(clock.after(tick, 1), None);
        assert_eq!(clock.after(tick, 0), Some(clock.now()));
    }
}
