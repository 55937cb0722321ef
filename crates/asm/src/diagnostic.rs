//! Errors and warnings about sources.

use std::fmt;

use thiserror::Error;

use crate::source::{SourceFiles, SourceText, Span};

/// How bad a diagnostic is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// There is no object.
    Error,
    /// The object is good as far as the assembler can tell.
    Warning,
}

/// The number under which MASM knows a message: `A2006`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MasmCode(u16);

impl fmt::Display for MasmCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "A{:04}", self.0)
    }
}

/// A further line of a diagnostic.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Note {
    /// The line came out of a macro.
    #[error("in the expansion of `{name}`: `{line}`")]
    Expansion {
        /// The macro, or the loop directive.
        name: SourceText,
        /// The expanded line.
        line: SourceText,
    },
    /// The line was made by a directive.
    #[error("in the generated code `{line}`")]
    Generated {
        /// The line.
        line: SourceText,
    },
    /// Where the block was opened.
    #[error("opened in line {line}")]
    OpenedIn {
        /// Line of the opening directive.
        line: u32,
    },
    /// Where the name was defined before.
    #[error("first defined in line {line}")]
    DefinedBefore {
        /// Line of the first definition.
        line: u32,
    },
}

/// One error or warning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong.
    pub kind: DiagnosticKind,
    /// Where.
    pub span: Span,
    /// What else there is to know.
    pub notes: Vec<Note>,
}

impl Diagnostic {
    /// Returns MASM's number, if MASM has this message.
    pub fn code(&self) -> Option<MasmCode> {
        self.kind.code().map(MasmCode)
    }

