//! What gdb asks, and what it is answered.

use pagefault_machine::Recording;

use crate::client::{framed, hex, monitor_text, recording, recording_of, say, send, send_within};
use pagefault_gdb::End;

#[test]
fn the_server_says_what_it_can_do_and_describes_the_processor() {
    let mut recording = recording();

    let answers = say(
        &mut recording,
        &[
            "qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+",
            "qXfer:features:read:target.xml:0,1000",
            "qXfer:memory-map:read::0,1000",
            "qXfer:features:read:other.xml:0,1000",
        ],
    );

    for feature in ["ReverseStep+", "ReverseContinue+", "qXfer:memory-map:read+"] {
        assert!(answers[0].contains(feature), "{}", answers[0]);
    }
    for part in [
        "<architecture>i386</architecture>",
        "eflags",
        "fs_base",
        "cr3",
        "</target>",
    ] {
        assert!(answers[1].contains(part), "{part}: {}", answers[1]);
    }
    assert!(answers[2].contains("type=\"ram\""), "{}", answers[2]);
    assert!(
        answers[3].starts_with('E') || answers[3].is_empty(),
        "{}",
        answers[3]
    );
}

#[test]
fn registers_and_memory_are_read_and_written() {
    let mut recording = recording();
    let counter = address(&recording, "counter");

    let answers = say(
        &mut recording,
        &[
            "Hg0",
            "g",
            &format!("m{counter:x},4"),
            &format!("M{counter:x},4:2a000000"),
            &format!("m{counter:x},4"),
            "m0,4",
            "M0,1:00",
            "p2d",
        ],
    );

    assert_eq!(answers[1].len(), 0x134 * 2);
    let eip = address(&recording, "start").to_le_bytes();
    let eip: String = eip
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat();
    assert_eq!(answers[1][8 * 8..9 * 8], eip);
    assert_eq!(answers[2..5], ["00000000", "OK", "2a000000"]);
    assert_eq!(answers[5..7], ["E0e", "E0e"]);
    let cr3 = recording.machine().mmu().control().cr3().to_le_bytes();
    let cr3: Vec<_> = cr3.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(answers[7], cr3.concat());
}

#[test]
fn a_written_register_takes_effect() {
    let mut recording = recording();
    let old = say(&mut recording, &["Hg0", "g"]).remove(1);
    let new = format!("78563412{}", &old[8..]);

    let answers = say(&mut recording, &["Hg0", &format!("G{new}"), "g"]);

    assert_eq!(answers[1], "OK");
    assert_eq!(answers[2], new);
}

/// Where registers are in what `g` answers, in bytes.
const EFLAGS: usize = 36;
const CS: usize = 40;
const ST0: usize = 64;
const FSTAT: usize = 148;
const FTAG: usize = 152;
const FOP: usize = 172;
const MXCSR: usize = 304;

#[test]
fn only_what_a_program_can_set_of_flags_and_mxcsr_is_written() {
    let mut recording = recording();
    let old = say(&mut recording, &["Hg0", "g"]).remove(1);
    let new = with(&with(&old, EFLAGS, "ffffffff"), MXCSR, "ffffffff");

    let answers = say(&mut recording, &["Hg0", &format!("G{new}"), "g"]);

    assert_eq!(answers[1], "OK");
    let flags = recording.machine().registers().eflags().bits();
    // IF and bit 1 are always set in a program; IOPL, VM, RF, VIF and VIP stay clear.
    assert_eq!(flags, 0x0024_4FD7, "{flags:#x}");
    assert_eq!(recording.machine().registers().mxcsr(), 0xFFFF);
    assert_eq!(answers[2].len(), old.len());
}

#[test]
fn the_stack_of_the_x87_is_written_with_its_status_and_tags() {
    let mut recording = recording();
    let old = say(&mut recording, &["Hg0", "g"]).remove(1);
    // ST(0) is 1.0, in register 7, and the others are empty.
    let one = "0000000000000080ff3f";
    let new = with(&with(&old, ST0, one), FSTAT, "00380000");
    let new = with(&new, FTAG, "ff3f0000");

    let answers = say(&mut recording, &["Hg0", &format!("G{new}"), "g"]);

    assert_eq!(answers[1..], ["OK", new.as_str()]);
    assert_eq!(recording.machine().registers().fpu().used(), 0x80);
}

