//! A debugger in the terminal, over a recorded machine.
//!
//! [`Debugger`] is the model: a recording, breakpoints, and what is looked at. It takes [`Key`]s and
//! changes; [`draw`] shows it. Neither knows a terminal: who has one passes keys in and gives a
//! frame to draw on, so that both are tested without.

mod command;
mod expression;
mod keys;
mod model;
mod output;
mod panes;
mod view;

pub use expression::ExpressionError;
pub use keys::Key;
pub use model::{Debugger, Running};
pub use output::Output;
pub use view::{MIN_HEIGHT, MIN_WIDTH, draw};
