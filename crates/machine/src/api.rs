//! Imported functions: addresses in a system page at which control comes to the host.
//!
//! The handlers are one table: name, arguments, function. An import that is not in it gets an
//! address too, so that the program runs until it calls it.

mod memory;
mod output;
mod process;
mod strings;
mod system;

use pagefault_cpu::Reg;
use pagefault_vmm::mmu::{LinearAddr, PageFault, Privilege, Word};
use pagefault_vmm::{Caller, Origin, Resolution, Win32Code};

use crate::layout::{API_SLOT_BYTES, API_SLOTS, api_address};
use crate::machine::Machine;
use crate::sites::CallSite;
use crate::trace::{Event, Topics};
use crate::watch::Watch;

/// How a function takes its arguments: how many dwords are on the stack, and who removes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Convention {
    /// The function removes its arguments.
    Stdcall(u8),
    /// The caller does; there may be more than these.
    Cdecl(u8),
}

/// An emulated function.
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
    /// The function touched memory that it may not.
    Refused(Refused),
}

/// A page fault that the memory manager did not resolve.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) fault: PageFault,
    pub(crate) resolution: Resolution,
}

/// The table, in the order of the addresses.
pub(crate) struct Table<W>(std::marker::PhantomData<W>);

impl<W: Watch> Table<W> {
    pub(crate) const FUNCTIONS: &'static [Function<W>] = &[
        stdcall("ExitProcess", 1, process::exit_process),
        stdcall("GetCurrentProcess", 0, process::get_current_process),
        stdcall("GetLastError", 0, process::get_last_error),
        stdcall(
            "GetProcessWorkingSetSize",
            3,
            system::get_process_working_set_size,
        ),
        stdcall("GetStdHandle", 1, output::get_std_handle),
        stdcall("GetSystemInfo", 1, system::get_system_info),
        stdcall("MessageBoxA", 4, output::message_box),
        stdcall("RtlZeroMemory", 2, strings::rtl_zero_memory),
        stdcall("SetLastError", 1, process::set_last_error),
        stdcall(
            "SetProcessWorkingSetSize",
            3,
            system::set_process_working_set_size,
        ),
        stdcall("VirtualAlloc", 4, memory::virtual_alloc),
        stdcall("VirtualAllocEx", 5, memory::virtual_alloc_ex),
        stdcall("VirtualFree", 3, memory::virtual_free),
        stdcall("VirtualFreeEx", 4, memory::virtual_free_ex),
        stdcall("VirtualLock", 2, memory::virtual_lock),
        stdcall("VirtualProtect", 4, memory::virtual_protect),
        stdcall("VirtualProtectEx", 5, memory::virtual_protect_ex),
        stdcall("VirtualQuery", 3, memory::virtual_query),
        stdcall("VirtualQueryEx", 4, memory::virtual_query_ex),
        stdcall("VirtualUnlock", 2, memory::virtual_unlock),
        stdcall("WriteConsoleA", 5, output::write_console),
        stdcall("WriteFile", 5, output::write_file),
        stdcall("lstrlenA", 1, strings::lstrlen),
        Function {
            name: "wsprintfA",
            convention: Convention::Cdecl(2),
            run: strings::wsprintf,
        },
    ];
}

const fn stdcall<W: Watch>(
    name: &'static str,
    arguments: u8,
    run: fn(&mut Call<'_, W>) -> Result<u32, Stop>,
) -> Function<W> {
    Function {
        name,
        convention: Convention::Stdcall(arguments),
        run,
    }
}

/// The slot at which a process that returns from its entry point arrives.
const RETURN_SLOT: u32 = 0;
/// The slot of the table's first function.
const FIRST_SLOT: u32 = 1;

/// The address at which a process that returns from its entry point arrives.
pub(crate) const RETURN_ADDRESS: u32 = api_address(RETURN_SLOT);

/// A function that a program imports and that is not emulated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingFunction {
    /// The function.
    pub name: String,
    /// The library that the program names, if it does.
    pub library: Option<String>,
}

/// The imports that are not in the table, in the order of their slots.
#[derive(Clone, Debug, Default)]
pub(crate) struct MissingFunctions(Vec<MissingFunction>);

