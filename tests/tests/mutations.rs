//! The list of mutations fits the sources, and its page fits the list. `cargo run -p pagefault-tests
//! --bin mutations` does what the page says; that takes too long for a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pagefault_tests::command::project;
use pagefault_tests::mutations::{CRATES, Mutation, TextError, krate_of, page, read_list};

fn list() -> Vec<Mutation> {
    read_list(project()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_mutation_changes_one_place_of_a_file() {
    for mutation in list() {
        let text = fs::read_to_string(project().join(&mutation.file))
            .unwrap_or_else(|error| panic!("{}: {}: {error}", mutation.name, mutation.file));

        if let Err(error) = mutation.apply(&text) {
            panic!("{} in {}: {error}", mutation.name, mutation.file);
        }
    }
}

#[test]
fn a_text_that_is_not_there_once_is_refused() {
    let mutation = Mutation {
        from: "a < b".to_owned(),
        to: "a <= b".to_owned(),
        ..list().remove(0)
    };
    let same = Mutation {
        to: mutation.from.clone(),
        ..mutation.clone()
    };

    assert_eq!(mutation.apply("if a < b {").as_deref(), Ok("if a <= b {"));
    assert_eq!(mutation.apply("if a > b {"), Err(TextError::NotFound));
    let twice = mutation.apply("a < b && a < b");
    assert_eq!(twice, Err(TextError::Ambiguous { times: 2 }));
    assert_eq!(same.apply("a < b"), Err(TextError::Same));
}

#[test]
fn every_crate_has_mutations_and_all_have_a_test_that_exists() {
    let list = list();
    for krate in CRATES {
        let count = list.iter().filter(|one| krate_of(&one.name) == Some(krate));
        assert!(count.count() >= 3, "{krate} has hardly any mutation");
    }
    for mutation in &list {
        let words: Vec<_> = mutation.test.split_whitespace().collect();
        let package = words.iter().position(|&word| word == "-p");
        let package = package.and_then(|at| words.get(at + 1)).copied();
        let folder = package.and_then(folder_of);
        let Some(folder) = folder.filter(|folder| folder.join("Cargo.toml").is_file()) else {
            panic!("{}: no package in {:?}", mutation.name, mutation.test);
        };
        for pair in words.windows(2).filter(|pair| pair[0] == "--test") {
            let file = folder.join("tests").join(pair[1]);
            assert!(
                file.with_extension("rs").is_file() || file.join("main.rs").is_file(),
                "{}: no test {}",
                mutation.name,
                pair[1]
            );
        }
    }
}

/// Returns the folder of a package of ours.
fn folder_of(package: &str) -> Option<PathBuf> {
    match package.strip_prefix("pagefault")? {
        "" => Some(project().join("crates/cli")),
        "-tests" => Some(project().join("tests")),
        krate => Some(project().join("crates").join(krate.strip_prefix('-')?)),
    }
}

#[test]
fn the_page_shows_the_list_and_a_test_that_fails_for_each() {
    let list = list();
    let shown = fs::read_to_string(project().join("docs/MUTATIONS.md")).unwrap();
    let known = page::parse(&shown);
    let tests = functions();

    let mut killed = 0;
    for mutation in &list {
        let name = &mutation.name;
        let Some(row) = known.get(name) else {
            panic!("docs/MUTATIONS.md does not show {name}: run `mutations --write {name}`");
        };
        match row.word.as_str() {
            "killed" => killed += 1,
            // The page says so of a mutation that nobody has run yet.
            page::NOT_RUN => continue,
            word => panic!("{name}: {word}"),
        }
        let quoted = row.killer.split('`').nth(1);
        for test in quoted.into_iter().chain(mutation.test_added.as_deref()) {
            let function = test.rsplit("::").next().unwrap_or(test);
            assert!(
                tests.contains(function) || is_program(test),
                "{name}: there is no test {test}"
            );
        }
    }
    assert!(killed >= 48, "only {killed} mutations are killed");
    assert_eq!(
        page::render(&list, &known),
        shown,
        "docs/MUTATIONS.md differs from the list: run `mutations --write` with what has changed"
    );
}

/// Returns whether a test is that of a program, in a mode of paging.
fn is_program(test: &str) -> bool {
    let programs = project().join("fixtures/programs");
    test.split_once("::").is_some_and(|(program, mode)| {
        ["two-level", "pae"].contains(&mode)
            && programs.join(program).with_extension("asm").is_file()
    })
}

/// Returns the names of all functions in the sources and tests of the crates.
fn functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![project().join("crates"), project().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if is_source(&path) {
                let text = fs::read_to_string(path).unwrap();
                let after_fn = text.split("fn ").skip(1);
                let name = |rest: &str| rest.split(['(', '<']).next().map(str::to_owned);
                names.extend(after_fn.filter_map(name));
            }
        }
    }
    names
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}
