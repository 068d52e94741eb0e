//! Columns from records: what types do the values have?
//!
//! | values of a column | type |
//! |---|---|
//! | whole numbers within 64 bits, without leading zeros | int64 |
//! | these and other numbers | float64 |
//! | `true`, `false` | bool |
//! | only null, or anything else | string |
//!
//! Everything may be null. Without a header, columns are called `column_1` and so on.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::scan::{self, Cell};
use super::{Layout, header, is_blank, of_header, text_of};
use crate::format::{BadLine, FormatError};

/// So many records are looked at …
const RECORDS_MAX: usize = 10_000;

/// … or so many bytes, whichever comes first.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// What is known of the types after the records so far of one file.
#[derive(Debug)]
pub struct Inference {
    layout: Layout,
    names: Option<Vec<String>>,
    shapes: Vec<Shape>,
    records: usize,
    bytes: usize,
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Null,
    Bool,
    Int,
    Float,
    String,
}

impl Inference {
    /// Nothing is known yet.
    pub fn new(layout: Layout) -> Self {
        let (names, shapes, cells) = (None, Vec::new(), Vec::new());
        Self { layout, names, shapes, records: 0, bytes: 0, cells }
    }

    /// Looks at records, as far as it needs to; says how many bytes it looked at. None are enough
    /// for a record when that is 0. A record that is none changes nothing.
    pub fn feed(&mut self, lines: &[u8], last: bool) -> Result<usize, BadLine> {
        let mut at = 0;
        while at < lines.len() && !self.is_done() {
            let bytes = self.look(&lines[at..], last).map_err(|error| BadLine { at, error })?;
            if bytes == 0 {
                break;
            }
            self.bytes += bytes;
            at += bytes;
        }
        Ok(at)
    }

    /// Whether further records change nothing.
    pub fn is_done(&self) -> bool {
        self.records >= RECORDS_MAX || self.bytes >= BYTES_MAX
    }

    /// Whether nothing shows the columns: no header, and no record.
    pub fn is_empty(&self) -> bool {
        self.names.is_none()
    }

    /// The columns.
    pub fn schema(self) -> Result<SchemaRef, FormatError> {
        let names = self.names.ok_or(FormatError::NoColumns)?;
        let fields = names.into_iter().zip(self.shapes).map(|(name, shape)| {
            let data_type = match shape {
                Shape::Bool => DataType::Boolean,
                Shape::Int => DataType::Int64,
                Shape::Float => DataType::Float64,
                Shape::Null | Shape::String => DataType::Utf8,
            };
            Field::new(name, data_type, true)
        });
        Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
    }

    fn look(&mut self, lines: &[u8], last: bool) -> Result<usize, FormatError> {
        if self.names.is_none() && self.layout.header {
            return self.look_at_header(lines, last).map_err(of_header);
        }
        let Some(bytes) = scan::record(lines, self.layout.delimiter, last, &mut self.cells)? else {
            return Ok(0);
        };
        let record = text_of(&lines[..bytes])?;
        let blank = is_blank(&self.cells, record);
        let names = match &self.names {
            Some(names) => names,
            None if blank => return Ok(bytes),
            None => {
                let names = (1..=self.cells.len()).map(|number| format!("column_{number}"));
                self.shapes = vec![Shape::Null; self.cells.len()];
                self.names.insert(names.collect())
            }
        };
        if blank && names.len() > 1 {
            return Ok(bytes);
        }
        if self.cells.len() != names.len() {
            return Err(FormatError::Ragged { wanted: names.len(), found: self.cells.len() });
        }
        let mut scratch = String::new();
        for (known, cell) in self.shapes.iter_mut().zip(&self.cells) {
            *known = merge(*known, cell.text(record, &mut scratch).map_or(Shape::Null, shape));
        }
        self.records += 1;
        Ok(bytes)
    }

    fn look_at_header(&mut self, lines: &[u8], last: bool) -> Result<usize, FormatError> {
        let found = header(lines, self.layout.delimiter, last, &mut self.cells)?;
        let Some((names, bytes)) = found else { return Ok(0) };
        for (place, name) in names.iter().enumerate() {
            if name.is_empty() {
                let problem = format!("column {} has no name", place + 1);
                return Err(FormatError::Header { problem });
            }
            if names[..place].contains(name) {
                return Err(FormatError::TwiceInHeader { column: name.clone() });
            }
        }
        self.shapes = vec![Shape::Null; names.len()];
        self.names = Some(names);
        Ok(bytes)
    }
}

fn shape(text: &str) -> Shape {
    match text {
        _ if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => Shape::Bool,
        _ => number_shape(text).unwrap_or(Shape::String),
    }
}

/// The type of a number as JSON writes it: `007` and `+5` are text, so that nothing of them is
/// lost.
fn number_shape(text: &str) -> Option<Shape> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, rest) = digits.split_at(digits.find(['.', 'e', 'E']).unwrap_or(digits.len()));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    if rest.is_empty() {
        return text.parse::<i64>().ok().map(|_| Shape::Int);
    }
    let (fraction, exponent) = rest.split_at(rest.find(['e', 'E']).unwrap_or(rest.len()));
    let fraction_fits = fraction.is_empty() || all_digits(&fraction[1..]);
    let exponent = exponent.trim_start_matches(['e', 'E']);
    let exponent_fits =
        rest == fraction || all_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    let in_range = text.parse::<f64>().is_ok_and(f64::is_finite);
    (fraction_fits && exponent_fits && in_range).then_some(Shape::Float)
}

fn merge(known: Shape, new: Shape) -> Shape {
    match (known, new) {
        (same, Shape::Null) | (Shape::Null, same) => same,
        (Shape::Int, Shape::Float) | (Shape::Float, Shape::Int) => Shape::Float,
        (known, new) if known == new => known,
        _ => Shape::String,
    }
}
