//! Plain text: one column `line: string`, one row a line.
//!
//! A line ends with `\n` or `\r\n`; neither is part of the row. The last line needs no end. Lines
//! must be UTF-8 without NUL. To be written, rows must have exactly one string column; a null or a
//! value with a line end is refused, because reading it back would give other rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{
    BadLine, CHUNK_BYTES_MAX, CHUNK_ROWS_MAX, Decode, Encode, Fill, FormatError, LINE_BYTES_MAX,
    first_line,
};
use crate::types;

/// The name of the only column.
pub const LINE: &str = "line";

/// The columns of text: `line: string`, never null.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(LINE, DataType::Utf8, false)]))
}

/// Bytes to rows.
#[derive(Debug)]
pub struct Decoder {
    schema: SchemaRef,
    fill: Fill,
    values: Vec<u8>,
    /// How many bytes of `values` were checked to be UTF-8.
    checked: usize,
    ends: Vec<i32>,
}

impl Decoder {
    /// A decoder for rows of this schema, which is one string column, as [`schema`] is.
    pub fn new(schema: SchemaRef) -> Result<Self, FormatError> {
        one_string(&schema)?;
        let (values, ends) = (Vec::new(), vec![0]);
        Ok(Self { schema, fill: Fill::default(), values, checked: 0, ends })
    }

    /// Copies lines until the chunk is full. Says how many bytes were read.
    fn split(&mut self, lines: &[u8]) -> Result<usize, BadLine> {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', lines) {
            if self.fill.is_full() {
                return Ok(start);
            }
            self.push(&lines[start..end], start)?;
            self.fill.bytes += end + 1 - start;
            start = end + 1;
        }
        if start < lines.len() && !self.fill.is_full() {
            self.push(&lines[start..], start)?;
            self.fill.bytes += lines.len() - start;
            start = lines.len();
        }
        Ok(start)
    }

    #[inline]
    fn push(&mut self, line: &[u8], at: usize) -> Result<(), BadLine> {
        if line.len() > LINE_BYTES_MAX {
            return Err(BadLine { at, error: FormatError::LongLine });
        }
        self.values.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        self.fill.push_row();
        // A chunk has fewer than CHUNK_BYTES_MAX bytes before its last line of LINE_BYTES_MAX.
        self.ends.push(self.values.len() as i32);
        Ok(())
    }
}

impl Decode for Decoder {
    fn feed(&mut self, lines: &[u8]) -> Result<usize, BadLine> {
        let taken = self.split(lines)?;
        check(&lines[..taken])?;
        self.checked = self.values.len();
        Ok(taken)
    }

    fn is_full(&self) -> bool {
        self.fill.is_full()
    }

