//! The report that the tracker thread of lab 2 writes after each step.

use std::fmt::Write;

use pagefault_machine::vmm::mmu::{LinearAddr, PAGE_SIZE};
use pagefault_machine::vmm::{
    ALLOCATION_GRANULARITY, Allocation, MemoryInfo, MemoryStatus, Protection,
};

use super::replay::Replay;

/// `PROCESSOR_INTEL_PENTIUM`, as `GetSystemInfo` tells programs.
const PROCESSOR_TYPE: u32 = 586;
/// `wProcessorLevel`, `wProcessorRevision`.
const PROCESSOR_LEVEL: u32 = 6;
const PROCESSOR_REVISION: u32 = 0;
/// The size of `MEMORYSTATUS` in bytes.
const MEMORYSTATUS_BYTES: u32 = 32;
/// What stands between the parts, and after the last.
const AFTER_SYSTEM: &str = "************************************************************";
const AFTER_STATUS: &str = "**************************************************";
const AFTER_REGION: &str = "*********************************************************";

/// Returns what the tracker writes as report `number`: `SYSTEM_INFO`, `MEMORYSTATUS`, and the
/// `MEMORY_BASIC_INFORMATION` of `about`.
///
/// Report 0 comes before the first operation, as in the lab, whose program asks about the lowest
/// address every time.
pub fn report(replay: &Replay, number: usize, about: LinearAddr) -> String {
    let mut text = format!("{number}\n");
    system(replay, &mut text);
    let _ = writeln!(text, "{AFTER_SYSTEM}");
    status(&replay.memory_status(), &mut text);
    let _ = writeln!(text, "{AFTER_STATUS}");
    if let Some(info) = replay.query(about) {
        region(&info, &mut text);
    }
    let _ = writeln!(text, "{AFTER_REGION}");
    text
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{name}\t{value}");
}

fn system(replay: &Replay, text: &mut String) {
    let user = replay.user_space();
    line(text, "dwActiveProcessorMask", 1);
    line(text, "dwAllocationGranularity", ALLOCATION_GRANULARITY);
    line(text, "dwNumberOfProcessors", 1);
    line(text, "dwOemId", 0);
    line(text, "dwPageSize", PAGE_SIZE);
    line(text, "dwProcessorType", PROCESSOR_TYPE);
    line(text, "lpMaximumApplicationAddress", pointer(user.highest()));
    line(text, "lpMinimumApplicationAddress", pointer(user.lowest()));
    line(text, "wProcessorArchitecture", 0);
    line(text, "wProcessorLevel", PROCESSOR_LEVEL);
    line(text, "wProcessorRevision", PROCESSOR_REVISION);
    line(text, "wReserved", 0);
}

fn status(status: &MemoryStatus, text: &mut String) {
    // The fields of MEMORYSTATUS have 32 bits: what does not fit is shown as the most that does.
    let word = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
    line(
        text,
        "dwAvailPageFile",
        word(status.available_page_file_bytes),
    );
    line(text, "dwAvailPhys", word(status.available_physical_bytes));
    line(text, "dwAvailVirtual", word(status.available_virtual_bytes));
    line(text, "dwLength", MEMORYSTATUS_BYTES);
    line(text, "dwMemoryLoad", status.load_percent);
    line(text, "dwTotalPageFile", word(status.total_page_file_bytes));
    line(text, "dwTotalPhys", word(status.total_physical_bytes));
    line(text, "dwTotalVirtual", word(status.total_virtual_bytes));
}

fn region(info: &MemoryInfo, text: &mut String) {
    let allocation = info.allocation.as_ref();
    let base = allocation.map_or(LinearAddr::new(0), |allocation| allocation.base);
    let protection = |allocation: &Allocation| allocation.protection.bits();
    line(text, "AllocationBase", pointer(base));
    line(text, "AllocationProtect", allocation.map_or(0, protection));
    line(text, "BaseAddress", pointer(info.base));
    line(text, "Protect", info.protection.map_or(0, Protection::bits));
    line(text, "RegionSize", info.size_bytes);
    line(text, "State", info.state.bits());
    line(
        text,
        "Type",
        allocation.map_or(0, |allocation| allocation.kind.bits()),
    );
}

/// Returns an address as the lab's program prints pointers.
fn pointer(addr: LinearAddr) -> String {
    format!("{:08X}", addr.bits())
}
