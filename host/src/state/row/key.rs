//! Which key group a key belongs to: a stable hash over a documented encoding.
//!
//! The group of a key is xxh3-64 with seed 0 over the encodings of its columns, one after the
//! other, modulo the number of groups. Checkpoints depend on it, so neither may ever change; the
//! test vectors below hold them.
//!
//! | value | encoding |
//! |---|---|
//! | null | 0 |
//! | bool | 1, then 0 or 1 |
//! | integers of every width | 2, then the value as i64 little endian |
//! | floats | 3, then f64 little endian; −0 is +0, every NaN is one NaN |
//! | string | 4, then the length as u64 little endian, then UTF-8 |
//! | binary | 5, then the length as u64 little endian, then the bytes |
//! | date | 6, then days as i64 little endian |
//! | timestamp | 7, then microseconds as i64 little endian |
//! | decimal | 8, then the unscaled i128 little endian, then the scale as one byte |
//! | list | 9, then the count as u64 little endian, then the items |
//! | struct | 10, then the fields |
//!
//! Integers of all widths and decimals of all precisions agree, so that a column may be widened
//! without moving its keys.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    Float64Array, Int64Array, ListArray, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use xxhash_rust::xxh3::xxh3_64;

use super::same_float;
use crate::state::StateError;
use crate::types;

/// One column of keys, ready to be encoded row by row.
enum KeyColumn {
    Bool(BooleanArray),
    Int(Int64Array),
    Float(Float64Array),
    Text(StringArray),
    Bytes(BinaryArray),
    Date(Date32Array),
    Time(TimestampMicrosecondArray),
    Decimal(Decimal128Array, u8),
    List(ListArray, Box<KeyColumn>),
    Struct(StructArray, Vec<KeyColumn>),
}

/// The type that a key column is cast to before it is encoded.
fn encoded_as(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::Null | DataType::Boolean => DataType::Boolean,
        other if other.is_integer() => DataType::Int64,
        other if other.is_floating() => DataType::Float64,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, value) => encoded_as(value)?,
        DataType::Date32 => DataType::Date32,
        DataType::Timestamp(..) => types::timestamp(),
        DataType::Decimal128(..) | DataType::List(_) | DataType::Struct(_) => data_type.clone(),
        _ => return None,
    })
}

impl KeyColumn {
    fn new(column: &ArrayRef) -> Result<Self, StateError> {
        let refused = || StateError::KeyType { data_type: column.data_type().to_string() };
        let target = encoded_as(column.data_type()).ok_or_else(refused)?;
        if let DataType::List(_) = target {
            let list = column.as_list::<i32>().clone();
            let items = Self::new(list.values())?;
            return Ok(Self::List(list, Box::new(items)));
        }
        if let DataType::Struct(_) = target {
            let fields = column.as_struct().clone();
            let columns = fields.columns().iter().map(Self::new).collect::<Result<_, _>>()?;
            return Ok(Self::Struct(fields, columns));
        }
        let data = cast(column, &target).map_err(|_| refused())?.to_data();
        Ok(match target {
            DataType::Boolean => Self::Bool(data.into()),
            DataType::Int64 => Self::Int(data.into()),
            DataType::Float64 => Self::Float(data.into()),
            DataType::Utf8 => Self::Text(data.into()),
            DataType::Binary => Self::Bytes(data.into()),
            DataType::Date32 => Self::Date(data.into()),
            DataType::Decimal128(_, scale) => Self::Decimal(data.into(), scale as u8),
            _ => Self::Time(data.into()),
        })
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Bool(column) => column.is_null(row),
            Self::Int(column) => column.is_null(row),
            Self::Float(column) => column.is_null(row),
            Self::Text(column) => column.is_null(row),
            Self::Bytes(column) => column.is_null(row),
            Self::Date(column) => column.is_null(row),
            Self::Time(column) => column.is_null(row),
            Self::Decimal(column, _) => column.is_null(row),
            Self::List(column, _) => column.is_null(row),
            Self::Struct(column, _) => column.is_null(row),
        }
    }

    fn encode(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.push(0);
            return;
        }
        match self {
            Self::Bool(column) => out.extend([1, u8::from(column.value(row))]),
            Self::Int(column) => number(2, column.value(row), out),
            Self::Float(column) => {
                out.push(3);
                out.extend(same_float(column.value(row)).to_le_bytes());
            }
            Self::Text(column) => bytes(4, column.value(row).as_bytes(), out),
            Self::Bytes(column) => bytes(5, column.value(row), out),
            Self::Date(column) => number(6, i64::from(column.value(row)), out),
            Self::Time(column) => number(7, column.value(row), out),
            Self::Decimal(column, scale) => {
                out.push(8);
                out.extend(column.value(row).to_le_bytes());
                out.push(*scale);
            }
            Self::List(column, items) => {
                let places = column.value_offsets();
                let (start, end) = (places[row] as usize, places[row + 1] as usize);
                number(9, (end - start) as i64, out);
                (start..end).for_each(|item| items.encode(item, out));
            }
            Self::Struct(_, columns) => {
                out.push(10);
                columns.iter().for_each(|column| column.encode(row, out));
            }
        }
    }
}

