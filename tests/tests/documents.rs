//! What the documents show is what the command prints, and what they name exists.

use std::fs;
use std::sync::OnceLock;

use pagefault_tests::command::{binary, project};

#[test]
fn the_readme_shows_what_the_command_prints() {
    trycmd::TestCases::new()
        .register_bin("pagefault", binary())
        .env("NO_COLOR", "1")
        .default_bin_path(binary())
        .case(project().join("README.md"));
}

#[test]
fn the_architecture_names_functions_that_exist() {
    let text = fs::read_to_string(project().join("ARCHITECTURE.md")).unwrap();
    let quoted = text.split('`').skip(1).step_by(2);
    let functions: Vec<_> = quoted.filter_map(|name| name.rsplit_once("::")).collect();

    for &(owner, function) in &functions {
        let is_variant = function.starts_with(|c: char| c.is_ascii_uppercase());
        let definition =
            if is_variant { format!("enum {owner}") } else { format!("fn {function}") };
        let is_defined = sources().iter().any(|source| {
            source.contains(&definition) && source.contains(function) && source.contains(owner)
        });
        assert!(is_defined, "ARCHITECTURE.md names {owner}::{function}, which nothing defines");
    }

    assert!(functions.len() > 15, "only {} functions are named", functions.len());
}

#[test]
fn every_file_that_the_documents_name_exists() {
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(project().join(document)).unwrap();
        let named = text.split(['`', '(', ')', ' ', '\n']).filter(|word| {
            ["crates/", "tests/", "fixtures/", "docs/"].iter().any(|top| word.starts_with(top))
        });
        for path in named.filter(|path| !path.contains("NAME")) {
            assert!(project().join(path).exists(), "{document} names {path}, which does not exist");
        }
    }
}

/// Returns every source file of the crates.
fn sources() -> &'static [String] {
    static SOURCES: OnceLock<Vec<String>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let mut sources = Vec::new();
        let mut folders = vec![project().join("crates")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().filter_map(Result::ok) {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    sources.push(fs::read_to_string(path).unwrap());
                }
            }
        }
        sources
    })
}
