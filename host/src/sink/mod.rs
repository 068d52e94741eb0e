//! Where do rows go?
//!
//! Takes: a checked `SinkSpec`, then the rows of a batch, lane by lane. Gives: output that is
//! visible whole or not at all.
//! Promise: nothing is visible before `commit`; an abort leaves nothing behind; a batch that is
//! there already is not written twice.
//! Not here: when a batch is committed (`batch`).

mod banner;
mod collect;
mod console;
mod error;
mod file;
#[cfg(test)]
mod test_kit;

pub use banner::{banner, banner_json};
pub use collect::Collected;
pub use error::{CODES, SinkError};

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::clock::Micros;
use crate::id::{BatchId, JobName, SinkId};
use crate::job::{DeadLettersSpec, FormatKind, SinkKind, SinkSpec};

/// Which batch rows belong to.
#[derive(Clone, Debug)]
pub struct BatchMark {
    /// The job.
    pub job: JobName,
    /// Which run of the job made it: a new id for every fresh start.
    pub run: Arc<str>,
    /// The batch.
    pub batch: BatchId,
    /// The batch's time.
    pub time: Micros,
}

/// How lines reach the person: one line at a time, whole, from any thread. The command decides
/// whether that is standard output as it is or wrapped as JSON.
pub type Lines = Arc<dyn Fn(ConsoleText<'_>) + Send + Sync>;

/// What a console sink says about one batch.
#[derive(Clone, Debug)]
pub struct ConsoleText<'a> {
    /// The sink.
    pub sink: &'a str,
    /// The batch.
    pub mark: &'a BatchMark,
    /// The first rows.
    pub rows: &'a RecordBatch,
    /// How many rows there were.
    pub total: u64,
}

/// One sink of a job.
pub trait Sink: Send + Sync {
    /// Starts the output of a batch with these columns in `partitions` parts.
    fn begin(
        &self,
        mark: &BatchMark,
        schema: SchemaRef,
        partitions: usize,
    ) -> Result<Box<dyn Staging>, SinkError>;
}

/// The output of one batch while its rows arrive: nothing of it is visible. Dropping it without
/// `prepare` takes everything back.
pub trait Staging: Send + Sync {
    /// The writer of part `partition`. Asked for once each, from the lane that has the rows.
    fn part(&self, partition: usize) -> Result<Box<dyn PartWriter>, SinkError>;

    /// All parts are closed: makes the output durable, still invisible. Abort is free until here.
    fn prepare(self: Box<Self>) -> Result<Box<dyn Prepared>, SinkError>;
}

/// Writes one part of a batch.
pub trait PartWriter: Send {
    /// Adds rows.
    fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError>;

    /// Ends the part; says how many rows it has.
    fn close(self: Box<Self>) -> Result<u64, SinkError>;
}

/// Output of one batch that only needs to be made visible. Dropping it takes it back.
pub trait Prepared: Send {
    /// Makes it visible. Says what was written.
    fn commit(self: Box<Self>) -> Result<Written, SinkError>;
}

/// What a commit made visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Rows.
    pub rows: u64,
    /// Where they are, when that is a place.
    pub place: Option<String>,
    /// Whether the batch had been there before, so that nothing was written.
    pub existed: bool,
}

/// Rows that could not even be made.
pub fn rows_failed(error: arrow::error::ArrowError) -> SinkError {
    SinkError::from(crate::format::FormatError::from(error))
}

/// Opens the sink of dead letters: JSON lines, a folder for each batch that has some. Relative
/// paths start at `folder`; each run has a folder of its own in it.
pub fn open_dead_letters(
    spec: &DeadLettersSpec,
    folder: &Path,
    run: &str,
) -> Result<Arc<dyn Sink>, SinkError> {
    let path = folder.join(&spec.path).join(run);
    Ok(Arc::new(file::FileSink::open(SinkId::new("dead-letters"), &path, FormatKind::Json)?))
}

/// Opens the sink that the job describes. Relative paths start at `folder`.
pub fn open(spec: &SinkSpec, folder: &Path, lines: &Lines) -> Result<Box<dyn Sink>, SinkError> {
    Ok(match &spec.kind {
        SinkKind::Console { rows } => {
            Box::new(console::ConsoleSink::new(spec.id.clone(), *rows, Arc::clone(lines)))
        }
        SinkKind::File { path, format, .. } => {
            Box::new(file::FileSink::open(spec.id.clone(), &folder.join(path), *format)?)
        }
    })
}
