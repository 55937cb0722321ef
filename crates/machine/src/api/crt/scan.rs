//! The `scanf` family.

use crate::api::crt::EOF;
use crate::api::crt::number::{integer, is_space};
use crate::api::crt::stream::{Sink, stream_at};
use crate::api::text::Ansi;
use crate::api::{Call, Stop};
use crate::decimal;
use crate::limits::{NUMBER_CHARACTERS, SCANNED_CHARACTERS};
use crate::watch::Watch;

/// Where the characters come from.
enum Source {
    Text { bytes: Vec<u8>, next: usize },
    Stream(usize),
}

/// The size of what a conversion stores.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Byte,
    Short,
    Plain,
    Long,
    Wide,
}

/// A conversion of the format.
struct Conversion {
    /// Whether its value is stored.
    is_stored: bool,
    width: usize,
    size: Size,
    letter: u8,
    /// For `[`: the characters that belong to the field.
    set: Vec<bool>,
}

/// The place of standard input in `_iob`.
const STDIN: usize = 0;

/// `scanf`.
pub(in crate::api) fn scanf<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [format] = call.arguments();
    let list = call.further(1);
    Scan::new(call, Source::Stream(STDIN), list).run(format)
}

/// `fscanf`.
pub(in crate::api) fn fscanf<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [file, format] = call.arguments();
    let list = call.further(2);
    let Some(stream) = stream_at(file) else {
        return Ok(EOF);
    };
    Scan::new(call, Source::Stream(stream), list).run(format)
}

/// `sscanf`.
pub(in crate::api) fn sscanf<W: Watch>(call: &mut Call<'_, W>) -> Result<u32, Stop> {
    let [string, format] = call.arguments();
    let list = call.further(2);
    let bytes = call.characters::<Ansi>(string)?;
    Scan::new(call, Source::Text { bytes, next: 0 }, list).run(format)
}

/// What came of a conversion.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Matched {
    Yes,
    No,
    /// The input has ended before it.
    Ended,
}

/// What stands behind a text in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Terminator {
    /// Nothing: `%c`.
    None,
    Zero,
}

struct Scan<'a, 'b, W: Watch> {
    call: &'a mut Call<'b, W>,
    source: Source,
    /// A character that was looked at.
    peeked: Option<u8>,
    /// Characters taken so far.
    taken: u32,
    /// Where the next pointer is.
    list: u32,
    stored: u32,
}

impl<'a, 'b, W: Watch> Scan<'a, 'b, W> {
    fn new(call: &'a mut Call<'b, W>, source: Source, list: u32) -> Self {
        Self {
            call,
            source,
            peeked: None,
            taken: 0,
            list,
            stored: 0,
        }
    }

    /// Reads by a format and returns how many values were stored.
    fn run(mut self, format: u32) -> Result<u32, Stop> {
        let format = self.call.characters::<Ansi>(format)?;
        let mut rest = format.as_slice();
        let mut ended = false;
        while let Some((&byte, tail)) = rest.split_first() {
            if is_space(byte) {
                self.skip_spaces()?;
                rest = tail;
                continue;
            }
            if byte != b'%' || tail.first() == Some(&b'%') {
                rest = if byte == b'%' {
                    tail.get(1..).unwrap_or_default()
                } else {
                    tail
                };
                if byte == b'%' {
                    self.skip_spaces()?;
                }
                match self.peek()? {
                    Some(next) if next == byte => self.advance(),
                    next => {
                        ended = next.is_none();
                        break;
                    }
                }
                continue;
            }
            let Some((conversion, tail)) = parse(tail) else {
                break;
            };
            rest = tail;
            match self.convert(&conversion)? {
                Matched::Yes => {}
                Matched::No => break,
                Matched::Ended => {
                    ended = true;
                    break;
                }
            }
        }
        if let (Some(byte), Source::Stream(index)) = (self.peeked, &self.source)
            && let Some(stream) = self.call.machine.services.streams.get(*index)
        {
            stream.unread(byte);
        }
        Ok(if ended && self.stored == 0 {
            EOF
        } else {
            self.stored
        })
    }

