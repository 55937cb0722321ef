//! The object: sections, symbols and references, before linking.

use std::collections::BTreeMap;

use crate::asm::Assembler;
use crate::insn::operand::RefKind;
use crate::section::{SectionData, SectionKind, Target};
use crate::source::{Span, to_u32};
use crate::symbol::{SymbolId, SymbolKind, Visibility};
use crate::types::{Language, Type};

/// What a section holds, and hence what may be done with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Content {
    /// Instructions: read and executed.
    Code,
    /// Data: read and written.
    Data,
    /// Data without initial values: read and written, zero at the start.
    Uninitialized,
    /// Constants: read only.
    Constants,
}

/// What the linker stores in a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RelocationKind {
    /// The 32-bit address of the symbol plus the number in the field.
    Address,
    /// The distance from the end of the field to the symbol, plus the number in the field.
    Relative,
    /// The address less the image base, plus the number in the field.
    ImageRelative,
}

/// A 32-bit field that depends on a symbol's address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Relocation {
    /// Offset of the field in its section.
    pub offset: u32,
    /// What is stored.
    pub kind: RelocationKind,
    /// Index in [`Object::symbols`].
    pub symbol: usize,
}

/// A section of the object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Section {
    /// The name in the object file, such as `.text`.
    pub name: String,
    /// What it holds.
    pub content: Content,
    /// Alignment in bytes, a power of two.
    pub align: u32,
    /// The bytes; empty for uninitialised data.
    pub bytes: Vec<u8>,
    /// Size in bytes.
    pub size: u32,
    /// The fields to fill, in the order in which they were written.
    pub relocations: Vec<Relocation>,
}

/// What a symbol names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SymbolClass {
    /// A section itself.
    Section,
    /// A procedure.
    Procedure,
    /// A label in code.
    Label,
    /// A datum.
    Datum,
}

/// Where a symbol is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SymbolPlace {
    /// In another module or library.
    External,
    /// Wherever the linker finds room, once for all modules that name it: COMM.
    Common {
        /// Its size in bytes.
        size_bytes: u32,
    },
    /// In a section of this object.
    Defined {
        /// Index in [`Object::sections`].
        section: usize,
        /// Offset in the section.
        offset: u32,
    },
}

/// A symbol of the object file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Symbol {
    /// The name with its decoration: `_ExitProcess@4`.
    pub decorated: String,
    /// The name as in the source.
    pub name: String,
    /// What it names.
    pub class: SymbolClass,
    /// Where it is.
    pub place: SymbolPlace,
    /// Whether other modules see it.
    pub is_public: bool,
    /// The library that exports an external symbol, if the built-in tables tell.
    pub library: Option<String>,
}

/// Where the code of a line comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineOrigin {
    /// The line itself.
    Source,
    /// A directive on the line, such as `invoke` or `.if`.
    Generated,
    /// A macro or repeat block on the line.
    Expanded,
}

/// A source line that made bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineEntry {
    /// Index in [`Object::sections`].
    pub section: usize,
    /// Offset of the first byte.
    pub offset: u32,
    /// Number of bytes.
    pub len: u32,
    /// The source line.
    pub span: Span,
    /// Where the code comes from.
    pub origin: LineOrigin,
}

/// A name with an address, for reports; object files do not have all of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// The name as in the source.
    pub name: String,
    /// What it names.
    pub class: SymbolClass,
    /// Index in [`Object::sections`].
    pub section: usize,
    /// Offset in the section.
    pub offset: u32,
    /// Size of the datum in bytes; 0 for code.
    pub size: u32,
}

/// An assembled module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Object {
    /// The sections in the order in which the source opened them.
    pub sections: Vec<Section>,
    /// The symbols in the order of a COFF symbol table.
    pub symbols: Vec<Symbol>,
    /// The entry point: index in [`Object::symbols`].
    pub entry: Option<usize>,
    /// The source lines of the bytes, by section and offset.
    pub lines: Vec<LineEntry>,
    /// All labels of code and data, by section and offset.
    pub labels: Vec<Label>,
    /// The libraries that INCLUDELIB named.
    pub libraries: Vec<String>,
}

/// Collects the symbols of an object.
struct Symbols {
    list: Vec<Symbol>,
    places: BTreeMap<SymbolId, usize>,
}

