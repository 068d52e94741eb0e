//! JSON lines: one object a line (RFC 8259), one row an object.
//!
//! Reading is strict and by schema; a line of white space alone is passed over. Keys that no
//! column has are ignored, a key that a column has may stand once.
//!
//! | column | is read from | is written as |
//! |---|---|---|
//! | bool | `true`, `false` | the same |
//! | int32, int64 | a number that is whole and in range (`2.0`, `1e3`) | digits |
//! | float64 | a number in range, `"NaN"`, `"Infinity"`, `"-Infinity"` | the same, shortest |
//! | decimal | a number or a string; no digit is dropped | a string, so that no reader rounds it |
//! | string | a string | a string |
//! | binary | a string of hexadecimal digits | the same |
//! | date | `"2026-01-31"` | the same |
//! | timestamp | RFC 3339 text, without a zone UTC, or whole microseconds | RFC 3339 text in UTC |
//! | list, struct | an array, an object | the same |
//! | any of them, null | `null`, or for a column nothing | `null`: every line has every column |
//!
//! Where the schema was inferred, a string column also takes every other value, as the text it is
//! written in: that is what a column of mixed values becomes.

mod column;
mod infer;
mod object;
mod scan;
mod write;

pub use infer::Inference;
pub use write::Encoder;

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;

use self::object::Object;
use self::scan::{Scan, Scanner};
use super::text::utf8_or_nul;
use super::{BadLine, CHUNK_BYTES_MAX, Decode, Fill, FormatError, LINE_BYTES_MAX, first_line};

/// Where a schema comes from: it decides what a string column takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is written in the job: strings only.
    Given,
    /// It was made by [`Inference`]: every value.
    Inferred,
}

/// Bytes to rows.
pub struct Decoder {
    schema: SchemaRef,
    fill: Fill,
    any: bool,
    row: Object,
    scratch: String,
}

impl Decoder {
    /// A decoder for rows of this schema.
    pub fn new(schema: SchemaRef, origin: Origin) -> Result<Self, FormatError> {
        Self::with(schema, origin == Origin::Inferred)
    }

    fn with(schema: SchemaRef, any: bool) -> Result<Self, FormatError> {
        let row = Object::new(schema.fields(), any)?;
        Ok(Self { schema, fill: Fill::default(), any, row, scratch: String::new() })
    }

    fn read(&mut self, line: &str) -> Scan<()> {
        let mut scanner = Scanner::new(line, &mut self.scratch);
        match scanner.peek() {
            0 if scanner.at() == line.len() => return Ok(()),
            b'{' => self.row.read(&mut scanner)?,
            _ => return scanner.wrong("expected an object: `{`"),
        };
        scanner.end()?;
        self.fill.push_row();
        Ok(())
    }
}

impl Decode for Decoder {
    fn feed(&mut self, lines: &[u8]) -> Result<usize, BadLine> {
        if self.fill.is_full() {
            return Ok(0);
        }
        let text = valid_lines(lines, CHUNK_BYTES_MAX - self.fill.bytes)?;
        let mut at = 0;
        while at < text.len() && !self.fill.is_full() {
            let (line, taken) = first_line(&text.as_bytes()[at..]);
            if line.len() > LINE_BYTES_MAX {
                return Err(BadLine { at, error: FormatError::LongLine });
            }
            self.read(&text[at..at + line.len()]).map_err(|error| BadLine { at, error: *error })?;
            self.fill.bytes += taken;
            at += taken;
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
        let columns = self.row.finish()?;
        let schema = Arc::clone(&self.schema);
        Ok(Some(RecordBatch::try_new_with_options(schema, columns, &options)?))
    }

    fn fork(&self) -> Result<Box<dyn Decode>, FormatError> {
        let mut fresh = Self::with(Arc::clone(&self.schema), self.any)?;
        fresh.fill = self.fill.fork();
        Ok(Box::new(fresh))
    }

    fn note_starts(&mut self) {
        self.fill.note_starts();
    }

    fn starts(&mut self) -> Vec<usize> {
        self.fill.starts()
    }
}

/// The lines of UTF-8 at the front that reach `bytes`, or fewer when a later one is bad.
fn valid_lines(lines: &[u8], bytes: usize) -> Result<&str, BadLine> {
    let near = bytes.saturating_sub(1).min(lines.len());
    let near = &lines[..near + first_line(&lines[near..]).1];
    match simdutf8::compat::from_utf8(near) {
        Ok(text) => Ok(text),
        Err(error) => {
            let good =
                memchr::memrchr(b'\n', &near[..error.valid_up_to()]).map_or(0, |end| end + 1);
            match std::str::from_utf8(&near[..good]) {
                Ok(text) if good > 0 => Ok(text),
                _ => Err(BadLine { at: 0, error: utf8_or_nul(first_line(near).0) }),
            }
        }
    }
}

#[cfg(test)]
mod tests;
