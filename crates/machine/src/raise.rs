//! Exceptions, as the kernel passes them to the program: record and context go onto the stack, and
//! the thread goes on in the dispatcher (`system/dispatch.asm`).

use std::sync::OnceLock;

use pagefault_cpu::{DescriptorTable, Eflags, Exception, Reg, SegmentRegister, Vector};
use pagefault_vmm::mmu::{LinearAddr, Privilege, Walk, Word};
use pagefault_vmm::{MemoryState, Resolution};

use crate::api::{Refused, Stop};
use crate::context::{CONTEXT_BYTES, Context};
use crate::layout::{PEB, peb, teb};
use crate::machine::{Machine, Outcome};
use crate::record::Record;
use crate::report::{ExceptionReport, FaultKind};
use crate::status::Status;
use crate::system::SystemCode;
use crate::vectored::List;
use crate::watch::Watch;

/// What a program is told of the address when the processor does not say it.
const NO_ADDRESS: u32 = u32::MAX;
/// `ExceptionInformation[0]` of a read.
const READ: u32 = 0;
/// Refused accesses that are remembered until their exceptions are handled or reported. More than
/// that are nested only by a program that never handles one.
const MAX_REMEMBERED: usize = 16;
/// Contexts start on a multiple of four bytes.
const CONTEXT_ALIGN: u32 = 4;
/// The debugger's service interrupt, which skips a byte.
pub(crate) const DEBUG_SERVICE: Vector = Vector::new(0x2D);
/// The interrupt of a failed assertion.
pub(crate) const ASSERTION: Vector = Vector::new(0x2C);
/// The interrupt that ends a process at once.
pub(crate) const FAST_FAIL: Vector = Vector::new(0x29);

/// An access that the memory manager has refused, as it was then.
#[derive(Clone, Debug)]
pub(crate) struct RefusedAccess {
    /// The address of the instruction.
    pub(crate) at: u32,
    pub(crate) refused: Refused,
    pub(crate) walk: Walk,
}

/// An exception that the kernel has to deliver.
struct Raised {
    record: Record,
    context: Context,
}

impl<W: Watch> Machine<W> {
    /// Passes an access that the memory manager has refused to the program.
    pub(crate) fn raise_refused(&mut self, refused: Refused, at: u32) -> Result<(), Outcome> {
        if let Resolution::StackOverflow(overflow) = refused.resolution {
            self.write_teb(teb::STACK_LIMIT, overflow.limit.bits());
        }
        let record = Record::of_refused(&refused, at);
        self.remember(at, refused);
        let context = Context::of(self.cpu.registers());
        self.deliver(Raised { record, context })
    }

    /// Passes an exception of the processor, other than a page fault, to the program.
    pub(crate) fn raise_exception(
        &mut self,
        exception: &Exception,
        at: u32,
    ) -> Result<(), Outcome> {
        let eip = self.cpu.registers().eip();
        let mut context = Context::of(self.cpu.registers());
        let status = self.status_of(exception, at);
        let record = match exception.vector {
            FAST_FAIL => {
                let code = self.cpu.registers().gpr(Reg::Ecx);
                let record = Record::new(Status::STACK_BUFFER_OVERRUN, at, &[code]);
                return Err(self.unhandled(&record, &context));
            }
            ASSERTION => Record::new(Status::ASSERTION_FAILURE, eip, &[]),
            Vector::BREAKPOINT => {
                // The address of INT3, also for the long form.
                let addr = eip.wrapping_sub(1);
                context.set_eip(addr);
                Record::new(status, addr, &[0])
            }
            DEBUG_SERVICE => {
                let service = self.cpu.registers().gpr(Reg::Eax);
                Record::new(Status::BREAKPOINT, eip.wrapping_add(1), &[service])
            }
            Vector::DEBUG => {
                context.clear_trap();
                Record::new(status, eip, &[])
            }
            Vector::OVERFLOW => Record::new(status, eip.wrapping_sub(1), &[]),
            Vector::SIMD => Record::new(status, at, &[0, self.cpu.registers().mxcsr()]),
            Vector::X87 => Record::new(status, at, &[0]),
            _ if status == Status::ACCESS_VIOLATION => Record::new(status, at, &[READ, NO_ADDRESS]),
            _ => Record::new(status, at, &[]),
        };
        self.deliver(Raised { record, context })
    }

