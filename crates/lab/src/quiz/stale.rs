//! Exercises on translations that are out of date.

use pagefault_machine::vmm::mmu::{
    Cr0, Execute, FrameNumber, LeaveReason, LinearAddr, Mmu, MmuConfig, NoObserver, PAGE_SIZE,
    PageEntry, PageNumber, PhysMemory, Privilege, PteFlags, Root, tables,
};

use super::{Answer, Exercise, Question, Topic};
use crate::variant::Draws;

/// RAM of an exercise.
const RAM_BYTES: u64 = 1 << 20;
/// Where the directory and its table are.
const ROOT_FRAME: u32 = 1;
const TABLE_FRAME: u32 = 2;
/// Frames that hold data begin here.
const FIRST_DATA_FRAME: u32 = 8;
/// Pages of an exercise.
const PAGES: u32 = 2;
/// Steps of an exercise.
const STEPS: usize = 9;

/// What is done with a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Read,
    Remap,
    Unmap,
    Invalidate,
}

struct Stage {
    mmu: Mmu<NoObserver>,
    root: Root,
    next_frame: u32,
}

fn frame(number: u32) -> FrameNumber {
    match FrameNumber::new(number) {
        Some(frame) => frame,
        None => unreachable!("small frame numbers exist"),
    }
}

fn page(number: u32) -> PageNumber {
    match PageNumber::new(number) {
        Some(page) => page,
        None => unreachable!("small page numbers exist"),
    }
}

impl Stage {
    fn new() -> Self {
        let memory = PhysMemory::new(RAM_BYTES).ok();
        let mmu = memory.and_then(|memory| Mmu::new(memory, &MmuConfig::default()).ok());
        let Some(mut mmu) = mmu else {
            unreachable!("1 MiB and the default TLB are an MMU")
        };
        let root = Root::TwoLevel(frame(ROOT_FRAME));
        let added = tables::add_table(mmu.mem_mut(), root, page(0), frame(TABLE_FRAME));
        let paging = Cr0::PROTECTED_MODE | Cr0::PAGING;
        let started = mmu.set_cr3(root.cr3());
        let started = started.and_then(|()| mmu.set_cr0(paging.bits()));
        let (Ok(()), Ok(())) = (added, started) else {
            unreachable!("an empty directory takes a table")
        };
        let mut stage = Self {
            mmu,
            root,
            next_frame: FIRST_DATA_FRAME,
        };
        for number in 0..PAGES {
            stage.remap(number);
        }
        stage
    }

    /// Lets the page show another frame, which holds its own number. Nothing is invalidated.
    fn remap(&mut self, number: u32) -> u32 {
        let shown = self.next_frame;
        self.next_frame += 1;
        self.mmu.mem_mut().write(frame(shown).byte(0), shown);
        let entry = PageEntry {
            frame: frame(shown),
            flags: PteFlags::USER,
            execute: Execute::Allowed,
        };
        let stale = tables::set_page(self.mmu.mem_mut(), self.root, page(number), entry);
        if let Ok(Some(stale)) = stale {
            stale.leave(LeaveReason::Experiment);
        }
        shown
    }

    /// Takes the page away. Nothing is invalidated.
    fn unmap(&mut self, number: u32) {
        let at = frame(TABLE_FRAME).byte(number * u32::try_from(size_of::<u32>()).unwrap_or(4));
        self.mmu.mem_mut().write(at, 0_u32);
    }

    /// Reads the frame's number through the TLB.
    fn read(&mut self, number: u32) -> Answer {
        match self.mmu.read::<u32>(page(number).start(), Privilege::User) {
            Ok(value) => Answer::Count(u64::from(value)),
            Err(_) => Answer::Word("fault"),
        }
    }
}

/// What was done step by step, and what is asked of it.
struct Story {
    stage: Stage,
    given: Vec<String>,
    questions: Vec<Question>,
}

impl Story {
    fn new() -> Self {
        let mut given = vec![
            "The first dword of each frame is the frame's number. The TLB is large and empty at the start.".to_owned(),
        ];
        given.extend((0..PAGES).map(|number| {
            let frame = FIRST_DATA_FRAME + number;
            format!("page {number} is mapped to frame {frame}")
        }));
        Self {
            stage: Stage::new(),
            given,
            questions: Vec::new(),
        }
    }

    /// Does something with a page, as the next step.
    fn perform(&mut self, number: u32, deed: Deed) {
        let addr = LinearAddr::new(number * PAGE_SIZE);
        let step = self.given.len() - PAGES as usize;
        let done = match deed {
            Deed::Read => {
                self.ask(step, number);
                format!("page {number} is read")
            }
            Deed::Remap => {
                let shown = self.stage.remap(number);
                format!("the entry of page {number} is changed to frame {shown}, without INVLPG")
            }
            Deed::Unmap => {
                self.stage.unmap(number);
                format!("the entry of page {number} is changed to 0, without INVLPG")
            }
            Deed::Invalidate => {
                self.stage.mmu.invalidate_page(addr);
                format!("INVLPG of page {number}")
            }
        };
        self.given.push(format!("step {step}: {done}"));
    }

    /// Reads a page, and asks what that gives.
    fn ask(&mut self, step: usize, number: u32) {
        let walk = self.stage.mmu.walk(page(number).start()).to_string();
        self.questions.push(Question {
            text: format!(
                "step {step}: what does a read of page {number} give? A number, or: fault."
            ),
            answer: self.stage.read(number),
            worked: vec!["the tables now:".to_owned(), walk],
        });
    }
}

/// Draws edits of entries, with and without INVLPG, and asks what reads give.
pub(super) fn stale(draws: &mut Draws) -> Exercise {
    let mut story = Story::new();
    let deeds = [
        Deed::Read,
        Deed::Read,
        Deed::Remap,
        Deed::Remap,
        Deed::Unmap,
        Deed::Invalidate,
    ];
    // A page that is in the TLB, changed behind its back, and read: the point of the exercise.
    for deed in [Deed::Read, Deed::Remap, Deed::Read] {
        story.perform(0, deed);
    }
    for _ in 0..STEPS {
        let number = draws.below(PAGES);
        story.perform(number, *draws.pick(&deeds));
    }
    story.perform(0, Deed::Invalidate);
    story.perform(0, Deed::Read);
    Exercise {
        topic: Topic::Stale,
        title: "Stale translations: an invalidation was forgotten".to_owned(),
        questions: story.questions,
        given: story.given,
    }
}
