//! States that an op begins with.

use arrow::array::{RecordBatch, TimestampMicrosecondArray};

use super::{Keys, Lane, MemoryStore, StateError, StateSchema, StateStore, View};
use crate::id::{BatchId, NodeId};

/// A state that no store has: what an op begins with in a batch. [`Lane::beginning`] makes all of
/// it a change of the batch.
pub fn begin(
    op: &NodeId,
    schema: &StateSchema,
    batch: BatchId,
    (keys, states, due): (&Keys, &RecordBatch, &TimestampMicrosecondArray),
    groups: u32,
) -> Result<View, StateError> {
    let store = MemoryStore::new(groups, 1);
    store.open(op, schema)?;
    let before = store.view(op)?;
    let mut lane = Lane::new(before.clone(), BatchId(1), 0..groups);
    lane.upsert(keys, states, Some(due))?;
    store.stage(BatchId(1), lane.seal())?;
    store.commit(BatchId(1))?;
    Ok(View { batch: BatchId(batch.0.saturating_sub(1)), announced: false, ..store.view(op)? })
}
