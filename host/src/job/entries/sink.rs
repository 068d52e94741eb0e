//! `[[sink]]`.

use super::super::fields::{Fields, Problems, brief};
use super::super::problem::Problem;
use super::super::{FormatKind, Input, Mode, SinkKind, SinkSpec};
use super::{Entry, FORMATS, inputs};
use crate::id::SinkId;

#[derive(Clone, Copy)]
enum Type {
    Console,
    File,
    Sqlite,
}

const TYPES: [(&str, Type); 3] =
    [("console", Type::Console), ("file", Type::File), ("sqlite", Type::Sqlite)];

/// Reads a `[[sink]]`.
pub fn sink(entry: &Entry<'_>, entries: &[Entry<'_>], problems: &Problems) -> Option<SinkSpec> {
    let (fields, id) = entry.open(problems);
    let kind = fields.needed_word("type", &TYPES);
    let modes = [Mode::Append, Mode::Update, Mode::Complete].map(|mode| (mode.word(), mode));
    let mode = fields.word("mode", &modes);
    let mode = mode.zip(fields.take("mode").map(|node| node.span.clone()));
    let from = inputs(&fields, entries, entry).and_then(|from| one(&fields, from));
    let span = fields.span.clone();
    // Without a known type, nobody can say which settings there are.
    let kind = match kind? {
        Type::Console => {
            let rows = fields.number("rows").unwrap_or(0);
            fields.finish_as("a console", &["path", "format", "table", "upsert"]);
            Some(SinkKind::Console { rows: usize::try_from(rows).unwrap_or(0) })
        }
        Type::File => {
            let path = fields.needed("path", "the folder that batches are put in");
            let format = fields.word("format", &FORMATS).unwrap_or(FormatKind::Json);
            fields.finish_as("a sink of files", &["rows", "table", "upsert"]);
            path.map(|(path, path_span)| SinkKind::File { path, path_span, format })
        }
        Type::Sqlite => sqlite(fields),
    };
    Some(SinkSpec { id: SinkId::new(id?), from: from?, kind: kind?, mode, span })
}

fn sqlite(fields: Fields<'_>) -> Option<SinkKind> {
    let path = fields.needed("path", "the file of the database");
    let table = fields.needed("table", "the table that rows are put in; it is made if need be");
    let (upsert, span) = fields.columns("upsert").unwrap_or_else(|| (Vec::new(), 0..0));
    if upsert.is_empty() && !span.is_empty() {
        let help = "leave `upsert` out: then every row is added";
        fields.senseless(&span, "`upsert` has no column in it".to_owned(), help);
    }
    if let Some((name, span)) = &table {
        let lower = name.to_ascii_lowercase();
        if ["sqlite_", "weir_"].iter().any(|taken| lower.starts_with(taken)) {
            let message = format!("`table` can't be \"{}\"", brief(name));
            let help = "names that begin with `sqlite_` or `weir_` are taken: choose another";
            fields.senseless(span, message, help);
        }
    }
    fields.finish_as("a sink of a database", &["rows", "format"]);
    let ((path, path_span), (table, _)) = (path?, table?);
    Some(SinkKind::Sqlite { path, path_span, table, upsert })
}

fn one(fields: &Fields<'_>, mut from: Vec<Input>) -> Option<Input> {
    if from.len() == 1 {
        return from.pop();
    }
    let (message, help) = match from.len() {
        0 => (
            "a sink reads from one entry, this one from none".to_owned(),
            "name one: `from = \"ID\"`, or leave `from` out to read the entry above",
        ),
        count => (
            format!("a sink reads from one entry, this one from {count}"),
            "unite them before with `native = \"union\"`, or use one sink for each",
        ),
    };
    let written = fields.take("from").map_or(fields.span.clone(), |node| node.span.clone());
    let place = from.get(1).map_or(written, |second| second.span.clone());
    fields.problem(Problem::new("WEIR-JOB-014", message).at(place, "").help(help));
    None
}
