//! The `pagefault` command.

mod args;
mod asm;
mod debug;
mod diagnostics;
mod explain;
mod files;
mod folder;
mod gdb;
mod grade;
mod interrupt;
mod json;
mod lab;
mod labs;
mod load;
mod look;
mod map;
mod output;
mod paging;
mod program;
mod progress;
mod quiz;
mod record;
mod recorded;
mod replay;
mod run;
mod shell;
mod test;
mod tlb;
mod trace;

use std::process::ExitCode;

use clap::FromArgMatches;

use crate::args::{Arguments, Color, Command};
use crate::run::Shown;

/// A file that was asked for cannot be written.
const EXIT_OUTPUT: u8 = 125;

fn main() -> ExitCode {
    let matches = args::command().get_matches();
    let mut arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    if let Command::Walk(walk) = &mut arguments.command {
        walk.put_in_order();
    }
    let choice = match arguments.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
    let result = match &arguments.command {
        Command::Run(command) => match &command.gdb.gdb {
            Some(place) => gdb::run(command, place),
            None => run::run(&command.run, Shown::Run),
        },
        Command::Debug(arguments) => debug::run(arguments),
        Command::Map(arguments) => look::map(arguments),
        Command::Explain(arguments) => look::explain(arguments),
        Command::Walk(arguments) => look::walk(arguments),
        Command::Tlb(command) => tlb::run(command),
        Command::Asm(arguments) => asm::run(arguments),
        Command::Test(arguments) => test::run(arguments),
        Command::Completions(arguments) => shell::completions(arguments),
        Command::Man(arguments) => shell::man(arguments),
        Command::Replay(arguments) => replay::run(arguments),
        Command::Paging(arguments) => paging::run(arguments),
        Command::Quiz(arguments) => quiz::run(arguments),
        Command::Lab(command) => lab::run(command),
        Command::Grade(arguments) => grade::run(arguments),
        Command::GradeOne(arguments) => grade::run_one(arguments),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            ExitCode::from(EXIT_OUTPUT)
        }
    }
}
