//! What one lane of an op reads and changes in a batch.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, RecordBatch, TimestampMicrosecondArray};

use super::part::{Part, PartRefV1, PartWriter, PlaceV1, part_name};
use super::row::{Keys, RowWriter, rows_of};
use super::view::{Prior, StateRows, View};
use super::{StateError, StateSchema};
use crate::id::{BatchId, NodeId};

/// The key groups of a lane with their state before the batch, and the changes of the batch. Reads
/// never see the changes; of two changes of a key the later one counts.
#[derive(Debug)]
pub struct Lane {
    view: View,
    batch: BatchId,
    groups: Range<u32>,
    changes: Vec<Changes>,
}

#[derive(Clone, Debug, Default)]
struct Changes {
    rows: u64,
    bytes: Vec<u8>,
}

/// The sealed changes of a lane.
#[derive(Clone, Debug)]
pub struct Staged {
    pub(super) op: NodeId,
    pub(super) groups: Range<u32>,
    pub(super) schema_id: u64,
    pub(super) delta: Part,
}

impl Lane {
    /// Begins a batch over a range of key groups.
    pub fn new(view: View, batch: BatchId, groups: Range<u32>) -> Self {
        let changes = vec![Changes::default(); groups.len()];
        Self { view, batch, groups, changes }
    }

    /// The same for a state that no store has: all of it is changed by the batch.
    pub fn beginning(view: View, batch: BatchId, groups: Range<u32>) -> Result<Self, StateError> {
        let mut lane = Self::new(view, batch, groups);
        for (group, changes) in lane.groups.clone().zip(&mut lane.changes) {
            let (rows, bytes) = lane.view.version.section(group)?;
            *changes = Changes { rows, bytes };
        }
        Ok(lane)
    }

    /// The columns.
    pub fn schema(&self) -> &StateSchema {
        self.view.schema()
    }

    /// Encodes keys, once for all that is done with them. All must belong to the lane.
    pub fn keys(&self, columns: &[ArrayRef]) -> Result<Keys, StateError> {
        let keys = self.view.keys(columns)?;
        match keys.groups().iter().find(|group| !self.groups.contains(group)) {
            None => Ok(keys),
            Some(group) => Err(other_lane(&self.groups, *group)),
        }
    }

    /// What is known of the keys, in their order.
    pub fn read(&self, keys: &Keys) -> Result<Prior, StateError> {
        self.view.read(keys)
    }

    /// The rows of the lane whose timers are up to a moment, by timer, key group and key.
    pub fn due(&self, until: i64) -> Result<StateRows, StateError> {
        self.view.due(self.groups.clone(), until)
    }

    /// The key groups of the lane.
    pub fn groups(&self) -> Range<u32> {
        self.groups.clone()
    }

    /// All rows of a key group of the lane.
    pub fn rows_of(&self, group: u32) -> Result<StateRows, StateError> {
        self.view.scan(group)
    }

    /// All rows of the lane, a key group at a time.
    pub fn scan(&self) -> impl Iterator<Item = Result<StateRows, StateError>> {
        self.groups.clone().map(|group| self.view.scan(group))
    }

    /// Gives each of the keys a new state, and a timer where `due` has one.
    pub fn upsert(
        &mut self,
        keys: &Keys,
        state: &RecordBatch,
        due: Option<&TimestampMicrosecondArray>,
    ) -> Result<(), StateError> {
        let schema = self.view.schema();
        let state = rows_of(schema.state(), state.columns(), state.num_rows())?;
        if state.num_rows() != keys.len() || due.is_some_and(|due| due.len() != keys.len()) {
            let problem = format!("{} keys, but {} states", keys.len(), state.num_rows());
            return Err(StateError::Columns { problem });
        }
        let nullable = schema.state().fields().iter().map(|field| field.is_nullable());
        let columns: Vec<(&ArrayRef, bool)> = state.columns().iter().zip(nullable).collect();
        let writer = RowWriter::new(&columns, false);
        let layout = schema.layout();
        let mut one = Vec::with_capacity(64);
        for (row, group) in keys.groups().iter().enumerate() {
            let changes = changes_of(&mut self.changes, &self.groups, *group)?;
            one.clear();
            writer.put(row, &mut one);
            let due = due.filter(|due| due.is_valid(row)).map(|due| due.value(row));
            layout.put_row(keys.bytes(row), &one, due, &mut changes.bytes);
            changes.rows += 1;
        }
        Ok(())
    }

    /// Takes the state of each of the keys away.
    pub fn remove(&mut self, keys: &Keys) -> Result<(), StateError> {
        let layout = self.view.schema().layout();
        for (row, group) in keys.groups().iter().enumerate() {
            let changes = changes_of(&mut self.changes, &self.groups, *group)?;
            layout.put_removal(keys.bytes(row), &mut changes.bytes);
            changes.rows += 1;
        }
        Ok(())
    }

    /// Ends the lane's part of the batch. What it changed is for [`super::StateStore::stage`].
    pub fn seal(self) -> Staged {
        let bytes = self.changes.iter().map(|changes| changes.bytes.len() + 16).sum();
        let mut part = PartWriter::new(self.view.about(self.batch), bytes);
        for (group, changes) in self.groups.clone().zip(&self.changes) {
            if changes.rows > 0 {
                part.put(group, changes.rows, &changes.bytes);
            }
        }
        let (op, schema_id) = (self.view.op().clone(), self.view.schema().id());
        Staged { op, groups: self.groups, schema_id, delta: part.seal() }
    }
}

fn changes_of<'a>(
    changes: &'a mut [Changes],
    groups: &Range<u32>,
    group: u32,
) -> Result<&'a mut Changes, StateError> {
    let place = group.checked_sub(groups.start);
    let changes = place.and_then(|place| changes.get_mut(place as usize));
    changes.ok_or_else(|| other_lane(groups, group))
}

fn other_lane(groups: &Range<u32>, group: u32) -> StateError {
    StateError::OtherLane { group, first: groups.start, last: groups.end.saturating_sub(1) }
}

impl Staged {
    /// The op.
    pub fn op(&self) -> &NodeId {
        &self.op
    }

    /// The first of the lane's key groups.
    pub fn first_group(&self) -> u32 {
        self.groups.start
    }

    /// Whether nothing was changed, so that there is nothing to write down.
    pub fn is_empty(&self) -> bool {
        self.delta.sections().is_empty()
    }

    /// The changes as they are to be written.
    pub fn delta(&self) -> &Part {
        &self.delta
    }

    /// How a commit record refers to the changes: with their bytes in it up to `inline_max` of
    /// them, by name otherwise. The attempt makes the name unique.
    pub fn refer(&self, attempt: &str, inline_max: usize) -> PartRefV1 {
        let place = match self.delta.bytes() {
            bytes if bytes.len() <= inline_max => PlaceV1::Inline(bytes.to_vec()),
            _ => PlaceV1::Blob(part_name(&self.delta, attempt)),
        };
        PartRefV1::new(&self.delta, place)
    }
}