    /// Looks at the next character. Behind as many as a call takes at most the input has ended.
    fn peek(&mut self) -> Result<Option<u8>, Stop> {
        if self.taken >= SCANNED_CHARACTERS {
            return Ok(None);
        }
        if self.peeked.is_none() {
            self.peeked = match &mut self.source {
                Source::Text { bytes, next } => {
                    let byte = bytes.get(*next).copied();
                    *next += 1;
                    byte
                }
                Source::Stream(index) => self.call.next_byte(*index)?,
            };
        }
        Ok(self.peeked)
    }

    fn advance(&mut self) {
        self.peeked = None;
        self.taken = self.taken.wrapping_add(1);
    }

    fn skip_spaces(&mut self) -> Result<(), Stop> {
        while self.peek()?.is_some_and(is_space) {
            self.advance();
        }
        Ok(())
    }

    /// Takes characters that belong to a number.
    fn field(
        &mut self,
        width: usize,
        belongs: impl Fn(&[u8], u8) -> bool,
    ) -> Result<Vec<u8>, Stop> {
        let mut field = Vec::new();
        while field.len() < width.min(NUMBER_CHARACTERS) {
            match self.peek()? {
                Some(byte) if belongs(&field, byte) => {
                    field.push(byte);
                    self.advance();
                }
                _ => break,
            }
        }
        Ok(field)
    }

    /// Takes characters that belong to a text, on their way to the program; returns how many. If
    /// none comes, nothing is stored.
    fn text(
        &mut self,
        conversion: &Conversion,
        width: usize,
        end: Terminator,
        belongs: impl Fn(u8) -> bool,
    ) -> Result<usize, Stop> {
        let mut sink = None;
        let mut count = 0;
        while count < width {
            let Some(byte) = self.peek()?.filter(|&byte| belongs(byte)) else {
                break;
            };
            let sink = match &mut sink {
                Some(sink) => sink,
                none => none.insert(Sink::to(self.place(conversion)?)),
            };
            sink.push(self.call, byte)?;
            self.advance();
            count += 1;
        }
        if let Some(mut sink) = sink {
            if end == Terminator::Zero {
                sink.push(self.call, 0)?;
            }
            sink.flush(self.call)?;
        }
        Ok(count)
    }

    fn convert(&mut self, conversion: &Conversion) -> Result<Matched, Stop> {
        if !matches!(conversion.letter, b'c' | b'C' | b'[' | b'n') {
            self.skip_spaces()?;
        }
        if conversion.letter == b'n' {
            let count = u64::from(self.taken).to_le_bytes();
            // It is no value of the input.
            let stored = self.stored;
            self.store(conversion, &count[..len_bytes(conversion.size)])?;
            self.stored = stored;
            return Ok(Matched::Yes);
        }
        if self.peek()?.is_none() {
            return Ok(Matched::Ended);
        }
        let width = conversion.width;
        let taken = match conversion.letter {
            b'c' | b'C' => {
                let count = if width == usize::MAX { 1 } else { width };
                let taken = self.text(conversion, count, Terminator::None, |_| true)?;
                if taken < count {
                    return Ok(Matched::Ended);
                }
                taken
            }
            b's' | b'S' => {
                self.text(conversion, width, Terminator::Zero, |byte| !is_space(byte))?
            }
            b'[' => {
                let set = &conversion.set;
                let belongs = |byte| set[usize::from(byte)];
                self.text(conversion, width, Terminator::Zero, belongs)?
            }
            b'e' | b'f' | b'g' | b'E' | b'G' => return self.floating(conversion),
            _ => return self.integer(conversion),
        };
        if taken == 0 {
            return Ok(Matched::No);
        }
        self.stored += u32::from(conversion.is_stored);
        Ok(Matched::Yes)
    }

    fn integer(&mut self, conversion: &Conversion) -> Result<Matched, Stop> {
        let base = match conversion.letter {
            b'i' => 0,
            b'o' => 8,
            b'x' | b'X' | b'p' => 16,
            _ => 10,
        };
        let field = self.field(conversion.width, |field, byte| match byte {
            b'+' | b'-' => field.is_empty(),
            b'x' | b'X' => {
                (base == 16 || base == 0) && matches!(field, [b'0'] | [b'+' | b'-', b'0'])
            }
            _ => {
                let is_hex = base == 16 || field.iter().any(|byte| matches!(byte, b'x' | b'X'));
                let digits = if is_hex { 16 } else { base.max(2) };
                char::from(byte).is_digit(if base == 0 && !is_hex { 10 } else { digits })
            }
        })?;
        let value = integer(&field, base);
        if value.len == 0 {
            return Ok(Matched::No);
        }
        let magnitude = value.magnitude;
        let bits = if value.is_negative {
            magnitude.wrapping_neg()
        } else {
            magnitude
        };
        self.store(
            conversion,
            &bits.to_le_bytes()[..len_bytes(conversion.size)],
        )?;
        Ok(Matched::Yes)
    }

