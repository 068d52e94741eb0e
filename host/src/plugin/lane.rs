//! Where and when a call stands: the lane that makes it and the batch it belongs to.

use std::fmt;
use std::sync::Arc;

use crate::clock::{self, Micros};
use crate::id::{BatchId, JobName};

use super::aside::Aside;
use super::limit::Interrupt;

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For the author of the function.
    Debug,
    /// For whoever reads along.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

impl LogLevel {
    /// The name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A line that a function wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// The op that called the function.
    pub op: String,
    /// The batch.
    pub batch: BatchId,
    /// The partition.
    pub partition: u32,
    /// The text, cut after 4 KiB.
    pub text: String,
}

/// Takes lines from any thread.
pub type LogSink = Arc<dyn Fn(LogLine) + Send + Sync>;

/// The batch that calls belong to, the same for all ops and lanes.
#[derive(Clone)]
pub struct BatchNow {
    /// The job.
    pub job: JobName,
    /// The batch.
    pub batch: BatchId,
    /// The batch's time: the clock that guests see.
    pub time: Micros,
    /// Ends all calls when it is raised.
    pub interrupt: Interrupt,
    /// Where lines go.
    pub log: LogSink,
    /// What becomes of rows that can't be taken.
    pub aside: Aside,
}

impl fmt::Debug for BatchNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchNow").field("job", &self.job).field("batch", &self.batch).finish()
    }
}

impl BatchNow {
    /// No batch at all: for `describe` and checks. Lines go nowhere.
    pub fn none() -> Self {
        Self {
            job: JobName::new(""),
            batch: BatchId(0),
            time: Micros(0),
            interrupt: Interrupt::default(),
            log: Arc::new(|_| {}),
            aside: Aside::nowhere(),
        }
    }
}

/// One partition of one op in one batch.
#[derive(Clone, Debug)]
pub struct Lane {
    /// The batch.
    pub now: BatchNow,
    /// The op.
    pub op: String,
    /// The partition.
    pub partition: u32,
    /// What the seed of the lane is made from: its lowest key group, or its source partition.
    pub mark: u32,
}

impl Lane {
    /// The seed of everything random that the lane's instance sees.
    pub fn seed(&self) -> u64 {
        clock::seed(self.now.job.as_str(), &self.op, self.now.batch.0, self.mark)
    }
}
