//! `[[sink]]`.

use super::super::fields::{Fields, Problems};
use super::super::problem::Problem;
use super::super::{FormatKind, Input, SinkKind, SinkSpec};
use super::{Entry, FORMATS, inputs};
use crate::id::SinkId;

#[derive(Clone, Copy)]
enum Type {
    Console,
    File,
}

/// Reads a `[[sink]]`.
pub fn sink(entry: &Entry<'_>, entries: &[Entry<'_>], problems: &Problems) -> Option<SinkSpec> {
    let (fields, id) = entry.open(problems);
    let kind = fields.needed_word("type", &[("console", Type::Console), ("file", Type::File)]);
    fields.word("mode", &[("append", ())]);
    let from = inputs(&fields, entries, entry).and_then(|from| one(&fields, from));
    let span = fields.span.clone();
    // Without a known type, nobody can say which settings there are.
    let kind = match kind? {
        Type::Console => {
            let rows = fields.number("rows").unwrap_or(0);
            fields.finish_as("a console", &["path", "format"]);
            Some(SinkKind::Console { rows: usize::try_from(rows).unwrap_or(0) })
        }
        Type::File => {
            let path = fields.needed("path", "the folder that batches are put in");
            let format = fields.word("format", &FORMATS).unwrap_or(FormatKind::Json);
            fields.finish_as("a sink of files", &["rows"]);
            path.map(|(path, path_span)| SinkKind::File { path, path_span, format })
        }
    };
    Some(SinkSpec { id: SinkId::new(id?), from: from?, kind: kind?, span })
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
