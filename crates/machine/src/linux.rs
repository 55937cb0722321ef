//! Programs of Linux: how they start, and the system calls of `int 80h` that static programs of
//! assembly courses use (Linux, "syscalls" manual page, architecture i386).

use std::cmp::Ordering;

use pagefault_cpu::{Reg, Segment, SegmentRegister, Selector, Vector};
use pagefault_vmm::mmu::{LinearAddr, PAGE_SIZE};
use pagefault_vmm::{
    ALLOCATION_GRANULARITY, AllocRequest, AllocationType, Caller, FreeRequest, MEM_DECOMMIT,
    MEM_RELEASE, MemoryState, ProtectRequest,
};

use crate::api::MissingFunction;
use crate::command_line;
use crate::console::Stream;
use crate::machine::{Machine, MissingCall, Outcome};
use crate::program::Platform;
use crate::sites::CallSite;
use crate::trace::{Event, Topics};
use crate::watch::Watch;

/// The interrupt of a system call.
pub(crate) const SYSTEM_CALL: Vector = Vector::new(0x80);
/// The size of a word in bytes.
const WORD_BYTES: u32 = 4;
/// The address space that is reserved for the program break, in bytes.
const BREAK_BYTES: u32 = 256 << 20;
/// How much is moved between the program and the console at a time, in bytes.
const CHUNK_BYTES: u32 = 1 << 16;
/// What a call was not able to do, as it is returned: negative.
type Errno = i32;
const EBADF: Errno = 9;
const ENOMEM: Errno = 12;
const EFAULT: Errno = 14;
const ENODEV: Errno = 19;
const EINVAL: Errno = 22;
/// Arguments of a system call: EBX, ECX, EDX, ESI, EDI, EBP.
const ARGUMENTS: [Reg; 6] = [Reg::Ebx, Reg::Ecx, Reg::Edx, Reg::Esi, Reg::Edi, Reg::Ebp];

/// What is kept for a program that uses `int 80h`.
#[derive(Clone, Debug)]
pub(crate) struct Linux {
    platform: Platform,
    /// The lowest program break; 0 before the first call.
    break_start: u32,
    /// The program break: the first address behind the data.
    break_at: u32,
    /// The end of what is reserved for it.
    break_limit: u32,
}

impl Linux {
    pub(crate) fn new(platform: Platform) -> Self {
        Self {
            platform,
            break_start: 0,
            break_at: 0,
            break_limit: 0,
        }
    }

    /// Returns whether the program is one of Linux.
    pub(crate) fn is_platform(&self) -> bool {
        self.platform == Platform::Linux
    }
}

/// A system call that is emulated.
struct SystemCall<W: Watch> {
    number: u32,
    name: &'static str,
    arguments: usize,
    run: fn(&mut Machine<W>, &Request) -> Result<u32, Answer>,
}

/// Who asks for what.
struct Request {
    arguments: [u32; 6],
    caller: Caller,
}

/// What a system call ends with in place of a value.
enum Answer {
    Error(Errno),
    Exit(u32),
}

impl From<Errno> for Answer {
    fn from(errno: Errno) -> Self {
        Self::Error(errno)
    }
}

impl<W: Watch> SystemCall<W> {
    #[rustfmt::skip]
    const ALL: &'static [Self] = &[
        Self { number: 1, name: "exit", arguments: 1, run: exit },
        Self { number: 3, name: "read", arguments: 3, run: read },
        Self { number: 4, name: "write", arguments: 3, run: write },
        Self { number: 13, name: "time", arguments: 1, run: time },
        Self { number: 20, name: "getpid", arguments: 0, run: getpid },
        Self { number: 45, name: "brk", arguments: 1, run: brk },
        Self { number: 90, name: "mmap", arguments: 1, run: old_mmap },
        Self { number: 91, name: "munmap", arguments: 2, run: munmap },
        Self { number: 125, name: "mprotect", arguments: 3, run: mprotect },
        Self { number: 192, name: "mmap2", arguments: 6, run: mmap },
        Self { number: 252, name: "exit_group", arguments: 1, run: exit },
    ];
}

