//! The instruction table: every IA-32 form that iced-x86 knows, in the order in which MASM
//! prefers them.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use iced_x86::{
    Code, CpuidFeature, DecoderOptions, EncodingKind, MandatoryPrefix, Mnemonic as IcedMnemonic,
    OpCodeInfo, OpCodeOperandKind as Kind, OpCodeTableKind,
};

use crate::source::to_u32;

/// Names a mnemonic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct MnemonicId(u32);

/// What a mnemonic is beyond its list of forms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Special {
    /// Nothing: the forms say all.
    None,
    /// `jmp`
    Jump,
    /// `call`
    Call,
    /// A conditional jump with its condition code.
    ConditionalJump(u8),
    /// `loop`, `loope`, `loopne`, `jecxz`, `jcxz`: the opcode of the short jump.
    ShortJump {
        opcode: u8,
        address_prefix: AddressPrefix,
    },
    /// A string instruction: the opcode and the size of an element in bytes.
    Text { opcode: u8, element: u32 },
    /// `movs`, `stos` and the like without a size: the opcode of the byte form.
    UnsizedText { opcode: u8 },
    /// `ret`: inside a procedure it stands for the epilogue.
    Return,
    /// `retn` and `retf`: never an epilogue.
    PlainReturn,
    /// `pushw` and `pushd`: the size of the pushed constant.
    SizedPush(u32),
}

/// Whether a jump counts in CX instead of ECX.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AddressPrefix {
    No,
    Yes,
}

/// What a source must have selected for an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Needs {
    /// Any 32-bit processor.
    I386,
    I486,
    I586,
    I686,
    /// `.mmx`
    Mmx,
    /// `.xmm`
    Xmm,
    /// The `p` of `.386p`.
    Privilege,
}

/// One encodable form of an instruction.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// Bytes before the `ModRM` byte, without legacy prefixes.
    pub(crate) opcode: Vec<u8>,
    /// The prefix that is part of the opcode.
    pub(crate) mandatory: Option<u8>,
    /// Whether the form needs the operand-size prefix in 32-bit code.
    pub(crate) is_16_bit: bool,
    /// Whether a WAIT byte precedes.
    pub(crate) has_wait: bool,
    /// The opcode extension in the reg field of the `ModRM` byte.
    pub(crate) extension: Option<u8>,
    pub(crate) operands: Vec<Kind>,
    /// The processor that has it.
    pub(crate) needs: Needs,
    /// The size of a memory operand whose kind does not tell it; `None` if any size will do.
    pub(crate) memory_size: Option<u32>,
}

/// A mnemonic with its forms, best first.
#[derive(Clone, Debug)]
pub(crate) struct Mnemonic {
    pub(crate) name: Box<str>,
    pub(crate) special: Special,
    pub(crate) forms: Vec<Form>,
}

/// The whole table.
#[derive(Debug)]
struct Table {
    mnemonics: Vec<Mnemonic>,
    names: HashMap<Box<str>, MnemonicId>,
}

/// Returns the mnemonic with this id.
pub(crate) fn mnemonic(id: MnemonicId) -> &'static Mnemonic {
    table()
        .mnemonics
        .get(id.0 as usize)
        .expect("ids come from this table only")
}

/// Returns all names of mnemonics, also the alternative ones.
pub(crate) fn mnemonics() -> impl Iterator<Item = (&'static str, MnemonicId)> {
    table().names.iter().map(|(name, &id)| (&**name, id))
}

/// Returns the mnemonic of this name in lower case.
pub(crate) fn find(name: &str) -> Option<MnemonicId> {
    table().names.get(name).copied()
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(build)
}

/// Largest memory operand that has one size; larger ones (FPU environments and the like) and the
/// 16-byte vectors take any.
const LARGEST_SIZED: usize = 10;

