//! The pages used last, in front of what is slower to ask.
//!
//! Most look-ups go to the page used last or to the one before it: programs copy from one page to
//! another, and return to the stack. A [`Window`] takes these out of a stream, in two passes that have
//! no branch, so that only the few others cost something; of those, it knows two pages more. A page
//! leaves the window when it becomes the least recently used one in it, so pages arrive behind the
//! window in the order of their last use.

use crate::engine::page::Page;

/// Pages in a window.
pub(crate) const WINDOW: usize = 4;
/// The most look-ups that are taken at once.
pub(crate) const CHUNK: usize = 1024;

/// The pages used last, the latest first.
pub(crate) type Pages<P> = [P; WINDOW];

/// The pages used last in a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<P>(Pages<P>);

/// Look-ups as a window tells of them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen<P> {
    /// That many went to the page used last.
    Again(u64),
    /// That many went, each, to the page used before the last: to these two, in turns.
    Swaps([P; 2], u64),
    /// One went to none of the two. The window was this, and may have the page.
    Other(P, Pages<P>),
}

impl<P: Page> Window<P> {
    pub(crate) fn new() -> Self {
        Self([P::NONE; WINDOW])
    }

    /// Takes up to [`CHUNK`] look-ups. All others are told in their order; the sums of those that
    /// went to one of two pages are told somewhere between.
    #[inline(always)]
    pub(crate) fn run(&mut self, pages: &[P], mut tell: impl FnMut(Seen<P>)) {
        let [mut first, mut second, mut third, mut fourth] = self.0;
        // The pages without repetitions, behind the two that were used last.
        let mut distinct = [P::NONE; CHUNK + 2];
        (distinct[0], distinct[1]) = (second, first);
        let mut len = 2;
        for &page in pages {
            distinct[len] = page;
            len += usize::from(page != first);
            first = page;
        }
        let distinct = &distinct[..len];
        tell(Seen::Again((pages.len() + 2 - len) as u64));

        // Those of them that are not the page before the last.
        let mut others = [0_u16; CHUNK];
        let mut count = 0;
        for (at, three) in (0..).zip(distinct.windows(3)) {
            others[count % CHUNK] = at;
            count += usize::from(three[0] != three[2]);
        }
        let mut told = 0;
        for &at in &others[..count] {
            let at = usize::from(at);
            let [before_last, last, page] = [distinct[at], distinct[at + 1], distinct[at + 2]];
            tell(Seen::Swaps([last, before_last], (at - told) as u64));
            told = at + 1;
            tell(Seen::Other(page, [last, before_last, third, fourth]));
            fourth = if page == third { fourth } else { third };
            third = before_last;
        }
        (first, second) = (distinct[len - 1], distinct[len - 2]);
        tell(Seen::Swaps([first, second], (len - 2 - told) as u64));
        self.0 = [first, second, third, fourth];
    }
}
