//! The native side: a process of 32-bit Linux that runs cases, and is started again when it dies.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use pagefault_asm::{LinkOptions, NoIncludes, Options, assemble, link};
use tempfile::TempDir;
use thiserror::Error;

use super::case::Case;
use super::elf;
use super::layout::{self, HELLO_DWORDS, IMAGE, MAGIC, RESULT_BYTES, RESULT_COUNT};

/// How long a case may take: much longer than it can, and it may be that the machine is busy.
const PATIENCE: Duration = Duration::from_secs(20);
/// Attempts to start the program while another thread, which has just forked, holds its file open.
const ATTEMPTS: u32 = 50;
/// The permissions of an executable.
#[cfg(unix)]
const EXECUTABLE_MODE: u32 = 0o700;

/// Why nothing can be compared here.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// Another system, or another processor.
    #[error("the processor is not an x86, or the system is not Linux")]
    Platform,
    /// The executable cannot be written.
    #[error("the 32-bit program cannot be written")]
    Write(#[source] io::Error),
    /// The system does not run 32-bit programs.
    #[error("the system does not run the 32-bit program")]
    Start(#[source] io::Error),
    /// The program has ended before its first word.
    #[error("the 32-bit program ended while it was set up: system call {call:?} failed")]
    Setup {
        /// The number of the system call; `None` if it died in another way.
        call: Option<i32>,
    },
}

/// What the native side says before the first case: the selectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Selectors {
    pub(super) cs: u16,
    pub(super) ds: u16,
    pub(super) es: u16,
    pub(super) ss: u16,
    pub(super) fs: u16,
    pub(super) gs: u16,
}

/// What the processor has made of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The bytes of a result.
    Result(Vec<u8>),
    /// The process has died, or was ended because it went on for too long, twice.
    Died,
}

/// The native side.
#[derive(Debug)]
pub(super) struct Native {
    folder: TempDir,
    process: Process,
}

/// A running process.
#[derive(Debug)]
struct Process {
    child: Child,
    input: ChildStdin,
    results: Receiver<Vec<u8>>,
    selectors: Selectors,
}

impl Native {
    pub(super) fn start() -> Result<Self, Unavailable> {
        let is_x86 = cfg!(any(target_arch = "x86", target_arch = "x86_64"));
        if !cfg!(target_os = "linux") || !is_x86 {
            return Err(Unavailable::Platform);
        }
        let folder = tempfile::tempdir().map_err(Unavailable::Write)?;
        write_executable(&folder).map_err(Unavailable::Write)?;
        let process = Process::start(&folder)?;
        Ok(Self { folder, process })
    }

    pub(super) fn selectors(&self) -> Selectors {
        self.process.selectors
    }

    /// Runs cases, and returns what became of each of them.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the process died and cannot be started again.
    pub(super) fn run(&mut self, cases: &[&Case]) -> Result<Vec<Answer>, Unavailable> {
        let mut answers = Vec::new();
        while answers.len() < cases.len() {
            self.process.run(&cases[answers.len()..], &mut answers);
            let Some(case) = cases.get(answers.len()) else {
                break;
            };
            // On a busy machine even this may have been too slow: once more, alone.
            self.process = Process::start(&self.folder)?;
            let tried = answers.len();
            self.process.run(&[case], &mut answers);
            if answers.len() == tried {
                answers.push(Answer::Died);
                self.process = Process::start(&self.folder)?;
            }
        }
        Ok(answers)
    }
}

impl Process {
    fn start(folder: &TempDir) -> Result<Self, Unavailable> {
        let mut child = spawn(folder).map_err(Unavailable::Start)?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            unreachable!("both are pipes");
        };
        let mut output = BufReader::new(output);
        let mut hello = [0; 4 * HELLO_DWORDS];
        if output.read_exact(&mut hello).is_err() {
            let status = child.wait().map_err(Unavailable::Start)?;
            return Err(Unavailable::Setup {
                call: status.code(),
            });
        }
        let mut words = hello.chunks_exact(4).map(dword);
        let magic = words.next();
        assert_eq!(magic, Some(MAGIC), "the program is ours");
        let mut selector = || {
            let word = words.next().unwrap_or_default();
            u16::try_from(word).expect("a selector has 16 bits")
        };
        let selectors = Selectors {
            cs: selector(),
            ds: selector(),
            es: selector(),
            ss: selector(),
            fs: selector(),
            gs: selector(),
        };
        let (sender, results) = channel();
        // It ends with the process.
        thread::spawn(move || {
            while let Ok(result) = read_result(&mut output) {
                if sender.send(result).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            input,
            results,
            selectors,
        })
    }

    /// Runs cases until one of them ends the process.
    fn run(&mut self, cases: &[&Case], answers: &mut Vec<Answer>) {
        let bytes: Vec<u8> = cases.iter().flat_map(|case| case.to_bytes()).collect();
        let written = self.input.write_all(&bytes);
        if written.is_err() {
            // It has died; what it has said before can still be read.
            self.end();
        }
        for _ in cases {
            match self.results.recv_timeout(PATIENCE) {
                Ok(result) => answers.push(Answer::Result(result)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    self.end();
                    return;
                }
            }
        }
    }

    fn end(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(folder: &TempDir) -> io::Result<Child> {
    let mut attempts = 1;
    loop {
        let spawned = Command::new(folder.path().join(NAME))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        match spawned {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && attempts < ATTEMPTS => {
                attempts += 1;
                thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
}

/// The name of the executable.
const NAME: &str = "native";

fn write_executable(folder: &TempDir) -> io::Result<()> {
    let path = folder.path().join(NAME);
    std::fs::write(&path, executable())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(EXECUTABLE_MODE);
        std::fs::set_permissions(&path, mode)?;
    }
    Ok(())
}

/// Returns the executable: assembled, linked, and with a header.
fn executable() -> Vec<u8> {
    let source = layout::equates() + include_str!("runner.asm");
    let options = Options::default();
    let assembled = match assemble("runner.asm", source.as_bytes(), &NoIncludes, &options) {
        Ok(assembled) => assembled,
        Err(failure) => panic!("the native side is our own: {:?}", failure.diagnostics),
    };
    let options = LinkOptions { image_base: IMAGE };
    let image = link(&assembled.object, &options).expect("it has an entry, and imports nothing");
    elf::executable(&image)
}

fn read_result(output: &mut BufReader<ChildStdout>) -> io::Result<Vec<u8>> {
    /// An address and a value.
    const CHANGE_BYTES: u64 = 8;
    let mut result = vec![0; RESULT_BYTES];
    output.read_exact(&mut result)?;
    let count = dword(&result[RESULT_COUNT..]);
    let len = u64::from(count) * CHANGE_BYTES;
    let read = output.by_ref().take(len).read_to_end(&mut result)?;
    if read as u64 == len {
        Ok(result)
    } else {
        Err(ErrorKind::UnexpectedEof.into())
    }
}

fn dword(bytes: &[u8]) -> u32 {
    bytes.first_chunk().copied().map_or(0, u32::from_le_bytes)
}
