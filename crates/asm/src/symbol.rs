//! The symbol table.

use std::collections::HashMap;
use std::rc::Rc;

use crate::source::{Span, to_u32};
use crate::types::{Language, RecordId, SignatureId, Type};

/// Names a symbol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct SymbolId(u32);

/// Names a section of the object being built.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct SectionId(pub(crate) u32);

/// Names a macro.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MacroId(pub(crate) u32);

/// Names a procedure of the module.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ProcId(pub(crate) u32);

/// The shape of the datum at a label or a local variable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    pub(crate) ty: Type,
    /// `lengthof`: number of elements.
    pub(crate) count: u32,
    /// `sizeof`: total size in bytes.
    pub(crate) size: u32,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum SymbolKind {
    /// Used, not defined so far.
    Undefined,
    /// A place in a section.
    Label {
        section: SectionId,
        offset: u32,
        shape: Shape,
    },
    /// Defined elsewhere.
    External {
        shape: Shape,
    },
    /// A number; `=` may change it.
    Number {
        value: i128,
        is_variable: bool,
    },
    /// Another symbol plus a number: `name equ label+4`.
    Alias {
        target: SymbolId,
        addend: i128,
        ty: Option<Type>,
    },
    /// A text equate.
    Text(Rc<[u8]>),
    Macro(MacroId),
    /// A structure, union, record or `typedef`.
    Type(Type),
    /// A field of a record.
    BitField {
        record: RecordId,
        index: u32,
    },
    /// A parameter or local variable, relative to EBP.
    Stack {
        offset: i32,
        shape: Shape,
    },
}

/// Who sees a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Visibility {
    Private,
    Public,
}

/// A name and what it stands for.
#[derive(Clone, Debug)]
pub(crate) struct Symbol {
    pub(crate) name: Rc<[u8]>,
    pub(crate) kind: SymbolKind,
    pub(crate) visibility: Visibility,
    pub(crate) language: Language,
    pub(crate) signature: Option<SignatureId>,
    /// The procedure, for a name defined by `proc`.
    pub(crate) proc: Option<ProcId>,
    /// The library that exports it, for an external.
    pub(crate) library: Option<Rc<str>>,
    /// Whether code or data refers to it.
    pub(crate) is_used: bool,
    /// Whether it is in the list of what other modules see.
    pub(crate) is_in_publics: bool,
    /// Whether it is in the list of what other modules have.
    pub(crate) is_in_externals: bool,
    /// The pass in which it was defined last.
    pub(crate) pass: u32,
    /// Where it was defined; before that, where it was made public.
    pub(crate) span: Option<Span>,
}

impl Symbol {
    fn new(name: &[u8]) -> Self {
        Self {
            name: name.into(),
            kind: SymbolKind::Undefined,
            visibility: Visibility::Private,
            language: Language::None,
            signature: None,
            proc: None,
            library: None,
            is_in_publics: false,
            is_in_externals: false,
            is_used: false,
            pass: 0,
            span: None,
        }
    }

    pub(crate) fn is_defined(&self) -> bool {
        !matches!(self.kind, SymbolKind::Undefined)
    }
}

/// How letters of user names compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CaseMap {
    /// `option casemap:none`: case matters.
    None,
    /// Names differ only by more than case.
    All,
}

type Scope = HashMap<Rc<[u8]>, SymbolId>;

/// All symbols of an assembly, global ones and those of procedures.
#[derive(Debug)]
pub(crate) struct SymbolTable {
    symbols: Vec<Symbol>,
    global: Scope,
    scopes: Vec<Scope>,
    pub(crate) case_map: CaseMap,
}

impl SymbolTable {
    pub(crate) fn new() -> Self {
        Self {
            symbols: Vec::new(),
            global: Scope::new(),
            scopes: Vec::new(),
            case_map: CaseMap::All,
        }
    }

