//! Pictures: the walk of an address, the address space, the TLB. Plain SVG that follows the reader's
//! colour scheme; what a colour says is also written down.

use std::fmt::Write;

use pagefault_machine::vmm::mmu::{Level, LinearAddr, Step, TlbEntry, Walk};
use pagefault_machine::vmm::{MemoryState, RegionType};
use pagefault_machine::{MapEntry, PageReport};

use crate::look::bits::{entry_name, fields};
use crate::look::page::level_name;

/// Colours of both schemes, and the shapes that say the same.
const STYLE: &str = "\
svg{font:13px ui-monospace,Consolas,monospace;background:#fff;color:#1b1b1b}\
text{fill:currentColor;white-space:pre}.box{fill:none;stroke:currentColor}.dir{fill:#cfe3ff}.tab{fill:#d8f3d0}\
.off{fill:#ffe9c7}.no{fill:#ffd6d6;stroke-dasharray:6 3}.line{stroke:currentColor;fill:none}\
.free{fill:#fff}.res{fill:#e4e4e4;stroke-dasharray:4 3}.priv{fill:#ffe08a}.stack{fill:#f7b267}.heap{fill:#f4a6a0}\
.map{fill:#9fc9f3}.img{fill:#d3b8ee}.small{font-size:11px}.mid{text-anchor:middle}.end{text-anchor:end}\
@media screen and (prefers-color-scheme:dark){svg{background:#161616;color:#e8e8e8}.dir{fill:#1d3a63}\
.tab{fill:#234a1c}.off{fill:#5a431a}.no{fill:#5e2222}.free{fill:#161616}.res{fill:#3a3a3a}\
.priv{fill:#6e5a12}.stack{fill:#84470f}.heap{fill:#7a2f2b}.map{fill:#1f4a73}.img{fill:#573576}}";

/// The height of a line of text in pixels.
const LINE: usize = 18;
/// The widths of a character, which no monospace font exceeds, in text and in small text.
const CHAR: usize = 8;
const SMALL_CHAR: usize = 7;
/// Between a box and its text.
const PAD: usize = 8;
/// Around a picture.
const EDGE: usize = 20;
/// Where the boxes of the address's parts end, and where those of entries begin.
const PARTS_BOTTOM: usize = 84;
const ENTRY_TOP: usize = 134;

/// Returns the picture of a page's walk with the page's region.
pub(crate) fn walk(page: &PageReport) -> String {
    let mut notes = vec![format!("entry means: {}", meaning(page))];
    let region = page.region.as_ref();
    notes.push(format!(
        "region: {}",
        crate::explain::region(region, page.allocation.as_ref(), page.purpose)
    ));
    notes.push(match page.cached.first() {
        Some(entry) => format!(
            "TLB: {} set {} way {}",
            level_name(entry.level),
            entry.set,
            entry.way
        ),
        None => "TLB: no level holds the page".to_owned(),
    });
    picture(&page.walk, page.cr3, page.is_two_level, &notes)
}

/// Returns the picture of a walk of which nothing else is known.
pub(crate) fn walk_only(walk: &Walk, cr3: u32, is_two_level: bool) -> String {
    picture(walk, cr3, is_two_level, &[])
}

fn meaning(page: &PageReport) -> String {
    match (&page.entry_meaning, page.walk.leaf()) {
        (Some(meaning), _) => meaning.clone(),
        (None, Ok(_)) => "a page that is present".to_owned(),
        (None, Err(cause)) => cause.to_string(),
    }
}

fn picture(walk: &Walk, cr3: u32, is_two_level: bool, notes: &[String]) -> String {
    let addr = walk.addr();
    let title = format!("The walk of {addr}, CR3 {cr3:08X}");
    let (mut body, parts) = parts(addr, is_two_level);
    let mut x = EDGE;
    let mut rows = 0;
    for (index, step) in walk.steps().iter().enumerate() {
        let stops = walk.leaf().is_err() && index + 1 == walk.steps().len();
        let drawn = Entry::new(step, is_two_level, stops);
        // Lines of later entries turn higher up: none crosses another.
        let turn = PARTS_BOTTOM + 6 + 8 * (parts.len() - index.min(parts.len()));
        let from = parts.get(index).copied().unwrap_or(x);
        body += &drawn.draw(x, from, turn);
        x += drawn.width + 25;
        rows = rows.max(drawn.lines.len());
    }
    let end = match walk.leaf() {
        Ok(leaf) => {
            let physical = leaf.frame.byte(addr.page_offset());
            format!(
                "{addr} is 0x{:08x} in RAM: frame {}",
                physical.bits(),
                leaf.frame
            )
        }
        Err(cause) => format!("the walk stops: {cause}"),
    };
    let bottom = ENTRY_TOP + (rows + 1) * LINE + EDGE;
    let mut width = x;
    for (index, note) in std::iter::once(&end).chain(notes).enumerate() {
        let y = bottom + (index + 1) * LINE;
        _ = writeln!(
            body,
            "<text x=\"{EDGE}\" y=\"{y}\">{}</text>",
            escaped(note)
        );
        width = width.max(note.chars().count() * CHAR + 2 * EDGE);
    }
    body = format!(
        "<text x=\"{EDGE}\" y=\"26\">{}</text>\n{body}",
        escaped(&title)
    );
    let height = bottom + (notes.len() + 2) * LINE;
    document(width, height, &title, &body)
}

