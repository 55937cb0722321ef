//! CSV files with a header line, plain or compressed with gzip.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::golden::GoldenError;

/// The endings of the files that are read.
const ENDINGS: [&str; 2] = [".csv", ".csv.gz"];

/// A CSV file in memory.
#[derive(Clone, Debug)]
pub struct Table {
    name: String,
    header: csv::StringRecord,
    records: Vec<csv::StringRecord>,
}

/// One line of a table.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    header: &'a csv::StringRecord,
    record: &'a csv::StringRecord,
}

/// Returns the tables of a directory, sorted by name. Other files are left alone.
///
/// # Errors
///
/// [`GoldenError`] if the directory or a table cannot be read.
pub fn read_dir(dir: &Path) -> Result<Vec<Table>, GoldenError> {
    let read = |source| GoldenError::Read {
        path: dir.to_owned(),
        source,
    };
    let entries = fs::read_dir(dir).map_err(read)?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<PathBuf>, _>>()
        .map_err(read)?;
    paths.sort();
    let tables = paths.iter().filter_map(|path| {
        let file = path.file_name()?.to_str()?;
        let name = ENDINGS
            .iter()
            .find_map(|ending| file.strip_suffix(ending))?;
        Some(Table::read(path, name))
    });
    tables.collect()
}

impl Table {
    fn read(path: &Path, name: &str) -> Result<Self, GoldenError> {
        let read = |source| GoldenError::Read {
            path: path.to_owned(),
            source,
        };
        let csv = |source| GoldenError::Csv {
            path: path.to_owned(),
            source,
        };
        let file = BufReader::new(File::open(path).map_err(read)?);
        let is_plain = path.extension().is_some_and(|extension| extension == "csv");
        let source: Box<dyn Read> = if is_plain {
            Box::new(file)
        } else {
            Box::new(MultiGzDecoder::new(file))
        };
        let mut reader = csv::Reader::from_reader(source);
        let header = reader.headers().map_err(csv)?.clone();
        let records = reader.records().collect::<Result<_, _>>().map_err(csv)?;
        Ok(Self {
            name: name.to_owned(),
            header,
            records,
        })
    }

    /// Returns the file's name without its ending.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether the header names all these columns.
    pub fn has(&self, columns: &[&str]) -> bool {
        let is_named = |column: &&str| self.header.iter().any(|name| name == *column);
        columns.iter().all(is_named)
    }

    /// Returns the lines below the header.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let header = &self.header;
        self.records
            .iter()
            .map(move |record| Row { header, record })
    }
}

impl<'a> Row<'a> {
    /// Returns the value in a column, or `None` if it is empty or there is no such column.
    pub fn get(self, column: &str) -> Option<&'a str> {
        let index = self.header.iter().position(|name| name == column)?;
        self.record.get(index).filter(|value| !value.is_empty())
    }
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (name, value) in self.header.iter().zip(self.record) {
            write!(f, "{separator}{name}={value}")?;
            separator = " ";
        }
        Ok(())
    }
}
