//! Random programs.

use std::fmt::Write;

use super::subject::Subject;
use crate::random::Random;

/// Calls of a program.
const CALLS: u64 = 120;
/// Words that keep what calls return.
const KEPT: u64 = 8;
const PAGE: u64 = 0x1000;
/// Where programs reserve by address.
const WINDOW: u64 = 0x2000_0000;
const WINDOW_PAGES: u64 = 0x80;
/// The most bytes of code that are made up.
const MAX_CODE_BYTES: u64 = 400;

/// Makes a program of memory calls in any order, with arguments that mean something more often
/// than not.
pub(super) fn calls(random: &mut Random) -> Subject {
    let mut source = String::from(
        "        .386\n        .model flat, stdcall\n        option casemap:none\n        \
         include windows.inc\n        include kernel32.inc\n        .data\nkept dd 8 dup(0)\n\
         old dd ?\nread dd ?\nbuffer db 1000h dup(5)\n        .code\nstart:\n",
    );
    for _ in 0..CALLS {
        let call = call(random);
        let keep = random.below(KEPT) * 4;
        _ = writeln!(source, "        invoke {call}");
        if random.below(2) == 0 {
            _ = writeln!(source, "        mov kept[{keep}], eax");
        }
    }
    source.push_str("        invoke ExitProcess, eax\n        end start\n");
    Subject::assembled("random calls", &source).expect("what is made up can be assembled")
}

fn call(random: &mut Random) -> String {
    const KINDS: [&str; 6] = ["3000h", "3000h", "1000h", "2000h", "103000h", "203000h"];
    const PROTECTIONS: [&str; 7] = ["4", "4", "2", "1", "104h", "20h", "40h"];
    let place = place(random);
    let size = random.below(24) * PAGE + random.one_of(&[0, 0, 0, 1, 0xFFF]);
    let few = random.below(PAGE) + 1;
    let kept = random.below(KEPT) * 4;
    let kind = random.one_of(&KINDS);
    let protection = random.one_of(&PROTECTIONS);
    match random.below(18) {
        0..4 => format!("VirtualAlloc, {place}, {size}, {kind}, {protection}"),
        4 => format!("VirtualAlloc, NULL, {size}, 3000h, {protection}"),
        5 => format!("VirtualFree, {place}, {size}, MEM_DECOMMIT"),
        6 => format!("VirtualFree, {place}, 0, MEM_RELEASE"),
        7 | 8 => format!("VirtualProtect, {place}, {size}, {protection}, addr old"),
        9 => format!("VirtualLock, {place}, {size}"),
        10 => format!("VirtualUnlock, {place}, {size}"),
        11 | 12 => format!("WriteProcessMemory, -1, {place}, addr buffer, {few}, addr read"),
        13 => format!("ReadProcessMemory, -1, {place}, addr buffer, {few}, addr read"),
        14 => format!("HeapAlloc, {}, 8, {size}", random.one_of(&["kept[0]", "0"])),
        15 => "HeapCreate, 0, 0, 0".to_owned(),
        16 => format!(
            "CreateFileMapping, -1, NULL, PAGE_READWRITE, 0, {}, NULL",
            size + 1
        ),
        _ => format!("MapViewOfFile, kept[{kept}], FILE_MAP_COPY, 0, 0, 0"),
    }
}

fn place(random: &mut Random) -> String {
    match random.below(6) {
        0 => format!("kept[{}]", random.below(KEPT) * 4),
        1 => format!("{}", random.below(1 << 31)),
        _ => format!("{}", WINDOW + random.below(WINDOW_PAGES) * PAGE),
    }
}

/// Makes a program of random bytes, with some that are instructions that touch memory.
pub(super) fn bytes(random: &mut Random) -> Subject {
    /// Moves, string instructions, jumps back and calls, whole.
    const PIECES: [&[u8]; 8] = [
        &[0x89, 0x07],
        &[0x8B, 0x06],
        &[0xF3, 0xA4],
        &[0xF3, 0xAB],
        &[0xEB, 0xF0],
        &[0xE8, 0, 0, 0, 0],
        &[0xFF, 0x06],
        &[0x83, 0xC7, 0x40],
    ];
    let wanted = random.below(MAX_CODE_BYTES) + 1;
    let mut code = Vec::new();
    while (code.len() as u64) < wanted {
        match random.below(3) {
            0 => code.extend_from_slice(random.one_of(&PIECES)),
            _ => code.push(random.next().to_le_bytes()[7]),
        }
    }
    Subject::raw("random bytes", &code).expect("it has an entry")
}
