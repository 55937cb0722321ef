//! One program: assembled, run, judged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pagefault_lab::expect::{CheckError, Expectations, Subject, Surroundings, Unmet, check};
use pagefault_machine::asm::{LinkOptions, Options, assemble, link};
use pagefault_machine::vmm::VmmConfig;
use pagefault_machine::{DebugInfo, Files, MachineConfig, Program};

use crate::folder::Folder;
use crate::test::TestArguments;
use crate::{diagnostics, files};

/// What came of a program.
pub(crate) struct Judged {
    pub(crate) path: PathBuf,
    pub(crate) source: Vec<u8>,
    pub(crate) judgement: Judgement,
}

/// Whether a program is as it is expected to be.
pub(crate) enum Judgement {
    /// It is.
    Passed {
        expectations: usize,
        instructions: u64,
    },
    /// It is not.
    Failed {
        expectations: usize,
        instructions: u64,
        unmet: Vec<Unmet>,
    },
    /// It could not be run; the text says why.
    Broken(String),
}

impl Judged {
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Runs a program under the expectations in its source.
pub(crate) fn judge(path: &Path, arguments: &TestArguments) -> Judged {
    let mut source = Vec::new();
    let judgement = match files::read(path) {
        Ok(bytes) => {
            source = bytes;
            match run(path, &source, arguments) {
                Ok(judgement) => judgement,
                Err(message) => Judgement::Broken(message),
            }
        }
        Err(reason) => Judgement::Broken(format!("error: cannot read it: {reason}\n")),
    };
    Judged {
        path: path.to_path_buf(),
        source,
        judgement,
    }
}

fn run(path: &Path, source: &[u8], arguments: &TestArguments) -> Result<Judgement, String> {
    let name = path.display().to_string();
    let malformed = |errors: Vec<pagefault_lab::expect::ExpectError>| {
        let each = errors
            .iter()
            .map(|error| diagnostics::malformed(error, &name, source));
        each.collect::<String>()
    };
    let expectations = Expectations::from_source(source).map_err(malformed)?;
    if expectations.is_empty() {
        return Err("error: the source states no expectations: write some after `;!`\n".to_owned());
    }
    let assembled = assemble(&name, source, &files::Includes, &Options::default());
    let assembled = assembled.map_err(|failure| {
        let each = failure.diagnostics.iter();
        each.map(|diagnostic| diagnostics::rendered(diagnostic, &failure.files) + "\n")
            .collect::<String>()
    })?;
    let image = link(&assembled.object, &LinkOptions::default())
        .map_err(|error| format!("error: cannot link it: {error}\n"))?;
    let debug = DebugInfo::new(&assembled, &image);
    let program =
        Program::from_image(&image).map_err(|error| format!("error: cannot load it: {error}\n"))?;

    let surroundings = surroundings(path, &expectations, arguments)?;
    let subject = Subject {
        program: &program,
        debug: &debug,
    };
    let verdict = check(&expectations, subject, surroundings).map_err(|error| match error {
        CheckError::Load(error) => format!("error: cannot load it: {error}\n"),
        CheckError::Expectations(errors) => malformed(errors),
    })?;
    let unmet: Vec<_> = verdict.failures().cloned().collect();
    let expectations = expectations.list().len();
    let instructions = verdict.instructions;
    Ok(if unmet.is_empty() {
        Judgement::Passed {
            expectations,
            instructions,
        }
    } else {
        Judgement::Failed {
            expectations,
            instructions,
            unmet,
        }
    })
}

/// Refuses a program that asks for more memory of the host than it may have.
fn check_memory(expectations: &Expectations, arguments: &TestArguments) -> Result<(), String> {
    let settings = expectations.settings();
    let ram = settings.ram_bytes.unwrap_or_default();
    let file = settings.pagefile_bytes.unwrap_or_default();
    let wanted = ram.saturating_add(file);
    if wanted <= arguments.max_memory {
        return Ok(());
    }
    let most = arguments.max_memory;
    Err(format!(
        "error: its `run` line asks for {wanted} bytes of RAM and paging file, more than {most}: \
         --max-memory allows more\n"
    ))
}

fn surroundings(
    path: &Path,
    expectations: &Expectations,
    arguments: &TestArguments,
) -> Result<Surroundings, String> {
    check_memory(expectations, arguments)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut texts = BTreeMap::new();
    for name in expectations.file_names() {
        if let Ok(bytes) = files::read(&folder.join(name)) {
            texts.insert(name.to_owned(), bytes);
        }
    }
    let opened = expectations.settings().files.as_ref().map(|name| {
        let opened = Folder::open(&folder.join(name));
        opened.map_err(|error| format!("error: cannot use the folder {name}: {error}\n"))
    });
    let opened = opened.transpose()?;
    let stem = path.file_stem().unwrap_or_default();
    let config = MachineConfig {
        program_name: format!("{}.exe", stem.to_string_lossy()),
        vmm: VmmConfig {
            paging: arguments.paging.mode(),
            profile: arguments.profile.rules(),
            ..VmmConfig::default()
        },
        ..MachineConfig::default()
    };
    Ok(Surroundings {
        config,
        budget: arguments.max_insns,
        files: opened.map(|folder| Box::new(folder) as Box<dyn Files>),
        texts,
    })
}
