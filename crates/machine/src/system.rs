//! The system's code that runs in the program's own mode: the exception dispatcher, unwinding, and
//! what compilers import for both.
//!
//! Its source is MASM, assembled by our own assembler when it is first needed. It imports from the
//! table of functions as a program does, and what it exports is bound before that table.

use std::sync::OnceLock;

use pagefault_asm::{Image, IncludeFiles, LinkOptions, Options, SymbolClass, assemble, link};

use crate::layout::{MODULE_BYTES, SYSTEM_CODE_BASE};

/// The files that `system.asm` includes.
const FILES: [(&str, &[u8]); 4] = [
    ("dispatch.asm", include_bytes!("system/dispatch.asm")),
    ("crt.asm", include_bytes!("system/crt.asm")),
    ("msvcrt.asm", include_bytes!("system/msvcrt.asm")),
    ("more.asm", include_bytes!("system/more.asm")),
];

/// Gives the assembler the sources that are built in.
struct BuiltIn;

impl IncludeFiles for BuiltIn {
    fn read(&self, _including: &str, name: &[u8]) -> Option<(String, Vec<u8>)> {
        let (name, source) = FILES.iter().find(|(known, _)| known.as_bytes() == name)?;
        Some(((*name).to_owned(), source.to_vec()))
    }
}

/// The code, linked at its place.
#[derive(Debug)]
pub(crate) struct SystemCode {
    image: Image,
    /// Where a thread goes on that has raised an exception.
    dispatcher: u32,
}

impl SystemCode {
    /// Returns the code, which is assembled once.
    pub(crate) fn get() -> &'static Self {
        static CODE: OnceLock<SystemCode> = OnceLock::new();
        CODE.get_or_init(Self::build)
    }

    fn build() -> Self {
        let source = include_bytes!("system/system.asm");
        let assembled = match assemble("system.asm", source, &BuiltIn, &Options::default()) {
            Ok(assembled) => assembled,
            Err(failure) => unreachable!("our own code assembles: {:?}", failure.diagnostics),
        };
        let options = LinkOptions {
            image_base: SYSTEM_CODE_BASE,
        };
        match link(&assembled.object, &options) {
            Ok(image) => Self::new(image),
            Err(error) => unreachable!("our own code links: {error}"),
        }
    }

    fn new(image: Image) -> Self {
        let mut code = Self {
            image,
            dispatcher: 0,
        };
        code.dispatcher = code.entry("KiUserExceptionDispatcher");
        code
    }

    /// Returns where a thread goes on that has raised an exception.
    pub(crate) fn dispatcher(&self) -> u32 {
        self.dispatcher
    }

    /// Returns the linked code.
    pub(crate) fn image(&self) -> &Image {
        &self.image
    }

    /// Returns the address of a procedure.
    pub(crate) fn address(&self, name: &str) -> Option<u32> {
        let mut symbols = self.image.symbols.iter();
        let found =
            symbols.find(|known| known.class == SymbolClass::Procedure && known.name == name);
        found.map(|symbol| symbol.addr)
    }

    /// Returns the address of a datum that programs import or the machine itself needs.
    ///
    /// # Panics
    ///
    /// If there is no such datum.
    pub(crate) fn datum(&self, name: &str) -> u32 {
        let mut symbols = self.image.symbols.iter();
        let found = symbols.find(|known| known.class == SymbolClass::Datum && known.name == name);
        match found {
            Some(symbol) => symbol.addr,
            None => unreachable!("the system's code has {name}"),
        }
    }

    /// Returns the address of a procedure that the machine itself needs.
    ///
    /// # Panics
    ///
    /// If there is no such procedure.
    pub(crate) fn entry(&self, name: &str) -> u32 {
        match self.address(name) {
            Some(addr) => addr,
            None => unreachable!("the system's code has {name}"),
        }
    }

    /// Returns whether an address is in the code's module.
    pub(crate) fn contains(addr: u32) -> bool {
        (SYSTEM_CODE_BASE..SYSTEM_CODE_BASE + MODULE_BYTES).contains(&addr)
    }

    /// Returns the name of the procedure that an address belongs to.
    pub(crate) fn procedure_at(addr: u32) -> Option<&'static str> {
        let Self { image, .. } = Self::get();
        let code = image.segments.iter().find(|segment| {
            addr.checked_sub(segment.addr)
                .is_some_and(|offset| offset < segment.size)
        })?;
        let before = image.symbols.iter().rfind(|symbol| {
            symbol.class == SymbolClass::Procedure && (code.addr..=addr).contains(&symbol.addr)
        });
        before.map(|symbol| symbol.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_assembles_and_tells_its_procedures() {
        let code = SystemCode::get();

        let raise = code.entry("RaiseException");

        assert_eq!(SystemCode::procedure_at(raise + 5), Some("RaiseException"));
        assert_eq!(SystemCode::procedure_at(SYSTEM_CODE_BASE), None);
        assert_eq!(code.address("topFilter"), None);
    }
}
