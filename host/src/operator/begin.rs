//! What an op keeps, and the states that it begins with.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Schema, SchemaRef};

use super::moments::HIDDEN;
use super::settle::Settling;
use super::update::Keeping;
use crate::clock::Micros;
use crate::id::{BatchId, NodeId};
use crate::state::{Keys, StateError, StateSchema, View, begin};

/// The state that an op of a plan keeps.
#[derive(Clone, Debug)]
pub struct OpState {
    /// The op.
    pub op: NodeId,
    /// Its columns.
    pub schema: StateSchema,
    /// How states are kept.
    pub keeping: Keeping,
}

impl OpState {
    /// The columns of the state that the function knows.
    pub fn function(&self) -> SchemaRef {
        let fields = self.schema.state().fields().iter();
        let known = fields.filter(|field| field.name() != HIDDEN);
        Arc::new(Schema::new(known.map(Arc::clone).collect::<Vec<_>>()))
    }

    /// The columns of states that stand in a file: the key's, then the function's.
    pub fn columns(&self) -> SchemaRef {
        let function = self.function();
        let all = self.schema.key().fields().iter().chain(function.fields());
        Arc::new(Schema::new(all.map(Arc::clone).collect::<Vec<_>>()))
    }

    /// The keys of rows of these columns.
    pub fn keys(&self, rows: &RecordBatch, groups: u32) -> Result<Keys, StateError> {
        Keys::new(&self.schema, groups, &rows.columns()[..self.key_columns()])
    }

    fn key_columns(&self) -> usize {
        self.schema.key().fields().len()
    }

    /// The state before the op's first batch. It counts as set in that batch: a `ttl` and a
    /// `timeout` run from its time on.
    pub fn begin(
        &self,
        rows: &[RecordBatch],
        groups: u32,
        (batch, time): (BatchId, Micros),
    ) -> Result<View, StateError> {
        let wrong = |problem: String| StateError::Columns { problem };
        let rows = concat_batches(&self.columns(), rows).map_err(|it| wrong(it.to_string()))?;
        let keys = self.keys(&rows, groups)?;
        let known: Vec<usize> = (self.key_columns()..rows.num_columns()).collect();
        let states = rows.project(&known).map_err(|error| wrong(error.to_string()))?;
        let settling = Settling { keeping: self.keeping, now: time.0, renewal: false };
        let moments = vec![settling.beginning(); keys.len()];
        let stored = settling.with_hidden(self.schema.state(), &states, &moments);
        let stored = stored.map_err(|error| wrong(error.to_string()))?;
        begin(&self.op, &self.schema, batch, (&keys, &stored, &settling.dues(&moments)), groups)
    }
}
