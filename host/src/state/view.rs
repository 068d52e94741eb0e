//! The state of an op after a batch, as it stays while later batches change it.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StructArray, TimestampMicrosecondArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Fields, SchemaRef};

use super::part::{About, Part, PartKindV1, PartWriter};
use super::row::{Cursor, Entry, Keys, Malformed, RowReader};
use super::{StateError, StateSchema};
use crate::id::{BatchId, NodeId};
use crate::types;

/// The rows of an op after a batch, in whatever store.
pub(super) trait Version: Send + Sync {
    /// Looks up some of the keys, which all are of one group.
    fn find(
        &self,
        group: u32,
        keys: &Keys,
        rows: &[u32],
        found: &mut Found,
    ) -> Result<(), StateError>;

    /// The rows of a group whose timers are due.
    fn due(&self, group: u32, until: i64, take: &mut Take<'_>) -> Result<(), StateError>;

    /// The rows of a group by key.
    fn scan(&self, group: u32, take: &mut Take<'_>) -> Result<(), StateError>;

    /// All rows of a group as they are in a snapshot, and how many there are.
    fn section(&self, group: u32) -> Result<(u64, Vec<u8>), StateError>;

    /// How much there is in a group.
    fn size(&self, group: u32) -> Size;

    /// The same for some groups only, so that the others may change without being copied.
    fn narrow(&self, groups: &[u32]) -> Arc<dyn Version>;
}

/// Takes rows.
pub(super) type Take<'a> = dyn FnMut(Entry<'_>) -> Result<(), StateError> + 'a;

/// How large a state is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// How many keys have a state.
    pub keys: u64,
    /// The bytes of their rows, as a snapshot has them.
    pub bytes: u64,
    /// The bytes of memory that the store takes for them.
    pub memory: u64,
}

impl std::ops::AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        self.keys += other.keys;
        self.bytes += other.bytes;
        self.memory += other.memory;
    }
}

/// States that were found, each as bytes.
#[derive(Debug)]
pub(super) struct Found {
    bytes: Vec<u8>,
    places: Vec<Option<Place>>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    due: Option<i64>,
}

impl Found {
    fn new(rows: usize) -> Self {
        Self { bytes: Vec::with_capacity(rows * 16), places: vec![None; rows] }
    }

    #[inline]
    pub fn put(&mut self, row: u32, state: &[u8], due: Option<i64>) {
        self.places[row as usize] = Some(Place { start: self.bytes.len(), due });
        self.bytes.extend_from_slice(state);
    }
}

/// What is known of keys before a batch, in their order.
#[derive(Clone, Debug)]
pub struct Prior {
    /// The state columns of each key; null where it has no state.
    pub state: StructArray,
    /// The timer of each key; null where it has none.
    pub due: TimestampMicrosecondArray,
}

/// Rows of a state.
#[derive(Clone, Debug)]
pub struct StateRows {
    /// The key columns.
    pub keys: RecordBatch,
    /// The state columns.
    pub state: RecordBatch,
    /// The timers; null where there is none.
    pub due: TimestampMicrosecondArray,
}

/// The state of an op after a batch.
#[derive(Clone)]
pub struct View {
    pub(super) op: NodeId,
    pub(super) schema: Arc<StateSchema>,
    pub(super) groups: u32,
    pub(super) batch: BatchId,
    /// Whether some part has the schema.
    pub(super) announced: bool,
    pub(super) version: Arc<dyn Version>,
}

impl View {
    /// The op.
    pub fn op(&self) -> &NodeId {
        &self.op
    }

    /// The columns.
    pub fn schema(&self) -> &Arc<StateSchema> {
        &self.schema
    }

    /// How many key groups there are.
    pub fn groups(&self) -> u32 {
        self.groups
    }

    /// The batch after which this is the state.
    pub fn batch(&self) -> BatchId {
        self.batch
    }

    /// Encodes keys.
    pub fn keys(&self, columns: &[ArrayRef]) -> Result<Keys, StateError> {
        Keys::new(&self.schema, self.groups, columns)
    }

    /// What is known of keys, in their order.
    pub fn read(&self, keys: &Keys) -> Result<Prior, StateError> {
        let mut found = Found::new(keys.len());
        let order = keys.by_group();
        let group_of = |row: &u32| keys.groups()[*row as usize];
        for rows in order.chunk_by(|one, other| group_of(one) == group_of(other)) {
            self.version.find(group_of(&rows[0]), keys, rows, &mut found)?;
        }
        self.decode(&found).map_err(|problem| self.damaged(problem))
    }

    fn decode(&self, found: &Found) -> Result<Prior, Malformed> {
        let fields = self.schema.state().fields();
        let mut reader = RowReader::new(fields, found.places.len());
        for place in &found.places {
            match place {
                Some(place) => reader.take(&mut Cursor::new(&found.bytes[place.start..]))?,
                None => reader.take_nothing(),
            }
        }
        let nulls = NullBuffer::from_iter(found.places.iter().map(Option::is_some));
        let due = found.places.iter().map(|place| place.and_then(|place| place.due));
        let state = match fields.is_empty() {
            true => StructArray::new_empty_fields(found.places.len(), Some(nulls)),
            false => StructArray::try_new(fields.clone(), reader.finish()?, Some(nulls))
                .map_err(|_| Malformed("a state is not of the schema's types"))?,
        };
        Ok(Prior { state, due: due_column(due) })
    }

