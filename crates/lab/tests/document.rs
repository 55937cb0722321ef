//! `docs/EXPECTATIONS.md` describes the language that is read.

use pagefault_lab::expect::{Expectations, Subject, Surroundings, check};
use pagefault_machine::asm::{LinkOptions, NoIncludes, Options, assemble, link};
use pagefault_machine::{DebugInfo, Program};

const DOCUMENT: &str = include_str!("../../../docs/EXPECTATIONS.md");

#[test]
fn the_program_of_the_document_is_as_it_expects_itself_to_be() {
    let source = blocks("asm").concat();
    let expectations = Expectations::from_source(source.as_bytes()).unwrap();
    let assembled = assemble(
        "doc.asm",
        source.as_bytes(),
        &NoIncludes,
        &Options::default(),
    );
    let assembled = assembled.unwrap_or_else(|failure| panic!("{:?}", failure.diagnostics));
    let image = link(&assembled.object, &LinkOptions::default()).unwrap();
    let program = Program::from_image(&image).unwrap();
    let debug = DebugInfo::new(&assembled, &image);
    let subject = Subject {
        program: &program,
        debug: &debug,
    };

    let verdict = check(&expectations, subject, Surroundings::default()).unwrap();

    assert_eq!(expectations.list().len(), 5);
    let failures: Vec<_> = verdict.failures().collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn every_example_of_the_document_can_be_read() {
    let blocks = blocks("expect");

    for block in &blocks {
        for line in block.lines() {
            let read = Expectations::from_lines(line);
            assert!(read.is_ok(), "{line}: {read:?}");
        }
    }
    assert!(blocks.len() > 6, "only {} blocks", blocks.len());
}

#[test]
fn the_document_names_every_claim_counter_and_option() {
    let wrong = ["nothing", "count nothing = 0", "run nothing=0"];

    for line in wrong {
        let errors = Expectations::from_lines(line).unwrap_err();
        let help = errors[0].kind.help().unwrap();
        let names = help.strip_prefix("there are ").unwrap().split(", ");
        for name in names {
            let is_named = DOCUMENT.contains(&format!("`{name}`"))
                || DOCUMENT
                    .lines()
                    .any(|line| line.starts_with(&format!("{name} ")))
                || DOCUMENT.contains(&format!(" {name}="));
            assert!(is_named, "{name} is not in the document");
        }
    }
}

/// Returns the fenced blocks of a kind.
fn blocks(kind: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        if line.strip_prefix("```") == Some(kind) {
            let block = lines.by_ref().take_while(|line| *line != "```");
            let mut text = block.collect::<Vec<_>>().join("\n");
            text.push('\n');
            blocks.push(text);
        }
    }
    blocks
}
