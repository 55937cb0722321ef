//! A MASM-dialect assembler: source to image, listing and diagnostics.
//!
//! [`assemble`] turns a source text into an [`Object`]; [`link`] gives its sections addresses and
//! makes an [`Image`] that a loader can map. The dialect is 32-bit flat-model MASM: structures,
//! procedures with `invoke`, run-time control flow (`.if`, `.while`), macros and conditional
//! assembly; encodings are the ones that MASM chooses. What the Windows SDK's include files
//! declare is built in.
//!
//! Sources are bytes, not UTF-8: strings pass through in any code page. No source can make the
//! assembler panic or use memory without bound; see [`Options`].
//!
//! ```
//! use pagefault_asm::{LinkOptions, NoIncludes, Options, assemble, link};
//!
//! let source = b"
//!     .386
//!     .model flat,stdcall
//!     option casemap:none
//!     include kernel32.inc
//!     .code
//! start:
//!     invoke ExitProcess,7
//!     end start
//! ";
//! let assembled = assemble("demo.asm", source, &NoIncludes, &Options::default()).expect("no errors");
//! assert_eq!(assembled.object.sections[0].bytes, [0x6A, 0x07, 0xE8, 0, 0, 0, 0]);
//!
//! let image = link(&assembled.object, &LinkOptions::default()).expect("it has an entry point");
//! assert_eq!(image.entry, 0x0040_1000);
//! assert_eq!(image.imports[0].name, "ExitProcess");
//! ```

mod asm;
mod branch;
mod builtin;
mod coff;
mod condition;
mod data;
mod diagnostic;
mod directives;
mod expr;
mod hll;
mod insn;
mod instruction;
mod invoke;
mod lex;
mod line;
mod link;
mod listing;
mod object;
mod options;
mod pe;
mod preprocess;
mod procs;
mod section;
mod segments;
mod source;
mod statement;
mod structs;
mod symbol;
mod types;
mod words;

pub use builtin::windows_constant;
pub use coff::{CoffError, write_coff};
pub use diagnostic::{Diagnostic, DiagnosticKind, MasmCode, Note, Severity};
pub use link::{
    Image, ImageLine, ImageSymbol, Import, LinkError, LinkOptions, Rights, Segment, SymbolName,
    link,
};
pub use listing::listing;
pub use object::{
    Content, Label, LineEntry, LineOrigin, Object, Relocation, RelocationKind, Section, Symbol,
    SymbolClass, SymbolPlace,
};
pub use options::{IncludeFiles, NoIncludes, Options};
pub use pe::{PeError, PeOptions, write_pe};
pub use source::{FileId, SourceFile, SourceFiles, SourceText, Span};

/// What a successful assembly gives.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// The module.
    pub object: Object,
    /// What looks wrong although it assembles.
    pub warnings: Vec<Diagnostic>,
    /// The files that took part.
    pub files: SourceFiles,
}

/// What a failed assembly gives.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Errors and warnings in source order; at least one error.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that took part.
    pub files: SourceFiles,
}

/// Passes after which branches grow all at once. A branch only ever grows, so that real programs
/// need three to six passes; one made to grow a single branch in each pass ends here.
const MAX_GROWTH_PASSES: u32 = 40;
/// Passes after which addresses must have settled.
const MAX_PASSES: u32 = 50;

/// Assembles a source text; `name` is the path that messages show.
///
/// # Errors
///
/// A [`Failure`] with every error found: several per run, at most [`Options::max_errors`].
pub fn assemble(
    name: &str,
    source: &[u8],
    includes: &dyn IncludeFiles,
    options: &Options,
) -> Result<Assembled, Failure> {
    let mut asm = asm::Assembler::new(options, includes);
    asm.read_source(name, source);
    let recorded = std::mem::take(&mut asm.recorded);
    let (known, errors) = (asm.diagnostics.len(), asm.error_count());
    while !asm.is_stopped {
        asm.forget_errors(known, errors);
        asm.begin_pass();
        for statement in &recorded {
            asm.repeat(statement);
            if asm.is_stopped {
                break;
            }
        }
        if !asm.changed {
            break;
        }
        if asm.pass == MAX_GROWTH_PASSES {
            asm.lengthen_branches();
        }
        if asm.pass >= MAX_PASSES {
            asm.report_no_fixpoint();
            break;
        }
    }
    if asm.error_count() == 0 {
        asm.report_undefined_publics();
    }
    let failed = asm.error_count() > 0;
    let object = if failed {
        Object::default()
    } else {
        asm.object()
    };
    let mut diagnostics = std::mem::take(&mut asm.diagnostics);
    diagnostic::sort(&mut diagnostics);
    let files = std::mem::take(&mut asm.files);
    if failed {
        return Err(Failure { diagnostics, files });
    }
    Ok(Assembled {
        object,
        warnings: diagnostics,
        files,
    })
}
