//! Pictures as SVG, which follow the reader's choice of light or dark.

use std::fmt::Write;

use pagefault_machine::MemoryReport;
use pagefault_machine::vmm::mmu::Level;

use crate::paging::{CurvePoint, Hit, TimeLine, Use};

/// Colours of everything, in light and in dark.
const STYLE: &str = "
:root { --paper: #ffffff; --ink: #1a1a1a; --grid: #d5d5d5; --c0: #0b62a8; --c1: #b5450b; --c2: #1b7a3d;
  --c3: #7a3fa0; --c4: #8a6d00; --c5: #c2185b; --c6: #455a64; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e8e8e8; --grid: #3a4046;
  --c0: #6cb4f0; --c1: #f09a5e; --c2: #6fd08f; --c3: #c79bea; --c4: #e0c050; --c5: #f48fb1; --c6: #b0bec5; } }
text { font: 13px system-ui, sans-serif; fill: var(--ink); text-anchor: middle; }
.paper { fill: var(--paper); } .cell { fill: none; stroke: var(--grid); } .new { fill: var(--c1); fill-opacity: .35; }
.name { text-anchor: start; } .line { fill: none; stroke-width: 2; }
";
/// The side of a cell of a time line.
const CELL: usize = 30;
/// Where the columns of a time line begin.
const NAMES: usize = 90;
/// Colours there are.
const COLOURS: usize = 7;

/// Returns text that can stand in HTML and SVG.
pub fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

/// Draws a time line: a column for each reference, a filled cell where a page came in.
pub fn time_line(line: &TimeLine) -> String {
    let frames = line.frames.get() as usize;
    let (width, height) = (
        NAMES + CELL * line.moments.len() + CELL,
        CELL * (frames + 3),
    );
    let mut body = String::new();
    let label = |body: &mut String, row: usize, text: &str| {
        let y = CELL * row + 20;
        let _ = writeln!(body, "<text class=\"name\" x=\"8\" y=\"{y}\">{text}</text>");
    };
    label(
        &mut body,
        0,
        &format!("{}, {frames} frames", line.policy.name()),
    );
    label(&mut body, 1, "reference");
    for frame in 0..frames {
        label(&mut body, frame + 2, &format!("frame {frame}"));
    }
    for (column, moment) in line.moments.iter().enumerate() {
        let x = NAMES + CELL * column;
        let middle = x + CELL / 2;
        let write = match moment.reference.kind {
            Use::Read => "",
            Use::Write => "w",
        };
        let _ = writeln!(
            body,
            "<text x=\"{middle}\" y=\"{}\">{}{write}</text>",
            CELL + 20,
            moment.reference.page
        );
        for (frame, page) in moment.frames.iter().enumerate() {
            let y = CELL * (frame + 2);
            let class = match moment.outcome {
                Hit::Fault { frame: filled, .. } if filled == frame => "cell new",
                _ => "cell",
            };
            let page = page.map(|page| page.to_string()).unwrap_or_default();
            let _ = writeln!(
                body,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\"/>\
                 <text x=\"{middle}\" y=\"{}\">{page}</text>",
                y + 20
            );
        }
    }
    let title = format!("{} faults of {}", line.faults(), line.moments.len());
    label(&mut body, frames + 2, &title);
    svg(width, height, &body, &title)
}

/// A curve with its name.
#[derive(Clone, Debug)]
pub struct NamedCurve<'a> {
    /// The name in the legend.
    pub name: &'a str,
    /// The points.
    pub points: &'a [CurvePoint],
}

