//! The snapshots of a recording, in order of time, within a limit of memory.

use crate::history::journal::Mark;
use crate::history::snapshot::Snapshot;
use crate::history::{Moment, RecordOptions};
use crate::machine::Raise;

/// Whether a checkpoint may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// What it holds can be had again from the one before it.
    Thin,
    /// It holds a change from outside, which no repetition makes.
    Edit,
}

/// A moment that can be gone to directly.
#[derive(Debug)]
pub(super) struct Checkpoint {
    pub(super) at: Moment,
    pub(super) snapshot: Snapshot,
    pub(super) mark: Mark,
    pub(super) pending: Option<Raise>,
    pub(super) keep: Keep,
}

/// The checkpoints.
#[derive(Debug)]
pub(super) struct Timeline {
    /// In order; there is always one once the recording has begun.
    checkpoints: Vec<Checkpoint>,
    options: RecordOptions,
}

/// What snapshots may cost: one part in this many of the time that the program takes.
const SHARE: u64 = 12;

impl Timeline {
    pub(super) fn new(options: RecordOptions) -> Self {
        Self {
            checkpoints: Vec::new(),
            options,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.checkpoints.len()
    }

    /// Returns about how many bytes the checkpoints take.
    pub(super) fn bytes(&self) -> u64 {
        let each = self.checkpoints.iter();
        each.map(|checkpoint| checkpoint.snapshot.own_bytes()).sum()
    }

    pub(super) fn first(&self) -> Moment {
        let first = self.checkpoints.first();
        first.map(|checkpoint| checkpoint.at).unwrap_or_default()
    }

    pub(super) fn at(&self, at: Moment) -> Option<&Checkpoint> {
        let place = self.checkpoints.binary_search_by_key(&at, |known| known.at);
        self.checkpoints.get(place.ok()?)
    }

    fn count_until(&self, at: Moment) -> usize {
        self.checkpoints.partition_point(|known| known.at <= at)
    }

    pub(super) fn last_at_or_before(&self, at: Moment) -> Moment {
        let index = self.count_until(at).checked_sub(1);
        let found = index.and_then(|index| self.checkpoints.get(index));
        found.map_or(self.first(), |known| known.at)
    }

    pub(super) fn last_before(&self, at: Moment) -> Option<Moment> {
        let count = self.checkpoints.partition_point(|known| known.at < at);
        let found = self.checkpoints.get(count.checked_sub(1)?);
        found.map(|known| known.at)
    }

    /// Returns the last snapshot until then, whose frames can be shared.
    pub(super) fn snapshot_before(&self, at: Moment) -> Option<&Snapshot> {
        let index = self.count_until(at).checked_sub(1)?;
        Some(&self.checkpoints.get(index)?.snapshot)
    }

    /// Returns whether enough instructions have passed since the last checkpoint, and the next one
    /// is as far away.
    pub(super) fn is_due(&self, at: Moment) -> bool {
        let count = self.count_until(at);
        let Some(last) = count
            .checked_sub(1)
            .and_then(|index| self.checkpoints.get(index))
        else {
            return true;
        };
        let spacing = self.spacing(&last.snapshot);
        let is_far = |other: u64| other >= spacing;
        let behind = at.instructions.saturating_sub(last.at.instructions);
        let next = self.checkpoints.get(count);
        is_far(behind) && next.is_none_or(|next| is_far(next.at.instructions - at.instructions))
    }

    /// Returns the number of instructions at which the next checkpoint may be due.
    pub(super) fn next_after(&self, at: Moment) -> u64 {
        let index = self.count_until(at).checked_sub(1);
        let Some(last) = index.and_then(|index| self.checkpoints.get(index)) else {
            return at.instructions.saturating_add(1);
        };
        let spacing = self.spacing(&last.snapshot);
        let passed = at.instructions.saturating_sub(last.at.instructions);
        at.instructions
            .saturating_add(spacing.saturating_sub(passed % spacing))
    }

    fn spacing(&self, last: &Snapshot) -> u64 {
        let worth = last.cost().saturating_mul(SHARE);
        self.options.spacing.max(worth).max(1)
    }

    /// Adds a checkpoint, and makes room for it. If the beginning had to be forgotten, returns from
    /// where on the journal is needed.
    pub(super) fn insert(&mut self, checkpoint: Checkpoint, journal_bytes: u64) -> Option<Mark> {
        let at = checkpoint.at;
        let place = self.count_until(at);
        let is_known = place
            .checked_sub(1)
            .and_then(|index| self.checkpoints.get_mut(index));
        match is_known {
            Some(known) if known.at == at => *known = checkpoint,
            _ => self.checkpoints.insert(place, checkpoint),
        }
        let mut forgotten = None;
        let mut bytes = self.bytes();
        while self.checkpoints.len() > MIN_CHECKPOINTS
            && bytes.saturating_add(journal_bytes) > self.options.memory_bytes
        {
            let index = self.least_useful(at);
            let dropped = self.checkpoints.remove(index).snapshot;
            let freed = dropped.freed_bytes();
            if let Some(next) = self.checkpoints.get_mut(index) {
                next.snapshot
                    .take_over(dropped.own_bytes().saturating_sub(freed));
            }
            bytes = bytes.saturating_sub(freed);
            if index == 0 {
                forgotten = self.checkpoints.first().map(|first| first.mark);
            }
        }
        forgotten
    }

    /// Returns the checkpoint that is missed least: the one that leaves the smallest gap, measured
    /// by how far away from `at` it is. The first one only if no other can go.
    fn least_useful(&self, at: Moment) -> usize {
        let gap = |index: usize| -> Option<(u64, u64)> {
            let [before, this, after] = self.checkpoints.get(index - 1..=index + 1)? else {
                return None;
            };
            let gap = after.at.instructions - before.at.instructions;
            let far = this.at.instructions.abs_diff(at.instructions).max(1);
            (this.keep == Keep::Thin).then_some((gap, far))
        };
        (1..self.checkpoints.len() - 1)
            .filter_map(|index| gap(index).map(|gap| (index, gap)))
            .min_by(|(_, (gap, far)), (_, (other_gap, other_far))| {
                let left = u128::from(*gap) * u128::from(*other_far);
                left.cmp(&(u128::from(*other_gap) * u128::from(*far)))
            })
            .map_or(0, |(index, _)| index)
    }

    /// Drops the checkpoints behind a moment.
    pub(super) fn cut_behind(&mut self, at: Moment) {
        self.checkpoints.truncate(self.count_until(at));
    }

    /// Drops what came of changes from outside behind a moment; returns from where on the journal
    /// belongs to them.
    pub(super) fn undo_edits_behind(&mut self, at: Moment) -> Option<Mark> {
        let count = self.count_until(at);
        let edit = self
            .checkpoints
            .iter()
            .skip(count)
            .position(|known| known.keep == Keep::Edit)?;
        let place = count + edit;
        let mark = self.checkpoints.get(place).map(|known| known.mark);
        self.checkpoints.truncate(place);
        mark
    }
}

/// The beginning and the present.
const MIN_CHECKPOINTS: usize = 2;