fn build() -> Table {
    let mut forms: BTreeMap<String, Vec<(u32, Form)>> = BTreeMap::new();
    for code in Code::values() {
        let info = code.op_code();
        if is_usable(info)
            && !UNNAMED.contains(&code.mnemonic())
            && let Some(needs) = needs(code)
        {
            let name = format!("{:?}", code.mnemonic()).to_ascii_lowercase();
            let entry = forms.entry(name).or_default();
            if let Some(form) = form(info, needs) {
                entry.push((rank(&form), form));
            }
        }
    }
    let mut table = Table {
        mnemonics: Vec::new(),
        names: HashMap::new(),
    };
    for (name, mut list) in forms {
        list.sort_by_key(|(rank, _)| *rank);
        let list = list.into_iter().map(|(_, form)| form).collect();
        add(&mut table, &name, special(&name), list);
    }
    add_text_instructions(&mut table);
    add(&mut table, "pushw", Special::SizedPush(2), Vec::new());
    add(&mut table, "pushd", Special::SizedPush(4), Vec::new());
    for (alias, name) in aliases() {
        if let Some(&id) = table.names.get(&*name) {
            table.names.insert(alias.into(), id);
        }
    }
    for plain in ["retn", "retf"] {
        let canonical = if plain == "retn" { "ret" } else { plain };
        let list = table
            .names
            .get(canonical)
            .map(|&id| mnemonic_of(&table, id).forms.clone());
        add(
            &mut table,
            plain,
            Special::PlainReturn,
            list.unwrap_or_default(),
        );
    }
    table
}

fn mnemonic_of(table: &Table, id: MnemonicId) -> &Mnemonic {
    table
        .mnemonics
        .get(id.0 as usize)
        .expect("ids come from this table only")
}

fn add(table: &mut Table, name: &str, special: Special, forms: Vec<Form>) {
    let id = MnemonicId(to_u32(table.mnemonics.len()));
    table.mnemonics.push(Mnemonic {
        name: name.into(),
        special,
        forms,
    });
    table.names.insert(name.into(), id);
}

fn is_usable(info: &OpCodeInfo) -> bool {
    info.is_instruction()
        && info.mode32()
        && info.encoding() == EncodingKind::Legacy
        && info.decoder_option() == DecoderOptions::NONE
        && !matches!(info.address_size(), 16 | 64)
}

/// Instructions that have no name in MASM.
const UNNAMED: [IcedMnemonic; 2] = [IcedMnemonic::Reservednop, IcedMnemonic::Ud0];

/// Instructions that work on words whatever the operand size, and get no prefix.
const WORD_ONLY: [IcedMnemonic; 8] = [
    IcedMnemonic::Lldt,
    IcedMnemonic::Lmsw,
    IcedMnemonic::Ltr,
    IcedMnemonic::Sldt,
    IcedMnemonic::Smsw,
    IcedMnemonic::Str,
    IcedMnemonic::Verr,
    IcedMnemonic::Verw,
];

/// What an instruction needs, or `None` for instructions of processors that MASM does not know.
fn needs(code: Code) -> Option<Needs> {
    use CpuidFeature as F;
    let mut needs = Needs::I386;
    for feature in code.cpuid_features() {
        let own = match feature {
            F::INTEL8086
            | F::INTEL186
            | F::INTEL286
            | F::INTEL386
            | F::FPU
            | F::FPU287
            | F::FPU387 => Needs::I386,
            F::INTEL486 => Needs::I486,
            F::CPUID | F::CX8 | F::MSR | F::TSC => Needs::I586,
            F::CMOV | F::MULTIBYTENOP | F::RDPMC | F::SEP | F::SYSCALL => Needs::I686,
            F::MMX => Needs::Mmx,
            F::SSE
            | F::SSE2
            | F::SSE3
            | F::SSSE3
            | F::SSE4_1
            | F::SSE4_2
            | F::SSE4A
            | F::AES
            | F::PCLMULQDQ
            | F::POPCNT
            | F::CLFSH
            | F::FXSR
            | F::MONITOR
            | F::PAUSE
            | F::CET_IBT => Needs::Xmm,
            _ => return None,
        };
        if own != Needs::I386 && !(own == Needs::I686 && needs == Needs::Xmm) {
            needs = own;
        }
    }
    let is_privileged = code.op_code().must_be_cpl0() && code != Code::Hlt;
    Some(if is_privileged && needs == Needs::I386 {
        Needs::Privilege
    } else {
        needs
    })
}

