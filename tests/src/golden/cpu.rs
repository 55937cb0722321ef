//! Instruction vectors of a real CPU: code, registers and memory before, and all of it after.
//!
//! A directory holds `layout.json`, the memory map, and gzipped JSON Lines, one vector a line. A
//! vector runs on real page tables (PAE, so that data is not executable) until its first
//! exception, and everything that the CPU defines is compared: registers, flags, EIP, memory,
//! vector, error code, CR2.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::golden::GoldenError;
use crate::golden::report::{FileReport, Report};

mod compare;
mod format;
mod stage;

use format::{Layout, Vector};
use stage::Stage;

/// Vectors with this tag show one microarchitecture's partial writes; nobody insists on them.
const PARTIAL: &str = "partial";

/// The file with the memory map.
const LAYOUT: &str = "layout.json";
/// What the names of files with vectors end in.
const VECTORS_SUFFIX: &str = ".jsonl.gz";

/// Replays all vectors of a directory.
///
/// # Errors
///
/// [`GoldenError`] if the directory or a file in it cannot be read, or is not in the format.
pub fn run(dir: &Path) -> Result<Report, GoldenError> {
    let layout_path = dir.join(LAYOUT);
    let text = std::fs::read_to_string(&layout_path).map_err(read_error(&layout_path))?;
    let layout: Layout = serde_json::from_str(&text).map_err(format_error(&layout_path))?;
    let mut stage = Stage::new(&layout);
    let mut report = Report::default();
    for path in vector_files(dir)? {
        report.files.push(run_file(&mut stage, &path)?);
    }
    Ok(report)
}

fn run_file(stage: &mut Stage, path: &Path) -> Result<FileReport, GoldenError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut report = FileReport::new(&name);
    let file = File::open(path).map_err(read_error(path))?;
    for line in BufReader::new(GzDecoder::new(file)).lines() {
        let line = line.map_err(read_error(path))?;
        if line.trim().is_empty() {
            continue;
        }
        let vector: Vector = serde_json::from_str(&line).map_err(format_error(path))?;
        if vector.tags.iter().any(|tag| tag == PARTIAL) {
            report.skip(PARTIAL);
            continue;
        }
        stage.prepare(&vector);
        let outcome = stage.run(&vector);
        match compare::compare(&vector, stage, &outcome) {
            Ok(()) => report.passed += 1,
            Err(difference) => report.failures.push(difference),
        }
    }
    Ok(report)
}

fn vector_files(dir: &Path) -> Result<Vec<PathBuf>, GoldenError> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(read_error(dir))? {
        let path = entry.map_err(read_error(dir))?.path();
        if path.to_string_lossy().ends_with(VECTORS_SUFFIX) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_error(path: &Path) -> impl FnOnce(std::io::Error) -> GoldenError {
    let path = path.to_owned();
    |source| GoldenError::Read { path, source }
}

fn format_error(path: &Path) -> impl FnOnce(serde_json::Error) -> GoldenError {
    let path = path.to_owned();
    |source| GoldenError::Json { path, source }
}
