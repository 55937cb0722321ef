//! The loader: from an image to a process that can run.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pagefault_asm::{Image, Rights};
use pagefault_cpu::{Cpu, Reg, Registers, Segment, SegmentRegister};
use pagefault_vmm::mmu::{LinearAddr, Mmu, MmuError, PAGE_SIZE, PhysMemory, PhysMemoryError};
use pagefault_vmm::{
    AllocError, AllocRequest, AllocationType, Caller, CopyError, HeapError, NoFrame, PageRange,
    ProtectError, ProtectRequest, Vmm,
};
use thiserror::Error;

use crate::api::{Modules, RETURN_ADDRESS};
use crate::console::Console;
use crate::debug::DebugInfo;
use crate::layout::{
    ENVIRONMENT_BASE, ENVIRONMENT_BYTES, PEB, SHARED_DATA, STRINGS, STRINGS_BYTES, TEB, THREAD_ID,
    peb,
};
use crate::linux::Linux;
use crate::local::ThreadLocalError;
use crate::machine::{Aslr, CallRow, Machine, MachineConfig};
use crate::objects::{Object, Objects};
use crate::program::{
    FromImageError, ImportName, PartRights, Platform, Program, ProgramImport, StackSize,
};
use crate::schedule::{FS_SELECTOR, LONE_TURN, teb_descriptor};
use crate::services::Services;
use crate::sites::CallSites;
use crate::spawn::{Attach, call_first};
use crate::stops::Stops;
use crate::system::SystemCode;
use crate::thread::{Thread, ThreadId, Threads};
use crate::vectored::Vectored;
use crate::watch::Watch;

