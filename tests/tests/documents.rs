//! What the documents show is what the command prints, and what they name exists.

use std::collections::BTreeSet;
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
    assert!(functions_named_by("ARCHITECTURE.md") > 15);
    assert!(functions_named_by("CONTRIBUTING.md") > 3);
}

/// Checks the functions that a document names with their types, and returns how many they are.
fn functions_named_by(document: &str) -> usize {
    let text = fs::read_to_string(project().join(document)).unwrap();
    // Every other part is a fenced block; of the rest, every other part is quoted.
    let prose: Vec<_> = text.split("```").step_by(2).collect();
    let quoted = prose
        .iter()
        .flat_map(|part| part.split('`').skip(1).step_by(2));
    let named = quoted.filter_map(|name| name.rsplit_once("::"));
    // The codes of instructions are iced-x86's.
    let functions: Vec<_> = named.filter(|&(owner, _)| owner != "Code").collect();

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
            "{document} names {owner}::{function}, which nothing defines"
        );
    }
    functions.len()
}

#[test]
fn every_quirk_has_a_name_of_its_own_and_its_place_in_the_code() {
    let text = fs::read_to_string(project().join("docs/QUIRKS.md")).unwrap();
    let rows = text.lines().filter_map(|line| {
        let name = line.strip_prefix("| `")?;
        Some(name.split_once('`')?.0)
    });
    let rows: Vec<&str> = rows.collect();
    let names: BTreeSet<&str> = rows.iter().copied().collect();
    let marked: BTreeSet<&str> = sources().iter().flat_map(|source| marks(source)).collect();

    assert_eq!(rows.len(), names.len(), "two quirks have one name");
    assert_eq!(
        names, marked,
        "rows of docs/QUIRKS.md, and marks in the code"
    );
    assert!(names.len() > 30, "only {} quirks are listed", names.len());
}

/// Returns the names of the quirks that a source marks, in comments of Rust or of the assembler.
fn marks(source: &str) -> impl Iterator<Item = &str> {
    let marks = ["// Quirk: ", "; Quirk: "].into_iter();
    marks
        .flat_map(|mark| source.split(mark).skip(1))
        .map(|rest| {
            let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
            &rest[..end.unwrap_or(rest.len())]
        })
}

#[test]
fn every_file_that_the_documents_name_exists() {
    for document in documents() {
        let text = fs::read_to_string(project().join(&document)).unwrap();
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

#[test]
fn links_between_the_documents_lead_to_files() {
    for document in documents() {
        let text = fs::read_to_string(project().join(&document)).unwrap();
        let place = project().join(&document);
        let folder = place.parent().unwrap();
        for target in links(&text).filter(|target| !target.contains("://")) {
            let path = target.split('#').next().unwrap_or(target);
            assert!(
                folder.join(path).exists(),
                "{document} has a link to {target}, which does not exist"
            );
        }
    }
}

#[test]
fn the_summary_lists_every_page_of_the_book() {
    let summary = fs::read_to_string(project().join("docs/SUMMARY.md")).unwrap();
    let mut pages = pages();
    pages.remove("SUMMARY.md");

    let listed: BTreeSet<String> = links(&summary).map(str::to_owned).collect();

    assert_eq!(listed, pages, "the summary and the folder differ");
}

/// The last column of a rule names files, and behind each the tests or scenarios in it.
#[test]
fn every_rule_of_win32_is_held_by_tests_that_exist() {
    let text = fs::read_to_string(project().join("docs/WIN32.md")).unwrap();
    let mut rules = 0;

    for row in text.lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let ["", situation, _, held_by, ""] = cells[..] else {
            continue;
        };
        if ["held by", "---"].contains(&held_by) {
            continue;
        }
        assert!(held_by.contains('`'), "nothing holds: {situation}");
        let mut file = None;
        for quoted in held_by.split('`').skip(1).step_by(2) {
            if quoted.contains('/') {
                let source = fs::read_to_string(project().join(quoted));
                file = Some(source.unwrap_or_else(|error| panic!("{quoted}: {error}")));
            } else {
                let source = file.as_deref().expect("a file stands before its tests");
                assert!(
                    defines(source, quoted),
                    "no test {quoted} where it is said to be, for: {situation}"
                );
            }
        }
        rules += 1;
    }

    assert!(rules > 100, "only {rules} rules are listed");
}

/// Returns whether a Rust source has a function, or a golden file a scenario, of this name.
fn defines(source: &str, name: &str) -> bool {
    let function = format!("fn {name}(");
    let scenario = format!("scenario {name}");
    source
        .lines()
        .map(str::trim)
        .any(|line| line.starts_with(&function) || line == scenario)
}

/// Returns where the links of a document lead.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1);
    targets.filter_map(|rest| Some(rest.split_once(')')?.0))
}

/// Returns the documents, by their paths in the project.
fn documents() -> Vec<String> {
    let top = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ];
    let pages = pages();
    let pages = pages.iter().map(|page| format!("docs/{page}"));
    top.into_iter().map(str::to_owned).chain(pages).collect()
}

/// Returns the names of the pages in `docs/`.
fn pages() -> BTreeSet<String> {
    let entries = fs::read_dir(project().join("docs")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let pages = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let names = pages.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
    names.collect()
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
                } else if path
                    .extension()
                    .is_some_and(|extension| extension == "rs" || extension == "asm")
                {
                    let source = fs::read(path).unwrap();
                    sources.push(String::from_utf8_lossy(&source).into_owned());
                }
            }
        }
        sources
    })
}

#[test]
fn the_documents_count_the_emulated_functions_as_the_tables_have_them() {
    let counts = table_counts();
    let total: usize = counts.iter().map(|(_, count)| count).sum();

    let rules = fs::read_to_string(project().join("docs/WIN32.md")).unwrap();
    for (library, count) in &counts {
        let row = format!("| `{library}` | {count} |");
        assert!(rules.contains(&row), "docs/WIN32.md lacks: {row}");
    }
    let readme = fs::read_to_string(project().join("README.md")).unwrap();
    let says = format!(
        "more than {} functions of kernel32",
        (total - 1) / 100 * 100
    );
    assert!(
        readme.contains(&says),
        "README.md does not say \"{says}\", of {total}"
    );
}

/// Returns the libraries of the tables, as the documents name them, with their numbers of rows.
fn table_counts() -> Vec<(&'static str, usize)> {
    let sources = ["table.rs", "table_crt.rs"].map(|name| {
        let path = project().join("crates/machine/src/api").join(name);
        fs::read_to_string(path).unwrap()
    });
    let lists = [
        ("KERNEL32", "kernel32.dll"),
        ("NTDLL", "ntdll.dll"),
        ("USER32", "user32.dll"),
        ("ADVAPI32", "advapi32.dll"),
        ("MSVCRT", "msvcrt.dll"),
        ("MASM32", "masm32.lib"),
    ];
    let count = |list: &str| {
        let begin = format!("const {list}: &'static [Function<W>] = &[");
        let mut rest = sources
            .iter()
            .filter_map(|source| source.split_once(&begin));
        let (_, rest) = rest.next().expect("the table has the list");
        let (rows, _) = rest.split_once("];").expect("the list ends");
        rows.matches("(\"").count()
    };
    lists.map(|(list, library)| (library, count(list))).to_vec()
}
