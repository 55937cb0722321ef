//! Replacing text equates and calls of macro functions in a line.

use super::MAX_FUNCTION_DEPTH;
use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::lex::{
    angle_len, ident_len, is_escaped_angle, is_ident_start, is_space, quoted_len, trim, unquote,
};
use crate::line::{Site, Text};
use crate::source::Span;
use crate::symbol::{MacroId, SymbolKind};

/// Which names of a line are replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    /// Text equates and functions outside of quotes.
    Statement,
    /// Functions outside of quotes and angle brackets: arguments of a macro.
    Functions,
    /// Text equates and functions anywhere: a line after `%`.
    Everywhere,
}

/// Text equates within text equates.
const MAX_DEPTH: u32 = 20;

/// A part of a line to replace.
struct Replacement {
    start: usize,
    end: usize,
    text: Vec<u8>,
}

impl Assembler<'_> {
    /// Expands what follows byte `from`; `None` after an error.
    pub(super) fn expand_from(&mut self, text: &Text, from: usize) -> Option<Text> {
        let expanded = self.expand_in(text, from, Scope::Statement).ok()?;
        Some(expanded.unwrap_or_else(|| text.clone()))
    }

    /// Expands the functions in the arguments of a macro.
    pub(super) fn expand_functions(&mut self, text: &Text, from: usize) -> Option<Text> {
        let expanded = self.expand_in(text, from, Scope::Functions).ok()?;
        Some(expanded.unwrap_or_else(|| text.clone()))
    }

    /// Expands a line that starts with `%`, and removes the `%`.
    pub(super) fn expand_percent_line(&mut self, text: &Text) -> Option<Text> {
        let at = text.bytes.iter().position(|&byte| byte == b'%')?;
        let expanded = self.expand_in(text, at + 1, Scope::Everywhere).ok()?;
        let expanded = expanded.as_ref().unwrap_or(text);
        let mut editor = expanded.editor();
        editor.replace_to(at + 1, b" ");
        Some(editor.finish())
    }

    fn expand_in(
        &mut self,
        text: &Text,
        from: usize,
        scope: Scope,
    ) -> Result<Option<Text>, Reported> {
        let mut at = from;
        let mut editor = None;
        while let Some(found) = self.next_replacement(&text.bytes, at, scope, text.site, 0)? {
            let editor = editor.get_or_insert_with(|| text.editor());
            editor.copy_to(found.start);
            editor.replace_to(found.end, &found.text);
            at = found.end;
            if editor.len() > self.options.max_line_bytes as usize {
                let limit = self.options.max_line_bytes;
                return Err(self.error(Kind::LineTooLong { limit }, text.span(0, 1)));
            }
        }
        let Some(expanded) = editor.map(super::super::line::Editor::finish) else {
            return Ok(None);
        };
        self.count_source(expanded.bytes.len(), text.span(0, 1))?;
        Ok(Some(expanded))
    }

    /// Expands a text that stands for a name.
    pub(super) fn expand_text(
        &mut self,
        bytes: &[u8],
        site: Site,
        scope: Scope,
        depth: u32,
    ) -> Result<Vec<u8>, Reported> {
        if depth > MAX_DEPTH {
            // A text equate that names itself stays as it is.
            return Ok(bytes.to_vec());
        }
        let mut out = Vec::new();
        let mut at = 0;
        while let Some(found) = self.next_replacement(bytes, at, scope, site, depth)? {
            out.extend_from_slice(bytes.get(at..found.start).unwrap_or_default());
            out.extend_from_slice(&found.text);
            at = found.end;
            let limit = self.options.max_line_bytes;
            if out.len() > limit as usize {
                let span = Text::generated(Vec::new(), site).span(0, 0);
                return Err(self.error(Kind::LineTooLong { limit }, span));
            }
        }
        out.extend_from_slice(bytes.get(at..).unwrap_or_default());
        let span = Text::generated(Vec::new(), site).span(0, 0);
        self.count_source(out.len(), span)?;
        Ok(out)
    }

    fn next_replacement(
        &mut self,
        bytes: &[u8],
        from: usize,
        scope: Scope,
        site: Site,
        depth: u32,
    ) -> Result<Option<Replacement>, Reported> {
        let mut at = from;
        while let Some(&byte) = bytes.get(at) {
            let rest = bytes.get(at..).unwrap_or_default();
            match byte {
                b'"' | b'\'' if scope != Scope::Everywhere => at += quoted_len(rest).unwrap_or(1),
                b'!' if is_escaped_angle(rest) => at += 2,
                b'<' if scope == Scope::Functions => at += angle_len(rest).unwrap_or(1),
                b'0'..=b'9' => {
                    at += rest
                        .iter()
                        .take_while(|b| b.is_ascii_alphanumeric())
                        .count();
                }
                _ if is_ident_start(byte) => {
                    let len = ident_len(rest);
                    if let Some(found) = self.replacement(bytes, at, len, scope, site, depth)? {
                        return Ok(Some(found));
                    }
                    at += len;
                }
                _ => at += 1,
            }
        }
        Ok(None)
    }

    fn replacement(
        &mut self,
        bytes: &[u8],
        start: usize,
        len: usize,
        scope: Scope,
        site: Site,
        depth: u32,
    ) -> Result<Option<Replacement>, Reported> {
        let name = bytes.get(start..start + len).unwrap_or_default();
        let before = bytes.get(..start).unwrap_or_default();
        if before.last() == Some(&b'.') {
            return Ok(None);
        }
        let after = start + len;
        let replace = |end: usize, text: Vec<u8>| Replacement { start, end, text };
        if scope == Scope::Everywhere {
            return self.pasted(bytes, start, after, site, depth);
        }
        let spaces = bytes
            .iter()
            .skip(after)
            .take_while(|&&byte| is_space(byte))
            .count();
        let open = after + spaces;
        let has_arguments = bytes.get(open) == Some(&b'(');
        if name.first() == Some(&b'@')
            && has_arguments
            && let Some(text) = self.predefined_function(name, bytes, open, site)?
        {
            let end = closing_paren(bytes, open).unwrap_or(bytes.len() - 1) + 1;
            return Ok(Some(replace(end, text)));
        }
        let known = self
            .symbols
            .find(self.proc, name)
            .or_else(|| self.builtin_symbol(name));
        let Some(id) = known else {
            let text = self
                .predefined_text(name, site)
                .filter(|_| scope != Scope::Functions);
            return Ok(text.map(|text| replace(after, text)));
        };
        match &self.symbols.get(id).kind {
            SymbolKind::Text(text) if scope != Scope::Functions => {
                let text = std::rc::Rc::clone(text);
                let text = self.expand_text(&text, site, scope, depth + 1)?;
                Ok(Some(replace(after, text)))
            }
            SymbolKind::Macro(id) if has_arguments && self.is_function(*id) => self
                .call(*id, bytes, (start, open), scope, site, depth)
                .map(Some),
            _ => Ok(None),
        }
    }

    /// A call of a macro function: the name at the first place, the parenthesis at the second.
    fn call(
        &mut self,
        id: MacroId,
        bytes: &[u8],
        (start, open): (usize, usize),
        scope: Scope,
        site: Site,
        depth: u32,
    ) -> Result<Replacement, Reported> {
        let span = Text::generated(Vec::new(), site).span(0, 0);
        if depth >= MAX_DEPTH {
            let limit = MAX_DEPTH;
            return Err(self.error(Kind::NestedTooDeep { limit }, span));
        }
        let Some(close) = closing_paren(bytes, open) else {
            return Err(self.error(Kind::Expected { what: "`)`" }, span));
        };
        let arguments = bytes.get(open + 1..close).unwrap_or_default();
        let text = self.call_function(id, arguments, site)?;
        let text = self.expand_text(&text, site, scope, depth + 1)?;
        Ok(Replacement {
            start,
            end: close + 1,
            text,
        })
    }

    /// A name in a line after `%`: an `&` on either side goes with it.
    fn pasted(
        &mut self,
        bytes: &[u8],
        start: usize,
        end: usize,
        site: Site,
        depth: u32,
    ) -> Result<Option<Replacement>, Reported> {
        let len = end - start;
        let found = self.replacement(bytes, start, len, Scope::Statement, site, depth)?;
        Ok(found.map(|found| {
            let is_pasted = |at: usize| bytes.get(at) == Some(&b'&');
            let before = start.checked_sub(1).filter(|&at| is_pasted(at));
            let after = found.end + usize::from(is_pasted(found.end));
            Replacement {
                start: before.unwrap_or(start),
                end: after,
                text: found.text,
            }
        }))
    }

    fn is_function(&self, id: MacroId) -> bool {
        self.pre
            .macros
            .get(id.0 as usize)
            .is_some_and(|found| found.is_function)
    }

    /// Names that always stand for a text.
    fn predefined_text(&self, name: &[u8], site: Site) -> Option<Vec<u8>> {
        if name.first() != Some(&b'@') {
            return None;
        }
        let text = match name.to_ascii_lowercase().as_slice() {
            b"@line" => site.line.to_string(),
            b"@version" => "615".into(),
            b"@wordsize" => "4".into(),
            b"@cpu" => "0F0Fh".into(),
            b"@model" => "7".into(),
            b"@interface" => "3".into(),
            b"@codesize" | b"@datasize" => "0".into(),
            // The time of assembly would make two runs differ.
            b"@date" => "01/01/00".into(),
            b"@time" => "00:00:00".into(),
            b"@filecur" => self.files.path(site.file).into(),
            b"@curseg" => {
                let section = self.out.current()?;
                String::from_utf8_lossy(&section.name).into_owned()
            }
            _ => return None,
        };
        Some(text.into_bytes())
    }

    fn predefined_function(
        &mut self,
        name: &[u8],
        bytes: &[u8],
        open: usize,
        site: Site,
    ) -> Result<Option<Vec<u8>>, Reported> {
        let lower = name.to_ascii_lowercase();
        if !matches!(
            lower.as_slice(),
            b"@catstr" | b"@substr" | b"@instr" | b"@sizestr" | b"@cformat"
        ) {
            return Ok(None);
        }
        let span = Text::generated(Vec::new(), site).span(0, 0);
        let Some(close) = closing_paren(bytes, open) else {
            return Err(self.error(Kind::Expected { what: "`)`" }, span));
        };
        let inner = bytes.get(open + 1..close).unwrap_or_default().to_vec();
        let text = Text::generated(inner, site);
        self.in_function(span, |asm| {
            Ok(Some(match lower.as_slice() {
                b"@catstr" => asm.text_items(&text, 0)?.concat(),
                b"@sizestr" => {
                    let items = asm.text_items(&text, 0)?;
                    items.first().map_or(0, Vec::len).to_string().into_bytes()
                }
                b"@substr" => asm.substring(&text, 0)?,
                b"@cformat" => unescape(&text.bytes),
                _ => asm.find_in_text(&text, 0)?.to_string().into_bytes(),
            }))
        })
    }

    /// Evaluates the call of a function, arguments included, which may be calls themselves.
    pub(super) fn in_function<T>(
        &mut self,
        span: Span,
        call: impl FnOnce(&mut Self) -> Result<T, Reported>,
    ) -> Result<T, Reported> {
        if self.pre.function_depth >= MAX_FUNCTION_DEPTH {
            let limit = MAX_FUNCTION_DEPTH;
            let reported = self.error(Kind::NestedTooDeep { limit }, span);
            self.is_stopped = true;
            return Err(reported);
        }
        self.pre.function_depth += 1;
        let result = call(self);
        self.pre.function_depth -= 1;
        result
    }
}

