//! Strings in a program's memory: the A and the W form of a function differ in nothing else.

use pagefault_vmm::mmu::LinearAddr;

use crate::api::{Call, Stop};
use crate::codepage;
use crate::format::Form;
use crate::limits::NAME_CHARACTERS;
use crate::watch::Watch;

/// The characters that a function takes.
pub(super) trait Text {
    /// The size of a character in bytes.
    const BYTES: u32;

    /// Returns the bytes of a text, without a zero at its end.
    fn encode(text: &str) -> Vec<u8>;

    /// Returns the text of whole characters.
    fn decode(bytes: &[u8]) -> String;

    /// The form of the format language.
    const FORM: Form;

    /// Returns the characters as numbers, whatever they stand for.
    fn widen(bytes: &[u8]) -> Vec<u16>;

    /// Returns the bytes of characters that are numbers.
    fn narrow(characters: &[u16]) -> Vec<u8>;
}

/// Returns the number of characters.
pub(super) fn units<T: Text>(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX) / T::BYTES
}

/// The A form: 8 bits, in code page 1252.
pub(super) enum Ansi {}

/// The W form: 16 bits, UTF-16.
pub(super) enum Wide {}

impl Text for Ansi {
    const BYTES: u32 = 1;

    fn encode(text: &str) -> Vec<u8> {
        codepage::bytes(text)
    }

    fn decode(bytes: &[u8]) -> String {
        codepage::text(bytes)
    }

    const FORM: Form = Form::Ansi;

    fn widen(bytes: &[u8]) -> Vec<u16> {
        bytes.iter().map(|&byte| u16::from(byte)).collect()
    }

    fn narrow(characters: &[u16]) -> Vec<u8> {
        characters
            .iter()
            .map(|unit| unit.to_le_bytes()[0])
            .collect()
    }
}

impl Text for Wide {
    const BYTES: u32 = 2;

    fn encode(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn decode(bytes: &[u8]) -> String {
        String::from_utf16_lossy(&Self::widen(bytes))
    }

    const FORM: Form = Form::Wide;

    fn widen(bytes: &[u8]) -> Vec<u16> {
        let pairs = bytes.as_chunks::<2>().0.iter();
        pairs.map(|pair| u16::from_le_bytes(*pair)).collect()
    }

    fn narrow(characters: &[u16]) -> Vec<u8> {
        let units = characters.iter();
        units.flat_map(|unit| unit.to_le_bytes()).collect()
    }
}

/// How much is held on the host at a time, in bytes.
const CHUNK_BYTES: u32 = 1 << 12;
/// The longest string that is read, in characters.
const MAX_CHARACTERS: u32 = 1 << 20;

impl<W: Watch> Call<'_, W> {
    /// Reads the characters of a string up to its zero, as the program would.
    pub(super) fn characters<T: Text>(&mut self, addr: u32) -> Result<Vec<u8>, Stop> {
        self.characters_up_to::<T>(addr, MAX_CHARACTERS)
    }

    /// The same, at most `limit` of them.
    pub(super) fn characters_up_to<T: Text>(
        &mut self,
        addr: u32,
        limit: u32,
    ) -> Result<Vec<u8>, Stop> {
        let mut bytes = Vec::new();
        let mut at = LinearAddr::new(addr);
        for _ in 0..limit.min(MAX_CHARACTERS) {
            let low = self.machine.read_user::<u8>(at)?;
            let high = match T::BYTES {
                1 => None,
                _ => Some(self.machine.read_user::<u8>(at.wrapping_add(1))?),
            };
            if low == 0 && high.unwrap_or(0) == 0 {
                break;
            }
            bytes.push(low);
            bytes.extend(high);
            at = at.wrapping_add(T::BYTES);
        }
        Ok(bytes)
    }

    /// Reads the name of an object; `None` if it is too long for one.
    pub(super) fn name<T: Text>(&mut self, addr: u32) -> Result<Option<String>, Stop> {
        let limit = u32::try_from(NAME_CHARACTERS).unwrap_or(u32::MAX);
        let characters = self.characters_up_to::<T>(addr, limit)?;
        let is_name = units::<T>(&characters) < limit;
        Ok(is_name.then(|| T::decode(&characters)))
    }