    /// Passes an exception that the program raises by a service of the kernel to it.
    pub(crate) fn raise_record(&mut self, record: Record, context: Context) -> Result<(), Outcome> {
        self.deliver(Raised { record, context })
    }

    /// Puts record and context onto the stack and has the thread go on in the dispatcher. If the
    /// stack is used up just then, that is what the program is told; if it cannot be written at
    /// all, nobody can be asked and the process ends.
    fn deliver(&mut self, raised: Raised) -> Result<(), Outcome> {
        let Raised {
            mut record,
            context,
        } = raised;
        // A program of Linux has no handlers.
        // Quirk: linux-signals
        let has_flat_stack = !self.linux.is_platform() && self.has_flat_stack();
        for _ in 0..2 {
            self.note_raised(&record, &context);
            if !has_flat_stack {
                break;
            }
            match self.push_exception(&record, &context) {
                Ok(esp) => {
                    self.enter_dispatcher(esp);
                    return Ok(());
                }
                Err(Stop::Refused(refused)) => {
                    let Resolution::StackOverflow(overflow) = refused.resolution else {
                        break;
                    };
                    self.write_teb(teb::STACK_LIMIT, overflow.limit.bits());
                    record = Record::of_refused(&refused, record.addr);
                    self.remember(record.addr, refused);
                }
                Err(_) => unreachable!("writing memory does not end the program"),
            }
        }
        Err(self.unhandled(&record, &context))
    }

    /// Returns whether the stack segment is one that the dispatcher can run on.
    fn has_flat_stack(&self) -> bool {
        let stack = self.cpu.registers().segment(SegmentRegister::Ss);
        stack.descriptor().is_some() && stack.base().bits() == 0
    }

    /// Returns ESP for the dispatcher: below it are pointers to the record and to the context.
    fn push_exception(&mut self, record: &Record, context: &Context) -> Result<u32, Stop> {
        let top = context.esp() & !(CONTEXT_ALIGN - 1);
        let context_at = top.wrapping_sub(CONTEXT_SIZE);
        let record = record.to_bytes();
        let record_at = context_at.wrapping_sub(u32::try_from(record.len()).unwrap_or(u32::MAX));
        let esp = record_at.wrapping_sub(2 * u32::SIZE);
        // From the top down, so that a guard page makes the stack grow.
        for at in [top.wrapping_sub(1), esp] {
            self.access(|mmu| mmu.probe_write::<u8>(LinearAddr::new(at), Privilege::User))?;
        }
        let mut bytes = Vec::with_capacity(CONTEXT_BYTES + record.len() + 2 * 4);
        bytes.extend(record_at.to_le_bytes());
        bytes.extend(context_at.to_le_bytes());
        bytes.extend(record);
        bytes.extend(context.bytes());
        let at = LinearAddr::new(esp);
        let copied = self.vmm.copy_out(&mut self.mmu, at, &bytes);
        debug_assert!(copied.is_ok(), "both pages were probed");
        Ok(esp)
    }

    fn enter_dispatcher(&mut self, esp: u32) {
        let limit = self.read_teb(teb::STACK_LIMIT);
        if esp < limit {
            self.refresh_stack_limit(esp);
        }
        let registers = self.cpu.registers_mut();
        registers.set_gpr(Reg::Esp, esp);
        registers.set_eip(SystemCode::get().dispatcher());
        // Or the dispatcher would be stepped through, too.
        let flags = registers.eflags() - Eflags::TRAP - Eflags::ALIGNMENT_CHECK;
        registers.set_eflags(flags);
        for register in [SegmentRegister::Ds, SegmentRegister::Es] {
            registers.set_segment(register, pagefault_cpu::Segment::flat(register));
        }
    }

