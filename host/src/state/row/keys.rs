//! Keys of a batch, encoded once for every read and write of their states.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;

use super::{RowWriter, key};
use crate::state::{StateError, StateSchema};

/// What names of hidden columns begin with: no column of a user has such a name.
pub const HIDDEN: char = '\u{0}';

/// Keys, each with its bytes and its key group, in the order in which they came.
#[derive(Clone, Debug)]
pub struct Keys {
    columns: RecordBatch,
    bytes: Vec<u8>,
    ends: Vec<u32>,
    groups: Vec<u32>,
}

impl Keys {
    /// Encodes key columns, for so many key groups. They must be of the types of the schema.
    pub fn new(schema: &StateSchema, groups: u32, keys: &[ArrayRef]) -> Result<Self, StateError> {
        let rows = keys.first().map_or(0, |column| column.len());
        let columns = rows_of(schema.key(), keys, rows)?;
        // Hidden columns tell the rows of a key apart; where they are kept is up to the key.
        let named = schema.key().fields().iter().zip(keys);
        let placing = named.filter(|(field, _)| !field.name().starts_with(HIDDEN));
        let placing: Vec<ArrayRef> = placing.map(|(_, column)| Arc::clone(column)).collect();
        let groups = key::key_groups(&placing, rows, groups)?;
        let fields = schema.key().fields().iter().map(|field| field.is_nullable());
        let writer = RowWriter::new(&keys.iter().zip(fields).collect::<Vec<_>>(), true);
        let mut bytes = Vec::with_capacity(rows * 16);
        let mut ends = Vec::with_capacity(rows);
        for row in 0..rows {
            writer.put(row, &mut bytes);
            ends.push(
                u32::try_from(bytes.len())
                    .map_err(|_| StateError::TooLarge { what: "the keys of one batch" })?,
            );
        }
        Ok(Self { columns, bytes, ends, groups })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The key columns.
    pub fn columns(&self) -> &RecordBatch {
        &self.columns
    }

    /// The key group of each.
    pub fn groups(&self) -> &[u32] {
        &self.groups
    }

    /// Some of them, in this order.
    pub fn select(&self, rows: &[u32]) -> Result<Self, StateError> {
        let columns = take_record_batch(&self.columns, &UInt32Array::from(rows.to_vec()))
            .map_err(|error| StateError::Columns { problem: error.to_string() })?;
        let (mut bytes, mut ends) = (Vec::with_capacity(rows.len() * 16), Vec::new());
        for row in rows {
            bytes.extend_from_slice(self.bytes(*row as usize));
            ends.push(bytes.len() as u32);
        }
        let groups = rows.iter().map(|row| self.groups[*row as usize]).collect();
        Ok(Self { columns, bytes, ends, groups })
    }

    /// Each key once, in the order in which they come first, and for every key here its place
    /// among those.
    pub fn distinct(&self) -> Result<(Self, Vec<u32>), StateError> {
        let mut places: HashMap<&[u8], u32> = HashMap::with_capacity(self.len());
        let (mut first, mut of) = (Vec::new(), Vec::with_capacity(self.len()));
        for row in 0..self.len() {
            of.push(match places.entry(self.bytes(row)) {
                Slot::Occupied(place) => *place.get(),
                Slot::Vacant(place) => {
                    let number = first.len() as u32;
                    first.push(row as u32);
                    *place.insert(number)
                }
            });
        }
        Ok((self.select(&first)?, of))
    }

    #[inline]
    pub(in crate::state) fn bytes(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start as usize..self.ends[row] as usize]
    }

    /// The rows by key group, and by place within a group. Neighbours then touch neighbouring
    /// memory.
    pub(in crate::state) fn by_group(&self) -> Vec<u32> {
        let most = self.groups.iter().max().map_or(0, |group| *group as usize + 1);
        let mut next = vec![0_u32; most + 1];
        for group in &self.groups {
            next[*group as usize + 1] += 1;
        }
        for group in 0..most {
            next[group + 1] += next[group];
        }
        let mut order = vec![0; self.groups.len()];
        for (row, group) in self.groups.iter().enumerate() {
            let place = &mut next[*group as usize];
            order[*place as usize] = row as u32;
            *place += 1;
        }
        order
    }
}

/// Columns as rows of a schema, or what does not fit.
pub(in crate::state) fn rows_of(
    schema: &SchemaRef,
    columns: &[ArrayRef],
    rows: usize,
) -> Result<RecordBatch, StateError> {
    let wrong = |problem: String| StateError::Columns { problem };
    if schema.fields().len() != columns.len() {
        let (want, got) = (schema.fields().len(), columns.len());
        return Err(wrong(format!("{got} columns were given, the schema has {want}")));
    }
    for (field, column) in schema.fields().iter().zip(columns) {
        if field.data_type() != column.data_type() {
            let (name, want, got) = (field.name(), field.data_type(), column.data_type());
            return Err(wrong(format!("column `{name}` is of type {got}, not {want}")));
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let (schema, columns) = (Arc::clone(schema), columns.to_vec());
    RecordBatch::try_new_with_options(schema, columns, &options)
        .map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, StringArray};
    use arrow::datatypes::{DataType, Field};

    use super::*;

    #[test]
    fn hidden_columns_do_not_move_a_key() {
        let field = |name: &str| Field::new(name, DataType::Utf8, true);
        let state = vec![Field::new("n", DataType::Int64, false)];
        let hidden = vec![field("k"), field("\0window")];
        let schema = StateSchema::new(1, hidden.into(), state.into()).unwrap();
        let column = |texts: [&str; 3]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
        let columns = [column(["a", "a", "b"]), column(["1", "2", "1"])];
        let keys = Keys::new(&schema, 256, &columns).unwrap();
        assert_eq!(keys.groups()[0], keys.groups()[1]);
        assert_eq!(keys.groups(), key::key_groups(&columns[..1], 3, 256).unwrap());
        assert_eq!(keys.distinct().unwrap().0.len(), 3);
    }

    #[test]
    fn equal_keys_are_one_and_stand_where_the_first_stood() {
        let key =
            vec![Field::new("k", DataType::Utf8, true), Field::new("f", DataType::Float64, true)];
        let state = vec![Field::new("n", DataType::Int64, false)];
        let schema = StateSchema::new(1, key.into(), state.into()).unwrap();
        let words = StringArray::from(vec![Some("b"), None, Some("b"), Some("a"), None]);
        let numbers = Float64Array::from(vec![0.0, f64::NAN, -0.0, 0.0, -f64::NAN]);
        let columns: Vec<ArrayRef> = vec![Arc::new(words), Arc::new(numbers)];
        let keys = Keys::new(&schema, 256, &columns).unwrap();
        let (distinct, of) = keys.distinct().unwrap();
        assert_eq!(of, [0, 1, 0, 2, 1]);
        assert_eq!(distinct.len(), 3);
        let again = Keys::new(&schema, 256, distinct.columns().columns()).unwrap();
        for row in 0..3 {
            assert_eq!(distinct.bytes(row), again.bytes(row));
        }
        assert_eq!(distinct.groups(), again.groups());
        let last = keys.select(&[3]).unwrap();
        assert_eq!((last.bytes(0), last.len()), (distinct.bytes(2), 1));
    }
}
