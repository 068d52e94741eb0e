//! Promises that something is there: a test for every folder, an explanation for every code.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};

use crate::tree::{Fault, File};

/// Folders whose folders are run by tests. A group of cases counts as one.
const SHELVES: [&str; 3] = ["examples", "tests/jobs", "tests/plugins"];

/// Where the texts of error codes stand.
const EXPLAINED: [&str; 2] = ["host/src/cli/explain.rs", "host/src/job/codes.rs"];

/// Finds folders that no test names in a string.
pub fn check_folders(files: &[File]) -> Vec<Fault> {
    let mut named = String::new();
    for file in files.iter().filter(|file| file.is(&["rs"]) && runs_tests(file)) {
        collect_strings(file.text.parse().unwrap_or_default(), &mut named);
    }
    let mut folders = BTreeMap::new();
    for file in files {
        for shelf in SHELVES.into_iter().filter(|shelf| file.below(shelf)) {
            if let Some((folder, _)) = file.path[shelf.len() + 1..].split_once('/') {
                folders.entry((shelf, folder)).or_insert(file);
            }
        }
    }
    let unnamed = folders.into_iter().filter(|((_, folder), _)| !names(&named, folder));
    unnamed
        .map(|((shelf, folder), file)| {
            let way_out = "run it from a test in tests/*.rs or host/src that names it, or drop it";
            file.fault(1, format!("no test names `{shelf}/{folder}`"), way_out)
        })
        .collect()
}

fn runs_tests(file: &File) -> bool {
    let in_tests = file.below("tests") && !SHELVES.iter().any(|shelf| file.below(shelf));
    (in_tests && !file.path.starts_with("tests/tidy")) || file.below("host/src")
}

/// Collects what stands between quotes, in macros too, but not in docs.
fn collect_strings(tokens: TokenStream, strings: &mut String) {
    let mut doc = false;
    for token in tokens {
        match &token {
            TokenTree::Group(group) => collect_strings(group.stream(), strings),
            TokenTree::Literal(literal) if !doc => {
                strings.push_str(&literal.to_string());
                strings.push('\n');
            }
            TokenTree::Ident(word) => doc = word == "doc",
            TokenTree::Literal(_) | TokenTree::Punct(_) => {}
        }
    }
}

/// Whether a folder is named: `-` belongs to names, so that `a` is not named by `a-b`.
fn names(strings: &str, folder: &str) -> bool {
    let part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
    strings.match_indices(folder).any(|(at, _)| {
        !strings[..at].ends_with(part) && !strings[at + folder.len()..].starts_with(part)
    })
}

/// Finds error codes without a text.
pub fn check_codes(files: &[File]) -> Vec<Fault> {
    let (explaining, others): (Vec<&File>, Vec<&File>) = files
        .iter()
        .filter(|file| file.below("host/src") && file.is(&["rs"]))
        .partition(|file| EXPLAINED.contains(&file.path.as_str()));
    let mut explained: BTreeSet<&str> =
        explaining.iter().flat_map(|file| codes(&file.text)).map(|(_, code)| code).collect();
    // A room may keep the texts of its codes beside them, in its own `CODES`.
    let own = others.iter().filter_map(|file| file.text.split_once("pub const CODES"));
    explained.extend(own.flat_map(|(_, texts)| codes(texts)).map(|(_, code)| code));
    let mut faults = Vec::new();
    for file in others {
        for (line, code) in codes(&file.text) {
            // One fault is enough for a code.
            if explained.insert(code) {
                let way_out = format!("add what it means and what to do to {}", EXPLAINED[0]);
                faults.push(file.fault(line, format!("nothing explains `{code}`"), &way_out));
            }
        }
    }
    faults
}

/// Every `WEIR-<ROOM>-<three digits>` with its line.
fn codes(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines()).flat_map(|(line, text)| {
        text.match_indices("WEIR-").filter_map(move |(at, start)| {
            let rest = &text[at + start.len()..];
            let (room, number) = rest.split_once('-')?;
            let digits = number.bytes().take_while(u8::is_ascii_digit).count();
            let right = !room.is_empty() && room.bytes().all(|byte| byte.is_ascii_uppercase());
            let length = start.len() + room.len() + 1 + digits;
            (right && digits == 3).then(|| (line, &text[at..at + length]))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::shown;

    #[test]
    fn a_folder_that_no_test_names_is_found() {
        let files = [
            File::sample("examples/01-first/job.toml", ""),
            File::sample("examples/README.md", ""),
            File::sample("tests/jobs/bad/no-sink/job.toml", ""),
            File::sample("tests/plugins/trap/src/lib.rs", "const A: &str = \"trap\";"),
            File::sample("tests/plugins/trap-twice/src/lib.rs", ""),
            File::sample(
                "tests/jobs.rs",
                "/// Not \"trap\".\nfn a() { run!(\"examples/01-first/job.toml\"); b(\"bad\") }\n\
                 fn c() { guest(\"trap-twice\") }",
            ),
        ];
        let found = shown(&check_folders(&files));
        assert!(found.contains("no test names `tests/plugins/trap`\n"), "{found}");
        assert_eq!(found.matches("way out").count(), 1, "{found}");
    }

    #[test]
    fn a_code_without_a_text_is_found_once() {
        let files = [
            File::sample("host/src/cli/explain.rs", "(\"WEIR-JOB-001\", \"text\")"),
            File::sample("host/src/job/a.rs", "\"WEIR-JOB-001\"\n\"WEIR-JOB-002 WEIR-JOB-002\""),
            File::sample("host/src/sink/b.rs", "// WEIR-A-1 WEIR-job-003 WEIR-JOB-0004"),
            File::sample("tests/c.rs", "\"WEIR-JOB-009\""),
        ];
        let found = shown(&check_codes(&files));
        assert!(found.starts_with("host/src/job/a.rs:2: nothing explains `WEIR-JOB-002`"));
        assert_eq!(found.matches("way out").count(), 1, "{found}");
    }
}
