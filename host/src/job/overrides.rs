//! Settings that are changed from outside: `--set job.batch=5s` and `HOST__JOB__BATCH=5s`.
//!
//! A value is TOML if it can be read as TOML, and text otherwise. `--set` wins over the
//! environment, and the last `--set` over those before it. Names of variables are compared without
//! case, and `_` in them fits `-`, because a shell has no variables with `-`.

use super::Override;
use super::fields::{brief, near};
use super::problem::{Problem, Span};
use super::value::{Node, Table, Value, read_one};

const HELP: &str = "a setting is `job.NAME`, or `source.ID.NAME`, `op.ID.NAME`, `function.ID.NAME` \
                    or `sink.ID.NAME`, followed by `=` and a value";

/// A change, as it was asked for.
struct Change {
    origin: String,
    path: String,
    value: String,
    variable: bool,
}

/// Puts the changes into a document whose text has so many bytes.
pub fn apply(
    table: &mut Table,
    bytes: usize,
    (set, environment): (&[String], &[(String, String)]),
) -> (Vec<Override>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut overrides = Vec::new();
    let mut start = bytes + 1;
    for change in changes(set, environment, &mut problems) {
        let (node, wrong) = read_one(&change.value, start);
        problems.extend(wrong);
        let parts: Vec<&str> = change.path.split('.').collect();
        let target = Target { variable: change.variable, span: start..start + change.value.len() };
        if let Err(why) = target.entry(table, &parts, node) {
            let message = format!("`{}`: {why}", brief(&change.origin));
            problems.push(Problem::new("WEIR-JOB-018", message).help(HELP));
        }
        let length = change.value.len();
        overrides.push(Override { origin: change.origin, value: change.value, start });
        start += length + 1;
    }
    (overrides, problems)
}

fn changes(
    set: &[String],
    environment: &[(String, String)],
    problems: &mut Vec<Problem>,
) -> Vec<Change> {
    let mut variables: Vec<Change> = environment
        .iter()
        .filter_map(|(name, value)| {
            let path = name.strip_prefix("HOST__")?.to_lowercase().replace("__", ".");
            Some(Change { origin: name.clone(), path, value: value.clone(), variable: true })
        })
        .collect();
    variables.sort_by(|a, b| a.origin.cmp(&b.origin));
    for option in set {
        match option.split_once('=') {
            Some((path, value)) => variables.push(Change {
                origin: format!("--set {}", path.trim()),
                path: path.trim().to_owned(),
                value: value.trim().to_owned(),
                variable: false,
            }),
            None => {
                let message = format!("`--set {}`: there is no `=`", brief(option));
                problems.push(Problem::new("WEIR-JOB-018", message).help(HELP));
            }
        }
    }
    variables
}

/// Where a change goes.
struct Target {
    variable: bool,
    /// The place of the value: also that of what has to be made for it.
    span: Span,
}

impl Target {
    fn entry(&self, table: &mut Table, path: &[&str], node: Node) -> Result<(), String> {
        match path {
            [kind @ ("source" | "op" | "sink" | "function"), id, rest @ ..] if !rest.is_empty() => {
                let list = table.entries.iter_mut().find(|(name, _, _)| name == kind);
                let Some((_, _, Node { value: Value::List(items), .. })) = list else {
                    return Err(format!("there is no [[{kind}]]"));
                };
                let ids: Vec<Option<String>> = items.iter().map(id_of).collect();
                let fits = |known: &Option<String>| {
                    known.as_ref().is_some_and(|known| self.fits(known, id))
                };
                let place = ids.iter().position(fits);
                match place.and_then(|place| items.get_mut(place)) {
                    Some(Node { value: Value::Table(entry), .. }) => self.put(entry, rest, node),
                    _ => {
                        let known: Vec<&str> = ids.iter().flatten().map(String::as_str).collect();
                        Err(unknown(kind, id, &known))
                    }
                }
            }
            ["job" | "dead_letters" | "checkpoint" | "vars", _, ..] | ["name"] => {
                self.put(table, path, node)
            }
            _ => Err("there is no such setting".to_owned()),
        }
    }

    fn fits(&self, id: &str, wanted: &str) -> bool {
        id == wanted || (self.variable && id.to_lowercase().replace('-', "_") == wanted)
    }

    fn put(&self, table: &mut Table, path: &[&str], node: Node) -> Result<(), String> {
        let [name, rest @ ..] = path else { return Err("there is no such setting".to_owned()) };
        if name.is_empty() {
            return Err("a part of its name is empty".to_owned());
        }
        let place = match table.entries.iter().position(|(known, _, _)| self.fits(known, name)) {
            Some(place) => place,
            None => {
                let empty = Node { value: Value::Table(Table::default()), span: self.span.clone() };
                table.entries.push(((*name).to_owned(), self.span.clone(), empty));
                table.entries.len() - 1
            }
        };
        let (_, _, there) = &mut table.entries[place];
        if rest.is_empty() {
            *there = node;
            return Ok(());
        }
        match &mut there.value {
            Value::Table(inner) => self.put(inner, rest, node),
            _ => Err(format!("`{}` is not a table", brief(name))),
        }
    }
}

fn id_of(item: &Node) -> Option<String> {
    match &item.value {
        Value::Table(table) => match &table.get("id")?.value {
            Value::Text(id) => Some(id.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn unknown(kind: &str, id: &str, known: &[&str]) -> String {
    let message = format!("there is no {kind} `{}`", brief(id));
    match near(id, known) {
        Some(near) => format!("{message}; did you mean `{near}`?"),
        None => message,
    }
}
