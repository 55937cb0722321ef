//! Statements: what a logical line says, and doing it in each pass.

use std::rc::Rc;

use crate::asm::{Assembler, GENERATED, Recorded, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::insn::table::{self, Special};
use crate::lex::{Punct, TokenKind};
use crate::line::{Line, Text};
use crate::object::LineOrigin;
use crate::section::{OutputError, SectionKind};
use crate::source::{SourceText, Span};
use crate::symbol::{Shape, SymbolKind};
use crate::types::Type;
use crate::words::{Directive, Operator, Word};

/// What a line, or the rest of a line after a label, says. Numbers are token positions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Statement {
    /// `name:` or `name::`
    Label { name: usize, is_global: bool },
    /// `@@:`
    AnonymousLabel,
    /// A prefix or a mnemonic with operands.
    Instruction { start: usize },
    /// `[name] type values`
    Data {
        name: Option<usize>,
        ty: Type,
        values: usize,
    },
    /// A directive, and the name before it.
    Directive {
        directive: Directive,
        name: Option<usize>,
        at: usize,
    },
    /// `name = value`
    Assign { name: usize, value: usize },
}

impl Statement {
    /// Whether the later passes must do it again.
    fn is_recorded(self) -> bool {
        match self {
            Self::Label { .. }
            | Self::AnonymousLabel
            | Self::Instruction { .. }
            | Self::Data { .. }
            | Self::Assign { .. } => true,
            Self::Directive { directive, .. } => matches!(
                directive,
                Directive::Align
                    | Directive::Assume
                    | Directive::Code
                    | Directive::Const
                    | Directive::Data
                    | Directive::DataUninit
                    | Directive::Ends
                    | Directive::EndP
                    | Directive::Equ
                    | Directive::Even
                    | Directive::Label
                    | Directive::Org
                    | Directive::Proc
                    | Directive::Radix
                    | Directive::Segment
                    | Directive::Stack
            ),
        }
    }

    /// Whether it makes code, so that the procedure's prologue must stand before it. Data do not
    /// count: a macro may put a string elsewhere first.
    fn starts_code(self) -> bool {
        matches!(
            self,
            Self::Label { .. } | Self::AnonymousLabel | Self::Instruction { .. }
        )
    }
}

