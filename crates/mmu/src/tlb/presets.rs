//! The TLBs of real processors.
//!
//! The facts are rows of `presets.csv`, one for each array of a processor, with the source of each
//! and how far it can be trusted. A [`Preset`] is what the model makes of the rows of one
//! processor. Where the model had to choose, the row says so ([`Assumption`]):
//!
//! - An unknown policy is tree-PLRU where the ways are a power of two, and true LRU elsewhere.
//! - Unknown ways are 16, or all of them in an array of at most 128 entries.
//! - An unknown index takes the low bits of the page number.
//!
//! And some things are left out ([`LeftOut`]): arrays for 1 GiB pages, which 32-bit paging does not
//! have; TLBs for stores alone; and, since the second level of the model serves everything, second
//! levels for instructions alone. A second level for data alone serves instructions too. Where a
//! source says 2 MiB, 4 MiB pages are held as well.
//!
//! ```
//! use pagefault_mmu::tlb::presets;
//!
//! let i486 = presets::named("i486")?;
//! assert_eq!(i486.year(), 1989);
//! assert_eq!(i486.config().data[0].entries(), 32);
//! # Ok::<(), presets::UnknownPreset>(())
//! ```

use std::fmt;

use thiserror::Error;

use crate::tlb::TlbConfig;
use crate::tlb::geometry::{Geometry, Index, PageSizes};
use crate::tlb::policy::{MAX_STATE_WAYS, Policy};

/// The facts.
const ROWS: &str = include_str!("presets.csv");

/// The name of having no TLB.
const NONE: &str = "none";

/// The processors: how rows name them, how users do, and how many directory entries the
/// paging-structure cache holds, where a source says so.
const PROCESSORS: [(&str, &str, u32); 22] = [
    ("i386", "i386", 0),
    ("i486", "i486", 0),
    ("p54c", "p54c", 0),
    ("p55c", "p55c", 0),
    ("p6", "p6", 0),
    ("p4", "p4", 0),
    ("core2", "core2", 0),
    ("nhm", "nehalem", 0),
    ("snb", "sandybridge", 0),
    ("hsw", "haswell", 0),
    ("skl", "skylake", 0),
    ("icl", "icelake", 0),
    ("glc", "goldencove", 0),
    ("k5", "k5", 0),
    ("k6", "k6", 0),
    ("k7", "k7", 0),
    ("k8", "k8", 0),
    ("fam16", "jaguar", 16),
    ("zen1", "zen", 0),
    ("zen2", "zen2", 0),
    ("zen3", "zen3", 0),
    ("zen4", "zen4", 0),
];

/// How far a row can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// Read in a vendor's document, in CPUID's descriptor table, or in a measuring tool's output.
    Documented,
    /// Read in a secondary source.
    Secondary,
    /// General knowledge, not read in any source: not to be presented as fact.
    Unverified,
}

/// What the model chose because no source tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Assumption {
    /// The replacement policy.
    Policy,
    /// The number of ways.
    Ways,
    /// How a set is chosen.
    Index,
}

/// Why a row is not part of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeftOut {
    /// It holds only 1 GiB pages.
    HugePages,
    /// It serves only stores.
    StoresOnly,
    /// It is a second level for instructions alone.
    SecondForInstructions,
}

/// The part of a TLB that a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Data,
    Instruction,
    Second,
}

/// One array of a processor, as its source has it, and what the model makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresetRow {
    id: &'static str,
    part: Part,
    page_sizes: &'static str,
    policy: &'static str,
    confidence: Confidence,
    source: &'static str,
    note: &'static str,
    geometries: Vec<Geometry>,
    assumptions: Vec<Assumption>,
    left_out: Option<LeftOut>,
}

impl PresetRow {
    /// Returns the row's name in the data file.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// Returns how far the row can be trusted.
    pub fn confidence(&self) -> Confidence {
        self.confidence
    }

    /// Returns where the facts are from.
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// Returns what else the source says; may be empty.
    pub fn note(&self) -> &'static str {
        self.note
    }

    /// Returns the arrays of the model: two where one array has parts for pages of each size, and
    /// none for a row that is left out.
    pub fn geometries(&self) -> &[Geometry] {
        &self.geometries
    }

    /// Returns what the model chose.
    pub fn assumptions(&self) -> &[Assumption] {
        &self.assumptions
    }

    /// Returns why the row is not part of the model, if it is not.
    pub fn left_out(&self) -> Option<LeftOut> {
        self.left_out
    }
}

