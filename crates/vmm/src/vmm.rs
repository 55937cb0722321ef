//! The virtual memory manager: frames, processes, and what they share.

use pagefault_mmu::tables::{self, Root};
use pagefault_mmu::{
    Cr0, Cr4, Efer, FrameNumber, LinearAddr, Mmu, Observer, PageEntry, PageNumber, PteFlags,
};
use thiserror::Error;

use crate::config::{PagingMode, VmmConfig};
use crate::counters::{Commit, Counters};
use crate::frames::{Contents, FrameOwner, FrameTable};
use crate::history::{History, Origin};
use crate::protection::Protection;
use crate::range::PageRange;
use crate::region::{Vad, Watched};
use crate::section::Sections;
use crate::software::SoftwarePte;
use crate::space::{Backing, Editor, Loaded, PageState, ProcessId, Space};
use crate::store::{PageStore, PagingFile};
use crate::win32::Win32Code;

/// Who makes a call, and for which process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The process whose memory is meant.
    pub process: ProcessId,
    /// The call site, kept for [`Vmm::history`].
    pub origin: Origin,
}

impl Caller {
    /// Returns the caller with no call site to be remembered.
    pub const fn of(process: ProcessId) -> Self {
        Self {
            process,
            origin: Origin::UNKNOWN,
        }
    }
}

/// No frame of RAM could be found: each is locked, or used by page tables, or the paging file
/// takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no frame of physical memory can be made free")]
pub struct NoFrame;

impl NoFrame {
    /// Returns `ERROR_NO_SYSTEM_RESOURCES`.
    pub const fn win32_code(self) -> Win32Code {
        Win32Code::NO_SYSTEM_RESOURCES
    }
}

/// The virtual memory manager of an emulated machine.
///
/// It owns no memory: page tables and pages are frames of the [`Mmu`] that each call is given, which
/// must be the same one every time.
#[derive(Debug)]
pub struct Vmm {
    pub(crate) config: VmmConfig,
    pub(crate) frames: FrameTable,
    pub(crate) paging_file: PagingFile,
    pub(crate) commit: Commit,
    pub(crate) counters: Counters,
    pub(crate) spaces: Vec<Option<Space>>,
    pub(crate) sections: Sections,
    pub(crate) current: Option<ProcessId>,
}

impl Vmm {
    /// Returns a manager of all of the MMU's RAM, without a paging file and without processes.
    pub fn new<O: Observer>(mmu: &Mmu<O>, config: VmmConfig) -> Self {
        let frames = FrameTable::new(mmu.mem().frame_count(), config.replacement);
        let commit = Commit::new(frames.frame_count());
        Self {
            config,
            frames,
            paging_file: PagingFile::none(),
            commit,
            counters: Counters::default(),
            spaces: Vec::new(),
            sections: Sections::default(),
            current: None,
        }
    }

    /// Gives the manager a paging file of at most `limit_pages` pages, which raises the commit
    /// limit.
    ///
    /// Must be called before anything is paged out.
    pub fn set_paging_file(&mut self, store: Box<dyn PageStore>, limit_pages: u32) {
        self.paging_file = PagingFile::new(store, limit_pages);
        // One slot is kept back: to exchange two pages, one of them needs a place to go first.
        let slots = self.paging_file.limit_slots().saturating_sub(1);
        self.commit.limit_pages = self.frames.frame_count().saturating_add(slots);
    }

    /// Lowers the commit limit below what RAM and paging file could hold.
    pub fn set_commit_limit(&mut self, limit_pages: u32) {
        self.commit.limit_pages = limit_pages;
    }

    /// Returns the settings.
    pub fn config(&self) -> &VmmConfig {
        &self.config
    }

    /// Returns the counters.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Returns the commit charge and its limit.
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Returns how many frames are free.
    pub fn free_frames(&self) -> u32 {
        self.frames.free_count()
    }

    /// Returns how many frames there are.
    pub fn frame_count(&self) -> u32 {
        self.frames.frame_count()
    }

    /// Returns how many slots of the paging file are in use, and the most that ever were.
    pub fn paging_file_slots(&self) -> (u32, u32) {
        (self.paging_file.used_slots(), self.paging_file.peak_slots())
    }