fn form(info: &OpCodeInfo, needs: Needs) -> Option<Form> {
    let operands = info.op_kinds().to_vec();
    if !operands.iter().all(|&kind| is_encodable(kind)) {
        return None;
    }
    let mandatory = match info.mandatory_prefix() {
        MandatoryPrefix::P66 => Some(0x66),
        MandatoryPrefix::PF3 => Some(0xF3),
        MandatoryPrefix::PF2 => Some(0xF2),
        MandatoryPrefix::None | MandatoryPrefix::PNP => None,
    };
    let memory_size = match info.memory_size().size() {
        size @ 1..=LARGEST_SIZED => Some(to_u32(size)),
        _ => None,
    };
    let extension = u8::try_from(info.group_index()).ok();
    Some(Form {
        opcode: opcode_bytes(info)?,
        mandatory,
        // Loading a segment register moves 16 bits in any case.
        is_16_bit: info.operand_size() == 16
            && operands.first() != Some(&Kind::seg_reg)
            && !WORD_ONLY.contains(&info.mnemonic()),
        has_wait: info.fwait(),
        extension,
        operands,
        needs,
        memory_size,
    })
}

fn opcode_bytes(info: &OpCodeInfo) -> Option<Vec<u8>> {
    let mut bytes = match info.table() {
        OpCodeTableKind::Normal => vec![],
        OpCodeTableKind::T0F => vec![0x0F],
        OpCodeTableKind::T0F38 => vec![0x0F, 0x38],
        OpCodeTableKind::T0F3A => vec![0x0F, 0x3A],
        _ => return None,
    };
    let opcode = info.op_code().to_be_bytes();
    let len = info.op_code_len().clamp(1, 2) as usize;
    bytes.extend_from_slice(opcode.get(4 - len..)?);
    Some(bytes)
}

/// Whether an operand kind is written in the operand list of a MASM instruction.
fn is_encodable(kind: Kind) -> bool {
    use Kind as K;
    matches!(
        kind,
        K::mem_offs
            | K::mem
            | K::r8_or_mem
            | K::r16_or_mem
            | K::r32_or_mem
            | K::mm_or_mem
            | K::xmm_or_mem
            | K::r8_reg
            | K::r8_opcode
            | K::r16_reg
            | K::r16_rm
            | K::r16_opcode
            | K::r32_reg
            | K::r32_rm
            | K::r32_opcode
            | K::seg_reg
            | K::mm_reg
            | K::mm_rm
            | K::xmm_reg
            | K::xmm_rm
            | K::cr_reg
            | K::dr_reg
            | K::imm8
            | K::imm8_const_1
            | K::imm8sex16
            | K::imm8sex32
            | K::imm16
            | K::imm32
            | K::al
            | K::cl
            | K::ax
            | K::dx
            | K::eax
            | K::es
            | K::cs
            | K::ss
            | K::ds
            | K::fs
            | K::gs
            | K::st0
            | K::sti_opcode
    )
}

/// MASM's preference among forms that fit, smaller first: the one-byte and sign-extended forms,
/// the accumulator forms, register from register-or-memory, the reverse, long immediates. Forms
/// with a 16-bit operand size come last, so that an operand without a size means 32 bits.
fn rank(form: &Form) -> u32 {
    use Kind as K;
    /// Puts 16-bit forms behind all others.
    const SIXTEEN_BIT: u32 = 100;

    let first = form.operands.first().copied();
    let last = form.operands.last().copied();
    let by_operands = match (first, last) {
        (_, Some(K::imm8_const_1 | K::mem_offs)) | (Some(K::mem_offs), _) => 0,
        (_, Some(K::imm8sex16 | K::imm8sex32)) => 1,
        (Some(K::r8_opcode | K::r16_opcode | K::r32_opcode), _) => 2,
        (Some(K::al | K::ax | K::eax), _)
        | (_, Some(K::al | K::ax | K::eax))
        | (Some(K::st0), Some(K::sti_opcode)) => 3,
        (Some(K::r8_reg | K::r16_reg | K::r32_reg | K::mm_reg | K::xmm_reg), _) => 4,
        _ => 5,
    };
    by_operands + if form.is_16_bit { SIXTEEN_BIT } else { 0 }
}

