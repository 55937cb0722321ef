//! `pagefault explain`.

use std::fmt::Write;

use pagefault_lab::expect::Subject;
use pagefault_machine::vmm::Rule;
use pagefault_machine::{ExceptionReport, Machine, PageReport, Status, Watch};
use serde_json::{Value, json};

use crate::explain;
use crate::json::{self as objects, SCHEMA};
use crate::look::stop::Stopped;
use crate::look::{EXIT_NOTHING, EXIT_USAGE, ExplainArguments, address, page, print, svg, write};

/// Shows an exception or an address, and returns the exit code of the command.
///
/// # Errors
///
/// What was asked for cannot be written.
pub(crate) fn show<W: Watch>(
    arguments: &ExplainArguments,
    machine: &mut Machine<W>,
    subject: Subject<'_>,
    stopped: &Stopped,
) -> anyhow::Result<u8> {
    if let Some(text) = &arguments.address {
        return match address(text, machine, subject) {
            Ok(addr) => {
                let page = machine.page_report(addr);
                give(arguments, None, Some(&page), stopped)
            }
            Err(message) => {
                anstream::eprintln!("error: {message}");
                Ok(EXIT_USAGE)
            }
        };
    }
    let Some(raised) = &stopped.raised else {
        anstream::eprintln!(
            "error: no exception was raised, and there is nothing to explain: ask for an address \
             with --address ADDR, as it is at the end or --until a moment"
        );
        return Ok(EXIT_NOTHING);
    };
    give(
        arguments,
        Some(&raised.report),
        raised.page.as_ref(),
        stopped,
    )
}

/// Gives the explanation in the form that was asked for.
fn give(
    arguments: &ExplainArguments,
    report: Option<&ExceptionReport>,
    page: Option<&PageReport>,
    stopped: &Stopped,
) -> anyhow::Result<u8> {
    if let Some(path) = &arguments.svg {
        let Some(page) = page else {
            anstream::eprintln!("error: this exception is of no address: there is no walk to draw");
            return Ok(EXIT_NOTHING);
        };
        write(path, &svg::walk(page))?;
    }
    if arguments.run.json {
        let object = json(report, page, stopped);
        print(&format!("{object:#}\n"))?;
    } else {
        print(&text(report, page, stopped))?;
    }
    Ok(0)
}

fn text(report: Option<&ExceptionReport>, page: Option<&PageReport>, stopped: &Stopped) -> String {
    let mut text = String::new();
    match (report, page) {
        (Some(report), _) => {
            _ = writeln!(text, "exception {} of the run", stopped.count);
            text += &explain::exception(report);
        }
        (None, Some(page)) => {
            text += &page::walk_text(page);
            _ = write!(text, "\n{}", page::region_text(page));
        }
        (None, None) => {}
    }
    if let Some(page) = page {
        let bits = page::bits_text(&page.walk, page.is_two_level);
        _ = write!(text, "\n{}\n{bits}", page::place_text(page));
    }
    if let Some(report) = report {
        _ = writeln!(text, "\nrule         {}", rule(report));
    }
    text
}

fn json(report: Option<&ExceptionReport>, page: Option<&PageReport>, stopped: &Stopped) -> Value {
    json!({
        "schema": SCHEMA,
        "exception_number": report.map(|_| stopped.count),
        "exception": report.map(objects::exception),
        "page": page.map(page::json),
        "rule": report.map(rule),
    })
}

/// Says by which rule Windows answers as it does.
fn rule(report: &ExceptionReport) -> &'static str {
    let rule = report.memory.as_ref().and_then(|memory| memory.rule);
    match (report.status, rule) {
        (_, Some(Rule::NotUserSpace)) => {
            "the lowest 64 KiB catch null pointers, and above 2 GiB is the kernel's: a program \
             never has anything there"
        }
        (_, Some(Rule::Free)) => {
            "no region is allocated there, so that there is nothing that a page fault could bring in"
        }
        (_, Some(Rule::Reserved)) => {
            "a reservation takes addresses, not memory: pages get contents only when they are \
             committed"
        }
        (_, Some(Rule::Decommitted)) => {
            "MEM_DECOMMIT gives the contents back at once; the addresses stay reserved"
        }
        (_, Some(Rule::NoAccess)) => "PAGE_NOACCESS forbids every access to a committed page",
        (_, Some(Rule::ReadOnly)) => {
            "R/W=0 in one of the two entries forbids writes of user mode; Windows clears it for \
             every protection without WRITE"
        }
        (_, Some(Rule::NotExecutable)) => {
            "with PAE, XD=1 forbids fetches: only PAGE_EXECUTE protections leave it clear"
        }
        (Status::GUARD_PAGE_VIOLATION, None) => {
            "a guard page raises one exception at its first access, and is an ordinary page from \
             then on: the next access works"
        }
        (Status::STACK_OVERFLOW, None) => {
            "the stack grows by its guard page, down to the last page of its reservation, which is \
             never committed"
        }
        (Status::IN_PAGE_ERROR, None) => {
            "the page is committed and may be accessed, but its contents cannot be read back"
        }
        _ => "the processor raised the exception; the memory manager has no part in it",
    }
}
