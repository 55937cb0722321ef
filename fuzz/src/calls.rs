//! Programs that call functions of the system with any arguments.
//!
//! An exception does not end such a program: its handler goes on with the next call.

use std::sync::OnceLock;

use pagefault_machine::{
    ImportName, Part, PartRights, Platform, Program, ProgramImport, emulated_functions,
};

use crate::bytes::Bytes;

/// Where the program is.
const BASE: u32 = 0x0040_0000;
/// Its parts, from there: code, slots of imports, data.
const CODE: u32 = 0x1000;
const SLOTS: u32 = 0x5000;
const DATA: u32 = 0x6000;
const DATA_BYTES: u32 = 0x8000;
/// In the data: texts, room for results, what each call returned, and what the handler has to know.
const TEXTS: u32 = BASE + DATA;
const ROOM: u32 = TEXTS + 0x1000;
const RESULTS: u32 = TEXTS + 0x4000;
const STACK_AT: u32 = TEXTS + 0x5000;
const NEXT_AT: u32 = STACK_AT + 4;
/// Texts are so far apart, in bytes.
const TEXT_BYTES: u32 = 64;

const MAX_CALLS: u32 = 100;
const ARGUMENTS: usize = 8;
/// Functions that others call: of no argument, of one, and of three. The handler follows them.
const FUNCTIONS: [[u8; FUNCTION_BYTES as usize]; 3] = [
    // xor eax, eax; ret
    [0x31, 0xC0, 0xC3, 0xCC, 0xCC, 0xCC, 0xCC, 0xCC],
    // mov eax, [esp+4]; ret 4
    [0x8B, 0x44, 0x24, 0x04, 0xC2, 0x04, 0x00, 0xCC],
    // mov eax, [esp+8]; ret 12
    [0x8B, 0x44, 0x24, 0x08, 0xC2, 0x0C, 0x00, 0xCC],
];
const FUNCTION_BYTES: u32 = 8;
/// They are behind the jump over them.
const FUNCTIONS_AT: u32 = BASE + CODE + 2;
/// The bytes of `call [slot]`.
const CALL_BYTES: usize = 6;
/// The place of the flags in an EXCEPTION_RECORD, and those that say that frames are unwound.
const RECORD_FLAGS: u8 = 4;
const UNWIND: u8 = 6;
/// The places of EIP and ESP in a CONTEXT.
const CONTEXT_EIP: u32 = 0xB8;
const CONTEXT_ESP: u32 = 0xC4;

/// What the names of functions have in them that change memory.
const MEMORY_WORDS: [&str; 9] = [
    "Virtual",
    "Heap",
    "Global",
    "Local",
    "MapView",
    "FileMapping",
    "Physical",
    "WriteWatch",
    "alloc",
];

/// Returns the program that an input describes: the first byte says whether only functions about
/// memory are called, and each call is two bytes for the function, one for everything, and one for
/// each argument.
pub fn program(data: &[u8]) -> Program {
    let mut bytes = Bytes::new(data);
    let names = names(bytes.byte());
    let mut code = Vec::new();
    begin(&mut code);
    let mut imports = Vec::new();
    let mut number = 0;
    while !bytes.is_empty() && number < MAX_CALLS {
        let choice = usize::from(bytes.word());
        let slot = SLOTS + number * 4;
        imports.push(ProgramImport {
            name: ImportName::Name(names[choice % names.len()].to_owned()),
            library: None,
            slot,
        });
        call(&mut code, &mut bytes, number, slot);
        number += 1;
    }
    // mov esp, fs:[0]; pop fs:[0]; pop eax; ret
    code.extend([0x64, 0x8B, 0x25, 0, 0, 0, 0]);
    code.extend([0x64, 0x8F, 0x05, 0, 0, 0, 0, 0x58, 0xC3]);
    let read_write = PartRights::READ | PartRights::WRITE;
    Program {
        platform: Platform::Windows,
        base: BASE,
        size: DATA + DATA_BYTES,
        entry: CODE,
        parts: vec![
            part(
                CODE,
                SLOTS - CODE,
                code,
                PartRights::READ | PartRights::EXECUTE,
            ),
            part(SLOTS, DATA - SLOTS, Vec::new(), PartRights::READ),
            part(DATA, DATA_BYTES, texts(), read_write),
        ],
        imports,
        relocations: None,
        thread_local: None,
        stack: None,
    }
}

/// Registers the handler, and says where the stack is.
fn begin(code: &mut Vec<u8>) {
    let mut functions = FUNCTIONS.concat();
    // The handler; while frames are unwound it has nothing to say.
    // mov eax, [esp+4]; test byte ptr [eax+FLAGS], UNWIND; jnz last
    functions.extend([
        0x8B,
        0x44,
        0x24,
        0x04,
        0xF6,
        0x40,
        RECORD_FLAGS,
        UNWIND,
        0x75,
    ]);
    let mut resume = Vec::new();
    // mov eax, [esp+12]; mov ecx, [NEXT_AT]; mov [eax+EIP], ecx; mov ecx, [STACK_AT];
    // mov [eax+ESP], ecx; xor eax, eax; ret
    resume.extend([0x8B, 0x44, 0x24, 0x0C, 0x8B, 0x0D]);
    resume.extend(NEXT_AT.to_le_bytes());
    resume.extend([0x89, 0x88]);
    resume.extend(CONTEXT_EIP.to_le_bytes());
    resume.extend([0x8B, 0x0D]);
    resume.extend(STACK_AT.to_le_bytes());
    resume.extend([0x89, 0x88]);
    resume.extend(CONTEXT_ESP.to_le_bytes());
    resume.extend([0x31, 0xC0, 0xC3]);
    functions.push(u8::try_from(resume.len()).expect("it is short"));
    functions.extend(resume);
    // last: push 1; pop eax; ret
    functions.extend([0x6A, 0x01, 0x58, 0xC3]);
    // jmp over them
    let len = u8::try_from(functions.len()).expect("the functions are short");
    code.extend([0xEB, len]);
    code.extend(functions);
    // push handler; push fs:[0]; mov fs:[0], esp; mov [STACK_AT], esp
    code.push(0x68);
    code.extend((FUNCTIONS_AT + 3 * FUNCTION_BYTES).to_le_bytes());
    code.extend([0x64, 0xFF, 0x35, 0, 0, 0, 0]);
    code.extend([0x64, 0x89, 0x25, 0, 0, 0, 0]);
    code.extend([0x89, 0x25]);
    code.extend(STACK_AT.to_le_bytes());
}