/// The TLB of a processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    name: &'static str,
    vendor: &'static str,
    core: &'static str,
    year: u16,
    rows: Vec<PresetRow>,
    config: TlbConfig,
}

impl Preset {
    /// Returns the name that users write.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns who made the processor; empty for `none`.
    pub fn vendor(&self) -> &'static str {
        self.vendor
    }

    /// Returns the processor's full name.
    pub fn core(&self) -> &'static str {
        self.core
    }

    /// Returns the year in which the processor came out; 0 for `none`.
    pub fn year(&self) -> u16 {
        self.year
    }

    /// Returns the facts, array by array.
    pub fn rows(&self) -> &[PresetRow] {
        &self.rows
    }

    /// Returns what the model makes of them.
    pub fn config(&self) -> &TlbConfig {
        &self.config
    }

    /// Returns how far the weakest row of the model can be trusted; `None` without rows.
    pub fn confidence(&self) -> Option<Confidence> {
        let modelled = self.rows.iter().filter(|row| row.left_out.is_none());
        modelled.map(|row| row.confidence).max()
    }
}

/// A name that is no preset's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown TLB {name:?}; there are {}", names().collect::<Vec<_>>().join(", "))]
pub struct UnknownPreset {
    /// The name.
    pub name: Box<str>,
}

/// Returns the names of all presets.
pub fn names() -> impl Iterator<Item = &'static str> {
    let processors = PROCESSORS.iter().map(|&(_, name, _)| name);
    std::iter::once(NONE).chain(processors)
}

/// Returns all presets: none first, then the processors of each vendor by age.
pub fn all() -> Vec<Preset> {
    let processors = PROCESSORS.iter();
    let presets = processors.map(|&(prefix, name, entries)| processor(prefix, name, entries));
    std::iter::once(none()).chain(presets).collect()
}

/// Returns the preset of that name. The short names of the data file, as `skl`, are known too.
///
/// # Errors
///
/// [`UnknownPreset`], whose message lists the names.
pub fn named(name: &str) -> Result<Preset, UnknownPreset> {
    if name == NONE {
        return Ok(none());
    }
    let found = PROCESSORS
        .iter()
        .find(|(prefix, known, _)| *known == name || *prefix == name);
    match found {
        Some(&(prefix, name, entries)) => Ok(processor(prefix, name, entries)),
        None => Err(UnknownPreset { name: name.into() }),
    }
}

fn none() -> Preset {
    Preset {
        name: NONE,
        vendor: "",
        core: "no TLB: every access walks",
        year: 0,
        rows: Vec::new(),
        config: TlbConfig::none(),
    }
}

fn processor(prefix: &str, name: &'static str, directory_entries: u32) -> Preset {
    let lines = lines().filter(|line| line.prefix() == prefix);
    let lines: Vec<Line> = lines.collect();
    let rows: Vec<PresetRow> = lines.iter().filter_map(Line::row).collect();
    let arrays = |part| {
        let of_part = rows.iter().filter(|row| row.part == part);
        of_part.flat_map(|row| row.geometries.clone()).collect()
    };
    let config = TlbConfig {
        data: arrays(Part::Data),
        instruction: arrays(Part::Instruction),
        second: arrays(Part::Second),
        directory_entries,
        seed: 0,
    };
    let first = lines.first();
    Preset {
        name,
        vendor: first.map_or("", |line| line.field(VENDOR)),
        core: first.map_or("", |line| line.field(CORE)),
        year: first.map_or(0, |line| line.number(YEAR).unwrap_or(0)),
        rows,
        config,
    }
}

/// The columns of the data file.
const COLUMNS: usize = 15;
const ID: usize = 0;
const YEAR: usize = 1;
const VENDOR: usize = 2;
const CORE: usize = 3;
const STREAM: usize = 4;
const LEVEL: usize = 5;
const PAGE_SIZES: usize = 6;
const ENTRIES: usize = 7;
const WAYS: usize = 8;
const INDEX: usize = 9;
const POLICY: usize = 10;
const POLICY_KNOWN: usize = 11;
const CONFIDENCE: usize = 12;
const SOURCE: usize = 13;
const NOTE: usize = 14;

/// Ways of an array of which no source tells them, and the entries up to which it has one set.
const ASSUMED_WAYS: u32 = 16;
const ASSUMED_ONE_SET: u32 = 128;

