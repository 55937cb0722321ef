//! Runs in pieces: what a run that ends inside a block keeps, so that it counts as a whole one does.

use pagefault_mmu::{Mmu, PAGE_SIZE, PhysAddr};

use crate::block::{Block, BlockId, Flow};
use crate::context::State;
use crate::cpu::{Cpu, Segments};
use crate::decode::{self, Limits};
use crate::exception::Exit;
use crate::observer::Observer;
use crate::registers::Registers;

/// An instruction whose fetch has been made, since that of its block has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resume {
    pub(super) at: PhysAddr,
    /// Instructions of the block from this one on; `None` before the block is known.
    pub(super) left: Option<u32>,
}

/// What a processor is at a moment, less watchpoints and breakpoints, which belong to its host.
#[derive(Debug, Clone)]
pub struct SavedCpu {
    state: State,
    resume: Option<Resume>,
}

impl SavedCpu {
    /// Returns the registers.
    pub fn registers(&self) -> &Registers {
        &self.state.regs
    }

    /// Returns the number of instructions completed.
    pub fn instructions(&self) -> u64 {
        self.state.instructions
    }
}

impl<O: pagefault_mmu::Observer, C: Observer> Cpu<O, C> {
    /// Returns what the processor is now.
    pub fn save(&self) -> SavedCpu {
        SavedCpu {
            state: self.state.clone(),
            resume: self.resume,
        }
    }

    /// Makes the processor what it was. RAM and the MMU have to be as they were, too.
    pub fn restore(&mut self, saved: &SavedCpu) {
        let mut watch = std::mem::take(&mut self.state.watch);
        watch.take_hit();
        self.state = State {
            watch,
            ..saved.state.clone()
        };
        self.resume = saved.resume;
        self.segments = Segments::MayHaveChanged;
        self.cache.clear();
    }

    /// Runs the rest of a block instruction by instruction: the budget may end in it, or there may be
    /// a breakpoint. The first one is not looked at for breakpoints.
    pub(super) fn run_slowly(
        &mut self,
        mmu: &mut Mmu<O>,
        end: u64,
        observer: &mut C,
        from: Resume,
    ) -> Option<Exit> {
        let (mut at, mut left) = match from.left {
            Some(left) => (from.at, left),
            None => match self.find(mmu, from.at) {
                Ok(id) if self.cache.get(id).instructions == 1 => {
                    let flow = self.run_block(mmu, observer, id);
                    return self.behind(mmu, flow, from.at, 1);
                }
                Ok(id) => (from.at, self.cache.get(id).instructions),
                Err(fault) => return Some(self.fetch_fault(fault)),
            },
        };
        loop {
            let eip = self.state.regs.eip;
            let flow = match decode::decode(mmu, &self.state, at, Limits::ONE) {
                Ok(block) => self.run_decoded(mmu, observer, &block),
                // Somebody has changed the code since: it is looked up anew.
                Err(decode::Straddles) => return None,
            };
            if flow != Flow::Sequential || left <= 1 {
                return self.behind(mmu, flow, at, left);
            }
            left -= 1;
            let len = self.state.regs.eip.wrapping_sub(eip);
            at = at.frame().byte(at.page_offset().wrapping_add(len));
            let resume = Resume {
                at,
                left: Some(left),
            };
            if self.state.instructions >= end {
                self.resume = Some(resume);
                return Some(Exit::Budget);
            }
            if self.breakpoints.contains(&self.state.regs.eip) {
                self.resume = Some(resume);
                return Some(Exit::Breakpoint {
                    addr: self.linear_eip(),
                });
            }
        }
    }

    /// Goes on behind an instruction that `flow` says the end of, in a block that has `left`
    /// instructions from it on.
    fn behind(&mut self, mmu: &Mmu<O>, flow: Flow, at: PhysAddr, left: u32) -> Option<Exit> {
        match flow {
            Flow::Sequential | Flow::Taken | Flow::Indirect => None,
            Flow::Reenter => {
                self.keep_place(mmu, at, left);
                None
            }
            Flow::Stopped => {
                self.keep_place(mmu, at, left);
                self.stopped(mmu, at)
            }
        }
    }

    /// Runs a block of the cache that has one instruction.
    fn run_block(&mut self, mmu: &mut Mmu<O>, observer: &mut C, id: BlockId) -> Flow {
        let Self { state, cache, .. } = self;
        run_single(state, mmu, observer, cache.get(id))
    }

    /// Runs a block of one instruction that is not in the cache.
    pub(super) fn run_decoded(
        &mut self,
        mmu: &mut Mmu<O>,
        observer: &mut C,
        block: &Block<O, C>,
    ) -> Flow {
        run_single(&mut self.state, mmu, observer, block)
    }

    /// Remembers where a block at `block_at` of `len` instructions was left for the sake of a
    /// watchpoint alone: the block goes on from there, and is not fetched again.
    pub(super) fn keep_place(&mut self, mmu: &Mmu<O>, block_at: PhysAddr, len: u32) {
        let Some(passed) = self.state.passed.take() else {
            return;
        };
        let left = len.saturating_sub(passed);
        if self.state.watch.has_hit() && !mmu.has_tracked_writes() && left > 0 {
            let distance = self.state.regs.eip.wrapping_sub(self.state.block_eip);
            let offset = block_at.page_offset().wrapping_add(distance);
            self.resume = (offset < PAGE_SIZE).then(|| Resume {
                at: block_at.frame().byte(offset),
                left: Some(left),
            });
        }
    }

    /// Ends the run at a breakpoint at EIP, which has been fetched from.
    pub(super) fn breakpoint_behind_fetch(&mut self, at: PhysAddr) -> Option<Exit> {
        if !self.breakpoints.contains(&self.state.regs.eip) {
            return None;
        }
        self.resume = Some(Resume { at, left: None });
        Some(Exit::Breakpoint {
            addr: self.linear_eip(),
        })
    }

    /// Returns whether a breakpoint may be in a block, or before it: then no jump may lead there
    /// unseen. Blocks are physical and breakpoints are not: the offset in the page is what they have
    /// in common.
    pub(super) fn may_break_in(&self, at: PhysAddr, len: u32) -> bool {
        let offset = at.page_offset();
        self.breakpoints
            .iter()
            .filter_map(|eip| (eip % PAGE_SIZE).checked_sub(offset))
            .any(|distance| distance < len)
    }
}

/// Runs a block of one instruction at EIP, and counts it if it completes.
fn run_single<O: pagefault_mmu::Observer, C: Observer>(
    state: &mut State,
    mmu: &mut Mmu<O>,
    observer: &mut C,
    block: &Block<O, C>,
) -> Flow {
    let eip = state.regs.eip;
    state.block_eip = eip;
    let flow = (block.entry)(state, mmu, observer, &block.slots);
    match flow {
        Flow::Sequential => state.regs.eip = eip.wrapping_add(block.len),
        Flow::Taken => state.regs.eip = eip.wrapping_add(block.target),
        Flow::Indirect => {}
        Flow::Reenter | Flow::Stopped => return flow,
    }
    state.instructions += u64::from(block.instructions);
    if C::BRANCHES && flow != Flow::Sequential {
        observer.branch(eip.wrapping_add(block.len), state.regs.eip);
    }
    flow
}
