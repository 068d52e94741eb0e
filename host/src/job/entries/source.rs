//! `[[source]]`.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::super::fields::{Fields, Problems, brief};
use super::super::problem::Problem;
use super::super::value::{Node, Value};
use super::super::{FileSourceSpec, FormatKind, Layout, RowsSourceSpec, SourceKind, SourceSpec};
use super::receiving::{rate, socket};
use super::windows::event_time;
use super::{Entry, FORMATS};
use crate::id::NodeId;
use crate::row_error::ON_ERROR;
use crate::types;

#[derive(Clone, Copy)]
enum Type {
    File,
    Rows,
    Socket,
    Rate,
}

/// The words of `type`.
const TYPES: [(&str, Type); 4] =
    [("file", Type::File), ("rows", Type::Rows), ("socket", Type::Socket), ("rate", Type::Rate)];

/// Settings that only some kinds of source have.
const OF_SOME: [&str; 18] = [
    "schema",
    "path",
    "format",
    "files_per_batch",
    "max_unpacked",
    "on_data_loss",
    "header",
    "delimiter",
    "rows",
    "batches",
    "address",
    "block_interval",
    "buffer",
    "idle_timeout",
    "wal",
    "rows_per_second",
    "count",
    "max_rate",
];

/// Reads a `[[source]]`.
pub fn source(entry: &Entry<'_>, problems: &Problems) -> Option<SourceSpec> {
    let (fields, id) = entry.open(problems);
    let kind = fields.needed_word("type", &TYPES);
    let schema = match kind {
        Some(Type::Rate) => None,
        _ => schema(&fields),
    };
    let on_error = fields.word("on_error", &ON_ERROR).unwrap_or_default();
    let event_time = event_time(&fields, problems);
    let span = fields.span.clone();
    // Without a known type, nobody can say which settings there are.
    let kind = match kind? {
        Type::File => {
            let (kind, what) = file(&fields);
            fields.finish_as(what, &OF_SOME);
            kind
        }
        Type::Rows => {
            let kind = rows(&fields);
            fields.finish_as("a source of rows", &OF_SOME);
            kind
        }
        Type::Socket => {
            let kind = socket(&fields, schema.is_some());
            fields.finish_as("a socket", &OF_SOME);
            kind
        }
        Type::Rate => {
            let kind = rate(&fields);
            fields.finish_as("a source of a rate", &OF_SOME);
            kind
        }
    };
    Some(SourceSpec { id: NodeId::new(id?), kind: kind?, schema, on_error, event_time, span })
}

/// Its settings, and what it is called: by its format, which has settings too.
fn file(fields: &Fields<'_>) -> (Option<SourceKind>, &'static str) {
    let help = "how many rows a file has is known when it was read: use `files_per_batch`";
    fields.refuse("max_rate", "a source of files has no `max_rate`", help);
    let path = fields.needed("path", "a folder or a glob, such as `path = \"input/*.txt\"`");
    let format = fields.word("format", &FORMATS).unwrap_or(FormatKind::Text);
    let files_per_batch =
        fields.number("files_per_batch").map(|files| usize::try_from(files).unwrap_or(usize::MAX));
    let max_unpacked = fields.bytes("max_unpacked").unwrap_or_default();
    let losses = [("fail", false), ("go-on", true)];
    let goes_on = fields.word("on_data_loss", &losses).unwrap_or_default();
    let (format, what) = match format {
        FormatKind::Csv(_) => (layout(fields).map(FormatKind::Csv), "a source of csv files"),
        FormatKind::Text => (Some(format), "a source of text files"),
        FormatKind::Json => (Some(format), "a source of json files"),
        FormatKind::Parquet => (Some(format), "a source of parquet files"),
    };
    let kind = path.zip(format).map(|((path, path_span), format)| {
        SourceKind::File(FileSourceSpec {
            path,
            path_span,
            format,
            files_per_batch,
            max_unpacked,
            goes_on,
        })
    });
    (kind, what)
}