/// Returns the boxes of what an address is cut into, and the middle of each.
fn parts(addr: LinearAddr, is_two_level: bool) -> (String, Vec<usize>) {
    let bits = addr.bits();
    let cut = |low: u32, count: u32| bits >> low & ((1 << count) - 1);
    let parts: &[(&str, u32, u32, &str)] = if is_two_level {
        &[
            ("dir", 22, 10, "directory index"),
            ("tab", 12, 10, "table index"),
            ("off", 0, 12, "offset"),
        ]
    } else {
        &[
            ("dir", 30, 2, "pointer index"),
            ("dir", 21, 9, "directory index"),
            ("tab", 12, 9, "table index"),
            ("off", 0, 12, "offset"),
        ]
    };
    let mut body = String::new();
    let mut middles = Vec::new();
    let mut x = EDGE;
    for &(class, low, count, name) in parts {
        let value = cut(low, count);
        let says = format!("{name} = {value} ({value:X}h)");
        let digits = count as usize;
        let width = (digits * 20).max(says.len() * SMALL_CHAR + 2 * PAD);
        let (height, text) = (PARTS_BOTTOM - 40, x + PAD);
        _ = writeln!(
            body,
            "<rect class=\"box {class}\" x=\"{x}\" y=\"40\" width=\"{width}\" height=\"{height}\"/>\
             <text x=\"{text}\" y=\"58\">{value:0digits$b}</text>\
             <text x=\"{text}\" y=\"76\" class=\"small\">{says}</text>"
        );
        middles.push(x + width / 2);
        x += width;
    }
    (body, middles)
}

/// The box of an entry: as wide as its longest line.
struct Entry {
    class: &'static str,
    heading: String,
    lines: Vec<String>,
    width: usize,
}

impl Entry {
    fn new(step: &Step, is_two_level: bool, stops: bool) -> Self {
        let class = match (stops, step.level) {
            (true, _) => "no",
            (false, Level::Table) => "tab",
            (false, Level::Directory | Level::Pdpt) => "dir",
        };
        let heading = format!(
            "{} at 0x{:08x} = {:08x}",
            entry_name(step.level),
            step.at.bits(),
            step.value
        );
        let fields = fields(step, is_two_level);
        let lines: Vec<_> = fields.iter().map(super::bits::Field::text).collect();
        let longest = lines.iter().map(|line| line.chars().count()).max();
        let width = (heading.len() * CHAR).max(longest.unwrap_or(0) * SMALL_CHAR) + 2 * PAD;
        Self {
            class,
            heading,
            lines,
            width,
        }
    }

    /// Returns the box at `x`, and the line to it from the part of the address that selects the
    /// entry, whose middle is `from`.
    fn draw(&self, x: usize, from: usize, turn: usize) -> String {
        let mut text = format!(
            "<path class=\"line\" d=\"M{from} {PARTS_BOTTOM}V{turn}H{}V{ENTRY_TOP}l-4 -7m4 7l4 -7\"/>\
             <rect class=\"box {}\" x=\"{x}\" y=\"{ENTRY_TOP}\" width=\"{}\" height=\"{}\"/>\
             <text x=\"{}\" y=\"{}\">{}</text>\n",
            x + self.width / 2,
            self.class,
            self.width,
            (self.lines.len() + 1) * LINE + PAD,
            x + PAD,
            ENTRY_TOP + LINE,
            self.heading
        );
        for (row, line) in self.lines.iter().enumerate() {
            _ = writeln!(
                text,
                "<text class=\"small\" x=\"{}\" y=\"{}\">{}</text>",
                x + PAD,
                ENTRY_TOP + (row + 2) * LINE,
                escaped(line)
            );
        }
        text
    }
}

/// The width of the bar of an address space.
const MAP_BAR: usize = 220;
/// The height of the smallest run, in which a line of text fits.
const MAP_ROW: usize = 20;
/// Kinds of memory: class, the letter in the bar, the name.
const KINDS: [(&str, &str, &str); 7] = [
    ("stack", "S", "stack"),
    ("heap", "H", "heap"),
    ("priv", "P", "private"),
    ("map", "M", "mapped"),
    ("img", "I", "image"),
    ("res", "R", "reserved"),
    ("free", "", "free"),
];