fn special(name: &str) -> Special {
    let short = |opcode, address_prefix| Special::ShortJump {
        opcode,
        address_prefix,
    };
    match name {
        "jmp" => Special::Jump,
        "call" => Special::Call,
        "ret" => Special::Return,
        "loopne" => short(0xE0, AddressPrefix::No),
        "loope" => short(0xE1, AddressPrefix::No),
        "loop" => short(0xE2, AddressPrefix::No),
        "jecxz" => short(0xE3, AddressPrefix::No),
        "jcxz" => short(0xE3, AddressPrefix::Yes),
        _ => match CONDITIONS
            .iter()
            .position(|&(main, _)| name.strip_prefix('j') == Some(main))
        {
            Some(code) => Special::ConditionalJump(u8::try_from(code).unwrap_or(0)),
            None => Special::None,
        },
    }
}

/// The sixteen conditions in the order of their codes, with their other names.
const CONDITIONS: [(&str, &[&str]); 16] = [
    ("o", &[]),
    ("no", &[]),
    ("b", &["c", "nae"]),
    ("ae", &["nc", "nb"]),
    ("e", &["z"]),
    ("ne", &["nz"]),
    ("be", &["na"]),
    ("a", &["nbe"]),
    ("s", &[]),
    ("ns", &[]),
    ("p", &["pe"]),
    ("np", &["po"]),
    ("l", &["nge"]),
    ("ge", &["nl"]),
    ("le", &["ng"]),
    ("g", &["nle"]),
];

fn aliases() -> Vec<(String, String)> {
    let mut list = Vec::new();
    for (main, others) in CONDITIONS {
        for other in others {
            for stem in ["j", "set", "cmov"] {
                list.push((format!("{stem}{other}"), format!("{stem}{main}")));
            }
        }
    }
    let fixed = [
        ("sal", "shl"),
        ("fwait", "wait"),
        ("loopz", "loope"),
        ("loopnz", "loopne"),
        ("loopd", "loop"),
        ("pushaw", "pusha"),
        ("popaw", "popa"),
        ("pushfw", "pushf"),
        ("popfw", "popf"),
        ("iretw", "iret"),
        ("pusha", "pushad"),
        ("popa", "popad"),
        ("pushf", "pushfd"),
        ("popf", "popfd"),
        ("iret", "iretd"),
        ("repz", "repe"),
    ];
    list.extend(
        fixed
            .iter()
            .map(|&(alias, name)| (alias.to_string(), name.to_string())),
    );
    list
}

/// Name, opcode of the byte form.
const TEXT_INSTRUCTIONS: [(&str, u8); 7] = [
    ("movs", 0xA4),
    ("cmps", 0xA6),
    ("stos", 0xAA),
    ("lods", 0xAC),
    ("scas", 0xAE),
    ("ins", 0x6C),
    ("outs", 0x6E),
];

/// Opcode of `xlat`.
const XLAT: u8 = 0xD7;

fn add_text_instructions(table: &mut Table) {
    for (name, opcode) in TEXT_INSTRUCTIONS {
        for (suffix, element, wide) in [("b", 1, 0), ("w", 2, 1), ("d", 4, 1)] {
            let name = format!("{name}{suffix}");
            // MOVSD and CMPSD are vector instructions too: their forms are kept.
            let vector = table
                .names
                .get(&*name)
                .map(|&id| mnemonic_of(table, id).forms.clone());
            let special = Special::Text {
                opcode: opcode + wide,
                element,
            };
            add(table, &name, special, vector.unwrap_or_default());
        }
        add(table, name, Special::UnsizedText { opcode }, Vec::new());
    }
    for name in ["xlat", "xlatb"] {
        add(
            table,
            name,
            Special::Text {
                opcode: XLAT,
                element: 1,
            },
            Vec::new(),
        );
    }
}
