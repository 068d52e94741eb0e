//! Why a job stopped before its end.

use super::initial::InitialError;
use super::ledger::LedgerError;
use crate::checkpoint::{CheckpointError, Refusal};
use crate::id::BatchId;
use crate::job::JobError;
use crate::plan::RunError;
use crate::sink::SinkError;
use crate::source::SourceError;
use crate::state::StateError;

/// Why a job stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The plan can't be built for the columns that the sources turned out to have.
    #[error(transparent)]
    Plan(#[from] JobError),
    /// A source failed while it was asked what there is.
    #[error("source `{id}`: {error}")]
    Source {
        /// The source.
        id: String,
        /// Why.
        error: Box<SourceError>,
    },
    /// The batch failed while it ran. Nothing of it is visible.
    #[error("batch {batch} failed: {error}")]
    Run {
        /// The batch.
        batch: BatchId,
        /// Why.
        error: Box<RunError>,
    },
    /// An op can't begin with the states that its files have.
    #[error("the states that op `{op}` begins with: {error}")]
    Initial {
        /// The op.
        op: String,
        /// Why.
        error: Box<InitialError>,
    },
    /// A sink failed.
    #[error("batch {batch} failed at sink `{id}`: {error}")]
    Sink {
        /// The sink.
        id: String,
        /// The batch.
        batch: BatchId,
        /// Why.
        error: Box<SinkError>,
    },
    /// The states of the job's ops can't be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// The checkpoint can't be written, or another process has it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// What was found does not let the job go on.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The job is not the one of the checkpoint any more.
    #[error("the job can't go on from its checkpoint: {}", .0.join("; "))]
    Changed(Vec<String>),
    /// The batch in flight can't be finished as it was begun.
    #[error("batch {batch} was begun {with}, and some sinks have it already")]
    Otherwise {
        /// The batch.
        batch: BatchId,
        /// What was different, for people.
        with: String,
    },
    /// Run twice, a batch gave two results.
    #[error("batch {batch} was run twice and gave two results: {what}")]
    Differs {
        /// The batch.
        batch: BatchId,
        /// What was different.
        what: String,
    },
    /// A batch was begun again and again, and no process lived to its end.
    #[error("batch {batch} was begun by {starts} processes one after the other, and none ended it")]
    Poisoned {
        /// The batch.
        batch: BatchId,
        /// How many.
        starts: u64,
    },
    /// The stop did not wait for the batch to end.
    #[error("batch {0} was given up, because the job had to stop at once")]
    GivenUp(BatchId),
    /// Rows run out of time or memory in other places each time the batch is run.
    #[error(
        "batch {0} was given up: each time it is run, other rows run out of time or memory, so it \
         is not known which of them to leave out"
    )]
    Unsettled(BatchId),
    /// The machine refuses threads or files that the job needs.
    #[error("the job can't run: {0}")]
    Machine(String),
}

impl From<LedgerError> for BatchError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Checkpoint(error) => Self::Checkpoint(error),
            LedgerError::State(error) => Self::State(error),
        }
    }
}
