//! Breaking a rule in the copy, and looking whether a test fails.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use crate::mutations::{Mutation, copy};

/// The time between two looks at a running test.
const PAUSE: Duration = Duration::from_millis(20);
/// Looks at a running test, five minutes of them, before it is given up: a broken rule may keep a
/// program from ending. A clock would go on while this process is stopped.
const LOOKS: u32 = 15_000;

/// What came of a mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A test failed, or did not end.
    Killed(Killer),
    /// All tests passed.
    Survived,
    /// What the list writes does not compile.
    DoesNotBuild,
    /// What the list replaces is not there, or not once.
    TextNotFound,
}

/// What saw that a rule was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Killer {
    /// Tests that failed, by their names.
    Tests(Vec<String>),
    /// A test that ended without a list of what failed.
    Abort,
    /// A test that had not ended in time.
    TimeLimit,
}

impl Outcome {
    /// Returns the word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Killed(_) => "killed",
            Self::Survived => "survived",
            Self::DoesNotBuild => "does not build",
            Self::TextNotFound => "text not found",
        }
    }

    /// Returns whether it is what the list promises.
    pub fn is_killed(&self) -> bool {
        matches!(self, Self::Killed(_))
    }
}

impl Killer {
    /// Returns what is said of it in a line.
    pub fn words(&self) -> String {
        match self {
            Self::Tests(names) => match &names[..] {
                [] => "a test".to_owned(),
                [only] => only.clone(),
                [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            },
            Self::Abort => "the tests stop".to_owned(),
            Self::TimeLimit => "the tests do not end".to_owned(),
        }
    }
}

/// A copy of the project in which rules are broken.
#[derive(Debug)]
pub struct Workshop {
    tree: PathBuf,
    target: PathBuf,
}

impl Workshop {
    /// Makes the copy, or brings it up to date, in `folder`; what is built goes to `target`.
    ///
    /// # Errors
    ///
    /// What the operating system says of the first file that cannot be copied.
    pub fn new(project: &Path, folder: &Path, target: PathBuf) -> io::Result<Self> {
        let tree = folder.join("tree");
        copy::sync(project, &tree)?;
        Ok(Self { tree, target })
    }

    /// Returns the file with what the last compiler or test has printed.
    pub fn log(&self) -> PathBuf {
        self.target.join("mutations.log")
    }

    /// Runs tests on the copy as it is. Anything but [`Outcome::Survived`] means that the list names
    /// tests that fail without it.
    ///
    /// # Errors
    ///
    /// What the operating system says if cargo or a test cannot be run.
    pub fn check(&self, test: &str) -> io::Result<Outcome> {
        let (of_cargo, of_test) = test.split_once(" -- ").unwrap_or((test, ""));
        let Some(binaries) = self.build(of_cargo)? else {
            return Ok(Outcome::DoesNotBuild);
        };
        for binary in &binaries {
            if let Some(killer) = self.run(binary, of_test)? {
                return Ok(Outcome::Killed(killer));
            }
        }
        Ok(Outcome::Survived)
    }

    /// Breaks one rule, runs its tests, and mends it.
    ///
    /// # Errors
    ///
    /// What the operating system says if the file, cargo or a test cannot be used.
    pub fn judge(&self, mutation: &Mutation) -> io::Result<Outcome> {
        let path = self.tree.join(&mutation.file);
        let Ok(text) = fs::read_to_string(&path) else {
            return Ok(Outcome::TextNotFound);
        };
        let Ok(broken) = mutation.apply(&text) else {
            return Ok(Outcome::TextNotFound);
        };
        fs::write(&path, broken)?;
        let outcome = self.check(&mutation.test);
        fs::write(&path, text)?;
        outcome
    }

    /// Builds the tests that the arguments select; `None` if they do not compile.
    fn build(&self, arguments: &str) -> io::Result<Option<Vec<Binary>>> {
        let output = self
            .cargo()
            .args(["test", "--quiet", "--no-run", "--message-format=json"])
            .args(arguments.split_whitespace())
            .stderr(File::create(self.log())?)
            .output()?;
        if !output.status.success() {
            return Ok(None);
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        Ok(Some(messages.lines().filter_map(Binary::parse).collect()))
    }

    /// Runs the tests of a binary; `None` if all of them passed.
    fn run(&self, binary: &Binary, arguments: &str) -> io::Result<Option<Killer>> {
        let log = self.log();
        let output = File::create(&log)?;
        let mut test = Command::new(&binary.path)
            .args(arguments.split_whitespace())
            .current_dir(&binary.package)
            .env("CARGO_MANIFEST_DIR", &binary.package)
            .env("CARGO_TARGET_DIR", &self.target)
            .stdin(Stdio::null())
            .stderr(output.try_clone()?)
            .stdout(output)
            .spawn()?;
        let mut status = None;
        for _ in 0..LOOKS {
            status = test.try_wait()?;
            if status.is_some() {
                break;
            }
            thread::sleep(PAUSE);
        }
        let Some(status) = status else {
            test.kill()?;
            test.wait()?;
            return Ok(Some(Killer::TimeLimit));
        };
        let shown = fs::read(&log)?;
        Ok(killer(status, &String::from_utf8_lossy(&shown)))
    }

    fn cargo(&self) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            .stdin(Stdio::null());
        cargo
    }
}

/// A test binary that cargo has built.
struct Binary {
    path: PathBuf,
    package: PathBuf,
}

impl Binary {
    /// Reads one of cargo's messages; `None` if it is not of a test binary.
    fn parse(message: &str) -> Option<Self> {
        let message: serde_json::Value = serde_json::from_str(message).ok()?;
        let is_test = message["profile"]["test"].as_bool()?;
        let manifest = Path::new(message["manifest_path"].as_str()?);
        let path = message["executable"].as_str()?;
        is_test.then_some(Self {
            path: path.into(),
            package: manifest.parent()?.to_owned(),
        })
    }
}

/// Returns what failed, by how a test binary ended and what it printed.
fn killer(status: ExitStatus, shown: &str) -> Option<Killer> {
    if status.success() {
        return None;
    }
    // The last list of failures holds names alone; one before it holds what they printed.
    let Some((_, list)) = shown.rsplit_once("\nfailures:\n") else {
        return Some(Killer::Abort);
    };
    let indented = list.lines().map_while(|line| line.strip_prefix("    "));
    let mut names: Vec<_> = indented.map(str::to_owned).collect();
    names.sort();
    Some(Killer::Tests(names))
}