impl Assembler<'_> {
    /// Assembles a line in the first pass and keeps its statements for the others.
    pub(crate) fn first_pass(&mut self, text: Text) {
        let line = Rc::new(Line::new(text));
        if self.count_source(line.cost(), line.span(0, 1)).is_err() {
            return;
        }
        self.show(&line);
        // An error is reported already; the next line is assembled all the same.
        let _ = self.statements(&line);
    }

    fn statements(&mut self, line: &Rc<Line>) -> Result<(), Reported> {
        if !self.struct_stack.is_empty() {
            return self.structure_line(line);
        }
        let mut at = 0;
        while at < line.len() {
            let (statement, next) = self.classify(line, at)?;
            self.first_time(line, statement)?;
            at = next;
        }
        Ok(())
    }

    fn first_time(&mut self, line: &Rc<Line>, statement: Statement) -> Result<(), Reported> {
        if statement.starts_code() && self.needs_prologue() {
            self.prologue(line);
        }
        if let Statement::Instruction { start } = statement
            && self.is_epilogue(line, start)
        {
            self.epilogue(line, start);
            return Ok(());
        }
        self.execute(line, statement)?;
        if statement.is_recorded() {
            self.recorded.push(Recorded {
                line: Rc::clone(line),
                statement,
            });
        }
        Ok(())
    }

    /// Assembles a line that a directive wrote.
    pub(crate) fn generated(&mut self, line: &Line, code: &str) {
        self.generated_bytes(line, code.as_bytes().to_vec());
    }

    /// Assembles a line that a directive wrote.
    pub(crate) fn generated_bytes(&mut self, line: &Line, code: Vec<u8>) {
        let mut site = line.text.site;
        if site.expansion.is_none() {
            site.expansion = Some(GENERATED);
        }
        let span = line.span(0, 1);
        if self.count_lines(1, span).is_none() {
            return;
        }
        let shown = self.shown.take();
        self.first_pass(Text::generated(code, site));
        self.shown = shown;
    }

    /// Finds out what the tokens from `at` on say, and where the statement ends.
    fn classify(&mut self, line: &Line, at: usize) -> Result<(Statement, usize), Reported> {
        let end = line.len();
        if let Some((statement, next)) = label(line, at) {
            return Ok((statement, next.unwrap_or(end)));
        }
        let first = line.word(at);
        let is_name = is_name(line, at);
        if is_name && let Some(statement) = self.definition(line, at) {
            return Ok((statement, end));
        }
        let statement = match first {
            Word::Type(ty) => Statement::Data {
                name: None,
                ty,
                values: at + 1,
            },
            Word::Directive(directive) => Statement::Directive {
                directive,
                name: None,
                at,
            },
            Word::Mnemonic(_)
            | Word::Prefix(_)
            | Word::Operator(
                Operator::And
                | Operator::Or
                | Operator::Xor
                | Operator::Not
                | Operator::Shl
                | Operator::Shr,
            ) => Statement::Instruction { start: at },
            _ => match self.user_type(line, at) {
                Some(ty) => Statement::Data {
                    name: None,
                    ty,
                    values: at + 1,
                },
                None => return Err(self.unknown_statement(line, at)),
            },
        };
        Ok((statement, end))
    }

    fn unknown_statement(&mut self, line: &Line, at: usize) -> Reported {
        let word = SourceText::from(line.bytes(at));
        let is_word = line
            .token(at)
            .is_some_and(|token| token.kind == TokenKind::Ident);
        let is_binary = line.bytes(at).iter().any(u8::is_ascii_control);
        let kind = match (is_binary, is_word) {
            (true, _) => Kind::NotText,
            (false, true) => Kind::UnknownStatement { word },
            (false, false) => Kind::Unexpected { token: word },
        };
        self.error(kind, line.span(at, at + 1))
    }

    /// `name keyword ...`: a definition, if the second word is a defining one.
    fn definition(&self, line: &Line, at: usize) -> Option<Statement> {
        let first_is_instruction = matches!(line.word(at), Word::Mnemonic(_) | Word::Prefix(_));
        if line.bytes(at).first() == Some(&b'.') {
            return None;
        }
        match line.word(at + 1) {
            Word::Type(ty) => {
                let is_short_form = line.bytes(at + 1).len() == 2;
                let is_keyword = first_is_instruction
                    || matches!(
                        line.word(at),
                        Word::Directive(_) | Word::Operator(_) | Word::Type(_)
                    );
                (!is_keyword || is_short_form).then_some(Statement::Data {
                    name: Some(at),
                    ty,
                    values: at + 2,
                })
            }
            Word::Directive(directive) if is_defining(directive) => {
                let is_directive = matches!(line.word(at), Word::Directive(_));
                (!is_directive).then_some(Statement::Directive {
                    directive,
                    name: Some(at),
                    at: at + 1,
                })
            }
            Word::Name if line.word(at) == Word::Name => {
                let ty = self.user_type(line, at + 1)?;
                Some(Statement::Data {
                    name: Some(at),
                    ty,
                    values: at + 2,
                })
            }
            _ => None,
        }
    }

    /// The type that a user's name stands for.
    pub(crate) fn user_type(&self, line: &Line, at: usize) -> Option<Type> {
        if line.token(at)?.kind != TokenKind::Ident {
            return None;
        }
        let id = self.symbols.find(self.proc, line.bytes(at))?;
        match self.symbols.get(id).kind {
            SymbolKind::Type(ty) => Some(ty),
            _ => None,
        }
    }

    /// Does what a statement says, in any pass.
    pub(crate) fn execute(&mut self, line: &Line, statement: Statement) -> Result<(), Reported> {
        let start = self.out.place();
        let result = match statement {
            Statement::Label { name, is_global } => self.code_label(line, name, is_global),
            Statement::AnonymousLabel => {
                self.define_anonymous(line.span(0, 1));
                Ok(())
            }
            Statement::Instruction { start } => self.instruction(line, start),
            Statement::Data { name, ty, values } => self.data(line, name, ty, values),
            Statement::Directive {
                directive,
                name,
                at,
            } => self.directive(line, directive, name, at),
            Statement::Assign { name, value } => self.assign(line, name, value),
        };
        if let (Some(start), Some(end)) = (start, self.out.place()) {
            let made_bytes = start.section == end.section && start.offset < end.offset;
            if made_bytes && !matches!(statement, Statement::Directive { .. }) {
                let origin = match line.text.site.expansion {
                    None => LineOrigin::Source,
                    Some(GENERATED) => LineOrigin::Generated,
                    Some(_) => LineOrigin::Expanded,
                };
                self.out.mark_line(start.offset, line.span(0, 1), origin);
            }
        }
        result
    }

    fn code_label(&mut self, line: &Line, name: usize, is_global: bool) -> Result<(), Reported> {
        let span = line.span(name, name + 1);
        let bytes = line.bytes(name);
        let id = match self.proc {
            Some(proc) if self.labels_are_scoped && !is_global => self.symbols.local(proc, bytes),
            _ => self.symbols.global(bytes),
        };
        self.check_new(id, span)?;
        self.place_label(
            id,
            Shape {
                ty: Type::Near,
                count: 1,
                size: 0,
            },
            span,
        );
        Ok(())
    }

    /// Repeats a recorded statement.
    pub(crate) fn repeat(&mut self, recorded: &Recorded) {
        self.shown = None;
        self.show(&recorded.line);
        // An error is reported already; the next statement is assembled all the same.
        let _ = self.execute(&recorded.line, recorded.statement);
    }

    /// Writes bytes at the current place.
    pub(crate) fn write(&mut self, bytes: &[u8], span: Span) -> Result<(), Reported> {
        let in_bss = self
            .out
            .current()
            .is_some_and(|section| section.kind == SectionKind::Bss);
        if in_bss && bytes.iter().any(|&byte| byte != 0) && !self.is_warned_of_bss(span) {
            self.warn(Kind::InitializedInBss, span);
        }
        let result = self.out.write(bytes, self.options.max_output_bytes);
        self.output_result(result, span)
    }

    /// Whether the last message is the one about values in uninitialised data, of the same line:
    /// a structure there can have millions of them.
    fn is_warned_of_bss(&self, span: Span) -> bool {
        self.diagnostics.last().is_some_and(|last| {
            last.kind == Kind::InitializedInBss
                && (last.span.file, last.span.line) == (span.file, span.line)
        })
    }

    /// Makes room without a value at the current place.
    pub(crate) fn reserve(&mut self, len: u64, span: Span) -> Result<(), Reported> {
        let result = self.out.reserve(len, self.options.max_output_bytes);
        self.output_result(result, span)
    }

    fn output_result(
        &mut self,
        result: Result<(), OutputError>,
        span: Span,
    ) -> Result<(), Reported> {
        match result {
            Ok(()) => Ok(()),
            Err(OutputError::NoSection) => self.missing_section(span),
            Err(OutputError::TooLarge) => {
                let limit = self.options.max_output_bytes;
                let reported = self.error(Kind::OutputTooLarge { limit }, span);
                self.is_stopped = true;
                Err(reported)
            }
        }
    }

    /// Reports code or data outside of any segment, once: what follows goes into the code.
    pub(crate) fn missing_section(&mut self, span: Span) -> Result<(), Reported> {
        let kind = if self.has_model {
            Kind::NotInSegment
        } else {
            Kind::NoModel
        };
        self.has_model = true;
        self.out.current = Some(self.standard_section(SectionKind::Code));
        if self.is_later_pass() {
            return Ok(());
        }
        Err(self.error(kind, span))
    }

    /// Whether the instruction is a return that stands for the procedure's epilogue.
    fn is_epilogue(&self, line: &Line, start: usize) -> bool {
        let Word::Mnemonic(id) = line.word(start) else {
            return false;
        };
        self.proc.is_some() && self.has_epilogues && table::mnemonic(id).special == Special::Return
    }
}

