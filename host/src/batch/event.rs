//! What a job tells while it runs: the same for people, for JSON and for listeners.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::Micros;
use crate::id::{BatchId, NodeId};
use crate::plan::Times;
use crate::source::Connection;

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The job begins.
    Started {
        /// The job.
        job: String,
        /// The id of this run.
        run: String,
        /// Lanes.
        parallelism: usize,
        /// The interval in milliseconds; 0 = as fast as there is input.
        interval_ms: u64,
    },
    /// The job goes on where an earlier run of it had come.
    Resumed {
        /// The last batch that was done.
        after: u64,
        /// What is done first, for people.
        first: String,
        /// What else there is to know.
        notes: Vec<String>,
    },
    /// The disk is full: the job waits until there is room.
    NoSpace {
        /// What was said.
        message: String,
    },
    /// A batch succeeded; its output is visible.
    Batch(BatchReport),
    /// A batch failed; nothing of it is visible.
    Failed {
        /// The batch.
        batch: u64,
        /// The stable code.
        code: &'static str,
        /// What happened.
        message: String,
    },
    /// A file was found that is not taken. Told once.
    Skipped {
        /// The source.
        source: String,
        /// The file.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// A connection of a source came or went. Told once for each change, not for each try.
    Connection(ConnectionReport),
    /// There is no new input, and the job waits or ends.
    Idle {
        /// Whether it ends.
        ends: bool,
    },
    /// The job has ended.
    Stopped(Totals),
}

/// A connection of a source, as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectionReport {
    /// The source.
    pub source: String,
    /// Which of its receivers, from 1.
    pub receiver: usize,
    /// The address that it connects to.
    pub address: String,
    /// Whether it is connected.
    pub up: bool,
    /// Why it is not.
    pub reason: String,
}

impl ConnectionReport {
    /// The report of a change at a source.
    pub fn new(source: &NodeId, change: Connection) -> Self {
        let Connection { receiver, address, up, reason } = change;
        Self { source: source.to_string(), receiver, address, up, reason }
    }
}

/// What one batch did.
#[derive(Clone, Debug, Serialize)]
pub struct BatchReport {
    /// The batch.
    pub batch: u64,
    /// Its time, RFC 3339.
    pub time: String,
    /// Rows that the sources gave.
    pub rows_in: u64,
    /// Bytes that were read.
    pub bytes_in: u64,
    /// Files of its input that are gone, so that it came without them.
    pub files_lost: u64,
    /// From the first step to the last, in milliseconds.
    pub processing_ms: f64,
    /// Milliseconds by step.
    pub phases_ms: BTreeMap<&'static str, f64>,
    /// What the functions did.
    pub ops: Vec<OpReport>,
    /// What the sinks wrote.
    pub sinks: Vec<SinkReport>,
    /// Rows that were left out, by the entry that could not take them.
    pub refused: Vec<RefusedReport>,
    /// How often the batch was run again, because rows ran out of time or memory.
    pub reruns: u32,
    /// Rows that came too late for all of their windows, by op.
    pub late: BTreeMap<String, u64>,
    /// Up to where ops have seen event time, RFC 3339, by op.
    pub watermarks: BTreeMap<String, String>,
    /// Counters of user code, as `op.name`.
    pub counters: BTreeMap<String, u64>,
    /// Gauges of user code, as `op.name`.
    pub gauges: BTreeMap<String, f64>,
}

/// What one function did in a batch.
#[derive(Clone, Debug, Serialize)]
pub struct OpReport {
    /// The op.
    pub op: String,
    /// Calls of the guest.
    pub guest_calls: u64,
    /// Rows that crossed into it.
    pub guest_rows_in: u64,
    /// Rows that came out.
    pub guest_rows_out: u64,
    /// Time in calls, over all lanes, in milliseconds.
    pub guest_ms: f64,
    /// Instances made.
    pub instances: u64,
    /// The most memory of one instance, in bytes.
    pub guest_memory_max: u64,
    /// Calls of metrics that were not counted: bad names, or too many.
    pub metrics_refused: u64,
}

/// Rows that one entry could not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedReport {
    /// The source or op.
    pub at: String,
    /// Rows that were only left out.
    pub skipped: u64,
    /// Rows that were put aside.
    pub dead_letters: u64,
    /// Why the first of them could not be taken.
    pub first: String,
}

/// What one sink wrote in a batch.
#[derive(Clone, Debug, Serialize)]
pub struct SinkReport {
    /// The sink.
    pub sink: String,
    /// Rows.
    pub rows: u64,
    /// Where they are, if that is a place.
    pub place: Option<String>,
    /// Whether the batch had been there before.
    pub existed: bool,
}

/// What a run did in sum.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Totals {
    /// Batches.
    pub batches: u64,
    /// Rows that the sources gave.
    pub rows_in: u64,
}

impl Totals {
    /// Counts a batch.
    pub fn add(&mut self, report: &BatchReport) {
        self.batches += 1;
        self.rows_in += report.rows_in;
    }
}

/// The name of a batch's time for people.
pub fn time_text(time: Micros) -> String {
    time.to_string()
}

impl BatchReport {
    /// An empty report of a batch.
    pub fn new(batch: BatchId, time: Micros) -> Self {
        Self {
            batch: batch.0,
            time: time_text(time),
            rows_in: 0,
            bytes_in: 0,
            files_lost: 0,
            processing_ms: 0.0,
            phases_ms: BTreeMap::new(),
            ops: Vec::new(),
            sinks: Vec::new(),
            refused: Vec::new(),
            reruns: 0,
            late: BTreeMap::new(),
            watermarks: BTreeMap::new(),
            counters: BTreeMap::new(),
            gauges: BTreeMap::new(),
        }
    }

    /// Notes how far event time is, and what came too late for it.
    pub fn times(&mut self, times: &Times, watermarks: &[(String, i64)]) {
        let late = times.too_late().into_iter();
        self.late = late.map(|(op, rows)| (op.to_string(), rows)).collect();
        let known = watermarks.iter().filter(|(_, time)| *time > i64::MIN);
        self.watermarks = known.map(|(op, time)| (op.clone(), time_text(Micros(*time)))).collect();
    }
}
