//! Words that may lie on two pages.

use super::{Mmu, Stored};
use crate::addr::{LinearAddr, PAGE_SIZE, PhysAddr};
use crate::fault::{Access, AccessKind, PageFault, Privilege};
use crate::observer::Observer;
use crate::word::Word;

impl<O: Observer> Mmu<O> {
    /// Reads a word that lies on two pages.
    #[inline(never)]
    pub(super) fn read_crossing<T: Word>(
        &mut self,
        addr: LinearAddr,
        privilege: Privilege,
    ) -> Result<T, PageFault> {
        let access = Access {
            kind: AccessKind::Read,
            privilege,
        };
        let span = self.translate_span::<T>(addr, access)?;
        Ok(self.load_span(span))
    }

    /// Writes a word that lies on two pages.
    #[inline(never)]
    pub(super) fn write_crossing<T: Word>(
        &mut self,
        addr: LinearAddr,
        value: T,
        privilege: Privilege,
    ) -> Result<Stored, PageFault> {
        let access = Access {
            kind: AccessKind::Write,
            privilege,
        };
        let span = self.translate_span::<T>(addr, access)?;
        Ok(self.store_span(span, value))
    }

    /// Translates every page that a word touches, first page first.
    #[inline]
    pub(super) fn translate_span<T: Word>(
        &mut self,
        addr: LinearAddr,
        access: Access,
    ) -> Result<Span, PageFault> {
        let first = self.translate(addr, access)?;
        let first_len = (PAGE_SIZE - addr.page_offset()).min(T::SIZE);
        let second = if first_len == T::SIZE {
            first
        } else {
            let next = addr.wrapping_add(first_len);
            self.translate(next, access)?
        };
        Ok(Span {
            first,
            first_len,
            second,
        })
    }

    pub(super) fn load_span<T: Word>(&self, span: Span) -> T {
        if span.first_len == T::SIZE {
            return self.mem.read(span.first);
        }
        let mut bytes = [0_u8; MAX_WORD];
        for index in 0..T::SIZE {
            bytes[index as usize] = self.mem.read(span.byte(index));
        }
        T::load(&bytes).unwrap_or(T::ALL_ONES)
    }

    pub(super) fn store_span<T: Word>(&mut self, span: Span, value: T) -> Stored {
        if span.first_len == T::SIZE {
            self.mem.write(span.first, value);
        } else {
            let mut bytes = [0_u8; MAX_WORD];
            value.store(&mut bytes);
            for index in 0..T::SIZE {
                self.mem.write(span.byte(index), bytes[index as usize]);
            }
        }
        let first = self.tracked.note(span.first.frame());
        let second = self.tracked.note(span.second.frame());
        if first || second {
            Stored::Tracked
        } else {
            Stored::Plain
        }
    }
}

/// The widest word in bytes.
const MAX_WORD: usize = 16;

/// The bytes of a word, on one page or two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    first: PhysAddr,
    first_len: u32,
    /// The start of the second page; where there is none, the first byte again.
    second: PhysAddr,
}

impl Span {
    fn byte(&self, index: u32) -> PhysAddr {
        match index.checked_sub(self.first_len) {
            None => self.first.frame().byte(self.first.page_offset() + index),
            Some(index) => self.second.frame().byte(index),
        }
    }
}

/// Returns whether the word lies on one page.
#[inline(always)]
pub(super) fn is_on_one_page<T: Word>(addr: LinearAddr) -> bool {
    addr.page_offset() <= PAGE_SIZE - T::SIZE
}
