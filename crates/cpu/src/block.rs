//! Decoded basic blocks and their cache.
//!
//! A block is plain data: the operations, and where they lie. It belongs to physical memory, not to
//! an address space, so that a block stays valid across context switches and for every alias; what
//! depends on EIP is stored relative to the start of the block. Blocks of one page are dropped
//! together when the page is written.

use std::cell::Cell;
use std::collections::BTreeMap;

use pagefault_mmu::{FrameNumber, Mmu, PAGE_SIZE, PhysAddr};

use crate::context::State;
use crate::op::Op;

/// The most operations of a block. It bounds the recursion of chained handlers where the compiler
/// does not turn their calls into jumps.
pub(crate) const MAX_BLOCK_OPS: usize = 64;
/// The most operations that the cache holds before it starts afresh: 8 MiB.
const MAX_CACHED_OPS: usize = 1 << 18;
/// The most blocks that the cache holds before it starts afresh.
const MAX_BLOCKS: usize = 1 << 15;
/// Entries of the direct-mapped table that finds the target of an indirect jump.
const JUMP_CACHE_ENTRIES: usize = 1024;

/// What a handler, or the whole chain from it to the end of the block, did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Control goes on behind the block.
    Sequential,
    /// Control goes to the block's branch target.
    Taken,
    /// Control goes to EIP, which the handler set.
    Indirect,
    /// As `Indirect`, and code, segments or flags may have changed so that blocks run differently.
    Reenter,
    /// The block stopped at an operation; the state says why.
    Stopped,
}

/// Executes an operation and, unless it is the last one or stops, those after it.
pub(crate) type Handler<O, C> = fn(&mut State, &mut Mmu<O>, &mut C, &[Slot<O, C>]) -> Flow;

/// An operation in a block, and the handler of the operation after it.
pub(crate) struct Slot<O, C>
where
    O: pagefault_mmu::Observer,
{
    /// Stored one slot ahead, so that a handler finds its successor without touching it.
    pub(crate) next: Handler<O, C>,
    pub(crate) op: Op,
}

/// Names a block in the cache. It may name another block once the cache has been changed: whoever
/// keeps one compares the physical address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockId(u32);

impl BlockId {
    /// A name that no block has.
    pub(crate) const NONE: Self = Self(u32::MAX);

    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// How a block is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stride {
    /// In one go.
    Block,
    /// Instruction by instruction: there may be a breakpoint at one of them.
    Instruction,
}

/// The key of a block that is no longer in the cache: more bits than an address has.
const DROPPED: u64 = u64::MAX;

/// A decoded block.
pub(crate) struct Block<O, C>
where
    O: pagefault_mmu::Observer,
{
    /// The bits of the address where it lies, or `DROPPED`.
    key: u64,
    pub(crate) id: BlockId,
    /// The page that the second part of its only instruction lies in.
    pub(crate) tail: Option<FrameNumber>,
    pub(crate) stride: Stride,
    /// Handler of the first operation.
    pub(crate) entry: Handler<O, C>,
    pub(crate) slots: Box<[Slot<O, C>]>,
    /// Number of instructions.
    pub(crate) instructions: u32,
    /// Its length in bytes.
    pub(crate) len: u32,
    /// Where its last instruction branches to, in bytes from its start.
    pub(crate) target: u32,
    /// The block that followed when control went on behind it.
    pub(crate) behind: Cell<BlockId>,
    /// The block that followed when it branched.
    pub(crate) taken: Cell<BlockId>,
}

impl<O: pagefault_mmu::Observer, C> Block<O, C> {
    /// Returns a block of these slots, not yet in the cache.
    pub(crate) fn new(
        at: PhysAddr,
        entry: Handler<O, C>,
        slots: Vec<Slot<O, C>>,
        target: u32,
    ) -> Self {
        let last = slots.last().map(|slot| slot.op);
        Self {
            key: at.bits(),
            id: BlockId::NONE,
            tail: None,
            stride: Stride::Block,
            entry,
            instructions: last.map_or(0, |op| u32::from(op.before) + u32::from(op.count)),
            len: last.map_or(0, |op| op.end()),
            target,
            slots: slots.into_boxed_slice(),
            behind: Cell::new(BlockId::NONE),
            taken: Cell::new(BlockId::NONE),
        }
    }

    /// Returns whether the block has to be found anew each time: since its second page has to be
    /// looked up, or since it is not run in one go.
    fn is_found_anew(&self) -> bool {
        self.tail.is_some() || self.stride == Stride::Instruction
    }

    /// Returns where the block lies.
    pub(crate) fn at(&self) -> PhysAddr {
        PhysAddr::new(self.key).expect("only blocks of the cache are asked")
    }
}

/// The cache of decoded blocks.
pub(crate) struct BlockCache<O, C>
where
    O: pagefault_mmu::Observer,
{
    blocks: Vec<Block<O, C>>,
    /// Blocks by frame, then by offset in it.
    frames: BTreeMap<u32, BTreeMap<u32, BlockId>>,
    /// Blocks whose instruction ends in the frame that is the key.
    tails: BTreeMap<u32, Vec<BlockId>>,
    jumps: Box<[BlockId]>,
    cached_ops: usize,
}

