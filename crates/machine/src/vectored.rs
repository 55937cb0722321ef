//! The lists of vectored handlers.

use std::collections::BTreeMap;

use crate::limits::VECTORED_HANDLERS;

/// One of the two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// Handlers that are asked before those of the frames.
    Exception,
    /// Handlers that are asked when the program is about to go on.
    Continue,
}

impl List {
    /// Returns the list that the dispatcher calls by this number.
    pub(crate) fn numbered(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Exception),
            1 => Some(Self::Continue),
            _ => None,
        }
    }

    /// Returns the bit of the PEB's flags that says that the list has handlers.
    pub(crate) const fn peb_bit(self) -> u32 {
        match self {
            Self::Exception => 1 << 2,
            Self::Continue => 1 << 3,
        }
    }

    /// The lowest bit of a handle, by which the lists are told apart.
    const fn tag(self) -> u32 {
        match self {
            Self::Exception => 0,
            Self::Continue => 1,
        }
    }
}

/// Which end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    First,
    Last,
}

/// The middle of the handles: the first handler of a process gets it.
const MIDDLE: u32 = 0x4000_0000;
/// The distance between two handles of a list.
const STEP: u32 = 2;

/// The handlers of both lists by their handles, which are in the order of the calls: a handler that
/// is added or removed while another one runs changes nothing for the rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vectored {
    handlers: BTreeMap<(u32, u32), u32>,
}

impl Vectored {
    /// Adds a handler and returns its handle; `None` if there are too many, or no more handles are
    /// left at that end.
    pub(crate) fn add(&mut self, list: List, end: End, handler: u32) -> Option<u32> {
        if self.handlers.len() >= VECTORED_HANDLERS {
            return None;
        }
        let first = self.of(list).next();
        let last = self.of(list).next_back();
        let handle = match (end, first, last) {
            (End::First, Some((first, _)), _) => {
                first.checked_sub(STEP).filter(|&free| free > 1)?
            }
            (End::Last, _, Some((last, _))) => last.checked_add(STEP)?,
            _ => MIDDLE + list.tag(),
        };
        self.handlers.insert((list.tag(), handle), handler);
        Some(handle)
    }

    /// Removes a handler by its handle; returns whether there was one.
    pub(crate) fn remove(&mut self, list: List, handle: u32) -> bool {
        self.handlers.remove(&(list.tag(), handle)).is_some()
    }

    /// Returns the handle and the address of the first handler behind `previous`.
    pub(crate) fn next(&self, list: List, previous: u32) -> Option<(u32, u32)> {
        self.of(list).find(|&(handle, _)| handle > previous)
    }

    /// Returns whether the list has handlers.
    pub(crate) fn has(&self, list: List) -> bool {
        self.of(list).next().is_some()
    }

    fn of(&self, list: List) -> impl DoubleEndedIterator<Item = (u32, u32)> {
        let tag = list.tag();
        let range = self.handlers.range((tag, 0)..=(tag, u32::MAX));
        range.map(|(&(_, handle), &handler)| (handle, handler))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_together_have_a_limit_and_what_is_removed_makes_room() {
        let mut vectored = Vectored::default();
        let add = |number| {
            let list = if number % 2 == 0 {
                List::Exception
            } else {
                List::Continue
            };
            vectored.add(list, End::Last, 1)
        };
        let added: Vec<_> = (0..VECTORED_HANDLERS).map_while(add).collect();
        assert_eq!(added.len(), VECTORED_HANDLERS);

        assert_eq!(vectored.add(List::Continue, End::First, 1), None);
        assert!(vectored.remove(List::Exception, added[0]));

        assert!(vectored.add(List::Continue, End::First, 1).is_some());
    }

    #[test]
    fn handlers_are_called_in_order_and_may_go_away_on_the_way() {
        let mut vectored = Vectored::default();
        let middle = vectored.add(List::Exception, End::Last, 1).unwrap();
        let last = vectored.add(List::Exception, End::Last, 2).unwrap();
        let first = vectored.add(List::Exception, End::First, 3).unwrap();
        vectored.add(List::Continue, End::First, 4).unwrap();

        assert_eq!(vectored.next(List::Exception, 0), Some((first, 3)));
        assert!(vectored.remove(List::Exception, middle));
        assert!(!vectored.remove(List::Exception, middle));
        assert_eq!(vectored.next(List::Exception, first), Some((last, 2)));
        assert_eq!(vectored.next(List::Exception, last), None);
    }
}
