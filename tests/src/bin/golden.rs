//! `golden KIND DIR [--show N] [--paging MODE]`: replays a directory of golden data and reports what
//! came of it.
//!
//! Exits with 0 if cases were found and none failed, with 1 if one failed or there was none, and
//! with 2 on wrong use.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use pagefault_tests::golden::Kind;
use pagefault_vmm::PagingMode;

/// What the command line asks for.
struct Options {
    kind: Kind,
    dir: PathBuf,
    show: usize,
}

/// Failures shown in full unless the command line says otherwise.
const DEFAULT_SHOW: usize = 5;
/// The exit code of wrong use.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            let _ = writeln!(
                io::stderr(),
                "{message}\nusage: golden KIND DIR [--show N] [--paging two-level|pae]"
            );
            return ExitCode::from(USAGE);
        }
    };
    let report = match options.kind.run(&options.dir) {
        Ok(report) => report,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            return ExitCode::from(USAGE);
        }
    };
    // A reader that has gone away, as `head` does, is no failure of the cases.
    let _ = report.write_to(&mut io::stdout().lock(), options.show);
    if report.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut places = Vec::new();
    let mut show = DEFAULT_SHOW;
    let mut paging = None;
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        if argument == "--show" {
            let number = arguments.next().and_then(|number| number.parse().ok());
            show = number.ok_or("--show needs a number")?;
        } else if argument == "--paging" {
            let mode = arguments.next();
            paging = Some(match mode.as_deref() {
                Some("two-level") => PagingMode::TwoLevel,
                Some("pae") => PagingMode::Pae,
                _ => return Err("--paging is two-level or pae".to_owned()),
            });
        } else if argument.starts_with('-') {
            return Err(format!("unknown option {argument}"));
        } else {
            places.push(argument);
        }
    }
    let [kind, dir] =
        <[String; 2]>::try_from(places).map_err(|_| "a kind and a directory are needed")?;
    let mut kind = Kind::named(&kind).map_err(|error| error.to_string())?;
    if let Some(paging) = paging {
        kind = kind
            .in_mode(paging)
            .ok_or("this kind of data has no paging mode to choose")?;
    }
    Ok(Options {
        kind,
        dir: PathBuf::from(dir),
        show,
    })
}
