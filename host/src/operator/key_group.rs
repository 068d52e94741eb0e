//! Which lane a key belongs to: a stable hash over a documented encoding.
//!
//! The group of a key is xxh3-64 with seed 0 over the encodings of its columns, one after the
//! other, modulo 256. Checkpoints depend on it, so neither may ever change; the test vectors below
//! hold them.
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
//!
//! Integers of all widths and decimals of all precisions agree, so that a column may be widened
//! without moving its keys. Lists and structs are not keys.

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array,
    Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use xxhash_rust::xxh3::xxh3_64;

use crate::types;

/// Key groups of a job.
pub const KEY_GROUPS: u32 = 256;

/// The partition of `partitions` that a key group belongs to.
pub fn partition_of(group: u32, partitions: usize) -> usize {
    group as usize * partitions / KEY_GROUPS as usize
}

/// The lowest key group of a partition.
pub fn lowest_group(partition: usize, partitions: usize) -> u32 {
    (partition * KEY_GROUPS as usize).div_ceil(partitions.max(1)) as u32
}

/// Whether values of a type can be keys.
pub fn can_be_key(data_type: &DataType) -> bool {
    encoded_as(data_type).is_some()
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
        DataType::Decimal128(..) => data_type.clone(),
        _ => return None,
    })
}

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
}

impl KeyColumn {
    fn new(column: &ArrayRef) -> Result<Self> {
        let Some(target) = encoded_as(column.data_type()) else {
            return plan_err!("a column of type {} can't be a key", column.data_type());
        };
        let data = cast(column, &target)?.to_data();
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
                let value = column.value(row);
                let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
                out.push(3);
                out.extend(value.to_le_bytes());
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
        }
    }
}

fn number(tag: u8, value: i64, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend(value.to_le_bytes());
}

fn bytes(tag: u8, value: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend((value.len() as u64).to_le_bytes());
    out.extend(value);
}

/// The key group of every row.
pub fn key_groups(columns: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
    let columns: Vec<KeyColumn> = columns.iter().map(KeyColumn::new).collect::<Result<_>>()?;
    let mut key = Vec::with_capacity(64);
    Ok((0..rows)
        .map(|row| {
            key.clear();
            for column in &columns {
                column.encode(row, &mut key);
            }
            (xxh3_64(&key) % u64::from(KEY_GROUPS)) as u32
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, LargeStringArray};
    use proptest::prelude::*;

    use super::*;

    fn groups(columns: &[ArrayRef]) -> Vec<u32> {
        key_groups(columns, columns[0].len()).unwrap()
    }

    #[test]
    fn the_encoding_is_the_documented_one() {
        let text =
            KeyColumn::new(&(Arc::new(StringArray::from(vec![Some("ab"), None])) as _)).unwrap();
        let mut out = Vec::new();
        text.encode(0, &mut out);
        assert_eq!(out, [4, 2, 0, 0, 0, 0, 0, 0, 0, b'a', b'b']);
        out.clear();
        text.encode(1, &mut out);
        assert_eq!(out, [0]);
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

    proptest! {
        #[test]
        fn every_group_has_one_partition_and_partitions_are_ranges(partitions in 1_usize..=256) {
            let places: Vec<usize> =
                (0..KEY_GROUPS).map(|group| partition_of(group, partitions)).collect();
            prop_assert!(places.windows(2).all(|pair| pair[0] <= pair[1]));
            for partition in 0..partitions {
                let lowest = places.iter().position(|place| *place == partition).unwrap();
                prop_assert_eq!(lowest as u32, lowest_group(partition, partitions));
            }
        }
    }
}