    /// Returns whose contents the frame holds.
    pub fn frame_owner(&self, frame: FrameNumber) -> FrameOwner {
        self.frames.info(frame).owner
    }

    /// Makes a process with an empty address space.
    ///
    /// # Errors
    ///
    /// [`NoFrame`] if there is none for the page directory; nothing has changed.
    pub fn create_process<O: Observer>(&mut self, mmu: &mut Mmu<O>) -> Result<ProcessId, NoFrame> {
        let number = u32::try_from(self.spaces.len()).map_err(|_| NoFrame)?;
        let id = ProcessId(number);
        let first = self.take_table(mmu, id)?;
        let mut directories = vec![first];
        let root = match self.config.paging {
            PagingMode::TwoLevel => Root::TwoLevel(first),
            PagingMode::Pae => {
                let root = Root::Pae(first.start());
                for index in 0..PAE_DIRECTORIES {
                    let Ok(directory) = self.take_table(mmu, id) else {
                        for frame in directories {
                            self.free_table(frame);
                        }
                        return Err(NoFrame);
                    };
                    directories.push(directory);
                    tables::set_pdpte(mmu.mem_mut(), root, index, directory);
                }
                root
            }
        };
        let config = &self.config;
        let space = Space::new(root, directories, config.user_space, config.working_set);
        self.spaces.push(Some(space));
        Ok(id)
    }

    /// Ends a process: its memory, page tables and commit charge are given back, and what it left of
    /// sections goes once nobody else has them.
    ///
    /// Does nothing if there is no such process. If its tables are loaded they must not be used any
    /// more: switch to another process.
    pub fn destroy_process<O: Observer>(&mut self, mmu: &mut Mmu<O>, process: ProcessId) {
        if self
            .spaces
            .get(process.get() as usize)
            .is_none_or(Option::is_none)
        {
            return;
        }
        self.close_all_handles(mmu, process);
        self.free_all_physical(mmu, process);
        let space = self.space(process);
        let vads: Vec<Vad> = space.regions.values().map(|region| region.vad).collect();
        for vad in vads {
            if self
                .unmap_view(mmu, Caller::of(process), vad.base())
                .is_err()
            {
                self.remove_region(mmu, process, &vad);
            }
        }
        let space = self
            .spaces
            .get_mut(process.get() as usize)
            .and_then(Option::take);
        for frame in space.into_iter().flat_map(|space| space.directories) {
            self.free_table(frame);
        }
        if self.current == Some(process) {
            self.current = None;
        }
    }