    /// Reads a string as the program would.
    pub(super) fn text<T: Text>(&mut self, addr: u32) -> Result<String, Stop> {
        let characters = self.characters::<T>(addr)?;
        Ok(T::decode(&characters))
    }

    /// Writes characters and a zero behind them, as the program would.
    pub(super) fn put_characters<T: Text>(&mut self, addr: u32, bytes: &[u8]) -> Result<(), Stop> {
        let zero = [0; 2];
        self.put_bytes(addr, bytes)?;
        let end = addr.wrapping_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.put_bytes(end, &zero[..T::BYTES as usize])
    }

    /// Writes bytes as the program would.
    pub(super) fn put_bytes(&mut self, addr: u32, bytes: &[u8]) -> Result<(), Stop> {
        let mut at = LinearAddr::new(addr);
        let mut rest = bytes;
        while let Some((&byte, tail)) = rest.split_first() {
            let word = rest.first_chunk::<4>();
            // Words where they are aligned, so that no access crosses a page.
            if let Some(word) = word.filter(|_| at.bits().is_multiple_of(4)) {
                self.machine.write_user(at, u32::from_le_bytes(*word))?;
                (at, rest) = (at.wrapping_add(4), rest.get(4..).unwrap_or_default());
            } else {
                self.machine.write_user(at, byte)?;
                (at, rest) = (at.wrapping_add(1), tail);
            }
        }
        Ok(())
    }

    /// Reads bytes as the program would.
    pub(super) fn get_bytes(&mut self, addr: u32, len_bytes: u32) -> Result<Vec<u8>, Stop> {
        let mut bytes = Vec::new();
        let mut at = LinearAddr::new(addr);
        let mut left = len_bytes;
        while left > 0 {
            if left >= 4 && at.bits().is_multiple_of(4) {
                let word: u32 = self.machine.read_user(at)?;
                bytes.extend(word.to_le_bytes());
                (at, left) = (at.wrapping_add(4), left - 4);
            } else {
                bytes.push(self.machine.read_user(at)?);
                (at, left) = (at.wrapping_add(1), left - 1);
            }
        }
        Ok(bytes)
    }

    /// Fills memory as the program would.
    pub(super) fn fill(&mut self, addr: u32, len_bytes: u32, value: u8) -> Result<(), Stop> {
        let chunk = [value; CHUNK_BYTES as usize];
        let mut done = 0;
        while done < len_bytes {
            let len = (len_bytes - done).min(CHUNK_BYTES);
            self.put_bytes(addr.wrapping_add(done), &chunk[..len as usize])?;
            done += len;
        }
        Ok(())
    }

    /// Copies memory as the program would; the blocks may overlap.
    pub(super) fn move_bytes(&mut self, to: u32, from: u32, len_bytes: u32) -> Result<(), Stop> {
        let is_backward = to.wrapping_sub(from) < len_bytes;
        let mut done = 0;
        while done < len_bytes {
            let len = (len_bytes - done).min(CHUNK_BYTES);
            let offset = if is_backward {
                len_bytes - done - len
            } else {
                done
            };
            let bytes = self.get_bytes(from.wrapping_add(offset), len)?;
            self.put_bytes(to.wrapping_add(offset), &bytes)?;
            done += len;
        }
        Ok(())
    }

    /// Reads a word as the program would.
    pub(super) fn get_u32(&mut self, addr: u32) -> Result<u32, Stop> {
        self.machine.read_user(LinearAddr::new(addr))
    }

    /// Writes a word as the program would.
    pub(super) fn put_u32(&mut self, addr: u32, value: u32) -> Result<(), Stop> {
        self.machine.write_user(LinearAddr::new(addr), value)
    }

    /// Stores a text for a function that takes a buffer and its size in characters.
    ///
    /// Returns the length without the zero, or the size needed with it if the buffer is too small.
    pub(super) fn store_text<T: Text>(
        &mut self,
        buffer: u32,
        capacity: u32,
        text: &str,
    ) -> Result<u32, Stop> {
        let bytes = T::encode(text);
        let len = units::<T>(&bytes);
        if len >= capacity {
            return Ok(len + 1);
        }
        self.put_characters::<T>(buffer, &bytes)?;
        Ok(len)
    }
}
