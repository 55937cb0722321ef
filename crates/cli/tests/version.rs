//! The command answers for itself. What it does with programs is tested in the package `tests`.

use std::process::Command;

#[test]
fn the_version_is_that_of_the_package() {
    let output = Command::new(env!("CARGO_BIN_EXE_pagefault"))
        .arg("--version")
        .output()
        .unwrap();

    let expected = format!("pagefault {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
