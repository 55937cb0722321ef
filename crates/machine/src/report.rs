//! Why a program was ended: everything that explains an exception that nobody handled.

use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, MasmFormatter, OpKind, Register};
use pagefault_cpu::{Reg, Vector};
use pagefault_vmm::mmu::{AccessKind, Level, LinearAddr, PageFault, PhysAddr, SoftwareEntry, Walk};
use pagefault_vmm::{History, MemoryInfo, Origin, PagingMode, Resolution, Rule, SoftwarePte};

use crate::advice::{self, Circumstances};
use crate::api::Target;
use crate::debug::{NearSymbol, SourceLine};
use crate::limits::RELEASED;
use crate::machine::Machine;
use crate::raise::RefusedAccess;
use crate::sites::CallSite;
use crate::status::{Privilege, Status};
use crate::system::SystemCode;
use crate::watch::Watch;

/// The size of a stack slot in bytes.
const STACK_SLOT_BYTES: u32 = 4;
/// The longest instruction in bytes.
const MAX_INSTRUCTION_BYTES: u32 = 15;

/// An exception that ended the program.
#[derive(Clone, Debug)]
pub struct ExceptionReport {
    /// The exception code.
    pub status: Status,
    /// The instruction that raised it.
    pub place: Place,
    /// The function of the system that raised it on the program's behalf.
    pub function: Option<&'static str>,
    /// EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI.
    pub registers: [u32; 8],
    /// For exceptions that came of a page fault: what is known of the access.
    pub memory: Option<Box<MemoryReport>>,
    /// What to do about it.
    pub advice: String,
}

/// A place in the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The address.
    pub addr: u32,
    /// The instruction there, in MASM's syntax, if its bytes can be read.
    pub instruction: Option<String>,
    /// The instruction's bytes, as far as they can be read.
    pub bytes: Vec<u8>,
    /// The source line.
    pub source: Option<SourceLine>,
    /// The label before it.
    pub symbol: Option<NearSymbol>,
}

/// What is known of an access that was refused.
#[derive(Clone, Debug)]
pub struct MemoryReport {
    /// The page fault: address, access, error code.
    pub fault: PageFault,
    /// CR3 at the time.
    pub cr3: u32,
    /// The walk of the address, which stopped where the fault came from or was allowed.
    pub walk: Walk,
    /// Whether the tables are those of two-level paging.
    pub is_two_level: bool,
    /// What the entry at which the walk stopped means to the memory manager.
    pub entry_meaning: Option<String>,
    /// Why the memory manager refused; `None` for what is not an access violation.
    pub rule: Option<Rule>,
    /// What `VirtualQuery` says of the page; `None` outside of user space.
    pub region: Option<MemoryInfo>,
    /// The addresses of the whole allocation.
    pub allocation: Option<Range<u32>>,
    /// What the loader has put there, if it is its doing.
    pub purpose: Option<&'static str>,
    /// The calls that made the page what it is, in the order in which they matter.
    pub history: Vec<HistoryLine>,
}

impl MemoryReport {
    /// Returns the word for what the access wanted: read, write or execute.
    pub fn operation(&self) -> &'static str {
        match self.fault.access.kind {
            AccessKind::Read => "read",
            AccessKind::Write => "write",
            AccessKind::Fetch => "execute",
        }
    }
}

/// What a call did to a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Reserved its region.
    Reserved,
    /// Committed it.
    Committed,
    /// Set its protection.
    Protected,
    /// Locked it.
    Locked,
    /// Decommitted it.
    Decommitted,
    /// Released its region.
    Released,
}

impl Deed {
    /// Returns the deed as a participle: `reserved`.
    pub fn participle(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Committed => "committed",
            Self::Protected => "protected",
            Self::Locked => "locked",
            Self::Decommitted => "decommitted",
            Self::Released => "released",
        }
    }
}

/// One call in the history of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryLine {
    /// What it did.
    pub deed: Deed,
    /// The call; `None` if the loader did it.
    pub call: Option<CallSite>,
    /// Where the call is in the source.
    pub source: Option<SourceLine>,
}

/// Where an exception came from.
#[derive(Clone, Debug)]
pub(crate) enum FaultKind {
    /// The processor, or the machine.
    Status(Status),
    /// A page fault that was refused.
    Memory(Box<RefusedAccess>),
}

