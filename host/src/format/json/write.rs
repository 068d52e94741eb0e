//! Rows into JSON lines.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    Array, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array,
    Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, SchemaRef};

use super::scan::plain_end;
use crate::format::time;
use crate::format::{Encode, FormatError};
use crate::types;

/// Rows to bytes.
#[derive(Debug)]
pub struct Encoder {
    schema: SchemaRef,
    keys: Vec<Vec<u8>>,
}

impl Encoder {
    /// An encoder for rows of this schema; refuses types that have no name here.
    pub fn new(schema: &SchemaRef) -> Result<Self, FormatError> {
        for field in schema.fields() {
            if types::name(field.data_type()).is_none() {
                return Err(no_text(field.name(), field.data_type()));
            }
        }
        Ok(Self { schema: Arc::clone(schema), keys: keys(schema.fields()) })
    }
}

impl Encode for Encoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let cells: Result<Vec<Cells<'_>>, FormatError> = rows
            .columns()
            .iter()
            .zip(self.schema.fields())
            .map(|(column, field)| Cells::of(field, column))
            .collect();
        let cells = cells?;
        let open: &[u8] = if cells.is_empty() { b"{" } else { b"" };
        for row in 0..rows.num_rows() {
            out.extend_from_slice(open);
            for (key, cells) in self.keys.iter().zip(&cells) {
                out.extend_from_slice(key);
                cells.write(row, out);
            }
            out.extend_from_slice(b"}\n");
        }
        Ok(())
    }
}

/// What stands before each value: `{"a":`, `,"b":`, …
fn keys(fields: &Fields) -> Vec<Vec<u8>> {
    let mut lead = b'{';
    fields
        .iter()
        .map(|field| {
            let mut key = vec![lead];
            write_string(field.name(), &mut key);
            key.push(b':');
            lead = b',';
            key
        })
        .collect()
}

fn no_text(column: &str, data_type: &DataType) -> FormatError {
    FormatError::Type {
        column: column.to_owned(),
        data_type: types::describe(data_type),
        format: "json",
    }
}

/// One column, ready to be written cell by cell.
struct Cells<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    Bool(&'a BooleanArray),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Float64(&'a Float64Array),
    String(&'a StringArray),
    Binary(&'a BinaryArray),
    Date(&'a Date32Array),
    Timestamp(&'a TimestampMicrosecondArray),
    Decimal(&'a Decimal128Array),
    List(&'a OffsetBuffer<i32>, Box<Cells<'a>>),
    Struct(Vec<Vec<u8>>, Vec<Cells<'a>>),
}

impl<'a> Cells<'a> {
    fn of(field: &Field, array: &'a dyn Array) -> Result<Self, FormatError> {
        let values = match array.data_type() {
            DataType::Boolean => Values::Bool(array.as_boolean()),
            DataType::Int32 => Values::Int32(array.as_primitive()),
            DataType::Int64 => Values::Int64(array.as_primitive()),
            DataType::Float64 => Values::Float64(array.as_primitive()),
            DataType::Utf8 => Values::String(array.as_string()),
            DataType::Binary => Values::Binary(array.as_binary()),
            DataType::Date32 => Values::Date(array.as_primitive()),
            moment if *moment == types::timestamp() => Values::Timestamp(array.as_primitive()),
            DataType::Decimal128(..) => Values::Decimal(array.as_primitive()),
            DataType::List(item) => {
                let list = array.as_list::<i32>();
                Values::List(list.offsets(), Box::new(Self::of(item, list.values())?))
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns();
                let cells: Result<_, _> = fields
                    .iter()
                    .zip(columns)
                    .map(|(field, cells)| Self::of(field, cells))
                    .collect();
                Values::Struct(keys(fields), cells?)
            }
            other => return Err(no_text(field.name(), other)),
        };
        Ok(Self { nulls: array.nulls(), values })
    }

    #[inline]
    fn write(&self, row: usize, out: &mut Vec<u8>) {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            out.extend_from_slice(b"null");
            return;
        }
        match &self.values {
            Values::String(values) => write_string(values.value(row), out),
            Values::Int64(values) => write_integer(values.value(row), out),
            Values::Int32(values) => write_integer(i64::from(values.value(row)), out),
            Values::Float64(values) => write_float(values.value(row), out),
            Values::Bool(values) => {
                out.extend_from_slice(if values.value(row) { b"true" } else { b"false" });
            }
            quoted @ (Values::Date(_) | Values::Timestamp(_) | Values::Decimal(_)) => {
                out.push(b'"');
                quoted.write_quoted(row, out);
                out.push(b'"');
            }
            Values::Binary(values) => write_hex(values.value(row), out),
            Values::List(offsets, items) => {
                let lead = out.len();
                for item in offsets[row] as usize..offsets[row + 1] as usize {
                    out.push(b',');
                    items.write(item, out);
                }
                open(lead, b'[', out);
                out.push(b']');
            }
            Values::Struct(keys, fields) => {
                for (key, cells) in keys.iter().zip(fields) {
                    out.extend_from_slice(key);
                    cells.write(row, out);
                }
                if keys.is_empty() {
                    out.push(b'{');
                }
                out.push(b'}');
            }
        }
    }
}

impl Values<'_> {
    fn write_quoted(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            Self::Date(values) => time::write_date(i64::from(values.value(row)), out),
            Self::Timestamp(values) => time::write_timestamp(values.value(row), out),
            Self::Decimal(values) => out.extend_from_slice(values.value_as_string(row).as_bytes()),
            _ => {}
        }
    }
}

/// Makes the comma before the first item the bracket, or adds the bracket if there is none.
fn open(lead: usize, bracket: u8, out: &mut Vec<u8>) {
    match out.get_mut(lead) {
        Some(comma) => *comma = bracket,
        None => out.push(bracket),
    }
}

fn write_integer(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

fn write_float(value: f64, out: &mut Vec<u8>) {
    let word: &[u8] = if value.is_finite() {
        // Writing to memory can't fail. Debug gives the shortest text that reads back the same.
        let _ = write!(out, "{value:?}");
        return;
    } else if value.is_nan() {
        b"\"NaN\""
    } else if value > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    };
    out.extend_from_slice(word);
}

fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
    out.push(b'"');
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.push(b'"');
    let mut from = 0;
    loop {
        let end = plain_end(bytes, from);
        out.extend_from_slice(&bytes[from..end]);
        match bytes.get(end) {
            Some(byte) => write_escape(*byte, out),
            None => break,
        }
        from = end + 1;
    }
    out.push(b'"');
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    let letter = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let _ = write!(out, "\\u{byte:04x}");
            return;
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}
