//! Pictures as SVG: curves, heat maps, bars. They follow the reader's choice of light or dark.

mod scale;

use std::fmt::Write;

use pagefault_tlbsim::engine::all_lru::{MAX_WAYS, SET_COUNTS};
use pagefault_tlbsim::engine::distances::StackDistances;

use crate::tlb::chart::scale::{GRID, Scale, nice, percent};

/// Colours of everything, in light and in dark.
pub(crate) const STYLE: &str = "
:root { --paper: #ffffff; --ink: #1a1a1a; --grid: #d5d5d5; --c0: #0b62a8; --c1: #b5450b; --c2: #1b7a3d;
  --c3: #7a3fa0; --heat: #b5450b; }
@media screen and (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e8e8e8; --grid: #3a4046;
  --c0: #6cb4f0; --c1: #f09a5e; --c2: #6fd08f; --c3: #c79bea; --heat: #b9500f; } }
";
const SVG_STYLE: &str = "
text { font: 13px system-ui, sans-serif; fill: var(--ink); }
.paper { fill: var(--paper); } .grid { stroke: var(--grid); } .axis { stroke: var(--ink); }
.line { fill: none; } .point { stroke: var(--paper); } .name { font-weight: 600; }
.halo { paint-order: stroke; stroke: var(--paper); stroke-width: 4; }
.end { text-anchor: end; } .mid { text-anchor: middle; }
";

/// The picture, and the field of the axes in it.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 60.0;
/// A character of a legend is this wide at most.
const CHAR_WIDTH: f64 = 8.0;
/// Colours there are.
const COLOURS: usize = 4;
/// From one bar to the next.
const LINE_HEIGHT: f64 = 22.0;

/// A curve: sizes and miss ratios.
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<(u64, f64)>,
    pub(crate) shape: Shape,
}

/// What is known between the points of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The points are where the curve steps down; behind the last it stays.
    Steps,
    /// Nothing: the points are joined.
    Points,
}

/// A bar of compulsory, capacity and conflict misses.
pub(crate) struct Stack {
    pub(crate) name: String,
    pub(crate) parts: [i64; 3],
}

/// Returns text that can stand in HTML and SVG.
pub(crate) fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}

/// Returns the share of misses.
#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser")]
pub(crate) fn share(misses: u64, accesses: u64) -> f64 {
    misses as f64 / accesses.max(1) as f64
}

/// Returns the LRU curve: its steps.
pub(crate) fn points(distances: &StackDistances<u64>) -> Vec<(u64, f64)> {
    let accesses = distances.accesses();
    let mut left = accesses;
    let mut points = Vec::new();
    for (size, &count) in (1..).zip(distances.histogram()) {
        left -= count;
        if count > 0 || size == 1 {
            points.push((size, share(left, accesses)));
        }
    }
    points
}

/// Returns miss ratios of misses.
pub(crate) fn ratios(
    misses: &[[u64; MAX_WAYS as usize]; SET_COUNTS],
    accesses: u64,
) -> [[f64; MAX_WAYS as usize]; SET_COUNTS] {
    misses.map(|by_ways| by_ways.map(|misses| share(misses, accesses)))
}

