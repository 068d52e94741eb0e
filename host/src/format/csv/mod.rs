//! Comma-separated values as RFC 4180 has them: one record a row.
//!
//! Values are divided by the delimiter. A value in quotes may hold the delimiter, line ends and,
//! doubled, quotes; spaces are part of a value. Lines end with `\n` or `\r\n`. An empty value
//! without quotes is null, `""` is the empty text. An empty line is passed over, unless the file
//! has one column: then it is a null.
//!
//! The first record of a file names its columns. Those of the schema are found by name, in any
//! order, and others are ignored; without a header, values belong to columns by their place. A
//! record with more or fewer values than there are names is refused.
//!
//! | column | is read from | is written as |
//! |---|---|---|
//! | bool | `true`, `false`, in any case | `true`, `false` |
//! | int32, int64 | a number that is whole and in range (`2.0`, `1e3`) | digits |
//! | float64 | a number in range, `NaN`, `Infinity`, `-Infinity` | the same, shortest |
//! | decimal | a number of which no digit is dropped | digits |
//! | string | itself | itself |
//! | binary | hexadecimal digits | the same |
//! | date, timestamp | as in [`json`](super::json), always as text | the same |
//! | list, struct | – | – |
//!
//! A record whose quotes are wrong is refused, and reading goes on behind its first line.

mod column;
mod infer;
mod scan;
mod write;

pub use infer::Inference;
pub use write::Encoder;

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, SchemaRef};

use self::column::Column;
use self::scan::Cell;
use super::text::utf8_or_nul;
use super::{BadLine, Decode, Fill, FormatError, LINE_BYTES_MAX, first_line};
use crate::types;

/// How a file of this format is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Whether the first record has the names of the columns.
    pub header: bool,
    /// What stands between values: an ASCII character.
    pub delimiter: u8,
}

/// Bytes to rows.
pub struct Decoder {
    schema: SchemaRef,
    layout: Layout,
    fill: Fill,
    columns: Vec<Column>,
    /// How many values a record has, and for each column which of them is its.
    width: usize,
    places: Vec<usize>,
    cells: Vec<Cell>,
    scratch: String,
}

impl Decoder {
    /// A decoder for rows of this schema.
    pub fn new(schema: SchemaRef, layout: Layout) -> Result<Self, FormatError> {
        let columns: Result<Vec<_>, _> = schema.fields().iter().map(Column::new).collect();
        let columns = columns?;
        Ok(Self {
            width: columns.len(),
            places: (0..columns.len()).collect(),
            schema,
            layout,
            fill: Fill::default(),
            columns,
            cells: Vec::new(),
            scratch: String::new(),
        })
    }

    /// Reads the first record of a file that is no blank line; says how many bytes it took.
    fn read(&mut self, lines: &[u8], last: bool) -> Result<usize, FormatError> {
        let Some(bytes) = scan::record(lines, self.layout.delimiter, last, &mut self.cells)? else {
            return Ok(0);
        };
        let record = text_of(&lines[..bytes])?;
        if self.width > 1 && is_blank(&self.cells, record) {
            return Ok(bytes);
        }
        if self.cells.len() != self.width {
            return Err(FormatError::Ragged { wanted: self.width, found: self.cells.len() });
        }
        for (column, place) in self.columns.iter_mut().zip(&self.places) {
            column.push(self.cells[*place].text(record, &mut self.scratch))?;
        }
        self.fill.push_row();
        Ok(bytes)
    }

    /// Finds the columns in the header; says how many bytes it has.
    fn read_header(&mut self, lines: &[u8], last: bool) -> Result<Option<usize>, FormatError> {
        let found = header(lines, self.layout.delimiter, last, &mut self.cells)?;
        let Some((names, bytes)) = found else { return Ok(None) };
        self.places.clear();
        for field in self.schema.fields() {
            let mut places = (0..names.len()).filter(|place| names[*place] == *field.name());
            let place = places.next().ok_or_else(|| FormatError::NotInHeader {
                column: field.name().clone(),
                header: shown(&names),
            })?;
            if places.next().is_some() {
                return Err(FormatError::TwiceInHeader { column: field.name().clone() });
            }
            self.places.push(place);
        }
        self.width = names.len();
        Ok(Some(bytes))
    }
}

