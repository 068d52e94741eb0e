//! The rows of a plan on their way to the sinks, and which rows they are.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::row::{RowConverter, SortField};
use xxhash_rust::xxh3::xxh3_128;

use crate::plan::{Deliver, ReceiverError, RowsOut};
use crate::sink::{Digest, PartWriter, SinkError, Staging, rows_failed};

/// The output of one sink while lanes write to it.
pub struct Stage {
    /// Where it goes; none if the sink has the batch already.
    pub staging: Option<Box<dyn Staging>>,
    /// Whether the rows are hashed: not for a sink that does not know a batch again.
    pub hashed: bool,
    digest: Mutex<Digest>,
}

impl Stage {
    /// Output that begins.
    pub fn new(staging: Option<Box<dyn Staging>>, hashed: bool) -> Self {
        Self { staging, hashed, digest: Mutex::default() }
    }

    /// The rows of all lanes that have ended.
    pub fn digest(&self) -> Digest {
        *self.digest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, more: Digest) {
        let mut digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        digest.rows += more.rows;
        digest.sum = digest.sum.wrapping_add(more.sum);
    }
}

/// Hands each partition of each sink its writer.
pub struct Delivery(pub Vec<Arc<Stage>>);

impl Deliver for Delivery {
    fn open(&self, sink: usize, partition: usize) -> Result<Box<dyn RowsOut>, ReceiverError> {
        let stage = Arc::clone(&self.0[sink]);
        let writer = match &stage.staging {
            Some(staging) => Some(staging.part(partition).map_err(shared)?),
            None => None,
        };
        Ok(Box::new(Part { stage, writer, converter: None, digest: Digest::default() }))
    }
}

struct Part {
    stage: Arc<Stage>,
    writer: Option<Box<dyn PartWriter>>,
    converter: Option<RowConverter>,
    digest: Digest,
}

fn shared(error: SinkError) -> ReceiverError {
    Arc::new(error)
}

impl Part {
    fn hash(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        if rows.num_columns() == 0 {
            return Ok(());
        }
        let converter = match &mut self.converter {
            Some(converter) => converter,
            none => {
                let schema = rows.schema();
                let fields = schema.fields().iter();
                let fields = fields.map(|field| SortField::new(field.data_type().clone()));
                none.insert(RowConverter::new(fields.collect()).map_err(rows_failed)?)
            }
        };
        let rows = converter.convert_columns(rows.columns()).map_err(rows_failed)?;
        for row in rows.iter() {
            self.digest.sum = self.digest.sum.wrapping_add(xxh3_128(row.as_ref()));
        }
        Ok(())
    }
}

impl RowsOut for Part {
    fn take(&mut self, rows: &RecordBatch) -> Result<(), ReceiverError> {
        self.digest.rows += rows.num_rows() as u64;
        if self.stage.hashed {
            self.hash(rows).map_err(shared)?;
        }
        match &mut self.writer {
            Some(writer) => writer.write(rows).map_err(shared),
            None => Ok(()),
        }
    }

    fn close(self: Box<Self>) -> Result<(), ReceiverError> {
        self.stage.add(self.digest);
        match self.writer {
            Some(writer) => writer.close().map(|_| ()).map_err(shared),
            None => Ok(()),
        }
    }
}
