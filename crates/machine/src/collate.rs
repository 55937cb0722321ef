//! The order of strings in the user's locale, as far as it concerns the Latin alphabet.
//!
//! Windows' word sort: hyphen and apostrophe count last of all, then come punctuation, symbols,
//! digits and letters; accents are weaker than letters and case is weaker than accents
//! (`CompareString`, "Remarks" of `lstrcmp`: lower case comes before upper case).

use std::cmp::Ordering;

/// Whether case is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// Lower case comes before upper case where strings are otherwise equal.
    Matters,
    /// It is not looked at.
    Ignored,
}

/// What is neither letter nor digit, in its order.
const PUNCTUATION: &str = "\t\n\u{B}\u{C}\r !\"#$%&()*,./:;?@[\\]^_`{|}~+<=>";
/// What counts last of all.
const WEAK: [char; 2] = ['\'', '-'];

/// Compares two strings.
pub(crate) fn compare(first: &str, second: &str, case: Case) -> Ordering {
    let by = |weight: fn(char) -> Option<u32>| {
        let first = first.chars().filter_map(weight);
        first.cmp(second.chars().filter_map(weight))
    };
    let ordering = by(primary).then_with(|| by(accent));
    let ordering = match case {
        Case::Matters => ordering.then_with(|| by(capital)),
        Case::Ignored => ordering,
    };
    ordering.then_with(|| compare_weak(first, second))
}

/// Returns the weight of the letter without its accent and case; `None` for what counts last.
fn primary(character: char) -> Option<u32> {
    /// Where each kind of character begins.
    const PUNCTUATION_WEIGHT: u32 = 0x100;
    const LETTER_WEIGHT: u32 = 0x1000;
    if WEAK.contains(&character) {
        return None;
    }
    let place = (PUNCTUATION_WEIGHT..).zip(PUNCTUATION.chars());
    if let Some((weight, _)) = { place }.find(|&(_, known)| known == character) {
        return Some(weight);
    }
    let letter = base(character).to_lowercase().next().unwrap_or(character);
    Some(match letter {
        _ if character.is_control() => u32::from(letter),
        '0'..='9' | 'a'..='z' => LETTER_WEIGHT + u32::from(letter),
        _ if letter.is_alphabetic() => 2 * LETTER_WEIGHT + u32::from(letter),
        _ => PUNCTUATION_WEIGHT + u32::from(letter),
    })
}

fn accent(character: char) -> Option<u32> {
    (!WEAK.contains(&character)).then(|| {
        let lower = character.to_lowercase().next().unwrap_or(character);
        if base(lower) == lower {
            0
        } else {
            u32::from(lower)
        }
    })
}

fn capital(character: char) -> Option<u32> {
    (!WEAK.contains(&character)).then(|| u32::from(character.is_uppercase()))
}

/// Compares by the places of hyphens and apostrophes: the string with the later one comes first.
fn compare_weak(first: &str, second: &str) -> Ordering {
    let places = |text: &str| -> Vec<_> {
        let found = text.chars().enumerate();
        found
            .filter(|(_, character)| WEAK.contains(character))
            .collect()
    };
    let (first, second) = (places(first), places(second));
    if first.is_empty() || second.is_empty() {
        return first.len().cmp(&second.len());
    }
    let later = second
        .iter()
        .map(|place| place.0)
        .cmp(first.iter().map(|place| place.0));
    later.then_with(|| first.cmp(&second))
}

/// Returns the letter under an accent, for the letters of code page 1252.
fn base(character: char) -> char {
    let groups = [
        ("ÀÁÂÃÄÅ", 'A'),
        ("àáâãäå", 'a'),
        ("ÈÉÊË", 'E'),
        ("èéêë", 'e'),
        ("ÌÍÎÏ", 'I'),
        ("ìíîï", 'i'),
        ("ÒÓÔÕÖ", 'O'),
        ("òóôõö", 'o'),
        ("ÙÚÛÜ", 'U'),
        ("ùúûü", 'u'),
        ("Ç", 'C'),
        ("ç", 'c'),
        ("Ñ", 'N'),
        ("ñ", 'n'),
        ("Ý", 'Y'),
        ("ýÿ", 'y'),
        ("Š", 'S'),
        ("š", 's'),
        ("Ž", 'Z'),
        ("ž", 'z'),
    ];
    let group = groups
        .iter()
        .find(|(letters, _)| letters.contains(character));
    group.map_or(character, |&(_, base)| base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_in_the_order_of_words() {
        let ordered = [
            "", " ", "_a", "+", "1", "10", "2", "a", "A", "ä", "ab", "aB", "AB", "co-op", "coop2",
            "z",
        ];
        for (first, second) in ordered.iter().zip(&ordered[1..]) {
            assert_eq!(
                compare(first, second, Case::Matters),
                Ordering::Less,
                "{first} {second}"
            );
        }
        assert_eq!(compare("Hello", "HELLO", Case::Ignored), Ordering::Equal);
        assert_eq!(compare("coop", "co-op", Case::Matters), Ordering::Less);
        assert_eq!(
            compare("Hello", "Hello, world", Case::Matters),
            Ordering::Less
        );
    }
}
