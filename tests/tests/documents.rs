//! What the documents show is what the command prints, and what they name exists.

use std::env;
use std::fs;
use std::sync::OnceLock;

use pagefault_tests::command::{pagefault, project};

/// Blocks of kind `console` hold a command after `$`, then what it prints: standard output, standard
/// error, and `? N` for an exit code that is not 0. `UPDATE_EXPECT=1` rewrites them.
#[test]
fn the_readme_shows_what_the_command_prints() {
    let path = project().join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let mut seen = String::new();
    let mut commands = 0;

    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        seen.extend([line, "\n"]);
        if line != "```console" {
            continue;
        }
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        let command = block
            .first()
            .and_then(|line| line.strip_prefix("$ pagefault "));
        let command = command.expect("a block begins with a command");
        seen.extend(["$ pagefault ", command, "\n", &transcript(command), "```\n"]);
        commands += 1;
    }

    assert!(commands > 2, "only {commands} commands are shown");
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, seen).unwrap();
    } else {
        assert_eq!(
            text, seen,
            "README.md shows something else than the command prints"
        );
    }
}

/// Runs the command and returns what a terminal would show.
fn transcript(command: &str) -> String {
    let output = pagefault().args(command.split(' ')).output().unwrap();
    let mut shown = String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n");
    shown += &String::from_utf8_lossy(&output.stderr);
    let code = output.status.code().expect("the command ends by itself");
    if code != 0 {
        shown.extend(["? ", &code.to_string(), "\n"]);
    }
    shown
}

#[test]
fn the_architecture_names_functions_that_exist() {
    let text = fs::read_to_string(project().join("ARCHITECTURE.md")).unwrap();
    // Every other part is a fenced block; of the rest, every other part is quoted.
    let prose: Vec<_> = text.split("```").step_by(2).collect();
    let quoted = prose
        .iter()
        .flat_map(|part| part.split('`').skip(1).step_by(2));
    let functions: Vec<_> = quoted.filter_map(|name| name.rsplit_once("::")).collect();

    for &(owner, function) in &functions {
        let is_variant = function.starts_with(|c: char| c.is_ascii_uppercase());
        let definition = if is_variant {
            format!("enum {owner}")
        } else {
            format!("fn {function}")
        };
        let is_defined = sources().iter().any(|source| {
            source.contains(&definition) && source.contains(function) && source.contains(owner)
        });
        assert!(
            is_defined,
            "ARCHITECTURE.md names {owner}::{function}, which nothing defines"
        );
    }

    assert!(
        functions.len() > 15,
        "only {} functions are named",
        functions.len()
    );
}

#[test]
fn every_file_that_the_documents_name_exists() {
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(project().join(document)).unwrap();
        let named = text.split(['`', '(', ')', ' ', '\n']).filter(|word| {
            ["crates/", "tests/", "fixtures/", "docs/"]
                .iter()
                .any(|top| word.starts_with(top))
        });
        // A place in a file ends in its line.
        let paths = named.filter_map(|word| word.split(':').next());
        for path in paths.filter(|path| !path.contains("NAME")) {
            assert!(
                project().join(path).exists(),
                "{document} names {path}, which does not exist"
            );
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
