//! What belongs to a command in a shell: completion and manual pages.

use std::io::{self, Write};

use anyhow::{Context, bail};
use clap_complete::Shell;

use crate::args;

#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ManArguments {
    /// The command that the page is about, as `run` or `tlb sim`; without it, the whole.
    command: Vec<String>,
}

/// Prints the completions.
///
/// # Errors
///
/// They cannot be printed.
pub(crate) fn completions(arguments: &CompletionsArguments) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    let mut command = args::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    print(&script)
}

/// Prints the manual page.
///
/// # Errors
///
/// There is no such command, or it cannot be printed.
pub(crate) fn man(arguments: &ManArguments) -> anyhow::Result<u8> {
    let mut command = args::command();
    command.build();
    let mut name = command.get_name().to_owned();
    for part in &arguments.command {
        let Some(found) = command.find_subcommand(part) else {
            bail!("{name} has no command {part}");
        };
        name = format!("{name}-{part}");
        command = found.clone();
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .context("no manual page")?;
    print(&page)
}

/// Prints; a reader that has gone away, as `head` does, is no failure.
fn print(bytes: &[u8]) -> anyhow::Result<u8> {
    match io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(0),
    }
}
