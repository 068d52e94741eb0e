//! Where a project may stand and what it may be called, and writing it there as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::carried;
use crate::cli::exit;
use crate::cli::failure::Failure;

/// How long a name may be.
const NAME_MAX: usize = 64;

/// Names that a crate can't have, because Rust gives them another meaning.
const TAKEN: [&str; 53] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "use",
    "where",
    "while",
];

/// The name of a project: the last part of its folder, if a crate and a job may have it.
pub fn name(folder: &Path) -> Result<String, Failure> {
    let refused = |what: String| {
        Failure::new("WEIR-CLI-005", what)
            .help(
                "a name begins with a lower-case letter, and has lower-case letters of ASCII, \
                 digits, `-` and `_`, 64 at most: `host new word-count --lang rust`",
            )
            .exit(exit::USAGE)
    };
    let Some(name) = folder.file_name() else {
        return Err(refused(format!("`{}` is no name for a project", folder.display())));
    };
    let Some(name) = name.to_str().filter(|name| plain(name)) else {
        let shown = name.to_string_lossy();
        return Err(refused(format!("`{shown}` can't be the name of a project")));
    };
    let crate_name = name.replace('-', "_");
    if TAKEN.contains(&crate_name.as_str()) {
        return Err(refused(format!(
            "`{name}` can't be the name of a project: it is a word of Rust"
        )));
    }
    if carried::crates().any(|taken| taken.replace('-', "_") == crate_name) {
        let what = "it is a crate that every project is built from";
        return Err(refused(format!("`{name}` can't be the name of a project: {what}")));
    }
    Ok(name.to_owned())
}

fn plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= NAME_MAX
        && name.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_'))
}

/// Finds out whether a folder can be made.
pub fn check(folder: &Path) -> Result<(), Failure> {
    let shown = folder.display();
    let empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if fs::symlink_metadata(folder).is_ok() && !empty {
        return Err(Failure::new("WEIR-CLI-006", format!("`{shown}` is there already"))
            .help("give another name, or remove it")
            .exit(exit::USAGE));
    }
    Ok(())
}

/// The path, or the folder of the process for an empty one.
fn here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// Writes all files, or nothing.
pub fn write(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<(), Failure> {
    written(folder, files).map_err(|(path, error)| {
        Failure::new("WEIR-CLI-001", format!("can't write `{}`: {error}", path.display()))
    })
}

fn written(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<(), (PathBuf, io::Error)> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| (path, error)
    };
    let parent = here(folder.parent().unwrap_or(folder));
    fs::create_dir_all(parent).map_err(at(parent))?;
    let draft = tempfile::Builder::new().prefix(".weir-new-").tempdir_in(parent);
    let draft = draft.map_err(at(parent))?;
    // A folder in the draft, because the draft itself is closed to others.
    let project = draft.path().join("project");
    for (name, bytes) in files {
        let path = project.join(name);
        let below = path.parent().unwrap_or(&project);
        fs::create_dir_all(below).map_err(at(below))?;
        fs::write(&path, bytes).map_err(at(&path))?;
    }
    fs::rename(&project, folder).map_err(at(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(folder: &str) -> String {
        match name(Path::new(folder)) {
            Err(Failure::Other(other)) => other.message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_name_is_one_that_crates_and_jobs_may_have() {
        for (folder, wanted) in [("demo", "demo"), ("a/b/word-count", "word-count"), ("x_1", "x_1")]
        {
            assert_eq!(name(Path::new(folder)).unwrap(), wanted);
        }
        for folder in ["Demo", "1st", "my demo", "żaba", "a.b", "-a", &"a".repeat(65)] {
            assert!(message(folder).contains("can't be the name of a project"), "{folder}");
        }
        assert!(message("match").ends_with("a word of Rust"));
        assert!(message("proc-macro").ends_with("a word of Rust"));
        for folder in ["serde", "weir-derive", "proc_macro2"] {
            assert!(message(folder).ends_with("that every project is built from"), "{folder}");
        }
        assert!(message("..").contains("is no name"));
    }

    #[test]
    fn a_folder_that_holds_something_is_refused() {
        let place = tempfile::tempdir().unwrap();
        check(place.path()).unwrap();
        check(&place.path().join("a/b")).unwrap();
        std::fs::write(place.path().join("file"), "").unwrap();
        for there in [place.path().to_owned(), place.path().join("file")] {
            assert!(format!("{:?}", check(&there)).contains("WEIR-CLI-006"));
        }
    }

    #[test]
    fn what_can_t_be_written_leaves_nothing_behind() {
        let place = tempfile::tempdir().unwrap();
        let files = [("a".to_owned(), vec![]), ("a/b".to_owned(), vec![])];
        let failed = format!("{:?}", write(&place.path().join("demo"), &files));
        assert!(failed.contains("WEIR-CLI-001"), "{failed}");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