/// Draws miss-ratio curves over the number of entries, on logarithmic axes.
#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser")]
pub(crate) fn curves(curves: &[Curve]) -> String {
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let bits = all()
        .map(|&(size, _)| (size as f64).log2())
        .fold(1.0, f64::max)
        .ceil();
    let scale = Scale::of(all().map(|&(_, ratio)| ratio * 100.0));
    let x = |size: f64| LEFT + size.log2() / bits * (WIDTH - LEFT - RIGHT);
    let y = |percent: f64| HEIGHT - BOTTOM - scale.share(percent) * (HEIGHT - TOP - BOTTOM);
    let mut body = String::new();
    for (value, label) in scale.ticks() {
        body += &rule(y(value), &label);
    }
    body += &upright(&format!("misses, per cent of look-ups{}", scale.remark()));
    let mut size = 1.0;
    while size <= bits.exp2() {
        let at = x(size);
        let _ = writeln!(
            body,
            "<text class=\"mid\" x=\"{at:.1}\" y=\"{:.1}\">{size}</text>",
            HEIGHT - BOTTOM + 18.0
        );
        size *= 2.0;
    }
    body += &axis_name("entries of a fully associative TLB (logarithmic)");
    for (index, curve) in curves.iter().enumerate() {
        let points = curve.points.iter();
        let points = points.map(|&(size, ratio)| (x(size as f64), y(ratio * 100.0)));
        let look = Look::of(index, curves.len());
        body += &look.line(&path(&points.clone().collect::<Vec<_>>(), curve.shape));
        if curve.shape == Shape::Points {
            body.extend(points.map(|(x, y)| look.mark(x, y)));
        }
    }
    let names: Vec<&str> = curves.iter().map(|curve| curve.name.as_str()).collect();
    svg(
        HEIGHT,
        &(body + &line_legend(&names)),
        "Miss ratio by the number of entries",
    )
}

/// Returns the path through points.
fn path(points: &[(f64, f64)], shape: Shape) -> String {
    let mut path = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let _ = match (index, shape) {
            (0, _) => write!(path, "M{x:.1} {y:.1}"),
            (_, Shape::Steps) => write!(path, "H{x:.1}V{y:.1}"),
            (_, Shape::Points) => write!(path, "L{x:.1} {y:.1}"),
        };
    }
    if shape == Shape::Steps && !points.is_empty() {
        let _ = write!(path, "H{:.1}", WIDTH - RIGHT);
    }
    path
}

/// How a curve differs from the others beside its colour: curves that lie on one another stay
/// visible, the lower ones being wider, and each has a dash and a mark of its own.
struct Look {
    colour: usize,
    width: f64,
}

impl Look {
    fn of(index: usize, curves: usize) -> Self {
        Self {
            colour: index % COLOURS,
            width: 0.5 + 1.5 * f64::from(u32::try_from(curves - index).unwrap_or(1)),
        }
    }

    fn line(&self, path: &str) -> String {
        const DASHES: [&str; COLOURS] = ["none", "9 5", "2 4", "9 4 2 4"];
        format!(
            "<path class=\"line\" stroke=\"var(--c{0})\" stroke-width=\"{1}\" stroke-dasharray=\"{2}\" \
             d=\"{path}\"/>\n",
            self.colour, self.width, DASHES[self.colour]
        )
    }

    fn mark(&self, x: f64, y: f64) -> String {
        const MARKS: [&str; COLOURS] = [
            "m-4-4h8v8h-8z",
            "m0-6l5 9h-10z",
            "m0-5l5 5l-5 5l-5-5z",
            "m0 5l5-9h-10z",
        ];
        format!(
            "<path class=\"point\" fill=\"var(--c{0})\" d=\"M{x:.1} {y:.1}{1}\"/>\n",
            self.colour, MARKS[self.colour]
        )
    }
}

fn line_legend(names: &[&str]) -> String {
    let mut body = String::new();
    let mut x = LEFT;
    for (index, name) in names.iter().enumerate() {
        let look = Look::of(index, names.len());
        body += &look.line(&format!("M{x} 20h34"));
        if names.len() > 1 && index > 0 {
            body += &look.mark(x + 17.0, 20.0);
        }
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"25\">{}</text>",
            x + 42.0,
            escaped(name)
        );
        x += 66.0 + CHAR_WIDTH * f64::from(u32::try_from(name.len()).unwrap_or(0));
    }
    body
}

