//! Pictures: the walk of an address, the address space, the TLB. Plain SVG that follows the reader's
//! colour scheme; what a colour says is also written down.

use std::fmt::Write;

use pagefault_machine::vmm::mmu::{Level, Step, TlbEntry, Walk};
use pagefault_machine::vmm::{MemoryState, RegionType};
use pagefault_machine::{MapEntry, PageReport};

use crate::look::bits::{entry_name, fields};
use crate::look::page::level_name;

/// Colours of both schemes, and the shapes that say the same.
const STYLE: &str = "\
svg{font:13px ui-monospace,Consolas,monospace;background:#fff;color:#1b1b1b}\
text{fill:currentColor}.box{fill:none;stroke:currentColor}.dir{fill:#cfe3ff}.tab{fill:#d8f3d0}\
.off{fill:#ffe9c7}.no{fill:#ffd6d6;stroke-dasharray:6 3}.line{stroke:currentColor;fill:none}\
.free{fill:#fff}.res{fill:#e4e4e4}.priv{fill:#ffe08a}.map{fill:#9fc9f3}.img{fill:#c9a7e8}\
.small{font-size:11px}\
@media(prefers-color-scheme:dark){svg{background:#161616;color:#e8e8e8}.dir{fill:#1d3a63}\
.tab{fill:#234a1c}.off{fill:#5a431a}.no{fill:#5e2222}.free{fill:#161616}.res{fill:#3a3a3a}\
.priv{fill:#6e5a12}.map{fill:#1f4a73}.img{fill:#4d2f69}}";

/// The height of a line of text in pixels.
const LINE: usize = 18;
/// The width of the walk's picture.
const WALK_WIDTH: usize = 980;
/// The width of an entry's box.
const ENTRY_WIDTH: usize = 300;
/// Where the boxes of entries begin.
const ENTRY_TOP: usize = 120;

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
    let rows = walk
        .steps()
        .iter()
        .map(|step| fields(step, is_two_level).len());
    let rows = rows.max().unwrap_or(0) + 2;
    let bottom = ENTRY_TOP + rows * LINE + 20;
    let height = bottom + (notes.len() + 2) * LINE + 20;
    let title = format!("The walk of {addr}, CR3 {cr3:08X}");
    let mut body = format!("<text x=\"20\" y=\"26\">{}</text>\n", escaped(&title));
    if is_two_level {
        let parts = [
            ("dir", addr.directory_index(), 10, "directory index"),
            ("tab", addr.table_index(), 10, "table index"),
            ("off", addr.page_offset(), 12, "offset"),
        ];
        let mut x = 20;
        for (class, value, bits, name) in parts {
            let width = bits * 24;
            _ = writeln!(
                body,
                "<rect class=\"box {class}\" x=\"{x}\" y=\"40\" width=\"{width}\" height=\"44\"/>\
                 <text x=\"{}\" y=\"58\">{value:0bits$b}</text>\
                 <text x=\"{}\" y=\"76\" class=\"small\">{name} = {value} ({value:X}h)</text>",
                x + 8,
                x + 8
            );
            x += width;
        }
    }
    for (index, step) in walk.steps().iter().enumerate() {
        body += &entry(
            index,
            step,
            is_two_level,
            walk.leaf().is_err() && index + 1 == walk.steps().len(),
        );
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
    for (index, note) in std::iter::once(&end).chain(notes).enumerate() {
        let y = bottom + (index + 1) * LINE;
        _ = writeln!(body, "<text x=\"20\" y=\"{y}\">{}</text>", escaped(note));
    }
    document(WALK_WIDTH, height, &title, &body)
}

/// Returns the box of an entry with its fields, and the line that leads to it.
fn entry(index: usize, step: &Step, is_two_level: bool, stops: bool) -> String {
    let x = 20 + index * (ENTRY_WIDTH + 25);
    let fields = fields(step, is_two_level);
    let height = (fields.len() + 2) * LINE;
    let class = match (stops, step.level) {
        (true, _) => "no",
        (false, Level::Table) => "tab",
        (false, Level::Directory | Level::Pdpt) => "dir",
    };
    let mut text = format!(
        "<path class=\"line\" d=\"M{} {}v14l-4 -6m4 6l4 -6\"/>\
         <rect class=\"box {class}\" x=\"{x}\" y=\"{ENTRY_TOP}\" width=\"{ENTRY_WIDTH}\" \
         height=\"{height}\"/><text x=\"{}\" y=\"{}\">{} at 0x{:08x} = {:08x}</text>\n",
        x + ENTRY_WIDTH / 2,
        ENTRY_TOP - 16,
        x + 8,
        ENTRY_TOP + LINE,
        entry_name(step.level),
        step.at.bits(),
        step.value
    );
    for (row, field) in fields.iter().enumerate() {
        let line: String = field.text().chars().take(FIELD_CHARS).collect();
        let y = ENTRY_TOP + (row + 2) * LINE;
        _ = writeln!(
            text,
            "<text class=\"small\" xml:space=\"preserve\" x=\"{}\" y=\"{y}\">{}</text>",
            x + 8,
            escaped(&line)
        );
    }
    text
}

/// How much of a field's line fits into its box.
const FIELD_CHARS: usize = 44;
/// The width of the bar of an address space.
const MAP_BAR: usize = 220;
/// The height of the smallest run, in which a line of text fits.
const MAP_ROW: usize = 20;

/// Returns the picture of an address space: a bar for each run, the higher the more memory it is.
pub(crate) fn map(entries: &[MapEntry]) -> String {
    let mut body =
        String::from("<text x=\"20\" y=\"26\">The address space, from the lowest address</text>\n");
    let mut y = 44;
    let mut above = 0_u64;
    for entry in entries {
        let info = &entry.run.info;
        let base = u64::from(info.base.bits());
        if base > above {
            y = row(
                &mut body,
                y,
                MAP_ROW,
                "free",
                &format!("{above:08X}  {} KiB free", (base - above) / 1024),
            );
        }
        above = base + u64::from(info.size_bytes);
        let kind = info.allocation.as_ref().map(|allocation| allocation.kind);
        let class = match (info.state, kind) {
            (MemoryState::Reserve, _) => "res",
            (_, Some(RegionType::Mapped)) => "map",
            (_, Some(RegionType::Image)) => "img",
            _ => "priv",
        };
        let protection = info.protection.map(|protection| protection.to_string());
        let text = format!(
            "{base:08X}  {} KiB {} {} {}  {}",
            info.size_bytes / 1024,
            info.state.name(),
            kind.map_or("", RegionType::name),
            protection.unwrap_or_default(),
            entry.purpose.unwrap_or_default()
        );
        // A power of two more is a little higher.
        let height = MAP_ROW + 3 * (info.size_bytes / 4096).max(1).ilog2() as usize;
        y = row(&mut body, y, height, class, &text);
    }
    document(900, y + 20, "The address space", &body)
}

fn row(body: &mut String, y: usize, height: usize, class: &str, text: &str) -> usize {
    _ = writeln!(
        body,
        "<rect class=\"box {class}\" x=\"20\" y=\"{y}\" width=\"{MAP_BAR}\" height=\"{height}\">\
         <title>{0}</title></rect><text class=\"small\" x=\"{1}\" y=\"{2}\">{0}</text>",
        escaped(text),
        MAP_BAR + 32,
        y + height / 2 + 4
    );
    y + height
}

/// The size of the box of a TLB entry.
const TLB_CELL: (usize, usize) = (130, 38);

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
         height=\"{height}\" role=\"img\"><title>{}</title><style>{STYLE}</style>\n{body}</svg>\n",
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
