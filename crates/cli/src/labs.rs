//! The folders of labs: what students get, and what staff keep.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use pagefault_lab::pack::{Lab, LabTexts};
use pagefault_lab::variant::{VariantKey, fingerprint};

/// The manifest of a lab, and what only staff have: more checks, and the solution.
const MANIFEST: &str = "lab.txt";
const README: &str = "README.md";
const HIDDEN: &str = "hidden.txt";
const STARTER: &str = "starter";
const SOLUTION: &str = "solution";

/// Where labs are.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LabFolders {
    /// The folder of the labs.
    #[arg(long, value_name = "DIR", default_value = "fixtures/labs")]
    pub(crate) labs: PathBuf,
    /// The folder that staff keep: solutions and hidden checks. Without it, there are none.
    #[arg(long, value_name = "DIR", default_value = "fixtures/labs-staff")]
    pub(crate) staff: PathBuf,
}

/// Whose parameters are meant.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct VariantArguments {
    /// The course's secret, from which each student's parameters are made.
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Parameters from a number in place of the secret: the same for everybody.
    #[arg(long, value_name = "N", conflicts_with = "secret_file")]
    pub(crate) seed: Option<u64>,
}

impl VariantArguments {
    /// Returns the key of a student in a lab.
    pub(crate) fn key(&self, lab: &str, student: Option<&str>) -> anyhow::Result<VariantKey> {
        let Some(path) = &self.secret_file else {
            return Ok(VariantKey::of_seed(lab, self.seed.unwrap_or_default()));
        };
        let secret = fs::read(path);
        let secret =
            secret.with_context(|| format!("cannot read the secret {}", path.display()))?;
        let secret = secret.trim_ascii();
        if secret.is_empty() {
            bail!(
                "the secret {} is empty: write some random letters into it",
                path.display()
            );
        }
        let student = student.ok_or_else(|| anyhow!("whose parameters? Give --student"))?;
        Ok(VariantKey::of_student(secret, lab, student))
    }
}

/// A lab as it lies in its folders.
pub(crate) struct Found {
    pub(crate) lab: Lab,
    /// It changes when the lab does.
    pub(crate) fingerprint: String,
}

impl LabFolders {
    /// Returns the names of the labs, in order.
    pub(crate) fn names(&self) -> anyhow::Result<Vec<String>> {
        let what = || {
            format!(
                "cannot read the labs in {} (--labs names their folder)",
                self.labs.display()
            )
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.labs).with_context(what)? {
            let path = entry.with_context(what)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if let (Some(name), true) = (name, path.join(MANIFEST).is_file()) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Reads a lab, which may be named by its number alone.
    pub(crate) fn find(&self, name: &str) -> anyhow::Result<Found> {
        let names = self.names()?;
        let is_meant = |known: &&String| *known == name || known.split('-').next() == Some(name);
        let unknown = || anyhow!("there is no lab {name}; there are {}", names.join(", "));
        let name = names.iter().find(is_meant).ok_or_else(unknown)?;
        self.read(name)
    }

    fn read(&self, name: &str) -> anyhow::Result<Found> {
        let folder = self.labs.join(name);
        let staff = self.staff.join(name);
        let mut manifest = text(&folder.join(MANIFEST))?;
        if let Some(hidden) = optional(&staff.join(HIDDEN))? {
            manifest = format!("{manifest}\n{hidden}");
        }
        let readme = text(&folder.join(README))?;
        let starter = named(&folder, STARTER)?;
        let solution = named(&staff, SOLUTION)?;
        let texts = LabTexts {
            manifest: &manifest,
            readme: &readme,
            starter: starter.as_deref(),
            solution: solution.as_deref(),
        };
        let fingerprint = fingerprint(&[name.as_bytes(), manifest.as_bytes()]);
        let lab = Lab::new(name, &texts);
        let lab = lab.map_err(|error| anyhow!("{}: {error}", folder.join(MANIFEST).display()))?;
        Ok(Found { lab, fingerprint })
    }
}

fn text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn optional(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Reads the file of a folder that has this name before its ending.
fn named(folder: &Path, stem: &str) -> anyhow::Result<Option<String>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(None);
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    let found = paths
        .iter()
        .find(|path| path.file_stem().is_some_and(|found| found == stem));
    found.map_or(Ok(None), |path| optional(path))
}
