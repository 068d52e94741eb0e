//! Settings that are changed from outside: `--set job.batch=5s` and `HOST__JOB__BATCH=5s`.

use super::problem::Problem;
use super::value::{Node, Table, Value, read_one};

/// Puts the changes into a document.
pub fn apply(table: &mut Table, set: &[String], environment: &[(String, String)]) -> Vec<Problem> {
    let variables = environment.iter().filter_map(|(name, value)| {
        let path = name.strip_prefix("HOST__")?.to_lowercase().replace("__", ".");
        Some((name.clone(), path, value.clone()))
    });
    let options = set.iter().map(|option| match option.split_once('=') {
        Some((path, value)) => (format!("--set {path}"), path.to_owned(), value.to_owned()),
        None => (format!("--set {option}"), String::new(), String::new()),
    });
    let mut problems = Vec::new();
    for (origin, path, value) in variables.chain(options) {
        if let Err(why) = change(table, &path, read_one(&value)) {
            problems.push(Problem::new("WEIR-JOB-018", format!("`{origin}`: {why}")).help(
                "a setting is `job.NAME`, or `source.ID.NAME`, `op.ID.NAME`, `sink.ID.NAME`, \
                     followed by `=` and a value",
            ));
        }
    }
    problems
}

fn change(table: &mut Table, path: &str, node: Node) -> Result<(), String> {
    let parts: Vec<&str> = path.split('.').collect();
    match parts.as_slice() {
        [kind @ ("source" | "op" | "sink" | "function"), id, rest @ ..] if !rest.is_empty() => {
            let entry = table.entries.iter_mut().find(|(name, _, _)| name == kind);
            let Some((_, _, Node { value: Value::List(items), .. })) = entry else {
                return Err(format!("there is no [[{kind}]]"));
            };
            let of_id = |item: &&mut Node| match &item.value {
                Value::Table(table) => {
                    let named = table.get("id").map(|node| &node.value);
                    matches!(named, Some(Value::Text(text)) if text == id)
                }
                _ => false,
            };
            match items.iter_mut().find(of_id) {
                Some(Node { value: Value::Table(entry), .. }) => put(entry, rest, node),
                _ => Err(format!("there is no {kind} `{id}`")),
            }
        }
        ["job", _, ..] | ["name"] => put(table, &parts, node),
        _ => Err("no such setting".to_owned()),
    }
}

fn put(table: &mut Table, path: &[&str], node: Node) -> Result<(), String> {
    let [name, rest @ ..] = path else { return Err("no such setting".to_owned()) };
    let place = match table.entries.iter().position(|(known, _, _)| known == name) {
        Some(place) => place,
        None => {
            let empty = Node { value: Value::Table(Table::default()), span: 0..0 };
            table.entries.push(((*name).to_owned(), 0..0, empty));
            table.entries.len() - 1
        }
    };
    let (_, _, there) = &mut table.entries[place];
    if rest.is_empty() {
        // The place in the text stays: it is where the setting that was changed stands.
        *there = Node { value: node.value, span: there.span.clone() };
        return Ok(());
    }
    match &mut there.value {
        Value::Table(inner) => put(inner, rest, node),
        _ => Err(format!("`{name}` is not a table")),
    }
}
