//! The traces of a directory, and what has been computed of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use pagefault_mmu::Geometry;
use pagefault_tlbsim::engine::all_lru::AllLru;
use pagefault_tlbsim::engine::distances::StackDistances;
use pagefault_tlbsim::engine::opt::Future;
use pagefault_tlbsim::{
    Conventions, DEFAULT_SEED, Format, Limits, Modify, PageShift, Pattern, Record, Straddle,
    Stream, TraceReader,
};

use crate::golden::GoldenError;
use crate::golden::table::Row;
use crate::golden::tlb::row::{Counted, RowError, Rule, count, number, text};

/// The look-ups of a trace that a row is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Selection<'a> {
    trace: &'a str,
    conventions: Conventions,
}

impl<'a> Selection<'a> {
    /// Returns what a row selects; without columns for them, it is data and first pages.
    pub(super) fn of(row: Row<'a>) -> Result<Self, RowError> {
        let stream = match row.get("stream") {
            None | Some("d") => Stream::Data,
            Some("i") => Stream::Instruction,
            Some("u") => Stream::Unified,
            Some(_) => return Err(RowError::Value { column: "stream" }),
        };
        let straddle = match row.get("split") {
            None | Some("0") => Straddle::FirstPage,
            Some("1") => Straddle::EachPage,
            Some(_) => return Err(RowError::Value { column: "split" }),
        };
        let conventions = Conventions {
            stream,
            straddle,
            modify: Modify::Once,
            page_size: PageShift::new(number(row, "page_shift")?)?,
        };
        let trace = text(row, "trace")?;
        Ok(Self { trace, conventions })
    }

    fn key(&self) -> String {
        format!("{} {:?}", self.trace, self.conventions)
    }
}

/// Traces that have been read, and results that several rows need.
pub(super) struct Traces {
    dir: PathBuf,
    records: BTreeMap<String, Vec<Record>>,
    pages: BTreeMap<String, Vec<u32>>,
    distances: BTreeMap<String, StackDistances<u32>>,
    all_lru: BTreeMap<String, AllLru<u32>>,
    futures: BTreeMap<String, Future>,
}

impl Traces {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            records: BTreeMap::new(),
            pages: BTreeMap::new(),
            distances: BTreeMap::new(),
            all_lru: BTreeMap::new(),
            futures: BTreeMap::new(),
        }
    }

    /// Returns the page numbers of a selection.
    pub(super) fn pages(&mut self, selection: Selection<'_>) -> Result<&[u32], RowError> {
        let key = selection.key();
        if !self.pages.contains_key(&key) {
            let records = self.records(selection.trace)?;
            let pages = selection.conventions.narrow_pages(records);
            self.pages.insert(key.clone(), pages.ok_or(RowError::Wide)?);
        }
        Ok(&self.pages[&key])
    }

    pub(super) fn distances(
        &mut self,
        selection: Selection<'_>,
    ) -> Result<&StackDistances<u32>, RowError> {
        let key = selection.key();
        if !self.distances.contains_key(&key) {
            let mut distances = StackDistances::new();
            distances.run(self.pages(selection)?);
            self.distances.insert(key.clone(), distances);
        }
        Ok(&self.distances[&key])
    }

    pub(super) fn all_lru(&mut self, selection: Selection<'_>) -> Result<&AllLru<u32>, RowError> {
        let key = selection.key();
        if !self.all_lru.contains_key(&key) {
            let mut all = AllLru::new();
            all.run(self.pages(selection)?);
            self.all_lru.insert(key.clone(), all);
        }
        Ok(&self.all_lru[&key])
    }

    /// Counts the misses of one array.
    pub(super) fn count(
        &mut self,
        selection: Selection<'_>,
        geometry: Geometry,
        rule: Rule,
    ) -> Result<Counted, RowError> {
        let key = selection.key();
        if rule == Rule::Opt && !self.futures.contains_key(&key) {
            let future = Future::of(self.pages(selection)?);
            self.futures.insert(key.clone(), future);
        }
        self.pages(selection)?;
        let pages = &self.pages[&key];
        Ok(count(pages, geometry, rule, &|| &self.futures[&key]))
    }

    fn records(&mut self, trace: &str) -> Result<&[Record], GoldenError> {
        if !self.records.contains_key(trace) {
            let plain = self.dir.join(format!("{trace}.lackey"));
            let endings = ["lackey", "lackey.zst", "lackey.gz"];
            let paths = endings.map(|ending| self.dir.join(format!("{trace}.{ending}")));
            let path = paths.into_iter().find(|path| path.is_file());
            let records = read(&path.unwrap_or(plain), Some(Format::Lackey))?;
            self.records.insert(trace.to_owned(), records);
        }
        Ok(&self.records[trace])
    }
}

/// Reads a trace, which may be compressed.
pub(super) fn read(path: &Path, format: Option<Format>) -> Result<Vec<Record>, GoldenError> {
    let wrong = |source| GoldenError::Read {
        path: path.to_owned(),
        source,
    };
    let trace = |source| GoldenError::Trace {
        path: path.to_owned(),
        source,
    };
    let file = BufReader::new(File::open(path).map_err(wrong)?);
    let ending = path.extension().and_then(|ending| ending.to_str());
    let source: Box<dyn BufRead> = match ending {
        Some("zst") => Box::new(BufReader::new(
            zstd::Decoder::with_buffer(file).map_err(wrong)?,
        )),
        Some("gz") => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        _ => Box::new(file),
    };
    let limits = Limits { bad_records: 0 };
    let mut reader = TraceReader::new(source, format, limits).map_err(trace)?;
    let (mut records, mut batch) = (Vec::new(), Vec::new());
    loop {
        reader.read(&mut batch).map_err(trace)?;
        if batch.is_empty() {
            return Ok(records);
        }
        records.append(&mut batch);
    }
}

/// Returns the stream that a row of `synthetic.csv` names.
pub(super) fn generated(row: Row<'_>, accesses: usize) -> Result<Vec<u32>, RowError> {
    let arguments = text(row, "args")?.replace(' ', ":");
    let pattern: Pattern = format!("{}:{arguments}", text(row, "pattern")?).parse()?;
    let seed = match row.get("seed") {
        Some(_) => number(row, "seed")?,
        // The pattern needs none.
        None => DEFAULT_SEED,
    };
    let pages = pattern.pages(seed).take(accesses);
    let pages: Option<Vec<u32>> = pages.map(|page| u32::try_from(page).ok()).collect();
    pages.ok_or(RowError::Wide)
}
