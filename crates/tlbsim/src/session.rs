//! A trace on its way through systems: what is left out, what is flushed, who misses.

use std::collections::BTreeMap;

use crate::record::{Op, Record};
use crate::select::Conventions;
use crate::system::{LookUp, System};

/// What of a trace is simulated, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The conventions by which records become look-ups.
    pub conventions: Conventions,
    /// What the trace's own page sizes, flushes and invalidations do.
    pub events: Events,
    /// Records that are passed over at the beginning.
    pub skip: u64,
    /// Records that are taken after those; `None` for all.
    pub limit: Option<u64>,
    /// Look-ups that fill the TLB and are not counted.
    pub warm_up: u64,
    /// Empties everything before look-up i whenever i is a multiple of this, but for the first.
    pub flush_every: Option<u64>,
}

/// What becomes of what a trace says of page sizes, flushes and invalidations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Events {
    /// It happens. A load of CR3 empties everything: no trace tells which pages are global.
    #[default]
    Apply,
    /// It is left out: all pages are of the size of the conventions, and nothing is flushed.
    Ignore,
}

/// Something that is to happen to every system, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These look-ups, by index.
    LookUps(std::ops::Range<usize>),
    /// Everything is emptied.
    Flush,
    /// A page is dropped.
    Invalidate {
        /// An address on it.
        addr: u64,
        /// The base-2 logarithm of its size.
        page_shift: u8,
    },
    /// The warm-up is over: counting begins.
    BeginCounting,
}

/// What records have become.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The look-ups.
    pub look_ups: Vec<LookUp>,
    /// What is to happen.
    pub steps: Vec<Step>,
}

/// Turns records into steps, and counts what is not looked up.
#[derive(Clone, Debug)]
pub struct Planner {
    plan: Plan,
    /// Whether nothing is due before look-ups.
    is_plain: bool,
    seen: u64,
    look_ups: u64,
    instructions: u64,
    site: u64,
    highest: u64,
}

