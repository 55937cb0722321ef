//! The `pagefault` command, built and ready to be run.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Returns the top folder of the project.
///
/// # Panics
///
/// If this package is not where it belongs.
pub fn project() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("the package lies in the project's top folder")
}

/// Returns the path of the `pagefault` binary, which is built first.
///
/// `cargo test` of another package builds no binaries; what it has compiled is used again.
///
/// # Panics
///
/// If the binary cannot be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        // As `cargo test --workspace` builds it for the command's own test, so that after that there
        // is nothing to do: with other packages, features are resolved otherwise.
        let mut build = Command::new(cargo);
        build.args([
            "test",
            "--workspace",
            "--test",
            "version",
            "--no-run",
            "--quiet",
        ]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let built = build.current_dir(project()).status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "pagefault does not build"
        );
        // Programs lie in the folder of the profile, and those of tests in `deps` below it.
        let program = env::current_exe().expect("a program has a path");
        let above = program.parent().expect("a program lies in a folder");
        let folder = match above.parent() {
            Some(profile) if above.ends_with("deps") => profile,
            _ => above,
        };
        folder
            .join("pagefault")
            .with_extension(env::consts::EXE_EXTENSION)
    })
}

/// Returns a command that runs `pagefault` in the project's top folder, without colours.
pub fn pagefault() -> Command {
    let mut command = Command::new(binary());
    command.current_dir(project()).env("NO_COLOR", "1");
    command
}