#[test]
fn registers_that_cannot_be_set_are_refused_and_nothing_is_written() {
    for at in [CS, FOP] {
        let mut recording = recording();
        let old = say(&mut recording, &["Hg0", "g"]).remove(1);
        let new = with(&with(&old, 0, "78563412"), at, "01000000");

        let answers = say(&mut recording, &["Hg0", &format!("G{new}"), "g"]);

        assert!(answers[1].starts_with('E'), "{at}: {}", answers[1]);
        assert_eq!(answers[2], old, "{at}");
    }
}

/// Returns registers with other bytes, in hex, from byte `at` on.
fn with(registers: &str, at: usize, bytes: &str) -> String {
    let (before, after) = (&registers[..2 * at], &registers[2 * at + bytes.len()..]);
    format!("{before}{bytes}{after}")
}

/// A thread that counts, and one that goes round.
const TWO_THREADS: &[u8] = b"
    .386
    .model flat, stdcall
CreateThread proto :dword, :dword, :dword, :dword, :dword, :dword
    .data
counter dd 0
    .code
other:
    inc counter
    jmp other
start:
    invoke CreateThread, 0, 0, offset other, 0, 0, 0
again:
    nop
    jmp again
    end start
";

#[test]
fn a_step_of_a_thread_that_waits_its_turn_keeps_to_the_budget() {
    let mut recording = recording_of(TWO_THREADS);
    let other = stop_with_two_threads(&mut recording);

    let step = format!("vCont;s:{other:x};c");
    let (answers, _) = send_within(3_000, &mut recording, framed(step.as_bytes()));

    // SIGXCPU
    assert!(answers[0].starts_with("T18"), "{}", answers[0]);
    assert_eq!(recording.here().instructions, 3_000);
}

#[test]
fn a_step_of_one_thread_does_not_pass_the_breakpoint_of_another() {
    let mut recording = recording_of(TWO_THREADS);
    let again = address(&recording, "again");
    let other = stop_with_two_threads(&mut recording);
    let before = recording.here().instructions;

    let answers = say(
        &mut recording,
        &[
            "qSupported:swbreak+;hwbreak+",
            &format!("Z0,{again:x},1"),
            &format!("vCont;s:{other:x};c"),
        ],
    );

    assert!(answers[2].contains("swbreak"), "{}", answers[2]);
    assert_eq!(recording.here().instructions, before + 2);
    assert_ne!(recording.thread(), other);
}

/// Runs to the loop of the first thread, and returns the other one.
fn stop_with_two_threads(recording: &mut Recording) -> u32 {
    let again = address(recording, "again");
    say(recording, &[&format!("Z0,{again:x},1"), "vCont;c"]);
    let first = recording.thread();
    let threads = recording.threads();
    let other = threads.iter().find(|&&(thread, _)| thread != first);
    other.expect("there are two threads").0
}

#[test]
fn breakpoints_and_steps_go_both_ways() {
    let mut recording = recording();
    let again = address(&recording, "again");

    let answers = say(
        &mut recording,
        &[
            "qSupported:swbreak+;hwbreak+",
            &format!("Z0,{again:x},1"),
            "vCont;c",
            "vCont;c",
            "vCont;s:1004;c",
            "bs",
            "bc",
            "bs",
            "bc",
        ],
    );

    assert_eq!(answers[1], "OK");
    for stop in &answers[2..4] {
        assert!(
            stop.starts_with("T05") && stop.contains("swbreak"),
            "{stop}"
        );
    }
    assert!(answers[4].starts_with("T05"), "{}", answers[4]);
    assert!(answers[6].contains("swbreak"), "{}", answers[6]);
    assert!(answers[8].contains("replaylog:begin"), "{}", answers[8]);
    assert_eq!(recording.here(), recording.beginning());
}

