//! The entries of a job: sources, ops, functions, sinks.

use std::cell::RefCell;
use std::time::Duration;

use super::fields::Fields;
use super::problem::{Problem, Span};
use super::read::{named, schema};
use super::value::{Node, Table, Value};
use super::{
    CallSpec, FileSourceSpec, FormatKind, FunctionSpec, Input, Limits, NativeSpec, OpBody, OpSpec,
    RowsSourceSpec, SinkKind, SinkSpec, SourceKind, SourceSpec, SqlSpec,
};
use crate::id::{NodeId, SinkId};

type Problems = RefCell<Vec<Problem>>;

const FORMATS: [(&str, FormatKind); 2] = [("text", FormatKind::Text), ("json", FormatKind::Json)];

const MIB: u64 = 1 << 20;

fn id(fields: &mut Fields<'_>) -> Option<(String, Span)> {
    let (id, span) =
        fields.needed("id", "every entry has an `id`: it names its table and its state")?;
    fields.span = span.clone();
    named(&id, &span, fields).then_some((id, span))
}

/// Reads a `[[source]]`.
pub fn source(table: &Table, span: &Span, problems: &Problems) -> Option<SourceSpec> {
    let mut fields = Fields::new(table, head(span), problems);
    let id = id(&mut fields);
    let kinds = [("file", true), ("rows", false)];
    if fields.take("type").is_none() {
        fields.missing("type", "`type = \"file\"` or `type = \"rows\"`");
    }
    let kind = fields.word("type", &kinds);
    let schema = schema(&fields);
    let kind = match kind {
        Some(true) => file_source(&fields),
        Some(false) => rows_source(&fields),
        None => return None,
    };
    let place = fields.span.clone();
    fields.finish();
    let (id, _) = id?;
    Some(SourceSpec { id: NodeId::new(id), kind: kind?, schema, span: place })
}

/// The first line of an entry.
fn head(span: &Span) -> Span {
    span.start..span.end.min(span.start + 1)
}

fn file_source(fields: &Fields<'_>) -> Option<SourceKind> {
    let path = fields.needed("path", "a folder or a glob, such as `path = \"input/*.txt\"`");
    let format = fields.word("format", &FORMATS).unwrap_or(FormatKind::Text);
    let files_per_batch = fields.number("files_per_batch", 1, i64::MAX).map(|n| n as usize);
    let (path, path_span) = path?;
    Some(SourceKind::File(FileSourceSpec { path, path_span, format, files_per_batch }))
}

fn rows_source(fields: &Fields<'_>) -> Option<SourceKind> {
    let (rows, batches) = (fields.take("rows"), fields.take("batches"));
    let (lists, span) = match (rows, batches) {
        (Some(rows), None) => (vec![rows], rows.span.clone()),
        (None, Some(batches)) => match &batches.value {
            Value::List(lists) => (lists.iter().collect(), batches.span.clone()),
            _ => return not_rows(fields, batches),
        },
        (Some(_), Some(both)) => {
            let help = "`rows` is one batch, `batches` a list of them";
            fields.senseless(&both.span, "`rows` and `batches` are both given".into(), help);
            return None;
        }
        (None, None) => {
            fields
                .missing("rows", "a list of rows: `rows = [{ word = \"to\" }, { word = \"be\" }]`");
            return None;
        }
    };
    let mut read = Vec::with_capacity(lists.len());
    for list in lists {
        let Value::List(items) = &list.value else { return not_rows(fields, list) };
        let mut rows = Vec::with_capacity(items.len());
        for item in items {
            match &item.value {
                Value::Table(row) => rows.push(row.json()),
                _ => return not_rows(fields, item),
            }
        }
        read.push(rows);
    }
    Some(SourceKind::Rows(RowsSourceSpec { batches: read, span }))
}

fn not_rows(fields: &Fields<'_>, node: &Node) -> Option<SourceKind> {
    let message = format!("{} stands where a list of rows is expected", node.value.kind());
    fields.problem(
        Problem::new("WEIR-JOB-005", message)
            .at(node.span.clone(), "")
            .help("a row is a table: `{ word = \"to\", n = 1 }`"),
    );
    None
}

/// Where an entry reads from when it does not say so: the source or op above.
fn above(order: &[(usize, String)], span: &Span) -> Option<NodeId> {
    let before = order.iter().take_while(|(start, _)| *start < span.start);
    before.last().map(|(_, id)| NodeId::new(id.as_str()))
}

fn input(text: &str, span: &Span) -> Input {
    let (node, port) = match text.split_once('.') {
        Some((node, port)) => (node, Some(port.to_owned())),
        None => (text, None),
    };
    Input { node: NodeId::new(node), port, span: span.clone() }
}

