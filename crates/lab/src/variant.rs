//! Parameters that differ from student to student, and are the same whenever they are asked for.
//!
//! A variant is a stream of numbers: HMAC-SHA256 of a course's secret over lab and student gives the
//! key of a `ChaCha20` stream. Who does not know the secret cannot tell another student's parameters,
//! and nothing has to be stored. A seed in its place gives the same to everybody.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// The bytes of a key.
const KEY_BYTES: usize = 32;
/// What stands before a seed in its hash, so that no seed is a student.
const SEED_LABEL: &[u8] = b"pagefault seed";

/// What makes one variant different from another.
#[derive(Clone, PartialEq, Eq)]
pub struct VariantKey([u8; KEY_BYTES]);

impl VariantKey {
    /// Returns the key of a student in a lab of a course.
    pub fn of_student(secret: &[u8], lab: &str, student: &str) -> Self {
        // A length before each part: no two pairs are the same bytes.
        let lab_len = (lab.len() as u64).to_le_bytes();
        Self::hashed(secret, &[&lab_len, lab.as_bytes(), student.as_bytes()])
    }

    /// Returns the key of a seed, which is nobody's in particular.
    pub fn of_seed(lab: &str, seed: u64) -> Self {
        Self::hashed(SEED_LABEL, &[lab.as_bytes(), &seed.to_le_bytes()])
    }

    fn hashed(key: &[u8], parts: &[&[u8]]) -> Self {
        let Ok(mut hash) = Hmac::<Sha256>::new_from_slice(key) else {
            unreachable!("HMAC takes a key of any length")
        };
        for part in parts {
            hash.update(part);
        }
        Self(hash.finalize().into_bytes().into())
    }

    /// Returns the numbers of this key, from the beginning.
    pub fn draws(&self) -> Draws {
        Draws(ChaCha20Rng::from_seed(self.0))
    }
}

impl std::fmt::Debug for VariantKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VariantKey(..)") // It gives a student's answers away.
    }
}

/// Numbers drawn from a key.
#[derive(Clone, Debug)]
pub struct Draws(ChaCha20Rng);

impl Draws {
    /// Returns a number below `limit`, each with the same chance.
    ///
    /// # Panics
    ///
    /// If `limit` is 0.
    pub fn below(&mut self, limit: u32) -> u32 {
        assert!(limit > 0, "there is no number below 0");
        // Numbers at the end that would favour the low ones are drawn again.
        let usable = u32::MAX - u32::MAX % limit;
        loop {
            let drawn = self.0.next_u32();
            if drawn < usable {
                return drawn % limit;
            }
        }
    }

    /// Returns a number from `first` to `last`.
    ///
    /// # Panics
    ///
    /// If `last` is below `first`.
    pub fn within(&mut self, first: u32, last: u32) -> u32 {
        assert!(first <= last, "{first} to {last} holds no number");
        first + self.below((last - first).saturating_add(1))
    }

    /// Returns one of the items.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        &items[self.below(count) as usize]
    }

    /// Returns whether a thing happens that happens once in `times`.
    pub fn once_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    /// Puts items in another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let limit = u32::try_from(last + 1).unwrap_or(u32::MAX);
            items.swap(last, self.below(limit) as usize);
        }
    }

    /// Returns so many different numbers below `limit`, in the order in which they were drawn.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn distinct(&mut self, count: usize, limit: u32) -> Vec<u32> {
        assert!(count <= limit as usize, "{count} numbers below {limit}");
        let mut drawn = Vec::with_capacity(count);
        while drawn.len() < count {
            let number = self.below(limit);
            if !drawn.contains(&number) {
                drawn.push(number);
            }
        }
        drawn
    }
}

/// A key that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key has 64 digits in hex")]
pub struct KeyError;

impl VariantKey {
    /// Returns the key as digits in hex, for a student's own folder.
    pub fn to_hex(&self) -> String {
        hex(self.0)
    }

    /// Reads what [`VariantKey::to_hex`] has written.
    ///
    /// # Errors
    ///
    /// [`KeyError`] for anything else.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        const HEX: u32 = 16;
        let mut key = [0; KEY_BYTES];
        let (pairs, odd) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != KEY_BYTES || !odd.is_empty() {
            return Err(KeyError);
        }
        for (byte, pair) in key.iter_mut().zip(pairs) {
            let digits = pair.iter().all(u8::is_ascii_hexdigit);
            let digits = std::str::from_utf8(pair).ok().filter(|_| digits);
            let value = digits.and_then(|digits| u8::from_str_radix(digits, HEX).ok());
            *byte = value.ok_or(KeyError)?;
        }
        Ok(Self(key))
    }
}

/// Returns the SHA-256 of parts, each with its length, as digits in hex: it tells whether anything
/// has changed.
pub fn fingerprint(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest: [u8; KEY_BYTES] = hash.finalize().into();
    hex(digest)
}

fn hex(bytes: [u8; KEY_BYTES]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // A string takes all text.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
