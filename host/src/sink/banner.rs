//! The rows of a batch as a person or a program reads them.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow::util::pretty::pretty_format_batches;
use serde_json::{Value, json};

use super::ConsoleText;
use crate::format::{Encode, FormatError, json as json_format};

/// How much of a value is shown, in characters.
const VALUE_CHARS_MAX: usize = 200;

const RULE: &str = "-------------------------------------------";

/// The banner of a batch, a table of its first rows, and how many more there are. Ends with a
/// line end. Control characters of values are shown as escapes, so that rows can't steer a
/// terminal.
pub fn banner(text: &ConsoleText<'_>) -> String {
    let again = if text.mark.again { "   (may have been shown before)" } else { "" };
    let mark = text.mark;
    let mut out = format!("{RULE}\nBatch: {}   {}{again}\n{RULE}\n", mark.batch, mark.time);
    match table(text.rows) {
        // Writing to memory can't fail.
        Ok(table) => _ = writeln!(out, "{table}"),
        Err(error) => _ = writeln!(out, "the rows can't be shown: {}", shown(&error.to_string())),
    }
    match text.total.saturating_sub(text.rows.num_rows() as u64) {
        0 => {}
        1 => out.push_str("and 1 more row\n"),
        more => _ = writeln!(out, "and {more} more rows"),
    }
    out
}

/// Rows as a table, with what can't be shown said in its place.
pub fn table_text(rows: &RecordBatch) -> String {
    match table(rows) {
        Ok(table) => format!("{table}\n"),
        Err(error) => format!("the rows can't be shown: {}\n", shown(&error.to_string())),
    }
}

/// The same as one JSON object: `sink`, `batch`, `time`, `rows` (as the format json writes them),
/// `total`, and `again` if the batch may have been shown before.
pub fn banner_json(text: &ConsoleText<'_>) -> Value {
    let mut object = json!({
        "sink": text.sink,
        "batch": text.mark.batch.0,
        "time": text.mark.time.to_string(),
        "total": text.total,
    });
    if text.mark.again {
        object["again"] = true.into();
    }
    match objects(text.rows) {
        Ok(rows) => object["rows"] = rows,
        Err(error) => object["error"] = error.to_string().into(),
    }
    object
}

fn objects(rows: &RecordBatch) -> Result<Value, FormatError> {
    let mut lines = Vec::new();
    json_format::Encoder::new(&rows.schema())?.encode(rows, &mut lines)?;
    let objects: Result<Vec<Value>, _> =
        serde_json::Deserializer::from_slice(&lines).into_iter().collect();
    objects.map(Value::Array).map_err(|error| FormatError::Arrow { problem: error.to_string() })
}

fn table(rows: &RecordBatch) -> Result<impl std::fmt::Display + use<>, ArrowError> {
    let options = FormatOptions::default().with_null("null").with_display_error(true);
    let columns: Result<Vec<ArrayRef>, ArrowError> =
        rows.columns().iter().map(|column| texts(column, &options)).collect();
    let fields: Vec<Field> = rows
        .schema()
        .fields()
        .iter()
        .map(|field| Field::new(shown(field.name()), DataType::Utf8, false))
        .collect();
    let count = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let schema = Arc::new(Schema::new(fields));
    pretty_format_batches(&[RecordBatch::try_new_with_options(schema, columns?, &count)?])
}

fn texts(column: &ArrayRef, options: &FormatOptions<'_>) -> Result<ArrayRef, ArrowError> {
    let formatter = ArrayFormatter::try_new(column.as_ref(), options)?;
    let text = |row| shown(&formatter.value(row).to_string());
    Ok(Arc::new(StringArray::from_iter_values((0..column.len()).map(text))))
}

/// A text that can be shown: not too long, and without anything that a terminal obeys.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(VALUE_CHARS_MAX));
    let mut chars = text.chars();
    for c in chars.by_ref().take(VALUE_CHARS_MAX) {
        if c.is_control() || turns_the_text(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

/// Whether a character changes the direction of what follows, or breaks the line.
fn turns_the_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, TimestampMicrosecondArray};

    use super::*;
    use crate::sink::test_kit::mark;
    use crate::types;

    fn rows(words: Vec<Option<&str>>, counts: Vec<i64>) -> RecordBatch {
        let fields = vec![
            Field::new("word", DataType::Utf8, true),
            Field::new("n\x1b[31m", DataType::Int64, false),
        ];
        let columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from(words)), Arc::new(Int64Array::from(counts))];
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    fn say(rows: &RecordBatch, total: u64) -> String {
        banner(&ConsoleText { sink: "out", mark: &mark("run", 7), rows, total })
    }

    #[test]
    fn a_batch_has_a_banner_a_table_and_the_number_of_the_rest() {
        let text = say(&rows(vec![Some("a\nb\u{1b}[2J"), None, Some("日本")], vec![1, 2, 3]), 126);
        let expected = "\
-------------------------------------------
Batch: 7   2026-01-01T00:00:00.000Z
-------------------------------------------
+---------------+-------------+
| word          | n\\u{1b}[31m |
+---------------+-------------+
| a\\nb\\u{1b}[2J | 1           |
| null          | 2           |
| 日本          | 3           |
+---------------+-------------+
and 123 more rows
";
        assert_eq!(text, expected);
    }

    #[test]
    fn nothing_more_is_said_when_all_rows_are_shown() {
        let text = say(&rows(vec![Some("a")], vec![1]), 1);
        assert!(text.ends_with("+\n"), "{text}");
        assert!(say(&rows(vec![Some("a")], vec![1]), 2).ends_with("\nand 1 more row\n"));
    }

    #[test]
    fn long_values_are_cut_and_marks_of_direction_shown() {
        assert_eq!(shown(&"ü".repeat(200)), "ü".repeat(200));
        assert_eq!(shown(&"ü".repeat(201)), format!("{}…", "ü".repeat(200)));
        assert_eq!(shown("a\u{202e}b"), "a\\u{202e}b");
    }

    #[test]
    fn moments_are_shown_in_utc() {
        let column: ArrayRef =
            Arc::new(TimestampMicrosecondArray::from(vec![0]).with_timezone(types::UTC));
        let schema = Schema::new(vec![Field::new("t", types::timestamp(), false)]);
        let rows = RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap();
        assert!(say(&rows, 1).contains("| 1970-01-01T00:00:00Z |"));
    }

    #[test]
    fn programs_get_the_same_as_an_object() {
        let rows = rows(vec![Some("a"), None], vec![1, 2]);
        let mark = mark("run", 7);
        let text = ConsoleText { sink: "out", mark: &mark, rows: &rows, total: 5 };
        let expected = json!({
            "sink": "out",
            "batch": 7,
            "time": "2026-01-01T00:00:00.000Z",
            "rows": [{"word": "a", "n\u{1b}[31m": 1}, {"word": null, "n\u{1b}[31m": 2}],
            "total": 5,
        });
        assert_eq!(banner_json(&text), expected);
    }
}