    /// The rows of some key groups whose timers are up to a moment, by timer, key group and key.
    pub fn due(
        &self,
        groups: impl IntoIterator<Item = u32>,
        until: i64,
    ) -> Result<StateRows, StateError> {
        let mut rows = Vec::new();
        for group in groups {
            self.version.due(group, until, &mut |entry| {
                rows.push((entry.due, group, entry.key.to_vec(), entry.bytes.to_vec()));
                Ok(())
            })?;
        }
        rows.sort_unstable();
        let mut builder = RowsBuilder::new(&self.schema);
        let layout = self.schema.layout();
        for (_, _, _, bytes) in &rows {
            let entry = layout.entry(&mut Cursor::new(bytes));
            entry.and_then(|entry| builder.take(&entry)).map_err(|error| self.damaged(error))?;
        }
        builder.finish().map_err(|error| self.damaged(error))
    }

    /// All rows of a key group, by the bytes of their keys.
    pub fn scan(&self, group: u32) -> Result<StateRows, StateError> {
        let mut builder = RowsBuilder::new(&self.schema);
        self.version
            .scan(group, &mut |entry| builder.take(&entry).map_err(|error| self.damaged(error)))?;
        builder.finish().map_err(|error| self.damaged(error))
    }

    /// How large the state is, of all key groups.
    pub fn size(&self) -> Size {
        let mut sum = Size::default();
        (0..self.groups).for_each(|group| sum += self.version.size(group));
        sum
    }

    /// The bytes of the rows of each key group.
    pub fn sizes(&self) -> Vec<u64> {
        (0..self.groups).map(|group| self.version.size(group).bytes).collect()
    }

    /// All rows of some key groups, ascending, as one part.
    pub fn snapshot(&self, groups: &[u32]) -> Result<Part, StateError> {
        let bytes = groups.iter().map(|group| self.version.size(*group).bytes as usize + 16).sum();
        let about = About { kind: PartKindV1::Snapshot, announce: true, ..self.about(self.batch) };
        let mut part = PartWriter::new(about, bytes);
        for group in groups {
            let (rows, bytes) = self.version.section(*group)?;
            part.put(*group, rows, &bytes);
        }
        Ok(part.seal())
    }

    /// The same for some key groups only. The store then need not keep the others as they are.
    pub fn narrow(&self, groups: &[u32]) -> Self {
        Self { version: self.version.narrow(groups), ..self.clone() }
    }

    pub(super) fn about(&self, batch: BatchId) -> About<'_> {
        About {
            kind: PartKindV1::Delta,
            op: &self.op,
            groups: self.groups,
            batches: (batch, batch),
            schema: &self.schema,
            announce: !self.announced,
        }
    }

    fn damaged(&self, problem: Malformed) -> StateError {
        StateError::damaged(&format!("state of op {}", self.op), problem)
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "View of op {} after batch {}", self.op, self.batch)
    }
}

struct RowsBuilder<'a> {
    schema: &'a StateSchema,
    keys: RowReader,
    state: RowReader,
    due: Vec<Option<i64>>,
}

impl<'a> RowsBuilder<'a> {
    fn new(schema: &'a StateSchema) -> Self {
        let reader = |fields: &Fields| RowReader::new(fields, 0);
        let [keys, state] = [schema.key(), schema.state()].map(|part| reader(part.fields()));
        Self { schema, keys, state, due: Vec::new() }
    }

    fn take(&mut self, entry: &Entry<'_>) -> Result<(), Malformed> {
        self.keys.take(&mut Cursor::new(entry.key))?;
        self.state.take(&mut Cursor::new(entry.state))?;
        self.due.push(entry.due);
        Ok(())
    }

    fn finish(self) -> Result<StateRows, Malformed> {
        let rows = self.due.len();
        Ok(StateRows {
            keys: batch_of(self.schema.key(), self.keys, rows)?,
            state: batch_of(self.schema.state(), self.state, rows)?,
            due: due_column(self.due.into_iter()),
        })
    }
}

fn batch_of(schema: &SchemaRef, reader: RowReader, rows: usize) -> Result<RecordBatch, Malformed> {
    super::row::rows_of(schema, &reader.finish()?, rows)
        .map_err(|_| Malformed("its values are not of the schema's types"))
}

fn due_column(due: impl Iterator<Item = Option<i64>>) -> TimestampMicrosecondArray {
    TimestampMicrosecondArray::from_iter(due).with_timezone(types::UTC)
}

/// The rows of a group by the bytes of their keys.
pub(super) fn by_key<'a>(entries: impl Iterator<Item = Entry<'a>>) -> Vec<Entry<'a>> {
    let mut entries: Vec<(u64, Entry<'a>)> =
        entries.map(|entry| (first_bytes(entry.key), entry)).collect();
    entries.sort_unstable_by(|(a, one), (b, other)| a.cmp(b).then_with(|| one.key.cmp(other.key)));
    entries.into_iter().map(|(_, entry)| entry).collect()
}

/// The first bytes of a key, so that most comparisons are of two numbers.
fn first_bytes(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    let length = key.len().min(8);
    first[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(first)
}
