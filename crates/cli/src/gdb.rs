//! `pagefault run --gdb`: gdb on a recorded program.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use pagefault_asm::{ImageSymbol, SymbolClass};
use pagefault_gdb::{End, ServeError, Symbol, SymbolKind, serve, symbol_file};
use pagefault_machine::{Outcome, Recording, Stop, Stops};

use crate::args::RunCommand;
use crate::output::WholeFile;
use crate::recorded::{self, Recorded};
use crate::run::{EXIT_NO_PROGRAM, Terminal, exit_code, show_end};

/// The command line is wrong.
const EXIT_USAGE: u8 = 2;

/// Waits for gdb at an address, and lets it debug the program.
///
/// # Errors
///
/// The address cannot be listened at, the file of symbols not be written, or the connection broke.
pub(crate) fn run(command: &RunCommand, place: &str) -> anyhow::Result<u8> {
    let addr = address(place)?;
    if !addr.ip().is_loopback() && !command.gdb.gdb_any_address {
        anstream::eprintln!(
            "error: {addr} can be reached from other machines: whoever connects controls the \
             program\nhelp: use 127.0.0.1, or add --gdb-any-address"
        );
        return Ok(EXIT_USAGE);
    }
    let console = Box::new(Terminal::default());
    let loaded = recorded::load(&command.run, console, command.gdb.history)?;
    let Some(Recorded {
        mut recording,
        symbols,
    }) = loaded
    else {
        return Ok(EXIT_NO_PROGRAM);
    };
    if let Some(path) = &command.gdb.gdb_symbols {
        write_symbols(path, &symbols)?;
    }
    let listener = TcpListener::bind(addr).with_context(|| {
        format!("cannot listen at {addr} for gdb: choose another port, or 0 for a free one")
    })?;
    let addr = listener.local_addr().context("cannot listen for gdb")?;
    anstream::eprintln!("waiting for gdb: target remote {addr}");
    let (connection, _) = listener.accept().context("cannot wait for gdb")?;
    // Packets are small, and each one is waited for.
    connection.set_nodelay(true).context("cannot talk to gdb")?;
    match serve(&mut recording, connection, command.run.max_insns) {
        Ok(End::Exited) => {}
        Ok(End::Killed) => return Ok(0),
        Ok(End::Detached) => run_on(&mut recording, command.run.max_insns),
        Err(error @ (ServeError::Connection(_) | ServeError::Protocol(_))) => {
            return Err(anyhow!(error).context("gdb is gone"));
        }
        Err(error) => return Err(error.into()),
    }
    let outcome = recording.ended().cloned();
    let outcome = outcome.unwrap_or(Outcome::BudgetExceeded);
    show_end(&command.run, recording.machine(), &outcome);
    Ok(exit_code(&outcome, command.run.exit_code))
}

/// Runs a program that gdb has let go of to its end.
fn run_on(recording: &mut Recording, max_insns: u64) {
    let left = max_insns.saturating_sub(recording.here().instructions);
    let stop = recording.run(&Stops::NONE, left);
    debug_assert!(matches!(stop, Stop::Ended(_) | Stop::Budget), "{stop:?}");
}

/// Returns the address that a user means: a port, or a host and a port.
fn address(place: &str) -> anyhow::Result<SocketAddr> {
    let place = place.strip_prefix(':').unwrap_or(place);
    let whole = match place.parse::<u16>() {
        Ok(port) => format!("127.0.0.1:{port}"),
        Err(_) => place.to_owned(),
    };
    let wrong = || format!("{place} is no address for gdb: use PORT or HOST:PORT");
    let found = whole.to_socket_addrs().with_context(wrong)?.next();
    match found {
        Some(addr) => Ok(addr),
        None => bail!(wrong()),
    }
}

fn write_symbols(path: &Path, symbols: &[ImageSymbol]) -> anyhow::Result<()> {
    let addrs = symbols.iter().map(|symbol| symbol.addr);
    let (first, last) = (addrs.clone().min(), addrs.max());
    let (Some(first), Some(last)) = (first, last) else {
        bail!("the program has no labels to write: it is no source");
    };
    let named = symbols.iter().map(|symbol| Symbol {
        name: symbol.name.clone(),
        addr: symbol.addr,
        size_bytes: symbol.size,
        kind: match symbol.class {
            SymbolClass::Datum => SymbolKind::Data,
            _ => SymbolKind::Code,
        },
    });
    let named: Vec<_> = named.collect();
    let file = symbol_file(&named, first..last.saturating_add(1));
    WholeFile::create("the labels to ", path)?.fill(&file)
}