/// A line of the data file, in fields.
struct Line {
    fields: [&'static str; COLUMNS],
}

/// Returns the lines below the header.
fn lines() -> impl Iterator<Item = Line> {
    ROWS.lines().skip(1).map(|line| Line {
        fields: split(line),
    })
}

/// Splits a line of CSV. Fields may be quoted; none holds a quotation mark.
fn split(line: &'static str) -> [&'static str; COLUMNS] {
    let mut fields = [""; COLUMNS];
    let mut rest = line;
    for field in &mut fields {
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        *field = value;
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    fields
}

impl Line {
    fn field(&self, column: usize) -> &'static str {
        self.fields[column]
    }

    fn number<T: std::str::FromStr>(&self, column: usize) -> Option<T> {
        self.field(column).parse().ok()
    }

    /// Returns what the rows of one processor have in common: their id up to the hyphen.
    fn prefix(&self) -> &'static str {
        let id = self.field(ID);
        id.split_once('-').map_or(id, |(prefix, _)| prefix)
    }

    fn row(&self) -> Option<PresetRow> {
        let stream = self.field(STREAM);
        let part = match (self.field(LEVEL), stream.starts_with('I')) {
            ("2", _) => Part::Second,
            (_, true) => Part::Instruction,
            _ => Part::Data,
        };
        let left_out = match (self.field(PAGE_SIZES), stream, part) {
            ("1G", _, _) => Some(LeftOut::HugePages),
            (_, "D stores", _) => Some(LeftOut::StoresOnly),
            (_, "I", Part::Second) => Some(LeftOut::SecondForInstructions),
            _ => None,
        };
        let mut assumptions = Vec::new();
        let geometries = match left_out {
            Some(_) => Vec::new(),
            None => self.geometries(&mut assumptions)?,
        };
        let confidence = match self.field(CONFIDENCE) {
            "A" => Confidence::Documented,
            "B" => Confidence::Secondary,
            _ => Confidence::Unverified,
        };
        Some(PresetRow {
            id: self.field(ID),
            part,
            page_sizes: self.field(PAGE_SIZES),
            policy: self.field(POLICY),
            confidence,
            source: self.field(SOURCE),
            note: self.field(NOTE),
            geometries,
            assumptions,
            left_out,
        })
    }

    fn geometries(&self, assumptions: &mut Vec<Assumption>) -> Option<Vec<Geometry>> {
        let parts = page_sizes(self.field(PAGE_SIZES), self.number(ENTRIES)?);
        let index = self.index(assumptions);
        let ways = self.number::<u32>(WAYS);
        if ways.is_none() {
            assumptions.push(Assumption::Ways);
        }
        let is_one_part = parts.len() == 1;
        let geometries = parts.into_iter().map(|(sizes, entries)| {
            // Parts of one array are fully associative.
            let ways = match ways.filter(|_| is_one_part) {
                Some(ways) => ways,
                None if !is_one_part || entries <= ASSUMED_ONE_SET => entries,
                None => ASSUMED_WAYS,
            };
            let policy = self.policy(ways);
            let geometry = Geometry::new(entries, ways, policy).ok()?;
            Some(geometry.holding(sizes).ok()?.indexed(index))
        });
        if !self.field(POLICY_KNOWN).starts_with("yes") {
            assumptions.push(Assumption::Policy);
        }
        geometries.collect()
    }

    fn index(&self, assumptions: &mut Vec<Assumption>) -> Index {
        let index = self.field(INDEX);
        if index.starts_with("unknown") || index.starts_with("skewed") {
            assumptions.push(Assumption::Index);
        }
        if index.contains("XOR") {
            Index::XorFold
        } else {
            Index::LowBits
        }
    }

    fn policy(&self, ways: u32) -> Policy {
        let can_have_tree = ways.is_power_of_two() && ways <= MAX_STATE_WAYS;
        match self.field(POLICY) {
            "(MRU+1)%3PLRU4" => Policy::Mru3Plru4,
            "pseudo-random" => Policy::Random,
            _ if can_have_tree => Policy::TreePlru,
            _ => Policy::Lru,
        }
    }
}

