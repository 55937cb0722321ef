//! What is known of a page, as text and as JSON.

use std::fmt::Write;

use pagefault_machine::PageReport;
use pagefault_machine::vmm::mmu::{FaultCause, LevelId, PageSize, Rights, Step, TlbEntry, Walk};
use pagefault_machine::vmm::{FrameOwner, Slot};
use serde_json::{Value, json};

use crate::explain;
use crate::json as objects;
use crate::look::bits::{entry_name, fields};

/// Returns the walk with its address, line by line.
pub(crate) fn walk_text(page: &PageReport) -> String {
    let mut text = format!(
        "page walk    CR3 {:08X}, address {}\n",
        page.cr3,
        explain::split(page.is_two_level, page.addr)
    );
    for line in page.walk.to_string().lines() {
        _ = writeln!(text, "  {line}");
    }
    if let Some(meaning) = &page.entry_meaning {
        _ = writeln!(text, "  to the memory manager, this entry means: {meaning}");
    }
    text
}

/// Returns the entries of a walk bit by bit.
pub(crate) fn bits_text(walk: &Walk, is_two_level: bool) -> String {
    let mut text = String::new();
    for step in walk.steps() {
        _ = writeln!(
            text,
            "{} at 0x{:08x} = {}",
            entry_name(step.level),
            step.at.bits(),
            value(step, is_two_level)
        );
        for field in fields(step, is_two_level) {
            _ = writeln!(text, "{}", field.text());
        }
    }
    text
}

/// Returns what the TLB, RAM and the paging file have of a page.
pub(crate) fn place_text(page: &PageReport) -> String {
    let mut text = String::new();
    for entry in &page.cached {
        _ = writeln!(text, "TLB          {}", tlb_entry(entry));
    }
    if page.cached.is_empty() {
        text += "TLB          no level holds the page\n";
    }
    match &page.frame {
        Some((frame, owner)) => _ = writeln!(text, "frame        {frame}, {}", owned(owner)),
        None => text += "frame        none is mapped\n",
    }
    match page.slot {
        Some(slot) => _ = writeln!(text, "paging file  slot {}", slot.bits()),
        None => text += "paging file  nothing of the page is there\n",
    }
    text
}

/// Returns the region of a page and its history.
pub(crate) fn region_text(page: &PageReport) -> String {
    let region = explain::region(page.region.as_ref(), page.allocation.as_ref(), page.purpose);
    format!("region       {region}\n{}", explain::history(&page.history))
}

/// Returns a translation and where the TLB holds it.
pub(crate) fn tlb_entry(entry: &TlbEntry) -> String {
    let age = entry
        .age
        .map(|age| format!(", {age} used later"))
        .unwrap_or_default();
    format!(
        "{} set {} way {}: page {} in frame {}, {}{age}",
        level_name(entry.level),
        entry.set,
        entry.way,
        entry.page,
        entry.frame,
        rights(entry.rights)
    )
}

pub(crate) fn level_name(level: LevelId) -> &'static str {
    match level {
        LevelId::L1Data => "L1",
        LevelId::L1Instruction => "L1 insn",
        LevelId::L2 => "L2",
    }
}

/// Returns rights in words.
pub(crate) fn rights(rights: Rights) -> String {
    let who = if rights.contains(Rights::USER) {
        "user"
    } else {
        "supervisor"
    };
    let what = if rights.contains(Rights::WRITABLE) {
        "writable"
    } else {
        "read-only"
    };
    let names = [
        (Rights::DIRTY, ", dirty"),
        (Rights::GLOBAL, ", global"),
        (Rights::NO_EXECUTE, ", not executable"),
    ];
    let rest = names
        .into_iter()
        .filter(|&(right, _)| rights.contains(right));
    let rest: String = rest.map(|(_, name)| name).collect();
    format!("{who}, {what}{rest}")
}

fn owned(owner: &FrameOwner) -> String {
    match owner {
        FrameOwner::Nobody => "nobody's".to_owned(),
        FrameOwner::Tables(_) => "page tables".to_owned(),
        FrameOwner::Private { page, .. } => format!("private contents of page {page}"),
        FrameOwner::Physical { .. } => "a physical page that the program has allocated".to_owned(),
        FrameOwner::Section { index, .. } => format!("page {index} of a section, can be shared"),
    }
}

/// Returns an entry in as many digits as it has.
fn value(step: &Step, is_two_level: bool) -> String {
    if is_two_level {
        format!("{:08x}", step.value)
    } else {
        format!("{:016x}", step.value)
    }
}

/// Returns what is known of a page.
pub(crate) fn json(page: &PageReport) -> Value {
    let cached = |entry: &TlbEntry| {
        json!({
            "level": level_name(entry.level), "array": entry.array, "set": entry.set,
            "way": entry.way, "page": entry.page.bits(), "pages": entry.size.small_pages(),
            "frame": entry.frame.bits(), "rights": rights(entry.rights), "age": entry.age,
        })
    };
    json!({
        "addr": page.addr.bits(),
        "walk": walk_json(&page.walk, page.cr3, page.is_two_level),
        "entry_meaning": page.entry_meaning,
        "tlb": page.cached.iter().map(cached).collect::<Vec<_>>(),
        "frame": page.frame.as_ref().map(|(frame, owner)| json!({
            "number": frame.bits(), "holds": owned(owner),
        })),
        "paging_file_slot": page.slot.map(Slot::bits),
        "region": page.region.map(|info| objects::region(&info)),
        "purpose": page.purpose,
        "history": page.history.iter().map(objects::history).collect::<Vec<_>>(),
    })
}

/// Returns a walk with the fields of its entries.
pub(crate) fn walk_json(walk: &Walk, cr3: u32, is_two_level: bool) -> Value {
    let step = |step: &Step| {
        json!({
            "level": entry_name(step.level).to_ascii_lowercase(),
            "at": step.at.bits(),
            "value": step.value,
            "fields": fields(step, is_two_level)
                .iter()
                .map(crate::look::bits::Field::json)
                .collect::<Vec<_>>(),
        })
    };
    let addr = walk.addr();
    let leaf = walk.leaf();
    json!({
        "addr": addr.bits(),
        "cr3": cr3,
        "paging": if is_two_level { "two-level" } else { "pae" },
        "steps": walk.steps().iter().map(step).collect::<Vec<_>>(),
        "offset": addr.page_offset(),
        "physical": leaf.ok().map(|leaf| leaf.frame.byte(addr.page_offset()).bits()),
        "page_size": leaf.ok().map(|leaf| page_bytes(leaf.size)),
        "rights": leaf.ok().map(|leaf| rights(leaf.rights)),
        "executable": leaf.ok().map(|leaf| !leaf.rights.contains(Rights::NO_EXECUTE)),
        "stopped": leaf.err().map(|cause: FaultCause| cause.to_string()),
    })
}

fn page_bytes(size: PageSize) -> u32 {
    1 << size.shift()
}
