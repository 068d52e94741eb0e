//! Nodes whose rows come out on several ports.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};

/// A node that can give the rows of all its ports in one run.
pub trait Ported {
    /// The columns of each port.
    fn port_schemas(&self) -> Vec<SchemaRef>;

    /// The rows that go in, and the work that gives rows by port.
    fn open_ports(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<(SendableRecordBatchStream, Box<dyn PortWork>)>;
}

/// What happens to each chunk of a partition, with rows for several ports.
pub trait PortWork: Send {
    /// Takes a chunk, gives rows by port.
    fn chunk(&mut self, rows: &RecordBatch) -> Result<Vec<(usize, RecordBatch)>>;

    /// After the last chunk: gives rows until there are none.
    fn rest(&mut self) -> Result<Option<Vec<(usize, RecordBatch)>>> {
        Ok(None)
    }
}