impl<W: Watch> Machine<W> {
    /// Sets stack and registers of a program that may use `int 80h`.
    pub(crate) fn start_linux(&mut self, platform: Platform) {
        if platform == Platform::Windows {
            return;
        }
        self.cpu.open_gate(SYSTEM_CALL);
        if platform == Platform::Bare {
            return;
        }
        let top = self.threads.current().stack.end;
        let esp = self.put_arguments(top);
        let registers = self.cpu.registers_mut();
        registers.set_gpr(Reg::Ebx, 0);
        registers.set_gpr(Reg::Esp, esp);
        let none = Segment::null(Selector::new(0));
        registers.set_segment(SegmentRegister::Fs, none);
    }

    /// Puts the arguments at the top of the stack: their number, pointers to them, no environment,
    /// and the end of the auxiliary vector; returns ESP.
    fn put_arguments(&mut self, top: u32) -> u32 {
        /// Behind the pointers: NULL, NULL for the environment, and two words of `AT_NULL`.
        const FURTHER_WORDS: u32 = 4;
        /// What the arguments may take of the stack, in bytes.
        const ROOM: usize = 0x1_0000;
        /// The stack pointer is a multiple of this at the start.
        const ALIGNMENT: u32 = 16;
        let mut texts = Vec::new();
        let mut offsets = Vec::new();
        for argument in command_line::split(&self.command_line()) {
            let bytes = argument.into_bytes();
            if texts.len() + bytes.len() >= ROOM {
                break;
            }
            offsets.push(u32::try_from(texts.len()).unwrap_or(0));
            texts.extend(bytes);
            texts.push(0);
        }
        let texts_at = top.wrapping_sub(u32::try_from(texts.len()).unwrap_or(0));
        let count = u32::try_from(offsets.len()).unwrap_or(0);
        let words = 1 + count + FURTHER_WORDS;
        let esp = texts_at.wrapping_sub(words * WORD_BYTES) & !(ALIGNMENT - 1);
        let written = self
            .vmm
            .copy_out(&mut self.mmu, LinearAddr::new(texts_at), &texts);
        debug_assert!(written.is_ok(), "the stack's top is committed");
        self.write_word(esp, count);
        for (index, offset) in (1..).zip(offsets) {
            self.write_word(esp + index * WORD_BYTES, texts_at + offset);
        }
        for index in 1 + count..words {
            self.write_word(esp + index * WORD_BYTES, 0);
        }
        esp
    }

    /// Answers `int 80h`.
    pub(crate) fn answer_system_call(&mut self) -> Result<(), Outcome> {
        let registers = self.cpu.registers();
        let number = registers.gpr(Reg::Eax);
        let return_to = registers.eip();
        let arguments = ARGUMENTS.map(|register| registers.gpr(register));
        let known = SystemCall::<W>::ALL
            .iter()
            .find(|call| call.number == number);
        let Some(call) = known else {
            let function = MissingFunction {
                name: format!("system call {number}"),
                library: Some("int 80h".to_owned()),
            };
            let stack = arguments.to_vec();
            return Err(Outcome::MissingFunction(Box::new(MissingCall {
                function,
                return_to,
                stack,
            })));
        };
        let taken = arguments.get(..call.arguments).unwrap_or(&arguments);
        self.tell(Topics::API, || Event::ApiCall {
            function: call.name,
            arguments: taken.to_vec(),
            return_to,
        });
        let origin = self.sites.number(CallSite {
            function: call.name,
            return_to,
            arguments: taken.to_vec(),
        });
        let caller = Caller {
            process: self.process,
            origin,
        };
        let result = match (call.run)(self, &Request { arguments, caller }) {
            Ok(value) => value,
            Err(Answer::Error(errno)) => (-errno).cast_unsigned(),
            Err(Answer::Exit(code)) => return Err(Outcome::Exited { code }),
        };
        self.tell(Topics::API, || Event::ApiReturn {
            function: call.name,
            result,
            last_error: None,
        });
        self.cpu.registers_mut().set_gpr(Reg::Eax, result);
        Ok(())
    }
}

