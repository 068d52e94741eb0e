//! The SDK and the plugins have tests of their own, in crates of their own: they pass too.

use std::process::Command;

use crate::host::root;

/// Runs `cargo test` in a crate that stands alone, as its author would.
fn passes(folder: &str) {
    let mut cargo = Command::new("cargo");
    for (name, _) in std::env::vars() {
        if name.starts_with("CARGO_") && name != "CARGO_HOME" {
            cargo.env_remove(name);
        }
    }
    let target = std::env::temp_dir().join("weir-standalone-tests");
    let done = cargo
        .current_dir(root().join(folder))
        .args(["test", "--quiet"])
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("test result: ok"), "{said}");
}

#[test]
fn the_sdk_and_the_plugins_pass_their_own_tests() {
    passes("sdk/rust");
    passes("plugins/text");
}