impl<W: Watch> Machine<W> {
    /// Returns the report of an exception raised by the instruction at `at`.
    pub(crate) fn report(&mut self, kind: FaultKind, at: u32) -> Box<ExceptionReport> {
        let target = self.modules.target::<W>(LinearAddr::new(at));
        let guest = SystemCode::procedure_at(at);
        let function = match target {
            Target::Function(function) => Some(function.name),
            Target::Return | Target::Missing(_) | Target::Nothing => guest,
        };
        // Within a function of the system, the caller's place is the one that tells something.
        let caller = match guest {
            Some(_) => self.return_address_of_frame(),
            None => function.and_then(|_| self.return_address()),
        };
        let place = match caller {
            Some(return_to) => self.place_of_call(return_to),
            None => self.place(at),
        };
        let registers = self.gprs();
        let (status, memory) = match kind {
            FaultKind::Status(status) => (status, None),
            FaultKind::Memory(refused) => {
                let (status, memory) = self.memory_report(&refused);
                (status, Some(Box::new(memory)))
            }
        };
        let circumstances = Circumstances {
            status,
            memory: memory.as_deref(),
            function,
            image: self.image.clone(),
            stack: self.threads.current().stack.clone(),
        };
        let advice = advice::advice(&circumstances);
        Box::new(ExceptionReport {
            status,
            place,
            function,
            registers,
            memory,
            advice,
        })
    }

    fn memory_report(&self, access: &RefusedAccess) -> (Status, MemoryReport) {
        let RefusedAccess { refused, walk, .. } = access;
        let fault = refused.fault;
        let addr = fault.addr;
        let status = match refused.resolution {
            Resolution::GuardPage(_) => Status::GUARD_PAGE_VIOLATION,
            Resolution::StackOverflow(_) => Status::STACK_OVERFLOW,
            Resolution::InPageError(_) => Status::IN_PAGE_ERROR,
            Resolution::AccessViolation(_) | Resolution::Resumed(_) => Status::ACCESS_VIOLATION,
        };
        let violation = match refused.resolution {
            Resolution::AccessViolation(violation) => Some(violation),
            _ => None,
        };
        let memory = MemoryReport {
            fault,
            cr3: self.mmu.control().cr3(),
            walk: *walk,
            is_two_level: self.vmm.config().paging == PagingMode::TwoLevel,
            entry_meaning: entry_meaning(walk),
            rule: violation.map(|violation| violation.rule),
            region: self.vmm.query(&self.mmu, self.process, addr).ok(),
            allocation: self.allocation_around(addr),
            // Freed memory is nobody's any more.
            purpose: self
                .allocation_around(addr)
                .and_then(|_| self.purpose(addr)),
            history: self.history_of(addr),
        };
        (status, memory)
    }

    /// Returns the calls that made the page at `addr` what it is.
    pub(crate) fn history_of(&self, addr: LinearAddr) -> Vec<HistoryLine> {
        let history: History = self.vmm.history(self.process, addr);
        let mut deeds = vec![
            (Deed::Reserved, history.reserved_by),
            (Deed::Committed, history.committed_by),
            (Deed::Protected, history.protected_by),
            (Deed::Locked, history.locked_by),
            (Deed::Decommitted, history.decommitted_by),
        ];
        if history.committed_by == history.protected_by {
            deeds.retain(|&(deed, _)| deed != Deed::Protected);
        }
        if history.reserved_by.is_none() {
            deeds.push((Deed::Released, self.released_by(addr)));
        }
        let done = deeds
            .into_iter()
            .filter_map(|(deed, by)| by.map(|by| (deed, by)));
        done.filter_map(|(deed, by)| self.history_line(deed, by))
            .collect()
    }

    /// Remembers who has released an allocation. Of too many, the older half is forgotten.
    pub(crate) fn note_release(&mut self, extent: Range<u32>, origin: Origin) {
        if self.released.len() >= RELEASED {
            self.released.drain(..RELEASED / 2);
        }
        self.released.push((extent, origin));
    }

    /// Returns who released the allocation that was last at `addr`.
    fn released_by(&self, addr: LinearAddr) -> Option<Origin> {
        let released = self
            .released
            .iter()
            .rev()
            .find(|(range, _)| range.contains(&addr.bits()));
        released.map(|&(_, origin)| origin)
    }

