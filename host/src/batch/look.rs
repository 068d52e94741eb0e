//! The states of a job as its checkpoint has them: read, while the job runs or not.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::ledger::LedgerError;
use super::parts::{self, StoreBlobs};
use crate::checkpoint::{self, CheckpointError, Refusal};
use crate::durable::Store;
use crate::id::{BatchId, NodeId};
use crate::state::{Live, MemoryStore, Size, StateRows, StateStore, View, restore};

/// The column of the moments at which keys are looked at again, beside those of keys and states.
const TIMER: &str = "_due";

/// The states of all ops after a batch.
pub struct Look {
    /// The batch.
    pub batch: BatchId,
    store: MemoryStore,
}

/// Why states can't be read.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The checkpoint, or a piece of a state.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A file that a state needs is gone.
    #[error("{0}")]
    Lost(Box<Refusal>),
}

impl From<CheckpointError> for LookError {
    fn from(error: CheckpointError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<crate::state::StateError> for LookError {
    fn from(error: crate::state::StateError) -> Self {
        Self::Ledger(error.into())
    }
}

impl Look {
    /// Reads the states after a batch, or after the last one. None if there is no checkpoint.
    pub fn at(
        store: Arc<dyn Store>,
        batch: Option<u64>,
        threads: usize,
    ) -> Result<Option<Self>, LookError> {
        let Some((identity, mut history)) = checkpoint::look(&*store)? else { return Ok(None) };
        let last = history.last();
        if let Some(batch) = batch.filter(|batch| !history.rewind(*batch)) {
            let first = history.done.first().map_or(0, |done| done.commit.batch);
            return Err(CheckpointError::NoStart { from: batch, first, last }.into());
        }
        let batch = history.last();
        let way = checkpoint::way(&history.done, history.cut_off, batch, &BTreeSet::new());
        let steps = way.map_err(|lost| {
            let file = lost.file.unwrap_or_else(|| "an older piece".to_owned());
            LookError::Lost(Box::new(Refusal::StateLost { op: lost.op, batch, file }))
        })?;
        let states = MemoryStore::new(identity.key_groups, threads);
        let blobs = StoreBlobs(store);
        for (op, refs) in parts::parts(&steps, identity.key_groups)? {
            let mut live = Live::new(&op, identity.key_groups);
            live.apply(&refs)?;
            restore(&states, &live, &blobs, threads)?;
        }
        Ok(Some(Self { batch: BatchId(batch), store: states }))
    }

    /// The ops, and the sources of files, that keep something.
    pub fn ops(&self) -> Vec<NodeId> {
        let shown = |op: &NodeId| !op.as_str().starts_with('\u{0}');
        self.store.ops().into_iter().filter(shown).collect()
    }

    /// How large a state is.
    pub fn size(&self, op: &NodeId) -> Result<Size, LookError> {
        Ok(self.store.view(op)?.size())
    }

    /// The columns of its keys.
    pub fn key(&self, op: &NodeId) -> Result<Vec<String>, LookError> {
        let view = self.store.view(op)?;
        let fields = view.schema().key().fields().iter();
        Ok(fields.map(|field| field.name().clone()).collect())
    }

    /// All rows of a state: key columns, state columns, and when the key is due.
    pub fn rows(&self, op: &NodeId) -> Result<Vec<RecordBatch>, LookError> {
        let view = self.store.view(op)?;
        let schema = schema(&view);
        let mut all = Vec::new();
        for group in 0..self.store.groups() {
            let rows = view.scan(group)?;
            if rows.keys.num_rows() > 0 {
                all.push(joined(&schema, &rows)?);
            }
        }
        if all.is_empty() {
            all.push(RecordBatch::new_empty(schema));
        }
        Ok(all)
    }
}

/// Hidden columns have names that no function can give.
fn is_hidden(field: &Field) -> bool {
    field.name().starts_with('\0')
}

fn schema(view: &View) -> SchemaRef {
    let due = Arc::new(Field::new(TIMER, crate::types::timestamp(), true));
    let schema = view.schema();
    let fields = schema.key().fields().iter().chain(schema.state().fields());
    let known = fields.filter(|field| !is_hidden(field)).map(Arc::clone);
    Arc::new(Schema::new(known.chain([due]).collect::<Vec<_>>()))
}

fn joined(schema: &SchemaRef, rows: &StateRows) -> Result<RecordBatch, LookError> {
    let due: ArrayRef = Arc::new(rows.due.clone());
    let of_state = rows.state.schema();
    let known = of_state.fields().iter().zip(rows.state.columns());
    let known = known.filter(|(field, _)| !is_hidden(field)).map(|(_, column)| column);
    let columns = rows.keys.columns().iter().chain(known).cloned().chain([due]);
    let joined = RecordBatch::try_new(Arc::clone(schema), columns.collect());
    let problem = |error: arrow::error::ArrowError| crate::state::StateError::Columns {
        problem: error.to_string(),
    };
    Ok(joined.map_err(problem)?)
}