    fn take_rows(&mut self) -> Result<Option<RecordBatch>, FormatError> {
        if self.fill.rows == 0 {
            return Ok(None);
        }
        self.fill.restart();
        // The next chunk will probably be like this one.
        let values_hint = (self.values.len() + self.values.len() / 8).min(CHUNK_BYTES_MAX);
        let ends_hint = (self.ends.len() + self.ends.len() / 8).min(CHUNK_ROWS_MAX + 1);
        let values = std::mem::replace(&mut self.values, Vec::with_capacity(values_hint));
        let ends = std::mem::replace(&mut self.ends, Vec::with_capacity(ends_hint));
        self.ends.push(0);
        if std::mem::take(&mut self.checked) != values.len() {
            return Err(FormatError::Utf8 { utf16: false });
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
        // SAFETY: `values` holds whole lines one after the other, `offsets` their ends in order.
        // All of them were checked by `feed`, line ends included, so each is UTF-8 by itself.
        // Arrow's own check would halve the speed for text that isn't ASCII.
        let lines = unsafe { StringArray::new_unchecked(offsets, Buffer::from_vec(values), None) };
        let lines: ArrayRef = Arc::new(lines);
        Ok(Some(RecordBatch::try_new(Arc::clone(&self.schema), vec![lines])?))
    }

    fn fork(&self) -> Result<Box<dyn Decode>, FormatError> {
        let mut fresh = Self::new(Arc::clone(&self.schema))?;
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

/// Checks that lines are text; finds the first that isn't.
fn check(lines: &[u8]) -> Result<(), BadLine> {
    let nul = memchr::memchr(0, lines);
    if nul.is_none() && simdutf8::basic::from_utf8(lines).is_ok() {
        return Ok(());
    }
    let valid = std::str::from_utf8(lines).map_or_else(|error| error.valid_up_to(), str::len);
    let bad = nul.map_or(valid, |nul| nul.min(valid));
    let at = memchr::memrchr(b'\n', &lines[..bad]).map_or(0, |end| end + 1);
    let error = utf8_or_nul(first_line(&lines[at..]).0);
    Err(BadLine { at, error })
}

/// Which of the two it is.
pub(super) fn utf8_or_nul(line: &[u8]) -> FormatError {
    let utf16 = line.starts_with(b"\xFF\xFE") || line.starts_with(b"\xFE\xFF");
    if std::str::from_utf8(line).is_ok() { FormatError::Nul } else { FormatError::Utf8 { utf16 } }
}

/// Rows to bytes.
#[derive(Debug)]
pub struct Encoder {
    column: String,
}

impl Encoder {
    /// An encoder for rows of this schema; refuses what is not one string column.
    pub fn new(schema: &Schema) -> Result<Self, FormatError> {
        Ok(Self { column: one_string(schema)?.to_owned() })
    }
}

impl Encode for Encoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let lines = rows
            .columns()
            .first()
            .and_then(|lines| lines.as_string_opt::<i32>())
            .ok_or_else(|| not_one_string(&rows.schema()))?;
        if lines.null_count() > 0 {
            return Err(FormatError::NullLine { column: self.column.clone() });
        }
        out.reserve(lines.values().len() + lines.len());
        for line in lines.iter().flatten() {
            if memchr::memchr(b'\n', line.as_bytes()).is_some() || line.ends_with('\r') {
                return Err(FormatError::LineEnd { column: self.column.clone() });
            }
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
        Ok(())
    }
}

fn one_string(schema: &Schema) -> Result<&str, FormatError> {
    match schema.fields().as_ref() {
        [field] if *field.data_type() == DataType::Utf8 => Ok(field.name()),
        _ => Err(not_one_string(schema)),
    }
}

fn not_one_string(schema: &Schema) -> FormatError {
    let columns: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| format!("`{}: {}`", field.name(), types::describe(field.data_type())))
        .collect();
    let columns = if columns.is_empty() { "none".into() } else { columns.join(", ") };
    FormatError::NotOneString { columns }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<Vec<Vec<String>>, BadLine> {
        let mut decoder = Decoder::new(schema()).unwrap();
        let mut chunks = Vec::new();
        let mut finish = |decoder: &mut Decoder| {
            if let Some(rows) = decoder.take_rows().unwrap() {
                let lines = rows.column(0).as_string::<i32>();
                chunks.push(lines.iter().map(|line| line.unwrap().to_owned()).collect());
            }
        };
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let taken = decoder.feed(rest)?;
                rest = &rest[taken..];
                assert_eq!(decoder.feed(rest)? == 0, decoder.is_full() || rest.is_empty());
                if decoder.is_full() {
                    finish(&mut decoder);
                }
            }
        }
        finish(&mut decoder);
        Ok(chunks)
    }

    fn bad(lines: &[u8]) -> (usize, FormatError) {
        let bad = decode(&[lines]).unwrap_err();
        (bad.at, bad.error)
    }

    fn encode(lines: Vec<Option<&str>>) -> Result<String, FormatError> {
        let schema = Arc::new(Schema::new(vec![Field::new("word", DataType::Utf8, true)]));
        let column: ArrayRef = Arc::new(StringArray::from(lines));
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&schema)?;
        encoder.encode(&RecordBatch::try_new(schema, vec![column])?, &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn lines_end_with_newline_or_both_or_not_at_all() {
        for (text, lines) in [
            ("", vec![]),
            ("\n", vec![""]),
            ("a", vec!["a"]),
            ("a\n", vec!["a"]),
            ("a\r\nb\n\nc", vec!["a", "b", "", "c"]),
            ("a\r", vec!["a"]),
            ("a\rb\r\r\n", vec!["a\rb\r"]),
            ("ü\nß\n", vec!["ü", "ß"]),
        ] {
            let chunks = decode(&[text.as_bytes()]).unwrap();
            assert_eq!(chunks.concat(), lines, "{text:?}");
        }
    }

    #[test]
    fn a_chunk_ends_after_its_rows_or_bytes_however_the_bytes_arrive() {
        let many = "x\n".repeat(CHUNK_ROWS_MAX * 2 + 5);
        let sizes: Vec<usize> = decode(&[many.as_bytes()]).unwrap().iter().map(Vec::len).collect();
        assert_eq!(sizes, [CHUNK_ROWS_MAX, CHUNK_ROWS_MAX, 5]);
        let one_by_one: Vec<&[u8]> = many.as_bytes().chunks(2).collect();
        assert_eq!(decode(&one_by_one).unwrap(), decode(&[many.as_bytes()]).unwrap());

        let long = format!("{}\n", "y".repeat(1023)).repeat(1200);
        let sizes: Vec<usize> = decode(&[long.as_bytes()]).unwrap().iter().map(Vec::len).collect();
        assert_eq!(sizes, [512, 512, 176]);
    }

    #[test]
    fn what_is_not_text_is_refused_with_its_line() {
        assert_eq!(bad(b"ok\n\xff\nok\n"), (3, FormatError::Utf8 { utf16: false }));
        assert_eq!(bad(b"ok\nok\na\0b\n\xff"), (6, FormatError::Nul));
        assert_eq!(bad(b"\xff\xfea\0\n\0"), (0, FormatError::Utf8 { utf16: true }));
        // Halves of a character on two lines are not a character.
        assert_eq!(bad(b"\xc3\n\xbc\n"), (0, FormatError::Utf8 { utf16: false }));
        let long = "z".repeat(LINE_BYTES_MAX + 1);
        assert_eq!(bad(format!("ok\n{long}\n").as_bytes()), (3, FormatError::LongLine));
        assert_eq!(decode(&[&long.as_bytes()[1..]]).unwrap().len(), 1);
    }

    #[test]
    fn lines_that_were_not_checked_never_become_rows() {
        let mut decoder = Decoder::new(schema()).unwrap();
        assert!(decoder.feed(b"ok\n\xff\n").is_err());
        assert!(decoder.take_rows().is_err());
    }

    #[test]
    fn rows_of_one_string_column_become_lines() {
        assert_eq!(encode(vec![Some("a"), Some(""), Some("ü")]).unwrap(), "a\n\nü\n");
        assert_eq!(encode(vec![]).unwrap(), "");
    }

    #[test]
    fn rows_that_would_read_back_differently_are_refused() {
        let column = "word".to_owned();
        assert_eq!(encode(vec![None]), Err(FormatError::NullLine { column: column.clone() }));
        for value in ["a\nb", "a\r"] {
            let error = FormatError::LineEnd { column: column.clone() };
            assert_eq!(encode(vec![Some(value)]), Err(error));
        }
        let number = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
        let error = Encoder::new(&number).unwrap_err();
        assert!(error.to_string().ends_with("these rows have `n: int64`"), "{error}");
    }
}