/// Why a program cannot be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Guest RAM cannot be had.
    #[error(transparent)]
    Ram(#[from] PhysMemoryError),
    /// The MMU cannot be built.
    #[error(transparent)]
    Mmu(#[from] MmuError),
    /// RAM is too small even for the first page tables.
    #[error("guest RAM is too small: {0}")]
    Frames(#[from] NoFrame),
    /// A part of the process does not fit into its address space.
    #[error("{what} at {addr:#010x} cannot be placed: {error}")]
    Place {
        /// What was to be placed.
        what: &'static str,
        /// Where.
        addr: u32,
        /// Why it cannot.
        error: AllocError,
    },
    /// The contents of a part cannot be written.
    #[error("{what} cannot be filled: {error}")]
    Fill {
        /// What was to be filled.
        what: &'static str,
        /// Why it cannot.
        error: CopyError,
    },
    /// The protection of a part cannot be set.
    #[error("{what} cannot be protected: {error}")]
    Protect {
        /// What was to be protected.
        what: &'static str,
        /// Why it cannot.
        error: ProtectError,
    },
    /// The image that the assembler has linked is no executable.
    #[error(transparent)]
    Image(#[from] FromImageError),
    /// The image would reach past the end of the address space.
    #[error("an image of {size:#x} bytes at {base:#010x} does not fit into the address space")]
    TooLarge {
        /// Its address.
        base: u32,
        /// Its size in bytes.
        size: u32,
    },
    /// The program's data for its first thread cannot be made.
    #[error("the data of the first thread cannot be made: {0}")]
    ThreadLocal(#[from] ThreadLocalError),
    /// There is no room for the heap of the process.
    #[error("the heap of the process cannot be made: {0}")]
    Heap(#[from] HeapError),
    /// The program imports more functions than there is room for.
    #[error("too many imported functions that are not emulated: no room for {name}")]
    Imports {
        /// The first function without an address.
        name: String,
    },
}

/// `PAGE_NOACCESS`
const PAGE_NOACCESS: u32 = 0x01;
/// `PAGE_READONLY`
const PAGE_READONLY: u32 = 0x02;
/// `PAGE_READWRITE`
const PAGE_READWRITE: u32 = 0x04;
/// `PAGE_EXECUTE_READ`
const PAGE_EXECUTE_READ: u32 = 0x20;
/// `PAGE_EXECUTE_READWRITE`
const PAGE_EXECUTE_READWRITE: u32 = 0x40;

impl<W: Watch> Machine<W> {
    /// Loads an image that the assembler has linked, as the executable that it would be, with a
    /// stack of the configured size.
    ///
    /// # Errors
    ///
    /// [`LoadError`]: which part of the process could not be made, and why.
    pub fn load(
        image: &Image,
        debug: DebugInfo,
        config: &MachineConfig,
        console: Box<dyn Console>,
        watch: W,
    ) -> Result<Self, LoadError> {
        let mut program = Program::from_image(image)?;
        program.stack = None;
        Self::load_program(&program, debug, config, console, watch)
    }

    /// Loads a program: maps its parts at their protections, makes a stack with a guard page,
    /// binds its imports, and sets the registers as at its entry point.
    ///
    /// # Errors
    ///
    /// [`LoadError`]: which part of the process could not be made, and why.
    pub fn load_program(
        program: &Program,
        debug: DebugInfo,
        config: &MachineConfig,
        console: Box<dyn Console>,
        watch: W,
    ) -> Result<Self, LoadError> {
        W::load(program, debug, config, console, watch)
    }

    /// Does it, compiled for the observer.
    pub(crate) fn load_here(
        program: &Program,
        debug: DebugInfo,
        config: &MachineConfig,
        console: Box<dyn Console>,
        watch: W,
    ) -> Result<Self, LoadError> {
        let mem = PhysMemory::new(config.ram_bytes)?;
        let mut mmu = Mmu::with_observer(mem, &config.mmu, watch.clone())?;
        let mut vmm = Vmm::new(&mmu, config.vmm);
        let process = vmm.create_process(&mut mmu)?;
        vmm.switch_to(&mut mmu, process);
        let mut machine = Self {
            cpu: Cpu::new(),
            mmu,
            vmm,
            process,
            watch,
            console,
            modules: Modules::default(),
            sites: CallSites::default(),
            released: Vec::new(),
            debug,
            program_name: config.program_name.clone(),
            services: Services::new(&config.arguments),
            image: extent(program, config.aslr)?,
            threads: Threads::new(
                Thread::new(ThreadId(THREAD_ID), TEB, 0..0, Registers::new()),
                config.turns,
            ),
            objects: Objects::default(),
            slept_ns: 0,
            turn_left: LONE_TURN,
            stack_size: StackSize {
                reserve: config.stack_reserve_bytes,
                commit: config.stack_commit_bytes,
            },
            thread_local: program.thread_local.clone(),
            tls_indexes: BTreeSet::new(),
            fiber_local: BTreeMap::new(),
            vectored: Vectored::default(),
            refused: Vec::new(),
            dying: None,
            error_mode: 0,
            call_row: CallRow::default(),
            stops: Stops::default(),
            linux: Linux::new(program.platform),
        };
        machine.make_process(program, config)?;
        // The program begins with a cold TLB and with nothing counted.
        machine.mmu.flush_all();
        machine.mmu.reset_statistics();
        machine.watch.start();
        Ok(machine)
    }

    /// Gives a new process its memory and its first thread its registers.
    fn make_process(&mut self, program: &Program, config: &MachineConfig) -> Result<(), LoadError> {
        self.map_image(program)?;
        self.map_environment()?;
        self.map_system()?;
        self.map_system_code(SystemCode::get().image())?;
        self.make_first_stack(config, program.stack)?;
        self.fill_environment(config);
        self.make_heap(program.platform)?;
        self.protect(Part::SHARED, SHARED_DATA, PAGE_SIZE, PAGE_READONLY)?;
        self.start(program)
    }

    fn map_image(&mut self, program: &Program) -> Result<(), LoadError> {
        let Range { start, end } = self.image.clone();
        self.map_as_image(Part::IMAGE, start, end - start)?;
        for part in &program.parts {
            self.fill(Part::IMAGE, start.wrapping_add(part.offset), &part.bytes)?;
        }
        self.relocate(program)?;
        for import in &program.imports {
            let addr = self.bind(import)?;
            let slot = start.wrapping_add(import.slot);
            self.fill(Part::IMAGE, slot, &addr.to_le_bytes())?;
        }
        let rest = match program.platform {
            Platform::Windows => PAGE_READONLY,
            Platform::Linux | Platform::Bare => PAGE_NOACCESS,
        };
        self.protect(Part::IMAGE, start, end - start, rest)?;
        for part in &program.parts {
            let at = start.wrapping_add(part.offset);
            self.protect(Part::IMAGE, at, part.size, protection(part.rights))?;
        }
        Ok(())
    }

    /// Maps the system's code, which is linked for the place where it is.
    fn map_system_code(&mut self, image: &Image) -> Result<(), LoadError> {
        let ends = image.segments.iter().map(|part| part.addr + part.size);
        let end = ends.max().unwrap_or(image.base);
        self.map_as_image(Part::SYSTEM, image.base, end - image.base)?;
        for segment in &image.segments {
            self.fill(Part::SYSTEM, segment.addr, &segment.bytes)?;
        }
        for import in &image.imports {
            let bound = self.modules.bind::<W>(&import.name, None);
            let addr = bound.unwrap_or(RETURN_ADDRESS);
            self.fill(Part::SYSTEM, import.slot, &addr.to_le_bytes())?;
        }
        self.protect(Part::SYSTEM, image.base, end - image.base, PAGE_READONLY)?;
        for segment in &image.segments {
            let protect = if segment.rights.contains(Rights::EXECUTE) {
                PAGE_EXECUTE_READ
            } else {
                PAGE_READWRITE
            };
            self.protect(Part::SYSTEM, segment.addr, segment.size, protect)?;
        }
        Ok(())
    }

    /// Changes the addresses in an image that is not where it was linked to be.
    fn relocate(&mut self, program: &Program) -> Result<(), LoadError> {
        let distance = self.image.start.wrapping_sub(program.base);
        if distance == 0 {
            return Ok(());
        }
        for &place in program.relocations.iter().flatten() {
            let at = self.image.start.wrapping_add(place);
            let linked = self.vmm.read_u32(&mut self.mmu, LinearAddr::new(at));
            let linked = linked.map_err(|error| LoadError::Fill {
                what: Part::IMAGE.0,
                error,
            })?;
            self.fill(
                Part::IMAGE,
                at,
                &linked.wrapping_add(distance).to_le_bytes(),
            )?;
        }
        Ok(())
    }

    /// Returns the address of an import.
    fn bind(&mut self, import: &ProgramImport) -> Result<u32, LoadError> {
        let library = import.library.as_deref();
        let name = match &import.name {
            ImportName::Name(name) => name.clone(),
            ImportName::Ordinal(number) => format!("#{number}"),
        };
        let bound = self.modules.bind::<W>(&name, library);
        bound.ok_or(LoadError::Imports { name })
    }

    /// Makes the thread and process environment blocks.
    fn map_environment(&mut self) -> Result<(), LoadError> {
        self.reserve(Part::ENVIRONMENT, ENVIRONMENT_BASE, ENVIRONMENT_BYTES)?;
        self.commit(Part::ENVIRONMENT, PEB, PAGE_SIZE, PAGE_READWRITE)?;
        self.commit(Part::ENVIRONMENT, TEB, PAGE_SIZE, PAGE_READWRITE)?;
        self.commit(Part::ENVIRONMENT, STRINGS, STRINGS_BYTES, PAGE_READWRITE)?;
        self.reserve(Part::SHARED, SHARED_DATA, PAGE_SIZE)?;
        self.commit(Part::SHARED, SHARED_DATA, PAGE_SIZE, PAGE_READWRITE)?;
        Ok(())
    }

    /// Makes the modules at whose addresses the emulated functions are.
    fn map_system(&mut self) -> Result<(), LoadError> {
        for (base, len_bytes) in Modules::extents::<W>() {
            self.map_as_image(Part::SYSTEM, base, len_bytes)?;
            self.fill(Part::SYSTEM, base, &Modules::header(base))?;
            self.protect(Part::SYSTEM, base, len_bytes, PAGE_EXECUTE_READ)?;
        }
        self.cpu.set_host_calls(Modules::host_calls());
        Ok(())
    }

    /// Makes the stack of the first thread.
    fn make_first_stack(
        &mut self,
        config: &MachineConfig,
        wanted: Option<StackSize>,
    ) -> Result<(), LoadError> {
        self.stack_size = wanted.unwrap_or(StackSize {
            reserve: config.stack_reserve_bytes,
            commit: config.stack_commit_bytes,
        });
        let made = self.make_stack(self.stack_size);
        let stack = made.map_err(|error| LoadError::Place {
            what: Part::STACK.0,
            addr: 0,
            error,
        })?;
        let (start, size) = (stack.range.start, stack.range.end - stack.range.start);
        let pages = PageRange::touched(LinearAddr::new(start), size);
        self.vmm.set_stack(self.process, pages);
        self.fill_teb(TEB, self.threads.current_id(), &stack);
        self.threads.current_mut().stack = stack.range;
        Ok(())
    }

    /// Makes the heap that the process environment block names; a program of Linux has none.
    fn make_heap(&mut self, platform: Platform) -> Result<(), LoadError> {
        if platform != Platform::Windows {
            return Ok(());
        }
        let caller = Caller::of(self.process);
        let heap = self.vmm.process_heap(&mut self.mmu, caller)?;
        self.write_word(PEB + peb::PROCESS_HEAP, heap.0.bits());
        Ok(())
    }

    /// Sets the registers as at the entry point.
    fn start(&mut self, program: &Program) -> Result<(), LoadError> {
        let top = self.threads.current().stack.end;
        let esp = self.put_start_frame(TEB, top, &[RETURN_ADDRESS]);
        let entry = self.image.start.wrapping_add(program.entry);
        let callbacks = self.make_local(TEB)?;
        let image_base = self.image.start;
        let registers = self.cpu.registers_mut();
        registers.set_gpr(Reg::Esp, esp);
        registers.set_gpr(Reg::Ebx, PEB);
        registers.set_eip(entry);
        if let Some(list) = callbacks {
            call_first(registers, list, image_base, Attach::Process);
        }
        let descriptor = teb_descriptor(TEB);
        registers.set_segment(SegmentRegister::Fs, Segment::new(FS_SELECTOR, descriptor));
        self.set_teb(TEB);
        let object = Object::Thread {
            id: self.threads.current_id(),
            exit_code: None,
        };
        self.objects.add(object, None);
        self.start_linux(program.platform);
        Ok(())
    }

    fn reserve(&mut self, what: Part, addr: u32, size_bytes: u32) -> Result<u32, LoadError> {
        self.alloc(
            what,
            addr,
            size_bytes,
            AllocationType::RESERVE,
            PAGE_READWRITE,
        )
    }

    fn commit(
        &mut self,
        what: Part,
        addr: u32,
        size_bytes: u32,
        protect: u32,
    ) -> Result<u32, LoadError> {
        self.alloc(what, addr, size_bytes, AllocationType::COMMIT, protect)
    }

    /// Makes memory of type `MEM_IMAGE`, writable for the time being.
    fn map_as_image(&mut self, what: Part, addr: u32, size_bytes: u32) -> Result<(), LoadError> {
        let (caller, at) = (Caller::of(self.process), LinearAddr::new(addr));
        let mapped = self.vmm.map_image(caller, at, size_bytes);
        mapped.map_err(|error| LoadError::Place {
            what: what.0,
            addr,
            error,
        })?;
        self.protect(what, addr, size_bytes, PAGE_READWRITE)
    }

    fn alloc(
        &mut self,
        what: Part,
        addr: u32,
        size_bytes: u32,
        kind: AllocationType,
        protect: u32,
    ) -> Result<u32, LoadError> {
        let address = LinearAddr::new(addr);
        let request = AllocRequest {
            address,
            size_bytes,
            allocation_type: kind.bits(),
            protect,
        };
        let allocated = self
            .vmm
            .alloc(&mut self.mmu, Caller::of(self.process), &request);
        allocated
            .map(LinearAddr::bits)
            .map_err(|error| LoadError::Place {
                what: what.0,
                addr,
                error,
            })
    }

    fn fill(&mut self, what: Part, addr: u32, bytes: &[u8]) -> Result<(), LoadError> {
        let filled = self
            .vmm
            .copy_out(&mut self.mmu, LinearAddr::new(addr), bytes);
        filled.map_err(|error| LoadError::Fill {
            what: what.0,
            error,
        })
    }

    fn protect(
        &mut self,
        what: Part,
        addr: u32,
        size_bytes: u32,
        protect: u32,
    ) -> Result<(), LoadError> {
        let request = ProtectRequest {
            address: LinearAddr::new(addr),
            size_bytes,
            protect,
        };
        let protected = self
            .vmm
            .protect(&mut self.mmu, Caller::of(self.process), &request);
        protected.map(|_| ()).map_err(|error| LoadError::Protect {
            what: what.0,
            error,
        })
    }
}

/// A part of the process, by the name that errors give it.
#[derive(Clone, Copy)]
struct Part(&'static str);

impl Part {
    const IMAGE: Self = Self("the program's image");
    const ENVIRONMENT: Self = Self("the thread environment block");
    const SYSTEM: Self = Self("the system's modules");
    const STACK: Self = Self("the stack");
    const SHARED: Self = Self("the data that the kernel shares");
}

/// Returns where the image goes: where it wants to be, or elsewhere if that is asked for and it can.
fn extent(program: &Program, aslr: Aslr) -> Result<Range<u32>, LoadError> {
    /// Where images are moved to, in steps of 64 KiB.
    const LOWEST: u32 = 0x0100_0000;
    const STEP: u32 = 0x1_0000;
    const PLACES: u32 = 0x6000;
    let base = match (aslr, &program.relocations) {
        (Aslr::Seeded(seed), Some(_)) => {
            // One step of a 64-bit linear congruential generator, whose high bits are good.
            let mixed = seed
                .wrapping_mul(0x5851_F42D_4C95_7F2D)
                .wrapping_add(0x1405_7B7E_F767_814F);
            let high = u32::try_from(mixed >> u32::BITS).unwrap_or(0);
            LOWEST + high % PLACES * STEP
        }
        _ => program.base,
    };
    let size = program.size.max(PAGE_SIZE);
    let end = base
        .checked_add(size)
        .ok_or(LoadError::TooLarge { base, size })?;
    Ok(base..end)
}

fn protection(rights: PartRights) -> u32 {
    match (
        rights.contains(PartRights::EXECUTE),
        rights.contains(PartRights::WRITE),
        rights.contains(PartRights::READ),
    ) {
        (true, true, _) => PAGE_EXECUTE_READWRITE,
        (true, false, _) => PAGE_EXECUTE_READ,
        (false, true, _) => PAGE_READWRITE,
        (false, false, true) => PAGE_READONLY,
        (false, false, false) => PAGE_NOACCESS,
    }
}
