//! Columns from lines: what types do the values have?
//!
//! | values of a column | type |
//! |---|---|
//! | whole numbers within 64 bits | int64 |
//! | these and other numbers | float64 |
//! | `true`, `false` | bool |
//! | strings | string |
//! | arrays of one type | list |
//! | objects | struct with the fields of all of them |
//! | only null, mixed, whole numbers beyond 64 bits, or too deep | string |
//!
//! Everything may be null. Columns come in the order in which their keys came first.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};

use super::scan::{Scan, Scanner};
use crate::format::text::utf8_or_nul;
use crate::format::{BadLine, FormatError, LINE_BYTES_MAX, first_line};
use crate::types::DEPTH_MAX;

/// So many lines are looked at …
const LINES_MAX: usize = 10_000;

/// … or so many bytes, whichever comes first.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// What is known of the types after the lines so far.
#[derive(Debug, Default)]
pub struct Inference {
    columns: Vec<(String, Shape)>,
    lines: usize,
    bytes: usize,
    scratch: String,
}

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Null,
    Bool,
    Int,
    Float,
    String,
    List(Box<Shape>),
    Struct(Vec<(String, Shape)>),
    /// A string that takes every value.
    Mixed,
}

impl Inference {
    /// Looks at lines, as far as it needs to.
    pub fn feed(&mut self, lines: &[u8]) -> Result<(), BadLine> {
        let mut at = 0;
        while at < lines.len() && !self.is_done() {
            let (line, taken) = first_line(&lines[at..]);
            self.look(line).map_err(|error| BadLine { at, error: *error })?;
            self.bytes += taken;
            at += taken;
        }
        Ok(())
    }

    /// Whether further lines change nothing.
    pub fn is_done(&self) -> bool {
        self.lines >= LINES_MAX || self.bytes >= BYTES_MAX
    }

    /// Whether no line had a row.
    pub fn is_empty(&self) -> bool {
        self.lines == 0
    }

    /// The columns.
    pub fn schema(self) -> Result<SchemaRef, FormatError> {
        if self.columns.is_empty() {
            return Err(FormatError::NoColumns);
        }
        Ok(Arc::new(Schema::new(fields(self.columns))))
    }

    fn look(&mut self, line: &[u8]) -> Scan<()> {
        if line.len() > LINE_BYTES_MAX {
            return Err(Box::new(FormatError::LongLine));
        }
        let Ok(text) = simdutf8::basic::from_utf8(line) else {
            return Err(Box::new(utf8_or_nul(line)));
        };
        let mut scanner = Scanner::new(text, &mut self.scratch);
        match scanner.peek() {
            0 if scanner.at() == text.len() => return Ok(()),
            b'{' => look_at_object(&mut scanner, &mut self.columns, 0)?,
            _ => return scanner.wrong("expected an object: `{`"),
        }
        scanner.end()?;
        self.lines += 1;
        Ok(())
    }
}

/// Merges the shapes of an object's fields into `known`.
fn look_at_object(
    scanner: &mut Scanner<'_>,
    known: &mut Vec<(String, Shape)>,
    depth: usize,
) -> Scan<()> {
    scanner.take(b'{');
    let mut more = !scanner.take(b'}');
    while more {
        let key = scanner.key()?.to_owned();
        scanner.colon()?;
        let shape = look_at_value(scanner, depth)?;
        match known.iter_mut().find(|(name, _)| *name == key) {
            Some((_, before)) => merge(before, shape),
            None => known.push((key, shape)),
        }
        more = scanner.another(b'}')?;
    }
    Ok(())
}

fn look_at_value(scanner: &mut Scanner<'_>, depth: usize) -> Scan<Shape> {
    Ok(match scanner.peek() {
        b'{' | b'[' if depth == DEPTH_MAX => {
            scanner.skip()?;
            Shape::Mixed
        }
        b'{' => {
            let mut fields = Vec::new();
            look_at_object(scanner, &mut fields, depth + 1)?;
            Shape::Struct(fields)
        }
        b'[' => look_at_list(scanner, depth + 1)?,
        b'-' | b'0'..=b'9' => number_shape(scanner.raw()?),
        _ => {
            let literal = scanner.raw()?;
            match literal.as_bytes()[0] {
                b'"' => Shape::String,
                b'n' => Shape::Null,
                _ => Shape::Bool,
            }
        }
    })
}

fn look_at_list(scanner: &mut Scanner<'_>, depth: usize) -> Scan<Shape> {
    let mut item = Shape::Null;
    scanner.take(b'[');
    let mut more = !scanner.take(b']');
    while more {
        merge(&mut item, look_at_value(scanner, depth)?);
        more = scanner.another(b']')?;
    }
    Ok(Shape::List(Box::new(item)))
}

fn number_shape(text: &str) -> Shape {
    if text.contains(['.', 'e', 'E']) {
        Shape::Float
    } else if text.parse::<i64>().is_ok() {
        Shape::Int
    } else {
        Shape::Mixed
    }
}

fn merge(known: &mut Shape, new: Shape) {
    match (&mut *known, new) {
        (_, Shape::Null) => {}
        (Shape::Null, new) => *known = new,
        (Shape::Int, Shape::Float) => *known = Shape::Float,
        (Shape::Float, Shape::Int) => {}
        (Shape::List(known), Shape::List(new)) => merge(known, *new),
        (Shape::Struct(known), Shape::Struct(new)) => {
            for (key, shape) in new {
                match known.iter_mut().find(|(name, _)| *name == key) {
                    Some((_, before)) => merge(before, shape),
                    None => known.push((key, shape)),
                }
            }
        }
        (same, new) if *same == new => {}
        _ => *known = Shape::Mixed,
    }
}

fn fields(columns: Vec<(String, Shape)>) -> Fields {
    columns.into_iter().map(|(name, shape)| Field::new(name, data_type(shape), true)).collect()
}

fn data_type(shape: Shape) -> DataType {
    match shape {
        Shape::Null | Shape::String | Shape::Mixed => DataType::Utf8,
        Shape::Bool => DataType::Boolean,
        Shape::Int => DataType::Int64,
        Shape::Float => DataType::Float64,
        Shape::List(item) => DataType::List(Arc::new(Field::new("item", data_type(*item), true))),
        // A struct needs a field to have a name for its type.
        Shape::Struct(columns) if columns.is_empty() => DataType::Utf8,
        Shape::Struct(columns) => DataType::Struct(fields(columns)),
    }
}