impl<O: pagefault_mmu::Observer, C> BlockCache<O, C> {
    pub(crate) fn new() -> Self {
        Self {
            blocks: Vec::new(),
            frames: BTreeMap::new(),
            tails: BTreeMap::new(),
            jumps: vec![BlockId::NONE; JUMP_CACHE_ENTRIES].into_boxed_slice(),
            cached_ops: 0,
        }
    }

    /// Returns the block with this name, if it lies at `at`.
    #[inline(always)]
    pub(crate) fn linked(&self, id: BlockId, at: PhysAddr) -> Option<&Block<O, C>> {
        self.blocks
            .get(id.index())
            .filter(|block| block.key == at.bits())
    }

    /// Returns the block that an indirect jump to `at` went to before.
    #[inline(always)]
    pub(crate) fn jump_target(&self, at: PhysAddr) -> Option<&Block<O, C>> {
        self.linked(*self.jumps.get(jump_index(at))?, at)
    }

    /// Returns the block with this name, which must be of this cache.
    pub(crate) fn get(&self, id: BlockId) -> &Block<O, C> {
        &self.blocks[id.index()]
    }

    /// Finds the block at `at`.
    pub(crate) fn find(&mut self, at: PhysAddr) -> Option<BlockId> {
        if let Some(block) = self.jump_target(at) {
            return Some(block.id);
        }
        let id = *self
            .frames
            .get(&at.frame().bits())?
            .get(&at.page_offset())?;
        self.remember_jump(id, at);
        Some(id)
    }

    /// Returns the second page of the instruction at `at`, if its block is known and has one.
    pub(crate) fn tail_at(&self, at: PhysAddr) -> Option<FrameNumber> {
        self.at(at)?.tail
    }

    /// Returns the block at `at`, if it is known.
    pub(crate) fn at(&self, at: PhysAddr) -> Option<&Block<O, C>> {
        let offsets = self.frames.get(&at.frame().bits())?;
        Some(self.get(*offsets.get(&at.page_offset())?))
    }

    /// Remembers which block followed another, unless that one is found anew each time.
    pub(crate) fn link(&self, from: BlockId, flow: Flow, to: BlockId) {
        if self.get(to).is_found_anew() {
            return;
        }
        let Some(from) = self.blocks.get(from.index()) else {
            return;
        };
        match flow {
            Flow::Sequential => from.behind.set(to),
            Flow::Taken => from.taken.set(to),
            Flow::Indirect | Flow::Reenter | Flow::Stopped => {}
        }
    }

    /// Adds a block, and has stores into its code reported.
    pub(crate) fn insert(&mut self, mmu: &mut Mmu<O>, mut block: Block<O, C>) -> BlockId {
        if self.cached_ops > MAX_CACHED_OPS || self.blocks.len() >= MAX_BLOCKS {
            self.clear();
        }
        let (at, tail) = (block.at(), block.tail);
        let id = BlockId(u32::try_from(self.blocks.len()).expect("the number is bounded"));
        block.id = id;
        self.cached_ops += block.slots.len();
        self.blocks.push(block);
        self.frames
            .entry(at.frame().bits())
            .or_default()
            .insert(at.page_offset(), id);
        mmu.track_writes(at.frame());
        if let Some(tail) = tail {
            self.tails.entry(tail.bits()).or_default().push(id);
            mmu.track_writes(tail);
        }
        self.remember_jump(id, at);
        id
    }

    fn remember_jump(&mut self, id: BlockId, at: PhysAddr) {
        if !self.get(id).is_found_anew() {
            self.jumps[jump_index(at)] = id;
        }
    }

    /// Drops the blocks of all frames that were written.
    pub(crate) fn drop_written(&mut self, mmu: &mut Mmu<O>) {
        while mmu.has_tracked_writes() {
            for frame in mmu.take_tracked_writes() {
                self.drop_frame(frame);
                mmu.untrack_writes(frame);
            }
        }
    }

    /// Drops all blocks. Stores into their frames stay tracked: which ones are is a matter of what
    /// has been executed, and not of what the host did with the cache.
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    fn drop_frame(&mut self, frame: FrameNumber) {
        let ids = self
            .frames
            .remove(&frame.bits())
            .unwrap_or_default()
            .into_values();
        let tails = self.tails.remove(&frame.bits()).unwrap_or_default();
        for id in ids.chain(tails) {
            self.drop_block(id);
        }
    }

    /// Drops a block; links to it do not find it any more.
    pub(crate) fn drop_block(&mut self, id: BlockId) {
        let Some(block) = self.blocks.get_mut(id.index()) else {
            return;
        };
        let Some(at) = PhysAddr::new(block.key) else {
            return;
        };
        self.cached_ops -= block.slots.len();
        block.slots = Box::default();
        block.key = DROPPED;
        if let Some(offsets) = self.frames.get_mut(&at.frame().bits())
            && offsets.get(&at.page_offset()) == Some(&id)
        {
            offsets.remove(&at.page_offset());
        }
    }
}

/// Spreads addresses over the jump table: neighbouring functions, and equal offsets of pages.
#[inline(always)]
fn jump_index(at: PhysAddr) -> usize {
    let bits = at.bits();
    let mixed = bits ^ (bits / u64::from(PAGE_SIZE));
    crate::alu::low(mixed) as usize % JUMP_CACHE_ENTRIES
}
