//! What gdb asks, and what it is answered.

use pagefault_machine::Recording;

use crate::client::{framed, hex, monitor_text, recording, say, send};
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