/// The exit code is a byte, as for whoever waits for the process.
fn exit<W: Watch>(_: &mut Machine<W>, request: &Request) -> Result<u32, Answer> {
    let [code, ..] = request.arguments;
    Err(Answer::Exit(code & 0xFF))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "handlers have the type that the table wants"
)]
fn getpid<W: Watch>(_: &mut Machine<W>, _: &Request) -> Result<u32, Answer> {
    Ok(crate::layout::PROCESS_ID)
}

/// Seconds since 1970.
fn time<W: Watch>(machine: &mut Machine<W>, request: &Request) -> Result<u32, Answer> {
    /// Steps of 100 ns in a second.
    const PER_SECOND: u64 = 10_000_000;
    /// Seconds from 1601, where Windows begins to count, to 1970.
    const TO_1970: u64 = 11_644_473_600;
    let [place, ..] = request.arguments;
    let seconds = (machine.filetime() / PER_SECOND).saturating_sub(TO_1970);
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    if place != 0 {
        let at = LinearAddr::new(place);
        let written = machine
            .vmm
            .copy_out(&mut machine.mmu, at, &seconds.to_le_bytes());
        written.map_err(|_| EFAULT)?;
    }
    Ok(seconds)
}

/// Standard input only; what a terminal or a file gives at once.
fn read<W: Watch>(machine: &mut Machine<W>, request: &Request) -> Result<u32, Answer> {
    let [file, buffer, len, ..] = request.arguments;
    if file != 0 {
        return Err(EBADF.into());
    }
    let wanted = len.min(CHUNK_BYTES);
    let at = LinearAddr::new(buffer);
    let probed = machine.vmm.probe_write(&mut machine.mmu, at, wanted);
    probed.map_err(|_| EFAULT)?;
    let mut bytes = vec![0; wanted as usize];
    let got = machine.console.read(&mut bytes);
    bytes.truncate(got);
    let written = machine.vmm.copy_out(&mut machine.mmu, at, &bytes);
    written.map_err(|_| EFAULT)?;
    Ok(u32::try_from(bytes.len()).unwrap_or(0))
}

/// Standard output and error only. What can be read of the bytes is written.
fn write<W: Watch>(machine: &mut Machine<W>, request: &Request) -> Result<u32, Answer> {
    let [file, buffer, len, ..] = request.arguments;
    let stream = match file {
        1 => Stream::Output,
        2 => Stream::Error,
        _ => return Err(EBADF.into()),
    };
    let mut done = 0;
    while done < len {
        let at = LinearAddr::new(buffer.wrapping_add(done));
        // Not past a page, so that what stands before one that cannot be read is written.
        let part = (len - done).min(PAGE_SIZE - at.page_offset());
        let mut chunk = vec![0; part as usize];
        let copied = machine.vmm.copy_in(&mut machine.mmu, at, &mut chunk);
        match copied {
            Ok(()) => machine.console.write(stream, &chunk),
            Err(_) if done > 0 => break,
            Err(_) => return Err(EFAULT.into()),
        }
        done += part;
    }
    Ok(done)
}

/// Sets the program break; returns the old one if that cannot be done.
fn brk<W: Watch>(machine: &mut Machine<W>, request: &Request) -> Result<u32, Answer> {
    let [wanted, ..] = request.arguments;
    if machine.linux.break_start == 0 {
        reserve_break(machine, request.caller)?;
    }
    let Linux {
        break_start,
        break_at,
        break_limit,
        ..
    } = machine.linux;
    if !(break_start..=break_limit).contains(&wanted) {
        return Ok(break_at);
    }
    let pages = |addr: u32| addr.next_multiple_of(PAGE_SIZE);
    let (old, new) = (pages(break_at), pages(wanted));
    let changed = match new.cmp(&old) {
        Ordering::Greater => commit(machine, request.caller, old, new - old, PAGE_READWRITE),
        Ordering::Less => free(machine, request.caller, new, old - new),
        Ordering::Equal => Ok(()),
    };
    if changed.is_ok() {
        machine.linux.break_at = wanted;
    }
    Ok(machine.linux.break_at)
}

