//! The short way of a translation: an access of the program, two-level tables, and a TLB of one
//! level that holds small pages only. Fills the front array on the way.
//!
//! What happens often is done here, in registers; each turn is a function that finishes the access
//! on its own, so that none keeps what another needs. All of it is compiled once for each kind of
//! access, since the kind decides much of what is to be done.

use super::Answer;
use crate::addr::LinearAddr;
use crate::fault::{Access, AccessKind, FaultCause, Privilege};
use crate::front::Tag;
use crate::mmu::Mmu;
use crate::observer::Observer;
use crate::packed::Packed;
use crate::tlb::ways::Quad;
use crate::tlb::{Place, small_page};
use crate::walk::Trail;

/// A kind of access, as a type.
pub(in crate::mmu) trait Kind {
    const KIND: AccessKind;

    /// Such an access of the program.
    const BY_USER: Access = Access {
        kind: Self::KIND,
        privilege: Privilege::User,
    };
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
    /// Translates one access of the program: on the short way, or on the one that is always open.
    #[inline(never)]
    pub(super) fn translate_for_user<K: Kind>(&mut self, tag: Tag, addr: LinearAddr) -> Answer {
        let Some(tables) = self.short_way else {
            return self.translate_otherwise(addr, K::BY_USER);
        };
        let level = self.tlb.first_level(K::KIND);
        let set = self.tlb.quad(level, tag.page());
        if self.tlb.try_tick(Self::tick(K::KIND)).is_none() {
            return self.translate_otherwise(addr, K::BY_USER);
        }
        let found = self.tlb.find_in(level, set, tag.key_of_user());
        self.observer.look_up(level, addr, K::KIND, found.is_some());
        if let Some(found) = found {
            return self.use_found::<K>(addr, found.place, found.leaf);
        }
        *self.statistics.levels[level as usize]
            .misses
            .of_mut(K::KIND) += 1;

        let (mut trail, pde) = Trail::begin_two_level(&self.mem, tables, addr);
        if pde.is_large(tables.large) {
            // The walk was told to nobody yet: the long way walks anew.
            return self.translate_missed(level, addr, K::BY_USER);
        }
        let paging = self.control.paging();
        let outcome = trail.below_pde(&self.mem, paging, tables, addr, pde);
        let leaf = match outcome {
            Ok(leaf) => leaf,
            Err(cause) => {
                debug_assert_eq!(cause, FaultCause::NotPresent, "of a small page");
                self.count_walk(addr, &trail);
                return self.refuse_not_present::<K>(addr);
            }
        };
        if !self.suffices(leaf.attributes(), K::BY_USER) {
            if self.control.test(K::BY_USER).passes(leaf.attributes()) {
                return self.mark_short::<K>(addr, tag, set);
            }
            self.count_walk(addr, &trail);
            return self.refuse_protection::<K>(addr);
        }
        self.count_walk(addr, &trail);
        self.fill_short::<K>(tag, set, leaf)
    }

    /// Goes on on the short way where A or D is to be set: walks anew, as the walk was told to nobody
    /// yet, and finds what it found.
    #[inline(never)]
    fn mark_short<K: Kind>(&mut self, addr: LinearAddr, tag: Tag, set: Quad) -> Answer {
        let (trail, outcome) = Trail::descend(&self.mem, self.control.paging(), addr);
        self.count_walk(addr, &trail);
        match self.judge(&trail, outcome, K::BY_USER) {
            Ok(leaf) => self.fill_short::<K>(tag, set, leaf),
            Err(cause) => self.refuse(addr, K::BY_USER, cause),
        }
    }

    /// Ends the short way: puts the page that was missed into its set.
    #[inline(never)]
    fn fill_short<K: Kind>(&mut self, tag: Tag, set: Quad, leaf: Packed) -> Answer {
        let level = self.tlb.first_level(K::KIND);
        let replaced = (self.tlb).replace_oldest(level, set, tag.key_of_user(), leaf);
        let Some((place, displaced)) = replaced else {
            return self.fill_and_remember(level, tag.page().start(), K::BY_USER, leaf);
        };
        self.observer.fill(level, tag.page().start());
        if let Some(key) = displaced {
            // Quirk: second-level
            let old = small_page(key);
            self.count_displaced(level, old);
            self.front.clear_held(old, place);
        }
        let answer = Answer::allowed_below_4_gib(leaf);
        self.set_line(tag, K::BY_USER, leaf, place, answer.base());
        answer
    }

    /// Uses what the first level holds of the page, on the short way.
    #[inline(never)]
    fn use_found<K: Kind>(&mut self, addr: LinearAddr, place: Place, leaf: Packed) -> Answer {
        let level = self.tlb.first_level(K::KIND);
        self.use_held(level, addr, K::BY_USER, place, leaf)
    }

    #[cold]
    #[inline(never)]
    fn refuse_not_present<K: Kind>(&mut self, addr: LinearAddr) -> Answer {
        self.refuse_missed::<K>(addr, FaultCause::NotPresent)
    }

    #[cold]
    #[inline(never)]
    fn refuse_protection<K: Kind>(&mut self, addr: LinearAddr) -> Answer {
        self.refuse_missed::<K>(addr, FaultCause::Protection)
    }

    /// As [`Self::refuse`], on the short way behind a miss: what one level does not hold is not
    /// cached at all.
    #[inline(always)]
    fn refuse_missed<K: Kind>(&mut self, addr: LinearAddr, cause: FaultCause) -> Answer {
        if self.tlb.is_unified() {
            self.raise(addr, K::BY_USER, cause)
        } else {
            self.refuse(addr, K::BY_USER, cause)
        }
    }
}
