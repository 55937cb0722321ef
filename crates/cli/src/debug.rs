//! `pagefault debug`: the debugger on this terminal.

use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use pagefault_machine::{Console, Stream};
use pagefault_tui::{Debugger, Key, Output, Running, draw};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use crate::args::{DebugArguments, UNFIT_FOR_THE_DEBUGGER};
use crate::recorded;
use crate::run::EXIT_NO_PROGRAM;

/// The command line is wrong, or the place where it is used.
const EXIT_USAGE: u8 = 2;

/// Debugs a program until the user has had enough.
///
/// # Errors
///
/// The terminal cannot be used.
pub(crate) fn run(arguments: &DebugArguments) -> anyhow::Result<u8> {
    if let Some(option) = arguments.run.unfit(&UNFIT_FOR_THE_DEBUGGER) {
        anstream::eprintln!(
            "error: {option} is for `pagefault run`: the debugger shows the program as it runs"
        );
        return Ok(EXIT_USAGE);
    }
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        anstream::eprintln!(
            "error: the debugger needs a terminal for its input and its output\n\
             help: `pagefault run --gdb PORT` debugs without one"
        );
        return Ok(EXIT_USAGE);
    }
    let output = Rc::new(RefCell::new(Output::default()));
    let console = Box::new(Screen(Rc::clone(&output)));
    let Some(recorded) = recorded::load(&arguments.run, console, arguments.history)? else {
        return Ok(EXIT_NO_PROGRAM);
    };
    let name = arguments.run.program.display().to_string();
    let mut debugger = Debugger::new(recorded.recording, name, output);
    let mut terminal = ratatui::try_init().context("cannot use the terminal")?;
    let shown = show(&mut terminal, &mut debugger);
    ratatui::try_restore().context("cannot restore the terminal")?;
    shown.context("cannot use the terminal")?;
    Ok(0)
}

fn show(terminal: &mut DefaultTerminal, debugger: &mut Debugger) -> io::Result<()> {
    while debugger.running() != Running::Over {
        terminal.draw(|frame| draw(debugger, frame))?;
        if debugger.running() == Running::Yes && !event::poll(Duration::ZERO)? {
            debugger.go_on();
            continue;
        }
        if let Event::Key(pressed) = event::read()?
            && pressed.kind == KeyEventKind::Press
            && let Some(key) = key(pressed.code, pressed.modifiers)
        {
            debugger.press(key);
        }
    }
    Ok(())
}

/// Returns the key that was pressed; control with C is Escape.
fn key(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
    Some(match code {
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Key::Escape,
        KeyCode::Char(letter) => Key::Char(letter),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        _ => return None,
    })
}

/// Keeps what the program writes, for the pane that shows it. There is no input: the terminal is the
/// debugger's.
#[derive(Debug)]
struct Screen(Rc<RefCell<Output>>);

impl Console for Screen {
    fn write(&mut self, _stream: Stream, bytes: &[u8]) {
        self.0.borrow_mut().add(bytes);
    }
}