fn is_name(line: &Line, at: usize) -> bool {
    line.token(at)
        .is_some_and(|token| token.kind == TokenKind::Ident)
}

/// `name:`, `name::`, `@@:` or `name =`; and where the rest of the line starts, if it is a
/// statement of its own.
fn label(line: &Line, at: usize) -> Option<(Statement, Option<usize>)> {
    if !is_name(line, at) {
        return None;
    }
    let TokenKind::Punct(punct) = line.token(at + 1)?.kind else {
        return None;
    };
    let after = Some(at + 2);
    match punct {
        Punct::Colon if line.bytes(at) == b"@@" => Some((Statement::AnonymousLabel, after)),
        Punct::Colon => Some((
            Statement::Label {
                name: at,
                is_global: false,
            },
            after,
        )),
        Punct::DoubleColon => Some((
            Statement::Label {
                name: at,
                is_global: true,
            },
            after,
        )),
        Punct::Assign => Some((
            Statement::Assign {
                name: at,
                value: at + 2,
            },
            None,
        )),
        _ => None,
    }
}

/// Whether a directive defines the name before it.
fn is_defining(directive: Directive) -> bool {
    use Directive as D;
    matches!(
        directive,
        D::CatStr
            | D::Ends
            | D::EndP
            | D::Equ
            | D::Group
            | D::InStr
            | D::Label
            | D::Macro
            | D::Proc
            | D::Proto
            | D::Record
            | D::Segment
            | D::SizeStr
            | D::Struct
            | D::SubStr
            | D::TextEqu
            | D::TypeDef
            | D::Union
    )
}
