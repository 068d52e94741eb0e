//! JSON values into columns, by schema: each value goes straight from the text into its column.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, ListArray, NullBufferBuilder, PrimitiveBuilder,
    StringBuilder,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Field, FieldRef, Float64Type,
    Int32Type, Int64Type, TimestampMicrosecondType,
};

use super::object::StructValues;
use super::scan::{Scan, Scanner};
use crate::format::FormatError;
use crate::format::number;
use crate::format::time;
use crate::types;

/// A column, or a field of one, while its values arrive.
pub(super) struct Column {
    field: FieldRef,
    values: Values,
}

enum Values {
    Bool(BooleanBuilder),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    Float64(PrimitiveBuilder<Float64Type>),
    String { values: StringBuilder, any: bool },
    Binary { values: BinaryBuilder, scratch: Vec<u8> },
    Date(PrimitiveBuilder<Date32Type>),
    Timestamp(PrimitiveBuilder<TimestampMicrosecondType>),
    Decimal { values: PrimitiveBuilder<Decimal128Type>, precision: u8, scale: i8 },
    List(Box<ListValues>),
    Struct(Box<StructValues>),
}

struct ListValues {
    item: Column,
    ends: Vec<i32>,
    valid: NullBufferBuilder,
}

impl Column {
    /// A column for a field. With `any`, strings take every value, as the text it is written in.
    pub(super) fn new(field: &FieldRef, any: bool) -> Result<Self, FormatError> {
        Ok(Self { field: Arc::clone(field), values: values(field, any)? })
    }

    /// Reads the value that comes next.
    #[inline]
    pub(super) fn read(&mut self, scanner: &mut Scanner<'_>) -> Scan<()> {
        if scanner.null_if()? {
            return self.push_nothing();
        }
        let start = scanner.at();
        let done = match &mut self.values {
            Values::Int64(values) => {
                let value = scanner.number_if()?.and_then(number::integer);
                push(values, value)
            }
            Values::Float64(values) => push(values, read_float(scanner)?),
            Values::String { values, any } => match scanner.string_if()? {
                Some(text) => {
                    values.append_value(text);
                    true
                }
                None if *any => {
                    values.append_value(scanner.raw()?);
                    true
                }
                None => false,
            },
            Values::List(list) => list.read(scanner).map_err(|inner| within(&self.field, inner))?,
            Values::Struct(object) => {
                object.read(scanner).map_err(|inner| within(&self.field, inner))?
            }
            rarer => rarer.read_rarer(scanner)?,
        };
        if done { Ok(()) } else { self.mismatch(scanner, start) }
    }

    /// Takes that there is no value, if the column may be without.
    pub(super) fn push_nothing(&mut self) -> Scan<()> {
        if !self.field.is_nullable() {
            return Err(Box::new(FormatError::NoValue { column: self.field.name().clone() }));
        }
        self.values.push_null();
        Ok(())
    }

    #[cold]
    fn mismatch(&self, scanner: &mut Scanner<'_>, start: usize) -> Scan<()> {
        scanner.back(start);
        let found = scanner.shown()?;
        let wanted = types::describe(self.field.data_type());
        Err(Box::new(FormatError::Value { column: self.field.name().clone(), wanted, found }))
    }

    /// A null, whether the field may be one or not: it is under a null itself.
    pub(super) fn push_null(&mut self) {
        self.values.push_null();
    }

    /// How many values there are.
    fn len(&self) -> usize {
        use arrow::array::ArrayBuilder;
        match &self.values {
            Values::Bool(values) => values.len(),
            Values::Int32(values) => values.len(),
            Values::Int64(values) => values.len(),
            Values::Float64(values) => values.len(),
            Values::String { values, .. } => values.len(),
            Values::Binary { values, .. } => values.len(),
            Values::Date(values) => values.len(),
            Values::Timestamp(values) => values.len(),
            Values::Decimal { values, .. } => values.len(),
            Values::List(list) => list.valid.len(),
            Values::Struct(object) => object.len(),
        }
    }

    /// The values since the last call.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, FormatError> {
        Ok(match &mut self.values {
            Values::Bool(values) => Arc::new(values.finish()),
            Values::Int32(values) => Arc::new(values.finish()),
            Values::Int64(values) => Arc::new(values.finish()),
            Values::Float64(values) => Arc::new(values.finish()),
            Values::String { values, .. } => Arc::new(values.finish()),
            Values::Binary { values, .. } => Arc::new(values.finish()),
            Values::Date(values) => Arc::new(values.finish()),
            Values::Timestamp(values) => Arc::new(values.finish()),
            Values::Decimal { values, .. } => Arc::new(values.finish()),
            Values::List(list) => Arc::new(list.finish(self.field.data_type())?),
            Values::Struct(object) => Arc::new(object.finish()?),
        })
    }
}

