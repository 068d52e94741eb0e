//! Which lane a key belongs to: a stable hash over a documented encoding.
//!
//! Checkpoints depend on the hash, which [`state`](crate::state) has; the test vectors below hold
//! it.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_datafusion_err};

use crate::state;
pub use crate::state::KEY_GROUPS;

/// The partition of `partitions` that a key group belongs to.
pub fn partition_of(group: u32, partitions: usize) -> usize {
    group as usize * partitions / KEY_GROUPS as usize
}

/// The lowest key group of a partition.
pub fn lowest_group(partition: usize, partitions: usize) -> u32 {
    (partition * KEY_GROUPS as usize).div_ceil(partitions.max(1)) as u32
}

/// Whether values of a type can be keys of an op.
pub fn can_be_key(data_type: &DataType) -> bool {
    match data_type {
        DataType::Null | DataType::Boolean | DataType::Date32 | DataType::Timestamp(..) => true,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => true,
        DataType::Decimal128(..) => true,
        DataType::Dictionary(_, value) => can_be_key(value),
        other => other.is_integer() || other.is_floating(),
    }
}

/// The key group of every row.
pub fn key_groups(columns: &[ArrayRef], rows: usize) -> Result<Vec<u32>> {
    state::key_groups(columns, rows, KEY_GROUPS).map_err(|error| plan_datafusion_err!("{error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int32Array, Int64Array, LargeStringArray, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn groups(columns: &[ArrayRef]) -> Vec<u32> {
        key_groups(columns, columns[0].len()).unwrap()
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
