//! Types of data and of addresses.

use std::collections::HashMap;
use std::rc::Rc;

use crate::line::Line;
use crate::symbol::SymbolId;

/// Names a structure, a union or a record of a [`TypeTable`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct StructId(u32);

/// Names a record of a [`TypeTable`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct RecordId(u32);

/// Names the target of a typed pointer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct PointeeId(u32);

/// Names a procedure signature.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SignatureId(u32);

/// The type of a datum, a label or a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Type {
    Byte,
    SByte,
    Word,
    SWord,
    DWord,
    SDWord,
    FWord,
    QWord,
    SQWord,
    TByte,
    OWord,
    YmmWord,
    Real4,
    Real8,
    Real10,
    /// A code label.
    Near,
    /// A code label in another segment.
    Far,
    /// A pointer; `None` points to anything.
    Ptr(Option<PointeeId>),
    Struct(StructId),
    Record(RecordId),
    /// A procedure type: `typedef proto`.
    Proc(SignatureId),
    /// A type that is defined later; only pointers can have it as a target.
    Named(SymbolId),
}

/// Size of a near pointer in bytes.
pub(crate) const POINTER_SIZE: u32 = 4;
/// What `type` gives for a near code label.
const NEAR_TYPE: u32 = 0xFF04;
/// What `type` gives for a far code label.
const FAR_TYPE: u32 = 0xFF06;

impl Type {
    /// Whether comparisons of this type are signed.
    pub(crate) fn is_signed(self) -> bool {
        matches!(
            self,
            Self::SByte | Self::SWord | Self::SDWord | Self::SQWord
        )
    }

    /// Whether it is the type of a place in the code.
    pub(crate) fn is_code(self) -> bool {
        matches!(self, Self::Near | Self::Far | Self::Proc(_))
    }

    /// The size of a built-in scalar; `None` for types that need the table.
    pub(crate) fn scalar_size(self) -> Option<u32> {
        Some(match self {
            Self::Byte | Self::SByte => 1,
            Self::Word | Self::SWord => 2,
            Self::DWord | Self::SDWord | Self::Real4 => 4,
            Self::FWord => 6,
            Self::QWord | Self::SQWord | Self::Real8 => 8,
            Self::TByte | Self::Real10 => 10,
            Self::OWord => 16,
            Self::YmmWord => 32,
            Self::Ptr(_) => POINTER_SIZE,
            Self::Near
            | Self::Far
            | Self::Struct(_)
            | Self::Record(_)
            | Self::Proc(_)
            | Self::Named(_) => return None,
        })
    }
}

/// Where the initial value of a field was written.
#[derive(Clone, Debug)]
pub(crate) struct FieldInit {
    pub(crate) line: Rc<Line>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A member of a structure or union.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// `None` for an anonymous nested structure or union.
    pub(crate) name: Option<Box<[u8]>>,
    pub(crate) offset: u32,
    pub(crate) ty: Type,
    /// Number of elements.
    pub(crate) count: u32,
    /// Total size in bytes.
    pub(crate) size: u32,
    pub(crate) init: Option<FieldInit>,
}

/// Whether members follow each other or share their place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Aggregate {
    Struct,
    Union,
}

/// A structure or a union.
#[derive(Clone, Debug)]
pub(crate) struct StructDef {
    pub(crate) kind: Aggregate,
    pub(crate) size: u32,
    /// The widest alignment of a member, limited by the alignment in the definition.
    pub(crate) align: u32,
    pub(crate) fields: Vec<Field>,
    names: HashMap<Box<[u8]>, u32>,
}

impl StructDef {
    pub(crate) fn new(kind: Aggregate) -> Self {
        Self {
            kind,
            size: 0,
            align: 1,
            fields: Vec::new(),
            names: HashMap::new(),
        }
    }
}

/// A bit field of a record.
#[derive(Clone, Debug)]
pub(crate) struct BitField {
    pub(crate) shift: u32,
    pub(crate) width: u32,
    pub(crate) initial: i128,
}

/// A record: named bit fields in a byte, word or doubleword.
#[derive(Clone, Debug)]
pub(crate) struct RecordDef {
    pub(crate) size: u32,
    pub(crate) fields: Vec<BitField>,
}

/// How arguments are passed and who removes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    /// Names stay as they are, and arguments are the caller's business.
    None,
    /// The callee removes the arguments; names become `_name@bytes`.
    Stdcall,
    /// The caller removes the arguments; names become `_name`.
    C,
    /// As C, names undecorated.
    Syscall,
}

/// A parameter of a procedure.
#[derive(Clone, Debug)]
pub(crate) struct Param {
    pub(crate) name: Option<Box<[u8]>>,
    pub(crate) ty: Type,
    pub(crate) is_vararg: bool,
}

/// What a prototype or a procedure says about its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Signature {
    pub(crate) language: Language,
    pub(crate) params: Vec<Param>,
}

impl Signature {
    pub(crate) fn is_vararg(&self) -> bool {
        self.params.last().is_some_and(|param| param.is_vararg)
    }
}

/// All user-defined types of an assembly.
#[derive(Clone, Debug, Default)]
pub(crate) struct TypeTable {
    structs: Vec<Rc<StructDef>>,
    records: Vec<RecordDef>,
    pointees: Vec<Type>,
    /// Places in `pointees`.
    known_pointees: HashMap<Type, PointeeId>,
    signatures: Vec<Signature>,
}