    fn history_line(&self, deed: Deed, by: Origin) -> Option<HistoryLine> {
        let call = self.sites.get(by)?.clone();
        let source = self.line_of_call(call.return_to);
        Some(HistoryLine {
            deed,
            call: Some(call),
            source,
        })
    }

    fn place(&self, addr: u32) -> Place {
        let (instruction, bytes) = self.instruction_at(addr);
        Place {
            addr,
            instruction: instruction.as_ref().map(formatted),
            bytes,
            source: self.debug.line(addr).cloned(),
            symbol: self.debug.symbol(addr),
        }
    }

    /// Returns the place of the call instruction that ends at `return_to`.
    fn place_of_call(&self, return_to: u32) -> Place {
        let start = CALL_LENGTHS.into_iter().find_map(|len| {
            let start = return_to.wrapping_sub(len);
            let (instruction, _) = self.instruction_at(start);
            let instruction = instruction?;
            let is_call = instruction.is_call_near() || instruction.is_call_near_indirect();
            (is_call && instruction.next_ip32() == return_to).then_some(start)
        });
        self.place(start.unwrap_or(return_to))
    }

    pub(crate) fn line_of_call(&self, return_to: u32) -> Option<SourceLine> {
        self.debug.line(return_to.wrapping_sub(1)).cloned()
    }

    fn return_address(&mut self) -> Option<u32> {
        let esp = LinearAddr::new(self.cpu.registers().gpr(Reg::Esp));
        self.peek_u32(esp)
    }

    /// Returns the return address of the function whose frame EBP points to.
    fn return_address_of_frame(&mut self) -> Option<u32> {
        let ebp = LinearAddr::new(self.cpu.registers().gpr(Reg::Ebp));
        let at = ebp.wrapping_add(STACK_SLOT_BYTES);
        self.peek_u32(at)
    }

    fn gprs(&self) -> [u32; 8] {
        let order = [
            Reg::Eax,
            Reg::Ecx,
            Reg::Edx,
            Reg::Ebx,
            Reg::Esp,
            Reg::Ebp,
            Reg::Esi,
            Reg::Edi,
        ];
        order.map(|reg| self.cpu.registers().gpr(reg))
    }

    /// Returns the instruction at `addr` and its bytes. Looking changes nothing.
    pub(crate) fn instruction_at(&self, addr: u32) -> (Option<Instruction>, Vec<u8>) {
        let at = |offset| LinearAddr::new(addr).wrapping_add(offset);
        let bytes: Vec<u8> = (0..MAX_INSTRUCTION_BYTES)
            .map_while(|offset| self.peek(at(offset)))
            .map(|at| self.mmu.mem().read::<u8>(at))
            .collect();
        let mut decoder = Decoder::with_ip(32, &bytes, u64::from(addr), DecoderOptions::NONE);
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            return (None, bytes);
        }
        let len = instruction.len();
        (Some(instruction), bytes[..len].to_vec())
    }

    /// Returns where a byte is, without an access.
    fn peek(&self, addr: LinearAddr) -> Option<PhysAddr> {
        self.mmu
            .walk(addr)
            .leaf()
            .ok()
            .map(|leaf| leaf.frame.byte(addr.page_offset()))
    }

    /// Returns which code Windows gives a processor exception at `at`.
    pub(crate) fn status_of(&self, exception: &pagefault_cpu::Exception, at: u32) -> Status {
        let (Some(instruction), _) = self.instruction_at(at) else {
            return Status::of(exception, Privilege::NotNeeded);
        };
        let privilege = if instruction.is_privileged() || is_for_ring_0(&instruction) {
            Privilege::Needed
        } else {
            Privilege::NotNeeded
        };
        let status = match exception.vector {
            Vector::X87 => Status::of_x87(self.cpu.registers().fpu()),
            Vector::SIMD => Status::of_simd(self.cpu.registers().mxcsr()),
            _ => Status::of(exception, privilege),
        };
        if status == Status::INTEGER_DIVIDE_BY_ZERO && !self.divides_by_zero(&instruction) {
            return Status::INTEGER_OVERFLOW;
        }
        status
    }

    /// Returns whether the operand of a division is zero: the processor does not say.
    fn divides_by_zero(&self, instruction: &Instruction) -> bool {
        match instruction.op0_kind() {
            OpKind::Register => self.register(instruction.op0_register()) == Some(0),
            OpKind::Memory => {
                let addr = instruction.virtual_address(0, 0, |register, _, _| {
                    if register.is_segment_register() {
                        return Some(0);
                    }
                    self.register(register).map(u64::from)
                });
                let size = instruction.memory_size().size();
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "addresses are 32 bits wide"
                )]
                let start = LinearAddr::new(addr.unwrap_or(0) as u32);
                let bytes = (0..size).map(|index| {
                    let index = u32::try_from(index).unwrap_or(0);
                    self.peek(start.wrapping_add(index))
                        .map(|at| self.mmu.mem().read::<u8>(at))
                });
                bytes.into_iter().all(|byte| byte == Some(0))
            }
            // AAM divides by an immediate, and raises the exception only for zero.
            _ => true,
        }
    }

    /// Returns the value of a general register or of a part of one.
    fn register(&self, register: Register) -> Option<u32> {
        let full = register.full_register32();
        let number = full.is_gpr32().then(|| full.number())?;
        let value = self.gprs()[number & 7];
        let is_high = matches!(
            register,
            Register::AH | Register::CH | Register::DH | Register::BH
        );
        let value = if is_high { value >> 8 } else { value };
        Some(match register.size() {
            1 => value & 0xFF,
            2 => value & 0xFFFF,
            _ => value,
        })
    }
}

