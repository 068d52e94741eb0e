//! The files of a new project.

use super::carried::{self, ARCHIVE, FILES, LOCK};
use crate::cli::failure::Failure;

/// What stands in templates for the name.
const NAME: &str = "{{name}}";

/// The files of a project with a function of a kind: paths in its folder, and bytes.
pub fn files(name: &str, kind: &str) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut files = vec![(LOCK.to_owned(), lock(carried::text(LOCK), name).into_bytes())];
    for (path, bytes) in FILES {
        if let Some(template) = path.strip_prefix("template/") {
            if let Some(path) = placed(template, kind) {
                let text = String::from_utf8_lossy(bytes).replace(NAME, name);
                files.push((path, text.into_bytes()));
            }
        } else if *path == ARCHIVE {
            let crates = carried::unpack(bytes)?;
            files.extend(crates.into_iter().map(|(path, bytes)| (format!("sdk/{path}"), bytes)));
        } else if *path != LOCK {
            files.push((format!("sdk/{path}"), bytes.to_vec()));
        }
    }
    Ok(files)
}

/// Where a file of a template goes, if it belongs to a project of this kind.
fn placed(template: &str, kind: &str) -> Option<String> {
    let (folder, path) = template.split_once('/')?;
    match (folder, path) {
        // Under their own names they would count for the folder that the templates lie in.
        ("project", "gitignore") => Some(".gitignore".to_owned()),
        ("project", "cargo-config.toml") => Some(".cargo/config.toml".to_owned()),
        ("project", path) => Some(path.to_owned()),
        (folder, path) => (folder == kind).then(|| path.to_owned()),
    }
}

/// The lock file of a project: that of the SDK, and the project itself at its place.
fn lock(of_sdk: &str, name: &str) -> String {
    let mut parts = of_sdk.split("[[package]]\n").map(str::trim_end);
    let head = parts.next().unwrap_or_default();
    let project =
        format!("name = \"{name}\"\nversion = \"0.1.0\"\ndependencies = [\n \"weir\",\n]");
    let mut packages: Vec<&str> = parts.chain([project.as_str()]).collect();
    packages.sort_by_key(|package| package.lines().next());
    let packages: Vec<String> =
        packages.iter().map(|package| format!("[[package]]\n{package}\n")).collect();
    format!("{head}\n\n{}", packages.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_stands_at_its_place_in_the_lock() {
        let package = |name: &str, version: &str, uses: &str| {
            let uses = format!("dependencies = [\n \"{uses}\",\n]\n");
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{uses}")
        };
        let (quote, weir) = (package("quote", "1", "x"), package("weir", "0.1.0", "quote"));
        let sum = package("sum", "0.1.0", "weir");
        let sdk = format!("# Generated\nversion = 4\n\n{quote}\n{weir}");
        let wanted = format!("# Generated\nversion = 4\n\n{quote}\n{sum}\n{weir}");
        assert_eq!(lock(&sdk, "sum"), wanted);
    }

    #[test]
    fn a_project_has_one_of_each_file_and_its_name_in_place() {
        let kinds = ["mapper", "predicate", "flat-mapper", "aggregator", "transformer", "updater"];
        for kind in kinds {
            let files = files("demo", kind).unwrap();
            let mut paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
            paths.sort_unstable();
            assert!(paths.windows(2).all(|pair| pair[0] != pair[1]), "{paths:?}");
            for wanted in ["src/lib.rs", "job.toml", "Cargo.toml", ".gitignore", "sdk/LICENSE"] {
                assert!(paths.contains(&wanted), "{kind}: {wanted}");
            }
            assert!(paths.iter().any(|path| path.starts_with("input/")), "{kind}");
            let own = files.iter().filter(|(path, _)| !path.starts_with("sdk/"));
            for (path, bytes) in own {
                assert!(!String::from_utf8_lossy(bytes).contains("{{"), "{path}");
            }
        }
    }
}
