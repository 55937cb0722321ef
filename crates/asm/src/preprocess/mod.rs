//! What happens to lines before they are statements: files, conditional assembly, text equates,
//! macros and repeat blocks.

mod argument;
mod conditional;
mod expand;
mod loops;
mod macros;
mod source;
mod text;

use std::rc::Rc;

use crate::asm::Assembler;
use crate::diagnostic::{DiagnosticKind as Kind, Note};
use crate::insn::table;
use crate::lex::{AngleTexts, code_len_of, ident_len, is_ident_byte, is_space, trim};
use crate::line::Text;
use crate::source::{FileId, SourceText, Span};
use crate::structs::StructBuilder;
use crate::symbol::{MacroId, SymbolKind};
use crate::words::{Directive, Word, lookup};

use conditional::Conditional;
use macros::{Collector, Macro};
use source::Source;

/// The preprocessor's part of the state.
#[derive(Debug, Default)]
pub(crate) struct Preprocessor {
    sources: Vec<Source>,
    conditionals: Vec<Conditional>,
    macros: Vec<Rc<Macro>>,
    collector: Option<Collector>,
    /// The delimiter that ends a COMMENT block.
    comment: Option<u8>,
    /// Number of names made for LOCAL.
    local_names: u32,
    lines: u64,
    /// Bytes of all files, expansions and kept lines.
    source_bytes: u64,
    /// Bytes of all texts that names have been given.
    text_bytes: usize,
    /// Bytes of the expansions that are being read.
    live_bytes: usize,
    /// The text of the last EXITM.
    result: Option<Vec<u8>>,
    /// Nested calls of functions, predefined ones and macros.
    function_depth: u32,
    /// The last line read from a file.
    last: Option<Span>,
}

/// Functions within functions, in their arguments and in the lines of macros.
const MAX_FUNCTION_DEPTH: u32 = 24;
/// Files within files.
const MAX_FILES: usize = 24;
/// Rounds in which the first word of a line may change by expansion.
const MAX_ROUNDS: u32 = 16;

/// The first two words of a line, by position.
#[derive(Clone, Copy, Debug)]
struct Leading {
    first: (usize, usize),
    second: (usize, usize),
}

impl Leading {
    fn of(line: &[u8]) -> Self {
        let first = word_at(line, 0);
        let second = word_at(line, first.1);
        Self { first, second }
    }

    fn first(self, line: &[u8]) -> &[u8] {
        line.get(self.first.0..self.first.1).unwrap_or_default()
    }

    fn second(self, line: &[u8]) -> &[u8] {
        line.get(self.second.0..self.second.1).unwrap_or_default()
    }
}

/// Returns where the word after `from` starts and ends; it is empty if something else follows.
fn word_at(line: &[u8], from: usize) -> (usize, usize) {
    let rest = line.get(from..).unwrap_or_default();
    let skipped = rest
        .iter()
        .position(|&byte| !is_space(byte))
        .unwrap_or(rest.len());
    let start = from + skipped;
    let word = line.get(start..).unwrap_or_default();
    let len = match word.first() {
        Some(b'.') => {
            1 + word
                .iter()
                .skip(1)
                .take_while(|&&byte| is_ident_byte(byte))
                .count()
        }
        _ => ident_len(word),
    };
    (start, start + len)
}

/// Returns the directive that a word names.
fn directive(word: &[u8]) -> Option<Directive> {
    match lookup(word) {
        Word::Directive(directive) => Some(directive),
        _ => None,
    }
}

/// Whether a word is the name of an instruction.
fn is_mnemonic(word: &[u8]) -> bool {
    std::str::from_utf8(word).is_ok_and(|word| table::find(&word.to_ascii_lowercase()).is_some())
}

/// Returns the line without the `%` that may precede it.
fn without_percent(line: &[u8]) -> &[u8] {
    let line = trim(line);
    line.strip_prefix(b"%").map_or(line, trim)
}

