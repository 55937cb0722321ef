//! What each frame of RAM is used for.

use pagefault_mmu::{FrameAllocator, FrameNumber, PageNumber};

use crate::replacement::{PolicyKind, Replacement};
use crate::section::SectionId;
use crate::software::Slot;
use crate::space::ProcessId;

/// Whose contents a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameOwner {
    /// Nobody's: the frame is free.
    Nobody,
    /// Page tables of a process.
    Tables(ProcessId),
    /// A page that belongs to one process.
    Private {
        /// The process.
        process: ProcessId,
        /// The page.
        page: PageNumber,
    },
    /// A physical page that a process allocated for itself (AWE).
    Physical {
        /// The process.
        process: ProcessId,
        /// Where it is mapped, if it is.
        at: Option<PageNumber>,
    },
    /// A page of a section, which any number of views may map.
    Section {
        /// The section.
        section: SectionId,
        /// The page's index in the section.
        index: u32,
    },
}

impl FrameOwner {
    /// Returns whether the frame holds a page, which can be sent elsewhere.
    pub(crate) const fn is_page(self) -> bool {
        matches!(self, Self::Private { .. } | Self::Section { .. })
    }
}

/// What is known of a frame beside what the entries that map it say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameInfo {
    pub(crate) owner: FrameOwner,
    /// A slot of the paging file with the same contents, while they are not modified.
    pub(crate) copy: Option<Slot>,
    pub(crate) contents: Contents,
    /// How many present entries map the frame.
    pub(crate) mappings: u32,
    /// How many processes have locked it.
    pub(crate) locks: u32,
}

/// What would be lost if the frame were given to another page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contents {
    /// Nothing that cannot be had again: zeros, or what the copy or the file holds. A D flag in an
    /// entry that maps the frame overrules this.
    Clean,
    /// Data that is nowhere else.
    Modified,
    /// Data that `MEM_RESET` gave up. A D flag in an entry that maps the frame overrules this.
    Reset,
}

impl FrameInfo {
    const FREE: Self = Self {
        owner: FrameOwner::Nobody,
        copy: None,
        contents: Contents::Clean,
        mappings: 0,
        locks: 0,
    };
}

/// The frames of RAM with what each is used for.
#[derive(Debug)]
pub(crate) struct FrameTable {
    allocator: FrameAllocator,
    /// Grows with the highest frame in use: most runs use little of their RAM.
    info: Vec<FrameInfo>,
    /// Chooses among the frames that hold pages. Absent only while it is asked.
    policy: Option<Box<dyn Replacement>>,
}

impl Clone for FrameTable {
    fn clone(&self) -> Self {
        Self {
            allocator: self.allocator.clone(),
            info: self.info.clone(),
            policy: self.policy.as_ref().map(|policy| policy.boxed()),
        }
    }
}

impl FrameTable {
    pub(crate) fn new(frame_count: u32, policy: PolicyKind) -> Self {
        let allocator = FrameAllocator::new(frame_count);
        Self {
            allocator,
            info: Vec::new(),
            policy: Some(policy.policy()),
        }
    }

    /// Returns a free frame, now owned; its bytes are whatever they were.
    pub(crate) fn allocate(&mut self, owner: FrameOwner) -> Option<FrameNumber> {
        let frame = self.allocator.allocate()?;
        let index = frame.bits() as usize;
        if index >= self.info.len() {
            self.info.resize(index + 1, FrameInfo::FREE);
        }
        self.info[index] = FrameInfo {
            owner,
            ..FrameInfo::FREE
        };
        if owner.is_page()
            && let Some(policy) = &mut self.policy
        {
            policy.admit(frame);
        }
        Some(frame)
    }

    /// Takes the policy out, to ask it about frames.
    pub(crate) fn take_policy(&mut self) -> Box<dyn Replacement> {
        self.policy
            .take()
            .expect("the policy is asked one question at a time")
    }

    /// Puts the policy back.
    pub(crate) fn put_policy(&mut self, policy: Box<dyn Replacement>) {
        self.policy = Some(policy);
    }

    /// Returns `count` consecutive free frames whose first number is a multiple of `count`.
    pub(crate) fn allocate_run(&mut self, count: u32, owner: FrameOwner) -> Option<FrameNumber> {
        let is_free = |number: u32| {
            FrameNumber::new(number).is_some_and(|frame| !self.allocator.is_allocated(frame))
        };
        let starts = (0..self.allocator.frame_count() / count).map(|run| run * count);
        let first = starts
            .into_iter()
            .find(|&start| (start..start + count).all(is_free))?;
        if (first + count) as usize > self.info.len() {
            self.info.resize((first + count) as usize, FrameInfo::FREE);
        }
        for number in first..first + count {
            let frame = FrameNumber::new(number).and_then(|frame| self.allocator.reserve(frame));
            debug_assert!(frame.is_some(), "frame {number:#x} was free");
            self.info[number as usize] = FrameInfo {
                owner,
                ..FrameInfo::FREE
            };
        }
        FrameNumber::new(first)
    }

    /// Gives a frame back.
    pub(crate) fn free(&mut self, frame: FrameNumber) {
        let info = self.info_mut(frame);
        let is_page = info.owner.is_page();
        *info = FrameInfo::FREE;
        if is_page && let Some(policy) = &mut self.policy {
            policy.remove(frame);
        }
        self.allocator.free(frame);
    }

    pub(crate) fn info(&self, frame: FrameNumber) -> &FrameInfo {
        self.info
            .get(frame.bits() as usize)
            .unwrap_or(&FrameInfo::FREE)
    }

    pub(crate) fn info_mut(&mut self, frame: FrameNumber) -> &mut FrameInfo {
        &mut self.info[frame.bits() as usize]
    }

    pub(crate) fn free_count(&self) -> u32 {
        self.allocator.free_count()
    }

    pub(crate) fn frame_count(&self) -> u32 {
        self.allocator.frame_count()
    }

    /// Returns each frame that is in use, in order.
    pub(crate) fn in_use(&self) -> impl Iterator<Item = (FrameNumber, &FrameInfo)> {
        (0..).zip(&self.info).filter_map(|(number, info)| {
            let frame = FrameNumber::new(number)?;
            (info.owner != FrameOwner::Nobody).then_some((frame, info))
        })
    }
}
