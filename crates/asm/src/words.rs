//! Reserved words: registers, types, operators, directives and mnemonics.

use std::collections::HashMap;
use std::sync::OnceLock;

use iced_x86::Register;

use crate::insn::table::{self, MnemonicId};
use crate::lex::{Token, TokenKind};
use crate::types::Type;

/// What a name means to the assembler itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    /// Nothing: it is the user's.
    Name,
    Register(Register),
    Type(Type),
    Operator(Operator),
    Directive(Directive),
    Mnemonic(MnemonicId),
    Prefix(Prefix),
}

/// An instruction prefix that stands before the mnemonic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Prefix {
    Rep,
    Repne,
    Lock,
}

/// Operators that are words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operator {
    Addr,
    And,
    Dup,
    Eq,
    Ge,
    Gt,
    High,
    HighWord,
    ImageRel,
    Le,
    Length,
    LengthOf,
    Low,
    LowWord,
    Lt,
    Mask,
    Mod,
    Ne,
    Not,
    Offset,
    OpAttr,
    Or,
    Ptr,
    Seg,
    Shl,
    Short,
    Shr,
    Size,
    SizeOf,
    This,
    TypeOf,
    Width,
    Xor,
}

/// Directives, with or without a dot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Directive {
    Alias,
    Align,
    Assume,
    Break,
    CatStr,
    Code,
    Comm,
    Comment,
    Const,
    Continue,
    Cpu(CpuOption),
    DataUninit,
    Data,
    Echo,
    End,
    Ends,
    EndIf,
    EndM,
    EndP,
    EndW,
    Equ,
    Err(ErrTest),
    Even,
    Else,
    ElseIf,
    ExitM,
    Exit,
    Extern,
    ExternDef,
    For,
    ForC,
    Goto,
    Group,
    /// Conditional assembly.
    If(IfTest),
    ElseIfCond(IfTest),
    ElseCond,
    EndIfCond,
    /// `.if`
    IfFlow,
    Include,
    IncludeLib,
    InStr,
    Invoke,
    Label,
    Listing,
    Local,
    Macro,
    Model,
    Name,
    OptionSet,
    Org,
    Proc,
    Proto,
    Public,
    Purge,
    Radix,
    Record,
    RepeatFlow,
    RepeatMacro,
    Segment,
    SizeStr,
    Stack,
    StartUp,
    Struct,
    SubStr,
    TextEqu,
    TypeDef,
    Union,
    Until,
    UntilCxz,
    WhileFlow,
    WhileMacro,
    Unsupported,
}

/// Which processor a dot-number directive selects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CpuOption {
    I8086,
    I286,
    I386,
    I486,
    I586,
    I686,
    /// A coprocessor or vector extension: all are on always.
    Extension,
}

/// What a conditional-assembly directive tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IfTest {
    NonZero,
    Zero,
    Defined,
    NotDefined,
    Blank,
    NotBlank,
    Same,
    SameFolded,
    Different,
    DifferentFolded,
    Pass1,
    Pass2,
}

/// When an `.err` directive reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ErrTest {
    Always,
    If(IfTest),
}

/// Returns what a token means as a word.
pub(crate) fn word(token: Token, line: &[u8]) -> Word {
    match token.kind {
        TokenKind::Ident => lookup(token.text(line)),
        _ => Word::Name,
    }
}

/// The longest reserved word has fewer letters; longer names are the user's without a look.
const LONGEST: usize = 24;

/// Returns what a name means as a word.
pub(crate) fn lookup(name: &[u8]) -> Word {
    let mut folded = [0_u8; LONGEST];
    let Some(buffer) = folded.get_mut(..name.len()) else {
        return Word::Name;
    };
    buffer.copy_from_slice(name);
    buffer.make_ascii_lowercase();
    words().get(&*buffer).copied().unwrap_or(Word::Name)
}

type Words = HashMap<Box<[u8]>, Word>;

