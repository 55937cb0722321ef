//! `pagefault run --record-trace`: every access of a program, for `pagefault tlb`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;

use anyhow::Context;
use pagefault_asm::ImageSymbol;
use pagefault_machine::vmm::mmu::{AccessKind, DropCause, Level, LinearAddr, Step};
use pagefault_machine::{Event, Program, Topics, TraceSink};
use pagefault_tlbsim::read::recorded::Recorder;
use pagefault_tlbsim::{MAX_SIZE_BYTES, Op, Record, Region};

use crate::args::Paging;
use crate::output::WholeFile;

/// PS of a directory entry: it maps a large page.
const LARGE: u64 = 1 << 7;
/// The base-2 logarithms of the sizes of large pages.
const MIB4_SHIFT: u8 = 22;
const MIB2_SHIFT: u8 = 21;
/// The ending of recordings that are compressed.
const COMPRESSED: &str = "zst";
/// Compression that keeps up with the recording.
const ZSTD_LEVEL: i32 = 1;

/// A handle to a recording: the tracer's, and that of whoever ends it.
#[derive(Clone)]
pub(crate) struct Recording(Rc<RefCell<State>>);

struct State {
    /// `None` when the recording is finished.
    recorder: Option<Recorder<Sink>>,
    large_shift: u8,
    large: BTreeSet<u32>,
}

impl Recording {
    /// What is recorded.
    pub(crate) const TOPICS: Topics = Topics::INSN
        .union(Topics::MEM)
        .union(Topics::DROP)
        .union(Topics::WALK);

    /// Begins a recording; one that ends in .zst is compressed.
    pub(crate) fn create(path: &Path, paging: Paging) -> anyhow::Result<Self> {
        let file = WholeFile::create("the recording to ", path)?;
        let sink = if path.extension().is_some_and(|ending| ending == COMPRESSED) {
            Sink::Compressed(zstd::Encoder::new(file, ZSTD_LEVEL).context("cannot compress")?)
        } else {
            Sink::Plain(file)
        };
        let large_shift = match paging {
            Paging::TwoLevel => MIB4_SHIFT,
            Paging::Pae => MIB2_SHIFT,
        };
        Ok(Self(Rc::new(RefCell::new(State {
            recorder: Some(Recorder::new(sink)),
            large_shift,
            large: BTreeSet::new(),
        }))))
    }

    /// Names the program's segments and data and ends the recording.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub(crate) fn finish(&self, program: &Program, symbols: &[ImageSymbol]) -> anyhow::Result<()> {
        if let Some(mut recorder) = self.0.borrow_mut().recorder.take() {
            recorder.name(&regions(program, symbols));
            let what = "cannot write the recording";
            let (sink, _) = recorder.finish().context(what)?;
            sink.finish()?;
        }
        Ok(())
    }

    #[inline]
    fn record(&self, record: &Record) {
        if let Some(recorder) = &mut self.0.borrow_mut().recorder {
            recorder.record(record);
        }
    }

    fn access(&self, addr: LinearAddr, size_bytes: u32, kind: AccessKind) {
        let op = match kind {
            AccessKind::Read => Op::Read,
            AccessKind::Write => Op::Write,
            AccessKind::Fetch => return,
        };
        // A run of a string instruction can be longer than a record.
        let (mut addr, mut left) = (addr, size_bytes);
        while left > MAX_SIZE_BYTES {
            self.record(&Record::new(op, u64::from(addr.bits()), MAX_SIZE_BYTES));
            (addr, left) = (addr.wrapping_add(MAX_SIZE_BYTES), left - MAX_SIZE_BYTES);
        }
        self.record(&Record::new(op, u64::from(addr.bits()), left));
    }

    /// Names a large page when the first walk reads its entry.
    fn walk_step(&self, addr: LinearAddr, step: &Step) {
        if step.level != Level::Directory || step.value & LARGE == 0 {
            return;
        }
        let mut state = self.0.borrow_mut();
        let shift = state.large_shift;
        if state.large.insert(addr.bits() >> shift)
            && let Some(recorder) = &mut state.recorder
        {
            recorder.large_page(u64::from(addr.bits()), shift);
        }
    }
}

/// Returns the named data of a program, and its segments behind them for what has no name.
fn regions(program: &Program, symbols: &[ImageSymbol]) -> Vec<Region> {
    let data = symbols.iter().filter(|symbol| symbol.size > 0);
    let data = data.map(|symbol| Region {
        name: symbol.name.clone(),
        start: u64::from(symbol.addr),
        len_bytes: u64::from(symbol.size),
    });
    let parts = program.parts.iter().filter(|part| part.offset > 0);
    let segments = parts.map(|part| {
        let start = program.base.wrapping_add(part.offset);
        Region {
            name: format!("segment at {start:#x}"),
            start: u64::from(start),
            len_bytes: part.bytes.len() as u64,
        }
    });
    data.chain(segments).collect()
}

impl TraceSink for Recording {
    fn event(&mut self, event: &Event) {
        match *event {
            Event::Instruction { eip, len } => {
                self.record(&Record::new(Op::Fetch, u64::from(eip), u32::from(len)));
            }
            Event::Access {
                addr,
                size_bytes,
                kind,
            } => self.access(addr, size_bytes, kind),
            Event::WalkStep { addr, step } => self.walk_step(addr, &step),
            Event::Drop { cause, addr } => {
                let addr = u64::from(addr.map_or(0, LinearAddr::bits));
                let op = match cause {
                    DropCause::Invalidated | DropCause::Faulted => Op::Invalidate,
                    DropCause::FlushedNonGlobal => Op::LoadCr3,
                    DropCause::FlushedAll => Op::Flush,
                };
                self.record(&Record::new(op, addr, 1));
            }
            _ => {}
        }
    }
}

/// Where a recording goes.
enum Sink {
    Plain(WholeFile),
    Compressed(zstd::Encoder<'static, WholeFile>),
}

impl Sink {
    /// Gives the recording its name.
    fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Plain(file) => file.finish(),
            Self::Compressed(encoder) => encoder.finish()?.finish(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Compressed(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Compressed(encoder) => encoder.flush(),
        }
    }
}
