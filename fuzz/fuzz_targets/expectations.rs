//! Any bytes as the lines of a source that say what is expected: what is wrong with them is shown,
//! and those that are understood are judged.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use pagefault_lab::expect::{CheckError, Expectations, Subject, Surroundings, check};
use pagefault_machine::asm::{LinkOptions, NoIncludes, Options, assemble, link};
use pagefault_machine::{DebugInfo, MachineConfig, Program};

#[allow(dead_code, reason = "the target renders, and does not print")]
#[path = "../../crates/cli/src/diagnostics.rs"]
mod diagnostics;

/// What the lines speak of.
const PROGRAM: &[u8] = b"
        .386
        .model flat, stdcall
        option casemap:none
        include windows.inc
        include kernel32.inc
        .data
text    db 'hello', 10
count   dd 0
page    dd 0
        .code
start:  invoke VirtualAlloc, NULL, 4096, MEM_COMMIT, PAGE_READONLY
        mov page, eax
        mov ecx, 3
again:  inc count
        dec ecx
        jnz again
        invoke VirtualFree, page, 1, MEM_RELEASE
        mov eax, page
store:  mov dword ptr [eax+4], 9
        invoke ExitProcess, 5
        end start
";
const RAM_BYTES: u64 = 8 << 20;
/// Lines may ask for more instructions; that many are not executed here.
const BUDGET: u64 = 20_000;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    _ = judge(Expectations::from_source(data), data);
    _ = judge(Expectations::from_lines(&text), text.as_bytes());
});

fn judge(
    read: Result<Expectations, Vec<pagefault_lab::expect::ExpectError>>,
    source: &[u8],
) -> Option<()> {
    let show = |errors: &[_]| {
        for error in errors {
            _ = diagnostics::malformed(error, "fuzz.asm", source);
        }
    };
    let expectations = read.inspect_err(|errors| show(errors)).ok()?;
    if expectations
        .settings()
        .budget
        .is_some_and(|budget| budget > BUDGET)
    {
        return None;
    }
    let surroundings = Surroundings {
        config: MachineConfig {
            ram_bytes: RAM_BYTES,
            ..MachineConfig::default()
        },
        budget: BUDGET,
        ..Surroundings::default()
    };
    match check(&expectations, subject(), surroundings) {
        Ok(verdict) => {
            for unmet in verdict.failures() {
                _ = diagnostics::unmet(unmet, "fuzz.asm", source);
            }
        }
        Err(CheckError::Expectations(errors)) => show(&errors),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    Some(())
}

fn subject() -> Subject<'static> {
    static PARTS: OnceLock<(Program, DebugInfo)> = OnceLock::new();
    let (program, debug) = PARTS.get_or_init(|| {
        let assembled = assemble("fuzz.asm", PROGRAM, &NoIncludes, &Options::default());
        let assembled = assembled.expect("the program assembles");
        let image = link(&assembled.object, &LinkOptions::default()).expect("it links");
        let program = Program::from_image(&image).expect("it is an executable");
        (program, DebugInfo::new(&assembled, &image))
    });
    Subject { program, debug }
}