#[inline]
fn number(tag: u8, value: i64, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&value.to_le_bytes());
}

fn bytes(tag: u8, value: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    out.extend_from_slice(value);
}

/// The key group of every row, of so many groups. Columns may be of any type that can be cast to
/// one that is encoded.
pub fn key_groups(columns: &[ArrayRef], rows: usize, groups: u32) -> Result<Vec<u32>, StateError> {
    let columns: Vec<KeyColumn> = columns.iter().map(KeyColumn::new).collect::<Result<_, _>>()?;
    let mut key = Vec::with_capacity(64);
    Ok((0..rows)
        .map(|row| {
            key.clear();
            for column in &columns {
                column.encode(row, &mut key);
            }
            (xxh3_64(&key) % u64::from(groups)) as u32
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, LargeStringArray};
    use arrow::datatypes::{Field, Int64Type};

    use super::*;

    fn groups(columns: &[ArrayRef]) -> Vec<u32> {
        key_groups(columns, columns[0].len(), 256).unwrap()
    }

    #[test]
    fn test_vectors_hold() {
        let words =
            Arc::new(StringArray::from(vec![Some("a"), Some("the"), Some("żółw"), Some(""), None]));
        let numbers =
            Arc::new(Int64Array::from(vec![Some(0), Some(1), Some(-1), Some(i64::MAX), None]));
        let words: ArrayRef = words;
        let numbers: ArrayRef = numbers;
        assert_eq!(groups(std::slice::from_ref(&words)), [4, 45, 247, 198, 219]);
        assert_eq!(groups(std::slice::from_ref(&numbers)), [231, 23, 101, 219, 219]);
        assert_eq!(groups(&[words, numbers]), [180, 19, 119, 224, 5]);
    }

    #[test]
    fn lists_and_structs_are_encoded_as_documented() {
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some(1), None]),
            Some(vec![]),
            None,
        ]);
        let list = KeyColumn::new(&(Arc::new(lists) as _)).unwrap();
        let mut out = Vec::new();
        list.encode(0, &mut out);
        assert_eq!(out, [9, 2, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.clear();
        (1..3).for_each(|row| list.encode(row, &mut out));
        assert_eq!(out, [9, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let field = Arc::new(Field::new("a", DataType::Utf8, true));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
        let fields = KeyColumn::new(&(Arc::new(StructArray::from(vec![(field, texts)])) as _));
        out.clear();
        fields.unwrap().encode(0, &mut out);
        assert_eq!(out, [10, 4, 1, 0, 0, 0, 0, 0, 0, 0, b'x']);
    }

    #[test]
    fn widening_and_zero_and_nan_do_not_move_a_key() {
        let narrow = Arc::new(Int32Array::from(vec![1, -7]));
        let wide = Arc::new(Int64Array::from(vec![1, -7]));
        assert_eq!(groups(&[narrow]), groups(&[wide]));
        let text = Arc::new(StringArray::from(vec!["x"]));
        let large = Arc::new(LargeStringArray::from(vec!["x"]));
        assert_eq!(groups(&[text]), groups(&[large]));
        let odd = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN]));
        let got = groups(&[odd]);
        assert_eq!((got[0], got[2]), (got[1], got[3]));
    }
}
