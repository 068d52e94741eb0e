//! Rows of state as bytes: in memory, in deltas and in snapshots alike.
//!
//! | part | bytes |
//! |---|---|
//! | mark | one: 1 = removal, 2 = has a timer, 0 = neither |
//! | length of the key | LEB128, only if the key's types have no fixed width |
//! | key | the key columns |
//! | length of the state | LEB128, only if the state's types have no fixed width |
//! | state | the state columns; none after a removal |
//! | timer | i64 little endian, microseconds; only with the mark |
//!
//! Columns, one after the other:
//!
//! | value | bytes |
//! |---|---|
//! | before the columns of a row or struct | a bit for each column that may be null, 1 = present |
//! | bool | 0 or 1 |
//! | int32, date · int64, timestamp, float64 · decimal | 4 · 8 · 16, little endian |
//! | string, binary | length as LEB128, bytes |
//! | list | count as LEB128, a bit for each item if items may be null, the items |
//! | struct | as a row |
//! | null | as many bytes as a zero or an empty value takes |
//!
//! In keys −0 is +0 and every NaN is one NaN, so that equal keys are equal bytes. The bytes of a
//! key also are its place among the keys of a group: they do not depend on what happened before,
//! as the order of insertion would after a removal, a restore or in another store.

mod cursor;
mod decode;
mod encode;
mod key;
mod keys;

pub(super) use cursor::{Cursor, Malformed, put_number};
pub(super) use decode::RowReader;
pub(super) use encode::{RowWriter, same_float};
pub use key::key_groups;
pub use keys::Keys;
pub(super) use keys::rows_of;

use arrow::datatypes::{DataType, Fields};

/// The row says that its key has no state any more.
pub(super) const REMOVED: u8 = 1;
/// The row has a timer.
pub(super) const TIMED: u8 = 2;

/// How many bytes keys and states take, where that is the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    key: Option<usize>,
    state: Option<usize>,
}

/// One row, or a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub mark: u8,
    pub key: &'a [u8],
    pub state: &'a [u8],
    pub due: Option<i64>,
    /// All bytes of the row.
    pub bytes: &'a [u8],
}

impl Layout {
    /// The layout of rows with these columns.
    pub fn new(key: &Fields, state: &Fields) -> Self {
        Self { key: width_of(key), state: width_of(state) }
    }

    /// Reads the row at the place.
    #[inline]
    pub fn entry<'a>(&self, cursor: &mut Cursor<'a>) -> Result<Entry<'a>, Malformed> {
        let all = cursor.rest();
        let mark = cursor.byte()?;
        let key = part(self.key, cursor)?;
        let (mut state, mut due) = (&all[..0], None);
        if mark & REMOVED == 0 {
            state = part(self.state, cursor)?;
            if mark & TIMED != 0 {
                due = Some(i64::from_le_bytes(cursor.array()?));
            }
        }
        let bytes = &all[..all.len() - cursor.rest().len()];
        Ok(Entry { mark, key, state, due, bytes })
    }

    /// Reads the key of the row that begins these bytes.
    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
        let mut cursor = Cursor::new(bytes);
        cursor.byte()?;
        part(self.key, &mut cursor)
    }

    /// Appends a removal.
    pub fn put_removal(&self, key: &[u8], out: &mut Vec<u8>) {
        out.push(REMOVED);
        put_part(self.key, key, out);
    }

    /// Appends a row.
    #[inline]
    pub fn put_row(&self, key: &[u8], state: &[u8], due: Option<i64>, out: &mut Vec<u8>) {
        out.push(if due.is_some() { TIMED } else { 0 });
        put_part(self.key, key, out);
        put_part(self.state, state, out);
        if let Some(due) = due {
            out.extend_from_slice(&due.to_le_bytes());
        }
    }
}

#[inline]
fn part<'a>(width: Option<usize>, cursor: &mut Cursor<'a>) -> Result<&'a [u8], Malformed> {
    let length = match width {
        Some(width) => width,
        None => cursor.length()?,
    };
    cursor.take(length)
}

#[inline]
fn put_part(width: Option<usize>, bytes: &[u8], out: &mut Vec<u8>) {
    if width.is_none() {
        put_number(bytes.len() as u64, out);
    }
    out.extend_from_slice(bytes);
}

fn width_of(fields: &Fields) -> Option<usize> {
    let bits = fields.iter().filter(|field| field.is_nullable()).count();
    fields.iter().try_fold(bits.div_ceil(8), |sum, field| {
        let width = match field.data_type() {
            DataType::Boolean => 1,
            DataType::Int32 | DataType::Date32 => 4,
            DataType::Int64 | DataType::Float64 | DataType::Timestamp(..) => 8,
            DataType::Decimal128(..) => 16,
            DataType::Struct(fields) => width_of(fields)?,
            _ => return None,
        };
        Some(sum + width)
    })
}
