//! The pages used last, in registers.
//!
//! Most look-ups go to one of the few pages used last. A [`Window`] keeps these in order of use
//! without a branch; what is behind it is asked only when they do not have the page. A page leaves
//! the window when it becomes the least recently used one in it, so pages arrive behind the window
//! in the order of their last use.

use crate::engine::page::Page;

/// Pages in a window.
pub(crate) const WINDOW: usize = 4;

/// The pages used last, the latest first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<P>(pub(crate) [P; WINDOW]);

/// How a page was found in a window: for each depth, whether it lies at that depth or above.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found(pub(crate) [bool; WINDOW]);

impl Found {
    #[inline(always)]
    pub(crate) fn is_found(self) -> bool {
        self.0[WINDOW - 1]
    }
}

impl<P: Page> Window<P> {
    pub(crate) fn new() -> Self {
        Self([P::NONE; WINDOW])
    }

    /// Returns at which depths, or above, the page lies.
    #[inline(always)]
    #[expect(
        clippy::needless_bitwise_bool,
        reason = "a branch here would be predicted wrong most of the time"
    )]
    pub(crate) fn find(&self, page: P) -> Found {
        let [first, second, third, fourth] = self.0;
        let at_first = first == page;
        let at_second = at_first | (second == page);
        let at_third = at_second | (third == page);
        Found([at_first, at_second, at_third, at_third | (fourth == page)])
    }

    /// Moves the page to the front; the last page drops out if it was not found.
    #[inline(always)]
    pub(crate) fn use_page(&mut self, page: P, found: Found) {
        let [first, second, third, fourth] = self.0;
        let [at_first, at_second, at_third, _] = found.0;
        self.0 = [
            page,
            if at_first { second } else { first },
            if at_second { third } else { second },
            if at_third { fourth } else { third },
        ];
    }

    /// Returns the page that drops out next.
    #[inline(always)]
    pub(crate) fn last(&self) -> P {
        self.0[WINDOW - 1]
    }
}
