//! INVOKE: pushes the arguments from the last to the first and calls.

use iced_x86::Register;

use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::expr::Value;
use crate::insn::select::fits_wrapped;
use crate::lex::{Punct, TokenKind};
use crate::line::Line;
use crate::source::to_u32;
use crate::types::{Language, POINTER_SIZE, Signature, SignatureId, Type};
use crate::words::{Operator, Word};

/// The tokens of one argument.
#[derive(Clone, Copy, Debug)]
struct Argument {
    start: usize,
    end: usize,
}

/// What the pushes so far did.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Whether EAX was used as a scratch register.
    eax_is_used: bool,
    /// Bytes pushed for variable arguments.
    variable_bytes: u32,
}

/// What a parameter wants.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    ty: Type,
    /// Size in bytes; 0 for a variable argument.
    size: u32,
    is_vararg: bool,
    /// Position of the argument, from 1.
    number: u32,
}

impl Wanted {
    /// The bytes of an argument that has no size of its own.
    fn bytes(self) -> u32 {
        if self.is_vararg {
            POINTER_SIZE
        } else {
            self.size
        }
    }
}

impl Assembler<'_> {
    /// `invoke target, arguments`.
    pub(crate) fn invoke(&mut self, line: &Line, at: usize) -> Result<(), Reported> {
        let target = at + 1;
        let end = value_end(line, target);
        if target >= line.len() {
            let kind = Kind::Expected {
                what: "the procedure to invoke",
            };
            return Err(self.error(kind, line.span(target, target)));
        }
        let signature = self.invoke_signature(line, target, end)?;
        let Some(signature) = self.types.signature(signature).cloned() else {
            return Ok(());
        };
        let arguments = arguments(line, end);
        self.check_count(&signature, &arguments, line)?;
        let mut progress = Progress::default();
        let fixed = signature.params.len() - usize::from(signature.is_vararg());
        for (place, argument) in arguments.iter().enumerate().rev() {
            let param = signature
                .params
                .get(place.min(signature.params.len().saturating_sub(1)));
            let is_vararg = place >= fixed;
            let ty = param.map_or(Type::DWord, |param| param.ty);
            let size = if is_vararg { 0 } else { self.types.size_of(ty) };
            let wanted = Wanted {
                ty,
                size,
                is_vararg,
                number: to_u32(place) + 1,
            };
            self.push_argument(line, *argument, wanted, &mut progress)?;
        }
        let mut call = b"call ".to_vec();
        call.extend_from_slice(line.range(target, end));
        self.generated_bytes(line, call);
        let caller_cleans =
            matches!(signature.language, Language::C | Language::Syscall) || signature.is_vararg();
        if caller_cleans {
            let bytes = self
                .types
                .argument_bytes(&signature)
                .wrapping_add(progress.variable_bytes);
            if bytes > 0 {
                self.generated(line, &format!("add esp,{bytes}t"));
            }
        }
        Ok(())
    }

    fn check_count(
        &mut self,
        signature: &Signature,
        arguments: &[Argument],
        line: &Line,
    ) -> Result<(), Reported> {
        let given = to_u32(arguments.len());
        let wanted = to_u32(signature.params.len());
        let span = line.span(0, line.len());
        if signature.is_vararg() {
            let wanted = wanted - 1;
            if given < wanted {
                return Err(self.error(Kind::TooFewArguments { wanted, given }, span));
            }
        } else if given > wanted {
            return Err(self.error(Kind::TooManyArguments { wanted, given }, span));
        } else if given < wanted {
            return Err(self.error(Kind::TooFewArguments { wanted, given }, span));
        }
        if let Some(empty) = arguments
            .iter()
            .find(|argument| argument.start >= argument.end)
        {
            let kind = Kind::Expected {
                what: "an argument",
            };
            return Err(self.error(kind, line.span(empty.start, empty.start + 1)));
        }
        Ok(())
    }

    fn invoke_signature(
        &mut self,
        line: &Line,
        start: usize,
        end: usize,
    ) -> Result<SignatureId, Reported> {
        let name = line.range(start, end);
        if end == start + 1
            && line
                .token(start)
                .is_some_and(|t| t.kind == TokenKind::Ident)
        {
            let known = self.symbols.find(self.proc, name);
            let id = known.or_else(|| self.builtin_symbol(name));
            let signature = id.and_then(|id| self.symbols.get(id).signature);
            if let Some(signature) = signature {
                return Ok(signature);
            }
            if id.is_none_or(|id| !self.symbols.get(id).is_defined())
                && line.word(start) == Word::Name
            {
                let name = name.into();
                return Err(self.error(Kind::UndefinedSymbol { name }, line.span(start, end)));
            }
        }
        let (value, next) = self.evaluate(line, start, end)?;
        if next < end {
            self.expect_end(line, next)?;
        }
        let by_symbol = value.symbol.and_then(|id| self.symbols.get(id).signature);
        let by_type = value.effective_type().and_then(|ty| self.signature_of(ty));
        if let Some(signature) = by_type.or(by_symbol.filter(|_| !value.in_brackets)) {
            Ok(signature)
        } else {
            let name = name.into();
            Err(self.error(Kind::NoPrototype { name }, line.span(start, end)))
        }
    }

    /// The signature of a procedure type or of a pointer to one.
    fn signature_of(&self, ty: Type) -> Option<SignatureId> {
        match ty {
            Type::Proc(signature) => Some(signature),
            Type::Ptr(Some(_)) => self.signature_of(self.pointee_of(ty)?),
            _ => None,
        }
    }

    fn push_argument(
        &mut self,
        line: &Line,
        argument: Argument,
        wanted: Wanted,
        progress: &mut Progress,
    ) -> Result<(), Reported> {
        let Argument { start, end } = argument;
        if line.word(start) == Word::Operator(Operator::Addr) {
            return self.push_address(
                line,
                Argument {
                    start: start + 1,
                    end,
                },
                wanted,
                progress,
            );
        }
        if let Some(pair) = register_pair(line, argument) {
            self.push_pair(line, pair, wanted, progress);
            return Ok(());
        }
        let (value, next) = self.evaluate(line, start, end)?;
        if next < end {
            return self.expect_end(line, next);
        }
        if let Some(register) = value.register {
            return self.push_register(line, argument, &value, register, wanted, progress);
        }
        let is_code_label = value.symbol.is_some()
            && !value.is_cast
            && !value.in_brackets
            && matches!(value.ty, Some(Type::Near | Type::Far));
        if is_code_label {
            return self.push_address(line, argument, wanted, progress);
        }
        let is_memory = value.has_registers()
            || value.segment.is_some()
            || (value.symbol.is_some() && !value.is_offset);
        if is_memory {
            self.push_memory(line, argument, &value, wanted, progress)
        } else {
            self.push_constant(line, argument, &value, wanted, progress)
        }
    }

    fn mismatch(&mut self, line: &Line, argument: Argument, wanted: Wanted) -> Reported {
        let kind = Kind::ArgumentType {
            argument: wanted.number,
        };
        self.error(kind, line.span(argument.start, argument.end))
    }

    fn overwritten(&mut self, line: &Line, argument: Argument, wanted: Wanted) -> Reported {
        let kind = Kind::RegisterOverwritten {
            argument: wanted.number,
        };
        self.error(kind, line.span(argument.start, argument.end))
    }

    fn push_text(&mut self, line: &Line, before: &str, argument: Argument) {
        let mut code = before.as_bytes().to_vec();
        code.extend_from_slice(line.range(argument.start, argument.end));
        self.generated_bytes(line, code);
    }

    fn push_address(
        &mut self,
        line: &Line,
        argument: Argument,
        wanted: Wanted,
        progress: &mut Progress,
    ) -> Result<(), Reported> {
        let (value, next) = self.evaluate(line, argument.start, argument.end)?;
        if next < argument.end {
            return self.expect_end(line, next);
        }
        if !wanted.is_vararg && wanted.size < POINTER_SIZE && wanted.size != 0 {
            return Err(self.mismatch(line, argument, wanted));
        }
        if value.register.is_some() || value.is_constant() && !value.is_forward {
            return Err(self.mismatch(line, argument, wanted));
        }
        if value.has_registers() || value.segment.is_some() {
            if progress.eax_is_used && uses_eax(&value) {
                return Err(self.overwritten(line, argument, wanted));
            }
            self.push_text(line, "lea eax,", argument);
            self.generated(line, "push eax");
            progress.eax_is_used = true;
        } else {
            self.push_text(line, "push offset ", argument);
        }
        if wanted.is_vararg {
            progress.variable_bytes += POINTER_SIZE;
        }
        Ok(())
    }

    fn push_pair(
        &mut self,
        line: &Line,
        (high, low): (Register, Register),
        wanted: Wanted,
        progress: &mut Progress,
    ) {
        self.generated(line, &format!("push {high:?}"));
        self.generated(line, &format!("push {low:?}"));
        if wanted.is_vararg {
            let bytes = to_u32(high.size() + low.size());
            progress.variable_bytes += bytes;
        }
    }

    fn push_register(
        &mut self,
        line: &Line,
        argument: Argument,
        value: &Value,
        register: Register,
        wanted: Wanted,
        progress: &mut Progress,
    ) -> Result<(), Reported> {
        let is_general = register.is_gpr8() || register.is_gpr16() || register.is_gpr32();
        if !is_general && !register.is_segment_register() {
            return Err(self.mismatch(line, argument, wanted));
        }
        if progress.eax_is_used && is_general && register.full_register32() == Register::EAX {
            return Err(self.overwritten(line, argument, wanted));
        }
        let size = to_u32(register.size());
        let psize = wanted.bytes();
        let is_short_pointer = matches!(wanted.ty, Type::Ptr(_)) && size < psize;
        if size > psize || psize > POINTER_SIZE || is_short_pointer && !wanted.is_vararg {
            return Err(self.mismatch(line, argument, wanted));
        }
        let is_signed = value.effective_type().is_some_and(Type::is_signed);
        let full = register.full_register32();
        let is_high = matches!(
            register,
            Register::AH | Register::BH | Register::CH | Register::DH
        );
        match size {
            1 if psize != 1 => {
                let extend = if is_signed { "movsx" } else { "movzx" };
                self.generated(line, &format!("{extend} eax,{register:?}"));
                self.generated(line, "push eax");
                progress.eax_is_used = true;
            }
            1 if is_high => {
                self.generated(line, &format!("mov al,{register:?}"));
                self.generated(line, "push eax");
                progress.eax_is_used = true;
            }
            2 if psize > 2 && is_signed => {
                self.generated(line, &format!("movsx eax,{register:?}"));
                self.generated(line, "push eax");
                progress.eax_is_used = true;
            }
            2 if psize > 2 && is_general => {
                self.generated(line, "pushw 0");
                self.generated(line, &format!("push {register:?}"));
            }
            1 | 2 if is_general => self.generated(line, &format!("push {full:?}")),
            _ => self.generated(line, &format!("push {register:?}")),
        }
        if wanted.is_vararg {
            progress.variable_bytes += POINTER_SIZE;
        }
        Ok(())
    }

    fn push_memory(
        &mut self,
        line: &Line,
        argument: Argument,
        value: &Value,
        wanted: Wanted,
        progress: &mut Progress,
    ) -> Result<(), Reported> {
        let ty = value.effective_type();
        let own_size = ty
            .map(|ty| self.types.size_of(ty))
            .filter(|_| !value.is_forward);
        let size = own_size.unwrap_or(wanted.bytes());
        let psize = if wanted.is_vararg { size } else { wanted.size };
        let is_short_pointer = matches!(wanted.ty, Type::Ptr(_)) && size < psize;
        if size > psize || is_short_pointer {
            return Err(self.mismatch(line, argument, wanted));
        }
        if progress.eax_is_used && uses_eax(value) {
            return Err(self.overwritten(line, argument, wanted));
        }
        if wanted.is_vararg {
            progress.variable_bytes += size.max(POINTER_SIZE);
        }
        let is_signed = ty.is_some_and(Type::is_signed);
        match size {
            0 => return Err(self.mismatch(line, argument, wanted)),
            1 | 2 if is_signed && psize > 2 => self.widen(line, "movsx", argument, progress),
            1 if psize == 1 && !wanted.is_vararg => {
                self.push_text(line, "mov al,", argument);
                self.generated(line, "push eax");
                progress.eax_is_used = true;
            }
            1 => self.widen(
                line,
                if is_signed { "movsx" } else { "movzx" },
                argument,
                progress,
            ),
            2 if is_signed && wanted.is_vararg => {
                self.widen(line, "movsx", argument, progress);
            }
            2 => {
                let pad = if wanted.is_vararg || psize != 2 {
                    "pushw 0"
                } else {
                    "sub esp,2t"
                };
                self.generated(line, pad);
                self.push_text(line, "push ", argument);
            }
            3 | 4 => self.push_text(line, "push ", argument),
            _ => self.push_wide(line, argument, value, size),
        }
        Ok(())
    }

    fn widen(&mut self, line: &Line, how: &str, argument: Argument, progress: &mut Progress) {
        self.push_text(line, &format!("{how} eax,"), argument);
        self.generated(line, "push eax");
        progress.eax_is_used = true;
    }

    /// Pushes an argument of more than four bytes, its last bytes first.
    fn push_wide(&mut self, line: &Line, argument: Argument, value: &Value, size: u32) {
        let mut start = argument.start;
        if value.is_cast {
            // `qword ptr x`: the pieces get casts of their own.
            let cast = (argument.start..argument.end)
                .find(|&at| line.word(at) == Word::Operator(Operator::Ptr));
            start = cast.map_or(start, |at| at + 1);
        }
        let mut rest = size;
        while rest > 0 {
            let (step, name) = if rest & 2 != 0 {
                (2, "word")
            } else {
                (4, "dword")
            };
            if step == 2 {
                self.generated(line, "sub esp,2t");
            }
            rest = rest.saturating_sub(step);
            let mut code = format!("push {name} ptr ").into_bytes();
            code.extend_from_slice(line.range(start, argument.end));
            code.extend(format!("+{rest}t").into_bytes());
            self.generated_bytes(line, code);
        }
    }

    fn push_constant(
        &mut self,
        line: &Line,
        argument: Argument,
        value: &Value,
        wanted: Wanted,
        progress: &mut Progress,
    ) -> Result<(), Reported> {
        let psize = wanted.bytes();
        if let Some(real) = value.real {
            return self.push_real(line, argument, real, wanted, progress);
        }
        if psize > 8 || matches!(wanted.ty, Type::Struct(_)) {
            return Err(self.mismatch(line, argument, wanted));
        }
        if value.string.is_some() && value.number > i128::from(u32::MAX) {
            let kind = Kind::StringArgument {
                argument: wanted.number,
            };
            return Err(self.error(kind, line.span(argument.start, argument.end)));
        }
        let fits = value.is_forward || fits_wrapped(value.number, psize.max(1) * 8);
        if value.symbol.is_some() && psize < POINTER_SIZE || !fits {
            return Err(self.mismatch(line, argument, wanted));
        }
        if psize == 8 {
            let low = value.number & i128::from(u32::MAX);
            let high = value.number >> 32 & i128::from(u32::MAX);
            self.generated(line, &format!("pushd {high}t"));
            self.generated(line, &format!("pushd {low}t"));
        } else {
            self.push_text(line, "push ", argument);
        }
        if wanted.is_vararg {
            progress.variable_bytes += psize;
        }
        Ok(())
    }

    fn push_real(
        &mut self,
        line: &Line,
        argument: Argument,
        real: crate::expr::RealToken,
        wanted: Wanted,
        progress: &mut Progress,
    ) -> Result<(), Reported> {
        let size = if wanted.is_vararg {
            POINTER_SIZE
        } else {
            wanted.size
        };
        let ty = if size == 8 { Type::Real8 } else { Type::Real4 };
        let bits = crate::expr::real_bits(line.bytes(real.token), real.is_negative, ty);
        let Some(bits) = bits.filter(|_| matches!(size, 4 | 8)) else {
            return Err(self.mismatch(line, argument, wanted));
        };
        for word in bits.rchunks(4) {
            let value = word
                .iter()
                .rev()
                .fold(0_u32, |value, &byte| value << 8 | u32::from(byte));
            self.generated(line, &format!("pushd {value}t"));
        }
        if wanted.is_vararg {
            progress.variable_bytes += size;
        }
        Ok(())
    }
}