fn words() -> &'static Words {
    static WORDS: OnceLock<Words> = OnceLock::new();
    WORDS.get_or_init(build)
}

fn build() -> Words {
    let mut words = Words::new();
    let mut add = |name: &str, word| {
        words.insert(name.as_bytes().into(), word);
    };
    for (name, id) in table::mnemonics() {
        add(name, Word::Mnemonic(id));
    }
    for register in Register::values() {
        if is_ia32_register(register) {
            add(
                &format!("{register:?}").to_ascii_lowercase(),
                Word::Register(register),
            );
        }
    }
    for &(name, ty) in TYPES {
        add(name, Word::Type(ty));
    }
    for &(name, operator) in OPERATORS {
        add(name, Word::Operator(operator));
    }
    for &(name, directive) in DIRECTIVES {
        add(name, Word::Directive(directive));
    }
    for &(name, prefix) in PREFIXES {
        add(name, Word::Prefix(prefix));
    }
    words
}

fn is_ia32_register(register: Register) -> bool {
    if register == Register::None || register == Register::EIP {
        return false;
    }
    let plain = register.is_gpr8() || register.is_gpr16() || register.is_gpr32();
    let legacy = register.number() < 8 && !is_uniform_byte(register);
    let other = register.is_segment_register()
        || register.is_cr()
        || register.is_dr()
        || register.is_mm()
        || register.is_xmm();
    (plain || other) && legacy
}

/// SPL, BPL, SIL and DIL exist in 64-bit code only.
fn is_uniform_byte(register: Register) -> bool {
    matches!(
        register,
        Register::SPL | Register::BPL | Register::SIL | Register::DIL
    )
}

const PREFIXES: &[(&str, Prefix)] = &[
    ("rep", Prefix::Rep),
    ("repe", Prefix::Rep),
    ("repz", Prefix::Rep),
    ("repne", Prefix::Repne),
    ("repnz", Prefix::Repne),
    ("lock", Prefix::Lock),
];

const TYPES: &[(&str, Type)] = &[
    ("db", Type::Byte),
    ("byte", Type::Byte),
    ("sbyte", Type::SByte),
    ("dw", Type::Word),
    ("word", Type::Word),
    ("sword", Type::SWord),
    ("dd", Type::DWord),
    ("dword", Type::DWord),
    ("sdword", Type::SDWord),
    ("real4", Type::Real4),
    ("df", Type::FWord),
    ("fword", Type::FWord),
    ("dq", Type::QWord),
    ("qword", Type::QWord),
    ("sqword", Type::SQWord),
    ("mmword", Type::QWord),
    ("real8", Type::Real8),
    ("dt", Type::TByte),
    ("tbyte", Type::TByte),
    ("real10", Type::Real10),
    ("oword", Type::OWord),
    ("xmmword", Type::OWord),
    ("ymmword", Type::YmmWord),
    ("near", Type::Near),
    ("near32", Type::Near),
    ("far", Type::Far),
];

const OPERATORS: &[(&str, Operator)] = &[
    ("addr", Operator::Addr),
    ("and", Operator::And),
    ("dup", Operator::Dup),
    ("eq", Operator::Eq),
    ("ge", Operator::Ge),
    ("gt", Operator::Gt),
    ("high", Operator::High),
    ("highword", Operator::HighWord),
    ("imagerel", Operator::ImageRel),
    ("le", Operator::Le),
    ("length", Operator::Length),
    ("lengthof", Operator::LengthOf),
    ("low", Operator::Low),
    ("lowword", Operator::LowWord),
    ("lt", Operator::Lt),
    ("mask", Operator::Mask),
    ("mod", Operator::Mod),
    ("ne", Operator::Ne),
    ("not", Operator::Not),
    ("offset", Operator::Offset),
    ("opattr", Operator::OpAttr),
    ("or", Operator::Or),
    ("ptr", Operator::Ptr),
    ("seg", Operator::Seg),
    ("shl", Operator::Shl),
    ("short", Operator::Short),
    ("shr", Operator::Shr),
    ("size", Operator::Size),
    ("sizeof", Operator::SizeOf),
    ("this", Operator::This),
    ("type", Operator::TypeOf),
    ("width", Operator::Width),
    ("xor", Operator::Xor),
];

