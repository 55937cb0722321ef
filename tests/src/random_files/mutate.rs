//! Valid files made invalid: bits flipped, fields at their extremes, pieces cut and moved, words
//! exchanged.

use crate::random::Random;

/// How many changes are made of one file: with few, what is read later is reached, too.
const CHANGES: [u64; 6] = [1, 1, 1, 2, 3, 8];
/// Where most of the fields lie by which a file is read.
const HEAD_BYTES: usize = 0x400;
/// The most bytes that are put in, cut out or doubled.
const MAX_PIECE_BYTES: usize = 0x200;
/// The largest file that is made.
const MAX_FILE_BYTES: usize = 1 << 20;
/// How many lines are put into a text.
const LINES: [u64; 4] = [0, 0, 2, 30];
/// One line in so many has a word that is not its own.
const WRONG_LINES: [u64; 5] = [8, 50, 50, 200, 200];
/// Values at which arithmetic on fields goes wrong.
const EXTREMES: [u32; 16] = [
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x1_0000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_F000,
    0xFFFF_FFF0,
    0xFFFF_FFFE,
    0xFFFF_FFFF,
];
/// Words that are at the edge of some grammar.
const EDGES: [&str; 44] = [
    "0",
    "-1",
    "0FFFFFFFFh",
    "0xFFFFFFFF",
    "4294967296",
    "99999999999999999999",
    "1e999",
    "(",
    ")",
    "((((((((",
    "[",
    "]",
    "<",
    ">",
    "&",
    "%",
    "!",
    "\\",
    ",",
    ";",
    ":",
    "::",
    "'",
    "\"",
    "?",
    "@@:",
    "$",
    "100000 dup(0)",
    "0FFFFFFFFh dup(?)",
    "rept 100000",
    "while 1",
    "macro",
    "endm",
    "exitm",
    "proc",
    "endp",
    "struct",
    "ends",
    "textequ",
    "invoke",
    "\u{e9}\u{20ac}",
    "\0",
    "\x1A",
    "\r",
];

/// Changes a file in some ways; `other` is a file of its kind, from which pieces come.
pub(super) fn bytes(random: &mut Random, mut file: Vec<u8>, other: &[u8]) -> Vec<u8> {
    for _ in 0..random.one_of(&CHANGES) {
        change(random, &mut file, other);
    }
    file.truncate(MAX_FILE_BYTES);
    file
}

fn change(random: &mut Random, file: &mut Vec<u8>, other: &[u8]) {
    let at = place(random, file.len());
    let end = (at + random.index(MAX_PIECE_BYTES) + 1).min(file.len());
    match random.below(9) {
        0 | 1 => {
            if let Some(byte) = file.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        2..5 => put_extreme(random, file, at),
        5 => file.truncate(at),
        6 => {
            let len = random.index(MAX_PIECE_BYTES);
            let piece = random.bytes(len);
            file.splice(at..end, piece);
        }
        7 => {
            let from = random.index(other.len());
            let to = (from + random.index(MAX_PIECE_BYTES) + 1).min(other.len());
            let piece = other.get(from..to).unwrap_or_default().to_vec();
            let end = random.one_of(&[at, end]);
            file.splice(at..end, piece);
        }
        _ => {
            let piece = file.get(at..end).unwrap_or_default().to_vec();
            file.splice(at..at, piece);
        }
    }
}

/// Puts a number at which fields break, of a width that fields have.
fn put_extreme(random: &mut Random, file: &mut [u8], at: usize) {
    let width = random.one_of(&[1, 2, 4, 4]);
    // Fields lie at multiples of their width.
    let at = at / width * width;
    let value = random.one_of(&EXTREMES).to_le_bytes();
    for (byte, value) in file.iter_mut().skip(at).zip(&value[..width]) {
        *byte = *value;
    }
}

/// Returns an offset in the file or its end, more often in the head than elsewhere.
fn place(random: &mut Random, len: usize) -> usize {
    let end = random.one_of(&[len + 1, len + 1, len.min(HEAD_BYTES)]);
    random.index(end)
}

/// Makes a text of the lines of valid ones, with words put in the place of others.
pub(super) fn text(random: &mut Random, valid: &[Vec<u8>]) -> Vec<u8> {
    let mut text = Vec::new();
    let wrong = random.one_of(&WRONG_LINES);
    // One file gives the frame, so that some of what is put into it has a meaning.
    let frame = lines(random.choose::<Vec<u8>>(valid));
    let kept = random.index(frame.len() + 1);
    let (before, after) = frame.split_at(kept);
    let mut made = before.to_vec();
    for _ in 0..random.one_of(&LINES) {
        let all = lines(random.choose::<Vec<u8>>(valid));
        made.push(random.choose::<&[u8]>(&all));
    }
    made.extend(after);
    for line in made {
        if random.below(wrong) == 0 {
            push_wrong(random, &mut text, line, valid);
        } else {
            text.extend_from_slice(line);
        }
        text.push(b'\n');
    }
    text
}

fn lines(file: &[u8]) -> Vec<&[u8]> {
    file.split(|&byte| byte == b'\n').collect()
}

/// Adds a line with a word that is doubled, missing, or not its own.
fn push_wrong(random: &mut Random, text: &mut Vec<u8>, line: &[u8], valid: &[Vec<u8>]) {
    let words = words(line);
    let wrong = random.index(words.len());
    for (index, word) in words.iter().enumerate() {
        if index != wrong {
            text.extend_from_slice(word);
            continue;
        }
        match random.below(4) {
            0 => {}
            1 => {
                text.extend_from_slice(word);
                text.extend_from_slice(word);
            }
            2 => text.extend_from_slice(random.choose(&EDGES).as_bytes()),
            _ => {
                let all = lines(random.choose::<Vec<u8>>(valid));
                let others = self::words(random.choose::<&[u8]>(&all));
                let other = others.get(random.index(others.len()));
                text.extend_from_slice(other.copied().unwrap_or_default());
            }
        }
    }
}

/// What a run of characters is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Blank,
    Other,
}

/// Takes a line apart: runs of letters and digits, runs of blanks, and each other character.
fn words(line: &[u8]) -> Vec<&[u8]> {
    let class = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => Class::Word,
        b' ' | b'\t' => Class::Blank,
        _ => Class::Other,
    };
    line.chunk_by(|&a, &b| class(a) == class(b) && class(a) != Class::Other)
        .collect()
}
