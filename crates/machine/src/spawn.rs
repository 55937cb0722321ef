//! New threads: stack, TEB, and where they start.

use std::ops::Range;

use pagefault_cpu::{Reg, Registers, Segment, SegmentRegister};
use pagefault_vmm::mmu::{LinearAddr, PAGE_SIZE};
use pagefault_vmm::{
    AllocError, AllocRequest, AllocationType, Caller, FreeRequest, MEM_DECOMMIT, Profile,
};

use thiserror::Error;

use crate::api::RETURN_ADDRESS;
use crate::layout::{
    END_OF_EXCEPTION_LIST, ENVIRONMENT_BASE, PEB, PROCESS_ID, SYSTEM_TEBS, TEB, teb,
};
use crate::local::ThreadLocalError;
use crate::machine::Machine;
use crate::objects::{Object, ObjectId};
use crate::program::StackSize;
use crate::schedule::{FS_SELECTOR, teb_descriptor};
use crate::system::SystemCode;
use crate::thread::{Thread, ThreadId};
use crate::watch::Watch;

/// `PAGE_READWRITE`
const PAGE_READWRITE: u32 = 0x04;
/// `PAGE_GUARD`
const PAGE_GUARD: u32 = 0x100;
/// The largest stack in bytes.
const MAX_STACK_BYTES: u32 = 1 << 30;
/// What a stack has below its first page at least: a guard page, and a last page that stays free.
const MIN_GROWTH_BYTES: u32 = 2 * PAGE_SIZE;
/// The size of a stack slot in bytes.
const SLOT_BYTES: u32 = 4;

/// Why a thread cannot be made.
#[derive(Clone, Copy, Debug, Error)]
pub(crate) enum SpawnError {
    /// There is no room for its stack or its TEB.
    #[error(transparent)]
    Alloc(#[from] AllocError),
    /// Its data cannot be made.
    #[error(transparent)]
    ThreadLocal(#[from] ThreadLocalError),
}

/// Why the functions of a TLS directory are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attach {
    /// `DLL_PROCESS_ATTACH`
    Process,
    /// `DLL_THREAD_ATTACH`
    Thread,
}

/// Has a thread call the functions of a list, before it goes where EIP points.
pub(crate) fn call_first(registers: &mut Registers, list: u32, image_base: u32, why: Attach) {
    let reason = match why {
        Attach::Process => 1,
        Attach::Thread => 2,
    };
    registers.set_gpr(Reg::Ebp, registers.eip());
    registers.set_gpr(Reg::Esi, list);
    registers.set_gpr(Reg::Edi, image_base);
    registers.set_gpr(Reg::Ebx, reason);
    registers.set_eip(SystemCode::get().entry("CallFirst"));
}

/// A stack.
#[derive(Clone, Debug)]
pub(crate) struct NewStack {
    /// All of the reservation.
    pub(crate) range: Range<u32>,
    /// The lowest address that can be used.
    pub(crate) limit: u32,
}

/// What a thread starts with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) function: u32,
    pub(crate) parameter: u32,
    pub(crate) stack: StackSize,
}

impl<W: Watch> Machine<W> {
    /// Makes a thread that is suspended once. Nothing is left of one that cannot be made.
    pub(crate) fn spawn(&mut self, start: Start) -> Result<(ThreadId, ObjectId), SpawnError> {
        let stack = self.make_stack(start.stack)?;
        let teb = match self.make_teb() {
            Ok(teb) => teb,
            Err(error) => {
                self.release(stack.range.start);
                return Err(error.into());
            }
        };
        let id = self.threads.new_id();
        self.fill_teb(teb, id, &stack);
        let words = [RETURN_ADDRESS, start.parameter];
        let esp = self.put_start_frame(teb, stack.range.end, &words);
        let mut registers = Registers::new();
        registers.set_gpr(Reg::Esp, esp);
        registers.set_gpr(Reg::Eax, start.function);
        registers.set_gpr(Reg::Ebx, start.parameter);
        registers.set_eip(start.function);
        let segment = Segment::new(FS_SELECTOR, teb_descriptor(teb));
        registers.set_segment(SegmentRegister::Fs, segment);
        match self.make_local(teb) {
            Ok(Some(list)) => call_first(&mut registers, list, self.image.start, Attach::Thread),
            Ok(None) => {}
            Err(error) => {
                self.release(stack.range.start);
                self.free_teb(teb);
                return Err(error.into());
            }
        }
        let mut thread = Thread::new(id, teb, stack.range, registers);
        thread.suspended = 1;
        self.threads.add(thread);
        let object = Object::Thread {
            id,
            exit_code: None,
        };
        Ok((id, self.objects.add(object, None)))
    }