impl Assembler<'_> {
    /// Builds the object from the last pass.
    pub(crate) fn object(&mut self) -> Object {
        let mut symbols = Symbols {
            list: Vec::new(),
            places: BTreeMap::new(),
        };
        for (index, section) in self.out.sections.iter().enumerate() {
            symbols.list.push(Symbol {
                decorated: text(&section.name),
                name: text(&section.name),
                class: SymbolClass::Section,
                place: SymbolPlace::Defined {
                    section: index,
                    offset: 0,
                },
                is_public: false,
                library: None,
            });
        }
        for &id in &self.externals {
            let symbol = self.symbols.get(id);
            let is_external = matches!(symbol.kind, SymbolKind::External { .. });
            if is_external && symbol.is_used {
                self.add_symbol(&mut symbols, id);
            }
        }
        for &id in &self.publics {
            self.add_symbol(&mut symbols, id);
        }
        let sections = self.out.sections.clone();
        for section in &sections {
            for reference in &section.references {
                if let Target::Symbol(id) = reference.target {
                    self.add_symbol(&mut symbols, id);
                }
            }
        }
        let built = sections
            .iter()
            .map(|section| build_section(section, &symbols))
            .collect();
        Object {
            sections: built,
            entry: self.entry.and_then(|id| symbols.places.get(&id).copied()),
            symbols: symbols.list,
            lines: self.lines(),
            labels: self.labels(),
            libraries: self.library_names(),
        }
    }

    fn library_names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.libraries.iter().collect();
        names.sort_by_key(|&(_, place)| place);
        names.into_iter().map(|(name, _)| name.clone()).collect()
    }

    fn add_symbol(&self, symbols: &mut Symbols, id: SymbolId) {
        if symbols.places.contains_key(&id) {
            return;
        }
        let symbol = self.symbols.get(id);
        let (place, shape) = match symbol.kind {
            SymbolKind::Label {
                section,
                offset,
                shape,
            } => (
                SymbolPlace::Defined {
                    section: section.0 as usize,
                    offset,
                },
                shape,
            ),
            SymbolKind::External { shape } => match self.commons.get(&id).copied() {
                Some(size_bytes) => (SymbolPlace::Common { size_bytes }, shape),
                None => (SymbolPlace::External, shape),
            },
            _ => return,
        };
        let is_procedure = symbol.signature.is_some();
        let class = match (is_procedure, shape.ty) {
            (true, _) => SymbolClass::Procedure,
            (false, ty) if ty.is_code() => SymbolClass::Label,
            _ => SymbolClass::Datum,
        };
        let place_in_list = symbols.list.len();
        symbols.list.push(Symbol {
            decorated: self.decorated(id),
            name: text(&symbol.name),
            class,
            place,
            is_public: symbol.visibility == Visibility::Public
                || !matches!(place, SymbolPlace::Defined { .. }),
            library: symbol
                .library
                .as_ref()
                .map(std::string::ToString::to_string),
        });
        symbols.places.insert(id, place_in_list);
    }

    /// Returns the name as the linker knows it.
    fn decorated(&self, id: SymbolId) -> String {
        let symbol = self.symbols.get(id);
        let name = text(&symbol.name);
        let language = match symbol.language {
            Language::None => self.language,
            given => given,
        };
        let signature = symbol.signature.and_then(|id| self.types.signature(id));
        match (language, signature) {
            (Language::None | Language::Syscall, _) => name,
            (Language::Stdcall, Some(signature)) if !signature.is_vararg() => {
                format!("_{name}@{}", self.types.argument_bytes(signature))
            }
            _ => format!("_{name}"),
        }
    }

    fn lines(&self) -> Vec<LineEntry> {
        let mut lines = Vec::new();
        for (index, section) in self.out.sections.iter().enumerate() {
            lines.extend(section.lines.iter().map(|line| LineEntry {
                section: index,
                offset: line.offset,
                len: line.len,
                span: line.span,
                origin: line.origin,
            }));
        }
        lines.sort_by_key(|line| (line.section, line.offset));
        lines
    }

    fn labels(&self) -> Vec<Label> {
        let mut labels = Vec::new();
        for id in self.symbols.ids() {
            let symbol = self.symbols.get(id);
            let SymbolKind::Label {
                section,
                offset,
                shape,
            } = symbol.kind
            else {
                continue;
            };
            let is_generated = symbol.name.starts_with(b"@C") || symbol.name.starts_with(b"L&_");
            if id == self.here || is_generated || symbol.pass != self.pass {
                continue;
            }
            let class = match (symbol.proc.is_some(), shape.ty) {
                (true, _) => SymbolClass::Procedure,
                (false, ty) if Type::is_code(ty) => SymbolClass::Label,
                _ => SymbolClass::Datum,
            };
            let name = text(&symbol.name);
            let section = section.0 as usize;
            labels.push(Label {
                name,
                class,
                section,
                offset,
                size: shape.size,
            });
        }
        labels.sort_by(|a, b| (a.section, a.offset, &a.name).cmp(&(b.section, b.offset, &b.name)));
        labels
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn build_section(section: &SectionData, symbols: &Symbols) -> Section {
    let relocation = |reference: &crate::section::Reference| {
        let symbol = match reference.target {
            Target::Symbol(id) => symbols.places.get(&id).copied()?,
            Target::Section(id) => id.0 as usize,
        };
        let kind = match reference.kind {
            RefKind::Address => RelocationKind::Address,
            RefKind::Relative => RelocationKind::Relative,
            RefKind::ImageRelative => RelocationKind::ImageRelative,
            RefKind::Truncated => return None,
        };
        Some(Relocation {
            offset: reference.offset,
            kind,
            symbol,
        })
    };
    let mut bytes = section.bytes.clone();
    if section.kind != SectionKind::Bss {
        bytes.resize(section.size as usize, 0);
    }
    Section {
        name: text(&section.name),
        content: match section.kind {
            SectionKind::Code => Content::Code,
            SectionKind::Data => Content::Data,
            SectionKind::Bss => Content::Uninitialized,
            SectionKind::Const => Content::Constants,
        },
        align: section.align,
        size: to_u32(bytes.len()).max(section.size),
        bytes,
        relocations: section.references.iter().filter_map(relocation).collect(),
    }
}
