//! `pagefault debug` on a terminal, where tmux gives one, and what it says without.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pagefault_tests::command::{binary, pagefault, project};

const PROGRAM: &str = "fixtures/programs/gdb_session.asm";

#[test]
fn without_a_terminal_it_says_what_it_needs() {
    let mut command = pagefault();
    let output = command
        .args(["debug", PROGRAM])
        .stdin(Stdio::null())
        .output()
        .unwrap();

    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("needs a terminal"), "{told}");
    assert!(told.contains("--gdb"), "{told}");
}

#[test]
fn options_that_it_would_ignore_are_refused_and_not_in_its_help() {
    let help = pagefault().args(["debug", "--help"]).output().unwrap();
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for options in [
        &["--json"][..],
        &["--trace", "insn"],
        &["--trace", "insn", "--trace-out", "x"],
        &["--record-trace", "x"],
        &["--report", "x"],
        &["--stats"],
        &["--map-at-exit"],
        &["--exit-code", "tool"],
        &["--max-insns", "5"],
    ] {
        let mut command = pagefault();
        let output = command.args(["debug", PROGRAM]).args(options).output();
        let output = output.unwrap();

        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("is for `pagefault run`"), "{told}");
        assert!(!help.contains(&format!("{} ", options[0])), "{help}");
    }
    assert!(
        help.contains("--reg ") && help.contains("--history "),
        "{help}"
    );
}

#[test]
fn keys_on_a_terminal_step_and_quit() {
    if Command::new("tmux").arg("-V").output().is_err() {
        _ = writeln!(
            std::io::stderr(),
            "tmux is not installed: keys_on_a_terminal_step_and_quit checked nothing"
        );
        return;
    }
    let terminal = Terminal::start();
    terminal.wait_for("eip 0040");
    terminal.press("s");
    terminal.wait_for("ecx 00000005*");
    terminal.press("b");
    terminal.wait_for("ecx 00000000*");
    terminal.press("c");
    terminal.wait_for("access violation");
    terminal.press("q");
    terminal.wait_for("ended with 0");
}

/// A terminal of 80x24 in a tmux of its own.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn start() -> Self {
        let terminal = Self {
            socket: format!("pagefault-test-{}", std::process::id()),
        };
        let command = format!(
            "'{}' debug {PROGRAM}; echo ended with $?; read line",
            binary().display()
        );
        let started = terminal.tmux(&["new-session", "-d", "-x", "80", "-y", "24", &command]);
        assert!(started.is_some(), "tmux does not start");
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Option<String> {
        let output = Command::new("tmux")
            .args(["-f", "/dev/null", "-L", &self.socket])
            .args(arguments)
            .current_dir(project())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text)
    }

    fn press(&self, key: &str) {
        assert!(
            self.tmux(&["send-keys", key]).is_some(),
            "{key} cannot be pressed"
        );
    }

    /// Waits until the screen has some text: a terminal answers in its own time.
    fn wait_for(&self, text: &str) {
        const PATIENCE: Duration = Duration::from_secs(30);
        let begin = Instant::now();
        loop {
            let screen = self.tmux(&["capture-pane", "-p"]).unwrap_or_default();
            if screen.contains(text) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "no {text:?} on\n{screen}");
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        _ = self.tmux(&["kill-server"]);
    }
}
