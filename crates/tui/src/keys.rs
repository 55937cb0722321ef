//! What a user presses.

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A letter, digit or sign.
    Char(char),
    /// The return key.
    Enter,
    /// The escape key.
    Escape,
    /// The backspace key.
    Backspace,
    /// The tabulator.
    Tab,
    /// The tabulator with shift.
    BackTab,
    /// Up.
    Up,
    /// Down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
}
