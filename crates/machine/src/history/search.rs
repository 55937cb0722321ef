//! Going back: one step, to a stop, to the change of an entry.

use crate::history::stops::{EntryChange, has_changed};
use crate::history::{Moment, Recording, SnapshotError, Stop, Stops};

impl Recording {
    /// Undoes the last step, as [`Recording::step`] makes them.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn step_back(&mut self) -> Result<Stop, SnapshotError> {
        let old = self.here();
        if old <= self.beginning() {
            return Ok(Stop::Beginning);
        }
        let before = old.instructions.saturating_sub(1);
        self.go_to(Moment::behind(before))?;
        let mut last = self.here();
        loop {
            let stop = self.step();
            if self.here() >= old || self.here() == last || matches!(stop, Stop::Ended(_)) {
                break;
            }
            last = self.here();
        }
        self.go_to(last)?;
        Ok(Stop::Stepped)
    }

    /// Goes back to the last moment at which one of `stops` would have ended a run: to where EIP is
    /// at a breakpoint or a call, or right before what a watchpoint, a fault or an entry of the page
    /// tables tells of. To the beginning if there is none.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn run_back(&mut self, stops: &Stops) -> Result<Stop, SnapshotError> {
        let found = self.find_back(stops)?;
        self.arm(&Stops::NONE);
        let Some((moment, stop)) = found else {
            self.go_to(self.beginning())?;
            return Ok(Stop::Beginning);
        };
        match stop {
            Stop::Entries(change) => {
                let stop = self.find_entry_change(change);
                self.before_this()?;
                Ok(stop)
            }
            Stop::Watch(_) | Stop::Fault(_) => {
                self.go_to(moment)?;
                self.before_this()?;
                Ok(stop)
            }
            _ => {
                self.go_to(moment)?;
                Ok(stop)
            }
        }
    }

    /// Goes from behind a change to before it: one step back, or to before what the system did.
    fn before_this(&mut self) -> Result<(), SnapshotError> {
        let here = self.here();
        match here.events.checked_sub(1) {
            Some(events) => self.go_to(Moment { events, ..here }),
            None => self.step_back().map(|_| ()),
        }
    }

    /// Returns the last stop before this moment, and where it is.
    fn find_back(&mut self, stops: &Stops) -> Result<Option<(Moment, Stop)>, SnapshotError> {
        let origin = self.here();
        let mut upper = origin;
        while let Some(start) = self.timeline.last_before(upper) {
            self.arm(&Stops::NONE);
            self.diverged = None;
            self.put_back(start)?;
            self.arm(stops);
            self.pass_here();
            let mut found = self.stop_here(stops).map(|stop| (start, stop));
            while self.here() < upper {
                let Some(stop) = self.run_to(upper, stops) else {
                    break;
                };
                if matches!(stop, Stop::Ended(_)) {
                    break;
                }
                if is_before(self.here(), &stop, origin) {
                    found = Some((self.here(), stop));
                }
            }
            self.last_events(upper, origin, stops, &mut found);
            self.check_story()?;
            if found.is_some() {
                return Ok(found);
            }
            upper = start;
        }
        Ok(None)
    }

    /// Looks at what the system did between the last instruction and `upper`.
    fn last_events(
        &mut self,
        upper: Moment,
        origin: Moment,
        stops: &Stops,
        found: &mut Option<(Moment, Stop)>,
    ) {
        while self.here() < upper {
            let old = self.here();
            let end = upper.instructions.saturating_add(1);
            if let Some(stop) = self.one_turn(end, stops)
                && self.here() <= upper
                && is_before(self.here(), &stop, origin)
            {
                *found = Some((self.here(), stop));
            } else if self.here() == old {
                break;
            }
        }
    }

    /// Returns the stop that this moment itself is.
    fn stop_here(&self, stops: &Stops) -> Option<Stop> {
        let eip = self.machine().eip();
        stops.breakpoints.contains(&eip).then_some(Stop::Breakpoint)
    }

    /// Goes to the very moment at which an entry changed, of which only the surroundings are known.
    ///
    /// Between two events of the system entries change only by the processor, which sets A and D
    /// and clears neither: the first moment at which the entry is what it is at the end is found by
    /// halving.
    pub(super) fn find_entry_change(&mut self, mut change: Box<EntryChange>) -> Stop {
        self.arm(&Stops::NONE);
        let mut low = change.from.instructions;
        let mut high = change.to.instructions;
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if self.go_to(Moment::behind(middle)).is_err() {
                return Stop::Entries(change);
            }
            let walk = self.machine().mmu().walk(change.addr);
            if has_changed(&walk, &change.new) {
                low = middle;
            } else {
                high = middle;
            }
        }
        let end = change.to;
        let mut target = Moment::behind(high);
        if high == end.instructions {
            // It may be the system's doing behind the last instruction.
            let went = self.go_to(Moment::behind(high));
            let walk = self.machine().mmu().walk(change.addr);
            if went.is_ok() && has_changed(&walk, &change.new) {
                target = end;
            }
        }
        if self.go_to(target).is_ok() {
            change.to = target;
        }
        Stop::Entries(change)
    }
}

/// Returns whether a stop at `here` is one to go back to from `origin`: where EIP is, or what has
/// happened just before.
fn is_before(here: Moment, stop: &Stop, origin: Moment) -> bool {
    match stop {
        Stop::Watch(_) | Stop::Fault(_) | Stop::Entries(_) => here <= origin,
        _ => here < origin,
    }
}