/// Draws the miss ratios of all geometries: darker cells miss more.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
pub(crate) fn heat_map(ratios: &[[f64; MAX_WAYS as usize]; SET_COUNTS]) -> String {
    let (width, height) = ((WIDTH - LEFT - RIGHT) / f64::from(MAX_WAYS), 34.0);
    let bottom = TOP + height * SET_COUNTS as f64;
    let mut body = String::new();
    for (level, by_ways) in ratios.iter().enumerate() {
        let y = TOP + height * level as f64;
        let _ = writeln!(
            body,
            "<text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 8.0,
            y + 22.0,
            1 << level
        );
        for (way, &ratio) in by_ways.iter().enumerate() {
            let x = LEFT + width * way as f64;
            // Ratios span orders of magnitude: 1e-5 and less is the lightest, 1 the darkest.
            let shade = (1.0 + ratio.max(1e-5).log10() / 5.0).clamp(0.0, 1.0);
            let _ = writeln!(
                body,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
                 fill=\"var(--heat)\" fill-opacity=\"{:.3}\" stroke=\"var(--paper)\"><title>{} sets of {} ways: \
                 {:.4} % misses</title></rect><text class=\"mid\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                shade * 0.75,
                1 << level,
                way + 1,
                ratio * 100.0,
                x + width / 2.0,
                y + 22.0,
                percent(ratio * 100.0),
            );
        }
    }
    for way in 1..=MAX_WAYS {
        let x = LEFT + width * (f64::from(way) - 0.5);
        let _ = writeln!(
            body,
            "<text class=\"mid\" x=\"{x:.1}\" y=\"{:.1}\">{way}</text>",
            bottom + 18.0
        );
    }
    let _ = writeln!(
        body,
        "<text class=\"mid\" x=\"{:.1}\" y=\"{:.1}\">ways</text>\
         <text class=\"mid\" transform=\"translate(20 {:.1}) rotate(-90)\">sets</text>\
         <text x=\"{LEFT}\" y=\"24\">misses, per cent of look-ups; shades are logarithmic</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        bottom + 42.0,
        f64::midpoint(TOP, bottom),
    );
    svg(bottom + BOTTOM, &body, "Miss ratios of all LRU geometries")
}

/// The names of the parts of a stack.
const REASONS: [&str; 3] = ["compulsory", "capacity", "conflict"];

/// Draws bars of misses by reason, with their numbers. Conflict misses below zero go to the left.
#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser")]
pub(crate) fn stacks(stacks: &[Stack]) -> String {
    /// From one bar to the next, with the line of text above it.
    const STEP: f64 = 48.0;
    const SIDE: f64 = 30.0;
    let above = |stack: &Stack| stack.parts.iter().map(|&part| part.max(0)).sum::<i64>();
    let below = |stack: &Stack| stack.parts.iter().map(|&part| part.min(0)).sum::<i64>();
    let top = nice(stacks.iter().map(above).max().unwrap_or(1).max(1) as f64);
    let low = stacks.iter().map(below).min().unwrap_or(0) as f64;
    let scale = (WIDTH - 2.0 * SIDE) / (top - low);
    let zero = SIDE - low * scale;
    let bottom = TOP + STEP * stacks.len() as f64 + 6.0;
    let mut body = String::new();
    for step in 0..=GRID {
        let value = top * f64::from(step) / f64::from(GRID);
        let x = zero + value * scale;
        let _ = writeln!(
            body,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom:.1}\" y2=\"{:.1}\"/>\
             <text class=\"mid\" x=\"{x:.1}\" y=\"{:.1}\">{value}</text>",
            bottom + 6.0,
            bottom + 22.0
        );
    }
    let _ = writeln!(
        body,
        "<line class=\"axis\" x1=\"{SIDE}\" x2=\"{:.1}\" y1=\"{bottom:.1}\" y2=\"{bottom:.1}\"/>\
         <line class=\"axis\" x1=\"{zero:.1}\" x2=\"{zero:.1}\" y1=\"{TOP}\" y2=\"{bottom:.1}\"/>\
         <text class=\"mid\" x=\"{:.1}\" y=\"{:.1}\">misses of the first level</text>",
        WIDTH - SIDE,
        WIDTH / 2.0,
        bottom + 44.0
    );
    for (index, stack) in stacks.iter().enumerate() {
        let y = TOP + STEP * index as f64;
        let parts = REASONS.iter().zip(stack.parts);
        let parts: Vec<_> = parts.map(|(name, part)| format!("{part} {name}")).collect();
        let _ = writeln!(
            body,
            "<text class=\"halo\" x=\"{:.1}\" y=\"{:.1}\"><tspan class=\"name\">{}</tspan>: {}</text>",
            SIDE + 6.0,
            y + 16.0,
            escaped(&stack.name),
            parts.join(", ")
        );
        body += &stack_bar(stack, y + 23.0, zero, scale);
    }
    svg(
        bottom + BOTTOM,
        &(body + &legend(&REASONS)),
        "Misses by reason",
    )
}

