//! Rows into records: a header first, quotes where they are needed, `\n` behind each record.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type,
    SchemaRef, TimestampMicrosecondType,
};

use super::no_text;
use crate::format::{Encode, FormatError, time};
use crate::types;

const DELIMITER: u8 = b',';

/// Rows to bytes.
#[derive(Debug)]
pub struct Encoder {
    schema: SchemaRef,
    /// Whether the header is written.
    begun: bool,
}

impl Encoder {
    /// An encoder for rows of this schema; refuses types that have no text in CSV.
    pub fn new(schema: &SchemaRef) -> Result<Self, FormatError> {
        if schema.fields().is_empty() {
            return Err(FormatError::NoColumnsToWrite { format: "csv" });
        }
        for field in schema.fields() {
            super::column::Column::new(field)?;
        }
        Ok(Self { schema: Arc::clone(schema), begun: false })
    }

    fn write_header(&self, out: &mut Vec<u8>) {
        for (place, field) in self.schema.fields().iter().enumerate() {
            if place > 0 {
                out.push(DELIMITER);
            }
            write_text(field.name(), out);
        }
        out.push(b'\n');
    }
}

impl Encode for Encoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        if rows.num_rows() > 0 && !std::mem::replace(&mut self.begun, true) {
            self.write_header(out);
        }
        let columns = rows.columns().iter().zip(self.schema.fields());
        let columns: Result<Vec<Values<'_>>, _> =
            columns.map(|(column, field)| values(column).ok_or_else(|| no_text(field))).collect();
        let columns = columns?;
        for row in 0..rows.num_rows() {
            for (place, (values, column)) in columns.iter().zip(rows.columns()).enumerate() {
                if place > 0 {
                    out.push(DELIMITER);
                }
                if column.is_valid(row) {
                    values(row, out);
                }
            }
            out.push(b'\n');
        }
        Ok(())
    }
}

/// Writes the value of a row.
type Values<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// How the values of a column are written. Writing to memory can't fail.
fn values(array: &dyn Array) -> Option<Values<'_>> {
    Some(match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean();
            Box::new(move |row, out| drop(write!(out, "{}", values.value(row))))
        }
        DataType::Int32 => numbers::<Int32Type>(array),
        DataType::Int64 => numbers::<Int64Type>(array),
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            Box::new(move |row, out| write_float(values.value(row), out))
        }
        DataType::Utf8 => {
            let values = array.as_string::<i32>();
            Box::new(move |row, out| write_text(values.value(row), out))
        }
        DataType::Binary => {
            let values = array.as_binary::<i32>();
            Box::new(move |row, out| write_hex(values.value(row), out))
        }
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>();
            Box::new(move |row, out| time::write_date(i64::from(values.value(row)), out))
        }
        moment if *moment == types::timestamp() => {
            let values = array.as_primitive::<TimestampMicrosecondType>();
            Box::new(move |row, out| time::write_timestamp(values.value(row), out))
        }
        DataType::Decimal128(..) => {
            let values = array.as_primitive::<Decimal128Type>();
            Box::new(move |row, out| out.extend_from_slice(values.value_as_string(row).as_bytes()))
        }
        _ => return None,
    })
}

fn numbers<T: ArrowPrimitiveType>(array: &dyn Array) -> Values<'_>
where
    T::Native: std::fmt::Display,
{
    let values = array.as_primitive::<T>();
    Box::new(move |row, out| drop(write!(out, "{}", values.value(row))))
}

fn write_float(value: f64, out: &mut Vec<u8>) {
    let word: &[u8] = if value.is_finite() {
        // Debug gives the shortest text that reads back the same.
        let _ = write!(out, "{value:?}");
        return;
    } else if value.is_nan() {
        b"NaN"
    } else if value > 0.0 {
        b"Infinity"
    } else {
        b"-Infinity"
    };
    out.extend_from_slice(word);
}

fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    // Without quotes it would be null.
    if bytes.is_empty() {
        out.extend_from_slice(b"\"\"");
    }
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

/// Text, in quotes if it would not be read back as it is without them.
fn write_text(text: &str, out: &mut Vec<u8>) {
    let special = |byte: u8| matches!(byte, DELIMITER | b'"' | b'\n' | b'\r' | 0);
    // At the front of a file a byte order mark would be passed over.
    let plain = !text.is_empty() && !text.starts_with('\u{feff}') && !text.bytes().any(special);
    if plain {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    let mut parts = text.split('"');
    out.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        out.extend_from_slice(b"\"\"");
        out.extend_from_slice(part.as_bytes());
    }
    out.push(b'"');
}