/// Returns the picture of an address space: a bar for each run, the higher the more memory it is.
pub(crate) fn map(entries: &[MapEntry]) -> String {
    let mut body = String::from(
        "<text x=\"20\" y=\"26\">The address space, from the lowest address; a bar is the higher the larger the run, \
         by its logarithm</text>\n",
    );
    for (index, (class, letter, name)) in KINDS.iter().enumerate() {
        let x = EDGE + index * 120;
        _ = writeln!(
            body,
            "<rect class=\"box {class}\" x=\"{x}\" y=\"38\" width=\"20\" height=\"16\"/>\
             <text class=\"small mid\" x=\"{}\" y=\"50\">{letter}</text>\
             <text class=\"small\" x=\"{}\" y=\"50\">{name}</text>",
            x + 10,
            x + 26
        );
    }
    let mut y = 66;
    let mut width = MAP_WIDTH;
    let mut above = 0_u64;
    for entry in entries {
        let info = &entry.run.info;
        let base = u64::from(info.base.bits());
        if base > above {
            let columns = [(base - above) / 1024, above];
            y = row(&mut body, y, MAP_ROW, "free", columns, "free");
        }
        above = base + u64::from(info.size_bytes);
        let kind = info.allocation.as_ref().map(|allocation| allocation.kind);
        let is_for = |what| entry.purpose.is_some_and(|purpose| purpose.contains(what));
        let class = match (info.state, kind) {
            (MemoryState::Reserve, _) => "res",
            (_, Some(RegionType::Mapped)) => "map",
            (_, Some(RegionType::Image)) => "img",
            _ if is_for("stack") => "stack",
            _ if is_for("heap") => "heap",
            _ => "priv",
        };
        let protection = info.protection.map(|protection| protection.to_string());
        let text = format!(
            "{:<8}{:<8}{:<26}{}",
            info.state.name(),
            kind.map_or("", RegionType::name),
            protection.unwrap_or_default(),
            entry.purpose.unwrap_or_default()
        );
        width = width.max(MAP_TEXT + text.trim_end().len() * SMALL_CHAR + EDGE);
        // A power of two more is a little higher.
        let height = MAP_ROW + 3 * (info.size_bytes / 4096).max(1).ilog2() as usize;
        let columns = [u64::from(info.size_bytes) / 1024, base];
        y = row(&mut body, y, height, class, columns, text.trim_end());
    }
    document(width, y + EDGE, "The address space", &body)
}

/// The least width of the picture of an address space, and where its words begin.
const MAP_WIDTH: usize = 880;
const MAP_TEXT: usize = EDGE + MAP_BAR + 188;

/// Draws a run of so many KiB from an address on, and returns where the next begins.
fn row(
    body: &mut String,
    y: usize,
    height: usize,
    class: &str,
    [kib, base]: [u64; 2],
    text: &str,
) -> usize {
    let letter = KINDS.iter().find(|kind| kind.0 == class);
    let (middle, right) = (y + height / 2 + 4, EDGE + MAP_BAR);
    _ = writeln!(
        body,
        "<rect class=\"box {class}\" x=\"{EDGE}\" y=\"{y}\" width=\"{MAP_BAR}\" height=\"{height}\">\
         <title>{base:08X} {kib} KiB {0}</title></rect>\
         <text class=\"small mid\" x=\"{1}\" y=\"{middle}\">{2}</text>\
         <text class=\"small\" x=\"{3}\" y=\"{middle}\">{base:08X}</text>\
         <text class=\"small end\" x=\"{4}\" y=\"{middle}\">{kib} KiB</text>\
         <text class=\"small\" x=\"{5}\" y=\"{middle}\">{0}</text>",
        escaped(text),
        EDGE + MAP_BAR / 2,
        letter.map_or("", |kind| kind.1),
        right + 12,
        right + 172,
        MAP_TEXT
    );
    y + height
}

/// The size of the box of a TLB entry.
const TLB_CELL: (usize, usize) = (18 * SMALL_CHAR + 24, 38);

/// Returns the picture of what a TLB holds: a row for each set, a column for each way.
pub(crate) fn tlb(entries: &[TlbEntry]) -> String {
    let (width, height) = TLB_CELL;
    let mut body =
        String::from("<text x=\"20\" y=\"26\">The TLB: sets by rows, ways by columns</text>\n");
    let mut y = 50;
    let mut widest = 4;
    let same = |a: &TlbEntry, b: &TlbEntry| (a.level, a.array, a.set) == (b.level, b.array, b.set);
    for set in entries.chunk_by(same) {
        let first = set[0];
        _ = writeln!(
            body,
            "<text x=\"20\" y=\"{}\" class=\"small\">{} array {} set {}</text>",
            y + height / 2,
            level_name(first.level),
            first.array,
            first.set
        );
        for entry in set {
            let way = entry.way as usize;
            widest = widest.max(way + 1);
            let x = 190 + way * width;
            let age = entry.age.map_or(String::new(), |age| format!(" age {age}"));
            _ = writeln!(
                body,
                "<rect class=\"box tab\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\"/>\
                 <text class=\"small\" x=\"{}\" y=\"{}\">{} to {}</text>\
                 <text class=\"small\" x=\"{}\" y=\"{}\">way {way}{age}</text>",
                width - 6,
                height - 4,
                x + 6,
                y + 14,
                entry.page,
                entry.frame,
                x + 6,
                y + 29
            );
        }
        y += height;
    }
    document(200 + widest * width, y + 20, "The TLB", &body)
}

fn document(width: usize, height: usize, title: &str, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" xml:space=\"preserve\"><title>{}</title><style>{STYLE}</style>\n{body}</svg>\n",
        escaped(title)
    )
}

/// Returns a text as it stands between tags.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
