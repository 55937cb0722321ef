//! Conditions on registers, memory and pages, judged at a moment.

use std::collections::BTreeSet;

use pagefault_machine::vmm::mmu::{LinearAddr, PAGE_SIZE};
use pagefault_machine::vmm::{MemoryInfo, MemoryState, Protection};
use pagefault_machine::{Machine, Watch};

use crate::expect::claim::{Attribute, Comparison, Condition, Expectation, Sense};
use crate::expect::describe::{like, number, part, quoted, shown_text};
use crate::expect::expr::{Expr, Moment};
use crate::expect::verdict::Update;

/// Why a condition does not hold.
#[derive(Clone, Debug)]
pub(crate) struct Miss {
    pub(crate) seen: String,
    pub(crate) update: Option<Update>,
}

impl Miss {
    pub(crate) fn new(seen: impl Into<String>) -> Self {
        Self {
            seen: seen.into(),
            update: None,
        }
    }
}

/// The moment at which a condition is judged.
pub(crate) struct Scene<'a, W: Watch> {
    pub(crate) machine: &'a mut Machine<W>,
    pub(crate) moment: Moment,
    pub(crate) expectation: &'a Expectation,
}

impl<W: Watch> Scene<'_, W> {
    /// Says why a condition does not hold.
    pub(crate) fn judge(&mut self, condition: &Condition) -> Result<(), Miss> {
        match condition {
            Condition::Compare(left, comparison, right) => self.compare(left, *comparison, right),
            Condition::Bytes(addr, wanted, span) => {
                let addr = self.value(addr)?;
                let mut seen = vec![0; wanted.len()];
                let at = LinearAddr::new(addr);
                let peeked = self.machine.peek_bytes(at, &mut seen);
                peeked.map_err(|error| Miss::new(format!("no bytes: {error}")))?;
                if seen == *wanted {
                    return Ok(());
                }
                let text = quoted(&seen);
                Err(Miss {
                    seen: format!("the bytes {} at 0x{addr:08X}", shown_text(&seen)),
                    update: Some(Update::Source { span: *span, text }),
                })
            }
            Condition::Range {
                start,
                size,
                attributes,
            } => {
                let start = self.value(start)?;
                let size = match size {
                    Some(size) => self.value(size)?,
                    None => 1,
                };
                self.range(start, size, attributes)
            }
        }
    }

    fn compare(&mut self, left: &Expr, comparison: Comparison, right: &Expr) -> Result<(), Miss> {
        let (value, wanted) = (self.value(left)?, self.value(right)?);
        if comparison.holds(value.into(), wanted.into()) {
            return Ok(());
        }
        let name = self.written(left);
        let right_value = match right.literal() {
            Some(_) => String::new(),
            None => format!(", and {} is {}", self.written(right), number(wanted)),
        };
        let is_exact = comparison == Comparison::Equal && right.literal().is_some();
        let update = is_exact.then(|| Update::Source {
            span: right.span,
            text: like(self.written(right), value),
        });
        Err(Miss {
            seen: format!("{name} is {}{right_value}", number(value)),
            update,
        })
    }

    fn range(&mut self, start: u32, size: u32, attributes: &[Attribute]) -> Result<(), Miss> {
        let first = u64::from(start) / u64::from(PAGE_SIZE);
        let last = (u64::from(start) + u64::from(size.max(1)) - 1) / u64::from(PAGE_SIZE);
        let wants_cached = attributes
            .iter()
            .any(|attribute| matches!(attribute, Attribute::Cached(_)));
        let cached = if wants_cached {
            self.cached_pages()
        } else {
            BTreeSet::new()
        };
        let is_by_page = attributes.iter().any(|attribute| {
            matches!(
                attribute,
                Attribute::Cached(_) | Attribute::Locked(_) | Attribute::Resident(_)
            )
        });
        let mut page = first;
        while page <= last {
            let Some(addr) = address_of(page) else {
                return Err(Miss::new("the range goes past the end of linear memory"));
            };
            let (vmm, mmu) = (self.machine.vmm(), self.machine.mmu());
            let info = vmm.query(mmu, self.machine.process(), addr);
            let info =
                info.map_err(|error| Miss::new(format!("0x{:08X}: {error}", addr.bits())))?;
            for attribute in attributes {
                self.attribute(attribute, addr, &info, &cached)?;
            }
            let run = u64::from(info.size_bytes / PAGE_SIZE).max(1);
            page += if is_by_page { 1 } else { run };
        }
        Ok(())
    }

    fn attribute(
        &self,
        attribute: &Attribute,
        addr: LinearAddr,
        info: &MemoryInfo,
        cached: &BTreeSet<u32>,
    ) -> Result<(), Miss> {
        let page = format!("page 0x{:08X}", addr.bits());
        let is_so = |sense: Sense, is: bool, word: &str| {
            let not = if is { "" } else { "not " };
            let holds = is == (sense == Sense::Is);
            let miss = || Miss::new(format!("{page} is {not}{word}"));
            holds.then_some(()).ok_or_else(miss)
        };
        match attribute {
            Attribute::State(wanted) => {
                let miss = || Miss::new(format!("{page} is {}", state(info)));
                (info.state == *wanted).then_some(()).ok_or_else(miss)
            }
            Attribute::Protection(wanted) => {
                let wanted = wanted.constant().unwrap_or(0);
                let miss = || Miss::new(format!("{page} is {}", state(info)));
                let bits = info.protection.map_or(0, Protection::bits);
                (bits == wanted).then_some(()).ok_or_else(miss)
            }
            Attribute::Locked(sense) => {
                let history = self.machine.vmm().history(self.machine.process(), addr);
                is_so(*sense, history.locked_by.is_some(), "locked")
            }
            Attribute::Resident(sense) => {
                let is = self.machine.mmu().walk(addr).leaf().is_ok();
                is_so(*sense, is, "resident")
            }
            Attribute::Cached(sense) => {
                let is = cached.contains(&addr.page().bits());
                is_so(*sense, is, "cached in the TLB")
            }
        }
    }

    /// Returns the pages that the TLB holds.
    fn cached_pages(&self) -> BTreeSet<u32> {
        let entries = self.machine.mmu().tlb_entries();
        let pages = entries.flat_map(|entry| {
            let first = entry.page.bits();
            first..first.saturating_add(entry.size.small_pages())
        });
        pages.collect()
    }

    fn value(&mut self, expr: &Expr) -> Result<u32, Miss> {
        let value = expr.value(self.machine, &self.moment);
        value.map_err(|error| Miss::new(format!("no value: {error}")))
    }

    fn written(&self, expr: &Expr) -> &str {
        part(&self.expectation.text, self.expectation.span, expr.span)
    }
}

fn address_of(page: u64) -> Option<LinearAddr> {
    let addr = u32::try_from(page.checked_mul(u64::from(PAGE_SIZE))?).ok()?;
    Some(LinearAddr::new(addr))
}

fn state(info: &MemoryInfo) -> String {
    match (info.state, info.protection) {
        (MemoryState::Free, _) => "free".to_owned(),
        (MemoryState::Reserve, _) => "reserved".to_owned(),
        (MemoryState::Commit, Some(protection)) => format!("committed {protection}"),
        (MemoryState::Commit, None) => "committed".to_owned(),
    }
}
