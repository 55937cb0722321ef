//! Answers, and which ways of writing them are the same.

use std::fmt;

/// The base of numbers in hex.
const HEX: u32 = 16;
/// Half of one per cent: how far a time may be from the exact one.
const TOLERANCE: f64 = 0.005;

/// What is right.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A number that is written in hex, as an address.
    Hex(u64),
    /// A count.
    Count(u64),
    /// A time or another number with digits behind the point; half of one per cent more or less is
    /// right.
    Measure(f64),
    /// A page fault, or the word for what there is none of.
    Word(&'static str),
    /// A word for each of several things, in order.
    Sequence(Vec<&'static str>),
}

impl Answer {
    /// Returns whether a student's answer is this one, whatever its notation: hex or decimal with
    /// `0x`, `h`, underscores, apostrophes or blanks between digits; any case; a sequence by
    /// words or by their first letters, with or without anything between them.
    pub fn accepts(&self, given: &str) -> bool {
        let given = given.trim();
        match self {
            Self::Hex(number) => is_number(given, *number, Notation::HexFirst),
            Self::Count(number) => is_number(given, *number, Notation::DecimalFirst),
            Self::Measure(number) => {
                let plain = given.trim_end_matches(|c: char| c.is_alphabetic() || c == ' ');
                let parsed = plain.replace(',', ".").parse::<f64>();
                parsed.is_ok_and(|parsed| (parsed - number).abs() <= number.abs() * TOLERANCE)
            }
            Self::Word(word) => bare(given) == bare(word),
            Self::Sequence(words) => is_sequence(given, words),
        }
    }
}

/// How digits without a mark are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notation {
    HexFirst,
    DecimalFirst,
}

fn is_number(given: &str, number: u64, notation: Notation) -> bool {
    let digits: String = given
        .chars()
        .filter(|c| !matches!(c, '_' | '\'' | ' ' | '`'))
        .collect();
    let digits = digits.to_ascii_lowercase();
    let hex = |digits: &str| u64::from_str_radix(digits, HEX).ok();
    if let Some(digits) = digits.strip_prefix("0x").or(digits.strip_prefix('$')) {
        return hex(digits) == Some(number);
    }
    if let Some(digits) = digits.strip_suffix('h') {
        return hex(digits) == Some(number);
    }
    let decimal = digits.parse().ok() == Some(number);
    match notation {
        Notation::HexFirst => decimal || hex(&digits) == Some(number),
        Notation::DecimalFirst => decimal,
    }
}

fn is_sequence(given: &str, words: &[&str]) -> bool {
    let split: Vec<String> = given
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let same = |given: &str, word: &str| given == word || word.starts_with(given);
    let by_words = split.len() == words.len()
        && split
            .iter()
            .zip(words)
            .all(|(given, word)| same(given, word));
    let letters: String = split.concat();
    let firsts = words.iter().filter_map(|word| word.chars().next());
    by_words || letters == firsts.collect::<String>()
}

/// Returns a word without what is not said.
fn bare(word: &str) -> String {
    let letters = word.chars().filter(|c| c.is_alphanumeric());
    let word = letters.collect::<String>().to_ascii_lowercase();
    let plain = ["mem", "page"].iter().find_map(|prefix| {
        let rest = word.strip_prefix(prefix)?;
        // "page fault" is a word of its own, PAGE_READONLY is READONLY.
        (rest != "fault" && !rest.is_empty()).then(|| rest.to_owned())
    });
    match plain.unwrap_or(word).as_str() {
        "pagefault" | "pf" | "fault" | "notpresent" => "fault".to_owned(),
        "commit" | "committed" => "commit".to_owned(),
        "reserve" | "reserved" => "reserve".to_owned(),
        "none" | "ok" | "nofault" | "no" | "allowed" => "none".to_owned(),
        other => other.to_owned(),
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hex(number) => write!(f, "0x{number:08x}"),
            Self::Count(number) => write!(f, "{number}"),
            Self::Measure(number) => write!(f, "{number:.2}"),
            Self::Word(word) => f.write_str(word),
            Self::Sequence(words) => f.write_str(&words.join(" ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notation_does_not_matter_and_values_do() {
        let address = Answer::Hex(0x0001_2ABC);
        for right in [
            "0x12abc",
            "00012ABCh",
            "0x0001_2ABC",
            "12ABC",
            "1'2abc",
            "76476",
            " $12abc ",
        ] {
            assert!(address.accepts(right), "{right}");
        }
        for wrong in ["0x12abd", "12abch1", "", "fault", "0x", "-76476"] {
            assert!(!address.accepts(wrong), "{wrong}");
        }
        assert!(Answer::Count(10).accepts("0xA") && Answer::Count(10).accepts("10"));
        assert!(
            !Answer::Count(16).accepts("10"),
            "a count is decimal unless marked"
        );
        assert!(Answer::Word("READWRITE").accepts("PAGE_READWRITE"));
        assert!(
            Answer::Word("fault").accepts("Page fault") && Answer::Word("fault").accepts("#PF")
        );
        assert!(!Answer::Word("fault").accepts("none"));
        let sequence = Answer::Sequence(vec!["miss", "hit", "miss"]);
        for right in ["miss hit miss", "M,H,M", "mhm", "M H M", "Miss; Hit; Miss"] {
            assert!(sequence.accepts(right), "{right}");
        }
        for wrong in ["mhh", "mh", "miss hit", "mhmm", ""] {
            assert!(!sequence.accepts(wrong), "{wrong}");
        }
        assert!(
            Answer::Measure(104.5).accepts("104,7 ns") && !Answer::Measure(104.5).accepts("106")
        );
    }
}