    /// Loads the process's tables into CR3, turning paging on if it is off.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn switch_to<O: Observer>(&mut self, mmu: &mut Mmu<O>, process: ProcessId) {
        let cr3 = self.space(process).root.cr3();
        let loaded = match (mmu.control().is_paging(), self.config.paging) {
            (true, _) => mmu.set_cr3(cr3),
            (false, paging) => start_paging(mmu, paging, cr3),
        };
        loaded.expect("the directory level of a space is well-formed");
        self.current = Some(process);
    }

    /// Returns the process whose tables are loaded.
    pub fn current(&self) -> Option<ProcessId> {
        self.current
    }

    /// Returns the value of CR3 for the process.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn cr3(&self, process: ProcessId) -> u32 {
        self.space(process).root.cr3()
    }

    /// Returns the top of the process's page tables.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn root(&self, process: ProcessId) -> Root {
        self.space(process).root
    }

    /// Says which stack grows when its guard page is touched: that of the running thread.
    ///
    /// `stack` runs from the lowest page of the reservation to the highest.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn set_stack(&mut self, process: ProcessId, stack: Option<PageRange>) {
        self.space_mut(process).stack = stack;
    }

    /// Returns where the lowest free range of this size starts, on a multiple of 64 KiB.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn find_free(&self, process: ProcessId, size_bytes: u32) -> Option<LinearAddr> {
        let len_pages = size_bytes.div_ceil(pagefault_mmu::PAGE_SIZE).max(1);
        let pages = self.space(process).granules.lowest_free(len_pages)?;
        Some(pages.start().start())
    }

    /// Returns which calls brought the page at `addr` to its present state.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn history(&self, process: ProcessId, addr: LinearAddr) -> History {
        let region = self.space(process).region(addr.page());
        region
            .map(|region| region.history.at(addr.page()))
            .unwrap_or_default()
    }

    /// Returns the pages of the allocation around `addr`; `None` where nothing is allocated.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn allocation_pages(&self, process: ProcessId, addr: LinearAddr) -> Option<PageRange> {
        self.space(process)
            .region(addr.page())
            .map(|region| region.vad.pages)
    }

    pub(crate) fn space(&self, process: ProcessId) -> &Space {
        let space = self
            .spaces
            .get(process.get() as usize)
            .and_then(Option::as_ref);
        space.unwrap_or_else(|| panic!("{process:?} does not exist"))
    }

    pub(crate) fn space_mut(&mut self, process: ProcessId) -> &mut Space {
        let space = self
            .spaces
            .get_mut(process.get() as usize)
            .and_then(Option::as_mut);
        space.unwrap_or_else(|| panic!("{process:?} does not exist"))
    }

    pub(crate) fn loaded(&self, process: ProcessId) -> Loaded {
        if self.current == Some(process) {
            Loaded::Yes
        } else {
            Loaded::No
        }
    }

    pub(crate) fn editor<'a, O: Observer>(
        &self,
        mmu: &'a mut Mmu<O>,
        process: ProcessId,
    ) -> Editor<'a, O> {
        Editor::new(mmu, self.space(process).root, self.loaded(process))
    }

    /// Returns the state of a page of the region that `vad` describes.
    pub(crate) fn page_state<O: Observer>(
        &self,
        mmu: &Mmu<O>,
        space: &Space,
        vad: &Vad,
        page: PageNumber,
    ) -> PageState {
        space.page_state(mmu.mem(), &self.sections, vad, page)
    }

    /// Returns a frame of zeros.
    pub(crate) fn take_zeroed_frame<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        owner: FrameOwner,
    ) -> Result<FrameNumber, NoFrame> {
        let frame = self.take_frame(mmu, owner)?;
        mmu.mem_mut().zero_frame(frame);
        mmu.note_write(frame);
        Ok(frame)
    }

    /// Returns a frame of zeros for tables of a process. It counts against the commit limit: tables
    /// are never paged out, so that without this the paging file could be too small for the rest.
    fn take_table<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
    ) -> Result<FrameNumber, NoFrame> {
        if self.commit.available_pages() == 0 {
            return Err(NoFrame);
        }
        let frame = self.take_zeroed_frame(mmu, FrameOwner::Tables(process))?;
        self.commit.charge(1);
        Ok(frame)
    }

    fn free_table(&mut self, table: FrameNumber) {
        self.frames.free(table);
        self.commit.release(1);
    }

    /// Makes sure that a table covers each of `pages`.
    ///
    /// On an error some tables may have been added; an empty table says nothing.
    pub(crate) fn add_tables<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        pages: PageRange,
    ) -> Result<(), NoFrame> {
        let mut from = pages.start().bits() & !(self.space(process).root.pages_per_table() - 1);
        while let Some(start) = self.space(process).missing_table(pages, from) {
            from = start.bits() + 1;
            let table = self.take_table(mmu, process)?;
            let root = self.space(process).root;
            let added = tables::add_table(mmu.mem_mut(), root, start, table);
            added.expect("the directory exists and had no entry there");
            self.space_mut(process).tables.insert(start.bits(), table);
        }
        Ok(())
    }

    /// Frees the tables over `pages` in which no entry says anything any more.
    pub(crate) fn remove_empty_tables<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        pages: PageRange,
    ) {
        let space = self.space(process);
        let root = space.root;
        for start in space.empty_tables(mmu.mem(), pages) {
            if let Some((table, stale)) = tables::remove_table(mmu.mem_mut(), root, start) {
                self.editor(mmu, process).pay(Some(stale));
                self.space_mut(process).tables.remove(&start.bits());
                self.free_table(table);
            }
        }
    }

    /// Returns the entry that maps `frame` at `page` in the region that `vad` describes.
    pub(crate) fn entry_for(
        &self,
        process: ProcessId,
        vad: &Vad,
        page: PageNumber,
        frame: FrameNumber,
        protection: Protection,
    ) -> PageEntry {
        let rights = protection.rights();
        let awaits_write = vad.watched == Watched::Yes
            && self
                .space(process)
                .region(page)
                .is_some_and(|region| region.awaits_write(page));
        let is_writable = rights.is_writable() && !rights.is_copy_on_write() && !awaits_write;
        let mut flags = protection.entry_flags();
        flags.set(PteFlags::WRITABLE, is_writable);
        PageEntry {
            frame,
            flags,
            execute: protection.execute(self.config.paging.fetch_rule()),
        }
    }

    /// Takes a mapped page out of its entry's hands: the entry becomes `new`, and what its D flag
    /// says is kept with the frame.
    pub(crate) fn unmap<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        page: PageNumber,
        old: PageEntry,
        new: SoftwarePte,
    ) {
        self.editor(mmu, process).set_software(page, new);
        let info = self.frames.info_mut(old.frame);
        info.mappings -= 1;
        if old.flags.contains(PteFlags::DIRTY) {
            info.contents = Contents::Modified;
        }
        self.space_mut(process).resident_pages -= 1;
    }

    /// Takes away whatever contents a page has; its entry becomes `new`.
    pub(crate) fn drop_page<O: Observer>(
        &mut self,
        mmu: &mut Mmu<O>,
        process: ProcessId,
        page: PageNumber,
        backing: Backing,
        new: SoftwarePte,
    ) {
        if self.space_mut(process).locked.remove(&page)
            && let Some(frame) = self.frame_behind(process, page, backing)
        {
            self.frames.info_mut(frame).locks -= 1;
        }
        match backing {
            Backing::Mapped(entry) => {
                self.unmap(mmu, process, page, entry, new);
                if matches!(
                    self.frames.info(entry.frame).owner,
                    FrameOwner::Private { .. }
                ) {
                    self.free_frame(entry.frame);
                }
            }
            Backing::Transition(frame) => {
                self.editor(mmu, process).set_software(page, new);
                self.free_frame(frame);
            }
            Backing::PagingFile(slot) => {
                self.editor(mmu, process).set_software(page, new);
                self.paging_file.free(slot);
            }
            Backing::Zero | Backing::Discarded | Backing::Section => {
                self.editor(mmu, process).set_software(page, new);
            }
        }
    }

    /// Returns the frame that holds the page's contents.
    pub(crate) fn frame_behind(
        &self,
        process: ProcessId,
        page: PageNumber,
        backing: Backing,
    ) -> Option<FrameNumber> {
        match backing {
            Backing::Mapped(entry) => Some(entry.frame),
            Backing::Transition(frame) => Some(frame),
            Backing::Section => {
                let region = self.space(process).region(page)?;
                let (section, index) = region.vad.section_page(page)?;
                self.section_frame(section, index)
            }
            Backing::Zero | Backing::Discarded | Backing::PagingFile(_) => None,
        }
    }

    /// Frees a frame together with its copy in the paging file.
    pub(crate) fn free_frame(&mut self, frame: FrameNumber) {
        let info = self.frames.info(frame);
        debug_assert_eq!(
            (info.mappings, info.locks),
            (0, 0),
            "{frame:?} is still in use"
        );
        if let Some(slot) = info.copy {
            self.paging_file.free(slot);
        }
        self.frames.free(frame);
    }
}

/// Directories of a PAE space: one for each GiB of linear memory.
const PAE_DIRECTORIES: u32 = 4;

/// Turns paging on as Windows runs it: supervisor writes respect read-only pages, large pages and
/// global pages exist.
fn start_paging<O: Observer>(
    mmu: &mut Mmu<O>,
    paging: PagingMode,
    cr3: u32,
) -> Result<(), pagefault_mmu::ControlFault> {
    let mut cr4 = Cr4::PAGE_SIZE_EXTENSIONS | Cr4::PAGE_GLOBAL;
    if paging == PagingMode::Pae {
        cr4 |= Cr4::PHYSICAL_ADDRESS_EXTENSION;
        mmu.set_efer(Efer::NO_EXECUTE_ENABLE.bits())?;
    }
    mmu.set_cr4(cr4.bits())?;
    mmu.set_cr3(cr3)?;
    mmu.set_cr0((Cr0::PROTECTED_MODE | Cr0::WRITE_PROTECT | Cr0::PAGING).bits())
}