const DIRECTIVES: &[(&str, Directive)] = &[
    (".386", Directive::Cpu(CpuOption::I386)),
    (".386p", Directive::Cpu(CpuOption::I386)),
    (".486", Directive::Cpu(CpuOption::I486)),
    (".486p", Directive::Cpu(CpuOption::I486)),
    (".586", Directive::Cpu(CpuOption::I586)),
    (".586p", Directive::Cpu(CpuOption::I586)),
    (".686", Directive::Cpu(CpuOption::I686)),
    (".686p", Directive::Cpu(CpuOption::I686)),
    (".8086", Directive::Cpu(CpuOption::I8086)),
    (".186", Directive::Cpu(CpuOption::I8086)),
    (".286", Directive::Cpu(CpuOption::I286)),
    (".286p", Directive::Cpu(CpuOption::I286)),
    (".8087", Directive::Cpu(CpuOption::Extension)),
    (".287", Directive::Cpu(CpuOption::Extension)),
    (".387", Directive::Cpu(CpuOption::Extension)),
    (".mmx", Directive::Cpu(CpuOption::Extension)),
    (".xmm", Directive::Cpu(CpuOption::Extension)),
    (".k3d", Directive::Cpu(CpuOption::Extension)),
    (".model", Directive::Model),
    (".code", Directive::Code),
    (".data", Directive::Data),
    (".data?", Directive::DataUninit),
    (".const", Directive::Const),
    (".stack", Directive::Stack),
    (".if", Directive::IfFlow),
    (".elseif", Directive::ElseIf),
    (".else", Directive::Else),
    (".endif", Directive::EndIf),
    (".while", Directive::WhileFlow),
    (".endw", Directive::EndW),
    (".repeat", Directive::RepeatFlow),
    (".until", Directive::Until),
    (".untilcxz", Directive::UntilCxz),
    (".break", Directive::Break),
    (".continue", Directive::Continue),
    (".radix", Directive::Radix),
    (".startup", Directive::StartUp),
    (".exit", Directive::Exit),
    (".err", Directive::Err(ErrTest::Always)),
    (".erre", Directive::Err(ErrTest::If(IfTest::Zero))),
    (".errnz", Directive::Err(ErrTest::If(IfTest::NonZero))),
    (".errdef", Directive::Err(ErrTest::If(IfTest::Defined))),
    (".errndef", Directive::Err(ErrTest::If(IfTest::NotDefined))),
    (".errb", Directive::Err(ErrTest::If(IfTest::Blank))),
    (".errnb", Directive::Err(ErrTest::If(IfTest::NotBlank))),
    (".erridn", Directive::Err(ErrTest::If(IfTest::Same))),
    (".erridni", Directive::Err(ErrTest::If(IfTest::SameFolded))),
    (".errdif", Directive::Err(ErrTest::If(IfTest::Different))),
    (
        ".errdifi",
        Directive::Err(ErrTest::If(IfTest::DifferentFolded)),
    ),
    (".list", Directive::Listing),
    (".nolist", Directive::Listing),
    (".listall", Directive::Listing),
    (".listif", Directive::Listing),
    (".listmacro", Directive::Listing),
    (".listmacroall", Directive::Listing),
    (".nolistif", Directive::Listing),
    (".nolistmacro", Directive::Listing),
    (".xlist", Directive::Listing),
    (".lall", Directive::Listing),
    (".sall", Directive::Listing),
    (".xall", Directive::Listing),
    (".cref", Directive::Listing),
    (".nocref", Directive::Listing),
    (".xcref", Directive::Listing),
    (".tfcond", Directive::Listing),
    (".lfcond", Directive::Listing),
    (".sfcond", Directive::Listing),
    (".dosseg", Directive::Listing),
    (".alpha", Directive::Listing),
    (".seq", Directive::Listing),
    (".safeseh", Directive::Listing),
    (".fpo", Directive::Listing),
    ("title", Directive::Name),
    ("subtitle", Directive::Name),
    ("subttl", Directive::Name),
    ("page", Directive::Name),
    ("name", Directive::Name),
    ("alias", Directive::Alias),
    ("align", Directive::Align),
    ("assume", Directive::Assume),
    ("catstr", Directive::CatStr),
    ("comm", Directive::Comm),
    ("comment", Directive::Comment),
    ("echo", Directive::Echo),
    ("end", Directive::End),
    ("ends", Directive::Ends),
    ("endm", Directive::EndM),
    ("endp", Directive::EndP),
    ("equ", Directive::Equ),
    ("even", Directive::Even),
    ("exitm", Directive::ExitM),
    ("extern", Directive::Extern),
    ("extrn", Directive::Extern),
    ("externdef", Directive::ExternDef),
    ("for", Directive::For),
    ("irp", Directive::For),
    ("forc", Directive::ForC),
    ("irpc", Directive::ForC),
    ("goto", Directive::Goto),
    ("group", Directive::Group),
    ("if", Directive::If(IfTest::NonZero)),
    ("ife", Directive::If(IfTest::Zero)),
    ("ifdef", Directive::If(IfTest::Defined)),
    ("ifndef", Directive::If(IfTest::NotDefined)),
    ("ifb", Directive::If(IfTest::Blank)),
    ("ifnb", Directive::If(IfTest::NotBlank)),
    ("ifidn", Directive::If(IfTest::Same)),
    ("ifidni", Directive::If(IfTest::SameFolded)),
    ("ifdif", Directive::If(IfTest::Different)),
    ("ifdifi", Directive::If(IfTest::DifferentFolded)),
    ("if1", Directive::If(IfTest::Pass1)),
    ("if2", Directive::If(IfTest::Pass2)),
    ("elseif", Directive::ElseIfCond(IfTest::NonZero)),
    ("elseife", Directive::ElseIfCond(IfTest::Zero)),
    ("elseifdef", Directive::ElseIfCond(IfTest::Defined)),
    ("elseifndef", Directive::ElseIfCond(IfTest::NotDefined)),
    ("elseifb", Directive::ElseIfCond(IfTest::Blank)),
    ("elseifnb", Directive::ElseIfCond(IfTest::NotBlank)),
    ("elseifidn", Directive::ElseIfCond(IfTest::Same)),
    ("elseifidni", Directive::ElseIfCond(IfTest::SameFolded)),
    ("elseifdif", Directive::ElseIfCond(IfTest::Different)),
    ("elseifdifi", Directive::ElseIfCond(IfTest::DifferentFolded)),
    ("else", Directive::ElseCond),
    ("endif", Directive::EndIfCond),
    ("include", Directive::Include),
    ("includelib", Directive::IncludeLib),
    ("instr", Directive::InStr),
    ("invoke", Directive::Invoke),
    ("label", Directive::Label),
    ("local", Directive::Local),
    ("macro", Directive::Macro),
    ("option", Directive::OptionSet),
    ("org", Directive::Org),
    ("proc", Directive::Proc),
    ("proto", Directive::Proto),
    ("public", Directive::Public),
    ("purge", Directive::Purge),
    ("record", Directive::Record),
    ("repeat", Directive::RepeatMacro),
    ("rept", Directive::RepeatMacro),
    ("segment", Directive::Segment),
    ("sizestr", Directive::SizeStr),
    ("struct", Directive::Struct),
    ("struc", Directive::Struct),
    ("substr", Directive::SubStr),
    ("textequ", Directive::TextEqu),
    ("typedef", Directive::TypeDef),
    ("union", Directive::Union),
    ("while", Directive::WhileMacro),
    ("pushcontext", Directive::Unsupported),
    ("popcontext", Directive::Unsupported),
];
