//! Machine instructions: the table of forms, the choice of a form, and its bytes.

pub(crate) mod encode;
pub(crate) mod operand;
pub(crate) mod select;
pub(crate) mod table;