fn inputs(
    fields: &Fields<'_>,
    order: &[(usize, String)],
    span: &Span,
    implicit: bool,
) -> Vec<Input> {
    if let Some((names, _)) = fields.texts("from") {
        return names.iter().map(|(name, span)| input(name, span)).collect();
    }
    if !implicit {
        return Vec::new();
    }
    match above(order, span) {
        Some(node) => vec![Input { node, port: None, span: fields.span.clone() }],
        None => {
            fields.missing("from", "there is no source or op above to read from");
            Vec::new()
        }
    }
}

/// Reads an `[[op]]`.
pub fn op(
    table: &Table,
    span: &Span,
    order: &[(usize, String)],
    problems: &Problems,
) -> Option<OpSpec> {
    let mut fields = Fields::new(table, head(span), problems);
    let id = id(&mut fields);
    let given: Vec<(&'static str, &Node)> = ["wasm", "sql", "native"]
        .into_iter()
        .filter_map(|kind| Some((kind, fields.take(kind)?)))
        .collect();
    let body = match given.as_slice() {
        [("wasm", _)] => call(&fields, problems).map(|call| OpBody::Wasm(Box::new(call))),
        [("sql", _)] => fields.text("sql").map(|(sql, span)| OpBody::Sql(SqlSpec { sql, span })),
        [_] => native(&fields),
        [] => {
            fields.problem(
                Problem::new("WEIR-JOB-013", "the op says nothing of what it does")
                    .at(fields.span.clone(), "")
                    .help("give it one of `wasm`, `sql` and `native`"),
            );
            None
        }
        [(one, first), (two, second), ..] => {
            fields.problem(
                Problem::new("WEIR-JOB-013", format!("the op has both `{one}` and `{two}`"))
                    .at(first.span.clone(), "")
                    .at(second.span.clone(), "")
                    .help("make two ops of it: the second reads from the first"),
            );
            // Every setting that any of them has is known then.
            let (_, _) = (call(&fields, problems), fields.take("key"));
            None
        }
    };
    across(&fields);
    let from = inputs(&fields, order, span, !matches!(body, Some(OpBody::Sql(_))));
    let place = fields.span.clone();
    fields.finish();
    Some(OpSpec { id: NodeId::new(id?.0), from, body: body?, span: place })
}

fn across(fields: &Fields<'_>) {
    if let Some((text, span)) = fields.text("across") {
        match text.as_str() {
            "batch" => {}
            "run" => fields.problem(
                Problem::new("WEIR-JOB-007", "`across = \"run\"` is not available in this version")
                    .at(span, "")
                    .help("an aggregate that lives on over batches needs state; there is none yet"),
            ),
            _ => {
                let message = format!("`across` can't be \"{text}\"");
                fields.senseless(&span, message, "known: batch, run");
            }
        }
    }
}

fn keys(fields: &Fields<'_>) -> (Vec<String>, Span) {
    match fields.texts("key") {
        Some((names, span)) => (names.into_iter().map(|(name, _)| name).collect(), span),
        None => (Vec::new(), fields.span.clone()),
    }
}

fn native(fields: &Fields<'_>) -> Option<OpBody> {
    let kinds = [("count", 0), ("union", 1), ("repartition", 2)];
    let kind = fields.word("native", &kinds)?;
    Some(OpBody::Native(match kind {
        0 => {
            let (key, key_span) = keys(fields);
            NativeSpec::Count { key, key_span }
        }
        1 => NativeSpec::Union,
        _ => {
            let (key, key_span) = keys(fields);
            if key.is_empty() {
                fields.missing("key", "rows of one key go to one lane: `key = [\"word\"]`");
                return None;
            }
            NativeSpec::Repartition { key, key_span }
        }
    }))
}

fn call(fields: &Fields<'_>, problems: &Problems) -> Option<CallSpec> {
    let wasm = fields.needed("wasm", "a .wasm file or the folder of a plugin");
    let call = fields.text("call");
    let (key, key_span) = keys(fields);
    let keep = fields.texts("keep");
    let keep_span = keep.as_ref().map_or(fields.span.clone(), |(_, span)| span.clone());
    let columns = columns(fields);
    let config = fields.table("config");
    let limits = limits(fields, problems);
    let (wasm, wasm_span) = wasm?;
    let call_span = call.as_ref().map_or(fields.span.clone(), |(_, span)| span.clone());
    let spans = |table: &Table| {
        table.entries.iter().map(|(name, _, node)| (name.clone(), node.span.clone())).collect()
    };
    Some(CallSpec {
        wasm,
        wasm_span,
        call: call.map(|(call, _)| call),
        call_span,
        key,
        key_span,
        keep: keep
            .map(|(names, _)| names.into_iter().map(|(name, _)| name).collect())
            .unwrap_or_default(),
        keep_span,
        columns: columns.0,
        columns_span: columns.1,
        config: config.as_ref().map(|(table, _)| table.json()).unwrap_or_default(),
        config_span: config.as_ref().map_or(fields.span.clone(), |(_, span)| span.clone()),
        config_spans: config.map(|(table, _)| spans(table)).unwrap_or_default(),
        limits,
    })
}

fn columns(fields: &Fields<'_>) -> (Vec<(String, String)>, Span) {
    let Some((table, span)) = fields.table("columns") else {
        return (Vec::new(), fields.span.clone());
    };
    let mut columns = Vec::new();
    for (name, _, node) in &table.entries {
        match &node.value {
            Value::Text(from) => columns.push((name.clone(), from.clone())),
            other => fields.problem(
                Problem::new("WEIR-JOB-005", format!("`columns.{name}` is {}", other.kind()))
                    .at(node.span.clone(), "expected the name of a column"),
            ),
        }
    }
    (columns, span)
}

fn limits(fields: &Fields<'_>, problems: &Problems) -> Limits {
    let mut limits = Limits { memory: 256 * MIB, time: Duration::from_secs(10), result: 64 * MIB };
    let Some((table, span)) = fields.table("limits") else { return limits };
    let fields = Fields::new(table, span, problems);
    if let Some(memory) = fields.bytes("memory", MIB, 4096 * MIB) {
        limits.memory = memory;
    }
    let hour = Duration::from_secs(3600);
    if let Some(time) = fields.time("time", Duration::from_millis(10), hour) {
        limits.time = time;
    }
    if let Some(result) = fields.bytes("result", 64 << 10, 1024 * MIB) {
        limits.result = result;
    }
    fields.finish();
    limits
}

/// Reads a `[[function]]`.
pub fn function(table: &Table, span: &Span, problems: &Problems) -> Option<FunctionSpec> {
    let mut fields = Fields::new(table, head(span), problems);
    let id = id(&mut fields);
    let call = call(&fields, problems);
    let place = fields.span.clone();
    fields.finish();
    let call = call?;
    if !call.key.is_empty() || !call.keep.is_empty() || !call.columns.is_empty() {
        problems.borrow_mut().push(
            Problem::new("WEIR-JOB-006", "a function of SQL has no `key`, `keep` or `columns`")
                .at(place.clone(), "")
                .help("the query says which columns it is called with"),
        );
    }
    Some(FunctionSpec { id: NodeId::new(id?.0), call, span: place })
}

/// Reads a `[[sink]]`.
pub fn sink(
    table: &Table,
    span: &Span,
    order: &[(usize, String)],
    problems: &Problems,
) -> Option<SinkSpec> {
    let mut fields = Fields::new(table, head(span), problems);
    let id = id(&mut fields);
    if fields.take("type").is_none() {
        fields.missing("type", "`type = \"console\"` or `type = \"file\"`");
    }
    let kind = fields.word("type", &[("console", true), ("file", false)]);
    mode(&fields);
    let from = inputs(&fields, order, span, true);
    let kind = match kind {
        Some(true) => {
            let rows = fields.number("rows", 0, 1_000_000).unwrap_or(10);
            Some(SinkKind::Console { rows: rows as usize })
        }
        Some(false) => {
            let path = fields.needed("path", "the folder that batches are put in");
            let format = fields.word("format", &FORMATS).unwrap_or(FormatKind::Json);
            path.map(|(path, path_span)| SinkKind::File { path, path_span, format })
        }
        None => return None,
    };
    let place = fields.span.clone();
    if from.len() > 1 {
        fields.problem(
            Problem::new(
                "WEIR-JOB-014",
                format!("a sink reads from one entry, this one from {}", from.len()),
            )
            .at(from[1].span.clone(), "")
            .help("unite them before with `native = \"union\"`, or use one sink for each"),
        );
    }
    fields.finish();
    let from = from.into_iter().next()?;
    Some(SinkSpec { id: SinkId::new(id?.0), from, kind: kind?, span: place })
}

fn mode(fields: &Fields<'_>) {
    if let Some((text, span)) = fields.text("mode") {
        match text.as_str() {
            "append" => {}
            "update" | "complete" => fields.problem(
                Problem::new(
                    "WEIR-JOB-007",
                    format!("`mode = \"{text}\"` is not available in this version"),
                )
                .at(span, "")
                .help(
                    "until there is state over batches, every batch stands alone: use \"append\"",
                ),
            ),
            _ => {
                let help = "known: append, update, complete";
                fields.senseless(&span, format!("`mode` can't be \"{text}\""), help);
            }
        }
    }
}