/// How a file of comma-separated values is laid out.
fn layout(fields: &Fields<'_>) -> Option<Layout> {
    let header = fields.flag("header").unwrap_or(Layout::COMMAS.header);
    let Some((text, span)) = fields.text("delimiter") else {
        return Some(Layout { header, ..Layout::COMMAS });
    };
    match text.as_bytes() {
        [delimiter] if delimiter.is_ascii() && !b"\"\r\n\0".contains(delimiter) => {
            Some(Layout { header, delimiter: *delimiter })
        }
        _ => {
            let message = format!("`delimiter` can't be \"{}\"", brief(&text));
            let help = "one ASCII character, such as \",\", \";\" or \"\\t\", but no quote and no \
                        line end";
            fields.senseless(&span, message, help);
            None
        }
    }
}

fn rows(fields: &Fields<'_>) -> Option<SourceKind> {
    let help = "each list of `batches` is one batch: put fewer rows into a list";
    fields.refuse("max_rate", "a source of rows has no `max_rate`", help);
    let (lists, span) = match (fields.take("rows"), fields.take("batches")) {
        (Some(rows), None) => (vec![rows], rows.span.clone()),
        (None, Some(batches)) => match &batches.value {
            Value::List(lists) => (lists.iter().collect(), batches.span.clone()),
            _ => return not_rows(fields, batches, "a list of lists of rows"),
        },
        (Some(one), Some(both)) => {
            fields.problem(
                Problem::new("WEIR-JOB-006", "`rows` and `batches` are both given")
                    .at(both.span.clone(), "")
                    .at(one.span.clone(), "")
                    .help("`rows` is one batch, `batches` a list of them"),
            );
            return None;
        }
        (None, None) => {
            let help = "a list of rows: `rows = [{ word = \"to\" }, { word = \"be\" }]`";
            fields.missing("rows", help);
            return None;
        }
    };
    let batches = lists.into_iter().map(|list| batch(fields, list)).collect::<Option<_>>()?;
    Some(SourceKind::Rows(RowsSourceSpec { batches, span }))
}

fn batch(
    fields: &Fields<'_>,
    list: &Node,
) -> Option<Vec<serde_json::Map<String, serde_json::Value>>> {
    let Value::List(items) = &list.value else { return not_rows(fields, list, "a list of rows") };
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        match &item.value {
            Value::Table(row) => rows.push(row.json()),
            _ => return not_rows(fields, item, "a row"),
        }
    }
    Some(rows)
}

fn not_rows<T>(fields: &Fields<'_>, node: &Node, expected: &str) -> Option<T> {
    let message = format!("{} stands where {expected} is expected", node.value.kind());
    fields.problem(Problem::new("WEIR-JOB-005", message).at(node.span.clone(), "").help(
        "a row is a table: `{ word = \"to\", n = 1 }`; `batches` is a list of lists of them",
    ));
    None
}

/// `schema = { user = "string", ts = "timestamp!" }`, in the order of the text. A column may be
/// null unless its type ends in `!`; a `?` at the end says what is so anyway.
fn schema(fields: &Fields<'_>) -> Option<SchemaRef> {
    let (table, span) = fields.table("schema")?;
    if table.entries.is_empty() {
        let help = "name its columns: `schema = { user = \"string\" }`, or leave it out";
        fields.senseless(&span, "`schema` has no columns".into(), help);
        return None;
    }
    let mut columns = Vec::new();
    for (name, place, node) in &table.entries {
        if name.is_empty() {
            fields.senseless(place, "the name of a column is empty".into(), "give it a name");
            continue;
        }
        let Value::Text(text) = &node.value else {
            fields.wrong(&format!("schema.{}", brief(name)), node, "the name of a type in quotes");
            continue;
        };
        let (data_type, nullable) = match text.trim().strip_suffix('!') {
            Some(data_type) => (data_type, false),
            None => (text.trim().strip_suffix('?').unwrap_or(text.trim()), true),
        };
        match types::parse(data_type) {
            Ok(data_type) => columns.push(Field::new(name, data_type, nullable)),
            Err(error) => fields
                .problem(Problem::new("WEIR-JOB-006", error.to_string()).at(node.span.clone(), "")),
        }
    }
    Some(Arc::new(Schema::new(columns)))
}
