//! The memory model, segments, and the place within them.

use crate::asm::{Assembler, Reported};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::lex::Punct;
use crate::line::Line;
use crate::procs::language;
use crate::section::SectionKind;
use crate::source::Span;
use crate::symbol::{SectionId, SymbolKind};
use crate::words::CpuOption;

/// Widest alignment that a section can have here.
const MAX_ALIGNMENT: u32 = 4096;
/// Alignments that `.model` gives sections: by the processor.
const DWORD_ALIGNMENT: u32 = 4;
const PARAGRAPH: u32 = 16;
/// What may follow the language of `.model`, and says nothing in the flat model.
const STACK_WORDS: [&[u8]; 4] = [b"nearstack", b"farstack", b"os_dos", b"os_os2"];

impl Assembler<'_> {
    /// `.model flat, language`.
    pub(crate) fn model(&mut self, line: &Line, start: usize) -> Result<(), Reported> {
        let span = line.span(start, start + 1);
        let model = line.bytes(start);
        if !model.eq_ignore_ascii_case(b"flat") {
            if model.is_empty() {
                return Err(self.error(
                    Kind::Expected {
                        what: "the memory model `flat`",
                    },
                    span,
                ));
            }
            return Err(self.error(Kind::UnsupportedModel { name: model.into() }, span));
        }
        let mut language_known = Ok(());
        let mut at = start + 1;
        while line.token(at).is_some_and(|token| token.is(Punct::Comma)) {
            let word = line.bytes(at + 1).to_ascii_lowercase();
            match language(&word) {
                Some(found) => self.language = found,
                None if STACK_WORDS.contains(&word.as_slice()) => {}
                None => {
                    let name = line.bytes(at + 1).into();
                    let span = line.span(at + 1, at + 2);
                    // There is a model all the same: nothing else is to be said of that.
                    language_known = Err(self.error(Kind::Unsupported { name }, span));
                }
            }
            at += 2;
        }
        if self.has_model {
            return language_known;
        }
        if matches!(self.cpu, CpuOption::I8086 | CpuOption::I286) {
            let mnemonic = b".model flat"[..].into();
            return Err(self.error(Kind::NotInCpu { mnemonic }, span));
        }
        self.has_model = true;
        for kind in [SectionKind::Code, SectionKind::Data] {
            self.standard_section(kind);
        }
        self.expect_end(line, at).and(language_known)
    }

    pub(crate) fn standard_section(&mut self, kind: SectionKind) -> SectionId {
        let name: &[u8] = match kind {
            SectionKind::Code => b".text",
            SectionKind::Data => b".data",
            SectionKind::Bss => b".bss",
            SectionKind::Const => b".rdata",
        };
        let align = match self.cpu {
            CpuOption::I8086 | CpuOption::I286 | CpuOption::I386 => DWORD_ALIGNMENT,
            _ => PARAGRAPH,
        };
        self.out
            .find(name)
            .unwrap_or_else(|| self.out.add(name, kind, align))
    }

    pub(crate) fn simple_section(
        &mut self,
        line: &Line,
        at: usize,
        kind: SectionKind,
    ) -> Result<(), Reported> {
        let had_model = std::mem::replace(&mut self.has_model, true);
        let section = self.standard_section(kind);
        self.out.current = Some(section);
        if !had_model {
            return Err(self.error(Kind::NoModel, line.span(at, at + 1)));
        }
        Ok(())
    }

    /// `name segment attributes`.
    pub(crate) fn segment(&mut self, line: &Line, name: usize, at: usize) -> Result<(), Reported> {
        let bytes = line.bytes(name);
        let mut kind = segment_kind(bytes);
        let mut align = PARAGRAPH;
        for token in at + 1..line.len() {
            match line.bytes(token).to_ascii_lowercase().as_slice() {
                b"byte" => align = 1,
                b"word" => align = 2,
                b"dword" => align = DWORD_ALIGNMENT,
                b"para" => align = PARAGRAPH,
                b"page" => align = MAX_ALIGNMENT,
                b"'code'" | b"\"code\"" => kind = SectionKind::Code,
                b"'data'" | b"\"data\"" => kind = SectionKind::Data,
                b"'bss'" | b"\"bss\"" => kind = SectionKind::Bss,
                b"readonly" | b"'const'" | b"\"const\"" => kind = SectionKind::Const,
                b"use16" => {
                    let name = line.bytes(token).into();
                    return Err(self.error(Kind::Unsupported { name }, line.span(token, token + 1)));
                }
                _ => {}
            }
        }
        let coff_name: &[u8] = match bytes.to_ascii_uppercase().as_slice() {
            b"_TEXT" => b".text",
            b"_DATA" => b".data",
            b"_BSS" => b".bss",
            b"CONST" => b".rdata",
            _ => bytes,
        };
        let section = self
            .out
            .find(coff_name)
            .unwrap_or_else(|| self.out.add(coff_name, kind, align));
        self.segment_stack.push(self.out.current);
        self.out.current = Some(section);
        Ok(())
    }

    pub(crate) fn end_segment(&mut self, line: &Line, at: usize) -> Result<(), Reported> {
        if let Some(outer) = self.segment_stack.pop() {
            self.out.current = outer;
            Ok(())
        } else {
            let name = line.bytes(0).into();
            Err(self.error(Kind::UnmatchedBlock { name }, line.span(0, at + 1)))
        }
    }

    pub(crate) fn align(&mut self, line: &Line, at: usize) -> Result<(), Reported> {
        if at + 1 >= line.len() {
            let align = self.out.current().map_or(1, |section| section.align);
            return self.align_to(align, line.span(at, at + 1));
        }
        let (value, next) = self.evaluate_constant(line, at + 1, line.len())?;
        let span = line.span(at + 1, next);
        match u32::try_from(value)
            .ok()
            .filter(|align| align.is_power_of_two())
        {
            Some(align) if align <= MAX_ALIGNMENT => self.align_to(align, span),
            _ => Err(self.error(Kind::BadAlignment, span)),
        }
    }

    pub(crate) fn align_to(&mut self, align: u32, span: Span) -> Result<(), Reported> {
        let Some(place) = self.out.place() else {
            return self.reserve(0, span);
        };
        let (is_code, section_align) = self.out.current().map_or((false, align), |section| {
            (section.kind == SectionKind::Code, section.align)
        });
        if align > section_align {
            self.warn(Kind::AlignmentTooWide { align }, span);
        }
        let gap = place
            .offset
            .next_multiple_of(align)
            .wrapping_sub(place.offset);
        if !is_code {
            return self.reserve(gap.into(), span);
        }
        let mut rest = gap as usize;
        while rest > 0 {
            let fill = code_fill(rest);
            self.write(fill, span)?;
            rest -= fill.len();
        }
        Ok(())
    }

    pub(crate) fn org(&mut self, line: &Line, at: usize) -> Result<(), Reported> {
        let (value, next) = self.evaluate(line, at + 1, line.len())?;
        let span = line.span(at + 1, next);
        let Some(place) = self.out.place() else {
            return self.reserve(0, span);
        };
        let base = match value.symbol.map(|id| &self.symbols.get(id).kind) {
            Some(SymbolKind::Label {
                section, offset, ..
            }) if *section == place.section => *offset,
            None => 0,
            _ => return Err(self.error(Kind::ConstantExpected, span)),
        };
        let target = i128::from(base)
            .checked_add(value.number)
            .and_then(|t| u32::try_from(t).ok());
        let Some(target) = target else {
            return Err(self.error(Kind::BadOrigin, span));
        };
        if let Some(gap) = target.checked_sub(place.offset) {
            self.reserve(gap.into(), span)
        } else {
            self.out.set_offset(target);
            Ok(())
        }
    }
}

fn segment_kind(name: &[u8]) -> SectionKind {
    match name.to_ascii_uppercase().as_slice() {
        b"_TEXT" | b".TEXT" => SectionKind::Code,
        b"_BSS" | b".BSS" => SectionKind::Bss,
        b"CONST" | b".RDATA" => SectionKind::Const,
        _ => SectionKind::Data,
    }
}

/// Instructions that change nothing, for gaps in code, by length.
const CODE_FILLS: [&[u8]; 7] = [
    &[0x90],
    &[0x8B, 0xFF],
    &[0x8D, 0x40, 0x00],
    &[0x8D, 0x44, 0x20, 0x00],
    &[0x2E, 0x8D, 0x44, 0x20, 0x00],
    &[0x8D, 0x80, 0x00, 0x00, 0x00, 0x00],
    &[0x8D, 0xA4, 0x24, 0x00, 0x00, 0x00, 0x00],
];

/// Returns the longest filler of at most `gap` bytes.
fn code_fill(gap: usize) -> &'static [u8] {
    let place = gap.clamp(1, CODE_FILLS.len()) - 1;
    CODE_FILLS.get(place).copied().unwrap_or(&[0x90])
}
