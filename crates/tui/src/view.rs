//! The view: the model on a screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line as TextLine;
use ratatui::widgets::{Block, Borders, Paragraph};

use crate::model::{Debugger, Pane, Running, Screen};
use crate::panes::{self, HELP, Line, Stress};

/// The least width of a terminal, in columns.
pub const MIN_WIDTH: u16 = 80;
/// The least height of a terminal, in lines.
pub const MIN_HEIGHT: u16 = 24;

/// Columns of the registers, with their frame.
const REGISTERS_WIDTH: u16 = 28;
/// Lines of the upper half, with its frame.
const UPPER_HEIGHT: u16 = 12;
/// General registers on a line.
const PER_LINE: usize = 2;

/// Draws a debugger.
pub fn draw(debugger: &mut Debugger, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < MIN_WIDTH || area.height < MIN_HEIGHT {
        let text = format!(
            "this terminal has {}x{} characters: the debugger needs {MIN_WIDTH}x{MIN_HEIGHT}",
            area.width, area.height
        );
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    let [title, upper, lower, bottom] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(UPPER_HEIGHT.max(area.height / 2)),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(
        Paragraph::new(title_line(debugger)).style(reversed()),
        title,
    );
    if debugger.screen == Screen::Help {
        let whole = Rect {
            height: upper.height + lower.height,
            ..upper
        };
        let lines = HELP.map(TextLine::from);
        let help = Paragraph::new(lines.to_vec()).block(framed("help".to_owned()));
        frame.render_widget(help, whole);
    } else {
        draw_program(debugger, frame, upper, lower);
    }
    frame.render_widget(Paragraph::new(bottom_line(debugger)), bottom);
}

fn draw_program(debugger: &mut Debugger, frame: &mut Frame<'_>, upper: Rect, lower: Rect) {
    let [code, registers] =
        Layout::horizontal([Constraint::Min(1), Constraint::Length(REGISTERS_WIDTH)]).areas(upper);
    let height = usize::from(code.height.saturating_sub(2));
    let lines = styled(panes::code(debugger, height));
    frame.render_widget(Paragraph::new(lines).block(framed("code".to_owned())), code);
    let lines = styled(in_columns(&panes::registers(debugger)));
    let block = framed("registers".to_owned());
    frame.render_widget(Paragraph::new(lines).block(block), registers);

    let lines = styled(panes::lower(
        debugger,
        usize::from(lower.height.saturating_sub(2)),
    ));
    let block = framed(tabs(debugger.pane));
    frame.render_widget(Paragraph::new(lines).block(block), lower);
}

fn title_line(debugger: &Debugger) -> String {
    let recording = &debugger.recording;
    let here = recording.here();
    let at = recording
        .machine()
        .debug()
        .symbol(recording.machine().eip());
    let at = at.map(|near| format!("{}+{:#x}", near.name, near.offset));
    format!(
        " {}  {} instructions  thread {:#x}  {}",
        debugger.program,
        here.instructions,
        recording.thread(),
        at.unwrap_or_default()
    )
}

fn bottom_line(debugger: &Debugger) -> String {
    match &debugger.input {
        Some(input) => format!(":{input}_"),
        None if debugger.running() == Running::Yes => "running: Escape stops".to_owned(),
        None => debugger.message.clone(),
    }
}

/// Returns the names of the panes; the one that is shown is in brackets.
fn tabs(pane: Pane) -> String {
    let names = (1..).zip(Pane::ALL).map(|(number, (known, name))| {
        if known == pane {
            format!("[{number} {name}]")
        } else {
            format!("{number} {name}")
        }
    });
    names.collect::<Vec<_>>().join(" ")
}

/// Puts the general registers, which come first, two on a line.
fn in_columns(lines: &[Line]) -> Vec<Line> {
    /// General registers.
    const GENERAL: usize = 8;
    let (general, rest) = lines.split_at(GENERAL.min(lines.len()));
    let pairs = general.chunks(PER_LINE).map(|pair| Line {
        text: pair.iter().map(|line| line.text.as_str()).collect(),
        stress: Stress::Plain,
    });
    pairs.chain(rest.iter().cloned()).collect()
}

fn framed(title: String) -> Block<'static> {
    Block::default().borders(Borders::ALL).title(title)
}

fn styled(lines: Vec<Line>) -> Vec<TextLine<'static>> {
    let style = |stress| match stress {
        Stress::Plain => Style::default(),
        Stress::Marked => Style::default().add_modifier(Modifier::BOLD),
    };
    lines
        .into_iter()
        .map(|line| TextLine::styled(line.text, style(line.stress)))
        .collect()
}

fn reversed() -> Style {
    Style::default().add_modifier(Modifier::REVERSED)
}
