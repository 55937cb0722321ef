//! Expressions: numbers, labels, registers and memory.

use pagefault_machine::cpu::{Eflags, Reg};
use pagefault_machine::vmm::mmu::LinearAddr;
use pagefault_machine::{Machine, Watch};
use thiserror::Error;

use crate::expect::error::{ExpectError, ExpectErrorKind};
use crate::expect::lex::Span;
use crate::expect::names::Names;

/// How wide a value in memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Byte,
    Word,
    Dword,
}

impl Width {
    const fn bytes(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::Word => 2,
            Self::Dword => 4,
        }
    }
}

/// What an expression computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Number(u32),
    Name(String),
    Register(Register),
    Memory(Width, Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
}

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expr {
    pub(crate) node: Node,
    pub(crate) span: Span,
}

/// An operator of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    And,
    Or,
    Xor,
}

/// A register, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Register {
    Eip,
    Eflags,
    /// What `GetLastError` would say.
    LastError,
    Flag(Eflags),
    /// A general register: the bits from `shift` on that `mask` leaves.
    General {
        reg: Reg,
        shift: u32,
        mask: u32,
    },
}

/// Why an expression has no value just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoValue {
    /// Memory that is not there.
    #[error("the byte at 0x{addr:08X} cannot be read: its page is not committed")]
    Unreadable {
        /// Its address.
        addr: u32,
    },
    /// A division by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// The last error of a thread whose environment block is gone.
    #[error("the thread environment block is gone")]
    NoTeb,
}

/// The registers at the moment that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI.
    pub(crate) gprs: [u32; 8],
    pub(crate) eip: u32,
    pub(crate) eflags: Eflags,
}

/// The general registers in the order of their numbers.
const GENERAL: [Reg; 8] = [
    Reg::Eax,
    Reg::Ecx,
    Reg::Edx,
    Reg::Ebx,
    Reg::Esp,
    Reg::Ebp,
    Reg::Esi,
    Reg::Edi,
];

/// The general registers by the names of their lower halves.
const HALVES: [(&str, Reg); 8] = [
    ("ax", Reg::Eax),
    ("cx", Reg::Ecx),
    ("dx", Reg::Edx),
    ("bx", Reg::Ebx),
    ("sp", Reg::Esp),
    ("bp", Reg::Ebp),
    ("si", Reg::Esi),
    ("di", Reg::Edi),
];

impl Moment {
    /// Returns the registers as they are now.
    pub(crate) fn now<W: Watch>(machine: &Machine<W>) -> Self {
        let registers = machine.registers();
        Self {
            gprs: GENERAL.map(|reg| registers.gpr(reg)),
            eip: registers.eip(),
            eflags: registers.eflags(),
        }
    }

    fn general(&self, wanted: Reg) -> u32 {
        let pair = GENERAL.iter().zip(self.gprs);
        pair.filter(|&(&reg, _)| reg == wanted)
            .map(|(_, value)| value)
            .sum()
    }
}

impl Register {
    /// Returns the register of that name, whatever its case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let flag = match lower.as_str() {
            "eip" => return Some(Self::Eip),
            "eflags" => return Some(Self::Eflags),
            "lasterror" => return Some(Self::LastError),
            "cf" => Some(Eflags::CARRY),
            "pf" => Some(Eflags::PARITY),
            "af" => Some(Eflags::ADJUST),
            "zf" => Some(Eflags::ZERO),
            "sf" => Some(Eflags::SIGN),
            "df" => Some(Eflags::DIRECTION),
            "of" => Some(Eflags::OVERFLOW),
            _ => None,
        };
        if let Some(flag) = flag {
            return Some(Self::Flag(flag));
        }
        let general = |reg, shift, mask| Some(Self::General { reg, shift, mask });
        let named = |wanted: &str| HALVES.iter().find(|(name, _)| *name == wanted);
        if let Some(&(_, reg)) = lower.strip_prefix('e').and_then(named) {
            return general(reg, 0, u32::MAX);
        }
        if let Some(&(_, reg)) = named(&lower) {
            return general(reg, 0, 0xFFFF);
        }
        let (letter, half) = lower.split_at_checked(1)?;
        let reg = match letter {
            "a" => Reg::Eax,
            "b" => Reg::Ebx,
            "c" => Reg::Ecx,
            "d" => Reg::Edx,
            _ => return None,
        };
        match half {
            "l" => general(reg, 0, 0xFF),
            "h" => general(reg, 8, 0xFF),
            _ => None,
        }
    }

    fn value<W: Watch>(self, machine: &mut Machine<W>, moment: &Moment) -> Result<u32, NoValue> {
        Ok(match self {
            Self::Eip => moment.eip,
            Self::Eflags => moment.eflags.bits(),
            Self::LastError => return machine.last_error_code().ok_or(NoValue::NoTeb),
            Self::Flag(flag) => u32::from(moment.eflags.contains(flag)),
            Self::General { reg, shift, mask } => moment.general(reg) >> shift & mask,
        })
    }
}