    /// Reserves a stack, commits its top, and puts a guard page below that.
    pub(crate) fn make_stack(&mut self, wanted: StackSize) -> Result<NewStack, AllocError> {
        let commit = wanted.commit.clamp(1, MAX_STACK_BYTES / 2);
        let commit = commit.next_multiple_of(PAGE_SIZE);
        let reserve = wanted
            .reserve
            .clamp(commit + MIN_GROWTH_BYTES, MAX_STACK_BYTES);
        let reserve = reserve.next_multiple_of(PAGE_SIZE);
        let base = self.own(0, reserve, AllocationType::RESERVE, PAGE_READWRITE)?;
        let top = base + reserve;
        let limit = match self.vmm.config().profile {
            Profile::Nt => top - commit,
            // Without guard pages nothing would make the stack grow. Its last page stays reserved.
            Profile::Win9x => base + PAGE_SIZE,
        };
        let mut commits = vec![(limit, top - limit, PAGE_READWRITE)];
        if self.vmm.config().profile == Profile::Nt {
            commits.insert(
                0,
                (limit - PAGE_SIZE, PAGE_SIZE, PAGE_READWRITE | PAGE_GUARD),
            );
        }
        for (addr, size, protect) in commits {
            if let Err(error) = self.own(addr, size, AllocationType::COMMIT, protect) {
                self.release(base);
                return Err(error);
            }
        }
        Ok(NewStack {
            range: base..top,
            limit,
        })
    }

    /// Commits a page for a TEB: one below the PEB, or any if there is none left.
    fn make_teb(&mut self) -> Result<u32, AllocError> {
        let used: Vec<u32> = self.threads.iter().map(|thread| thread.teb).collect();
        let free = (1..=SYSTEM_TEBS)
            .map(|index| PEB - index * PAGE_SIZE)
            .find(|teb| !used.contains(teb));
        let (addr, kind) = match free {
            Some(teb) => (teb, AllocationType::COMMIT),
            None => (0, AllocationType::RESERVE | AllocationType::COMMIT),
        };
        self.own(addr, PAGE_SIZE, kind, PAGE_READWRITE)
    }

    /// Takes the TEB of a thread away that has ended.
    pub(crate) fn free_teb(&mut self, teb: u32) {
        if !(ENVIRONMENT_BASE..TEB).contains(&teb) {
            self.release(teb);
            return;
        }
        let request = FreeRequest {
            address: LinearAddr::new(teb),
            size_bytes: PAGE_SIZE,
            free_type: MEM_DECOMMIT,
        };
        let freed = self
            .vmm
            .free(&mut self.mmu, Caller::of(self.process), &request);
        // The program may have taken it away itself.
        _ = freed;
    }

    /// Fills the fields of a new TEB.
    pub(crate) fn fill_teb(&mut self, at: u32, id: ThreadId, stack: &NewStack) {
        for (offset, value) in [
            (teb::EXCEPTION_LIST, END_OF_EXCEPTION_LIST),
            (teb::STACK_BASE, stack.range.end),
            (teb::STACK_LIMIT, stack.limit),
            (teb::SELF, at),
            (teb::PROCESS_ID, PROCESS_ID),
            (teb::THREAD_ID, id.0),
            (teb::PEB, PEB),
            (teb::REAL_PROCESS_ID, PROCESS_ID),
            (teb::REAL_THREAD_ID, id.0),
            (teb::DEALLOCATION_STACK, stack.range.start),
            (teb::CURRENT_LOCALE, LOCALE),
        ] {
            self.write_word(at + offset, value);
        }
    }

    /// Puts the frame at the top of a stack that ends the process on exceptions that nobody
    /// handles, and `words` below it; returns ESP.
    pub(crate) fn put_start_frame(&mut self, teb: u32, top: u32, words: &[u32]) -> u32 {
        /// A registration, and three words that compilers' frames have behind it.
        const FRAME_WORDS: u32 = 5;
        let handler = SystemCode::get().entry("TopHandler");
        let frame = top.wrapping_sub(FRAME_WORDS * SLOT_BYTES);
        self.write_word(frame, END_OF_EXCEPTION_LIST);
        self.write_word(frame.wrapping_add(SLOT_BYTES), handler);
        self.write_word(teb + teb::EXCEPTION_LIST, frame);
        let mut esp = frame;
        for &word in words.iter().rev() {
            esp = esp.wrapping_sub(SLOT_BYTES);
            self.write_word(esp, word);
        }
        esp
    }

    /// Allocates memory of the system's own in the process.
    fn own(
        &mut self,
        addr: u32,
        size_bytes: u32,
        kind: AllocationType,
        protect: u32,
    ) -> Result<u32, AllocError> {
        let request = AllocRequest {
            address: LinearAddr::new(addr),
            size_bytes,
            allocation_type: kind.bits(),
            protect,
        };
        let caller = Caller::of(self.process);
        let base = self.vmm.alloc(&mut self.mmu, caller, &request)?;
        Ok(base.bits())
    }
}

/// English, as spoken in the United States.
const LOCALE: u32 = 0x409;
