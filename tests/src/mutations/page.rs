//! The page of the book: a table of the list, with what came of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::mutations::run::{Killer, Outcome};
use crate::mutations::{CRATES, Mutation, krate_of};

/// What stands above the tables.
const HEAD: &str = "\
# Mutations

A test that cannot fail holds nothing. Here rules of every crate are broken, one at a time, and for
each a test that sees it is named. This repeats it, in a copy of the sources:

```sh
cargo run -p pagefault-tests --bin mutations
```

It takes the better part of an hour; `mutations mmu vmm-guard` takes the rules of one crate, or one
rule, and `--list` shows them. The copy and what is built of it lie in `target/mutations`, or in
`--folder DIR` and `--target DIR`.

A rule is *killed* when a test fails or does not end, and *survives* when all pass; *not run* is one
that nobody has broken since it was added. A text that is not found once in its file, and one that
does not build, are failures of the list. `--write` brings this page up to date; a test of the package
compares it with the list, and lets no survivor stand.

To add a rule, add it to the file of its crate in `tests/mutations`: the rule, where it is said, the
text that is replaced and what stands there instead, and what `cargo test` gets to run the tests
that hold it. If it survives, write the test that was missing, and name it as `test_added`.
";
/// The head of each table.
const COLUMNS: &str = "\
| rule | mutation | test that fails | outcome |
| --- | --- | --- | --- |
";
/// What stands in place of an outcome that there is not.
pub const NOT_RUN: &str = "not run";

/// What is known of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The first test that fails, and how many more do.
    pub killer: String,
    /// The word for what came of it.
    pub word: String,
}

impl From<&Outcome> for Known {
    fn from(outcome: &Outcome) -> Self {
        let killer = match outcome {
            Outcome::Killed(Killer::Tests(names)) if !names.is_empty() => {
                let more = match names.len() - 1 {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                format!("`{}`{more}", names[0])
            }
            Outcome::Killed(killer) => killer.words(),
            _ => String::new(),
        };
        Self {
            killer,
            word: outcome.word().to_owned(),
        }
    }
}

/// Returns what a page says of each rule, by name.
pub fn parse(page: &str) -> BTreeMap<String, Known> {
    page.lines().filter_map(parse_row).collect()
}

fn parse_row(row: &str) -> Option<(String, Known)> {
    let name = row.strip_prefix("| `")?.split_once('`')?.0;
    let row = row.strip_suffix(" |")?;
    let (rest, outcome) = row.rsplit_once(" | ")?;
    let (_, killer) = rest.rsplit_once(" | ")?;
    let word = outcome.split_once(';').map_or(outcome, |(word, _)| word);
    let known = Known {
        killer: killer.trim().to_owned(),
        word: word.to_owned(),
    };
    Some((name.to_owned(), known))
}

/// Returns the page.
pub fn render(list: &[Mutation], known: &BTreeMap<String, Known>) -> String {
    let mut page = HEAD.to_owned();
    for krate in CRATES {
        _ = write!(page, "\n## crates/{krate}\n\n{COLUMNS}");
        for mutation in list.iter().filter(|one| krate_of(&one.name) == Some(krate)) {
            page += &row(mutation, known.get(&mutation.name));
        }
    }
    let (total, killed) = (list.len(), count(list, known, "killed"));
    let not_run = count(list, known, NOT_RUN);
    let added = list.iter().filter(|one| one.test_added.is_some()).count();
    _ = write!(
        page,
        "\nOf {total}, {killed} are killed and {not_run} not run; {added} are killed by a test that was written\n\
         because they survived.\n"
    );
    page
}

/// Returns how many rules the same has come of.
fn count(list: &[Mutation], known: &BTreeMap<String, Known>, word: &str) -> usize {
    let word_of = |one: &Mutation| known.get(&one.name).map_or(NOT_RUN, |known| &known.word);
    list.iter().filter(|one| word_of(one) == word).count()
}

fn row(mutation: &Mutation, known: Option<&Known>) -> String {
    let (from, to) = difference(&mutation.from, &mutation.to);
    let Mutation {
        name,
        rule,
        source,
        file,
        ..
    } = mutation;
    let (killer, word) = known.map_or(("", NOT_RUN), |known| (&known.killer, &known.word));
    let added = mutation.test_added.as_ref();
    let added = added.map_or(String::new(), |test| format!("; survived before `{test}`"));
    let change = match (from.as_str(), to.as_str()) {
        ("", _) => format!("{} is put in", code(&to)),
        (_, "") => format!("{} is left out", code(&from)),
        _ => format!("{} becomes {}", code(&from), code(&to)),
    };
    format!("| `{name}`: {rule} ({source}) | `{file}`: {change} | {killer} | {word}{added} |\n")
}

/// Returns a text as a cell of a table shows it.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

/// Returns the lines in which two texts differ, each as one line.
fn difference(from: &str, to: &str) -> (String, String) {
    let mut from: Vec<_> = from.lines().map(str::trim).collect();
    let mut to: Vec<_> = to.lines().map(str::trim).collect();
    while !from.is_empty() && from.last() == to.last() {
        from.pop();
        to.pop();
    }
    let same = from.iter().zip(&to).take_while(|(from, to)| from == to);
    let same = same.count();
    (from[same..].join(" "), to[same..].join(" "))
}
