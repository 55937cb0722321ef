//! Pictures as SVG, which follow the reader's choice of light or dark.

use std::fmt::Write;

use pagefault_machine::MemoryReport;
use pagefault_machine::vmm::mmu::Level;

use crate::paging::{CurvePoint, Hit, TimeLine, Use};

/// Colours of everything, in light and in dark.
const STYLE: &str = "
:root { --paper: #ffffff; --ink: #1a1a1a; --grid: #d5d5d5; --c0: #0b62a8; --c1: #b5450b; --c2: #1b7a3d;
  --c3: #7a3fa0; --c4: #8a6d00; --c5: #c2185b; --c6: #455a64; }
@media screen and (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e8e8e8; --grid: #3a4046;
  --c0: #6cb4f0; --c1: #f09a5e; --c2: #6fd08f; --c3: #c79bea; --c4: #e0c050; --c5: #f48fb1; --c6: #b0bec5; } }
text { font: 13px system-ui, sans-serif; fill: var(--ink); text-anchor: middle; }
.paper { fill: var(--paper); } .cell { fill: none; stroke: var(--grid); } .new { fill: var(--c1); fill-opacity: .35; }
.name { text-anchor: start; } .end { text-anchor: end; } .line { fill: none; } .point { stroke: var(--paper); }
.new { stroke: var(--ink); stroke-width: 2; }
";
/// The side of a cell of a time line.
const CELL: usize = 30;
/// Where the columns of a time line begin.
const NAMES: usize = 90;
/// The width of the longest line of text below a time line.
const LEGEND: usize = 440;
/// Colours there are.
const COLOURS: usize = 7;
/// Dashes of the curves: they do not differ by colour alone.
const DASHES: [&str; COLOURS] = [
    "none",
    "9 5",
    "2 4",
    "9 4 2 4",
    "14 4",
    "5 3",
    "14 4 2 4 2 4",
];
/// Marks at the points of the curves.
const MARKS: [&str; COLOURS] = [
    "m-4-4h8v8h-8z",
    "m0-6l5 9h-10z",
    "m0-5l5 5l-5 5l-5-5z",
    "m0 5l5-9h-10z",
    "m-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",
    "m-5-2h10v4h-10z",
    "m-2-5h4v10h-4z",
];

/// Returns text that can stand in HTML and SVG.
pub fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

/// Draws a time line: a column for each reference, a filled cell where a page came in.
pub fn time_line(line: &TimeLine) -> String {
    let frames = line.frames.get() as usize;
    let (width, height) = (
        (NAMES + CELL * line.moments.len() + CELL).max(LEGEND),
        CELL * (frames + 4),
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
    label(&mut body, frames + 2, "fault");
    // Cells with a frame of their own, which others must not cover.
    let mut filled = String::new();
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
        if matches!(moment.outcome, Hit::Fault { .. }) {
            let y = CELL * (frames + 2) + 22;
            let _ = writeln!(body, "<text x=\"{middle}\" y=\"{y}\">*</text>");
        }
        for (frame, page) in moment.frames.iter().enumerate() {
            let y = CELL * (frame + 2);
            let (class, part) = match moment.outcome {
                Hit::Fault { frame: came, .. } if came == frame => ("cell new", &mut filled),
                _ => ("cell", &mut body),
            };
            let page = page.map(|page| page.to_string()).unwrap_or_default();
            let _ = writeln!(
                part,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\"/>\
                 <text x=\"{middle}\" y=\"{}\">{page}</text>",
                y + 20
            );
        }
    }
    body += &filled;
    let title = format!("{} faults of {}", line.faults(), line.moments.len());
    let legend = format!("{title}; * and a filled cell: the page came in");
    label(&mut body, frames + 3, &legend);
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
    let points = || curves.iter().flat_map(|curve| curve.points);
    let most = points().map(|point| point.faults).max().unwrap_or(1);
    let frames = || points().map(|point| point.frames.get());
    let field = Field {
        first: frames().min().unwrap_or(1),
        last: frames().max().unwrap_or(1),
        // As far up as the steps of the axis go.
        most: most.max(1).next_multiple_of(step(most)),
    };
    let mut body = field.axes(step(most));
    for (index, curve) in curves.iter().enumerate() {
        let colour = index % COLOURS;
        // Curves that lie on one another stay visible: the lower ones are wider.
        let width = 2 + 3 * (curves.len() - 1 - index) / 2;
        let at = |point: &CurvePoint| (field.x(point.frames.get()), field.y(point.faults));
        let corners = curve.points.iter().map(at);
        let look = format!(
            "class=\"line\" stroke=\"var(--c{colour})\" stroke-width=\"{width}\" stroke-dasharray=\"{}\"",
            DASHES[colour]
        );
        let line: Vec<_> = corners.clone().map(|(x, y)| format!("{x},{y}")).collect();
        let legend = Field::TOP + 24 * index as u64;
        let _ = writeln!(
            body,
            "<polyline {look} points=\"{}\"/><path {look} d=\"M740 {legend}h40\"/>\
             <text class=\"name\" x=\"790\" y=\"{}\">{}</text>",
            line.join(" "),
            legend + 5,
            escaped(curve.name)
        );
        for (x, y) in corners.chain([(760, legend)]) {
            let _ = writeln!(
                body,
                "<path class=\"point\" fill=\"var(--c{colour})\" d=\"M{x} {y}{}\"/>",
                MARKS[colour]
            );
        }
    }
    svg(WIDTH, HEIGHT, &body, "Page faults by frames")
}

/// Returns the step of an axis that goes up to `most`: 1, 2 or 5 times a power of ten, five of them
/// at most.
fn step(most: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        let steps = [1, 2, 5].map(|digit| power.saturating_mul(digit));
        if let Some(step) = steps.into_iter().find(|step| most / step <= 5) {
            return step;
        }
        power = power.saturating_mul(10);
    }
}

/// Where frames and faults lie in the picture.
struct Field {
    first: u32,
    last: u32,
    most: u64,
}

impl Field {
    const LEFT: u64 = 90;
    const RIGHT: u64 = 715;
    const TOP: u64 = 30;
    const BOTTOM: u64 = 380;

    fn span(&self) -> u64 {
        u64::from(self.last - self.first).max(1)
    }

    fn x(&self, frames: u32) -> u64 {
        let from_first = u64::from(frames.saturating_sub(self.first));
        Self::LEFT + from_first * (Self::RIGHT - Self::LEFT) / self.span()
    }

    fn y(&self, faults: u64) -> u64 {
        Self::BOTTOM - scaled(faults, self.most, Self::BOTTOM - Self::TOP)
    }

    /// Returns the grid with its numbers, and the names of the axes.
    fn axes(&self, step: u64) -> String {
        let mut body = String::new();
        let mut faults = 0;
        while faults <= self.most {
            let y = self.y(faults);
            let _ = writeln!(
                body,
                "<path class=\"cell\" d=\"M{} {y}H{}\"/><text class=\"end\" x=\"{}\" y=\"{}\">{faults}</text>",
                Self::LEFT,
                Self::RIGHT,
                Self::LEFT - 8,
                y + 4
            );
            faults += step;
        }
        // A label for each frame count, as far as there is room.
        let every = usize::try_from(self.span() / 16 + 1).unwrap_or(1);
        for frames in (self.first..=self.last).step_by(every) {
            let _ = writeln!(
                body,
                "<text x=\"{}\" y=\"{}\">{frames}</text>",
                self.x(frames),
                Self::BOTTOM + 20
            );
        }
        let middle = u64::midpoint(Self::TOP, Self::BOTTOM);
        let _ = writeln!(
            body,
            "<text transform=\"translate(24 {middle}) rotate(-90)\">page faults</text>\
             <text x=\"{}\" y=\"{}\">frames</text>",
            u64::midpoint(Self::LEFT, Self::RIGHT),
            Self::BOTTOM + 46
        );
        body
    }
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
