//! Text into columns, by schema.

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, PrimitiveBuilder, StringBuilder,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, FieldRef, Float64Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};

use crate::format::{FormatError, number, time};
use crate::types;

/// How much of a value a message shows.
const SHOWN_CHARS: usize = 80;

/// A column while its values arrive.
pub(super) struct Column {
    field: FieldRef,
    values: Values,
}

enum Values {
    Bool(BooleanBuilder),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    Float64(PrimitiveBuilder<Float64Type>),
    String(StringBuilder),
    Binary(BinaryBuilder),
    Date(PrimitiveBuilder<Date32Type>),
    Timestamp(PrimitiveBuilder<TimestampMicrosecondType>),
    Decimal(PrimitiveBuilder<Decimal128Type>, u8, i8),
}

impl Column {
    /// A column for a field; lists and structs have no text in CSV.
    pub(super) fn new(field: &FieldRef) -> Result<Self, FormatError> {
        Ok(Self { field: Arc::clone(field), values: values(field)? })
    }

    /// Takes the value of the next row; none is null.
    #[inline]
    pub(super) fn push(&mut self, value: Option<&str>) -> Result<(), FormatError> {
        let Some(text) = value else { return self.push_null() };
        if self.values.push(text) { Ok(()) } else { Err(self.mismatch(text)) }
    }

    fn push_null(&mut self) -> Result<(), FormatError> {
        if !self.field.is_nullable() {
            return Err(FormatError::NoValue { column: self.field.name().clone() });
        }
        match &mut self.values {
            Values::Bool(values) => values.append_null(),
            Values::Int32(values) => values.append_null(),
            Values::Int64(values) => values.append_null(),
            Values::Float64(values) => values.append_null(),
            Values::String(values) => values.append_null(),
            Values::Binary(values) => values.append_null(),
            Values::Date(values) => values.append_null(),
            Values::Timestamp(values) => values.append_null(),
            Values::Decimal(values, ..) => values.append_null(),
        }
        Ok(())
    }

    #[cold]
    fn mismatch(&self, text: &str) -> FormatError {
        let mut found: String = text.chars().take(SHOWN_CHARS).collect();
        if found.len() < text.len() {
            found.push('…');
        }
        FormatError::Value {
            column: self.field.name().clone(),
            wanted: types::describe(self.field.data_type()),
            found: format!("{found:?}"),
        }
    }

    /// The values since the last call.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match &mut self.values {
            Values::Bool(values) => ArrayBuilder::finish(values),
            Values::Int32(values) => ArrayBuilder::finish(values),
            Values::Int64(values) => ArrayBuilder::finish(values),
            Values::Float64(values) => ArrayBuilder::finish(values),
            Values::String(values) => ArrayBuilder::finish(values),
            Values::Binary(values) => ArrayBuilder::finish(values),
            Values::Date(values) => ArrayBuilder::finish(values),
            Values::Timestamp(values) => ArrayBuilder::finish(values),
            Values::Decimal(values, ..) => ArrayBuilder::finish(values),
        }
    }
}

impl Values {
    /// Takes a value; false when the text is none of this type.
    #[inline]
    fn push(&mut self, text: &str) -> bool {
        match self {
            Self::String(values) => {
                values.append_value(text);
                true
            }
            Self::Bool(values) => {
                let value = match text {
                    _ if text.eq_ignore_ascii_case("true") => true,
                    _ if text.eq_ignore_ascii_case("false") => false,
                    _ => return false,
                };
                values.append_value(value);
                true
            }
            Self::Int32(values) => {
                push(values, number::integer(text).and_then(|value| i32::try_from(value).ok()))
            }
            Self::Int64(values) => push(values, number::integer(text)),
            Self::Float64(values) => push(values, float(text)),
            Self::Date(values) => push(values, time::parse_date(text)),
            Self::Timestamp(values) => push(values, time::parse_timestamp(text)),
            Self::Decimal(values, precision, scale) => {
                push(values, number::decimal(text, *precision, *scale))
            }
            Self::Binary(values) => {
                let bytes = unhex(text);
                values.append_option(bytes.as_deref());
                bytes.is_some()
            }
        }
    }
}

fn push<T: ArrowPrimitiveType>(values: &mut PrimitiveBuilder<T>, value: Option<T::Native>) -> bool {
    if let Some(value) = value {
        values.append_value(value);
    }
    value.is_some()
}

fn float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        number => number::float(number),
    }
}

/// Reads pairs of hexadecimal digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks_exact(2);
    let whole = pairs.remainder().is_empty();
    let bytes = pairs.map(|pair| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8));
    if whole { bytes.collect() } else { None }
}

fn values(field: &FieldRef) -> Result<Values, FormatError> {
    let data_type = field.data_type();
    Ok(match data_type {
        DataType::Boolean => Values::Bool(BooleanBuilder::new()),
        DataType::Int32 => Values::Int32(PrimitiveBuilder::new()),
        DataType::Int64 => Values::Int64(PrimitiveBuilder::new()),
        DataType::Float64 => Values::Float64(PrimitiveBuilder::new()),
        DataType::Utf8 => Values::String(StringBuilder::new()),
        DataType::Binary => Values::Binary(BinaryBuilder::new()),
        DataType::Date32 => Values::Date(PrimitiveBuilder::new()),
        moment if *moment == types::timestamp() => {
            Values::Timestamp(PrimitiveBuilder::new().with_data_type(moment.clone()))
        }
        DataType::Decimal128(precision, scale) => Values::Decimal(
            PrimitiveBuilder::new().with_data_type(data_type.clone()),
            *precision,
            *scale,
        ),
        _ => return Err(super::no_text(field)),
    })
}