/// What stands at an address of the system page.
#[derive(Debug)]
pub(crate) enum Target<'a> {
    /// The process has returned from its entry point.
    Return,
    /// A function of the table, by its index.
    Function(usize),
    /// A function that is not emulated.
    Missing(&'a MissingFunction),
    /// Nothing: the program has jumped there by itself.
    Nothing,
}

impl MissingFunctions {
    /// Returns the address for an import; `None` if the page is full.
    pub(crate) fn bind<W: Watch>(&mut self, name: &str, library: Option<&str>) -> Option<u32> {
        if let Some(index) = Table::<W>::FUNCTIONS
            .iter()
            .position(|known| known.name == name)
        {
            return slot_number(index).map(|slot| api_address(FIRST_SLOT + slot));
        }
        let known = self.0.iter().position(|missing| missing.name == name);
        let index = known.unwrap_or(self.0.len());
        let first = FIRST_SLOT + slot_number(Table::<W>::FUNCTIONS.len())?;
        let slot = first
            .checked_add(slot_number(index)?)
            .filter(|&slot| slot < API_SLOTS)?;
        if known.is_none() {
            let library = library.map(str::to_owned);
            self.0.push(MissingFunction {
                name: name.to_owned(),
                library,
            });
        }
        Some(api_address(slot))
    }

    pub(crate) fn target<W: Watch>(&self, addr: LinearAddr) -> Target<'_> {
        let offset = addr.bits().wrapping_sub(RETURN_ADDRESS);
        if !offset.is_multiple_of(API_SLOT_BYTES) {
            return Target::Nothing;
        }
        let Some(index) = (offset / API_SLOT_BYTES).checked_sub(FIRST_SLOT) else {
            return Target::Return;
        };
        let index = index as usize;
        let functions = Table::<W>::FUNCTIONS.len();
        match index.checked_sub(functions) {
            None => Target::Function(index),
            Some(missing) => self.0.get(missing).map_or(Target::Nothing, Target::Missing),
        }
    }
}

fn slot_number(index: usize) -> Option<u32> {
    u32::try_from(index).ok()
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
    pub(crate) fn call_function(&mut self, index: usize) -> Result<(), Stop> {
        let Function {
            name,
            convention,
            run,
        } = &Table::<W>::FUNCTIONS[index];
        let (Convention::Stdcall(count) | Convention::Cdecl(count)) = *convention;
        let esp = LinearAddr::new(self.cpu.registers().gpr(Reg::Esp));
        let return_to = self.read_user::<u32>(esp)?;
        let stack = esp.wrapping_add(u32::SIZE);
        let arguments = (0..u32::from(count))
            .map(|index| self.read_user(stack.wrapping_add(index * u32::SIZE)))
            .collect::<Result<Vec<u32>, _>>()?;
        self.tell(Topics::API, || Event::ApiCall {
            function: name,
            arguments: arguments.clone(),
            return_to,
        });

        let mut call = Call {
            machine: self,
            function: name,
            return_to,
            stack,
            arguments,
            last_error: None,
        };
        let result = run(&mut call)?;

        let last_error = call.last_error.map(Win32Code::get);
        self.tell(Topics::API, || Event::ApiReturn {
            function: name,
            result,
            last_error,
        });
        let popped = match *convention {
            Convention::Stdcall(count) => u32::from(count) * u32::SIZE,
            Convention::Cdecl(_) => 0,
        };
        let registers = self.cpu.registers_mut();
        registers.set_gpr(Reg::Eax, result);
        registers.set_gpr(Reg::Esp, stack.wrapping_add(popped).bits());
        registers.set_eip(return_to);
        Ok(())
    }

    /// Makes an access as the program would, resolving page faults on the way.
    pub(crate) fn access<T>(
        &mut self,
        access: impl Fn(&mut pagefault_vmm::mmu::Mmu<W>) -> Result<T, PageFault>,
    ) -> Result<T, Stop> {
        loop {
            match access(&mut self.mmu) {
                Ok(value) => return Ok(value),
                Err(fault) => self.resolve(&fault).map_err(Stop::Refused)?,
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

    /// Returns the argument at `index`, from 0, beyond those that the table names.
    pub(crate) fn further_argument(&mut self, index: u32) -> Result<u32, Stop> {
        self.machine
            .read_user(self.stack.wrapping_add(index.wrapping_mul(u32::SIZE)))
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
