//! Cases of all kinds of functions, put together from pieces of text.
//!
//! A file of `cases/` is a case. Its first line says what it is: `;; mapper` and the other kinds
//! are pieces of a core module, put together with what `kinds/every.wat` and the file of the kind
//! hold; interfaces to import may stand behind the kind. `;; whole` is the text of a component as
//! it is.

use std::path::PathBuf;

/// Names and bytes.
pub fn cases() -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(here("cases")).expect("the cases can be read");
    let mut paths: Vec<PathBuf> =
        files.map(|file| file.expect("a case can be read").path()).collect();
    paths.sort();
    let case = |path: &PathBuf| {
        let name = path.file_stem().expect("a case has a name").to_string_lossy();
        (name.into_owned(), case(&read(path)))
    };
    paths.iter().map(case).collect()
}

/// A place in the crate, which may lie elsewhere than where it was compiled.
fn here(name: &str) -> PathBuf {
    crate::here().join(name)
}

fn read(path: &PathBuf) -> String {
    std::fs::read_to_string(path).expect("a text of the set can be read")
}

fn case(text: &str) -> Vec<u8> {
    let first = text.lines().next().and_then(|line| line.strip_prefix(";; "));
    match first.expect("the first line says what it is") {
        "whole" => wat::parse_str(text).expect("the text is valid"),
        what => component(what, text),
    }
}

/// Pieces as a component; `what` is its kind, and what it imports.
pub fn component(what: &str, text: &str) -> Vec<u8> {
    let mut words = what.split(' ');
    let kind = words.next().unwrap_or_default();
    let imports: String = words.map(|name| format!("import {name};\n")).collect();
    let world = format!(
        "package test:hostile;\nworld it {{\n{imports}export weir:operator/guest@0.1.0;\n\
         export weir:operator/{kind}@0.1.0;\n}}\n"
    );
    let of_kind = read(&here("kinds").join(kind).with_extension("wat"));
    let module = module(&[&read(&here("kinds/every.wat")), &of_kind, text]);
    crate::encoded(&module, &world, "it")
}

/// The core module of all pieces. A piece takes the place of an earlier one of the same sort and
/// name.
fn module(texts: &[&str]) -> String {
    let mut pieces: Vec<&str> = Vec::new();
    for text in texts {
        for piece in split(text) {
            match pieces
                .iter()
                .position(|known| name(known).is_some() && name(known) == name(piece))
            {
                Some(place) => pieces[place] = piece,
                None => pieces.push(piece),
            }
        }
    }
    // Imports come first in a module.
    pieces.sort_by_key(|piece| !piece.starts_with("(import"));
    format!("(module\n{}\n)", pieces.join("\n"))
}

/// What a piece is called: its sort and its `$name`.
fn name(piece: &str) -> Option<(&str, &str)> {
    let mut words = piece.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')'));
    words.next();
    let sort = words.next()?;
    let name = words.next()?;
    name.starts_with('$').then_some((sort, name))
}

/// The expressions in parentheses that a text is made of.
fn split(text: &str) -> Vec<&str> {
    let (mut pieces, mut depth, mut start) = (Vec::new(), 0, 0);
    let (mut quoted, mut comment) = (false, false);
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '\n' => comment = false,
            _ if comment => {}
            '"' if before != '\\' => quoted = !quoted,
            _ if quoted => {}
            ';' if before == ';' => comment = true,
            '(' => {
                if depth == 0 {
                    start = at;
                }
                depth += 1;
            }
            ')' => {
                depth -= 1;
                if depth == 0 {
                    pieces.push(&text[start..=at]);
                }
            }
            _ => {}
        }
        before = if before == '\\' && c == '\\' { ' ' } else { c };
    }
    pieces
}