/// Adds a call, and notes where the handler goes on, and what the call returns.
fn call(code: &mut Vec<u8>, bytes: &mut Bytes<'_>, number: u32, slot: u32) {
    let detail = bytes.byte();
    let mut pushes = Vec::new();
    let arguments: [u8; ARGUMENTS] = std::array::from_fn(|_| bytes.byte());
    for choice in arguments.into_iter().rev() {
        push(&mut pushes, choice, detail);
    }
    // mov dword ptr [NEXT_AT], next
    code.extend([0xC7, 0x05]);
    code.extend(NEXT_AT.to_le_bytes());
    let next = code.len() + size_of::<u32>() + pushes.len() + CALL_BYTES;
    let next = u32::try_from(next).expect("the code is short");
    code.extend((BASE + CODE + next).to_le_bytes());
    code.extend(pushes);
    // call [slot]; mov esp, [STACK_AT]; mov [result], eax
    code.extend([0xFF, 0x15]);
    code.extend((BASE + slot).to_le_bytes());
    code.extend([0x8B, 0x25]);
    code.extend(STACK_AT.to_le_bytes());
    code.push(0xA3);
    code.extend((RESULTS + number * 4).to_le_bytes());
}

/// Adds a push of what a byte stands for: mostly something that means something.
fn push(code: &mut Vec<u8>, choice: u8, detail: u8) {
    let low = u32::from(choice & 0x0F);
    let detail = u32::from(detail);
    let in_memory = match choice >> 4 {
        // What an earlier call returned, or stored.
        0xE => Some(RESULTS + (low + detail % 8 * 16) * 4),
        0xF => Some(ROOM + low * 0x101 + detail % 4 * 4),
        _ => None,
    };
    if let Some(at) = in_memory {
        code.extend([0xFF, 0x35]);
        code.extend(at.to_le_bytes());
        return;
    }
    let value = match choice >> 4 {
        0 => low,
        1 => low * 0x1000 + detail,
        2 => (1 << (low + 8)) + detail,
        3 => TEXTS + low * TEXT_BYTES,
        4 => ROOM + low * 0x101,
        5 => 0x0011_0000 + low * 0x1_0000 + (detail & 0xF0) * 0x100,
        6 => low.wrapping_sub(12),
        7 => BASE + low * 0x1000,
        8 => 0x7FFD_E000 + low * 0x400 + detail,
        9 => 0x0010_F000 + low * 0x80,
        0xA => 0x40 + low,
        // Handles.
        0xB => low * 4 + detail % 2 * 0x0080_0000,
        // Functions for others to call, the handler with them.
        0xC => FUNCTIONS_AT + low % 4 * FUNCTION_BYTES,
        _ => detail.wrapping_mul(0x0101_0101) << low,
    };
    code.push(0x68);
    code.extend(value.to_le_bytes());
}

fn part(offset: u32, size: u32, bytes: Vec<u8>, rights: PartRights) -> Part {
    Part {
        offset,
        size,
        bytes,
        rights,
    }
}

/// Texts for functions to find.
fn texts() -> Vec<u8> {
    const TEXTS: [&[u8]; 16] = [
        b"%d %s %08lX %-5.3f %c %p %n %*d %I64d",
        b"file.txt",
        b"kernel32.dll",
        b"VirtualAlloc",
        b"w+b",
        b"-123456789012345678901234567890",
        b"t\0e\0x\0t\0\0\0",
        b"*.*",
        b"C:\\..\\file.txt",
        b"%1!s! %2 %%n %99",
        b"\xFF\xFE%*.*s%-0500d%1000000000d",
        b"f\0i\0l\0e\0.\0t\0x\0t\0\0\0",
        b"%s%s%S%ls%hs%ws",
        b"0x7FFFFFFFFFFFFFFF",
        b"1e999 nan inf",
        b"PATH",
    ];
    let mut bytes = vec![0; TEXTS.len() * TEXT_BYTES as usize];
    for (place, text) in bytes.chunks_exact_mut(TEXT_BYTES as usize).zip(TEXTS) {
        place[..text.len()].copy_from_slice(text);
    }
    bytes
}

/// Returns the functions that are called: about memory, or all.
fn names(choice: u8) -> &'static [&'static str] {
    static ALL: OnceLock<Vec<&'static str>> = OnceLock::new();
    static MEMORY: OnceLock<Vec<&'static str>> = OnceLock::new();
    let all = ALL.get_or_init(|| emulated_functions().map(|(_, name)| name).collect());
    if choice.is_multiple_of(2) {
        return all;
    }
    let is_about_memory = |name: &str| MEMORY_WORDS.iter().any(|word| name.contains(word));
    MEMORY.get_or_init(|| {
        all.iter()
            .copied()
            .filter(|name| is_about_memory(name))
            .collect()
    })
}