/// Reserves the addresses behind the image for the program break, as many as are free.
fn reserve_break<W: Watch>(machine: &mut Machine<W>, caller: Caller) -> Result<(), Errno> {
    let start = machine.image.end.next_multiple_of(ALLOCATION_GRANULARITY);
    let mut size_bytes = BREAK_BYTES;
    while size_bytes >= ALLOCATION_GRANULARITY {
        let request = AllocRequest {
            address: LinearAddr::new(start),
            size_bytes,
            allocation_type: AllocationType::RESERVE.bits(),
            protect: PAGE_READWRITE,
        };
        if machine
            .vmm
            .alloc(&mut machine.mmu, caller, &request)
            .is_ok()
        {
            machine.linux.break_start = start;
            machine.linux.break_at = start;
            machine.linux.break_limit = start + size_bytes;
            return Ok(());
        }
        size_bytes /= 2;
    }
    Err(ENOMEM)
}

/// `mmap` with its arguments in memory.
fn old_mmap<W: Watch>(machine: &mut Machine<W>, request: &Request) -> Result<u32, Answer> {
    let [place, ..] = request.arguments;
    let mut arguments = [0; 6];
    for (index, argument) in (0..).zip(&mut arguments) {
        let at = LinearAddr::new(place).wrapping_add(index * WORD_BYTES);
        let read = machine.vmm.read_u32(&mut machine.mmu, at);
        *argument = read.map_err(|_| EFAULT)?;
    }
    let caller = request.caller;
    mmap(machine, &Request { arguments, caller })
}

/// Anonymous memory only. A place that is wanted has to be a multiple of 64 KiB, or in a region
/// that is there: `MAP_FIXED` then replaces its pages.
fn mmap<W: Watch>(machine: &mut Machine<W>, request: &Request) -> Result<u32, Answer> {
    const MAP_FIXED: u32 = 0x10;
    const MAP_ANONYMOUS: u32 = 0x20;
    let [addr, len, rights, flags, ..] = request.arguments;
    if len == 0 || !addr.is_multiple_of(PAGE_SIZE) && flags & MAP_FIXED != 0 {
        return Err(EINVAL.into());
    }
    if flags & MAP_ANONYMOUS == 0 {
        return Err(ENODEV.into());
    }
    let protect = protection(rights)?;
    let len = len.checked_next_multiple_of(PAGE_SIZE).ok_or(ENOMEM)?;
    let caller = request.caller;
    // Quirk: linux-granularity
    if addr.is_multiple_of(ALLOCATION_GRANULARITY)
        && addr != 0
        && let Ok(base) = reserve_and_commit(machine, caller, addr, len, protect)
    {
        return Ok(base);
    }
    if flags & MAP_FIXED != 0 {
        // Pages of a region that is there become new ones, all zeros.
        let around = machine.allocation_around(LinearAddr::new(addr));
        let end = addr.checked_add(len).ok_or(ENOMEM)?;
        around
            .filter(|range| range.contains(&addr) && end <= range.end)
            .ok_or(ENOMEM)?;
        free(machine, caller, addr, len)?;
        commit(machine, caller, addr, len, protect)?;
        return Ok(addr);
    }
    Ok(reserve_and_commit(machine, caller, 0, len, protect)?)
}

/// Takes pages away, and regions of which nothing is left; what is free already stays so.
fn munmap<W: Watch>(machine: &mut Machine<W>, request: &Request) -> Result<u32, Answer> {
    let [addr, len, ..] = request.arguments;
    let end = pages_end(addr, len).filter(|_| len > 0).ok_or(EINVAL)?;
    let mut at = addr;
    while at < end {
        let queried = machine
            .vmm
            .query(&machine.mmu, machine.process, LinearAddr::new(at));
        let info = queried.map_err(|_| EINVAL)?;
        let run_end = at.saturating_add(info.size_bytes.max(PAGE_SIZE)).min(end);
        let whole = machine
            .allocation_around(LinearAddr::new(at))
            .filter(|range| at == range.start && range.end <= end);
        if let Some(range) = whole {
            let request_of = FreeRequest {
                address: LinearAddr::new(range.start),
                size_bytes: 0,
                free_type: MEM_RELEASE,
            };
            let freed = machine
                .vmm
                .free(&mut machine.mmu, request.caller, &request_of);
            freed.map_err(|_| EINVAL)?;
            at = range.end;
            continue;
        }
        if info.state == MemoryState::Commit {
            free(machine, request.caller, at, run_end - at)?;
        }
        at = run_end;
    }
    Ok(0)
}

