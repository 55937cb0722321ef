//! Directives that are neither data, procedures, structures, macros nor control flow.

use iced_x86::Register;

use crate::asm::{Assembler, Assumption, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::lex::{Punct, TokenKind};
use crate::line::Line;
use crate::procs::language;
use crate::section::SectionKind;
use crate::source::Span;
use crate::symbol::{CaseMap, Shape, SymbolId, SymbolKind, Visibility};
use crate::types::{Aggregate, Language, Type};
use crate::words::{CpuOption, Directive, Word};

impl Assembler<'_> {
    /// Handles the directive at token `at`.
    pub(crate) fn directive(
        &mut self,
        line: &Line,
        directive: Directive,
        name: Option<usize>,
        at: usize,
    ) -> Result<(), Reported> {
        use Directive as D;
        match directive {
            D::Cpu(cpu) => self.set_cpu(cpu, line.bytes(at)),
            D::Model => return self.model(line, at + 1),
            D::Code => return self.simple_section(line, at, SectionKind::Code),
            D::Data => return self.simple_section(line, at, SectionKind::Data),
            D::DataUninit => return self.simple_section(line, at, SectionKind::Bss),
            D::Const => return self.simple_section(line, at, SectionKind::Const),
            D::Align => return self.align(line, at),
            D::Even => return self.align_to(2, line.span(at, at + 1)),
            D::Org => return self.org(line, at),
            D::Radix => return self.set_radix(line, at),
            D::Assume => return self.assume(line, at + 1),
            D::OptionSet => self.options_line(line, at + 1),
            D::Invoke => return self.invoke(line, at),
            D::Local => return self.local(line, at + 1),
            D::Public => return self.public(line, at + 1),
            D::Extern | D::ExternDef | D::Comm => return self.external(line, at),
            D::End => return self.end(line, at + 1),
            D::IncludeLib => self.include_lib(line.rest(at + 1)),
            D::Stack | D::Listing | D::Name => {}
            D::Struct => return self.open_structure(line, Aggregate::Struct, name, at),
            D::Union => return self.open_structure(line, Aggregate::Union, name, at),
            _ => return self.other_directive(line, directive, name, at),
        }
        Ok(())
    }

    fn other_directive(
        &mut self,
        line: &Line,
        directive: Directive,
        name: Option<usize>,
        at: usize,
    ) -> Result<(), Reported> {
        use Directive as D;
        if crate::hll::is_flow(Word::Directive(directive)) {
            return self.flow_directive(line, directive, at);
        }
        let span = line.span(name.unwrap_or(at), at + 1);
        match (directive, name) {
            (D::Proc, Some(name)) => self.open_proc(line, name, at),
            (D::EndP, Some(name)) => self.close_proc(line, name),
            (D::Proto, Some(name)) => self.proto(line, name, at),
            (D::TypeDef, Some(name)) => self.typedef(line, name, at),
            (D::Record, Some(name)) => self.record(line, name, at),
            (D::Label, Some(name)) => self.label_directive(line, name, at),
            (D::Equ, Some(name)) => self.equate(line, name, at + 1),
            (D::Segment, Some(name)) => self.segment(line, name, at),
            (D::Ends, Some(_)) => self.end_segment(line, at),
            (D::Group, Some(_)) => Ok(()),
            (
                D::Proc
                | D::EndP
                | D::Proto
                | D::TypeDef
                | D::Record
                | D::Label
                | D::Equ
                | D::Segment,
                None,
            ) => Err(self.error(Kind::NameMissing, span)),
            (D::EndM | D::ExitM | D::Goto, _) => {
                let name = line.bytes(at).into();
                Err(self.error(Kind::NotInMacro { name }, span))
            }
            (D::Ends, None) => {
                let name = line.bytes(at).into();
                Err(self.error(Kind::UnmatchedBlock { name }, span))
            }
            _ => {
                let name = line.bytes(at).into();
                Err(self.error(Kind::Unsupported { name }, span))
            }
        }
    }

    fn set_cpu(&mut self, cpu: CpuOption, name: &[u8]) {
        match name.to_ascii_lowercase().as_slice() {
            b".mmx" | b".k3d" => self.has_mmx = true,
            b".xmm" => self.has_xmm = true,
            _ => {}
        }
        if cpu != CpuOption::Extension {
            self.cpu = cpu;
            self.is_privileged = name.ends_with(b"p") || name.ends_with(b"P");
        }
    }

    fn set_radix(&mut self, line: &Line, at: usize) -> Result<(), Reported> {
        let saved = std::mem::replace(&mut self.radix, 10);
        let result = self.evaluate_constant(line, at + 1, line.len());
        self.radix = saved;
        let (value, next) = result?;
        match u32::try_from(value)
            .ok()
            .filter(|radix| (2..=16).contains(radix))
        {
            Some(radix) => self.radix = radix,
            None => return Err(self.error(Kind::BadRadix, line.span(at + 1, next))),
        }
        Ok(())
    }

    /// `assume register:what, ...`.
    fn assume(&mut self, line: &Line, start: usize) -> Result<(), Reported> {
        if line.bytes(start).eq_ignore_ascii_case(b"nothing") {
            for number in 0..8_u32 {
                self.assumptions
                    .set(Register::EAX + number, Assumption::Nothing);
            }
            return Ok(());
        }
        let mut at = start;
        loop {
            let Word::Register(register) = line.word(at) else {
                let kind = Kind::Expected {
                    what: "a register to assume",
                };
                return Err(self.error(kind, line.span(at, at + 1)));
            };
            if !line
                .token(at + 1)
                .is_some_and(|token| token.is(Punct::Colon))
            {
                return Err(self.error(Kind::Expected { what: "`:`" }, line.span(at + 1, at + 2)));
            }
            at += 2;
            let word = line.bytes(at).to_ascii_lowercase();
            let assumption = match word.as_slice() {
                b"nothing" | b"flat" | b"dgroup" => Assumption::Nothing,
                b"error" => Assumption::Error,
                _ if register.is_segment_register() => Assumption::Nothing,
                _ => {
                    let (ty, next) = self.parse_type(line, at)?;
                    let is_known =
                        !matches!(ty, Type::Ptr(Some(_))) || self.pointee_of(ty).is_some();
                    if !is_known {
                        let name = line.bytes(next - 1).into();
                        let span = line.span(next - 1, next);
                        return Err(self.error(Kind::UndefinedSymbol { name }, span));
                    }
                    at = next - 1;
                    Assumption::Type(ty)
                }
            };
            self.assumptions.set(register, assumption);
            at += 1;
            match line.token(at) {
                None => return Ok(()),
                Some(token) if token.is(Punct::Comma) => at += 1,
                Some(_) => return self.expect_end(line, at),
            }
        }
    }

    /// `option name[:value], ...`.
    fn options_line(&mut self, line: &Line, start: usize) {
        let mut at = start;
        while at < line.len() {
            let name = line.bytes(at).to_ascii_lowercase();
            let has_value = line
                .token(at + 1)
                .is_some_and(|token| token.is(Punct::Colon));
            let value = if has_value {
                line.bytes(at + 2).to_ascii_lowercase()
            } else {
                Vec::new()
            };
            self.set_option(&name, &value, line.span(at, at + 1));
            at += if has_value { 3 } else { 1 };
            // A value may have arguments, as in `prologue:none` or `expr32`.
            while line.token(at).is_some_and(|token| !token.is(Punct::Comma)) {
                at += 1;
            }
            at += 1;
        }
    }

    /// Changes how names are looked up. Each of them gets another key: a source could ask for that
    /// in every line.
    fn set_case_map(&mut self, case_map: CaseMap, span: Span) {
        let is_new = self.symbols.case_map != case_map;
        if is_new && self.count_source(self.symbols.cost(), span).is_ok() {
            self.symbols.set_case_map(case_map);
        }
    }

    fn set_option(&mut self, name: &[u8], value: &[u8], span: Span) {
        match (name, value) {
            (b"casemap", b"none") => self.set_case_map(CaseMap::None, span),
            (b"casemap", b"all" | b"notpublic") => self.set_case_map(CaseMap::All, span),
            (b"proc", b"private") => self.proc_visibility = Visibility::Private,
            (b"proc", b"public" | b"export") => self.proc_visibility = Visibility::Public,
            (b"language", word) => match language(word) {
                Some(found) => self.language = found,
                None => self.warn(Kind::OptionIgnored { name: name.into() }, span),
            },
            (b"scoped", _) => self.labels_are_scoped = true,
            (b"noscoped", _) => self.labels_are_scoped = false,
            (b"prologue", b"none") => self.has_frames = false,
            (b"prologue", _) => self.has_frames = true,
            (b"epilogue", b"none") => self.has_epilogues = false,
            (b"epilogue", _) => self.has_epilogues = true,
            (
                b"dotname" | b"nodotname" | b"expr32" | b"segment" | b"offset" | b"ljmp" | b"m510",
                _,
            ) => {}
            _ => self.warn(Kind::OptionIgnored { name: name.into() }, span),
        }
    }

    fn public(&mut self, line: &Line, start: usize) -> Result<(), Reported> {
        let mut at = start;
        while at < line.len() {
            let word = line.bytes(at).to_ascii_lowercase();
            let next_is_name = line
                .token(at + 1)
                .is_some_and(|t| t.kind == TokenKind::Ident);
            let mut given = None;
            if let Some(found) = language(&word).filter(|_| next_is_name) {
                given = Some(found);
                at += 1;
            }
            if line
                .token(at)
                .is_none_or(|token| token.kind != TokenKind::Ident)
            {
                let kind = Kind::Expected {
                    what: "the name of a symbol",
                };
                return Err(self.error(kind, line.span(at, at + 1)));
            }
            let id = self.symbols.global(line.bytes(at));
            if let Some(given) = given {
                self.symbols.get_mut(id).language = given;
            }
            let symbol = self.symbols.get_mut(id);
            symbol.span = symbol.span.or(Some(line.span(at, at + 1)));
            self.publish(id);
            at += 1;
            if at < line.len() && !line.token(at).is_some_and(|token| token.is(Punct::Comma)) {
                return self.expect_end(line, at);
            }
            at += 1;
        }
        Ok(())
    }

    /// `extern [language] name[:type], ...`, `externdef`, `comm`.
    fn external(&mut self, line: &Line, directive: usize) -> Result<(), Reported> {
        let mut at = directive + 1;
        if at >= line.len() {
            let kind = Kind::Expected {
                what: "the name of a symbol",
            };
            return Err(self.error(kind, line.span(directive, directive + 1)));
        }
        while at < line.len() {
            let word = line.bytes(at).to_ascii_lowercase();
            let mut given = self.language;
            let next_is_name = line
                .token(at + 1)
                .is_some_and(|t| t.kind == TokenKind::Ident);
            if let Some(found) = language(&word).filter(|_| next_is_name) {
                given = found;
                at += 1;
            }
            if line
                .token(at)
                .is_none_or(|token| token.kind != TokenKind::Ident)
            {
                let kind = Kind::Expected {
                    what: "the name of a symbol",
                };
                return Err(self.error(kind, line.span(at, at + 1)));
            }
            let name = at;
            let mut ty = Type::DWord;
            at += 1;
            if line.token(at).is_some_and(|token| token.is(Punct::Colon)) {
                (ty, at) = self.external_type(line, at + 1)?;
            }
            let is_common = line.word(directive) == Word::Directive(Directive::Comm);
            let mut count = 1;
            if is_common && line.token(at).is_some_and(|token| token.is(Punct::Colon)) {
                (count, at) = self.common_count(line, at + 1)?;
            }
            self.declare_datum(line, name, ty, given);
            let id = self.symbols.global(line.bytes(name));
            if is_common {
                self.make_common(id, count);
            }
            match line.word(directive) {
                // EXTERN names stand in the object even if nothing uses them.
                Word::Directive(Directive::Extern) => self.use_symbol(id),
                Word::Directive(Directive::ExternDef) => self.announce(id),
                _ => {}
            }
            while line.token(at).is_some_and(|token| !token.is(Punct::Comma)) {
                at += 1;
            }
            at += 1;
        }
        Ok(())
    }

    /// Returns how many elements a datum of COMM has, and the token behind.
    fn common_count(&mut self, line: &Line, at: usize) -> Result<(u32, usize), Reported> {
        let rest = (at..line.len())
            .take_while(|&at| line.token(at).is_some_and(|token| !token.is(Punct::Comma)));
        let end = at + rest.count();
        let (value, _) = self.evaluate_constant(line, at, end)?;
        let count = u32::try_from(value).ok().filter(|&count| count > 0);
        let wrong = || Kind::Expected {
            what: "a number of elements",
        };
        match count {
            Some(count) => Ok((count, end)),
            None => Err(self.error(wrong(), line.span(at, end))),
        }
    }

    /// Has the linker make room for an external that no module defines.
    fn make_common(&mut self, id: SymbolId, elements: u32) {
        let symbol = self.symbols.get_mut(id);
        if let SymbolKind::External { shape } = &mut symbol.kind {
            let element = shape.size / shape.count.max(1);
            shape.count = elements;
            shape.size = element.saturating_mul(elements);
            self.commons.insert(id, shape.size.max(1));
            self.use_symbol(id);
        }
    }

    /// EXTERNDEF: public if this module defines it, external if not.
    fn announce(&mut self, id: SymbolId) {
        match self.symbols.get(id).kind {
            SymbolKind::Label { .. } => self.publish(id),
            _ => self.symbols.get_mut(id).visibility = Visibility::Public,
        }
    }

    fn external_type(&mut self, line: &Line, at: usize) -> Result<(Type, usize), Reported> {
        let word = line.bytes(at).to_ascii_lowercase();
        match word.as_slice() {
            b"proc" => Ok((Type::Near, at + 1)),
            b"abs" => Ok((Type::DWord, at + 1)),
            b"proto" => {
                let signature = self.prototype(line, at + 1)?;
                Ok((Type::Proc(self.types.add_signature(signature)), line.len()))
            }
            _ => self.parse_type(line, at),
        }
    }

    fn declare_datum(&mut self, line: &Line, name: usize, ty: Type, given: Language) {
        let id = self.symbols.global(line.bytes(name));
        if !matches!(self.symbols.get(id).kind, SymbolKind::Undefined) {
            return;
        }
        if let Type::Proc(signature) = ty {
            if let Some(signature) = self.types.signature(signature).cloned() {
                self.declare_external(id, signature);
            }
            return;
        }
        let size = self.types.size_of(ty);
        let symbol = self.symbols.get_mut(id);
        symbol.kind = SymbolKind::External {
            shape: Shape { ty, count: 1, size },
        };
        // `near` names keep the language's prefix only: their argument bytes are not known.
        symbol.language = if given == Language::None {
            Language::None
        } else {
            Language::C
        };
        if !std::mem::replace(&mut symbol.is_in_externals, true) {
            self.externals.push(id);
        }
    }

    pub(crate) fn include_lib(&mut self, rest: &[u8]) {
        let name = crate::lex::trim(rest);
        let name = name
            .strip_prefix(b"<")
            .and_then(|n| n.strip_suffix(b">"))
            .unwrap_or(name);
        let name = String::from_utf8_lossy(name).replace('\\', "/");
        let base = name
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .trim_matches('"')
            .to_string();
        if !base.is_empty() {
            let place = self.libraries.len();
            self.libraries.entry(base).or_insert(place);
        }
    }

    /// `end [entry]`.
    fn end(&mut self, line: &Line, at: usize) -> Result<(), Reported> {
        self.has_ended = true;
        if at >= line.len() {
            return Ok(());
        }
        let span = line.span(at, line.len());
        let name: Box<[u8]> = line.bytes(at).into();
        match self.symbols.find_global(&name) {
            Some(id) if matches!(self.symbols.get(id).kind, SymbolKind::Label { .. }) => {
                self.entry = Some(id);
                self.publish(id);
                self.expect_end(line, at + 1)
            }
            _ => Err(self.error(
                Kind::EndLabel {
                    name: (&*name).into(),
                },
                span,
            )),
        }
    }

    /// `name label type`.
    fn label_directive(&mut self, line: &Line, name: usize, at: usize) -> Result<(), Reported> {
        let span = line.span(name, name + 1);
        let ty = if line.bytes(at + 1).eq_ignore_ascii_case(b"proc") {
            Type::Near
        } else {
            let (ty, next) = self.parse_type(line, at + 1)?;
            self.expect_end(line, next)?;
            ty
        };
        let id = self.symbols.global(line.bytes(name));
        self.check_new(id, span)?;
        let size = self.types.size_of(ty);
        self.place_label(id, Shape { ty, count: 1, size }, span);
        Ok(())
    }

    /// `name = expression`, in any pass.
    pub(crate) fn assign(
        &mut self,
        line: &Line,
        name: usize,
        value: usize,
    ) -> Result<(), Reported> {
        let span = line.span(name, name + 1);
        let (number, next) = self.evaluate_constant(line, value, line.len())?;
        self.expect_end(line, next)?;
        let id = self.symbols.global(line.bytes(name));
        let may_change = match self.symbols.get(id).kind {
            SymbolKind::Number { is_variable, .. } => is_variable,
            SymbolKind::Undefined => true,
            _ => false,
        };
        if !may_change {
            let name = line.bytes(name).into();
            return Err(self.error(Kind::EquateChanged { name }, span));
        }
        self.set_number(id, number, true, span);
        Ok(())
    }

    fn set_number(&mut self, id: SymbolId, value: i128, is_variable: bool, span: Span) {
        let pass = self.pass;
        let symbol = self.symbols.get_mut(id);
        let changed = !matches!(symbol.kind, SymbolKind::Number { value: old, .. } if old == value);
        symbol.kind = SymbolKind::Number { value, is_variable };
        symbol.pass = pass;
        symbol.span = Some(span);
        self.changed |= changed && !is_variable;
    }

    /// `name equ expression` where the expression is a number or an address; in any pass.
    pub(crate) fn equate(
        &mut self,
        line: &Line,
        name: usize,
        value: usize,
    ) -> Result<(), Reported> {
        let span = line.span(name, name + 1);
        let id = self.symbols.global(line.bytes(name));
        let (result, next) = self.evaluate(line, value, line.len())?;
        self.expect_end(line, next)?;
        let own = result.symbol == Some(id);
        if let Some(number) = result.constant().filter(|_| !result.is_forward) {
            let redefined = match self.symbols.get(id).kind {
                SymbolKind::Number { value, .. } => {
                    value != number && self.symbols.get(id).pass == self.pass
                }
                _ => false,
            };
            if redefined && !self.is_builtin_definition(id) {
                let name = line.bytes(name).into();
                return Err(self.error(Kind::EquateChanged { name }, span));
            }
            if !matches!(self.symbols.get(id).kind, SymbolKind::Number { .. }) {
                self.check_new(id, span)?;
            }
            self.set_number(id, number, false, span);
            return Ok(());
        }
        let Some(mut target) = result.symbol.filter(|_| !own) else {
            if result.is_forward {
                return Ok(());
            }
            return Err(self.error(Kind::ConstantExpected, line.span(value, next)));
        };
        self.check_new(id, span)?;
        if target == self.here {
            let ty = result.ty.unwrap_or(Type::Near);
            let size = self.types.size_of(ty);
            self.place_label(id, Shape { ty, count: 1, size }, span);
            target = id;
        }
        if target != id {
            let pass = self.pass;
            let symbol = self.symbols.get_mut(id);
            symbol.kind = SymbolKind::Alias {
                target,
                addend: result.number,
                ty: result.ty,
            };
            symbol.pass = pass;
            symbol.span = Some(span);
        }
        Ok(())
    }
}