impl Values {
    fn read_rarer(&mut self, scanner: &mut Scanner<'_>) -> Scan<bool> {
        Ok(match self {
            Self::Bool(values) => match scanner.bool_if()? {
                Some(value) => {
                    values.append_value(value);
                    true
                }
                None => false,
            },
            Self::Int32(values) => {
                let value = scanner.number_if()?.and_then(number::integer);
                push(values, value.and_then(|value| i32::try_from(value).ok()))
            }
            Self::Date(values) => push(values, scanner.string_if()?.and_then(time::parse_date)),
            Self::Timestamp(values) => push(values, read_timestamp(scanner)?),
            Self::Decimal { values, precision, scale } => {
                let text = match scanner.number_if()? {
                    Some(text) => Some(text),
                    None => scanner.string_if()?,
                };
                push(values, text.and_then(|text| number::decimal(text, *precision, *scale)))
            }
            Self::Binary { values, scratch } => match scanner.string_if()? {
                Some(text) if unhex(text, scratch) => {
                    values.append_value(scratch);
                    true
                }
                _ => false,
            },
            // These are read where the column is.
            Self::Int64(_) | Self::Float64(_) | Self::String { .. } => false,
            Self::List(_) | Self::Struct(_) => false,
        })
    }

    fn push_null(&mut self) {
        match self {
            Self::Bool(values) => values.append_null(),
            Self::Int32(values) => values.append_null(),
            Self::Int64(values) => values.append_null(),
            Self::Float64(values) => values.append_null(),
            Self::String { values, .. } => values.append_null(),
            Self::Binary { values, .. } => values.append_null(),
            Self::Date(values) => values.append_null(),
            Self::Timestamp(values) => values.append_null(),
            Self::Decimal { values, .. } => values.append_null(),
            Self::List(list) => list.push(false),
            Self::Struct(object) => object.push_null(),
        }
    }
}

impl ListValues {
    fn read(&mut self, scanner: &mut Scanner<'_>) -> Scan<bool> {
        if !scanner.take(b'[') {
            return Ok(false);
        }
        let mut more = !scanner.take(b']');
        while more {
            self.item.read(scanner)?;
            more = scanner.another(b']')?;
        }
        self.push(true);
        Ok(true)
    }

    fn push(&mut self, valid: bool) {
        // A chunk has at most CHUNK_BYTES_MAX + LINE_BYTES_MAX bytes, and an item at least two.
        self.ends.push(self.item.len() as i32);
        self.valid.append(valid);
    }

    fn finish(&mut self, data_type: &DataType) -> Result<ListArray, FormatError> {
        let ends = std::mem::replace(&mut self.ends, vec![0]);
        let DataType::List(item) = data_type else {
            return Err(FormatError::Arrow { problem: format!("{data_type} is not a list") });
        };
        let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
        let values = self.item.finish()?;
        Ok(ListArray::try_new(Arc::clone(item), offsets, values, self.valid.finish())?)
    }
}

/// Puts the name of the outer column before the inner one's.
#[cold]
fn within(outer: &Field, mut inner: Box<FormatError>) -> Box<FormatError> {
    if let FormatError::Value { column, .. }
    | FormatError::NoValue { column }
    | FormatError::Twice { column } = &mut *inner
    {
        *column = format!("{}.{column}", outer.name());
    }
    inner
}

#[inline]
fn push<T: ArrowPrimitiveType>(values: &mut PrimitiveBuilder<T>, value: Option<T::Native>) -> bool {
    if let Some(value) = value {
        values.append_value(value);
    }
    value.is_some()
}

fn read_float(scanner: &mut Scanner<'_>) -> Scan<Option<f64>> {
    if let Some(text) = scanner.number_if()? {
        return Ok(number::float(text));
    }
    Ok(match scanner.string_if()? {
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        _ => None,
    })
}

fn read_timestamp(scanner: &mut Scanner<'_>) -> Scan<Option<i64>> {
    if let Some(text) = scanner.number_if()? {
        return Ok(number::integer(text));
    }
    Ok(scanner.string_if()?.and_then(time::parse_timestamp))
}

/// Reads pairs of hexadecimal digits.
fn unhex(text: &str, out: &mut Vec<u8>) -> bool {
    out.clear();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks_exact(2);
    let whole = pairs.remainder().is_empty();
    for pair in pairs {
        match (digit(pair[0]), digit(pair[1])) {
            (Some(high), Some(low)) => out.push((high << 4 | low) as u8),
            _ => return false,
        }
    }
    whole
}

fn values(field: &Field, any: bool) -> Result<Values, FormatError> {
    let data_type = field.data_type();
    Ok(match data_type {
        DataType::Boolean => Values::Bool(BooleanBuilder::new()),
        DataType::Int32 => Values::Int32(PrimitiveBuilder::new()),
        DataType::Int64 => Values::Int64(PrimitiveBuilder::new()),
        DataType::Float64 => Values::Float64(PrimitiveBuilder::new()),
        DataType::Utf8 => Values::String { values: StringBuilder::new(), any },
        DataType::Binary => Values::Binary { values: BinaryBuilder::new(), scratch: Vec::new() },
        DataType::Date32 => Values::Date(PrimitiveBuilder::new()),
        timestamp if *timestamp == types::timestamp() => {
            Values::Timestamp(PrimitiveBuilder::new().with_data_type(data_type.clone()))
        }
        DataType::Decimal128(precision, scale) => Values::Decimal {
            values: PrimitiveBuilder::new().with_data_type(data_type.clone()),
            precision: *precision,
            scale: *scale,
        },
        DataType::List(item) => Values::List(Box::new(ListValues {
            item: Column::new(item, any)?,
            ends: vec![0],
            valid: NullBufferBuilder::new(0),
        })),
        DataType::Struct(fields) => Values::Struct(Box::new(StructValues::new(fields, any)?)),
        other => {
            return Err(FormatError::Type {
                column: field.name().clone(),
                data_type: types::describe(other),
                format: "json",
            });
        }
    })
}