    /// Returns the name as it is looked up.
    pub(crate) fn key(&self, name: &[u8]) -> Box<[u8]> {
        match self.case_map {
            CaseMap::None => name.into(),
            CaseMap::All => name.to_ascii_uppercase().into(),
        }
    }

    /// What it costs to look at all names, as bytes of a source that are read meanwhile.
    pub(crate) fn cost(&self) -> usize {
        const NAME_COST: usize = 16;
        self.symbols.len() * NAME_COST
    }

    pub(crate) fn get(&self, id: SymbolId) -> &Symbol {
        self.symbols
            .get(id.0 as usize)
            .expect("ids come from this table only")
    }

    pub(crate) fn get_mut(&mut self, id: SymbolId) -> &mut Symbol {
        self.symbols
            .get_mut(id.0 as usize)
            .expect("ids come from this table only")
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = SymbolId> + use<> {
        (0..to_u32(self.symbols.len())).map(SymbolId)
    }

    fn lookup(&self, scope: &Scope, name: &[u8]) -> Option<SymbolId> {
        match self.case_map {
            CaseMap::None => scope.get(name).copied(),
            CaseMap::All => scope.get(&*self.key(name)).copied(),
        }
    }

    /// Finds a name: first in the procedure, then in the module.
    pub(crate) fn find(&self, proc: Option<ProcId>, name: &[u8]) -> Option<SymbolId> {
        proc.and_then(|proc| self.find_local(proc, name))
            .or_else(|| self.find_global(name))
    }

    pub(crate) fn find_global(&self, name: &[u8]) -> Option<SymbolId> {
        self.lookup(&self.global, name)
    }

    pub(crate) fn find_local(&self, proc: ProcId, name: &[u8]) -> Option<SymbolId> {
        self.scopes
            .get(proc.0 as usize)
            .and_then(|scope| self.lookup(scope, name))
    }

    /// Returns the module's symbol of this name, which may be new and undefined.
    pub(crate) fn global(&mut self, name: &[u8]) -> SymbolId {
        if let Some(id) = self.find_global(name) {
            return id;
        }
        let id = self.add(name);
        let key = self.own_key(id);
        self.global.insert(key, id);
        id
    }

    /// Returns the procedure's symbol of this name, which may be new and undefined.
    pub(crate) fn local(&mut self, proc: ProcId, name: &[u8]) -> SymbolId {
        if let Some(id) = self.find_local(proc, name) {
            return id;
        }
        let id = self.add(name);
        let key = self.own_key(id);
        let place = proc.0 as usize;
        if self.scopes.len() <= place {
            self.scopes.resize_with(place + 1, Scope::new);
        }
        if let Some(scope) = self.scopes.get_mut(place) {
            scope.insert(key, id);
        }
        id
    }

    /// Returns the key of a symbol's own name; it shares the name's bytes if case matters.
    fn own_key(&self, id: SymbolId) -> Rc<[u8]> {
        let name = &self.get(id).name;
        match self.case_map {
            CaseMap::None => Rc::clone(name),
            CaseMap::All => self.key(name).into(),
        }
    }

    /// Adds a symbol that no name finds.
    pub(crate) fn add(&mut self, name: &[u8]) -> SymbolId {
        let id = SymbolId(to_u32(self.symbols.len()));
        self.symbols.push(Symbol::new(name));
        id
    }

    /// Forgets a name: what it stood for may be defined anew.
    pub(crate) fn forget(&mut self, id: SymbolId) {
        self.get_mut(id).kind = SymbolKind::Undefined;
    }

    /// Looks names up differently from now on; what is known keeps its place.
    pub(crate) fn set_case_map(&mut self, case_map: CaseMap) {
        self.case_map = case_map;
        let mut ids: Vec<_> = self.global.values().copied().collect();
        ids.sort_unstable();
        self.global = ids.into_iter().map(|id| (self.own_key(id), id)).collect();
    }
}