/// Draws the parts of a stack, each so many pixels a miss, from `zero` on.
#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser")]
fn stack_bar(stack: &Stack, y: f64, zero: f64, scale: f64) -> String {
    let mut body = String::new();
    let (mut right, mut left) = (zero, zero);
    for (colour, (part, name)) in stack.parts.into_iter().zip(REASONS).enumerate() {
        let width = part.unsigned_abs() as f64 * scale;
        let x = if part >= 0 {
            right += width;
            right - width
        } else {
            left -= width;
            left
        };
        let _ = writeln!(
            body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"18\" \
             stroke=\"var(--paper)\" fill=\"var(--c{colour})\"><title>{part} {name}</title></rect>",
        );
    }
    body
}

/// Draws bars that go to the right, with their values.
#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser")]
pub(crate) fn bars(bars: &[(String, f64)], unit: &str) -> String {
    let most = bars.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let top = if most > 0.0 { most } else { 1.0 };
    let names = 120.0;
    let field = WIDTH - names - 90.0;
    let mut body = format!("<text x=\"{names}\" y=\"24\">{}</text>", escaped(unit));
    for (index, (name, value)) in bars.iter().enumerate() {
        let y = TOP + LINE_HEIGHT * index as f64;
        let width = value / top * field;
        let _ = writeln!(
            body,
            "<text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <rect x=\"{names}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"16\" fill=\"var(--c0)\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            names - 8.0,
            y + 13.0,
            escaped(name),
            names + width + 6.0,
            y + 13.0,
            percent(*value),
        );
    }
    svg(TOP + LINE_HEIGHT * bars.len() as f64 + 20.0, &body, unit)
}

fn rule(y: f64, label: &str) -> String {
    format!(
        "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
         <text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>\n",
        WIDTH - RIGHT,
        LEFT - 8.0,
        y + 4.0,
    )
}

fn upright(name: &str) -> String {
    let y = (TOP + HEIGHT - BOTTOM) / 2.0;
    format!("<text class=\"mid\" transform=\"translate(18 {y:.1}) rotate(-90)\">{name}</text>\n")
}

fn axis_name(name: &str) -> String {
    let x = (LEFT + WIDTH - RIGHT) / 2.0;
    format!(
        "<text class=\"mid\" x=\"{x:.1}\" y=\"{:.1}\">{name}</text>\n",
        HEIGHT - 14.0
    )
}

fn legend(names: &[&str]) -> String {
    let mut body = String::new();
    for (index, name) in names.iter().enumerate() {
        let x = 30.0 + 180.0 * f64::from(u32::try_from(index).unwrap_or(0));
        let colour = index % COLOURS;
        let _ = writeln!(
            body,
            "<rect x=\"{x}\" y=\"14\" width=\"12\" height=\"12\" fill=\"var(--c{colour})\"/>\
             <text x=\"{}\" y=\"25\">{}</text>",
            x + 18.0,
            escaped(name)
        );
    }
    body
}

fn svg(height: f64, body: &str, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\">\n\
         <title>{}</title>\n<style>{STYLE}{SVG_STYLE}</style>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n",
        escaped(title)
    )
}