/// A member as a path expression finds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) offset: u32,
    pub(crate) ty: Type,
    pub(crate) count: u32,
    pub(crate) size: u32,
}

impl TypeTable {
    pub(crate) fn add_struct(&mut self, def: StructDef) -> StructId {
        self.structs.push(Rc::new(def));
        StructId(index(self.structs.len()))
    }

    pub(crate) fn add_record(&mut self, def: RecordDef) -> RecordId {
        self.records.push(def);
        RecordId(index(self.records.len()))
    }

    pub(crate) fn add_signature(&mut self, signature: Signature) -> SignatureId {
        self.signatures.push(signature);
        SignatureId(index(self.signatures.len()))
    }

    pub(crate) fn pointer_to(&mut self, target: Type) -> Type {
        let next = PointeeId(crate::source::to_u32(self.pointees.len()));
        let id = *self.known_pointees.entry(target).or_insert(next);
        if id == next {
            self.pointees.push(target);
        }
        Type::Ptr(Some(id))
    }

    pub(crate) fn pointee(&self, id: PointeeId) -> Option<Type> {
        self.pointees.get(id.0 as usize).copied()
    }

    pub(crate) fn structure(&self, id: StructId) -> Option<&Rc<StructDef>> {
        self.structs.get(id.0 as usize)
    }

    pub(crate) fn record(&self, id: RecordId) -> Option<&RecordDef> {
        self.records.get(id.0 as usize)
    }

    pub(crate) fn signature(&self, id: SignatureId) -> Option<&Signature> {
        self.signatures.get(id.0 as usize)
    }

    /// Returns the size in bytes, as `sizeof` counts it.
    pub(crate) fn size_of(&self, ty: Type) -> u32 {
        match ty {
            Type::Struct(id) => self.structure(id).map_or(0, |def| def.size),
            Type::Record(id) => self.record(id).map_or(0, |def| def.size),
            Type::Near | Type::Proc(_) => NEAR_TYPE,
            Type::Far => FAR_TYPE,
            scalar => scalar.scalar_size().unwrap_or(0),
        }
    }

    /// Returns the natural alignment inside a structure.
    pub(crate) fn align_of(&self, ty: Type) -> u32 {
        match ty {
            Type::Struct(id) => self.structure(id).map_or(1, |def| def.align),
            other => self.size_of(other).max(1),
        }
    }

    /// Finds a member by name; `key` must be folded as `add_field_name` got it.
    pub(crate) fn member(&self, id: StructId, key: &[u8]) -> Option<Member> {
        let def = self.structure(id)?;
        let field = def.fields.get(*def.names.get(key)? as usize)?;
        if field.name.is_none() {
            let Type::Struct(inner) = field.ty else {
                return None;
            };
            let member = self.member(inner, key)?;
            return Some(Member {
                offset: member.offset.wrapping_add(field.offset),
                ..member
            });
        }
        Some(Member {
            offset: field.offset,
            ty: field.ty,
            count: field.count,
            size: field.size,
        })
    }

    /// Appends a member, aligned to at most `max_align`; returns whether it fits: a structure is not
    /// larger than an address space.
    pub(crate) fn push_field(&self, def: &mut StructDef, mut field: Field, max_align: u32) -> bool {
        let align = self.align_of(field.ty).min(max_align).max(1);
        def.align = def.align.max(align);
        let start = match def.kind {
            Aggregate::Struct => def.size.checked_next_multiple_of(align),
            Aggregate::Union => Some(0),
        };
        let Some(end) = start.and_then(|start| start.checked_add(field.size)) else {
            return false;
        };
        field.offset = start.unwrap_or(0);
        def.size = def.size.max(end);
        def.fields.push(field);
        true
    }

    /// Makes the last member of `def` (or, if it is anonymous, its members) known by name.
    ///
    /// Returns the name that was known already.
    pub(crate) fn name_last_field<'n>(
        def: &mut StructDef,
        keys: &'n [Box<[u8]>],
    ) -> Option<&'n [u8]> {
        let place = index(def.fields.len());
        keys.iter()
            .find(|&key| def.names.insert(key.clone(), place).is_some())
            .map(|v| v as _)
    }

    /// Returns the folded names of all members.
    pub(crate) fn member_names(&self, id: StructId) -> Vec<Box<[u8]>> {
        let mut names: Vec<_> = self
            .structure(id)
            .map(|def| def.names.keys().cloned().collect())
            .unwrap_or_default();
        names.sort_unstable();
        names
    }

    /// Returns the bytes that an argument of this type takes on the stack.
    pub(crate) fn stack_size(&self, ty: Type) -> u32 {
        self.size_of(ty).next_multiple_of(POINTER_SIZE)
    }

    /// Returns the bytes that the arguments take, without variable ones.
    pub(crate) fn argument_bytes(&self, signature: &Signature) -> u32 {
        let fixed = signature.params.iter().filter(|param| !param.is_vararg);
        fixed
            .map(|param| self.stack_size(param.ty))
            .fold(0, u32::wrapping_add)
    }
}

fn index(len: usize) -> u32 {
    crate::source::to_u32(len).saturating_sub(1)
}
