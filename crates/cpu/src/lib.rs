//! An IA-32 interpreter whose every access goes through a modelled MMU.

pub use cpu::Cpu;
pub use exception::{
    Class, Exception, Exit, MAX_INSTRUCTION_BYTES, UnsupportedInstruction, Vector,
};
pub use flags::Eflags;
pub use fpu::{F80, Fpu};
pub use observer::{NoObserver, Observer};
pub use registers::{Reg, Registers};
pub use segment::{Descriptor, DescriptorTable, Segment, SegmentRegister, SegmentRights, Selector};

mod alu;
mod block;
mod context;
mod cpu;
mod decode;
mod dispatch;
mod exception;
mod exec;
mod flags;
mod float;
mod fpu;
mod observer;
mod op;
mod optimize;
mod registers;
mod segment;
mod width;