/// Draws faults over frames.
pub fn fault_curves(curves: &[NamedCurve<'_>]) -> String {
    const WIDTH: usize = 860;
    const HEIGHT: usize = 440;
    const LEFT: usize = 80;
    const BOTTOM: usize = 380;
    const TOP: usize = 40;
    const RIGHT: usize = 720;
    let points = || curves.iter().flat_map(|curve| curve.points);
    let most = points().map(|point| point.faults).max().unwrap_or(1).max(1);
    let frames = || points().map(|point| point.frames.get());
    let (first, last) = (frames().min().unwrap_or(1), frames().max().unwrap_or(1));
    let span = u64::from(last - first).max(1);
    let x = |frames: u32| LEFT as u64 + u64::from(frames - first) * (RIGHT - LEFT) as u64 / span;
    let y = |faults: u64| BOTTOM as u64 - scaled(faults, most, (BOTTOM - TOP) as u64);
    let mut body = format!(
        "<rect class=\"cell\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{}\" height=\"{}\"/>\n\
         <text class=\"name\" x=\"{LEFT}\" y=\"24\">page faults by frames</text>\n\
         <text x=\"40\" y=\"{TOP}\">{most}</text><text x=\"40\" y=\"{BOTTOM}\">0</text>\n",
        RIGHT - LEFT,
        BOTTOM - TOP
    );
    // A label for each frame count, as far as there is room.
    let every = usize::try_from(span / 16 + 1).unwrap_or(1);
    for frames in (first..=last).step_by(every) {
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{}\">{frames}</text>",
            x(frames),
            BOTTOM + 20
        );
    }
    for (index, curve) in curves.iter().enumerate() {
        let colour = index % COLOURS;
        let corners = curve
            .points
            .iter()
            .map(|point| format!("{},{}", x(point.frames.get()), y(point.faults)));
        let corners = corners.collect::<Vec<_>>().join(" ");
        let _ = writeln!(
            body,
            "<polyline class=\"line\" stroke=\"var(--c{colour})\" points=\"{corners}\"/>\
             <rect x=\"740\" y=\"{}\" width=\"14\" height=\"14\" fill=\"var(--c{colour})\"/>\
             <text class=\"name\" x=\"760\" y=\"{}\">{}</text>",
            TOP + 22 * index,
            TOP + 22 * index + 12,
            escaped(curve.name)
        );
    }
    svg(WIDTH, HEIGHT, &body, "Page faults by frames")
}

/// Draws the walk of an access that was refused: a box for each entry, up to where it stopped.
pub fn page_walk(memory: &MemoryReport) -> String {
    const WIDTH: usize = 760;
    const ROW: usize = 64;
    let addr = memory.fault.addr;
    let mut rows = vec![("CR3".to_owned(), format!("{:08x}", memory.cr3))];
    for step in memory.walk.steps() {
        let (name, index) = match step.level {
            Level::Pdpt => ("PDPTE", addr.bits() >> 30),
            Level::Directory => ("PDE", addr.directory_index()),
            Level::Table => ("PTE", addr.table_index()),
        };
        let flags = [
            (0, "present"),
            (1, "writable"),
            (2, "user"),
            (5, "accessed"),
            (6, "dirty"),
        ];
        let set = flags.iter().filter(|(bit, _)| step.value >> bit & 1 == 1);
        let set: Vec<&str> = set.map(|(_, name)| *name).collect();
        let meaning = if set.is_empty() {
            "not present".to_owned()
        } else {
            set.join(", ")
        };
        rows.push((
            format!("{name} {index} at {:08x}", step.at.bits()),
            format!("{:08x}: {meaning}", step.value),
        ));
    }
    let rule = memory
        .rule
        .map_or_else(|| memory.fault.cause.to_string(), |rule| rule.to_string());
    rows.push((format!("{} of {addr}", memory.operation()), rule));
    let last = rows.len() - 1;
    let mut body = String::new();
    for (row, (name, value)) in rows.iter().enumerate() {
        let y = 16 + ROW * row;
        let class = if row == last { "cell new" } else { "cell" };
        let _ = writeln!(
            body,
            "<rect class=\"{class}\" x=\"220\" y=\"{y}\" width=\"520\" height=\"40\"/>\
             <text class=\"name\" x=\"8\" y=\"{}\">{}</text><text class=\"name\" x=\"234\" y=\"{}\">{}</text>",
            y + 25,
            escaped(name),
            y + 25,
            escaped(value)
        );
        if row < last {
            let _ = writeln!(body, "<text x=\"480\" y=\"{}\">&#8595;</text>", y + 58);
        }
    }
    svg(
        WIDTH,
        ROW * rows.len() + 16,
        &body,
        "The page walk of the access that failed",
    )
}

/// Returns `part / whole` of `length`.
fn scaled(part: u64, whole: u64, length: u64) -> u64 {
    let scaled = u128::from(part) * u128::from(length) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(length)
}

/// Returns a picture on paper.
pub(crate) fn svg(width: usize, height: usize, body: &str, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n{body}</svg>\n",
        escaped(title)
    )
}
