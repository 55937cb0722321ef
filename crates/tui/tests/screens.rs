//! What the debugger shows, on a screen that is no terminal.

use std::cell::RefCell;
use std::rc::Rc;

use pagefault_machine::asm::{LinkOptions, NoIncludes, Options, assemble, link};
use pagefault_machine::{
    Console, DebugInfo, Listener, Machine, MachineConfig, RecordOptions, Recording, Stream,
};
use pagefault_tui::{Debugger, Key, Output, Running, draw};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

const PROGRAM: &[u8] = b"
    .386
    .model flat, stdcall
VirtualAlloc proto :dword, :dword, :dword, :dword
    .data
counter dd 0
    .code
double_it proc
    add eax, eax
    ret
double_it endp
start:
    mov eax, 21
    call double_it
    mov counter, eax
    invoke VirtualAlloc, 0, 1000h, 2000h, 4
fatal:
    mov dword ptr [eax], 1
    ret
    end start
";

#[derive(Debug)]
struct Silent;

impl Console for Silent {
    fn write(&mut self, _stream: Stream, _bytes: &[u8]) {}
}

#[test]
fn the_smallest_screen_has_code_registers_and_a_pane() {
    let mut debugger = debugger();

    let screen = shown(&mut debugger, 80, 24);

    for part in [
        "test.asm",
        "start:",
        ">",
        "mov eax, 15h",
        "eax 00000000",
        "eip 00",
        "[2 stack]",
        "esp",
    ] {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
}

#[test]
fn a_screen_that_is_too_small_says_what_is_needed() {
    for (width, height) in [(79, 24), (80, 23), (10, 3), (1, 1)] {
        let screen = shown(&mut debugger(), width, height);

        let whole = screen.replace('\n', "");
        assert!(width < 20 || whole.contains("needs 80x24"), "{screen}");
    }
}

#[test]
fn a_step_marks_what_it_has_changed_and_a_step_back_undoes_it() {
    let mut debugger = debugger();

    press(&mut debugger, "s");
    let after = shown(&mut debugger, 80, 24);
    assert!(after.contains("eax 00000015*"), "{after}");
    assert!(after.contains("ebx 7ffde000 "), "{after}");

    press(&mut debugger, "b");
    let before = shown(&mut debugger, 80, 24);
    assert!(before.contains("eax 00000000*"), "{before}");
    assert!(before.contains(" 0 instructions"), "{before}");
}

#[test]
fn stepping_over_a_call_comes_back_behind_it() {
    let mut debugger = debugger();

    press(&mut debugger, "snn");

    let screen = shown(&mut debugger, 80, 24);
    assert!(screen.contains("eax 0000002a"), "{screen}");
    press(&mut debugger, ":print [counter]\n");
    assert!(shown(&mut debugger, 80, 24).contains("0000002Ah = 42"));
}

#[test]
fn an_exception_is_explained_where_it_happens() {
    let mut debugger = debugger();

    press(&mut debugger, "c");

    let screen = shown(&mut debugger, 100, 40);
    for part in [
        "[6 explain]",
        "access violation",
        "write at",
        "reserved by VirtualAlloc",
        "mov dword ptr [eax], 1",
    ] {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
    press(&mut debugger, "c");
    let screen = shown(&mut debugger, 100, 40);
    assert!(screen.contains("the program was ended by"), "{screen}");
    press(&mut debugger, "r");
    assert!(shown(&mut debugger, 100, 40).contains("access violation"));
}

#[test]
fn stops_are_added_listed_met_and_removed() {
    let mut debugger = debugger();

    press(
        &mut debugger,
        ":break fatal\n:break api VirtualAlloc\n:watch counter, 4\n:break pte counter\n",
    );
    let screen = shown(&mut debugger, 80, 30);
    for part in [
        "1  exceptions",
        "fatal",
        "3  call of VirtualAlloc",
        "4  write of 4 bytes",
        "5  change of the entry",
    ] {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
    press(&mut debugger, ":delete 5\nc");
    assert!(shown(&mut debugger, 80, 24).contains("accessed by the instruction"));
    press(&mut debugger, "c");
    let screen = shown(&mut debugger, 80, 24);
    assert!(screen.contains("call of VirtualAlloc"), "{screen}");
    assert!(screen.contains("is about to be answered"), "{screen}");
    press(&mut debugger, "c");
    assert!(shown(&mut debugger, 80, 24).contains("breakpoint"));
    press(&mut debugger, ":back write counter\n");
    let screen = shown(&mut debugger, 80, 24);
    assert!(
        screen
            .lines()
            .any(|line| line.contains('>') && line.contains("mov")),
        "{screen}"
    );
    press(&mut debugger, ":delete 9\n");
    assert!(shown(&mut debugger, 80, 24).contains("there is no stop number 9"));
}

#[test]
fn every_pane_and_the_help_fit_on_the_smallest_screen() {
    let mut debugger = debugger();
    press(&mut debugger, "ss");
    for (key, part) in [
        ("1", "[1 memory]"),
        ("2", "esp 00"),
        ("3", "the program's image"),
        ("4", "directory index"),
        ("5", "level array set way"),
        ("6", "no exception is about"),
        ("7", "thread 0x1004 runs"),
        ("8", "has written nothing"),
        ("?", "any key leaves"),
    ] {
        press(&mut debugger, key);

        let screen = shown(&mut debugger, 80, 24);
        assert!(screen.to_lowercase().contains(part), "{part}:\n{screen}");
    }
    debugger.press(Key::Escape);
    for key in [
        Key::Tab,
        Key::BackTab,
        Key::Down,
        Key::PageDown,
        Key::Up,
        Key::PageUp,
    ] {
        debugger.press(key);
        assert!(!shown(&mut debugger, 80, 24).is_empty(), "{key:?}");
    }
}

#[test]
fn wrong_commands_say_what_is_wrong() {
    for (command, told) in [
        ("dance", "there is no command `dance`"),
        ("break", "break EXPR"),
        ("break nobody", "no register and no label `nobody`"),
        ("watch counter, 0", "at most 65536 bytes"),
        ("goto x", "a number of instructions"),
        ("goto 1000000", "the program ends after"),
        ("back", "back write EXPR"),
        ("delete x", "delete NUMBER"),
        ("print 1/0", "division by zero"),
    ] {
        let mut debugger = debugger();

        press(&mut debugger, &format!(":{command}\n"));

        let screen = shown(&mut debugger, 80, 24);
        let last = screen.lines().last().unwrap();
        assert!(last.contains(told), "{command}: {last}");
    }
}

#[test]
fn a_run_without_an_end_can_be_interrupted() {
    let mut debugger = debugger();
    press(&mut debugger, ":until 0\n");
    debugger.press(Key::Char(':'));
    debugger.press(Key::Escape);
    assert_eq!(debugger.running(), Running::No);

    debugger.press(Key::Char('c'));
    assert_eq!(debugger.running(), Running::Yes);
    debugger.press(Key::Escape);
    assert_eq!(debugger.running(), Running::No);
    debugger.press(Key::Char('q'));
    assert_eq!(debugger.running(), Running::Over);
}

/// Presses keys one by one, and lets the program run on where a key has it run.
#[test]
fn the_output_is_scrolled_from_what_is_left_out_to_its_last_line() {
    let mut output = Output::default();
    output.add(b"the first line\n");
    output.add(&vec![b'x'; Output::MAX_BYTES - 7]);
    output.add(b"\nsecond");
    let mut debugger = debugger_with(output);

    press(&mut debugger, "8");
    let top = shown(&mut debugger, 80, 24);
    for _ in 0..100 {
        debugger.press(Key::PageDown);
    }
    let end = shown(&mut debugger, 80, 24);

    assert!(
        top.contains("(15 bytes before these are not kept)"),
        "{top}"
    );
    assert!(
        top.contains("xxxx") && !top.contains("the first line"),
        "{top}"
    );
    assert!(end.contains("second"), "{end}");
    let mut lines = Output::default();
    (0..40).for_each(|number| lines.add(format!("line {number}.\n").as_bytes()));
    let mut debugger = debugger_with(lines);
    press(&mut debugger, "8");
    for _ in 0..100 {
        debugger.press(Key::PageDown);
    }
    let end = shown(&mut debugger, 80, 24);
    assert!(
        end.contains("line 39.") && !end.contains("line 20."),
        "{end}"
    );
    debugger.press(Key::Up);
    let above = shown(&mut debugger, 80, 24);
    assert!(
        !above.contains("line 39.") && above.contains("line 38."),
        "{above}"
    );
}

fn press(debugger: &mut Debugger, keys: &str) {
    for letter in keys.chars() {
        debugger.press(match letter {
            '\n' => Key::Enter,
            letter => Key::Char(letter),
        });
        while debugger.running() == Running::Yes {
            debugger.go_on();
        }
    }
}

fn shown(debugger: &mut Debugger, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(debugger, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let rows = buffer.content().chunks(usize::from(width));
    let rows = rows.map(|row| {
        row.iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect::<String>()
    });
    rows.collect::<Vec<_>>().join("\n")
}

fn debugger() -> Debugger {
    debugger_with(Output::default())
}

/// Returns a debugger of the program, which has written so much already.
fn debugger_with(output: Output) -> Debugger {
    let assembled = assemble("test.asm", PROGRAM, &NoIncludes, &Options::default()).unwrap();
    let image = link(&assembled.object, &LinkOptions::default()).unwrap();
    let debug = DebugInfo::new(&assembled, &image);
    let config = MachineConfig::default();
    let machine =
        Machine::load(&image, debug, &config, Box::new(Silent), Listener::deaf()).unwrap();
    let recording = Recording::new(machine, RecordOptions::default()).unwrap();
    Debugger::new(
        recording,
        "test.asm".to_owned(),
        Rc::new(RefCell::new(output)),
    )
}
