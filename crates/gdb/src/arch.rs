//! The processor as gdb is told of it.

use std::num::NonZeroUsize;

use gdbstub::arch::{Arch, RegId};
use gdbstub_arch::x86::reg::X86CoreRegs;
use gdbstub_arch::x86::reg::id::X86CoreRegId;

/// IA-32 with SSE, segment bases and paging registers.
#[derive(Debug)]
pub(crate) enum Ia32 {}

impl Arch for Ia32 {
    type Usize = u32;
    type Registers = X86CoreRegs;
    type RegId = Register;
    type BreakpointKind = usize;
}

/// A register by gdb's number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Register {
    /// One of those that travel together.
    Core,
    FsBase,
    GsBase,
    Cr0,
    Cr2,
    Cr3,
}

/// The number of the first register that does not travel with the others.
const FIRST_EXTRA: usize = 41;
/// The size of such a register in bytes.
const EXTRA_BYTES: Option<NonZeroUsize> = NonZeroUsize::new(4);

impl RegId for Register {
    fn from_raw_id(id: usize) -> Option<(Self, Option<NonZeroUsize>)> {
        const EXTRA: [Register; 5] = [
            Register::FsBase,
            Register::GsBase,
            Register::Cr0,
            Register::Cr2,
            Register::Cr3,
        ];
        if let Some(extra) = id.checked_sub(FIRST_EXTRA) {
            return Some((*EXTRA.get(extra)?, EXTRA_BYTES));
        }
        let (_, size) = X86CoreRegId::from_raw_id(id)?;
        Some((Self::Core, size))
    }
}

/// Returns the description of the target: its registers in the order of their numbers.
pub(crate) fn description() -> String {
    let reg = |name: &str, bits: u32, kind: &str| {
        format!("<reg name=\"{name}\" bitsize=\"{bits}\" type=\"{kind}\"/>")
    };
    let all = |names: &[&str], bits, kind: &str| -> String {
        names.iter().map(|name| reg(name, bits, kind)).collect()
    };
    let numbered = |prefix: &str, bits, kind: &str| -> String {
        (0..8)
            .map(|number| reg(&format!("{prefix}{number}"), bits, kind))
            .collect()
    };
    let feature = |name: &str, content: &str| {
        format!("<feature name=\"org.gnu.gdb.i386.{name}\">{content}</feature>")
    };
    let general = all(&["eax", "ecx", "edx", "ebx"], 32, "int32")
        + &all(&["esp", "ebp"], 32, "data_ptr")
        + &all(&["esi", "edi"], 32, "int32")
        + &reg("eip", 32, "code_ptr")
        + &reg("eflags", 32, "i386_eflags")
        + &all(&["cs", "ss", "ds", "es", "fs", "gs"], 32, "int32")
        + &numbered("st", 80, "i387_ext");
    let float = [
        "fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop",
    ];
    let float = all(&float, 32, "int\" group=\"float");
    let core = format!("{EFLAGS}{general}{float}");
    let sse = format!(
        "{VECTOR}{}{}",
        numbered("xmm", 128, "vec128"),
        reg("mxcsr", 32, "int")
    );
    // gdb's own feature for the segment bases is for 64-bit targets: it ends gdb on this one.
    let system = all(&["fs_base", "gs_base", "cr0", "cr2", "cr3"], 32, "int");
    format!(
        "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">\
         <architecture>i386</architecture>{}{}<feature name=\"pagefault.system\">{system}\
         </feature></target>",
        feature("core", &core),
        feature("sse", &sse),
    )
}

/// The names of the bits of EFLAGS.
const EFLAGS: &str = "<flags id=\"i386_eflags\" size=\"4\">\
    <field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>\
    <field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>\
    <field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>\
    <field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>\
    <field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>\
    <field name=\"AC\" start=\"18\" end=\"18\"/></flags>";

/// The ways in which a vector register can be looked at.
const VECTOR: &str = "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>\
    <vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>\
    <vector id=\"v16i8\" type=\"int8\" count=\"16\"/>\
    <vector id=\"v8i16\" type=\"int16\" count=\"8\"/>\
    <vector id=\"v4i32\" type=\"int32\" count=\"4\"/>\
    <vector id=\"v2i64\" type=\"int64\" count=\"2\"/>\
    <union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>\
    <field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>\
    <field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>\
    <field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>";