/// All of the pages have to be there, or nothing changes.
fn mprotect<W: Watch>(machine: &mut Machine<W>, request: &Request) -> Result<u32, Answer> {
    let [addr, len, rights, ..] = request.arguments;
    let end = pages_end(addr, len).ok_or(EINVAL)?;
    let protect = protection(rights)?;
    let mut runs = Vec::new();
    let mut at = addr;
    while at < end {
        let queried = machine
            .vmm
            .query(&machine.mmu, machine.process, LinearAddr::new(at));
        let info = queried.map_err(|_| ENOMEM)?;
        if info.state != MemoryState::Commit {
            return Err(ENOMEM.into());
        }
        let run_end = at.saturating_add(info.size_bytes.max(PAGE_SIZE)).min(end);
        runs.push((at, run_end - at));
        at = run_end;
    }
    for (at, size_bytes) in runs {
        let wanted = ProtectRequest {
            address: LinearAddr::new(at),
            size_bytes,
            protect,
        };
        let protected = machine
            .vmm
            .protect(&mut machine.mmu, request.caller, &wanted);
        protected.map_err(|_| ENOMEM)?;
    }
    Ok(0)
}

/// Returns the end of whole pages that start at `addr`.
fn pages_end(addr: u32, len: u32) -> Option<u32> {
    let end = addr.checked_add(len)?.checked_next_multiple_of(PAGE_SIZE)?;
    addr.is_multiple_of(PAGE_SIZE).then_some(end)
}

/// `PAGE_READWRITE`
const PAGE_READWRITE: u32 = 0x04;

/// Returns the `PAGE_*` constant of `PROT_*` flags.
fn protection(rights: u32) -> Result<u32, Errno> {
    const READ: u32 = 1;
    const WRITE: u32 = 2;
    const EXECUTE: u32 = 4;
    const PAGE_NOACCESS: u32 = 0x01;
    const PAGE_READONLY: u32 = 0x02;
    const PAGE_EXECUTE_READ: u32 = 0x20;
    const PAGE_EXECUTE_READWRITE: u32 = 0x40;
    if rights & !(READ | WRITE | EXECUTE) != 0 {
        return Err(EINVAL);
    }
    Ok(match (rights & WRITE != 0, rights & EXECUTE != 0) {
        (true, true) => PAGE_EXECUTE_READWRITE,
        (true, false) => PAGE_READWRITE,
        (false, true) => PAGE_EXECUTE_READ,
        (false, false) if rights & READ != 0 => PAGE_READONLY,
        (false, false) => PAGE_NOACCESS,
    })
}

fn reserve_and_commit<W: Watch>(
    machine: &mut Machine<W>,
    caller: Caller,
    addr: u32,
    size_bytes: u32,
    protect: u32,
) -> Result<u32, Errno> {
    let request = AllocRequest {
        address: LinearAddr::new(addr),
        size_bytes,
        allocation_type: (AllocationType::RESERVE | AllocationType::COMMIT).bits(),
        protect,
    };
    let base = machine.vmm.alloc(&mut machine.mmu, caller, &request);
    base.map(LinearAddr::bits).map_err(|_| ENOMEM)
}

fn commit<W: Watch>(
    machine: &mut Machine<W>,
    caller: Caller,
    addr: u32,
    size_bytes: u32,
    protect: u32,
) -> Result<(), Errno> {
    let request = AllocRequest {
        address: LinearAddr::new(addr),
        size_bytes,
        allocation_type: AllocationType::COMMIT.bits(),
        protect,
    };
    let base = machine.vmm.alloc(&mut machine.mmu, caller, &request);
    base.map(|_| ()).map_err(|_| ENOMEM)
}

fn free<W: Watch>(
    machine: &mut Machine<W>,
    caller: Caller,
    addr: u32,
    size_bytes: u32,
) -> Result<(), Errno> {
    let request = FreeRequest {
        address: LinearAddr::new(addr),
        size_bytes,
        free_type: MEM_DECOMMIT,
    };
    let freed = machine.vmm.free(&mut machine.mmu, caller, &request);
    freed.map_err(|_| EINVAL)
}