    /// Corrects the TEB's stack limit after the stack has grown under a service of the kernel.
    fn refresh_stack_limit(&mut self, esp: u32) {
        let stack = self.threads.current().stack.clone();
        if !stack.contains(&esp) {
            return;
        }
        let mut at = stack.start;
        while at < stack.end {
            let queried = self.vmm.query(&self.mmu, self.process, LinearAddr::new(at));
            let Ok(info) = queried else { return };
            let is_open = info.state == MemoryState::Commit
                && info
                    .protection
                    .is_some_and(|protection| !protection.is_guard());
            if is_open {
                self.write_teb(teb::STACK_LIMIT, at);
                return;
            }
            at = at.saturating_add(info.size_bytes.max(1));
        }
    }

    /// Sets the registers of the thread that runs to those of a context.
    pub(crate) fn load_context(&mut self, context: &Context) {
        if !context.changes_segments(self.cpu.registers()) {
            // No descriptor is asked for: any table does.
            static NO_TABLE: OnceLock<DescriptorTable> = OnceLock::new();
            let none = NO_TABLE.get_or_init(DescriptorTable::new);
            context.load(self.cpu.registers_mut(), none);
            return;
        }
        let descriptors = std::mem::take(self.cpu.descriptors_mut());
        context.load(self.cpu.registers_mut(), &descriptors);
        *self.cpu.descriptors_mut() = descriptors;
    }

    /// Tells the dispatcher, by the PEB, whether a list has handlers.
    pub(crate) fn tell_vectored(&mut self, list: List) {
        let at = LinearAddr::new(PEB + peb::CROSS_PROCESS_FLAGS);
        // Without a PEB the dispatcher does not come so far as to ask.
        let flags = self.vmm.read_u32(&mut self.mmu, at).unwrap_or(0);
        let flags = if self.vectored.has(list) {
            flags | list.peb_bit()
        } else {
            flags & !list.peb_bit()
        };
        self.write_word(PEB + peb::CROSS_PROCESS_FLAGS, flags);
    }

    /// Remembers what is known of an access, for a report in case that nobody handles it.
    fn remember(&mut self, at: u32, refused: Refused) {
        if self.refused.len() >= MAX_REMEMBERED {
            self.refused.remove(0);
        }
        let walk = self.mmu.walk(refused.fault.addr);
        self.refused.push(RefusedAccess { at, refused, walk });
    }

    /// Returns the end of a process whose exception nobody has handled.
    pub(crate) fn unhandled(&mut self, record: &Record, context: &Context) -> Outcome {
        Outcome::Exception(self.explain(record, context))
    }

    /// Returns the report of an exception, with the registers as they were.
    pub(crate) fn explain(&mut self, record: &Record, context: &Context) -> Box<ExceptionReport> {
        let registers = self.cpu.registers().clone();
        self.load_context(context);
        let known = self.refused.iter().rev().find(|known| {
            let told = Record::of_refused(&known.refused, known.at);
            (told.addr, told.status) == (record.addr, record.status)
                && told.parameters == record.parameters
        });
        let kind = match known {
            Some(known) => FaultKind::Memory(Box::new(known.clone())),
            None => FaultKind::Status(record.status),
        };
        let at = self.origin_of(record);
        let report = self.report(kind, at);
        *self.cpu.registers_mut() = registers;
        report
    }

    /// Returns the address that explains an exception: where it is about another one, that one's.
    fn origin_of(&mut self, record: &Record) -> u32 {
        /// `ExceptionRecord` and `ExceptionAddress` in a record.
        const OTHER_OFFSET: u32 = 8;
        const ADDRESS_OFFSET: u32 = 12;
        /// Records that are followed: more are a circle.
        const MAX_FOLLOWED: u32 = 16;
        let (mut addr, mut other) = (record.addr, record.other);
        for _ in 0..MAX_FOLLOWED {
            let is_ours = SystemCode::procedure_at(addr) == Some("RaiseOver");
            let at = LinearAddr::new(other);
            let next = self.peek_u32(at.wrapping_add(OTHER_OFFSET));
            let its = self.peek_u32(at.wrapping_add(ADDRESS_OFFSET));
            let (true, Some(next), Some(its)) = (is_ours && other != 0, next, its) else {
                break;
            };
            (addr, other) = (its, next);
        }
        addr
    }
}

/// The size of a context in bytes.
#[expect(clippy::cast_possible_truncation, reason = "716 bytes")]
const CONTEXT_SIZE: u32 = CONTEXT_BYTES as u32;
