//! Command lines as programs of the C library take them apart.

/// Returns the arguments of a command line, the program's name first.
///
/// Spaces and tabs separate; quotation marks keep them; a quotation mark behind an odd number of
/// backslashes is a character (Microsoft, "Parsing C Command-Line Arguments").
pub(crate) fn split(line: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut characters = line.chars().peekable();
    // Backslashes mean nothing in the program's name.
    let mut name = String::new();
    let mut is_quoted = false;
    for character in characters.by_ref() {
        match character {
            '"' => is_quoted = !is_quoted,
            ' ' | '\t' if !is_quoted => break,
            character => name.push(character),
        }
    }
    arguments.push(name);
    loop {
        while characters
            .next_if(|&next| next == ' ' || next == '\t')
            .is_some()
        {}
        if characters.peek().is_none() {
            return arguments;
        }
        let mut argument = String::new();
        let mut is_quoted = false;
        while let Some(&next) = characters.peek() {
            if !is_quoted && (next == ' ' || next == '\t') {
                break;
            }
            let mut slashes = 0;
            while characters.next_if_eq(&'\\').is_some() {
                slashes += 1;
            }
            if characters.peek() == Some(&'"') {
                argument.extend(std::iter::repeat_n('\\', slashes / 2));
                if slashes % 2 == 1 {
                    argument.push('"');
                } else if is_quoted && is_doubled(&characters) {
                    characters.next();
                    argument.push('"');
                } else {
                    is_quoted = !is_quoted;
                }
                characters.next();
            } else if slashes > 0 {
                argument.extend(std::iter::repeat_n('\\', slashes));
            } else {
                argument.extend(characters.next());
            }
        }
        arguments.push(argument);
    }
}

/// Returns whether two quotation marks follow.
fn is_doubled(characters: &std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    let mut ahead = characters.clone();
    ahead.next() == Some('"') && ahead.next() == Some('"')
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn arguments_are_taken_apart_as_the_c_library_does() {
        for (line, expected) in [
            ("p", &["p"][..]),
            ("\"C:\\a b\\p.exe\"  x\ty ", &["C:\\a b\\p.exe", "x", "y"]),
            ("p \"a b\" c\"d e\"f", &["p", "a b", "cd ef"]),
            ("p a\\\"b \"c\\\\\" d\\e", &["p", "a\"b", "c\\", "d\\e"]),
            ("p \"\"", &["p", ""]),
            ("p \"a\"\"b\"", &["p", "a\"b"]),
        ] {
            assert_eq!(split(line), expected, "{line}");
        }
    }
}