/// Returns the table entry at which a walk stopped; `None` if it stopped elsewhere.
pub(crate) fn software_entry(walk: &Walk) -> Option<SoftwarePte> {
    let step = walk
        .steps()
        .last()
        .filter(|step| step.level == Level::Table)?;
    let software = SoftwareEntry::from_bits(u32::try_from(step.value).ok()?)?;
    Some(SoftwarePte::from_bits(software.bits()))
}

/// Returns what the table entry at which a walk stopped means; `None` if it stopped elsewhere.
pub(crate) fn entry_meaning(walk: &Walk) -> Option<String> {
    Some(match software_entry(walk)? {
        SoftwarePte::AskRegion => "nothing of its own, the region decides".to_owned(),
        SoftwarePte::DemandZero(protection) => {
            format!("committed {protection}, zeros on the first touch")
        }
        SoftwarePte::PagingFile(slot, protection) => {
            format!(
                "committed {protection}, in the paging file at slot {}",
                slot.bits()
            )
        }
        SoftwarePte::Transition(frame, protection) => {
            format!("committed {protection}, contents in frame {frame}")
        }
        SoftwarePte::Prototype(protection) => {
            format!("a page of a section's view, {protection}")
        }
        SoftwarePte::Decommitted => "decommitted".to_owned(),
        SoftwarePte::Discarded(protection) => {
            format!("committed {protection}, discarded after MEM_RESET")
        }
    })
}

/// Returns the instruction that the bytes at `eip` begin with, in MASM's syntax; `None` if they begin
/// with none.
pub fn disassemble(bytes: &[u8], eip: u32) -> Option<String> {
    let mut decoder = Decoder::with_ip(32, bytes, u64::from(eip), DecoderOptions::NONE);
    let instruction = decoder.decode();
    (!instruction.is_invalid()).then(|| formatted(&instruction))
}

/// Returns the instruction in MASM's syntax.
fn formatted(instruction: &Instruction) -> String {
    let mut formatter = MasmFormatter::new();
    formatter
        .options_mut()
        .set_space_after_operand_separator(true);
    formatter.options_mut().set_uppercase_hex(true);
    let mut text = String::new();
    formatter.format(instruction, &mut text);
    text
}

/// Lengths of near calls in bytes, the commonest first.
const CALL_LENGTHS: [u32; 6] = [5, 6, 2, 3, 7, 4];

/// Returns whether #GP at this instruction is for its privilege rather than for an operand.
fn is_for_ring_0(instruction: &Instruction) -> bool {
    use iced_x86::Mnemonic::{Cli, In, Insb, Insd, Insw, Out, Outsb, Outsd, Outsw, Sti};
    matches!(
        instruction.mnemonic(),
        Cli | Sti | In | Out | Insb | Insw | Insd | Outsb | Outsw | Outsd
    )
}