impl Assembler<'_> {
    /// Reads the main file to its END.
    pub(crate) fn read_source(&mut self, name: &str, text: &[u8]) {
        let file = self.files.add(name.into(), text);
        if self.is_text(file) {
            let start = Span {
                file,
                line: 1,
                column: 1,
                len: 0,
            };
            if self.count_source(text.len(), start).is_ok() {
                self.pre.sources.push(Source::file(file, &self.files));
                self.run_sources(0);
            }
            self.finish_source(file);
        }
    }

    /// Refuses a file with zero bytes: it is no source.
    fn is_text(&mut self, file: FileId) -> bool {
        let zero = self.files.get(file).and_then(|source| source.place_of(0));
        if let Some((line, column)) = zero {
            self.error(
                Kind::NotText,
                Span {
                    file,
                    line,
                    column,
                    len: 1,
                },
            );
        }
        zero.is_none()
    }

    fn finish_source(&mut self, file: FileId) {
        if self.is_stopped {
            return;
        }
        let start = Span {
            file,
            line: 1,
            column: 1,
            len: 0,
        };
        let end = self.pre.last.map_or(start, |last| Span {
            file,
            line: last.line,
            ..start
        });
        self.shown = None;
        if let Some(collector) = self.pre.collector.take() {
            let name = collector.name();
            self.error(Kind::OpenMacro { name }, collector.span);
        }
        let mut open: Vec<(SourceText, Span)> = Vec::new();
        open.extend(
            self.pre
                .conditionals
                .drain(..)
                .map(|block| (b"IF"[..].into(), block.span)),
        );
        open.extend(
            self.flow
                .open_block()
                .map(|(span, name)| (name.into(), span)),
        );
        open.extend(self.struct_stack.first().map(StructBuilder::opened));
        let proc = self.proc.and_then(|proc| self.procs.get(proc.0 as usize));
        open.extend(proc.and_then(|proc| {
            let symbol = self.symbols.get(proc.symbol);
            Some(((&*symbol.name).into(), symbol.span?))
        }));
        for (name, opened) in open {
            let note = Some(Note::OpenedIn { line: opened.line });
            self.error_with_note(Kind::OpenBlock { name }, end, note);
        }
        if !self.has_ended {
            // One line with a mistake in it needs no second message.
            let is_known = self
                .diagnostics
                .iter()
                .any(|known| known.span.line == end.line);
            if !is_known || end.line > 1 {
                self.error(Kind::EndMissing, end);
            }
        }
    }

    /// Handles lines until only `level` sources are left.
    fn run_sources(&mut self, level: usize) {
        while !self.is_stopped && !self.has_ended {
            let Some(text) = self.next_text(level) else {
                return;
            };
            self.preprocess(text, 0);
        }
        self.pre.sources.truncate(level);
    }

    /// Returns the next line with its continuations, or `None` at the end of the sources above
    /// `level`.
    fn next_text(&mut self, level: usize) -> Option<Text> {
        let mut text = self.next_physical(level)?;
        if self.pre.collector.is_some() || self.pre.comment.is_some() || self.is_skipping() {
            return Some(text);
        }
        let first = Leading::of(&text.bytes);
        let is_raw = matches!(
            directive(first.first(&text.bytes)),
            Some(Directive::Echo | Directive::Comment)
        );
        if is_raw {
            return Some(text);
        }
        let angle_texts = AngleTexts::of(&text.bytes);
        let mut last_at = 0;
        loop {
            // Only the line that was joined last: the whole would be looked at again and again.
            let last = text.bytes.get(last_at..).unwrap_or_default();
            let len = last_at + code_len_of(last, angle_texts);
            text.truncate(len);
            let code = trim(&text.bytes);
            let joined = match code.last() {
                Some(b'\\') => {
                    let end = text
                        .bytes
                        .iter()
                        .rposition(|&byte| byte == b'\\')
                        .unwrap_or(0);
                    text.truncate(end);
                    true
                }
                // MASM joins lists, not the operands of an instruction.
                Some(b',') => !is_mnemonic(first.first(&text.bytes)),
                _ => false,
            };
            if !joined || text.bytes.len() > self.options.max_line_bytes as usize {
                break;
            }
            let depth = self.pre.sources.len();
            let Some(next) = self.next_physical(depth.saturating_sub(1).max(level)) else {
                break;
            };
            last_at = text.bytes.len();
            text.join(&next);
        }
        Some(text)
    }

    fn too_long(&mut self, text: &Text) -> bool {
        let limit = self.options.max_line_bytes;
        let is_too_long = text.bytes.len() > limit as usize;
        if is_too_long {
            self.error(Kind::LineTooLong { limit }, text.span(0, 1));
        }
        is_too_long
    }

    /// Handles one logical line.
    fn preprocess(&mut self, text: Text, round: u32) {
        self.shown = text
            .site
            .expansion
            .map(|id| (id, Rc::from(text.bytes.as_slice())));
        if self.pre.collector.is_some() {
            return self.collect(text);
        }
        if let Some(delimiter) = self.pre.comment {
            if text.bytes.contains(&delimiter) {
                self.pre.comment = None;
            }
            return;
        }
        if self.too_long(&text) {
            return;
        }
        let leading = Leading::of(&text.bytes);
        let first = directive(leading.first(&text.bytes));
        if self.is_skipping() {
            return self.skip(&text, leading, first);
        }
        if round > MAX_ROUNDS {
            let limit = MAX_ROUNDS;
            self.error(Kind::NestedTooDeep { limit }, text.span(0, 1));
            return;
        }
        if trim(&text.bytes).first() == Some(&b'%') {
            let Some(expanded) = self.expand_percent_line(&text) else {
                return;
            };
            return self.preprocess(expanded, round + 1);
        }
        if trim(&text.bytes).first() == Some(&b':') {
            // A label for GOTO in a macro.
            return;
        }
        if first.is_some_and(|first| self.leading_directive(&text, leading, first)) {
            return;
        }
        if self.defining_directive(&text, leading) || self.macro_call(&text, leading) {
            return;
        }
        self.expand_and_assemble(&text, round);
    }

    fn expand_and_assemble(&mut self, text: &Text, round: u32) {
        let Some(expanded) = self.expand_from(text, 0) else {
            return;
        };
        let before = Leading::of(&text.bytes);
        let after = Leading::of(&expanded.bytes);
        let same_words = before.first(&text.bytes) == after.first(&expanded.bytes)
            && before.second(&text.bytes) == after.second(&expanded.bytes);
        if same_words {
            self.first_pass(expanded);
        } else {
            self.preprocess(expanded, round + 1);
        }
    }

    /// Handles a line whose first word is one of the preprocessor's directives.
    fn leading_directive(&mut self, text: &Text, leading: Leading, first: Directive) -> bool {
        use Directive as D;
        let rest_at = leading.first.1;
        let second = directive(leading.second(&text.bytes));
        match first {
            D::If(test) => self.open_conditional(text, rest_at, test),
            D::ElseIfCond(_) | D::ElseCond | D::EndIfCond => {
                self.change_conditional(text, leading, first);
            }
            D::For | D::ForC | D::RepeatMacro | D::WhileMacro => {
                self.open_loop(text, rest_at, first);
            }
            D::ExitM => self.exit_macro(text, rest_at),
            D::Goto => self.goto_label(text, rest_at),
            D::Purge => self.purge(text, rest_at),
            D::Echo => {
                let message = trim(text.bytes.get(rest_at..).unwrap_or_default()).into();
                self.warn_echo(message, text.span(0, text.bytes.len()));
            }
            D::Include => self.include(text, rest_at),
            D::IncludeLib => {
                let rest = text.bytes.get(rest_at..).unwrap_or_default().to_vec();
                self.include_lib(&rest);
            }
            D::Comment => {
                let rest = trim(text.bytes.get(rest_at..).unwrap_or_default());
                if let Some((&delimiter, body)) = rest.split_first()
                    && !body.contains(&delimiter)
                {
                    self.pre.comment = Some(delimiter);
                }
            }
            D::Err(test) => self.forced_error(text, rest_at, test),
            D::Name => {
                // TITLE, NAME and PAGE have free text; but they can also name something.
                let names_datum = matches!(lookup(leading.second(&text.bytes)), Word::Type(_))
                    || matches!(second, Some(D::Equ | D::TextEqu));
                let next = trim(text.bytes.get(rest_at..).unwrap_or_default()).first();
                return !names_datum && !matches!(next, Some(b':' | b'='));
            }
            D::Macro => {
                self.error(
                    Kind::NameMissing,
                    text.span(leading.first.0, leading.first.1),
                );
            }
            _ => return false,
        }
        true
    }

    /// Handles a line whose second word is one of the preprocessor's directives.
    fn defining_directive(&mut self, text: &Text, leading: Leading) -> bool {
        use Directive as D;
        let name = leading.first(&text.bytes);
        if name.is_empty() {
            return false;
        }
        let rest_at = leading.second.1;
        match directive(leading.second(&text.bytes)) {
            Some(D::Macro) => self.open_macro(text, leading),
            Some(D::Equ) => return self.text_or_number(text, leading),
            Some(D::TextEqu | D::CatStr) => self.cat_str(text, leading, rest_at),
            Some(D::SubStr) => self.sub_str(text, leading, rest_at),
            Some(D::InStr) => self.in_str(text, leading, rest_at),
            Some(D::SizeStr) => self.size_str(text, leading, rest_at),
            _ => return self.assignment(text, leading),
        }
        true
    }

    /// `name = expression`: the name is not expanded.
    fn assignment(&mut self, text: &Text, leading: Leading) -> bool {
        let rest = text.bytes.get(leading.first.1..).unwrap_or_default();
        let is_assignment = trim(rest).first() == Some(&b'=') && trim(rest).get(1) != Some(&b'=');
        if !is_assignment {
            return false;
        }
        if let Some(expanded) = self.expand_from(text, leading.first.1) {
            self.first_pass(expanded);
        }
        true
    }

    /// A call of a macro procedure, or a label before one.
    fn macro_call(&mut self, text: &Text, leading: Leading) -> bool {
        let name = leading.first(&text.bytes);
        let after = text.bytes.get(leading.first.1..).unwrap_or_default();
        if let Some(id) = self.macro_named(name) {
            let is_call = trim(after).first() == Some(&b'(');
            if is_call
                && self
                    .pre
                    .macros
                    .get(id.0 as usize)
                    .is_some_and(|m| m.is_function)
            {
                return false;
            }
            self.call_macro(text, id, leading.first.1);
            return true;
        }
        // `label: macro arguments`
        let colon = trim(after).first() == Some(&b':') && trim(after).get(1) != Some(&b':');
        if !name.is_empty() && colon {
            let at = leading.first.1 + after.iter().position(|&byte| byte == b':').unwrap_or(0) + 1;
            let word = word_at(&text.bytes, at);
            let word = text.bytes.get(word.0..word.1).unwrap_or_default();
            if self.macro_named(word).is_some() {
                let mut label = text.clone();
                label.truncate(at);
                self.first_pass(label);
                let mut rest = text.editor();
                rest.replace_to(at, b"");
                let rest = rest.finish();
                self.preprocess(rest, 0);
                return true;
            }
        }
        false
    }

    fn macro_named(&mut self, name: &[u8]) -> Option<MacroId> {
        if name.is_empty() {
            return None;
        }
        let id = self.symbols.find(self.proc, name)?;
        match self.symbols.get(id).kind {
            SymbolKind::Macro(id) => Some(id),
            _ => None,
        }
    }

    fn include(&mut self, text: &Text, rest_at: usize) {
        let rest = trim(text.bytes.get(rest_at..).unwrap_or_default());
        let name = rest
            .strip_prefix(b"<")
            .and_then(|n| n.strip_suffix(b">"))
            .unwrap_or(rest)
            .to_vec();
        let name = trim(&name);
        let span = text.span(rest_at, text.bytes.len());
        let including = self.files.path(text.site.file).to_string();
        let open_files = self
            .pre
            .sources
            .iter()
            .filter(|source| source.is_file())
            .count();
        if open_files >= MAX_FILES {
            self.error(Kind::IncludeLoop { name: name.into() }, span);
            self.is_stopped = true;
            return;
        }
        let found = self.includes.read(&including, name);
        if let Some((path, bytes)) = found {
            if self.count_source(bytes.len(), span).is_err() {
                return;
            }
            let file = self.files.add(path, &bytes);
            if self.is_text(file) {
                self.pre.sources.push(Source::file(file, &self.files));
            }
            return;
        }
        match self.include_builtin(name) {
            Some(source) => {
                if !source.is_empty() && self.count_source(source.len(), span).is_ok() {
                    let path = format!("<{}>", String::from_utf8_lossy(name));
                    let file = self.files.add(path, source.as_bytes());
                    self.add_builtin_file(file);
                    self.pre.sources.push(Source::file(file, &self.files));
                }
            }
            None => {
                self.error(Kind::IncludeNotFound { name: name.into() }, span);
            }
        }
    }

    fn warn_echo(&mut self, message: SourceText, span: Span) {
        self.warn(Kind::Echo { message }, span);
    }
}
