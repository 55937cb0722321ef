//! A machine at a moment. Frames that did not change between two moments are kept once.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use pagefault_cpu::SavedCpu;
use pagefault_vmm::mmu::{FrameNumber, PAGE_SIZE, SavedMmu};
use pagefault_vmm::{CopyManagerError, Origin, PageBytes, ProcessId, Vmm};
use thiserror::Error;

use crate::api::Modules;
use crate::history::Moment;
use crate::linux::Linux;
use crate::machine::{CallRow, Machine};
use crate::objects::Objects;
use crate::program::{StackSize, ThreadLocal};
use crate::raise::RefusedAccess;
use crate::report::ExceptionReport;
use crate::services::SavedServices;
use crate::sites::CallSites;
use crate::thread::Threads;
use crate::vectored::Vectored;
use crate::watch::Listener;

/// Why a machine cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// Pages are kept in something that there cannot be two of.
    #[error(transparent)]
    Manager(#[from] CopyManagerError),
    /// A file was open before the recording began.
    #[error("a file was open before the recording began")]
    OpenFile,
    /// The program, run again, has asked the outside for something else than before. What was known
    /// of later moments is forgotten.
    #[error(
        "run again, the program does something else before {} instructions are executed",
        .0.instructions
    )]
    Diverged(Moment),
}

/// The frames in use, with their contents, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages(Rc<[(FrameNumber, Rc<PageBytes>)]>);

impl Pages {
    fn get(&self, frame: FrameNumber) -> Option<&Rc<PageBytes>> {
        let place = self.0.binary_search_by_key(&frame, |&(known, _)| known);
        Some(&self.0[place.ok()?].1)
    }
}

/// A machine at a moment: processor, TLB, RAM, memory manager, threads, and what the system keeps.
#[derive(Debug)]
pub(super) struct Snapshot {
    cpu: SavedCpu,
    mmu: SavedMmu,
    pages: Pages,
    vmm: Vmm,
    process: ProcessId,
    modules: Modules,
    sites: CallSites,
    released: Vec<(Range<u32>, Origin)>,
    services: SavedServices,
    image: Range<u32>,
    threads: Threads,
    vectored: Vectored,
    refused: Vec<RefusedAccess>,
    dying: Option<Box<ExceptionReport>>,
    objects: Objects,
    slept_ns: u64,
    turn_left: u64,
    stack_size: StackSize,
    thread_local: Option<ThreadLocal>,
    tls_indexes: BTreeSet<u32>,
    fiber_local: BTreeMap<u32, u32>,
    error_mode: u32,
    linux: Linux,
    call_row: CallRow,
    size: Size,
}

/// The host memory of a snapshot, about.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// What came with it, in bytes.
    own_bytes: u64,
    /// What of that is no page.
    tables_bytes: u64,
}

impl Size {
    /// Returns the size of a snapshot of `frames` frames, of which `copied` are its own.
    fn of(vmm: &Vmm, frames: usize, copied: u64, before: Option<&Snapshot>) -> Self {
        let regions = vmm.region_count() as u64;
        let tables_bytes = frames as u64 * FRAME_INFO_BYTES + regions * REGION_BYTES + FIXED_BYTES;
        let paged_out = before.map_or(0, |before| before.vmm.counters().pages_out);
        let stored = vmm.counters().pages_out.saturating_sub(paged_out);
        Self {
            own_bytes: (copied + stored) * u64::from(PAGE_SIZE) + tables_bytes,
            tables_bytes,
        }
    }
}

/// About what a region, with its history, takes in bytes.
const REGION_BYTES: u64 = 512;
/// About what a snapshot takes beside frames, regions and the table of frames.
const FIXED_BYTES: u64 = 64 << 10;
/// About what is known of a frame, in bytes, in all copies of the memory manager.
const FRAME_INFO_BYTES: u64 = 64;

