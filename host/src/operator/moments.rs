//! The hidden column of an updater's states: when a state was set, and its timer.
//!
//! | bytes | say |
//! |---|---|
//! | none, null | the op had no `ttl` when it was written: the store's timer is the function's |
//! | 8 | when the state was set, i64 little endian, microseconds; the function has no timer |
//! | 16 | the same, and the function's timer |
//!
//! Every updater has the column, so that `ttl` may come, go and change while a job goes on.

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, internal_datafusion_err};

/// Its name. No column of a function can have such a one.
pub const HIDDEN: &str = "\u{0}times";

/// The moments of a state that has an end, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moments {
    /// When it was set.
    pub set: i64,
    /// The function's timer.
    pub timer: Option<i64>,
}

/// The column's field.
pub fn field() -> Field {
    Field::new(HIDDEN, DataType::Binary, true)
}

/// Moments as the column.
pub fn column(times: impl Iterator<Item = Option<Moments>>) -> ArrayRef {
    let mut column = BinaryBuilder::new();
    for times in times {
        match times {
            None => column.append_null(),
            Some(Moments { set, timer: None }) => column.append_value(set.to_le_bytes()),
            Some(Moments { set, timer: Some(timer) }) => {
                column.append_value([set.to_le_bytes(), timer.to_le_bytes()].concat());
            }
        }
    }
    std::sync::Arc::new(column.finish())
}

/// The moments of a row of the column.
pub fn of(column: &BinaryArray, row: usize) -> Result<Option<Moments>> {
    if column.is_null(row) {
        return Ok(None);
    }
    let moment = |bytes: &[u8]| bytes.try_into().map(i64::from_le_bytes).ok();
    let bytes = column.value(row);
    let times = match bytes.len() {
        8 => moment(bytes).map(|set| Moments { set, timer: None }),
        16 => moment(&bytes[..8]).map(|set| Moments { set, timer: moment(&bytes[8..]) }),
        _ => None,
    };
    let wrong = || internal_datafusion_err!("the moments of a state have {} bytes", bytes.len());
    times.map(Some).ok_or_else(wrong)
}

/// The column among those of a state.
pub fn from(column: &ArrayRef) -> Result<&BinaryArray> {
    let binary = column.as_binary_opt::<i32>();
    binary.ok_or_else(|| internal_datafusion_err!("a hidden column of a state has no moments"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_back() {
        let all = [
            None,
            Some(Moments { set: -1, timer: None }),
            Some(Moments { set: i64::MAX, timer: Some(i64::MIN) }),
        ];
        let column = column(all.into_iter());
        let column = from(&column).unwrap();
        for (row, times) in all.into_iter().enumerate() {
            assert_eq!(of(column, row).unwrap(), times);
        }
        assert!(of(&BinaryArray::from(vec![&b"odd"[..]]), 0).is_err());
    }
}
