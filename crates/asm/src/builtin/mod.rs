//! What the files of the Windows SDK for MASM declare: constants, structures, functions, macros.
//!
//! The tables are written from the facts of the Windows ABI. An `include` of one of the known
//! files switches them on; a name is defined when the program first mentions it, and the program
//! may define it anew.

mod constants;
mod functions;
mod macros;
mod structures;

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::asm::Assembler;
use crate::source::FileId;
use crate::symbol::{CaseMap, SymbolId, SymbolKind};
use crate::types::{Language, Param, Signature, Type};

pub(crate) use functions::{Convention, Function};

/// Which built-in files are in use.
#[derive(Debug, Default)]
pub(crate) struct Builtins {
    is_active: bool,
    has_structures: bool,
    has_macros: bool,
    /// The built-in files that were read.
    files: BTreeSet<FileId>,
    /// Symbols that the tables defined.
    defined: BTreeSet<SymbolId>,
}

/// Files that declare functions, constants and structures.
const INCLUDE_FILES: &[&str] = &[
    "windows.inc",
    "kernel32.inc",
    "user32.inc",
    "gdi32.inc",
    "masm32.inc",
    "msvcrt.inc",
    "comctl32.inc",
    "comdlg32.inc",
    "shell32.inc",
    "advapi32.inc",
    "ole32.inc",
    "oleaut32.inc",
    "winmm.inc",
    "ws2_32.inc",
    "wsock32.inc",
    "ntdll.inc",
    "psapi.inc",
    "shlwapi.inc",
    "debug.inc",
    "wininet.inc",
    "winextra.inc",
    "gdiplus.inc",
    "fpu.inc",
    "winspool.inc",
    "version.inc",
    "dialogs.inc",
    "resource.inc",
    "pagefault.inc",
];

/// Files that define macros.
const MACRO_FILES: &[&str] = &["macros.asm", "macros.inc", "ucmacros.asm"];

impl Assembler<'_> {
    /// Switches on a built-in file; returns its text, or `None` if there is no such file.
    pub(crate) fn include_builtin(&mut self, name: &[u8]) -> Option<String> {
        let name = String::from_utf8_lossy(name)
            .replace('\\', "/")
            .to_ascii_lowercase();
        let base = name.rsplit('/').next().unwrap_or_default().trim();
        if base == "masm32rt.inc" {
            return Some(macros::RUNTIME.to_string());
        }
        if MACRO_FILES.contains(&base) {
            self.builtins.is_active = true;
            let is_first = !std::mem::replace(&mut self.builtins.has_macros, true);
            return Some(if is_first {
                macros::MACROS.to_string()
            } else {
                String::new()
            });
        }
        if !INCLUDE_FILES.contains(&base) {
            return None;
        }
        self.builtins.is_active = true;
        let is_first = !std::mem::replace(&mut self.builtins.has_structures, true);
        Some(if is_first {
            structures::STRUCTURES.to_string()
        } else {
            String::new()
        })
    }

    /// Notes that a file is one of the built-in ones.
    pub(crate) fn add_builtin_file(&mut self, file: FileId) {
        self.builtins.files.insert(file);
    }

    /// Notes whether a definition in `file` is one that the program may replace.
    pub(crate) fn note_definition(&mut self, id: SymbolId, file: FileId) {
        if self.builtins.files.contains(&file) {
            self.builtins.defined.insert(id);
        } else {
            self.builtins.defined.remove(&id);
        }
    }

    /// Whether a symbol came from the tables, so that the program may define it anew.
    pub(crate) fn is_builtin_definition(&self, id: SymbolId) -> bool {
        self.builtins.defined.contains(&id)
    }

    /// Defines a name from the tables, if they are on and have it.
    pub(crate) fn builtin_symbol(&mut self, name: &[u8]) -> Option<SymbolId> {
        if !self.builtins.is_active {
            return None;
        }
        let text = self.spelled(std::str::from_utf8(name).ok()?);
        if self
            .symbols
            .find_global(name)
            .is_some_and(|id| self.symbols.get(id).is_defined())
        {
            return None;
        }
        if let Some(value) = constants::find(text) {
            let id = self.symbols.global(name);
            let value = i128::from(value);
            self.symbols.get_mut(id).kind = SymbolKind::Number {
                value,
                is_variable: false,
            };
            self.builtins.defined.insert(id);
            return Some(id);
        }
        if let Some(function) = functions::find(text) {
            return Some(self.builtin_function(text.as_bytes(), function));
        }
        let narrow = format!("{text}A");
        if functions::find(&narrow).is_some() {
            let id = self.symbols.global(name);
            let target: Rc<[u8]> = narrow.as_bytes().into();
            self.symbols.get_mut(id).kind = SymbolKind::Text(target);
            self.builtins.defined.insert(id);
            return Some(id);
        }
        None
    }

    /// Returns a name as the tables spell it, where case does not matter.
    fn spelled<'n>(&self, name: &'n str) -> &'n str {
        if self.symbols.case_map == CaseMap::None {
            return name;
        }
        let narrow = || {
            let spelled = functions::spelling(&format!("{name}A"))?;
            spelled.get(..name.len())
        };
        constants::spelling(name)
            .or_else(|| functions::spelling(name))
            .or_else(narrow)
            .unwrap_or(name)
    }

    fn builtin_function(&mut self, name: &[u8], function: &Function) -> SymbolId {
        let id = self.symbols.global(name);
        // The library knows it by this spelling, whatever the program says.
        self.symbols.get_mut(id).name = name.into();
        let (language, is_vararg) = match function.convention {
            Convention::Stdcall => (Language::Stdcall, false),
            Convention::C => (Language::C, false),
            Convention::Variable => (Language::C, true),
        };
        let fixed = Param {
            name: None,
            ty: Type::DWord,
            is_vararg: false,
        };
        let mut params = vec![fixed.clone(); function.arguments];
        if is_vararg {
            params.push(Param {
                is_vararg: true,
                ..fixed
            });
        }
        self.declare_external(id, Signature { language, params });
        self.symbols.get_mut(id).library = Some(function.library.into());
        self.builtins.defined.insert(id);
        id
    }
}

/// Returns the value of a constant that the Windows headers define: `PAGE_READONLY` is 2.
pub fn windows_constant(name: &str) -> Option<u32> {
    let value = constants::find(name)?;
    let negative = || i32::try_from(value).ok().map(i32::cast_unsigned);
    u32::try_from(value).ok().or_else(negative)
}

/// Returns the library that exports a function, if the tables know it.
pub(crate) fn library_of(name: &str) -> Option<&'static str> {
    functions::library_of(name)
}
