//! Imported functions: addresses in a system page at which control comes to the host.
//!
//! The handlers are one table by library (`table.rs`): name, arguments, function. An import that is
//! not in it gets an address too, so that the program runs until it calls it.

#![expect(
    clippy::unnecessary_wraps,
    reason = "handlers have the type that the table wants"
)]

mod critical;
mod crt;
mod environment;
mod exceptions;
mod files;
mod heap;
mod interlocked;
mod libraries;
mod locks;
mod masm32;
mod memory;
mod modules;
mod more;
mod output;
mod process;
mod queued;
mod resources;
mod sections;
mod strings;
mod sync;
mod system;
mod table;
mod table_crt;
mod text;
mod threads;
mod time;
mod tls;

pub use libraries::{MissingFunction, emulated_functions};
pub(crate) use libraries::{Modules, RETURN_ADDRESS, Target};

use pagefault_cpu::Reg;
use pagefault_vmm::mmu::{LinearAddr, PageFault, Privilege, Word};
use pagefault_vmm::{Caller, Origin, Resolution, Win32Code};

use crate::machine::{Machine, Outcome};
use crate::sites::CallSite;
use crate::system::SystemCode;
use crate::thread::Wait;
use crate::trace::{Event, Topics};
use crate::watch::Watch;

/// `TRUE`.
const TRUE: u32 = 1;
/// What the names of functions begin with that only the system itself calls.
const OWN_PREFIX: &str = "Pagefault";

/// Returns the address at which a thread or the process ends that has made its last calls.
pub(crate) fn leave_address<W: Watch>() -> u32 {
    Modules::own::<W>("PagefaultLeave")
}

/// How a function takes its arguments: how many dwords are on the stack, and who removes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Convention {
    /// The function removes its arguments.
    Stdcall(u8),
    /// The caller does; there may be more than these.
    Cdecl(u8),
    /// The function is code of the program's own mode, in `system/system.asm`.
    Guest,
    /// It is no function but a datum there.
    Datum,
}

/// An emulated function: a row of the table.
#[derive(Debug)]
pub(crate) struct Function<W: Watch> {
    pub(crate) name: &'static str,
    pub(crate) convention: Convention,
    pub(crate) run: fn(&mut Call<'_, W>) -> Result<u32, Stop>,
}

/// Why a call does not return to its caller.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The program has ended.
    Exit(u32),
    /// The run has ended in another way.
    End(Box<Outcome>),
    /// The function has set the registers itself.
    Resumed,
    /// The thread has ended, with this exit code.
    ExitThread(u32),
    /// The thread waits; what the call returns is known when the wait ends.
    Wait(Wait),
    /// The call returns this value, after the turns of the other threads.
    Yield(u32),
    /// The call returns this value, after the calls that are queued for the thread.
    Queued(u32),
    /// The function touched memory that it may not.
    Refused(Refused),
}

/// A page fault that the memory manager did not resolve.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) fault: PageFault,
    pub(crate) resolution: Resolution,
}

/// A call in progress.
pub(crate) struct Call<'a, W: Watch> {
    pub(crate) machine: &'a mut Machine<W>,
    function: &'static str,
    return_to: u32,
    /// Where the first argument is.
    stack: LinearAddr,
    arguments: Vec<u32>,
    last_error: Option<Win32Code>,
}

impl<W: Watch> Machine<W> {
    /// Runs the function at which the program has arrived and returns to the caller.
    pub(crate) fn call_function(&mut self, function: &Function<W>) -> Result<(), Stop> {
        let Function {
            name,
            convention,
            run,
        } = function;
        let (count, popped) = match *convention {
            Convention::Stdcall(count) => (u32::from(count), u32::from(count) * u32::SIZE),
            Convention::Cdecl(count) => (u32::from(count), 0),
            Convention::Guest | Convention::Datum => {
                unreachable!("control does not come to the host there")
            }
        };
        let esp = LinearAddr::new(self.cpu.registers().gpr(Reg::Esp));
        let return_to = self.read_user::<u32>(esp)?;
        let stack = esp.wrapping_add(u32::SIZE);
        let arguments = (0..count)
            .map(|index| self.read_user(stack.wrapping_add(index * u32::SIZE)))
            .collect::<Result<Vec<u32>, _>>()?;
        // What the system's own code asks for is no call of the program's.
        let is_for_system = SystemCode::contains(return_to) || name.starts_with(OWN_PREFIX);
        if !is_for_system {
            self.tell(Topics::API, || Event::ApiCall {
                function: name,
                arguments: arguments.clone(),
                return_to,
            });
        }

        let mut call = Call {
            machine: self,
            function: name,
            return_to,
            stack,
            arguments,
            last_error: None,
        };
        let (result, pause) = match run(&mut call) {
            Ok(result) => (result, None),
            Err(Stop::Yield(result)) => (result, Some(Stop::Yield(result))),
            Err(Stop::Queued(result)) => (result, Some(Stop::Queued(result))),
            Err(Stop::Wait(wait)) => (0, Some(Stop::Wait(wait))),
            Err(stop) => return Err(stop),
        };

        let last_error = call.last_error.map(Win32Code::get);
        if !is_for_system {
            self.tell(Topics::API, || Event::ApiReturn {
                function: name,
                result,
                last_error,
            });
        }
        let registers = self.cpu.registers_mut();
        registers.set_gpr(Reg::Eax, result);
        registers.set_gpr(Reg::Esp, stack.wrapping_add(popped).bits());
        registers.set_eip(return_to);
        pause.map_or(Ok(()), Err)
    }

