//! The files of the repository and what is wrong with them.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

/// Folders that hold what was built or fetched, never what was written here.
const IGNORED: [&str; 6] = [".git", ".weir", "node_modules", "target", "vendor", "__pycache__"];

/// A text file of the repository.
pub struct File {
    /// From the root of the repository, with `/`.
    pub path: String,
    /// What it holds.
    pub text: String,
}

impl File {
    /// A file that is only here.
    #[cfg(test)]
    pub fn sample(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// Whether the name ends with `.` and one of these.
    pub fn is(&self, endings: &[&str]) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        endings.contains(&ending) || (self.path == ".ci/run" && endings.contains(&"sh"))
    }

    /// Whether it stands somewhere below a folder.
    pub fn below(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Whether a tool wrote it: checked in, but nobody's style.
    pub fn generated(&self) -> bool {
        self.path.split('/').any(|part| part == "bindings" || part == "bindings.rs")
    }

    /// Whether all of it is test code.
    pub fn is_test(&self) -> bool {
        self.below("tests")
            || self.path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "test_kit.rs"))
    }

    /// A fault at a line of this file, counted from 1.
    pub fn fault(&self, line: usize, what: impl Into<String>, way_out: &str) -> Fault {
        Fault { path: self.path.clone(), line, what: what.into(), way_out: way_out.into() }
    }
}

/// Something that breaks a rule.
#[derive(Debug)]
pub struct Fault {
    path: String,
    line: usize,
    what: String,
    way_out: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, what, way_out } = self;
        write!(f, "{path}:{line}: {what}\n    way out: {way_out}")
    }
}

/// Every text file of the repository in the order of paths, read once.
pub fn files() -> &'static [File] {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    FILES.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut files = Vec::new();
        collect(&root, "", &mut files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    })
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository can be read") {
        let entry = entry.expect("an entry of the repository can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().expect("an entry of the repository has a type");
        if kind.is_dir() && !IGNORED.contains(&name.as_str()) {
            collect(&entry.path(), &format!("{prefix}{name}/"), files);
        } else if kind.is_file() {
            // What is not UTF-8 is not text, and what is gone by now is not checked.
            if let Ok(text) = std::fs::read_to_string(entry.path()) {
                files.push(File { path: format!("{prefix}{name}"), text });
            }
        }
    }
}

/// Fails with all that is wrong.
pub fn must_be_none(faults: Vec<Fault>) {
    let list: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert!(faults.is_empty(), "{} to mend:\n\n{}\n", faults.len(), list.join("\n"));
}

/// The faults of a sample as one text.
#[cfg(test)]
pub fn shown(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
}

/// The places where a word stands alone, in bytes: no letter, digit or `_` on either side.
pub fn whole_words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_the_file_the_line_and_the_way_out() {
        let fault = File::sample("host/src/a.rs", "").fault(3, "too wide", "cut it");
        assert_eq!(fault.to_string(), "host/src/a.rs:3: too wide\n    way out: cut it");
    }

    #[test]
    fn the_tree_is_read_without_what_was_built() {
        let paths: Vec<&str> = files().iter().map(|file| file.path.as_str()).collect();
        assert!(paths.contains(&"tests/tidy/tree.rs") && paths.contains(&"Cargo.toml"));
        assert!(!paths.iter().any(|path| path.contains("target/") || path.starts_with(".git/")));
    }

    #[test]
    fn a_word_inside_another_is_not_that_word() {
        assert_eq!(whole_words("uncommon common commons", "common").collect::<Vec<_>>(), [9]);
    }

    #[test]
    #[should_panic(expected = "1 to mend:\n\na.rs:1: what")]
    fn one_fault_is_enough_to_fail() {
        must_be_none(vec![File::sample("a.rs", "").fault(1, "what", "how")]);
    }
}
