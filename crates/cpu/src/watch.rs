//! Watchpoints: accesses that end a run.
//!
//! A page with a watchpoint has no line in the MMU's front array while a program runs, so that
//! every access to it goes the long way and is looked at here. Other pages keep their lines: they
//! cost nothing more, and the counts are the same.

use pagefault_mmu::{AccessKind, LinearAddr, PAGE_SIZE};

/// Which accesses a watchpoint minds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchKind {
    /// Reads, also those of read-modify-writes.
    Read,
    /// Writes.
    Write,
    /// Both.
    Access,
}

/// Bytes whose accesses end a run. Fetches do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watchpoint {
    /// The first byte.
    pub addr: LinearAddr,
    /// How many; none are never hit.
    pub size_bytes: u32,
    /// Which accesses.
    pub kind: WatchKind,
}

/// What an access did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touch {
    Read,
    Write,
    Modify,
}

impl Touch {
    pub(crate) const fn kind(self) -> AccessKind {
        match self {
            Self::Read => AccessKind::Read,
            Self::Write | Self::Modify => AccessKind::Write,
        }
    }
}

/// An access that hit a watchpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) addr: LinearAddr,
    pub(crate) size_bytes: u32,
    pub(crate) kind: AccessKind,
    /// EIP of the instruction, once that is known.
    pub(crate) at: u32,
}

/// The watchpoints, and the first hit that has not been reported.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    points: Vec<Watchpoint>,
    hit: Option<Hit>,
}

impl Watch {
    pub(crate) fn add(&mut self, point: Watchpoint) {
        if !self.points.contains(&point) {
            self.points.push(point);
        }
    }

    pub(crate) fn remove(&mut self, point: Watchpoint) {
        self.points.retain(|other| *other != point);
    }

    /// Tells whether there are watchpoints.
    #[inline(always)]
    pub(crate) fn is_armed(&self) -> bool {
        !self.points.is_empty()
    }

    /// Tells whether the instruction that runs has hit one.
    #[inline(always)]
    pub(crate) fn has_hit(&self) -> bool {
        self.hit.is_some()
    }

    /// Notes an access. Returns whether it was to a page with a watchpoint.
    pub(crate) fn note(&mut self, addr: LinearAddr, size_bytes: u32, touch: Touch) -> bool {
        let is_hit = |point: &Watchpoint| {
            overlap(addr, size_bytes, point.addr, point.size_bytes)
                && match point.kind {
                    WatchKind::Read => touch != Touch::Write,
                    WatchKind::Write => touch != Touch::Read,
                    WatchKind::Access => true,
                }
        };
        if self.hit.is_none() && self.points.iter().any(is_hit) {
            self.hit = Some(Hit {
                addr,
                size_bytes,
                kind: touch.kind(),
                at: 0,
            });
        }
        self.points
            .iter()
            .any(|point| point.shares_page(addr, size_bytes))
    }

    /// Notes which instruction made the access.
    pub(crate) fn settle(&mut self, eip: u32) {
        if let Some(hit) = &mut self.hit {
            hit.at = eip;
        }
    }

    pub(crate) fn take_hit(&mut self) -> Option<Hit> {
        self.hit.take()
    }
}

impl Watchpoint {
    fn shares_page(&self, addr: LinearAddr, size_bytes: u32) -> bool {
        let pages = |addr: LinearAddr, size_bytes: u32| {
            let start = addr.page().start();
            let distance = addr.page_offset().saturating_add(size_bytes.max(1));
            let len = distance.checked_next_multiple_of(PAGE_SIZE);
            (start, len.unwrap_or(u32::MAX))
        };
        let (start, len) = pages(addr, size_bytes);
        let (own_start, own_len) = pages(self.addr, self.size_bytes);
        overlap(start, len, own_start, own_len)
    }
}

/// Tells whether two ranges, which may wrap around at 4 GiB, have a byte in common.
fn overlap(first: LinearAddr, first_len: u32, second: LinearAddr, second_len: u32) -> bool {
    let distance = |from: LinearAddr, to: LinearAddr| to.bits().wrapping_sub(from.bits());
    first_len > 0
        && second_len > 0
        && (distance(first, second) < first_len || distance(second, first) < second_len)
}