    /// Makes an access as the program would, resolving page faults on the way.
    pub(crate) fn access<T>(
        &mut self,
        access: impl Fn(&mut pagefault_vmm::mmu::Mmu<W>) -> Result<T, PageFault>,
    ) -> Result<T, Stop> {
        loop {
            match access(&mut self.mmu) {
                Ok(value) => return Ok(value),
                Err(fault) => self.resolve(fault).map_err(Stop::Refused)?,
            }
        }
    }

    /// Reads a word as the program would.
    pub(crate) fn read_user<T: Word>(&mut self, addr: LinearAddr) -> Result<T, Stop> {
        self.access(|mmu| mmu.read(addr, Privilege::User))
    }

    /// Writes a word as the program would.
    pub(crate) fn write_user<T: Word>(&mut self, addr: LinearAddr, value: T) -> Result<(), Stop> {
        self.access(|mmu| mmu.write(addr, value, Privilege::User))
            .map(|_| ())
    }
}

impl<W: Watch> Call<'_, W> {
    /// Returns the arguments.
    ///
    /// # Panics
    ///
    /// If the function's row in the table says another number.
    pub(crate) fn arguments<const N: usize>(&self) -> [u32; N] {
        match <[u32; N]>::try_from(self.arguments.as_slice()) {
            Ok(arguments) => arguments,
            Err(_) => unreachable!(
                "the table gives {} another number of arguments",
                self.function
            ),
        }
    }

    /// Returns where the argument at `index` is, from 0, beyond those that the table names.
    pub(crate) fn further(&self, index: u32) -> u32 {
        self.stack
            .wrapping_add(index.wrapping_mul(u32::SIZE))
            .bits()
    }

    /// Returns who calls, for the memory manager's history of changes.
    pub(crate) fn caller(&mut self) -> Caller {
        let site = CallSite {
            function: self.function,
            return_to: self.return_to,
            arguments: self.arguments.clone(),
        };
        let origin: Origin = self.machine.sites.number(site);
        Caller {
            process: self.machine.process,
            origin,
        }
    }

    /// Checks that the kernel can write so many bytes to a place of the program's, before a call
    /// does what it is for.
    ///
    /// # Errors
    ///
    /// `ERROR_NOACCESS`; nothing has been written.
    pub(crate) fn probe_out(&mut self, addr: u32, size_bytes: u32) -> Result<(), Win32Code> {
        let machine = &mut *self.machine;
        let addr = LinearAddr::new(addr);
        let probed = machine.vmm.probe_write(&mut machine.mmu, addr, size_bytes);
        probed.map_err(|_| Win32Code::NOACCESS)
    }

    /// Writes bytes as the kernel does.
    ///
    /// # Errors
    ///
    /// `ERROR_NOACCESS`; bytes before the one that cannot be written may have been.
    pub(crate) fn copy_out(&mut self, addr: u32, bytes: &[u8]) -> Result<(), Win32Code> {
        let machine = &mut *self.machine;
        let addr = LinearAddr::new(addr);
        let copied = machine.vmm.copy_out(&mut machine.mmu, addr, bytes);
        copied.map_err(|_| Win32Code::NOACCESS)
    }

    /// Sets the last error and returns FALSE, or NULL.
    pub(crate) fn fail(&mut self, code: Win32Code) -> u32 {
        self.set_last_error(code);
        0
    }

    pub(crate) fn set_last_error(&mut self, code: Win32Code) {
        self.last_error = Some(code);
        self.machine.set_last_error(code.get());
    }
}
