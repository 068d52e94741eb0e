//! Which room may use which. ARCHITECTURE.md shows the same table; both change in one commit.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::code::Code;
use crate::tree::{Fault, File};

/// Rooms in the order in which rows pass them, each with the rooms it may use. Some come later.
const ROOMS: [(&str, &[&str]); 13] = [
    ("job", &[]),
    ("format", &[]),
    ("durable", &[]),
    ("source", &["job", "format", "durable"]),
    ("plugin", &["job", "durable"]),
    ("state", &["durable"]),
    ("operator", &["plugin", "state"]),
    ("plan", &["job", "source", "operator", "plugin"]),
    ("sink", &["job", "format", "durable"]),
    ("checkpoint", &["durable"]),
    ("batch", &["job", "durable", "source", "plan", "state", "sink", "checkpoint"]),
    ("serve", &["job", "batch", "checkpoint", "state", "plugin"]),
    (
        "cli",
        &[
            "job",
            "format",
            "durable",
            "source",
            "plugin",
            "state",
            "operator",
            "plan",
            "sink",
            "checkpoint",
            "batch",
            "serve",
        ],
    ),
];

/// Files that every room may use and that use only each other.
const LEAVES: [&str; 5] = ["id", "clock", "types", "row_error", "secret"];

/// The only room that `main.rs` calls.
const MAIN: &str = "cli";

const WAY_OUT: &str = "hand the value over from a room that may know both, or, if the edge is \
                       meant, change the table in tests/tidy/rooms.rs and ARCHITECTURE.md together";

/// Finds uses of rooms that the table does not allow.
pub fn check(files: &[File]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.below("host/src") && file.is(&["rs"])) {
        match Place::of(file) {
            Some(place) if !file.is_test() => faults.extend(check_file(file, &place)),
            Some(_) => {}
            None => faults.push(file.fault(
                1,
                "this is in no room",
                "move it into a room of the table in tests/tidy/rooms.rs",
            )),
        }
    }
    faults
}

/// Where a file stands.
struct Place {
    room: String,
    /// How many modules lie around its contents; 0 is the root of the crate.
    depth: usize,
}

impl Place {
    fn of(file: &File) -> Option<Self> {
        let inside = file.path.strip_prefix("host/src/")?.strip_suffix(".rs")?;
        let mut parts: Vec<&str> = inside.split('/').collect();
        let in_folder = parts.len() > 1;
        if in_folder && parts.last() == Some(&"mod") {
            parts.pop();
        }
        let room = parts[0].to_owned();
        let depth = if in_folder || LEAVES.contains(&parts[0]) { parts.len() } else { 0 };
        let known = if in_folder {
            ROOMS.iter().any(|(name, _)| *name == room)
        } else {
            depth == 1 || matches!(parts[0], "main" | "lib")
        };
        known.then_some(Self { room, depth })
    }

    fn may_use(&self, other: &str) -> bool {
        if self.room == other || self.room == "lib" {
            return true;
        }
        let leaf = LEAVES.contains(&other);
        match ROOMS.iter().find(|(name, _)| *name == self.room) {
            Some((_, allowed)) => leaf || allowed.contains(&other),
            None if self.room == "main" => other == MAIN,
            None => leaf,
        }
    }
}

fn check_file(file: &File, place: &Place) -> Vec<Fault> {
    let code = match Code::read(file) {
        Ok(code) => code,
        Err(fault) => return vec![fault],
    };
    let tokens = file.text.parse().expect("syn has read these tokens before");
    let mut reaches = Vec::new();
    collect(tokens, &mut reaches);
    let mut faults = Vec::new();
    for Reach { root, name, line } in reaches {
        if code.is_test(line) {
            continue;
        }
        let around = code.modules.iter().filter(|lines| lines.contains(&line)).count();
        let written = match root {
            Root::Crate => format!("crate::{name}"),
            Root::Package if place.room == "main" => format!("weir_host::{name}"),
            Root::Package => {
                let what = format!("`weir_host::{name}` outside of main.rs");
                faults.push(file.fault(line, what, "write `crate::`, if this room may"));
                continue;
            }
            Root::Super(steps) if steps == place.depth + around => {
                format!("{}{name}", "super::".repeat(steps))
            }
            Root::Super(_) => continue,
        };
        if !place.may_use(&name) {
            faults.push(file.fault(line, refusal(place, &written), WAY_OUT));
        }
    }
    faults
}

fn refusal(place: &Place, written: &str) -> String {
    let allowed = ROOMS.iter().find(|(name, _)| *name == place.room).map(|(_, rooms)| *rooms);
    let list = match allowed {
        None if place.room == "main" => MAIN.to_owned(),
        None | Some([]) => format!("only {}", LEAVES.join(", ")),
        Some(rooms) => rooms.join(", "),
    };
    format!("`{}` uses `{written}`; it may use {list}", place.room)
}

/// A path that starts at the root of the crate or goes up.
struct Reach {
    root: Root,
    name: String,
    line: usize,
}

#[derive(Clone, Copy)]
enum Root {
    Crate,
    Package,
    Super(usize),
}