    /// Returns what to do about it, for the classic mistakes.
    pub fn help(&self) -> Option<&'static str> {
        self.kind.help()
    }

    /// Returns the message in one line: `file(line): error A2006: undefined symbol: x`.
    pub fn one_line(&self, files: &SourceFiles) -> String {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let code = self
            .code()
            .map(|code| format!(" {code}"))
            .unwrap_or_default();
        let path = files.path(self.span.file);
        format!(
            "{path}({}): {severity}{code}: {}",
            self.span.line, self.kind
        )
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident $({ $($(#[doc = $field_doc:literal])+ $field:ident: $ty:ty),+ $(,)? })?
        = $code:expr, $message:literal $(, $help:literal)?;)+) => {
        /// What a diagnostic says.
        #[derive(Clone, PartialEq, Eq, Debug, Error)]
        pub enum DiagnosticKind {
            $($(#[doc = $doc])+ #[error($message)]
            $name $({ $($(#[doc = $field_doc])+ $field: $ty),+ })?,)+
        }

        impl DiagnosticKind {
            fn code(&self) -> Option<u16> {
                match self {
                    $(Self::$name $({ $($field: _),+ })? => $code,)+
                }
            }

            fn help(&self) -> Option<&'static str> {
                match self {
                    $(Self::$name $({ $($field: _),+ })? => None $(.or(Some($help)))?,)+
                }
            }
        }
    };
}

kinds! {
    /// A name that nothing defines.
    UndefinedSymbol {
        /// The name.
        name: SourceText
    } = Some(2006), "undefined symbol: {name}",
        "check the spelling; names are case-sensitive after `option casemap:none`, and functions need a PROTO";
    /// A hexadecimal number without a leading digit is a name to MASM.
    HexWithoutDigit {
        /// The name.
        name: SourceText
    } = Some(2006), "undefined symbol: {name}",
        "a hexadecimal number must start with a digit: 0FFh, not FFh";
    /// A name defined twice.
    AlreadyDefined {
        /// The name.
        name: SourceText
    } = Some(2005), "symbol is already defined: {name}";
    /// A number symbol that `equ` fixed and that gets another value.
    EquateChanged {
        /// The name.
        name: SourceText
    } = Some(2005), "`{name}` was set by EQU and cannot change", "use `=` for a value that changes";
    /// A statement that starts with nothing known.
    UnknownStatement {
        /// The first word.
        word: SourceText
    } = Some(2008), "`{word}` is no instruction, directive, macro or type",
        "a label needs a colon; a macro must be defined before it is used";
    /// A token that does not belong here.
    Unexpected {
        /// The token.
        token: SourceText
    } = Some(2008), "syntax error: unexpected `{token}`";
    /// Something is missing.
    Expected {
        /// What was expected.
        what: &'static str
    } = Some(2065), "expected {what}";
    /// Two operands with no operator between.
    MissingOperator = Some(2206), "missing operator in expression";
    /// An expression that makes no sense.
    BadExpression = Some(2009), "syntax error in expression";
    /// A digit that the radix does not have.
    BadNumber {
        /// The number as written.
        text: SourceText
    } = Some(2048), "nondigit in number: {text}", "hexadecimal numbers end in `h` and start with a digit: 0FFh";
    /// A constant was needed.
    ConstantExpected = Some(2026), "constant expected";
    /// A constant that fits no field.
    ConstantTooLarge = Some(2084), "constant value too large";
    /// An initialiser that does not fit.
    InitializerTooLarge {
        /// Size of the item in bytes.
        size: u32
    } = Some(2071), "initializer magnitude too large for {size} byte(s)";
    /// An initialiser that is no number.
    BadInitializer = Some(2087), "invalid data initializer";
    /// Division by zero while assembling.
    DivideByZero = Some(2169), "divide by zero in expression";
    /// A string without its closing quote.
    OpenString = Some(2046), "missing single or double quotation mark in string";
    /// A text without its closing bracket.
    OpenText = Some(2045), "missing angle bracket in literal";
    /// A real number where none is allowed.
    RealNotAllowed = Some(2050), "real or BCD number not allowed";
    /// A malformed real number.
    BadReal {
        /// The number as written.
        text: SourceText
    } = Some(2048), "invalid real number: {text}";
    /// Operands that no form of the instruction has.
    InvalidOperands {
        /// The mnemonic.
        mnemonic: SourceText
    } = Some(2070), "invalid instruction operands for `{mnemonic}`",
        "an instruction has at most one memory operand: load one of them into a register first";
    /// Operands of different sizes.
    SizesDiffer {
        /// Size of the first operand in bytes.
        first: u32,
        /// Size of the second operand in bytes.
        second: u32
    } = Some(2022), "instruction operands must be the same size: {first} and {second} bytes",
        "use movzx or movsx to widen, `dword ptr x` to access memory in another size, `offset x` for an address";
    /// A constant that does not fit the other operand.
    ConstantDoesNotFit {
        /// Bytes that the constant needs.
        bytes: u32
    } = Some(2022), "the constant needs {bytes} bytes and does not fit the other operand";
    /// An instruction that the selected processor does not have.
    NotInCpu {
        /// The mnemonic.
        mnemonic: SourceText
    } = Some(2085), "instruction or register not accepted in current CPU mode: {mnemonic}",
        "select a later processor (.486, .586, .686), .mmx or .xmm for vector instructions, .386p for privileged ones";
    /// REP or LOCK before an instruction that does not take it.
    PrefixNotAllowed {
        /// The prefix.
        prefix: SourceText
    } = Some(2068), "instruction prefix not allowed: {prefix}",
        "REP stands before string instructions, LOCK before read-modify-write instructions on memory";
    /// A memory operand of unknown size.
    UnknownSize = Some(2023), "instruction operand must have size",
        "say how many bytes are meant: `byte ptr [eax]`, `dword ptr [eax]`";
    /// Two scaled registers, or three registers.
    MultipleIndexRegisters = Some(2030), "multiple index registers not allowed";
    /// ESP as an index.
    BadIndexRegister {
        /// The register.
        register: SourceText
    } = Some(2032), "cannot be used as index register: {register}";
    /// A register that cannot address memory in 32-bit code.
    NotAnAddressRegister {
        /// The register.
        register: SourceText
    } = Some(2031), "must be index or base register: {register}", "32-bit addresses need 32-bit registers";
    /// A scale other than 1, 2, 4, 8.
    BadScale = Some(2083), "invalid scale value", "an index can be scaled by 1, 2, 4 or 8";
    /// A register in arithmetic.
    InvalidUseOfRegister = Some(2032), "invalid use of register";
    /// FS or GS without ASSUME.
    SegmentAssumedError {
        /// The register.
        register: SourceText
    } = Some(2108), "use of register assumed to ERROR: {register}",
        "write `assume fs:nothing` before the first use of fs:";
    /// A general register declared unusable by ASSUME.
    RegisterAssumedError {
        /// The register.
        register: SourceText
    } = Some(2108), "use of register assumed to ERROR: {register}";
    /// A short jump out of reach.
    JumpTooFar {
        /// Bytes beyond reach.
        by: u32
    } = Some(2075), "jump destination too far: by {by} byte(s)",
        "leave out `short`; LOOP and JECXZ reach 127 bytes only: jump the other way around";
    /// A jump without a place to go.
    BadJumpTarget = Some(2076), "jump destination must specify a label";
    /// No `@@:` in this direction.
    NoAnonymousLabel = Some(2006), "there is no `@@:` label in this direction";
    /// Arithmetic on two places that are not in one section.
    NotOneSection = Some(2148), "the operands are not in the same segment";
    /// A relocatable operand where none is possible.
    NotRelocatable = Some(2026), "an address cannot be used here";
    /// An address in a field that is too small for it.
    AddressDoesNotFit = Some(2071), "an address needs a 32-bit field";
    /// A member that the structure does not have.
    UnknownField {
        /// The member.
        name: SourceText
    } = Some(2006), "undefined structure field: {name}";
    /// `.name` on something that is not a structure.
    StructureExpected {
        /// The member.
        name: SourceText
    } = Some(2166), "structure field expected: the operand of `.{name}` has no structure type",
        "write `assume esi:ptr TYPE`, or `(TYPE ptr [esi]).field`, or `[esi].TYPE.field`";
    /// A type was needed.
    TypeExpected = Some(2010), "invalid type expression";
    /// Code or data outside of any segment.
    NotInSegment = Some(2034), "must be in a segment block", "write `.code` or `.data` first";
    /// No `.model`.
    NoModel = Some(2013), ".MODEL must precede this directive", "start with `.386`, `.model flat,stdcall`";
    /// A memory model other than flat.
    UnsupportedModel {
        /// The model.
        name: SourceText
    } = Some(2012), "memory model `{name}` is not supported", "programs here are 32-bit: `.model flat,stdcall`";
    /// A directive that is refused.
    Unsupported {
        /// The directive.
        name: SourceText
    } = None, "`{name}` is not supported";
    /// An option that changes nothing here.
    OptionIgnored {
        /// The option.
        name: SourceText
    } = None, "option `{name}` is ignored";
    /// The file ends without END.
    EndMissing = Some(2088), "END directive required at end of file", "write `end start` in the last line, with your entry label";
    /// END names no label.
    EndLabel {
        /// The name.
        name: SourceText
    } = Some(2094), "the operand of END must be a label in this module: {name}";
    /// A block that is still open.
    OpenBlock {
        /// The directive that opened it.
        name: SourceText
    } = Some(1010), "unmatched block nesting: {name}";
    /// A closing directive without its opening one.
    UnmatchedBlock {
        /// The directive.
        name: SourceText
    } = Some(1010), "unmatched block nesting: {name}";
    /// `.else`, `.break` and the like outside of a block.
    NotInControlBlock = Some(1011), "directive must be in control block";
    /// `.else` or `.elseif` after `.else`.
    ElseAfterElse = Some(2194), ".ELSE clause already occurred in this .IF block";
    /// A condition that makes no sense.
    BadCondition = Some(2154), "syntax error in control-flow directive",
        "conditions compare with == != < <= > >= or &, and join with && and ||";
    /// A condition that `.untilcxz` cannot test.
    ConditionTooComplex = Some(2062), "expression too complex for .UNTILCXZ";
    /// A macro or loop without ENDM.
    OpenMacro {
        /// The directive or macro.
        name: SourceText
    } = Some(1008), "unmatched macro nesting: {name} has no ENDM";
    /// A directive outside of a macro.
    NotInMacro {
        /// The directive.
        name: SourceText
    } = Some(2142), "`{name}` is allowed in a macro only";
    /// A required macro argument that is missing.
    MissingMacroArgument {
        /// The parameter.
        name: SourceText
    } = Some(2125), "missing macro argument: {name}";
    /// More arguments than parameters.
    TooManyMacroArguments {
        /// The macro.
        name: SourceText
    } = Some(4006), "too many arguments in macro call: {name}";
    /// Expansions, data or names within each other without end.
    NestedTooDeep {
        /// The deepest level allowed.
        limit: u32
    } = Some(1007), "nesting level too deep: more than {limit} levels";
    /// More expanded lines than allowed.
    TooManyLines {
        /// The limit.
        limit: u64
    } = None, "the source expands to more than {limit} lines";
    /// More bytes of files, expansions and lines than allowed.
    SourceTooLarge {
        /// The limit in bytes.
        limit: u64
    } = None, "the source and what it expands to take more than {limit} bytes";
    /// More values than allowed.
    TooManyValues {
        /// The limit.
        limit: u64
    } = None, "the data have more than {limit} values";
    /// A line longer than allowed.
    LineTooLong {
        /// The limit in bytes.
        limit: u32
    } = Some(2039), "line too long: more than {limit} bytes after expansion";
    /// A text equate longer than allowed.
    TextTooLong {
        /// The limit in bytes.
        limit: usize
    } = Some(2041), "string or text literal too long: a name can stand for {limit} bytes";
    /// More bytes than allowed.
    OutputTooLarge {
        /// The limit in bytes.
        limit: u64
    } = None, "the program is larger than {limit} bytes";
    /// The jump sizes or addresses do not settle.
    NoFixpoint = None, "addresses do not settle: a definition depends on its own size";
    /// A file that INCLUDE does not find.
    IncludeNotFound {
        /// The name as written.
        name: SourceText
    } = Some(1000), "cannot open file: {name}",
        "windows.inc, kernel32.inc, user32.inc, masm32.inc, msvcrt.inc and masm32rt.inc are built in";
    /// A file that includes itself.
    IncludeLoop {
        /// The name as written.
        name: SourceText
    } = Some(1007), "the file includes itself without end: {name}";
    /// A GOTO to a label that the macro does not have.
    UnknownMacroLabel {
        /// The label.
        name: SourceText
    } = Some(2147), "undefined macro label: {name}";
    /// A text was needed.
    TextExpected = Some(2051), "text item required", "put the text in angle brackets: <text>";
    /// `.err` and its relatives.
    ForcedError {
        /// The message of the directive.
        message: SourceText
    } = Some(2052), "forced error: {message}";
    /// A message of ECHO.
    Echo {
        /// The message.
        message: SourceText
    } = None, "{message}";
    /// An invoked name without prototype.
    NoPrototype {
        /// The name.
        name: SourceText
    } = Some(2190), "INVOKE requires prototype for procedure: {name}",
        "include the .inc file that declares it, or write `name PROTO :DWORD,...`";
    /// Fewer arguments than the prototype has.
    TooFewArguments {
        /// Number of parameters.
        wanted: u32,
        /// Number of arguments.
        given: u32
    } = Some(2137), "too few arguments to INVOKE: {given} instead of {wanted}";
    /// More arguments than the prototype has.
    TooManyArguments {
        /// Number of parameters.
        wanted: u32,
        /// Number of arguments.
        given: u32
    } = Some(2136), "too many arguments to INVOKE: {given} instead of {wanted}";
    /// An argument that does not fit its parameter.
    ArgumentType {
        /// Position of the argument, from 1.
        argument: u32
    } = Some(2114), "INVOKE argument type mismatch: argument {argument}";
    /// A string as an argument.
    StringArgument {
        /// Position of the argument, from 1.
        argument: u32
    } = Some(2114), "INVOKE argument type mismatch: argument {argument} is a string",
        "put the text into .data and pass `addr name`, or include macros.asm and write CTXT(\"text\")";
    /// An argument in EAX after EAX was used for another argument.
    RegisterOverwritten {
        /// Position of the argument, from 1.
        argument: u32
    } = Some(2133), "register value overwritten by INVOKE: argument {argument}",
        "arguments are pushed from the last to the first, and `addr local` goes through eax: save the value in another register first";
    /// PROC and PROTO disagree on parameters.
    ConflictingParameters {
        /// The procedure.
        name: SourceText
    } = Some(2111), "conflicting parameter definition: {name} differs from its prototype";
    /// PROC and PROTO disagree on the calling convention.
    ConflictingLanguage {
        /// The procedure.
        name: SourceText
    } = Some(2112), "PROC and prototype calling conventions conflict: {name}";
    /// A directive that belongs between PROC and the first instruction.
    NotAtProcedureStart {
        /// The directive.
        name: SourceText
    } = Some(2012), "`{name}` must stand between PROC and the first instruction";
    /// A directive that needs a name before it.
    NameMissing = Some(2065), "expected a name before the directive";
    /// A name that is a reserved word.
    ReservedWord {
        /// The word.
        name: SourceText
    } = Some(2065), "expected a name; `{name}` is reserved";
    /// An alignment that is no power of two.
    BadAlignment = Some(2063), "invalid combination with segment alignment", "alignments are 1, 2, 4, 8 or 16";
    /// An alignment wider than the one of the segment.
    AlignmentTooWide {
        /// The alignment.
        align: u32
    } = Some(2189), "alignment {align} is wider than the segment's";
    /// ORG to a place before the start.
    BadOrigin = Some(2060), "ORG must go forward";
    /// A radix outside of 2 to 16.
    BadRadix = Some(2113), "invalid radix: 2 to 16 are allowed";
    /// A conditional directive without its IF.
    NoConditional {
        /// The directive.
        name: SourceText
    } = None, "`{name}` without IF";
    /// Values that are initialised in a segment for uninitialised data.
    InitializedInBss = Some(4010), "initialized data in a segment of uninitialized data: treated as zero";
    /// `[5]` means 5.
    NumberInBrackets {
        /// The number.
        value: SourceText
    } = None, "`[{value}]` is the number itself, not memory",
        "for memory at a fixed address name the segment: `ds:[400000h]`";
    /// More structure values than fields.
    TooManyInitializers = Some(2036), "too many initial values for structure";
    /// Something larger than a structure can be.
    StructureTooLarge = Some(2084), "the structure is too large";
    /// A binary file.
    NotText = Some(2044), "invalid character in file";
    /// Errors beyond the limit are not shown.
    TooManyErrors {
        /// The limit.
        limit: u32
    } = Some(1012), "error count exceeds {limit}; stopping assembly";
}

/// Order in which diagnostics are shown.
pub(crate) fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by_key(|diagnostic| diagnostic.span);
    diagnostics.dedup_by(|a, b| a.span == b.span && a.kind == b.kind);
}
