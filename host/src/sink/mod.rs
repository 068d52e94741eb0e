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
#[cfg(test)]
mod contract;
mod error;
mod file;
mod sqlite;
#[cfg(test)]
mod test_kit;

pub use banner::{banner, banner_json, table_text};
pub use collect::Collected;
pub use error::{CODES, SinkError};

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::clock::Micros;
use crate::durable::defence::{Defence, stands};
use crate::id::{BatchId, JobName, SinkId};
use crate::job::{DeadLettersSpec, FormatKind, SinkKind, SinkSpec};

/// Which batch rows belong to.
#[derive(Clone, Debug)]
pub struct BatchMark {
    /// The job.
    pub job: JobName,
    /// The id of the job: a new one for every fresh start, the same as long as it goes on.
    pub run: Arc<str>,
    /// Which of the owners of the job's checkpoint writes: counts up with every start.
    pub generation: u64,
    /// The batch.
    pub batch: BatchId,
    /// The batch's time.
    pub time: Micros,
    /// Whether an earlier process may have shown the batch already.
    pub again: bool,
}

/// How many rows, and which: the sum of the 128-bit hashes of all rows, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// How many.
    pub rows: u64,
    /// The sum of their hashes; 0 if it was not made.
    pub sum: u128,
}

impl Digest {
    /// Of rows that are not known: any others may be the same.
    pub const UNKNOWN: Self = Self { rows: u64::MAX, sum: 0 };

    /// With the sum from its hexadecimal digits; 0 if there are none.
    fn from_digits(rows: u64, digits: &str) -> Self {
        Self { rows, sum: u128::from_str_radix(digits, 16).unwrap_or_default() }
    }

    /// The sum in hexadecimal.
    fn digits(self) -> String {
        format!("{:032x}", self.sum)
    }

    /// Whether the rows of a batch that are there can be those that it gives now. A sum that was
    /// not made says nothing.
    pub fn check_same(self, made: Self, batch: BatchId) -> Result<(), SinkError> {
        let unknown = self.sum == 0 || made.sum == 0;
        let same = self.rows == made.rows && (unknown || self.sum == made.sum);
        if same || !stands(Defence::SameRows) {
            return Ok(());
        }
        Err(SinkError::OtherRows { batch: batch.0, found: self.rows, made: made.rows })
    }
}

/// The last batch that a sink has of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastBatch {
    /// The batch.
    pub batch: BatchId,
    /// The owner that wrote it.
    pub generation: u64,
    /// Its rows.
    pub digest: Digest,
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
    /// Whether it keeps a mark by which it knows a batch again: then a batch is in it once, however
    /// often it is run.
    fn marks(&self) -> bool;

    /// Whether its mark stays as long as its rows, so that a mark that is gone means lost rows.
    /// Folders of files may be taken away by those who read them.
    fn keeps_marks(&self) -> bool {
        false
    }

    /// The last batch that it has of a job. None if it has none, or keeps no mark.
    fn last(&self, _job: &JobName, _run: &Arc<str>) -> Result<Option<LastBatch>, SinkError> {
        Ok(None)
    }

    /// Finds output that was prepared before a crash, by what [`Prepared::staged`] had given; none
    /// if it is not there any more.
    fn find(
        &self,
        _mark: &BatchMark,
        _staged: &[u8],
    ) -> Result<Option<Box<dyn Prepared>>, SinkError> {
        Ok(None)
    }

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
    /// The digest is that of all rows.
    fn prepare(self: Box<Self>, digest: Digest) -> Result<Box<dyn Prepared>, SinkError>;
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
    /// By what the sink finds it again after a crash; empty if it can't.
    fn staged(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Leaves it where it is, invisible, for a later [`Sink::find`].
    fn leave(self: Box<Self>) {}

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
        SinkKind::Sqlite { path, table, upsert, .. } => {
            let path = folder.join(path);
            Box::new(sqlite::SqliteSink::open(spec.id.clone(), &path, table, upsert)?)
        }
    })
}

/// Checks that the sink can take rows of these columns, as far as it is known before it is opened.
pub fn check(spec: &SinkSpec, schema: &SchemaRef) -> Result<(), SinkError> {
    match &spec.kind {
        SinkKind::Console { .. } | SinkKind::File { .. } => Ok(()),
        SinkKind::Sqlite { upsert, .. } => sqlite::check(schema, upsert),
    }
}