/// Finds such paths in code and in the arguments of macros.
fn collect(tokens: TokenStream, reaches: &mut Vec<Reach>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        if let TokenTree::Group(group) = &tokens[at] {
            collect(group.stream(), reaches);
        }
        let (root, after) = root_at(&tokens, at);
        if let Some(root) = root {
            let names = tokens.get(after).map(first_names).unwrap_or_default();
            reaches.extend(names.into_iter().map(|(name, line)| Reach { root, name, line }));
        }
        at = after.max(at + 1);
    }
}

/// The root of a path that starts here, and where the rest of it begins.
fn root_at(tokens: &[TokenTree], at: usize) -> (Option<Root>, usize) {
    let separated = |at: usize| {
        let colon =
            |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':');
        colon(at) && colon(at + 1)
    };
    let word = |at: usize| match tokens.get(at) {
        Some(TokenTree::Ident(word)) if separated(at + 1) => word.to_string(),
        _ => String::new(),
    };
    match word(at).as_str() {
        "crate" => (Some(Root::Crate), at + 3),
        "weir_host" => (Some(Root::Package), at + 3),
        "super" => {
            let steps = (0..).take_while(|step| word(at + 3 * step) == "super").count();
            (Some(Root::Super(steps)), at + 3 * steps)
        }
        "self" => (None, at + 3),
        _ => (None, at),
    }
}

/// The first name of the rest of a path, or of each part of a group of uses.
fn first_names(token: &TokenTree) -> Vec<(String, usize)> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            let mut fresh = true;
            let mut names = Vec::new();
            for token in group.stream() {
                let comma = matches!(&token, TokenTree::Punct(p) if p.as_char() == ',');
                if fresh && !comma {
                    names.extend(first_names(&token));
                }
                fresh = comma;
            }
            names
        }
        TokenTree::Group(_) | TokenTree::Literal(_) => Vec::new(),
        TokenTree::Ident(name) if name == "self" => Vec::new(),
        name => vec![(name.to_string(), name.span().start().line)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::shown;

    fn faults(path: &str, text: &str) -> String {
        shown(&check(&[File::sample(path, text)]))
    }

    #[test]
    fn an_edge_outside_the_table_is_found_however_it_is_written() {
        for text in [
            "use crate::sink::Sink;",
            "use crate::{id::BatchId, sink};",
            "use crate::{plugin::{self, Lane}, sink::{Sink, open}};",
            "fn a() { crate::sink::open(); }",
            "fn a() -> crate::sink::Sink { assert!(crate::sink::b()); }",
            "fn a() { write!(f, \"{}\", crate::sink::NAME); }",
            "pub(super) use super::super::sink;",
            "mod inner { use super::super::super::sink; }",
        ] {
            let found = faults("host/src/operator/map.rs", text);
            assert!(found.contains("map.rs:1: `operator` uses `"), "{text}: {found}");
            assert!(found.contains("sink`; it may use plugin, state"), "{text}: {found}");
        }
    }

    #[test]
    fn allowed_edges_leaves_and_the_own_room_are_no_fault() {
        let text = "use crate::{id, clock::Micros, types::Type};\nuse crate::plugin::Lane;\n\
                    use crate::operator::map; use super::map; use super::super::plugin;\n\
                    pub(crate) fn a() { std::mem::drop(serde::crate_name()) }\n\
                    #[cfg(test)]\nmod tests { use crate::sink::Sink; }";
        assert_eq!(faults("host/src/operator/filter.rs", text), "");
        assert_eq!(faults("host/src/cli/run.rs", "use crate::{batch, sink, plan};"), "");
        assert_eq!(faults("host/src/operator/map/tests.rs", "use crate::sink::Sink;"), "");
        assert_eq!(faults("host/src/plugin/mod.rs", "mod a { use super::b::C; }"), "");
    }

    #[test]
    fn a_leaf_uses_leaves_only() {
        assert_eq!(faults("host/src/types.rs", "use crate::id::Digest;"), "");
        assert!(faults("host/src/types.rs", "use super::job;").contains("may use only id, clock"));
    }

    #[test]
    fn what_stands_in_no_room_is_named() {
        assert!(faults("host/src/other.rs", "").contains("other.rs:1: this is in no room"));
        assert!(faults("host/src/other/mod.rs", "").contains("this is in no room"));
        assert!(faults("host/src/job/mod.rs", "use crate::Thing;").contains("`crate::Thing`"));
    }

    #[test]
    fn only_main_speaks_of_the_library_by_its_name() {
        assert_eq!(faults("host/src/main.rs", "fn main() { weir_host::cli::main(); }"), "");
        assert!(faults("host/src/main.rs", "use weir_host::job;").contains("may use cli"));
        let inside = faults("host/src/batch/run.rs", "use weir_host::job::Job;");
        assert!(inside.contains("`weir_host::job` outside of main.rs"), "{inside}");
    }

    #[test]
    fn the_table_has_no_way_back() {
        for (room, uses) in ROOMS {
            let mut reached = uses.to_vec();
            while let Some(next) = reached.pop() {
                assert_ne!(next, room, "`{room}` reaches itself");
                let known = ROOMS.iter().find(|(name, _)| *name == next);
                reached.extend(known.expect("every name in the table is a room").1);
            }
        }
    }
}