/// Reads the page sizes of an array: `4K (24) + 2M/4M (8)` is two parts with entries of their own.
fn page_sizes(text: &str, entries: u32) -> Vec<(PageSizes, u32)> {
    let sizes_of = |text: &str| {
        let mut sizes = PageSizes::empty();
        sizes.set(
            PageSizes::SMALL,
            text.contains("4K") || text.contains("all"),
        );
        let is_large = ["2M", "4M", "all"].iter().any(|size| text.contains(size));
        sizes.set(PageSizes::LARGE, is_large && !text.contains("as 4K"));
        sizes
    };
    let parts: Vec<_> = text.split(" + ").collect();
    if parts.len() == 1 {
        return vec![(sizes_of(text), entries)];
    }
    let counted = parts.into_iter().filter_map(|part| {
        let (sizes, count) = part.split_once(" (")?;
        Some((sizes_of(sizes), count.trim_end_matches(')').parse().ok()?))
    });
    counted.collect()
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Documented => "documented",
            Self::Secondary => "secondary source",
            Self::Unverified => "unverified",
        })
    }
}

impl fmt::Display for Assumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Policy => "policy assumed",
            Self::Ways => "ways assumed",
            Self::Index => "index assumed",
        })
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HugePages => "left out: 32-bit paging has no 1 GiB pages",
            Self::StoresOnly => "left out: stores share the TLB of loads",
            Self::SecondForInstructions => "left out: the second level for data serves both",
        })
    }
}

impl fmt::Display for PresetRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            Part::Data => "L1 data",
            Part::Instruction => "L1 instruction",
            Part::Second => "L2",
        };
        write!(f, "{part:<14}  {:<22}", self.page_sizes)?;
        for geometry in &self.geometries {
            let (entries, ways) = (geometry.entries(), geometry.ways());
            write!(
                f,
                "  {entries} entries x {ways} ways {}",
                geometry.policy().name()
            )?;
        }
        if let Some(left_out) = self.left_out {
            write!(f, "  {left_out}")?;
        }
        for assumption in &self.assumptions {
            write!(f, ", {assumption}")?;
        }
        write!(f, "  [{}] {}", self.confidence, self.source)
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return write!(f, "{}: {}", self.name, self.core);
        }
        write!(
            f,
            "{}: {} {}, {}",
            self.name, self.vendor, self.core, self.year
        )?;
        for row in &self.rows {
            write!(f, "\n  {row}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_data_file_belongs_to_a_preset() {
        let rows: usize = all().iter().map(|preset| preset.rows().len()).sum();

        assert_eq!(rows, ROWS.lines().count() - 1);
    }

    #[test]
    fn the_80386_has_32_entries_in_4_ways_for_everything() {
        let i386 = named("i386").unwrap();

        let geometry = i386.config().data[0];
        assert_eq!((geometry.entries(), geometry.ways()), (32, 4));
        assert!(i386.config().instruction.is_empty() && i386.config().second.is_empty());
        assert_eq!((i386.vendor(), i386.year()), ("Intel", 1985));
        assert_eq!(i386.rows()[0].assumptions(), [Assumption::Policy]);
    }

    #[test]
    fn skylake_has_its_hashed_second_level() {
        let skylake = named("skylake").unwrap();

        let stlb = skylake.config().second[0];
        assert_eq!((stlb.entries(), stlb.ways()), (1536, 12));
        assert_eq!(
            (stlb.index(), stlb.policy()),
            (Index::XorFold, Policy::Mru3Plru4)
        );
        let left_out = skylake.rows().iter().filter_map(PresetRow::left_out);
        assert_eq!(left_out.collect::<Vec<_>>(), [LeftOut::HugePages]);
        assert_eq!(named("skl"), Ok(skylake));
    }

    #[test]
    fn an_array_in_two_parts_becomes_two_arrays() {
        let k7 = named("k7").unwrap();

        let data: Vec<_> = k7
            .config()
            .data
            .iter()
            .map(|array| array.entries())
            .collect();
        assert_eq!(data, [24, 8]);
        assert_eq!(k7.config().data[1].sizes(), PageSizes::LARGE);
    }

    #[test]
    fn rows_that_nobody_has_read_are_marked_wherever_they_are_printed() {
        for preset in all() {
            let printed = preset.to_string();
            let marks = printed.matches("[unverified]").count();
            let rows = preset.rows().iter();
            let unverified = rows.filter(|row| row.confidence() == Confidence::Unverified);
            assert_eq!(marks, unverified.count(), "{printed}");
        }
        assert_eq!(
            named("p54c").unwrap().confidence(),
            Some(Confidence::Unverified)
        );
        assert_eq!(named("none").unwrap().config(), &TlbConfig::none());
    }
}
