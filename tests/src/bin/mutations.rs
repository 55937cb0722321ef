//! `mutations [--list] [--write] [--folder DIR] [--target DIR] [NAME...]`: breaks rules of the crates
//! in a copy of the sources, one at a time, and says whether a test fails.
//!
//! NAME is a rule, or what its name begins with: `mmu` stands for all rules of that crate. `--write`
//! brings `docs/MUTATIONS.md` up to date, with `--list` without running anything; no other file of
//! the project is changed.
//!
//! Exits with 0 if every rule that was broken was seen to be, with 1 if one was not, and with 2 on
//! wrong use.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use pagefault_tests::command::project;
use pagefault_tests::mutations::run::{Outcome, Workshop};
use pagefault_tests::mutations::{Mutation, page, read_list};

/// The exit code of wrong use.
const USAGE: u8 = 2;

#[derive(Default)]
struct Options {
    list: bool,
    write: bool,
    folder: Option<PathBuf>,
    target: Option<PathBuf>,
    names: Vec<String>,
}

fn main() -> ExitCode {
    let Some(options) = parse(std::env::args().skip(1)) else {
        say("usage: mutations [--list] [--write] [--folder DIR] [--target DIR] [NAME...]");
        return ExitCode::from(USAGE);
    };
    let list = match read_list(project()) {
        Ok(list) => list,
        Err(error) => {
            say(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
    let chosen = match choose(&list, &options.names) {
        Ok(chosen) => chosen,
        Err(name) => {
            say(&format!("no mutation has a name that begins with {name}"));
            return ExitCode::from(USAGE);
        }
    };
    let done = if options.list {
        show(&list, &chosen, &options)
    } else {
        work(&list, &chosen, &options)
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            say(&format!("cannot go on: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Returns the mutations that the names select: all if there is none.
fn choose<'a>(list: &'a [Mutation], names: &[String]) -> Result<Vec<&'a Mutation>, String> {
    let is_meant = |one: &Mutation, name: &String| one.name.starts_with(name.as_str());
    for name in names {
        if !list.iter().any(|one| is_meant(one, name)) {
            return Err(name.clone());
        }
    }
    let is_chosen =
        |one: &&Mutation| names.is_empty() || names.iter().any(|name| is_meant(one, name));
    Ok(list.iter().filter(is_chosen).collect())
}

fn show(list: &[Mutation], chosen: &[&Mutation], options: &Options) -> io::Result<ExitCode> {
    for one in chosen {
        say(&format!("{:36} {}", one.name, one.rule));
    }
    if options.write {
        write_page(list, &BTreeMap::new())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn work(list: &[Mutation], chosen: &[&Mutation], options: &Options) -> io::Result<ExitCode> {
    let folder = options.folder.clone();
    let folder = folder.unwrap_or_else(|| project().join("target/mutations"));
    let target = options.target.clone();
    let target = target.unwrap_or_else(|| folder.join("target"));
    fs::create_dir_all(&target)?;
    let workshop = Workshop::new(project(), &folder, target)?;

    let mut known = BTreeMap::new();
    let mut checked = BTreeMap::new();
    for mutation in chosen {
        let test = mutation.test.as_str();
        let passes = if let Some(&passes) = checked.get(test) {
            passes
        } else {
            let passes = passes_unbroken(&workshop, test)?;
            checked.insert(test, passes);
            passes
        };
        if !passes {
            continue;
        }
        let begin = Instant::now();
        let outcome = workshop.judge(mutation)?;
        let killer = match &outcome {
            Outcome::Killed(killer) => killer.words(),
            _ => String::new(),
        };
        let seconds = begin.elapsed().as_secs();
        let word = outcome.word();
        say(&format!(
            "{word:14} {:36} {seconds:4} s  {killer}",
            mutation.name
        ));
        if outcome == Outcome::DoesNotBuild {
            // The next build writes over what the compiler has said.
            let said = fs::read_to_string(workshop.log())?;
            let errors = said.lines().filter(|line| line.starts_with("error"));
            errors.for_each(say);
        }
        known.insert(mutation.name.clone(), outcome);
    }
    if options.write {
        write_page(list, &known)?;
    }
    Ok(summary(chosen.len(), &known))
}

/// Returns whether tests pass before anything is broken: only then does a failure say something.
fn passes_unbroken(workshop: &Workshop, test: &str) -> io::Result<bool> {
    let outcome = workshop.check(test)?;
    let passes = outcome == Outcome::Survived;
    if passes {
        say(&format!("passes unbroken: cargo test {test}"));
    } else {
        let log = workshop.log().display().to_string();
        say(&format!("FAILS UNBROKEN: cargo test {test}: see {log}"));
    }
    Ok(passes)
}

/// Brings the page up to date: what was not run now keeps what the page says of it.
fn write_page(list: &[Mutation], outcomes: &BTreeMap<String, Outcome>) -> io::Result<()> {
    let path = project().join("docs/MUTATIONS.md");
    let mut known = match fs::read_to_string(&path) {
        Ok(page) => page::parse(&page),
        Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
        Err(error) => return Err(error),
    };
    for (name, outcome) in outcomes {
        known.insert(name.clone(), outcome.into());
    }
    fs::write(&path, page::render(list, &known))
}

fn summary(chosen: usize, outcomes: &BTreeMap<String, Outcome>) -> ExitCode {
    let count = |word: &str| {
        let of_word = outcomes.values().filter(|outcome| outcome.word() == word);
        of_word.count()
    };
    let killed = outcomes
        .values()
        .filter(|outcome| outcome.is_killed())
        .count();
    say(&format!(
        "{chosen} mutations: {killed} killed, {} survived, {} do not build, {} not found, {} not tried",
        count(Outcome::Survived.word()),
        count(Outcome::DoesNotBuild.word()),
        count(Outcome::TextNotFound.word()),
        chosen - outcomes.len()
    ));
    if killed == chosen {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => options.list = true,
            "--write" => options.write = true,
            "--folder" => options.folder = Some(arguments.next()?.into()),
            "--target" => options.target = Some(arguments.next()?.into()),
            name if name.starts_with('-') => return None,
            name => options.names.push(name.to_owned()),
        }
    }
    Some(options)
}

fn say(line: &str) {
    // A reader that has gone away needs no lines.
    _ = writeln!(io::stdout().lock(), "{line}");
}