#[test]
fn a_watched_variable_stops_the_program_in_both_directions() {
    let mut recording = recording();
    let counter = address(&recording, "counter");
    let read = format!("m{counter:x},4");

    let answers = say(
        &mut recording,
        &[
            "qSupported:swbreak+;hwbreak+",
            &format!("Z2,{counter:x},4"),
            "vCont;c",
            &read,
            "vCont;c",
            &read,
            "bc",
            &read,
            &format!("z2,{counter:x},4"),
            &format!("Z2,{counter:x},0"),
        ],
    );

    let watch = format!("watch:{counter:x};");
    for (stop, value) in [(2, "01000000"), (4, "02000000"), (6, "01000000")] {
        assert!(answers[stop].contains(&watch), "{}", answers[stop]);
        assert_eq!(answers[stop + 1], value);
    }
    assert_eq!(answers[8], "OK");
    assert!(answers[9] != "OK", "{}", answers[9]);
}

#[test]
fn an_access_violation_is_a_signal_before_the_program_is_told() {
    let mut recording = recording();

    let mut answers = say(&mut recording, &["vCont;c", &monitor("explain")]);
    let stop = answers.remove(0);
    let text = monitor_text(&answers);

    assert!(stop.starts_with("T0b"), "{stop}"); // SIGSEGV
    for part in [
        "access violation",
        "write at",
        "mov dword ptr [eax], 1",
        "reserved by VirtualAlloc",
        "help:",
    ] {
        assert!(
            text.to_lowercase().contains(&part.to_lowercase()),
            "{part}: {text}"
        );
    }
    assert_eq!(recording.machine().eip(), address(&recording, "fatal"));
    let (answers, end) = send(&mut recording, framed(b"vCont;c"));
    assert!(answers[0].starts_with('X'), "{answers:?}");
    assert_eq!(end, Ok(End::Exited));
}

#[test]
fn threads_are_listed_with_what_they_do() {
    let mut recording = recording();
    let thread = recording.thread();

    let answers = say(
        &mut recording,
        &[
            "qfThreadInfo",
            "qsThreadInfo",
            &format!("qThreadExtraInfo,{thread:x}"),
            &format!("T{thread:x}"),
            "Tffff",
        ],
    );

    assert!(answers[0].starts_with('m') && answers[0].contains(&format!("{thread:x}")));
    assert_eq!(answers[1], "l");
    assert_eq!(answers[2], hex("running"));
    assert_eq!(answers[3], "OK");
    assert!(answers[4].starts_with('E'), "{}", answers[4]);
}

#[test]
fn the_monitor_tells_of_memory_management() {
    for (command, parts) in [
        ("help", &["vmmap", "walk ADDR", "tlb", "explain"][..]),
        (
            "vmmap",
            &["the program's image", "the stack", "PAGE_EXECUTE_READ"],
        ),
        ("walk start", &["directory index", "frame", "physical"]),
        ("walk 0x7FFF0000", &["the walk ends here"]),
        ("walk nowhere", &["neither a number nor a label"]),
        ("walk", &["needs an address"]),
        ("tlb", &["set", "way", "age"]),
        ("explain", &["no exception"]),
        ("moment", &["instructions", "snapshots"]),
        ("dance", &["no monitor command `dance`"]),
    ] {
        let mut recording = recording();

        let answers = say(
            &mut recording,
            &["vCont;s:1004;c", "vCont;s:1004;c", &monitor(command)],
        );

        let text = monitor_text(&answers[2..]);
        for part in parts {
            assert!(text.contains(part), "{command}: {part}: {text}");
        }
    }
}

#[test]
fn gdb_ends_the_session_in_its_own_ways() {
    for (packet, expected) in [("D", End::Detached), ("k", End::Killed)] {
        let (_, end) = send(&mut recording(), framed(packet.as_bytes()));

        assert_eq!(end, Ok(expected));
    }
}

fn monitor(command: &str) -> String {
    format!("qRcmd,{}", hex(command))
}

fn address(recording: &Recording, name: &str) -> u32 {
    recording.machine().debug().address(name).unwrap()
}
