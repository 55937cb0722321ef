//! The crates know of each other what the design draws, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::process::Command;

use pagefault_tests::command::project;
use serde_json::Value;

/// Who may depend on whom. The packages `tests` and `benches` stand outside of the drawing.
const ARROWS: [(&str, &[&str]); 10] = [
    ("pagefault-mmu", &[]),
    ("pagefault-asm", &[]),
    ("pagefault-vmm", &["pagefault-mmu"]),
    ("pagefault-cpu", &["pagefault-mmu"]),
    ("pagefault-tlbsim", &["pagefault-mmu"]),
    (
        "pagefault-machine",
        &["pagefault-vmm", "pagefault-cpu", "pagefault-asm"],
    ),
    ("pagefault-lab", &["pagefault-machine", "pagefault-tlbsim"]),
    ("pagefault-gdb", &["pagefault-machine"]),
    ("pagefault-tui", &["pagefault-machine"]),
    (
        "pagefault",
        &[
            "pagefault-lab",
            "pagefault-gdb",
            "pagefault-tui",
            "pagefault-tlbsim",
            "pagefault-machine",
            "pagefault-asm",
        ],
    ),
];

#[test]
fn dependencies_are_the_arrows_of_the_design() {
    let arrows: BTreeMap<_, BTreeSet<_>> = ARROWS
        .iter()
        .map(|&(from, to)| (from, to.iter().copied().collect()))
        .collect();

    for (package, dependencies) in dependencies() {
        if ["pagefault-tests", "pagefault-benches"].contains(&package.as_str()) {
            continue;
        }
        let allowed = arrows.get(package.as_str());
        let allowed = allowed.unwrap_or_else(|| panic!("{package} is not in the drawing"));
        for dependency in dependencies {
            let is_allowed = allowed.contains(dependency.as_str());
            assert!(is_allowed, "{package} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_command_is_the_default_member() {
    let metadata = metadata();
    let default = metadata["workspace_default_members"]
        .as_array()
        .expect("there are some");

    assert_eq!(default.len(), 1, "{default:?}");
    assert!(
        default[0]
            .as_str()
            .is_some_and(|id| id.contains("crates/cli")),
        "{default:?}"
    );
}

/// Returns our packages, each with those of our packages that it depends on.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata["packages"]
        .as_array()
        .expect("a workspace has packages");
    let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().into_iter().flatten();
            let ours = dependencies
                .filter(|dependency| dependency["kind"].is_null() && !dependency["path"].is_null())
                .map(|dependency| text(&dependency["name"]));
            (text(&package["name"]), ours.collect())
        })
        .collect()
}

fn metadata() -> Value {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(project())
        .output()
        .expect("cargo runs");
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}
