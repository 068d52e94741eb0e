//! Keeps the rows of batches in memory: what `host test` compares.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::{BatchMark, Digest, PartWriter, Prepared, Sink, SinkError, Staging, Written};

/// The rows of all batches, in the order of their parts, and their columns.
#[derive(Clone, Debug, Default)]
pub struct Collected(Arc<Mutex<Vec<RecordBatch>>>);

impl Collected {
    /// What was committed so far.
    pub fn rows(&self) -> Vec<RecordBatch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sink for Collected {
    fn marks(&self) -> bool {
        false
    }

    fn begin(
        &self,
        _: &BatchMark,
        schema: SchemaRef,
        _: usize,
    ) -> Result<Box<dyn Staging>, SinkError> {
        let (all, parts) = (self.clone(), Arc::default());
        Ok(Box::new(Stage { all, schema, parts }))
    }
}

type Parts = Arc<Mutex<BTreeMap<usize, Vec<RecordBatch>>>>;

struct Stage {
    all: Collected,
    schema: SchemaRef,
    parts: Parts,
}

struct Part {
    number: usize,
    rows: Vec<RecordBatch>,
    parts: Parts,
}

impl Staging for Stage {
    fn part(&self, number: usize) -> Result<Box<dyn PartWriter>, SinkError> {
        Ok(Box::new(Part { number, rows: Vec::new(), parts: Arc::clone(&self.parts) }))
    }

    fn prepare(self: Box<Self>, _: Digest) -> Result<Box<dyn Prepared>, SinkError> {
        Ok(self)
    }
}

impl PartWriter for Part {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        self.rows.push(rows.clone());
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<u64, SinkError> {
        let count = self.rows.iter().map(|rows| rows.num_rows() as u64).sum();
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).insert(self.number, self.rows);
        Ok(count)
    }
}

impl Prepared for Stage {
    fn commit(self: Box<Self>) -> Result<Written, SinkError> {
        let parts = std::mem::take(&mut *self.parts.lock().unwrap_or_else(PoisonError::into_inner));
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The columns are known even if there are no rows.
        all.push(RecordBatch::new_empty(self.schema));
        all.extend(parts.into_values().flatten());
        let rows = all.iter().map(|rows| rows.num_rows() as u64).sum();
        Ok(Written { rows, place: None, existed: false })
    }
}