impl Snapshot {
    /// Returns what the machine is now. Frames that are as in `before` are shared with it.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub(super) fn of(
        machine: &Machine<Listener>,
        before: Option<&Self>,
    ) -> Result<Self, SnapshotError> {
        // Every field is named, so that a new one is not forgotten.
        let Machine {
            cpu,
            mmu,
            vmm,
            process,
            watch: _,
            console: _,
            modules,
            sites,
            released,
            debug: _,
            program_name: _,
            services,
            image,
            threads,
            vectored,
            refused,
            dying,
            objects,
            slept_ns,
            turn_left,
            stack_size,
            thread_local,
            tls_indexes,
            fiber_local,
            error_mode,
            linux,
            call_row,
            stops: _,
        } = machine;
        let (pages, copied) = pages(machine, before.map(|before| &before.pages));
        Ok(Self {
            cpu: cpu.save(),
            mmu: mmu.save(),
            size: Size::of(vmm, pages.0.len(), copied, before),
            pages,
            vmm: vmm.copy()?,
            process: *process,
            modules: modules.clone(),
            sites: sites.clone(),
            released: released.clone(),
            services: SavedServices::of(services).ok_or(SnapshotError::OpenFile)?,
            image: image.clone(),
            threads: threads.clone(),
            vectored: vectored.clone(),
            refused: refused.clone(),
            dying: dying.clone(),
            objects: objects.clone(),
            slept_ns: *slept_ns,
            turn_left: *turn_left,
            stack_size: *stack_size,
            thread_local: thread_local.clone(),
            tls_indexes: tls_indexes.clone(),
            fiber_local: fiber_local.clone(),
            error_mode: *error_mode,
            linux: linux.clone(),
            call_row: *call_row,
        })
    }

    /// Makes the machine what it was.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`]; it could be kept, so that this does not happen.
    pub(super) fn put_back(&self, machine: &mut Machine<Listener>) -> Result<(), SnapshotError> {
        let vmm = self.vmm.copy()?;
        let services = self.services.put_back(&mut machine.services);
        services.ok_or(SnapshotError::OpenFile)?;
        machine.vmm = vmm;
        let mem = machine.mmu.mem_mut();
        for (frame, bytes) in self.pages.0.iter() {
            if let Some(contents) = mem.frame_mut(*frame)
                && *contents != **bytes
            {
                *contents = **bytes;
            }
        }
        machine.mmu.restore(&self.mmu);
        machine.cpu.restore(&self.cpu);
        machine.process = self.process;
        machine.modules = self.modules.clone();
        machine.sites = self.sites.clone();
        machine.released.clone_from(&self.released);
        machine.image = self.image.clone();
        machine.threads = self.threads.clone();
        machine.vectored = self.vectored.clone();
        machine.refused.clone_from(&self.refused);
        machine.dying.clone_from(&self.dying);
        machine.objects = self.objects.clone();
        machine.slept_ns = self.slept_ns;
        machine.turn_left = self.turn_left;
        machine.stack_size = self.stack_size;
        machine.thread_local.clone_from(&self.thread_local);
        machine.tls_indexes.clone_from(&self.tls_indexes);
        machine.fiber_local.clone_from(&self.fiber_local);
        machine.error_mode = self.error_mode;
        machine.linux = self.linux.clone();
        machine.call_row = self.call_row;
        Ok(())
    }

    /// Returns the bytes that dropping this snapshot alone would give back.
    pub(super) fn freed_bytes(&self) -> u64 {
        let frames = self.pages.0.iter();
        let alone = frames.filter(|(_, bytes)| Rc::strong_count(bytes) == 1);
        let freed = alone.count() as u64 * u64::from(PAGE_SIZE) + self.size.tables_bytes;
        freed.min(self.size.own_bytes)
    }

    /// Takes over what another snapshot shared with this one.
    pub(super) fn take_over(&mut self, bytes: u64) {
        self.size.own_bytes = self.size.own_bytes.saturating_add(bytes);
    }

    /// Returns about how many bytes of host memory go with this snapshot.
    pub(super) fn own_bytes(&self) -> u64 {
        self.size.own_bytes
    }

    /// Returns about what it costs to make such a snapshot, in instructions that could run instead.
    pub(super) fn cost(&self) -> u64 {
        /// To compare a frame, to copy a region's record, and all the rest.
        const FRAME: u64 = 250;
        const REGION: u64 = 500;
        const FIXED: u64 = 100_000;
        let frames = self.pages.0.len() as u64;
        let regions = self.vmm.region_count() as u64;
        FIXED + frames * FRAME + regions * REGION
    }
}

/// Returns the frames in use, and how many of them are not shared with `before`.
fn pages(machine: &Machine<Listener>, before: Option<&Pages>) -> (Pages, u64) {
    let mem = machine.mmu.mem();
    let mut copied = 0;
    let pages = machine.vmm.frames_in_use().filter_map(|frame| {
        let bytes = mem.frame(frame)?;
        let known = before.and_then(|before| before.get(frame));
        let known = known.filter(|known| ***known == *bytes);
        let kept = known.cloned().unwrap_or_else(|| {
            copied += 1;
            Rc::new(*bytes)
        });
        Some((frame, kept))
    });
    let pages = pages.collect();
    (Pages(pages), copied)
}