impl Operator {
    fn apply(self, left: u32, right: u32) -> Option<u32> {
        Some(match self {
            Self::Add => left.wrapping_add(right),
            Self::Subtract => left.wrapping_sub(right),
            Self::Multiply => left.wrapping_mul(right),
            Self::Divide => left.checked_div(right)?,
            Self::And => left & right,
            Self::Or => left | right,
            Self::Xor => left ^ right,
        })
    }
}

impl Expr {
    /// Returns the number that stands here as such, and can be replaced by another.
    pub(crate) fn literal(&self) -> Option<u32> {
        match self.node {
            Node::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Replaces names by what they stand for.
    ///
    /// # Errors
    ///
    /// A name that stands for nothing.
    pub(crate) fn bind(&mut self, names: &Names<'_>) -> Result<(), ExpectError> {
        match &mut self.node {
            Node::Number(_) | Node::Register(_) => Ok(()),
            Node::Name(name) => {
                let value = names.value(name).ok_or_else(|| ExpectError {
                    span: self.span,
                    kind: names.unknown(name),
                })?;
                // A sum, so that the name is not taken for a number that can be replaced.
                let number = |value| {
                    let node = Node::Number(value);
                    Box::new(Self {
                        node,
                        span: self.span,
                    })
                };
                self.node = Node::Binary(Operator::Add, number(value), number(0));
                Ok(())
            }
            Node::Memory(_, addr) => addr.bind(names),
            Node::Binary(_, left, right) => {
                left.bind(names)?;
                right.bind(names)
            }
        }
    }

    /// Returns the value of a bound expression that needs no run.
    ///
    /// # Errors
    ///
    /// Registers or memory are in it, or a division by zero.
    pub(crate) fn constant(&self) -> Result<u32, ExpectError> {
        let error = |kind| ExpectError {
            span: self.span,
            kind,
        };
        match &self.node {
            Node::Number(number) => Ok(*number),
            Node::Binary(operator, left, right) => operator
                .apply(left.constant()?, right.constant()?)
                .ok_or_else(|| error(ExpectErrorKind::DivisionByZero)),
            Node::Name(_) | Node::Register(_) | Node::Memory(..) => {
                Err(error(ExpectErrorKind::NotConstant))
            }
        }
    }

    /// Returns the value of a bound expression.
    pub(crate) fn value<W: Watch>(
        &self,
        machine: &mut Machine<W>,
        moment: &Moment,
    ) -> Result<u32, NoValue> {
        match &self.node {
            Node::Number(number) => Ok(*number),
            Node::Name(_) => unreachable!("names are bound before the run"),
            Node::Register(register) => register.value(machine, moment),
            Node::Memory(width, addr) => {
                let addr = addr.value(machine, moment)?;
                read(machine, addr, *width)
            }
            Node::Binary(operator, left, right) => {
                let left = left.value(machine, moment)?;
                let right = right.value(machine, moment)?;
                operator.apply(left, right).ok_or(NoValue::DivisionByZero)
            }
        }
    }
}

fn read<W: Watch>(machine: &mut Machine<W>, addr: u32, width: Width) -> Result<u32, NoValue> {
    let mut bytes = [0; 4];
    let peeked = machine.peek_bytes(LinearAddr::new(addr), &mut bytes[..width.bytes()]);
    match peeked {
        Ok(()) => Ok(u32::from_le_bytes(bytes)),
        Err(_) => Err(NoValue::Unreadable { addr }),
    }
}
