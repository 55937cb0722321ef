//! Procedures: PROC, PROTO, LOCAL, ENDP, and the code around their bodies.

use iced_x86::Register;

use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::lex::{Punct, TokenKind};
use crate::line::Line;
use crate::source::{Span, to_u32};
use crate::symbol::{ProcId, Shape, SymbolId, SymbolKind, Visibility};
use crate::types::{Language, POINTER_SIZE, Param, Signature, Type};
use crate::words::Word;

/// Where the first parameter lies: above the saved EBP and the return address.
const FIRST_PARAM: i32 = 8;

/// Where the assembler is in a procedure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// LOCAL may follow.
    Head,
    /// The prologue is written.
    Body,
}

/// A procedure of the module.
#[derive(Clone, Debug)]
pub(crate) struct Proc {
    pub(crate) symbol: SymbolId,
    pub(crate) signature: Signature,
    uses: Vec<Register>,
    /// Bytes of local variables so far.
    locals: u32,
    stage: Stage,
}

impl Proc {
    fn has_frame(&self) -> bool {
        self.locals > 0 || !self.signature.params.is_empty()
    }
}

impl Assembler<'_> {
    /// `name proc ...`, in any pass.
    pub(crate) fn open_proc(
        &mut self,
        line: &Line,
        name: usize,
        at: usize,
    ) -> Result<(), Reported> {
        let span = line.span(name, name + 1);
        let id = self.symbols.global(line.bytes(name));
        if self.is_later_pass() {
            self.outer_procs.extend(self.proc);
            self.proc = self.symbols.get(id).proc;
            self.place_proc_label(id, span);
            return Ok(());
        }
        let open = self.proc.and_then(|proc| self.procs.get(proc.0 as usize));
        if let Some(open) = open.filter(|open| open.has_frame() || !open.uses.is_empty()) {
            // Only a procedure without a frame can contain another one.
            let name = (&*self.symbols.get(open.symbol).name).into();
            return Err(self.error(Kind::OpenBlock { name }, span));
        }
        self.check_new(id, span)?;
        let header = self.proc_header(line, at + 1)?;
        self.check_prototype(id, &header.signature, line, span);
        let proc = ProcId(to_u32(self.procs.len()));
        let language = header.signature.language;
        let signature = self.types.add_signature(header.signature.clone());
        let symbol = self.symbols.get_mut(id);
        symbol.signature = Some(signature);
        symbol.language = language;
        symbol.proc = Some(proc);
        symbol.visibility = header.visibility;
        if header.visibility == Visibility::Public {
            self.publish(id);
        }
        self.place_proc_label(id, span);
        self.procs.push(Proc {
            symbol: id,
            signature: header.signature,
            uses: header.uses,
            locals: 0,
            stage: Stage::Head,
        });
        self.outer_procs.extend(self.proc);
        self.proc = Some(proc);
        self.define_params(proc, span)
    }

    /// Adds a symbol to the public ones, once.
    pub(crate) fn publish(&mut self, id: SymbolId) {
        let symbol = self.symbols.get_mut(id);
        symbol.visibility = Visibility::Public;
        if !std::mem::replace(&mut symbol.is_in_publics, true) {
            self.publics.push(id);
        }
    }

    fn place_proc_label(&mut self, id: SymbolId, span: Span) {
        self.place_label(
            id,
            Shape {
                ty: Type::Near,
                count: 1,
                size: 0,
            },
            span,
        );
    }

    fn proc_symbol(&self, proc: ProcId) -> Option<SymbolId> {
        self.procs.get(proc.0 as usize).map(|proc| proc.symbol)
    }

    fn current_proc(&mut self) -> Option<&mut Proc> {
        let proc = self.proc?;
        self.procs.get_mut(proc.0 as usize)
    }

    fn proc_header(&mut self, line: &Line, start: usize) -> Result<Header, Reported> {
        let mut header = Header {
            signature: Signature {
                language: self.language,
                params: Vec::new(),
            },
            visibility: self.proc_visibility,
            uses: Vec::new(),
        };
        let mut at = start;
        while let Some(token) = line
            .token(at)
            .filter(|token| token.kind == TokenKind::Ident)
        {
            let next_is_colon = line.token(at + 1).is_some_and(|next| next.is(Punct::Colon));
            let word = token.text(&line.text.bytes).to_ascii_lowercase();
            if next_is_colon {
                break;
            }
            match word.as_slice() {
                b"near" | b"far" => {}
                b"public" | b"export" => header.visibility = Visibility::Public,
                b"private" => header.visibility = Visibility::Private,
                b"uses" => {
                    at = used_registers(line, at + 1, &mut header.uses);
                    break;
                }
                _ => match language(&word) {
                    Some(language) => header.signature.language = language,
                    None => break,
                },
            }
            at += 1;
        }
        if line.token(at).is_some_and(|token| token.is(Punct::Less)) {
            // Arguments for a prologue macro: the default prologue has none.
            while line
                .token(at)
                .is_some_and(|token| !token.is(Punct::Greater))
            {
                at += 1;
            }
            at += 1;
            if line.bytes(at).eq_ignore_ascii_case(b"uses") {
                at = used_registers(line, at + 1, &mut header.uses);
            }
        }
        if line.token(at).is_some_and(|token| token.is(Punct::Comma)) {
            at += 1;
        }
        header.signature.params = self.proc_params(line, at)?;
        Ok(header)
    }

    fn proc_params(&mut self, line: &Line, start: usize) -> Result<Vec<Param>, Reported> {
        let mut params = Vec::new();
        let mut at = start;
        while at < line.len() {
            if line
                .token(at)
                .is_none_or(|token| token.kind != TokenKind::Ident)
            {
                let token = line.bytes(at).into();
                return Err(self.error(Kind::Unexpected { token }, line.span(at, at + 1)));
            }
            let name = Some(Box::from(line.bytes(at)));
            let mut param = Param {
                name,
                ty: Type::DWord,
                is_vararg: false,
            };
            at += 1;
            if line.token(at).is_some_and(|token| token.is(Punct::Colon)) {
                at = self.param_type(line, at + 1, &mut param)?;
            }
            params.push(param);
            at = self.next_param(line, at)?;
        }
        Ok(params)
    }

    fn param_type(&mut self, line: &Line, at: usize, param: &mut Param) -> Result<usize, Reported> {
        if line.bytes(at).eq_ignore_ascii_case(b"vararg") {
            param.is_vararg = true;
            return Ok(at + 1);
        }
        let (ty, next) = self.parse_type(line, at)?;
        param.ty = ty;
        Ok(next)
    }

    fn next_param(&mut self, line: &Line, at: usize) -> Result<usize, Reported> {
        match line.token(at) {
            None => Ok(at),
            Some(token) if token.is(Punct::Comma) => Ok(at + 1),
            Some(_) => {
                let token = line.bytes(at).into();
                Err(self.error(Kind::Unexpected { token }, line.span(at, at + 1)))
            }
        }
    }

    /// What follows PROTO: language and argument types.
    pub(crate) fn prototype(&mut self, line: &Line, start: usize) -> Result<Signature, Reported> {
        let mut signature = Signature {
            language: self.language,
            params: Vec::new(),
        };
        let mut at = start;
        while let Some(token) = line
            .token(at)
            .filter(|token| token.kind == TokenKind::Ident)
        {
            let word = token.text(&line.text.bytes).to_ascii_lowercase();
            match (word.as_slice(), language(&word)) {
                (b"near" | b"far", _) => {}
                (_, Some(language)) => signature.language = language,
                _ => break,
            }
            at += 1;
        }
        if at > start || line.token(at).is_some_and(|token| token.is(Punct::Comma)) {
            // `proto stdcall, :DWORD` and `proto, :DWORD`.
            at += usize::from(line.token(at).is_some_and(|token| token.is(Punct::Comma)));
        }
        while at < line.len() {
            let mut param = Param {
                name: None,
                ty: Type::DWord,
                is_vararg: false,
            };
            if line
                .token(at)
                .is_some_and(|token| token.kind == TokenKind::Ident)
            {
                param.name = Some(line.bytes(at).into());
                at += 1;
            }
            if !line.token(at).is_some_and(|token| token.is(Punct::Colon)) {
                let kind = Kind::Expected {
                    what: "`:` and a type",
                };
                return Err(self.error(kind, line.span(at, at + 1)));
            }
            at = self.param_type(line, at + 1, &mut param)?;
            signature.params.push(param);
            at = self.next_param(line, at)?;
        }
        Ok(signature)
    }

    /// `name proto ...`.
    pub(crate) fn proto(&mut self, line: &Line, name: usize, at: usize) -> Result<(), Reported> {
        let span = line.span(name, name + 1);
        let signature = self.prototype(line, at + 1)?;
        let id = self.symbols.global(line.bytes(name));
        if let Some(known) = self.symbols.get(id).signature {
            let same = self
                .types
                .signature(known)
                .is_none_or(|known| self.first_difference(known, &signature).is_none());
            if !same && !self.is_builtin_definition(id) {
                let name = line.bytes(name).into();
                return Err(self.error(Kind::ConflictingParameters { name }, span));
            }
            if same {
                return Ok(());
            }
        } else {
            self.check_new(id, span)?;
        }
        self.declare_external(id, signature);
        Ok(())
    }

    /// Makes a symbol an external procedure.
    pub(crate) fn declare_external(&mut self, id: SymbolId, signature: Signature) {
        let language = signature.language;
        let signature = self.types.add_signature(signature);
        let symbol = self.symbols.get_mut(id);
        symbol.signature = Some(signature);
        symbol.language = language;
        if matches!(symbol.kind, SymbolKind::Undefined) {
            symbol.kind = SymbolKind::External {
                shape: Shape {
                    ty: Type::Near,
                    count: 1,
                    size: 0,
                },
            };
        }
        if !std::mem::replace(&mut symbol.is_in_externals, true) {
            self.externals.push(id);
        }
    }

    /// The first parameter that differs: its place, or the length of the shorter list.
    fn first_difference(&self, first: &Signature, second: &Signature) -> Option<usize> {
        let same = |a: &Param, b: &Param| {
            a.is_vararg == b.is_vararg && self.types.size_of(a.ty) == self.types.size_of(b.ty)
        };
        let pairs = first.params.iter().zip(&second.params);
        let differing = pairs.into_iter().position(|(a, b)| !same(a, b));
        let shorter = first.params.len().min(second.params.len());
        differing.or((first.params.len() != second.params.len()).then_some(shorter))
    }

    fn check_prototype(&mut self, id: SymbolId, signature: &Signature, line: &Line, span: Span) {
        let Some(known) = self.symbols.get(id).signature else {
            return;
        };
        let Some(known) = self.types.signature(known).cloned() else {
            return;
        };
        if self.is_builtin_definition(id) {
            return;
        }
        let name = (&*self.symbols.get(id).name).into();
        if known.language != signature.language {
            self.error(Kind::ConflictingLanguage { name }, span);
        } else if self.first_difference(&known, signature).is_some() {
            self.error(
                Kind::ConflictingParameters { name },
                line.span(0, line.len()),
            );
        }
    }

    fn define_params(&mut self, proc: ProcId, span: Span) -> Result<(), Reported> {
        let Some(params) = self
            .procs
            .get(proc.0 as usize)
            .map(|p| p.signature.params.clone())
        else {
            return Ok(());
        };
        let mut offset = FIRST_PARAM;
        for param in params {
            let size = self.types.size_of(param.ty);
            let shape = Shape {
                ty: param.ty,
                count: 1,
                size,
            };
            if let Some(name) = &param.name {
                self.define_stack(proc, name, offset, shape, span)?;
            }
            let step = if param.is_vararg {
                0
            } else {
                self.types.stack_size(param.ty)
            };
            offset = offset.saturating_add_unsigned(step);
        }
        Ok(())
    }

    fn define_stack(
        &mut self,
        proc: ProcId,
        name: &[u8],
        offset: i32,
        shape: Shape,
        span: Span,
    ) -> Result<(), Reported> {
        let id = self.symbols.local(proc, name);
        if self.symbols.get(id).is_defined() {
            return Err(self.error(Kind::AlreadyDefined { name: name.into() }, span));
        }
        let symbol = self.symbols.get_mut(id);
        symbol.kind = SymbolKind::Stack { offset, shape };
        symbol.span = Some(span);
        Ok(())
    }

    /// `local name[count]:type, ...`.
    pub(crate) fn local(&mut self, line: &Line, start: usize) -> Result<(), Reported> {
        let in_head = self
            .current_proc()
            .is_some_and(|proc| proc.stage == Stage::Head);
        let Some(proc) = self.proc.filter(|_| in_head) else {
            let kind = Kind::NotAtProcedureStart {
                name: b"local"[..].into(),
            };
            return Err(self.error(kind, line.span(start - 1, start)));
        };
        let mut at = start;
        loop {
            if line
                .token(at)
                .is_none_or(|token| token.kind != TokenKind::Ident)
            {
                let kind = Kind::Expected {
                    what: "the name of a local variable",
                };
                return Err(self.error(kind, line.span(at, at + 1)));
            }
            let name = at;
            let mut count = 1;
            at += 1;
            if line
                .token(at)
                .is_some_and(|token| token.is(Punct::LeftBracket))
            {
                let (value, next) = self.evaluate_constant(line, at + 1, line.len())?;
                let positive = u32::try_from(value).ok().filter(|&count| count > 0);
                let Some(value) = positive else {
                    return Err(self.error(Kind::ConstantTooLarge, line.span(at, next)));
                };
                if !line
                    .token(next)
                    .is_some_and(|token| token.is(Punct::RightBracket))
                {
                    let kind = Kind::Expected { what: "`]`" };
                    return Err(self.error(kind, line.span(next, next + 1)));
                }
                count = value;
                at = next + 1;
            }
            let mut ty = Type::DWord;
            if line.token(at).is_some_and(|token| token.is(Punct::Colon)) {
                (ty, at) = self.parse_type(line, at + 1)?;
            }
            self.add_local(proc, line.bytes(name), ty, count, line.span(name, at))?;
            match line.token(at) {
                None => return Ok(()),
                Some(token) if token.is(Punct::Comma) => at += 1,
                Some(_) => return self.expect_end(line, at),
            }
        }
    }

    /// Places a local variable below the ones before it, aligned to its element's size, at most 4.
    fn add_local(
        &mut self,
        proc: ProcId,
        name: &[u8],
        ty: Type,
        count: u32,
        span: Span,
    ) -> Result<(), Reported> {
        /// Largest frame: a third of any stack.
        const MAX_LOCALS: u32 = 16 << 20;
        let element = self.types.size_of(ty);
        let align = element.clamp(1, POINTER_SIZE);
        let before = self.current_proc().map_or(0, |proc| proc.locals);
        let size = element.checked_mul(count);
        let end = size.and_then(|size| before.checked_add(size));
        let end = end
            .and_then(|end| end.checked_add(align - 1))
            .map(|end| end & !(align - 1));
        let Some(end) = end.filter(|&end| end <= MAX_LOCALS) else {
            return Err(self.error(Kind::ConstantTooLarge, span));
        };
        if let Some(proc) = self.current_proc() {
            proc.locals = end;
        }
        let shape = Shape {
            ty,
            count,
            size: size.unwrap_or(0),
        };
        self.define_stack(proc, name, 0_i32.saturating_sub_unsigned(end), shape, span)
    }

    /// Whether the next code is the first of a procedure.
    pub(crate) fn needs_prologue(&self) -> bool {
        let proc = self.proc.and_then(|proc| self.procs.get(proc.0 as usize));
        proc.is_some_and(|proc| proc.stage == Stage::Head)
    }

    /// Writes the code at the start of a procedure.
    pub(crate) fn prologue(&mut self, line: &Line) {
        let Some(proc) = self.current_proc() else {
            return;
        };
        proc.stage = Stage::Body;
        let proc = proc.clone();
        if !self.has_frames {
            return;
        }
        if proc.has_frame() {
            self.generated(line, "push ebp");
            self.generated(line, "mov ebp,esp");
        }
        if proc.locals > 0 {
            let size = proc.locals.next_multiple_of(POINTER_SIZE);
            self.generated(line, &format!("add esp,-{size}t"));
        }
        for register in &proc.uses {
            self.generated(line, &format!("push {register:?}"));
        }
    }

    /// Writes the code of a `ret` inside a procedure.
    pub(crate) fn epilogue(&mut self, line: &Line, start: usize) {
        let Some(proc) = self.current_proc().map(|proc| proc.clone()) else {
            return;
        };
        for register in proc.uses.iter().rev() {
            self.generated(line, &format!("pop {register:?}"));
        }
        if proc.has_frame() {
            self.generated(line, "leave");
        }
        let operand = line.rest(start + 1);
        if !operand.is_empty() {
            let code = [b"retn ", operand].concat();
            self.generated_bytes(line, code);
            return;
        }
        let bytes = match proc.signature.language {
            Language::Stdcall => self.types.argument_bytes(&proc.signature),
            Language::C | Language::Syscall | Language::None => 0,
        };
        if bytes == 0 || proc.signature.is_vararg() {
            self.generated(line, "retn");
        } else {
            self.generated(line, &format!("retn {bytes}t"));
        }
    }

    /// `name endp`, in any pass.
    pub(crate) fn close_proc(&mut self, line: &Line, name: usize) -> Result<(), Reported> {
        let open = self.proc.and_then(|proc| self.proc_symbol(proc));
        let key = self.symbols.key(line.bytes(name));
        let is_same = open.is_some_and(|id| self.symbols.key(&self.symbols.get(id).name) == key);
        if !is_same {
            let name_bytes = line.bytes(name).into();
            let kind = Kind::UnmatchedBlock { name: name_bytes };
            return Err(self.error(kind, line.span(name, name + 1)));
        }
        self.proc = self.outer_procs.pop();
        Ok(())
    }
}

struct Header {
    signature: Signature,
    visibility: Visibility,
    uses: Vec<Register>,
}

/// Returns the language that a lower-case word names.
pub(crate) fn language(word: &[u8]) -> Option<Language> {
    Some(match word {
        b"c" => Language::C,
        b"syscall" => Language::Syscall,
        b"stdcall" | b"pascal" | b"basic" | b"fortran" => Language::Stdcall,
        _ => return None,
    })
}

/// Reads registers up to something else; returns the token after them.
fn used_registers(line: &Line, start: usize, uses: &mut Vec<Register>) -> usize {
    let mut at = start;
    while let Word::Register(register) = line.word(at) {
        if line.token(at + 1).is_some_and(|next| next.is(Punct::Colon)) {
            break;
        }
        uses.push(register);
        at += 1;
    }
    at
}
