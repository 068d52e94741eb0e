//! What the columns of rows are in a table, and how their values are bound.

use arrow::array::{
    Array, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array,
    Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use rusqlite::types::Null;
use rusqlite::{Result, Statement};
use serde::{Deserialize, Serialize};

use crate::format;
use crate::sink::SinkError;
use crate::types;

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) holds: Holds,
    /// Whether it is one of those by which a row takes the place of an older one.
    pub(super) key: bool,
}

/// What SQLite keeps the values of a column as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Holds {
    Integer,
    Real,
    Text,
    Blob,
}

impl Holds {
    fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean | DataType::Int32 | DataType::Int64 => Self::Integer,
            DataType::Float64 => Self::Real,
            // As text a decimal keeps all of its digits.
            DataType::Utf8 | DataType::Date32 | DataType::Decimal128(..) => Self::Text,
            DataType::Binary => Self::Blob,
            moment if *moment == types::timestamp() => Self::Text,
            _ => return None,
        })
    }

    /// As it stands in `CREATE TABLE`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Text => "TEXT",
            Self::Blob => "BLOB",
        }
    }

    /// Whether a column that is declared so keeps the values as they are: SQLite's own rules of
    /// affinity, in their order.
    pub(super) fn fits(self, declared: &str) -> bool {
        let declared = declared.to_ascii_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
        match self {
            _ if has(&["INT"]) => self == Self::Integer,
            _ if has(&["CHAR", "CLOB", "TEXT"]) => self == Self::Text,
            _ if declared.is_empty() || has(&["BLOB"]) => self == Self::Blob,
            _ if has(&["REAL", "FLOA", "DOUB"]) => self == Self::Real,
            // NUMERIC, BOOLEAN, …: whole numbers stay what they are.
            _ => self == Self::Integer,
        }
    }
}

/// The columns of a table for these rows.
pub(super) fn columns(schema: &SchemaRef, upsert: &[String]) -> Result<Vec<Column>, SinkError> {
    let mut columns: Vec<Column> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let name = field.name().clone();
        let Some(holds) = Holds::of(field.data_type()) else {
            let data_type = types::describe(field.data_type());
            return Err(SinkError::NoColumn { column: name, data_type });
        };
        if let Some(twin) = columns.iter().find(|known| same_name(&known.name, &name)) {
            return Err(SinkError::OneName { first: twin.name.clone(), second: name });
        }
        let key = upsert.contains(&name);
        columns.push(Column { name, holds, key });
    }
    if let Some(key) = upsert.iter().find(|key| columns.iter().all(|it| it.name != **key)) {
        return Err(SinkError::NoKey { column: key.clone() });
    }
    Ok(columns)
}

/// Whether SQLite takes two names for one.
pub(super) fn same_name(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// A column of rows, ready to be bound cell by cell.
pub(super) struct Cells<'a> {
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
}

impl<'a> Cells<'a> {
    /// The columns of rows. A row without a key has no place in a table.
    pub(super) fn of(rows: &'a RecordBatch, columns: &[Column]) -> Result<Vec<Self>, SinkError> {
        let all = rows.columns().iter().zip(columns);
        all.map(|(array, column)| {
            if column.key && array.null_count() > 0 {
                return Err(SinkError::NullKey { column: column.name.clone() });
            }
            let values = Values::of(array).ok_or_else(|| SinkError::NoColumn {
                column: column.name.clone(),
                data_type: types::describe(array.data_type()),
            })?;
            Ok(Self { nulls: array.nulls(), values })
        })
        .collect()
    }

    /// Binds the cell of a row; `text` is room to write in.
    pub(super) fn bind(
        &self,
        row: usize,
        to: &mut Statement<'_>,
        at: usize,
        text: &mut Vec<u8>,
    ) -> Result<()> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return to.raw_bind_parameter(at, Null);
        }
        text.clear();
        match &self.values {
            Values::Bool(values) => return to.raw_bind_parameter(at, values.value(row)),
            Values::Int32(values) => return to.raw_bind_parameter(at, values.value(row)),
            Values::Int64(values) => return to.raw_bind_parameter(at, values.value(row)),
            Values::Float64(values) => return to.raw_bind_parameter(at, values.value(row)),
            Values::String(values) => return to.raw_bind_parameter(at, values.value(row)),
            Values::Binary(values) => return to.raw_bind_parameter(at, values.value(row)),
            Values::Date(values) => format::write_date(i64::from(values.value(row)), text),
            Values::Timestamp(values) => format::write_moment(values.value(row), text),
            Values::Decimal(values) => text.extend(values.value_as_string(row).into_bytes()),
        }
        to.raw_bind_parameter(at, String::from_utf8_lossy(text))
    }
}

impl<'a> Values<'a> {
    fn of(array: &'a dyn Array) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Boolean => Self::Bool(array.as_boolean()),
            DataType::Int32 => Self::Int32(array.as_primitive()),
            DataType::Int64 => Self::Int64(array.as_primitive()),
            DataType::Float64 => Self::Float64(array.as_primitive()),
            DataType::Utf8 => Self::String(array.as_string()),
            DataType::Binary => Self::Binary(array.as_binary()),
            DataType::Date32 => Self::Date(array.as_primitive()),
            DataType::Decimal128(..) => Self::Decimal(array.as_primitive()),
            moment if *moment == types::timestamp() => Self::Timestamp(array.as_primitive()),
            _ => return None,
        })
    }
}