impl Planner {
    /// Returns a planner that has seen nothing.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan,
            is_plain: plan.warm_up == 0 && plan.flush_every.is_none(),
            seen: 0,
            look_ups: 0,
            instructions: 0,
            site: 0,
            highest: 0,
        }
    }

    /// Returns whether what follows is past the limit.
    pub fn is_done(&self) -> bool {
        let end = self
            .plan
            .limit
            .map(|limit| self.plan.skip.saturating_add(limit));
        end.is_some_and(|end| self.seen >= end)
    }

    /// Returns the instructions fetched since counting began, where the trace tells of any.
    pub fn instructions(&self) -> Option<u64> {
        (self.instructions > 0).then_some(self.instructions)
    }

    /// Returns how many look-ups there were, those of the warm-up included.
    pub fn look_ups(&self) -> u64 {
        self.look_ups
    }

    /// Returns the highest address: it tells how wide addresses are.
    pub fn highest_address(&self) -> u64 {
        self.highest
    }

    /// Makes a batch of the records, in place of what was in it.
    pub fn plan(&mut self, records: &[Record], batch: &mut Batch) {
        batch.look_ups.clear();
        batch.steps.clear();
        let mut begun = 0;
        let index = |record: u64| {
            let index = record.saturating_sub(self.seen);
            usize::try_from(index).map_or(records.len(), |index| index.min(records.len()))
        };
        let end = self
            .plan
            .limit
            .map(|limit| self.plan.skip.saturating_add(limit));
        let taken = index(self.plan.skip)..end.map_or(records.len(), index);
        self.seen += records.len() as u64;
        let mut rest = &records[taken];
        while let Some(first) = rest.first() {
            let stretch = rest
                .iter()
                .take_while(|record| record.op.is_access())
                .count();
            if stretch > 0 && self.is_plain {
                self.accesses(&rest[..stretch], batch);
                rest = &rest[stretch..];
            } else {
                if stretch > 0 {
                    self.access(first, batch, &mut begun);
                } else {
                    self.event(first, batch, &mut begun);
                }
                rest = &rest[1..];
            }
        }
        end_stretch(batch, &mut begun);
    }

    /// Takes accesses before whose look-ups nothing is due.
    fn accesses(&mut self, records: &[Record], batch: &mut Batch) {
        let conventions = self.plan.conventions;
        let takes =
            [Op::Fetch, Op::Read, Op::Write, Op::Modify].map(|op| conventions.stream.takes(op));
        let applies = self.plan.events == Events::Apply;
        let usual_shift = page_shift(conventions);
        let (mut site, mut highest, mut fetches) = (self.site, self.highest, 0);
        let before = batch.look_ups.len();
        batch.look_ups.reserve(records.len());
        for record in records {
            let op = record.op;
            let is_fetch = op == Op::Fetch;
            highest = highest.max(record.addr);
            fetches += u64::from(is_fetch);
            site = if is_fetch { record.addr } else { site };
            if !takes[op as usize % takes.len()] {
                continue;
            }
            let own = applies && record.page_shift != 0;
            let page_shift = if own { record.page_shift } else { usual_shift };
            let (addr, times) = (record.addr, conventions.times(op));
            batch.look_ups.push(LookUp {
                addr,
                site,
                page_shift,
                op,
            });
            let is_on_one_page = conventions.last_byte(record) >> page_shift == addr >> page_shift;
            if !is_on_one_page || times > 1 {
                batch.look_ups.pop();
                conventions.each_page(record, page_shift, |addr| {
                    batch.look_ups.push(LookUp {
                        addr,
                        site,
                        page_shift,
                        op,
                    });
                });
            }
        }
        self.look_ups += (batch.look_ups.len() - before) as u64;
        self.instructions += fetches;
        (self.site, self.highest) = (site, highest);
    }

    fn access(&mut self, record: &Record, batch: &mut Batch, begun: &mut usize) {
        self.highest = self.highest.max(record.addr);
        if record.op == Op::Fetch {
            self.instructions += 1;
            self.site = record.addr;
        }
        let conventions = self.plan.conventions;
        if !conventions.stream.takes(record.op) {
            return;
        }
        let page_shift = self.page_shift_of(record);
        conventions.each_page(record, page_shift, |addr| {
            self.before_look_up(batch, begun);
            let (site, op) = (self.site, record.op);
            batch.look_ups.push(LookUp {
                addr,
                site,
                page_shift,
                op,
            });
        });
    }

    /// Returns the size of a record's page: that of the trace, if it tells and that is asked for.
    fn page_shift_of(&self, record: &Record) -> u8 {
        let is_own = self.plan.events == Events::Apply && record.page_shift != 0;
        if is_own {
            record.page_shift
        } else {
            page_shift(self.plan.conventions)
        }
    }

    /// Does what is due before a look-up, and counts it.
    #[inline(always)]
    fn before_look_up(&mut self, batch: &mut Batch, begun: &mut usize) {
        let number = self.look_ups;
        self.look_ups += 1;
        if self.plan.warm_up > 0 && number == self.plan.warm_up {
            end_stretch(batch, begun);
            batch.steps.push(Step::BeginCounting);
            self.instructions = 0;
        }
        if let Some(period) = self.plan.flush_every
            && number > 0
            && number.is_multiple_of(period)
        {
            end_stretch(batch, begun);
            batch.steps.push(Step::Flush);
        }
    }

    fn event(&mut self, record: &Record, batch: &mut Batch, begun: &mut usize) {
        let step = match record.op {
            Op::Site => {
                self.site = record.addr;
                return;
            }
            Op::Invalidate => Step::Invalidate {
                addr: record.addr,
                page_shift: self.page_shift_of(record),
            },
            _ => Step::Flush,
        };
        if self.plan.events == Events::Apply {
            end_stretch(batch, begun);
            batch.steps.push(step);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most 30")]
fn page_shift(conventions: Conventions) -> u8 {
    conventions.page_size.bits() as u8
}

fn end_stretch(batch: &mut Batch, begun: &mut usize) {
    let end = batch.look_ups.len();
    if *begun < end {
        batch.steps.push(Step::LookUps(*begun..end));
        *begun = end;
    }
}

/// Misses of the first level, and walks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Blame {
    /// Misses of the first level.
    pub misses: u64,
    /// Misses of all levels.
    pub walks: u64,
}

/// Who misses. Memory grows with the pages and instructions that miss.
#[derive(Clone, Debug, Default)]
pub struct Culprits {
    /// By the first address of the page.
    pub pages: BTreeMap<u64, Blame>,
    /// By the address of the instruction; without those that the trace does not tell.
    pub sites: BTreeMap<u64, Blame>,
}

impl Culprits {
    fn blame(&mut self, look_up: &LookUp, add: impl Fn(&mut Blame)) {
        let page = look_up.addr >> look_up.page_shift << look_up.page_shift;
        add(self.pages.entry(page).or_default());
        if look_up.site != 0 {
            add(self.sites.entry(look_up.site).or_default());
        }
    }
}

/// A system, and who misses in it.
#[derive(Clone, Debug)]
pub struct Run {
    /// The TLB.
    pub system: System,
    /// Who misses; `None` if that is not asked.
    pub culprits: Option<Culprits>,
}

impl Run {
    /// Does what a batch says.
    pub fn take(&mut self, batch: &Batch) {
        for step in &batch.steps {
            match step {
                Step::LookUps(range) => self.look_up(&batch.look_ups[range.clone()]),
                Step::Flush => self.system.flush(),
                Step::Invalidate { addr, page_shift } => self.system.invalidate(*addr, *page_shift),
                Step::BeginCounting => {
                    self.system.reset_counts();
                    self.culprits
                        .iter_mut()
                        .for_each(|culprits| *culprits = Culprits::default());
                }
            }
        }
    }

    fn look_up(&mut self, look_ups: &[LookUp]) {
        match &mut self.culprits {
            None => self.system.run(look_ups, |_| {}, |_| {}),
            Some(culprits) => {
                let mut walked = Vec::new();
                let missed = |look_up: &LookUp| culprits.blame(look_up, |blame| blame.misses += 1);
                self.system
                    .run(look_ups, missed, |look_up| walked.push(*look_up));
                for look_up in walked {
                    culprits.blame(&look_up, |blame| blame.walks += 1);
                }
            }
        }
    }
}
