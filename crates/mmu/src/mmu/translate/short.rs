//! The short way of a translation: two-level tables, and a TLB of one level that holds small pages
//! only. Fills the front array on the way.
//!
//! What happens often is done here, in registers; each turn is a function that finishes the access
//! on its own, so that none keeps what another needs. All of it is compiled once for each kind of
//! access, since the kind decides much of what is to be done.

use super::Answer;
use crate::addr::{LinearAddr, PAGE_SHIFT};
use crate::fault::{Access, AccessKind, FaultCause, Privilege};
use crate::mmu::Mmu;
use crate::observer::Observer;
use crate::packed::Packed;
use crate::tlb::ways::Quad;
use crate::tlb::{Place, small_page};
use crate::walk::Trail;

/// A kind of access, as a type.
pub(in crate::mmu) trait Kind {
    const KIND: AccessKind;

    /// Returns the access on this behalf.
    #[inline(always)]
    fn by(privilege: Privilege) -> Access {
        Access {
            kind: Self::KIND,
            privilege,
        }
    }
}

pub(in crate::mmu) struct Reading;
pub(in crate::mmu) struct Writing;
pub(in crate::mmu) struct Fetching;

impl Kind for Reading {
    const KIND: AccessKind = AccessKind::Read;
}

impl Kind for Writing {
    const KIND: AccessKind = AccessKind::Write;
}

impl Kind for Fetching {
    const KIND: AccessKind = AccessKind::Fetch;
}

impl<O: Observer> Mmu<O> {
    /// Translates one access: on the short way, or on the one that is always open.
    #[inline(never)]
    pub(super) fn translate_as<K: Kind>(
        &mut self,
        addr: LinearAddr,
        privilege: Privilege,
    ) -> Answer {
        let access = K::by(privilege);
        let Some(tables) = self.short_way else {
            return self.translate_otherwise(addr, access);
        };
        let kind = access.kind;
        let page = addr.page();
        let level = self.tlb.first_level(kind);
        let set = self.tlb.quad(level, page);
        self.tlb.tick();
        self.count_kind(kind);
        let found = self.tlb.find_in(level, set, page);
        self.observer
            .look_up(level, addr, access.kind, found.is_some());
        if let Some(found) = found {
            return self.use_found::<K>(addr, privilege, found.place, found.leaf);
        }
        *self.statistics.levels[level as usize].misses.of_mut(kind) += 1;

        let paging = self.control.paging();
        let (trail, outcome) = Trail::descend_two_level(&self.mem, paging, tables, addr);
        let leaf = match (outcome, trail.table) {
            (Ok(leaf), Some(_)) => leaf,
            // Nothing was counted yet: the long way walks anew.
            (Ok(_), None) => return self.translate_missed(level, addr, access),
            (Err(cause), _) => {
                self.count_walk(addr, &trail);
                return self.refuse_missed::<K>(addr, privilege, cause);
            }
        };
        if !self.suffices(leaf.attributes(), access) {
            if self.control.test(access).passes(leaf.attributes()) {
                return self.mark_short::<K>(set, addr, privilege);
            }
            self.count_walk(addr, &trail);
            return self.refuse_missed::<K>(addr, privilege, FaultCause::Protection);
        }
        self.count_walk(addr, &trail);
        self.fill_short::<K>(set, addr, privilege, leaf)
    }

    /// Goes on on the short way where A or D is to be set: walks anew, as nothing was counted yet.
    #[inline(never)]
    fn mark_short<K: Kind>(&mut self, set: Quad, addr: LinearAddr, privilege: Privilege) -> Answer {
        let access = K::by(privilege);
        let (trail, outcome) = Trail::descend(&self.mem, self.control.paging(), addr);
        self.count_walk(addr, &trail);
        match self.judge(&trail, outcome, access) {
            Ok(leaf) => self.fill_short::<K>(set, addr, privilege, leaf),
            Err(cause) => self.refuse(addr, access, cause),
        }
    }

    /// Ends the short way: puts the page that was missed into its set.
    #[inline(never)]
    fn fill_short<K: Kind>(
        &mut self,
        set: Quad,
        addr: LinearAddr,
        privilege: Privilege,
        leaf: Packed,
    ) -> Answer {
        let (page, access) = (addr.page(), K::by(privilege));
        let level = self.tlb.first_level(K::KIND);
        let Some((place, displaced)) = self.tlb.replace_oldest(level, set, page, leaf) else {
            return self.fill_and_remember(level, addr, access, leaf);
        };
        self.observer.fill(level, page.start());
        if let Some(key) = displaced {
            // Quirk: second-level
            let old = small_page(key);
            self.count_displaced(level, old);
            self.front.clear_held(old, place);
        }
        let frame = leaf.frame();
        self.set_line(addr, access, leaf, place, frame.bits() << PAGE_SHIFT);
        Answer::allowed(frame)
    }

    /// Uses what the first level holds of the page, on the short way.
    #[inline(never)]
    fn use_found<K: Kind>(
        &mut self,
        addr: LinearAddr,
        privilege: Privilege,
        place: Place,
        leaf: Packed,
    ) -> Answer {
        let level = self.tlb.first_level(K::KIND);
        self.use_held(level, addr, K::by(privilege), place, leaf)
    }

    /// As [`Self::refuse`], on the short way behind a miss: what one level does not hold is not
    /// cached at all.
    #[cold]
    #[inline(never)]
    fn refuse_missed<K: Kind>(
        &mut self,
        addr: LinearAddr,
        privilege: Privilege,
        cause: FaultCause,
    ) -> Answer {
        let access = K::by(privilege);
        if self.tlb.is_unified() {
            self.raise(addr, access, cause)
        } else {
            self.refuse(addr, access, cause)
        }
    }
}
