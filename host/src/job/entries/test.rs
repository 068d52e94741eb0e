//! `[[test]]`: rows that are fed to sources, and the rows that must come out of an entry.

use super::super::fields::{Fields, Problems, brief};
use super::super::problem::{Problem, Span};
use super::super::schema::TEST;
use super::super::value::{Node, Table, Value};
use super::super::{Expect, Input, TestSpec};
use super::{Entry, Kind};
use crate::id::NodeId;

/// Rows as JSON objects.
type Rows = Vec<serde_json::Map<String, serde_json::Value>>;

const EXPECT: &str = "the rows that must come out: `expect = [{ word = \"to\", n = 1 }]`, or a \
                      part of the error: `expect_error = \"is odd\"`";

/// Reads a `[[test]]`.
pub fn test(table: (&Table, Span), entries: &[Entry<'_>], problems: &Problems) -> Option<TestSpec> {
    let fields = Fields::new(table, &TEST, problems);
    let name = fields.needed("name", "what it shows, such as `name = \"odd numbers are dropped\"`");
    let to = fields.needed("to", "the op whose rows are compared");
    let to = to.and_then(|(to, span)| target(&fields, entries, &to, span));
    let feed = feed(&fields, entries);
    let ordered = fields.flag("ordered").unwrap_or(false);
    let rows = fields.take("expect").map(|node| rows(&fields, "expect", node));
    let error = fields.filled("expect_error", EXPECT);
    let expect = match (rows, error) {
        (Some(rows), None) => rows.map(Expect::Rows),
        (None, Some((error, _))) => Some(Expect::Error(error)),
        (None, None) => {
            fields.missing("expect", EXPECT);
            None
        }
        (Some(_), Some((_, span))) => {
            let help = "a batch that fails gives no rows: leave one of them out";
            let message = "`expect` and `expect_error` are both given".to_owned();
            fields.senseless(&span, message, help);
            None
        }
    };
    fields.finish();
    Some(TestSpec { name: name?.0, to: to?, feed: feed?, expect: expect?, ordered })
}

fn target(fields: &Fields<'_>, entries: &[Entry<'_>], to: &str, span: Span) -> Option<Input> {
    let (id, port) = match to.split_once('.') {
        Some((id, port)) => (id, Some(port.to_owned())),
        None => (to, None),
    };
    let known = |entry: &Entry<'_>| {
        entry.has_rows() && entry.id.as_ref().is_some_and(|(known, _)| *known == id)
    };
    if entries.iter().any(known) {
        return Some(Input { node: NodeId::new(id), port, span });
    }
    let message = format!("there is no source or op `{}`", brief(id));
    let help = "`to` is the id of an op, or `id.port`";
    fields.problem(Problem::new("WEIR-JOB-011", message).at(span, "").help(help));
    None
}

/// `feed.SOURCE = [rows]`.
fn feed(fields: &Fields<'_>, entries: &[Entry<'_>]) -> Option<Vec<(NodeId, Rows)>> {
    let Some((table, _)) = fields.table("feed") else { return Some(Vec::new()) };
    let mut feed = Vec::new();
    for (id, span, node) in &table.entries {
        let known = |entry: &Entry<'_>| {
            entry.kind == Kind::Source && entry.id.as_ref().is_some_and(|(known, _)| known == id)
        };
        if !entries.iter().any(known) {
            let message = format!("there is no source `{}`", brief(id));
            let help = "rows are fed to sources: `feed.SOURCE = [{ … }]`";
            let problem = Problem::new("WEIR-JOB-011", message);
            fields.problem(problem.at(span.clone(), "").help(help));
        }
        feed.push((NodeId::new(id.as_str()), rows(fields, &format!("feed.{}", brief(id)), node)?));
    }
    Some(feed)
}

fn rows(fields: &Fields<'_>, name: &str, node: &Node) -> Option<Rows> {
    let Value::List(items) = &node.value else {
        fields.wrong(name, node, "a list of rows");
        return None;
    };
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        match &item.value {
            Value::Table(row) => rows.push(row.json()),
            _ => {
                fields.wrong(&format!("a row of {name}"), item, "a table");
                return None;
            }
        }
    }
    Some(rows)
}