impl Decode for Decoder {
    fn feed(&mut self, lines: &[u8]) -> Result<usize, BadLine> {
        self.feed_some(lines, true)
    }

    fn feed_some(&mut self, lines: &[u8], last: bool) -> Result<usize, BadLine> {
        let mut at = 0;
        while at < lines.len() && !self.fill.is_full() {
            let bytes = self.read(&lines[at..], last).map_err(|error| BadLine { at, error })?;
            if bytes == 0 {
                break;
            }
            self.fill.bytes += bytes;
            at += bytes;
        }
        Ok(at)
    }

    fn is_full(&self) -> bool {
        self.fill.is_full()
    }

    fn take_rows(&mut self) -> Result<Option<RecordBatch>, FormatError> {
        let rows = self.fill.restart();
        if rows == 0 {
            return Ok(None);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = self.columns.iter_mut().map(Column::finish).collect();
        let schema = Arc::clone(&self.schema);
        Ok(Some(RecordBatch::try_new_with_options(schema, columns, &options)?))
    }

    fn fork(&self) -> Result<Box<dyn Decode>, FormatError> {
        let mut fresh = Self::new(Arc::clone(&self.schema), self.layout)?;
        fresh.fill = self.fill.fork();
        fresh.width = self.width;
        fresh.places.clone_from(&self.places);
        Ok(Box::new(fresh))
    }

    fn note_starts(&mut self) {
        self.fill.note_starts();
    }

    fn starts(&mut self) -> Vec<usize> {
        self.fill.starts()
    }

    fn begin(&mut self, lines: &[u8], last: bool) -> Result<Option<usize>, BadLine> {
        if !self.layout.header {
            return Ok(Some(0));
        }
        self.read_header(lines, last).map_err(|error| BadLine { at: 0, error: of_header(error) })
    }

    fn spans_files(&self) -> bool {
        !self.layout.header
    }

    fn first_record(&self, lines: &[u8], last: bool) -> Option<usize> {
        match scan::record(lines, self.layout.delimiter, last, &mut Vec::new()) {
            Ok(bytes) => bytes,
            Err(_) => Some(first_line(lines).1),
        }
    }
}

/// A record as text.
fn text_of(record: &[u8]) -> Result<&str, FormatError> {
    if record.len() > LINE_BYTES_MAX + 2 {
        return Err(FormatError::LongLine);
    }
    simdutf8::basic::from_utf8(record).map_err(|_| utf8_or_nul(record))
}

/// Whether a record is an empty line.
fn is_blank(cells: &[Cell], record: &str) -> bool {
    matches!(cells, [only] if !only.quoted && only.written(record).is_empty())
}

/// The names of the columns at the front of a file, and how many bytes they have.
fn header(
    lines: &[u8],
    delimiter: u8,
    last: bool,
    cells: &mut Vec<Cell>,
) -> Result<Option<(Vec<String>, usize)>, FormatError> {
    let Some(bytes) = scan::record(lines, delimiter, last, cells)? else { return Ok(None) };
    let record = text_of(&lines[..bytes])?;
    let mut scratch = String::new();
    let mut name = |cell: &Cell| cell.text(record, &mut scratch).unwrap_or_default().to_owned();
    Ok(Some((cells.iter().map(&mut name).collect(), bytes)))
}

/// Without its columns nothing of a file can be read.
fn of_header(error: FormatError) -> FormatError {
    match error {
        known @ (FormatError::NotInHeader { .. } | FormatError::TwiceInHeader { .. }) => known,
        other => FormatError::Header { problem: other.to_string() },
    }
}

/// Names for a message.
fn shown(names: &[String]) -> String {
    const CHARS_MAX: usize = 200;
    let all = names.join(", ");
    match all.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &all[..end]),
        None => all,
    }
}

/// That a column can't be in CSV.
fn no_text(field: &Field) -> FormatError {
    FormatError::Type {
        column: field.name().clone(),
        data_type: types::describe(field.data_type()),
        format: "csv",
    }
}

#[cfg(test)]
mod tests;
