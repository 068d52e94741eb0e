//! The rows of a plan on their way to the sinks.

use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::plan::{Deliver, ReceiverError, RowsOut};
use crate::sink::{PartWriter, Staging};

/// The output of one sink while lanes write to it.
pub struct Stage(pub Box<dyn Staging>);

/// Hands each partition of each sink its writer.
pub struct Delivery(pub Vec<Arc<Stage>>);

impl Deliver for Delivery {
    fn open(&self, sink: usize, partition: usize) -> Result<Box<dyn RowsOut>, ReceiverError> {
        let part = self.0[sink].0.part(partition).map_err(shared)?;
        Ok(Box::new(Part(part)))
    }
}

struct Part(Box<dyn PartWriter>);

fn shared(error: crate::sink::SinkError) -> ReceiverError {
    Arc::new(error)
}

impl RowsOut for Part {
    fn take(&mut self, rows: &RecordBatch) -> Result<(), ReceiverError> {
        self.0.write(rows).map_err(shared)
    }

    fn close(self: Box<Self>) -> Result<(), ReceiverError> {
        self.0.close().map(|_| ()).map_err(shared)
    }
}