/// Turns the escapes of C strings into numbers beside strings: `"a\\n"` becomes `"a",10`.
fn unescape(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(len) = quoted_len(rest).filter(|_| matches!(byte, b'"' | b'\'')) else {
            out.push(byte);
            at += 1;
            continue;
        };
        out.extend(unescape_string(rest.get(..len).unwrap_or_default()));
        at += len;
    }
    out
}

fn unescape_string(token: &[u8]) -> Vec<u8> {
    let quote = token.first().copied().unwrap_or(b'"');
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut plain = Vec::new();
    let text = unquote(token);
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let code: Option<&[u8]> = match text.get(at + 1).filter(|_| byte == b'\\') {
            Some(b'n') => Some(b"13,10"),
            Some(b't') => Some(b"9"),
            Some(b'r') => Some(b"13"),
            Some(b'\\') => Some(b"92"),
            Some(b'q') => Some(b"34"),
            Some(b'0') => Some(b"0"),
            _ => None,
        };
        if let Some(code) = code {
            if !plain.is_empty() {
                parts.push(quoted_again(&mut plain, quote));
            }
            parts.push(code.to_vec());
            at += 2;
        } else {
            plain.push(byte);
            at += 1;
        }
    }
    if !plain.is_empty() || parts.is_empty() {
        parts.push(quoted_again(&mut plain, quote));
    }
    parts.join(&b","[..])
}

fn quoted_again(plain: &mut Vec<u8>, quote: u8) -> Vec<u8> {
    let mut out = vec![quote];
    for byte in plain.drain(..) {
        out.push(byte);
        if byte == quote {
            out.push(byte);
        }
    }
    out.push(quote);
    out
}

/// Returns the place of the parenthesis that closes the one at `open`.
pub(super) fn closing_paren(bytes: &[u8], open: usize) -> Option<usize> {
    let mut depth = 0_u32;
    let mut at = open;
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            b'"' | b'\'' => at += quoted_len(rest).map_or(0, |len| len - 1),
            b'<' => at += angle_len(rest).map_or(0, |len| len - 1),
            b'!' => at += 1,
            _ => {}
        }
        at += 1;
    }
    None
}

/// Whether a text is one name and nothing else.
pub(super) fn is_name(text: &[u8]) -> bool {
    let text = trim(text);
    !text.is_empty() && ident_len(text) == text.len()
}
