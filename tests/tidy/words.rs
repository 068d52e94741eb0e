//! Words that say nothing, and marks that may not stay.

use proc_macro2::{TokenStream, TokenTree};

use crate::code::Code;
use crate::tree::{Fault, File, whole_words};

/// A thing with such a name has no purpose of its own, or two.
const EMPTY_WORDS: [&str; 10] = [
    "util",
    "utils",
    "common",
    "commons",
    "helper",
    "helpers",
    "manager",
    "managers",
    "misc",
    "miscellaneous",
];

/// Marks of work that is not done, in halves so that they are not found here.
const MARKS: [&str; 3] = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("X", "XX")];

const WAY_OUT: &str = "name it after what it is or does: the noun of the domain";

/// Finds files, folders and Rust names with an empty word in them. Names of others may be used.
pub fn check_names(files: &[File]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| !file.generated()) {
        if let Some(word) = file.path.split(['/', '.']).find_map(empty_word) {
            faults.push(file.fault(1, format!("`{word}` in the path"), WAY_OUT));
        }
        if !file.is(&["rs"]) {
            continue;
        }
        match Code::read(file) {
            Ok(code) => faults.extend(code.names.iter().filter_map(|(name, line)| {
                let word = empty_word(name)?;
                Some(file.fault(*line, format!("`{word}` in the name `{name}`"), WAY_OUT))
            })),
            Err(fault) => faults.push(fault),
        }
    }
    faults
}

/// The empty word in a name, whichever way its words are joined.
fn empty_word(name: &str) -> Option<&'static str> {
    let mut spaced = String::new();
    let mut before_was_small = false;
    for character in name.chars() {
        if character.is_uppercase() && before_was_small {
            spaced.push(' ');
        }
        before_was_small = character.is_lowercase();
        match character {
            '_' | '-' => spaced.push(' '),
            other => spaced.extend(other.to_lowercase()),
        }
    }
    EMPTY_WORDS.into_iter().find(|word| spaced.split(' ').any(|part| part == *word))
}

/// Finds marks of unfinished work and calls of the debugging macro.
pub fn check_leftovers(files: &[File]) -> Vec<Fault> {
    let code = ["rs", "wit", "toml", "sh", "go", "js", "ts", "py"];
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.is(&code) && !file.generated()) {
        for (line, text) in (1..).zip(file.text.lines()) {
            for mark in MARKS.into_iter().filter(|mark| whole_words(text, mark).next().is_some()) {
                let way_out = "do it, or open an issue and describe the code as it is";
                faults.push(file.fault(line, format!("`{mark}`"), way_out));
            }
        }
        // What can't be read as Rust is told by the rule on names.
        let tokens = if file.is(&["rs"]) { file.text.parse().ok() } else { None };
        for line in debugging(tokens.unwrap_or_default()) {
            faults.push(file.fault(line, "a call of `dbg!`", "take it out, or write an event"));
        }
    }
    faults
}

fn debugging(tokens: TokenStream) -> Vec<usize> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut lines = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => lines.extend(debugging(group.stream())),
            TokenTree::Ident(word) if word == "dbg" => {
                let called = tokens.get(at + 1);
                if matches!(called, Some(TokenTree::Punct(mark)) if mark.as_char() == '!') {
                    lines.push(word.span().start().line);
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::shown;

    #[test]
    fn an_empty_word_is_found_in_paths_and_in_names_that_are_given() {
        for (path, text) in [
            ("host/src/sink/utils.rs", ""),
            ("tests/common/mod.rs", ""),
            ("sdk/go/misc/a.go", ""),
            ("sdk/js/batch-helper.js", ""),
            ("a.rs", "struct BatchManager;"),
            ("a.rs", "fn common_prefix() {}"),
            ("a.rs", "const READ_HELPER: u8 = 0;"),
            ("a.rs", "struct A { misc: u8 }"),
        ] {
            let found = shown(&check_names(&[File::sample(path, text)]));
            assert!(found.contains(&format!("{path}:1: `")), "{path} {text}: {found}");
        }
    }

    #[test]
    fn words_of_others_and_longer_words_are_no_fault() {
        let text = "use datafusion::common::Result;\nfn uncommon(managers_of: miscible::A) {}\n";
        let found = shown(&check_names(&[File::sample("host/src/a.rs", text)]));
        assert_eq!(found.matches("way out").count(), 1, "{found}");
        assert!(found.contains("a.rs:2: `managers` in the name `managers_of`"), "{found}");
    }

    #[test]
    fn a_mark_is_found_in_every_language() {
        for mark in MARKS {
            for path in ["a.rs", "b.wit", "c.toml", ".ci/run", "d.py"] {
                let text = format!("\n// {mark}: later\n");
                let found = shown(&check_leftovers(&[File::sample(path, &text)]));
                assert!(found.contains(&format!("{path}:2: `{mark}`")), "{found}");
            }
        }
        let inside = format!("mktemp a.{0}{0}\n", MARKS[2]);
        assert!(check_leftovers(&[File::sample(".ci/run", &inside)]).is_empty());
    }

    #[test]
    fn a_call_of_the_debugging_macro_is_found_and_its_name_is_not() {
        let text = "/// No `dbg!` here.\nfn a() {\n    b(std::dbg!(1));\n}\n";
        let found = shown(&check_leftovers(&[File::sample("a.rs", text)]));
        assert_eq!(found.matches("way out").count(), 1, "{found}");
        assert!(found.contains("a.rs:3: a call of `dbg!`"), "{found}");
    }
}
