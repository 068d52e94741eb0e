//! What a job starts with, and who hears of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;

use super::event::Event;
use super::ledger::Ledger;
use super::letters::DeadLetters;
use super::resume::Found;
use super::stop::Stop;
use super::trigger::Mode;
use crate::id::{BatchId, Digest, JobName, NodeId, SinkId};
use crate::job::JobError;
use crate::plan::{JobPlan, LogSink, Progress};
use crate::sink::Sink;
use crate::source::Source;

/// What a job starts with.
pub struct Start {
    /// The job.
    pub job: JobName,
    /// The id of this run: a new one for every fresh start.
    pub run: Arc<str>,
    /// The sources.
    pub sources: Vec<(NodeId, Arc<dyn Source>)>,
    /// The sinks, in the order of the plan's.
    pub sinks: Vec<(SinkId, Box<dyn Sink>)>,
    /// The interval; zero = as fast as there is input.
    pub interval: Duration,
    /// Whether time goes on by one interval with each batch, whatever the machine's clock says.
    pub by_batches: bool,
    /// How long it runs.
    pub mode: Mode,
    /// Lanes.
    pub parallelism: usize,
    /// How it is stopped.
    pub stop: Stop,
    /// Lines of functions.
    pub log: LogSink,
    /// Where rows go that are put aside.
    pub dead_letters: DeadLetters,
    /// Whether each batch is run twice and compared.
    pub verify: bool,
    /// A hash of the job file with everything that was set from outside.
    pub digest: [u8; 32],
    /// The components that were loaded.
    pub code: Vec<Digest>,
    /// What stays of the job; none if nothing does.
    pub ledger: Option<Ledger>,
    /// What was found in the checkpoint.
    pub found: Option<Found>,
}

/// Hears what happens; also gets a batch's progress when it begins to run.
pub trait Listener {
    /// Something happened.
    fn event(&self, event: &Event);

    /// A batch runs; `bytes` is what it will read, where that is known.
    fn progress(&self, batch: BatchId, bytes: u64, progress: &Arc<Progress>);
}

/// Builds the plan when the columns of all sources are known.
pub type Build<'a> = dyn Fn(&HashMap<NodeId, SchemaRef>) -> Result<JobPlan, JobError> + 'a;