fn uses_eax(value: &Value) -> bool {
    value
        .registers
        .iter()
        .flatten()
        .any(|scaled| scaled.register == Register::EAX)
}

/// Returns the token of the comma that ends the value at `start`.
fn value_end(line: &Line, start: usize) -> usize {
    let mut depth = 0_u32;
    for at in start..line.len() {
        match line.token(at).map(|token| token.kind) {
            Some(TokenKind::Punct(Punct::LeftParen | Punct::LeftBracket)) => depth += 1,
            Some(TokenKind::Punct(Punct::RightParen | Punct::RightBracket)) => {
                depth = depth.saturating_sub(1);
            }
            Some(TokenKind::Punct(Punct::Comma)) if depth == 0 => return at,
            _ => {}
        }
    }
    line.len()
}

fn arguments(line: &Line, first_comma: usize) -> Vec<Argument> {
    let mut arguments = Vec::new();
    let mut comma = first_comma;
    while comma < line.len() {
        let start = comma + 1;
        let end = value_end(line, start);
        arguments.push(Argument { start, end });
        comma = end;
    }
    arguments
}

fn register_pair(line: &Line, argument: Argument) -> Option<(Register, Register)> {
    let Argument { start, end } = argument;
    if end != start + 3 || !line.token(start + 1)?.is(Punct::DoubleColon) {
        return None;
    }
    match (line.word(start), line.word(start + 2)) {
        (Word::Register(high), Word::Register(low)) => Some((high, low)),
        _ => None,
    }
}