    fn floating(&mut self, conversion: &Conversion) -> Result<Matched, Stop> {
        let field = self.field(conversion.width, |field, byte| match byte {
            b'+' | b'-' => matches!(field.last(), None | Some(b'e' | b'E')),
            b'.' => !field.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')),
            b'e' | b'E' => {
                field.iter().any(u8::is_ascii_digit)
                    && !field.iter().any(|byte| matches!(byte, b'e' | b'E'))
            }
            byte => byte.is_ascii_digit(),
        })?;
        let (value, len) = decimal::parse(&field);
        if len == 0 {
            return Ok(Matched::No);
        }
        if matches!(conversion.size, Size::Long | Size::Wide) {
            self.store(conversion, &value.to_le_bytes())?;
        } else {
            #[expect(clippy::cast_possible_truncation, reason = "what the program asks for")]
            self.store(conversion, &(value as f32).to_le_bytes())?;
        }
        Ok(Matched::Yes)
    }

    fn store(&mut self, conversion: &Conversion, bytes: &[u8]) -> Result<(), Stop> {
        if let Some(addr) = self.place(conversion)? {
            self.call.put_bytes(addr, bytes)?;
            self.stored += 1;
        }
        Ok(())
    }

    /// Returns where a value goes: the next pointer of the list; `None` if it is not stored.
    fn place(&mut self, conversion: &Conversion) -> Result<Option<u32>, Stop> {
        if !conversion.is_stored {
            return Ok(None);
        }
        let addr = self.call.get_u32(self.list)?;
        self.list = self.list.wrapping_add(4);
        Ok(Some(addr))
    }
}

fn len_bytes(size: Size) -> usize {
    match size {
        Size::Byte => 1,
        Size::Short => 2,
        Size::Plain | Size::Long => 4,
        Size::Wide => 8,
    }
}

/// Takes a conversion apart; `None` at the end of the format.
fn parse(format: &[u8]) -> Option<(Conversion, &[u8])> {
    let mut rest = format;
    let is_stored = match rest.strip_prefix(b"*") {
        Some(tail) => {
            rest = tail;
            false
        }
        None => true,
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, tail) = rest.split_at(digits);
    rest = tail;
    let width = number.iter().fold(0_usize, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(usize::from(digit - b'0'))
    });
    let mut size = Size::Plain;
    for (prefix, named) in [
        (&b"I64"[..], Size::Wide),
        (b"ll", Size::Wide),
        (b"hh", Size::Byte),
        (b"h", Size::Short),
        (b"l", Size::Long),
        (b"L", Size::Long),
    ] {
        if let Some(tail) = rest.strip_prefix(prefix) {
            (size, rest) = (named, tail);
            break;
        }
    }
    let (&letter, mut rest) = rest.split_first()?;
    let mut set = vec![false; 256];
    if letter == b'[' {
        rest = parse_set(rest, &mut set);
    }
    let conversion = Conversion {
        is_stored,
        width: if width == 0 { usize::MAX } else { width },
        size,
        letter,
        set,
    };
    Some((conversion, rest))
}

/// Reads the characters of a `[` conversion, and returns what follows its bracket.
fn parse_set<'f>(format: &'f [u8], set: &mut [bool]) -> &'f [u8] {
    let (is_inverted, mut rest) = match format.strip_prefix(b"^") {
        Some(tail) => (true, tail),
        None => (false, format),
    };
    let mut is_first = true;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b']' && !is_first {
            rest = tail;
            break;
        }
        is_first = false;
        if let [b'-', last, ..] = *tail
            && last != b']'
        {
            for member in byte.min(last)..=byte.max(last) {
                set[usize::from(member)] = true;
            }
            rest = tail.get(2..).unwrap_or_default();
            continue;
        }
        set[usize::from(byte)] = true;
        rest = tail;
    }
    if is_inverted {
        for member in set {
            *member = !*member;
        }
    }
    rest
}
