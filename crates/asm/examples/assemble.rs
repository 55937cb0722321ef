//! A source with a mistake, and the listing of the one without it.
//!
//! `cargo run -p pagefault-asm --example assemble`

use std::io::{self, Write};

use pagefault_asm::{Assembled, Failure, NoIncludes, Options, assemble, listing};

const SOURCE: &str = "\
    .386
    .model flat, stdcall
    .data
count dd 10
    .code
start:
    mov ecx, count
again:
    dec ecx
    jnz again
    ret
    end start
";

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mistaken = SOURCE.replace("mov ecx, count", "mov cl, count");
    for (name, source) in [("mistaken.asm", mistaken.as_str()), ("loop.asm", SOURCE)] {
        match assemble(name, source.as_bytes(), &NoIncludes, &Options::default()) {
            Ok(assembled) => print_listing(&mut out, &assembled)?,
            Err(failure) => print_errors(&mut out, &failure)?,
        }
    }
    Ok(())
}

fn print_listing(out: &mut impl Write, assembled: &Assembled) -> io::Result<()> {
    write!(out, "{}", listing(assembled))
}

fn print_errors(out: &mut impl Write, failure: &Failure) -> io::Result<()> {
    for diagnostic in &failure.diagnostics {
        writeln!(out, "{}", diagnostic.one_line(&failure.files))?;
        if let Some(help) = diagnostic.help() {
            writeln!(out, "    {help}")?;
        }
    }
    Ok(())
}
