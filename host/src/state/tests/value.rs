//! Values of every type, made and read without the code under test.

use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::*;
use proptest::prelude::*;

/// A value; floats by their bits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(u64),
    Decimal(i128),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Struct(Vec<Value>),
}

/// A row of values.
pub type Row = Vec<Value>;

/// Any value of a type.
pub fn any_of(data_type: &DataType, nullable: bool) -> BoxedStrategy<Value> {
    let present = match data_type {
        DataType::Boolean => any::<bool>().prop_map(Value::Bool).boxed(),
        DataType::Int32 | DataType::Date32 => {
            prop_oneof![any::<i32>(), -2..3].prop_map(|v| Value::Int(v.into())).boxed()
        }
        DataType::Float64 => {
            let odd = prop::sample::select(vec![0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY]);
            prop_oneof![odd, any::<f64>()].prop_map(|v| Value::Float(v.to_bits())).boxed()
        }
        DataType::Decimal128(..) => {
            (-10_i128.pow(18)..10_i128.pow(18)).prop_map(Value::Decimal).boxed()
        }
        DataType::Utf8 => prop_oneof!["[a-cäż]{0,3}", ".{0,40}"].prop_map(Value::Text).boxed(),
        DataType::Binary => {
            prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes).boxed()
        }
        DataType::List(item) => {
            let item = any_of(item.data_type(), item.is_nullable());
            prop::collection::vec(item, 0..12).prop_map(Value::List).boxed()
        }
        DataType::Struct(fields) => any_row(fields).prop_map(Value::Struct).boxed(),
        _ => prop_oneof![any::<i64>(), -2_i64..3].prop_map(Value::Int).boxed(),
    };
    if nullable { prop_oneof![1 => Just(Value::Null), 4 => present].boxed() } else { present }
}

/// Any row of some columns.
pub fn any_row(fields: &Fields) -> BoxedStrategy<Row> {
    let columns: Vec<_> =
        fields.iter().map(|field| any_of(field.data_type(), field.is_nullable())).collect();
    columns.boxed()
}

/// What counts as the same key.
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::Float(bits) => {
            let value = f64::from_bits(*bits);
            let same = if value.is_nan() {
                f64::NAN
            } else if value == 0.0 {
                0.0
            } else {
                value
            };
            Value::Float(same.to_bits())
        }
        Value::List(items) => Value::List(items.iter().map(canonical).collect()),
        Value::Struct(fields) => Value::Struct(fields.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

/// Rows as columns.
pub fn columns(fields: &Fields, rows: &[Row]) -> Vec<ArrayRef> {
    let column = |(place, field): (usize, &FieldRef)| {
        column(field.data_type(), &rows.iter().map(|row| row[place].clone()).collect::<Vec<_>>())
    };
    fields.iter().enumerate().map(column).collect()
}

/// Rows as a batch.
pub fn batch(schema: &SchemaRef, rows: &[Row]) -> RecordBatch {
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let columns = columns(schema.fields(), rows);
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).unwrap()
}

fn int(value: &Value) -> Option<i64> {
    if let Value::Int(value) = value { Some(*value) } else { None }
}

/// The parts of present values, by a pattern.
macro_rules! present {
    ($values:expr, $kind:ident) => {
        $values.iter().map(|value| match value {
            Value::$kind(value) => Some(value.clone()),
            _ => None,
        })
    };
}

fn column(data_type: &DataType, values: &[Value]) -> ArrayRef {
    let nulls = NullBuffer::from_iter(values.iter().map(|value| *value != Value::Null));
    let small = || values.iter().map(|value| int(value).map(|value| value as i32));
    let long = || values.iter().map(int);
    match data_type {
        DataType::Boolean => Arc::new(BooleanArray::from_iter(present!(values, Bool))),
        DataType::Int32 => Arc::new(Int32Array::from_iter(small())),
        DataType::Date32 => Arc::new(Date32Array::from_iter(small())),
        DataType::Int64 => Arc::new(Int64Array::from_iter(long())),
        DataType::Timestamp(..) => {
            Arc::new(TimestampMicrosecondArray::from_iter(long()).with_timezone("UTC"))
        }
        DataType::Float64 => {
            let floats = present!(values, Float).map(|bits| bits.map(f64::from_bits));
            Arc::new(Float64Array::from_iter(floats))
        }
        DataType::Decimal128(..) => {
            let decimals = Decimal128Array::from_iter(present!(values, Decimal));
            Arc::new(decimals.with_data_type(data_type.clone()))
        }
        DataType::Utf8 => Arc::new(StringArray::from_iter(present!(values, Text))),
        DataType::List(item) => list(item, values, nulls),
        DataType::Struct(fields) => {
            // Where the struct is null its fields may hold anything: the defaults.
            let filled = |value: &Value| match value {
                Value::Struct(row) => row.clone(),
                _ => fields.iter().map(|field| default(field.data_type())).collect(),
            };
            let rows: Vec<Row> = values.iter().map(filled).collect();
            Arc::new(StructArray::new(fields.clone(), columns(fields, &rows), Some(nulls)))
        }
        _ => Arc::new(BinaryArray::from_iter(present!(values, Bytes))),
    }
}

fn list(item: &FieldRef, values: &[Value], nulls: NullBuffer) -> ArrayRef {
    let items = |value: &Value| if let Value::List(items) = value { items.clone() } else { vec![] };
    let offsets = OffsetBuffer::from_lengths(values.iter().map(|value| items(value).len()));
    let all: Vec<Value> = values.iter().flat_map(items).collect();
    let child = column(item.data_type(), &all);
    Arc::new(ListArray::new(Arc::clone(item), offsets, child, Some(nulls)))
}

fn default(data_type: &DataType) -> Value {
    match data_type {
        DataType::Boolean => Value::Bool(false),
        DataType::Float64 => Value::Float(0),
        DataType::Decimal128(..) => Value::Decimal(0),
        DataType::Utf8 => Value::Text(String::new()),
        DataType::Binary => Value::Bytes(vec![]),
        DataType::List(_) => Value::List(vec![]),
        DataType::Struct(fields) => {
            Value::Struct(fields.iter().map(|field| default(field.data_type())).collect())
        }
        _ => Value::Int(0),
    }
}

/// One value of a column.
pub fn value(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int32 => Value::Int(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Date32 => Value::Int(array.as_primitive::<Date32Type>().value(row).into()),
        DataType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::Timestamp(..) => {
            Value::Int(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(row).to_bits()),
        DataType::Decimal128(..) => {
            Value::Decimal(array.as_primitive::<Decimal128Type>().value(row))
        }
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Value::List((0..items.len()).map(|item| value(&items, item)).collect())
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns();
            Value::Struct(columns.iter().map(|column| value(column, row)).collect())
        }
        _ => Value::Bytes(array.as_binary::<i32>().value(row).to_vec()),
    }
}

/// All rows of columns.
pub fn rows(columns: &[ArrayRef], count: usize) -> Vec<Row> {
    (0..count).map(|row| columns.iter().map(|column| value(column, row)).collect()).collect()
}
