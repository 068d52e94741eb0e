//! Puts the Rust SDK, its crates and the templates of `host new` into the host.
//!
//! It writes a list of files as Rust code: the compiler takes their bytes, and notices changes.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What of `sdk/rust` goes into a new project, and the templates.
const PARTS: [&str; 7] =
    ["Cargo.toml", "Cargo.lock", "README.md", "derive", "src", "template", "vendor.tar.zst"];

fn main() -> Result<(), Box<dyn Error>> {
    // Asked for when it runs: a target folder may be shared by checkouts, and the script with it.
    let host = variable("CARGO_MANIFEST_DIR")?;
    let sdk = host.join("../sdk/rust").canonicalize()?;
    let mut files = vec![("LICENSE".to_owned(), host.join("../LICENSE").canonicalize()?)];
    for part in PARTS {
        collect(&sdk.join(part), part, &mut files)?;
    }
    let mut code = String::from("&[\n");
    for (name, path) in &files {
        writeln!(code, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    code.push_str("]\n");
    std::fs::write(variable("OUT_DIR")?.join("sdk.rs"), code)?;
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "so cargo tells a build script where things are")]
fn variable(name: &str) -> Result<PathBuf, Box<dyn Error>> {
    Ok(std::env::var_os(name).ok_or_else(|| format!("{name} is not set"))?.into())
}

/// Lists the files of a folder in the order of their names. Cargo looks for changes in the folder:
/// files may come and go.
fn collect(
    path: &Path,
    name: &str,
    files: &mut Vec<(String, PathBuf)>,
) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", path.display());
    if !path.is_dir() {
        files.push((name.to_owned(), path.to_owned()));
        return Ok(());
    }
    let mut entries = std::fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let below = entry.file_name();
        let below = below.to_str().ok_or("a file of the SDK has a name that is no text")?;
        if below != "target" {
            collect(&entry.path(), &format!("{name}/{below}"), files)?;
        }
    }
    Ok(())
}
