//! Every program of `fixtures/c` does what is written beside it.
//!
//! `NAME.exe` was made of `NAME.c` by `i686-w64-mingw32-gcc -O2 -s -o NAME.exe NAME.c` (GCC 12).
//! `NAME.args` is what follows its name on the command line, `NAME.out` what it prints: its exit
//! code, and its standard output. `UPDATE_EXPECT=1` rewrites that.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use pagefault_tests::command::{pagefault, project};

#[test]
fn programs_of_a_c_compiler_print_what_is_written_beside_them() {
    let folder = project().join("fixtures/c");
    let mut programs: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "exe"))
        .collect();
    programs.sort();
    assert!(!programs.is_empty());

    for program in programs {
        for paging in ["two-level", "pae"] {
            let printed = run(&program, paging);
            let expected = program.with_extension("out");
            if env::var_os("UPDATE_EXPECT").is_some() {
                fs::write(&expected, &printed).unwrap();
            }
            let expected = fs::read_to_string(&expected).unwrap_or_default();
            assert_eq!(printed, expected, "{} in {paging}", program.display());
        }
    }
}

fn run(program: &Path, paging: &str) -> String {
    let arguments = fs::read_to_string(program.with_extension("args")).unwrap_or_default();
    let output = pagefault()
        .arg("run")
        .args(["--paging", paging])
        .arg(program)
        .arg("--")
        .args(arguments.lines())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{}: {errors}", program.display());
    let code = output.status.code().unwrap();
    format!("exit {code}\n{}", String::from_utf8_lossy(&output.stdout))
}
