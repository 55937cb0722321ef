//! An executable of 32-bit Linux around an image.

use pagefault_asm::{Image, Rights, Segment};

const HEADER_BYTES: u16 = 52;
const SEGMENT_BYTES: u16 = 32;
const PAGE_BYTES: u32 = 0x1000;
/// Magic, 32 bits, little-endian, version 1.
const IDENT: [u8; 16] = [0x7F, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const EXECUTABLE: u16 = 2;
const I386: u16 = 3;
const VERSION: u32 = 1;
const LOAD: u32 = 1;
/// Without this one, everything that can be read could be executed.
const GNU_STACK: u32 = 0x6474_E551;
const FLAG_EXECUTE: u32 = 1;
const FLAG_WRITE: u32 = 2;
const FLAG_READ: u32 = 4;

/// Returns the file of a static executable.
pub(super) fn executable(image: &Image) -> Vec<u8> {
    let segments: Vec<&Segment> = image.segments.iter().collect();
    let mut headers = Vec::new();
    let mut contents = Vec::new();
    for segment in &segments {
        let offset = PAGE_BYTES + len(&contents);
        headers.extend([
            LOAD,
            offset,
            segment.addr,
            segment.addr,
            len(&segment.bytes),
            segment.size,
            flags(segment.rights),
            PAGE_BYTES,
        ]);
        contents.extend_from_slice(&segment.bytes);
        contents.resize(contents.len().next_multiple_of(PAGE_BYTES as usize), 0);
    }
    headers.extend([GNU_STACK, 0, 0, 0, 0, 0, FLAG_READ | FLAG_WRITE, 0]);
    let count = u16::try_from(segments.len() + 1).expect("a handful of segments");

    let mut file = IDENT.to_vec();
    file.extend([EXECUTABLE, I386].map(u16::to_le_bytes).concat());
    let no_sections = 0;
    let words = [
        VERSION,
        image.entry,
        u32::from(HEADER_BYTES),
        no_sections,
        0,
    ];
    file.extend(words.map(u32::to_le_bytes).concat());
    let sizes = [HEADER_BYTES, SEGMENT_BYTES, count, 0, 0, 0];
    file.extend(sizes.map(u16::to_le_bytes).concat());
    file.extend(headers.into_iter().flat_map(u32::to_le_bytes));
    file.resize(PAGE_BYTES as usize, 0);
    file.extend(contents);
    file
}

fn flags(rights: Rights) -> u32 {
    let pairs = [
        (Rights::EXECUTE, FLAG_EXECUTE),
        (Rights::WRITE, FLAG_WRITE),
        (Rights::READ, FLAG_READ),
    ];
    let given = pairs
        .into_iter()
        .filter(|(right, _)| rights.contains(*right));
    given.fold(0, |flags, (_, flag)| flags | flag)
}

fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("an image of some pages")
}
