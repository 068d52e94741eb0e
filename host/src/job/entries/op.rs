//! `[[op]]` and `[[function]]`.

use super::super::allow::allow;
use super::super::fields::{Fields, Problems, brief};
use super::super::problem::{Problem, Span};
use super::super::value::{Node, Table, Value};
use super::super::{
    CallSpec, FunctionSpec, KeepingSpec, Limits, NativeSpec, OpBody, OpSpec, SqlSpec,
};
use super::aggregates::aggregates;
use super::keeping::keeping;
use super::windows::{event_time, window};
use super::{Entry, inputs, written_inputs};
use crate::id::NodeId;
use crate::row_error::ON_ERROR;

/// What a call may have besides `wasm`.
const OF_CALLS: [&str; 13] = [
    "call", "key", "keep", "columns", "config", "limits", "on_error", "allow", "visit", "timeout",
    "ttl", "initial", "window",
];

/// What only an op has.
const OF_OPS: [&str; 11] = [
    "from",
    "key",
    "keep",
    "columns",
    "across",
    "window",
    "event_time",
    "visit",
    "timeout",
    "ttl",
    "initial",
];

/// Reads an `[[op]]`.
pub fn op(entry: &Entry<'_>, entries: &[Entry<'_>], problems: &Problems) -> Option<OpSpec> {
    let (fields, id) = entry.open(problems);
    let given: Vec<(&'static str, &Node)> = ["wasm", "sql", "native"]
        .into_iter()
        .filter_map(|kind| Some((kind, fields.take(kind)?)))
        .collect();
    let aggregates = can_aggregate(&given);
    let across = across(&fields, aggregates);
    let window = aggregates.then(|| window(&fields, problems)).flatten();
    let event_time = event_time(&fields, problems);
    // The tables that a query names are its inputs, and who says nothing of what it does may want
    // to be a query.
    let implicit = !given.is_empty() && given.iter().all(|(kind, _)| *kind != "sql");
    let from = match implicit || fields.take("from").is_some() {
        true if implicit => inputs(&fields, entries, entry),
        true => written_inputs(&fields),
        false => Some(Vec::new()),
    };
    let span = fields.span.clone();
    let (body, what) = match given.as_slice() {
        [("wasm", _)] => {
            let call = call(&fields, problems, true);
            (call.map(|call| OpBody::Wasm(Box::new(call))), "an op with `wasm`")
        }
        [("sql", _)] => {
            let sql = fields.filled("sql", "such as `sql = \"SELECT word FROM lines\"`");
            (sql.map(|(sql, span)| OpBody::Sql(SqlSpec { sql, span })), "an op with `sql`")
        }
        [_] => (native(&fields, problems), "this `native`"),
        other => (not_one(&fields, other), ""),
    };
    fields.finish_as(what, &OF_CALLS);
    let (id, from, body) = (NodeId::new(id?), from?, body?);
    Some(OpSpec { id, from, body, across, window, event_time, span })
}

/// Where `across = "run"` stands. Only an aggregate may have it.
fn across(fields: &Fields<'_>, aggregates: bool) -> Option<Span> {
    let words: &[(&str, bool)] =
        if aggregates { &[("batch", false), ("run", true)] } else { &[("batch", false)] };
    match fields.word("across", words) {
        Some(true) => fields.take("across").map(|node| node.span.clone()),
        _ => None,
    }
}

/// Whether an op may be an aggregate; what a function is shows later.
fn can_aggregate(given: &[(&'static str, &Node)]) -> bool {
    let text = |node: &Node| match &node.value {
        Value::Text(text) => matches!(text.as_str(), "count" | "aggregate"),
        _ => false,
    };
    given.iter().any(|(kind, node)| *kind == "wasm" || *kind == "native" && text(node))
}

fn not_one(fields: &Fields<'_>, given: &[(&'static str, &Node)]) -> Option<OpBody> {
    // Whichever of them is meant, what it may have is known.
    for name in OF_CALLS {
        fields.take(name);
    }
    let names: Vec<String> = given.iter().map(|(name, _)| format!("`{name}`")).collect();
    fields.problem(match given {
        [] => Problem::new("WEIR-JOB-013", "the op says nothing of what it does")
            .at(fields.span.clone(), "")
            .help("give it one of `wasm`, `sql` and `native`"),
        _ => given.iter().fold(
            Problem::new("WEIR-JOB-013", format!("the op has {} at once", names.join(" and ")))
                .help("make an op of each: the second reads from the first"),
            |problem, (_, node)| problem.at(node.span.clone(), ""),
        ),
    });
    None
}

fn keys(fields: &Fields<'_>) -> (Vec<String>, Span) {
    fields.columns("key").unwrap_or_else(|| (Vec::new(), fields.span.clone()))
}

fn native(fields: &Fields<'_>, problems: &Problems) -> Option<OpBody> {
    let kinds = [("count", 0), ("union", 1), ("repartition", 2), ("aggregate", 3)];
    let kind = fields.word("native", &kinds);
    if kind != Some(1) {
        fields.take("key");
    }
    Some(OpBody::Native(match kind? {
        0 => {
            let (key, key_span) = keys(fields);
            NativeSpec::Count { key, key_span }
        }
        1 => NativeSpec::Union,
        3 => {
            let (key, key_span) = keys(fields);
            NativeSpec::Aggregate { key, key_span, aggregates: aggregates(fields, problems) }
        }
        _ => {
            if fields.take("key").is_none() {
                fields.missing("key", "rows of one key go to one lane: `key = [\"word\"]`");
            }
            let (key, key_span) = fields.columns("key")?;
            if key.is_empty() {
                fields.senseless(&key_span, "`key` is empty".into(), "name a column or several");
            }
            NativeSpec::Repartition { key, key_span }
        }
    }))
}

/// What is called. `of_op` says whether it may have `key`, `keep` and `columns`.
fn call(fields: &Fields<'_>, problems: &Problems, of_op: bool) -> Option<CallSpec> {
    let wasm = fields.needed("wasm", "a .wasm file or the folder of a plugin");
    if let Some((path, span)) = &wasm {
        not_pulled(fields, path, span);
    }
    let call = fields.filled("call", "the name of a function; `host inspect` lists them");
    let none = || (Vec::new(), fields.span.clone());
    let columns_of = |name| of_op.then(|| fields.columns(name)).flatten().unwrap_or_else(none);
    let ((key, key_span), (keep, keep_span)) = (columns_of("key"), columns_of("keep"));
    let columns = of_op.then(|| columns(fields)).flatten();
    let (columns, columns_span) = columns.unwrap_or((Vec::new(), fields.span.clone()));
    let keeping = if of_op { keeping(fields, problems) } else { KeepingSpec::default() };
    let config = fields.table("config");
    let (limits, allow) = (limits(fields, problems), allow(fields, problems));
    // A function of SQL is called within an expression: there is no row to put aside.
    let on_error = fields.word("on_error", if of_op { &ON_ERROR } else { &ON_ERROR[..2] });
    let (wasm, wasm_span) = wasm?;
    let call_span = call.as_ref().map_or(fields.span.clone(), |(_, span)| span.clone());
    Some(CallSpec {
        wasm,
        wasm_span,
        call: call.map(|(call, _)| call),
        call_span,
        key,
        key_span,
        keep,
        keep_span,
        columns,
        columns_span,
        keeping,
        config: config.as_ref().map(|(table, _)| table.json()).unwrap_or_default(),
        config_span: config.as_ref().map_or(fields.span.clone(), |(_, span)| span.clone()),
        config_spans: config.map(|(table, _)| places(table)).unwrap_or_default(),
        limits,
        on_error: on_error.unwrap_or_default(),
        allow,
    })
}

/// Where each setting of a table stands.
fn places(table: &Table) -> Vec<(String, Span)> {
    table.entries.iter().map(|(name, _, node)| (name.clone(), node.span.clone())).collect()
}

fn not_pulled(fields: &Fields<'_>, path: &str, span: &Span) {
    if let Some((scheme, _)) = path.split_once("://") {
        let message = format!("`{}://` is not available in this version", brief(scheme));
        fields.problem(
            Problem::new("WEIR-JOB-007", message)
                .at(span.clone(), "")
                .help("plugins are not pulled yet: give the path of a .wasm file or of a folder"),
        );
    }
}

fn columns(fields: &Fields<'_>) -> Option<(Vec<(String, String)>, Span)> {
    let (table, span) = fields.table("columns")?;
    let mut columns = Vec::new();
    for (name, _, node) in &table.entries {
        match &node.value {
            Value::Text(from) => columns.push((name.clone(), from.clone())),
            _ => fields.wrong(
                &format!("columns.{}", brief(name)),
                node,
                "the name of a column in quotes",
            ),
        }
    }
    Some((columns, span))
}

fn limits(fields: &Fields<'_>, problems: &Problems) -> Limits {
    match fields.table("limits") {
        Some(table) => Limits::read(table, problems),
        None => Limits::default(),
    }
}

/// Reads a `[[function]]`.
pub fn function(entry: &Entry<'_>, problems: &Problems) -> Option<FunctionSpec> {
    let (fields, id) = entry.open(problems);
    let call = call(&fields, problems, false);
    let span = fields.span.clone();
    fields.finish_as("a function of SQL", &OF_OPS);
    Some(FunctionSpec { id: NodeId::new(id?), call: call?, span })
}
