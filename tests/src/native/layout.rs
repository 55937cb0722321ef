//! What both sides know: the memory map, and the records that go to and fro.

use pagefault_cpu::Registers;
use pagefault_mmu::PAGE_SIZE;

/// Two pages of code, which can be written, so that code can change itself. The page behind them is
/// not mapped.
pub(super) const CODE: u32 = 0x1000_0000;
/// Three pages of data, the last of which can only be read.
pub(super) const DATA: u32 = 0x2000_0000;
/// The page that can only be read.
pub(super) const READ_ONLY: u32 = DATA + 2 * PAGE_SIZE;
/// The page that is mapped without any right.
pub(super) const FORBIDDEN: u32 = DATA + 3 * PAGE_SIZE;
/// The page that FS is the segment of. The page behind it is not mapped.
pub(super) const TEB: u32 = DATA + 4 * PAGE_SIZE;
/// Two pages of stack, with nothing on either side.
pub(super) const STACK: u32 = 0x3000_0000;
/// Behind the last byte of the stack.
pub(super) const STACK_END: u32 = STACK + 2 * PAGE_SIZE;
/// Where the program of the native side is, whose memory a case must not touch.
pub(super) const IMAGE: u32 = 0x5A5A_0000;
/// Behind it.
pub(super) const IMAGE_END: u32 = 0x5A5F_0000;
/// The lowest address that may be mapped: the kernel keeps what is below.
const LOWEST: u32 = 0x0001_0000;
/// Behind the highest address of a 32-bit program on a 64-bit kernel.
const HIGHEST: u32 = 0xFFFF_E000;

/// Size of what a case sets of its code, and of its data.
pub(super) const WINDOW_BYTES: usize = 256;
/// The same, as a distance of addresses.
pub(super) const WINDOW: u32 = 256;
const _: () = assert!(WINDOW as usize == WINDOW_BYTES, "both are one size");
/// Where the data of a case is: on both sides of the boundary of two pages.
pub(super) const DATA_BLOCK: u32 = DATA + PAGE_SIZE - 128;
/// The byte of code that no case has set: INT3.
pub(super) const BREAKPOINT: u8 = 0xCC;

/// The first word that the native side says.
pub(super) const MAGIC: u32 = 0x2E11_0A11;
/// Dwords of its greeting: the word, CS, DS, ES, SS, FS, GS.
pub(super) const HELLO_DWORDS: usize = 7;

/// Dwords of the writable pages: more cannot change.
const MOST_CHANGES: u32 = 7 * PAGE_SIZE / 4;
const SIGNAL_STACK_BYTES: u32 = 0x1_0000;

/// Offsets in a case, and its size. The image of FXSAVE comes first.
const REQUEST_REGISTERS: usize = Registers::EXTENDED_BYTES;
const REQUEST_FLAGS: usize = REQUEST_REGISTERS + 32;
const REQUEST_EIP: usize = REQUEST_FLAGS + 4;
const REQUEST_CODE_AT: usize = REQUEST_EIP + 4;
const REQUEST_CODE: usize = REQUEST_CODE_AT + 4;
const REQUEST_DATA: usize = REQUEST_CODE + WINDOW_BYTES;
/// Size of a case as it goes to the native side, in bytes.
pub(super) const REQUEST_BYTES: usize = REQUEST_DATA + WINDOW_BYTES;

/// Offsets in a result, and its size without the changes. The image of FXSAVE comes first.
const RESULT_REGISTERS: usize = Registers::EXTENDED_BYTES;
/// Where the number of changes is: behind registers, flags, EIP, vector, error code and CR2.
pub(super) const RESULT_COUNT: usize = RESULT_REGISTERS + 32 + 5 * 4;
/// Size of a result without the changes, in bytes.
pub(super) const RESULT_BYTES: usize = RESULT_COUNT + 4;

/// A place in memory, with a fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    /// The first address.
    pub(super) start: u32,
    /// Its pages.
    pub(super) pages: u32,
    /// What may be done with it.
    pub(super) rights: PageRights,
}

/// What may be done with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageRights {
    /// Everything.
    All,
    /// Reading and writing.
    Data,
    /// Reading.
    Read,
}

/// The pages that are there. FORBIDDEN, which has no rights, is as absent.
pub(super) const REGIONS: [Region; 5] = [
    region(CODE, 2, PageRights::All),
    region(DATA, 2, PageRights::Data),
    region(READ_ONLY, 1, PageRights::Read),
    region(TEB, 1, PageRights::Data),
    region(STACK, 2, PageRights::Data),
];

const fn region(start: u32, pages: u32, rights: PageRights) -> Region {
    Region {
        start,
        pages,
        rights,
    }
}

/// Returns the byte that memory holds at an address before a case sets anything.
pub(super) fn fill(rights: PageRights, addr: u32) -> u8 {
    /// The fractional part of the golden ratio, which spreads addresses.
    const SPREAD: u32 = 0x9E37_79B1;
    match rights {
        PageRights::All => BREAKPOINT,
        PageRights::Data | PageRights::Read => addr.wrapping_mul(SPREAD).to_le_bytes()[3],
    }
}

/// Returns the lines with these numbers that go in front of the source of the native side.
pub(super) fn equates() -> String {
    let addresses = [
        ("CODE", CODE),
        ("DATA", DATA),
        ("READ_ONLY", READ_ONLY),
        ("FORBIDDEN", FORBIDDEN),
        ("TEB", TEB),
        ("STACK", STACK),
        ("IMAGE", IMAGE),
        ("IMAGE_END", IMAGE_END),
        ("LOWEST", LOWEST),
        ("HIGHEST", HIGHEST),
        ("DATA_BLOCK", DATA_BLOCK),
        ("MAGIC", MAGIC),
        ("MOST_CHANGES", MOST_CHANGES),
        ("SIGNAL_STACK_BYTES", SIGNAL_STACK_BYTES),
    ];
    let offsets = [
        ("WINDOW_BYTES", WINDOW_BYTES),
        ("REQUEST_REGISTERS", REQUEST_REGISTERS),
        ("REQUEST_FLAGS", REQUEST_FLAGS),
        ("REQUEST_EIP", REQUEST_EIP),
        ("REQUEST_CODE_AT", REQUEST_CODE_AT),
        ("REQUEST_CODE", REQUEST_CODE),
        ("REQUEST_DATA", REQUEST_DATA),
        ("REQUEST_BYTES", REQUEST_BYTES),
        ("RESULT_REGISTERS", RESULT_REGISTERS),
        ("RESULT_COUNT", RESULT_COUNT),
        ("RESULT_BYTES", RESULT_BYTES),
    ];
    let addresses = addresses.map(|(name, value)| format!("{name} equ 0{value:X}h\n"));
    let offsets = offsets.map(|(name, value)| format!("{name} equ {value}\n"));
    addresses.concat() + &offsets.concat()
}
