//! The loop: cut → bind → run → prepare → commit → acknowledge, one batch after the other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::error::BatchError;
use super::event::{BatchReport, Event, OpReport, SinkReport, Totals};
use super::stop::Stop;
use super::trigger::{Mode, Trigger};
use crate::clock::{self, Micros, Stopwatch};
use crate::id::{BatchId, JobName, NodeId, SinkId};
use crate::job::JobError;
use crate::plan::{
    BatchNow, Bindings, Bound, Deliver, JobPlan, LogSink, Progress, ReceiverError, Resources,
    RowsOut, Usage,
};
use crate::sink::{BatchMark, PartWriter, Prepared, Sink, Staging};
use crate::source::{Source, SourceRange};

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
    /// How long it runs.
    pub mode: Mode,
    /// Lanes.
    pub parallelism: usize,
    /// How it is stopped.
    pub stop: Stop,
    /// Lines of functions.
    pub log: LogSink,
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

/// Runs a job.
pub struct Runner<'a> {
    start: Start,
    resources: &'a Resources,
    listener: &'a dyn Listener,
    last_time: Micros,
    usage: HashMap<String, Usage>,
}

/// The ranges of one batch, one for each source.
type Ranges = Vec<SourceRange>;

impl<'a> Runner<'a> {
    /// A runner that has not begun.
    pub fn new(start: Start, resources: &'a Resources, listener: &'a dyn Listener) -> Self {
        let last_time = Micros(i64::MIN);
        Self { start, resources, listener, last_time, usage: HashMap::new() }
    }

    /// Runs batches until the job ends, is stopped or fails.
    pub fn run(mut self, build: &Build<'_>) -> Result<Totals, BatchError> {
        let _watches = self.watch()?;
        self.listener.event(&Event::Started {
            job: self.start.job.to_string(),
            run: self.start.run.to_string(),
            parallelism: self.start.parallelism,
            interval_ms: self.start.interval.as_millis() as u64,
        });
        let (mut plan, mut batch, mut totals) = (None, BatchId(0), Totals::default());
        let mut trigger = Trigger::new(self.start.interval);
        loop {
            trigger.wait(&self.start.stop);
            if self.start.stop.draining() {
                break;
            }
            let ranges = self.cut_ranges()?;
            if ranges.iter().all(SourceRange::is_empty) {
                if self.ends() {
                    break;
                }
                trigger.idle(&self.start.stop);
                continue;
            }
            let plan = match &mut plan {
                Some(plan) => plan,
                none => none.insert(build(&self.schemas()?)?),
            };
            batch = batch.next();
            let report = self.batch(plan, batch, &ranges)?;
            totals.add(&report);
            self.listener.event(&Event::Batch(report));
        }
        self.listener.event(&Event::Stopped(totals));
        Ok(totals)
    }

    /// One batch, from its input to its visible output.
    fn batch(
        &mut self,
        plan: &JobPlan,
        batch: BatchId,
        ranges: &Ranges,
    ) -> Result<BatchReport, BatchError> {
        let time = self.next_time();
        let mut report = BatchReport::new(batch, time);
        let (took, mut step) = (Stopwatch::start(), Stopwatch::start());
        let mark = BatchMark {
            job: self.start.job.clone(),
            run: Arc::clone(&self.start.run),
            batch,
            time,
        };
        let bound = self.bind(plan, &mark, ranges)?;
        let staged = self.begin(plan, &mark)?;
        lap(&mut report, "bind", &mut step);
        let bytes = ranges.iter().map(SourceRange::bytes).sum();
        self.listener.progress(batch, bytes, bound.progress());
        self.run_plan(plan, &bound, &staged, batch)?;
        lap(&mut report, "run", &mut step);
        let prepared = self.prepare(staged, batch)?;
        lap(&mut report, "prepare", &mut step);
        report.sinks = self.commit(prepared, batch)?;
        lap(&mut report, "commit", &mut step);
        self.acknowledge(ranges);
        report.processing_ms = millis(took.elapsed());
        (report.rows_in, report.bytes_in) = (bound.progress().rows(), bound.progress().bytes());
        self.count(plan, &mut report);
        Ok(report)
    }

    /// The wall clock, but never backwards.
    fn next_time(&mut self) -> Micros {
        let least = Micros(self.last_time.0.saturating_add(1000));
        self.last_time = clock::now().max(least);
        self.last_time
    }

    fn watch(&self) -> Result<Vec<Box<dyn Send>>, BatchError> {
        if self.start.mode == Mode::Once {
            return Ok(Vec::new());
        }
        let wake = self.start.stop.wake();
        self.start
            .sources
            .iter()
            .map(|(id, source)| {
                source.watch(wake.clone()).map_err(|error| source_failed(id, error))
            })
            .collect()
    }

    fn cut_ranges(&self) -> Result<Ranges, BatchError> {
        let mut ranges = Vec::with_capacity(self.start.sources.len());
        for (id, source) in &self.start.sources {
            ranges.push(source.cut().map_err(|error| source_failed(id, error))?);
            for skipped in source.skipped() {
                let (source, reason) = (id.to_string(), skipped.reason);
                self.listener.event(&Event::Skipped { source, path: skipped.path, reason });
            }
        }
        Ok(ranges)
    }

    /// Nothing is there. Whether nothing can come either.
    fn ends(&self) -> bool {
        let ends = self.start.mode == Mode::Once
            || self.start.sources.iter().all(|(_, source)| source.finished());
        self.listener.event(&Event::Idle { ends });
        ends
    }

    fn schemas(&self) -> Result<HashMap<NodeId, SchemaRef>, BatchError> {
        let mut schemas = HashMap::new();
        for (id, source) in &self.start.sources {
            if let Some(schema) = source.schema().map_err(|error| source_failed(id, error))? {
                schemas.insert(id.clone(), schema);
            }
        }
        Ok(schemas)
    }

    fn bind(&self, plan: &JobPlan, mark: &BatchMark, ranges: &Ranges) -> Result<Bound, BatchError> {
        let mut bindings = Bindings::default();
        for ((id, source), range) in self.start.sources.iter().zip(ranges) {
            bindings.bind(id.clone(), Arc::clone(source), range.clone());
        }
        let now = BatchNow {
            job: mark.job.clone(),
            batch: mark.batch,
            time: mark.time,
            interrupt: self.start.stop.interrupt().clone(),
            log: Arc::clone(&self.start.log),
        };
        plan.bind(bindings, now, self.resources)
            .map_err(|error| BatchError::Machine(error.strip_backtrace()))
    }

    fn begin(&self, plan: &JobPlan, mark: &BatchMark) -> Result<Vec<Arc<Stage>>, BatchError> {
        let sinks = self.start.sinks.iter().zip(&plan.sinks);
        sinks
            .map(|((id, sink), planned)| {
                let staging = sink
                    .begin(mark, planned.schema(), planned.partitions())
                    .map_err(|error| sink_failed(id, mark.batch, error))?;
                Ok(Arc::new(Stage(staging)))
            })
            .collect()
    }

    fn run_plan(
        &self,
        plan: &JobPlan,
        bound: &Bound,
        staged: &[Arc<Stage>],
        batch: BatchId,
    ) -> Result<(), BatchError> {
        let deliver: Arc<dyn Deliver> = Arc::new(Delivery(staged.to_vec()));
        match plan.run(bound, &deliver, self.resources) {
            Ok(()) if !self.start.stop.at_once() => Ok(()),
            Err(error) if !self.start.stop.at_once() || !error.is_consequence() => {
                let (code, message) = (error.code(), error.to_string());
                self.listener.event(&Event::Failed { batch: batch.0, code, message });
                Err(BatchError::Run { batch, error: Box::new(error) })
            }
            _ => Err(BatchError::GivenUp(batch)),
        }
    }

    fn prepare(
        &self,
        staged: Vec<Arc<Stage>>,
        batch: BatchId,
    ) -> Result<Vec<Box<dyn Prepared>>, BatchError> {
        let sinks = self.start.sinks.iter().zip(staged);
        sinks
            .map(|((id, _), stage)| {
                let stage = Arc::into_inner(stage).ok_or_else(|| {
                    BatchError::Machine("a lane still writes after its end".to_owned())
                })?;
                stage.0.prepare().map_err(|error| sink_failed(id, batch, error))
            })
            .collect()
    }

    fn commit(
        &self,
        prepared: Vec<Box<dyn Prepared>>,
        batch: BatchId,
    ) -> Result<Vec<SinkReport>, BatchError> {
        let sinks = self.start.sinks.iter().zip(prepared);
        sinks
            .map(|((id, _), output)| {
                let written = output.commit().map_err(|error| sink_failed(id, batch, error))?;
                Ok(SinkReport {
                    sink: id.to_string(),
                    rows: written.rows,
                    place: written.place,
                    existed: written.existed,
                })
            })
            .collect()
    }

    fn acknowledge(&self, ranges: &Ranges) {
        for ((_, source), range) in self.start.sources.iter().zip(ranges) {
            source.acknowledge(range);
        }
    }

    fn count(&mut self, plan: &JobPlan, report: &mut BatchReport) {
        for (op, now) in plan.usage() {
            let before = self.usage.insert(op.clone(), now).unwrap_or_default();
            let usage = now.since(&before);
            report.ops.push(OpReport {
                op,
                guest_calls: usage.calls,
                guest_rows_in: usage.rows_in,
                guest_rows_out: usage.rows_out,
                guest_ms: usage.nanos as f64 / 1e6,
                instances: usage.instances,
                guest_memory_max: usage.memory_max,
            });
        }
        for (op, counters) in plan.take_counters() {
            let named = |name: String| format!("{op}.{name}");
            report.counters.extend(counters.counts.into_iter().map(|(n, v)| (named(n), v)));
            report.gauges.extend(counters.gauges.into_iter().map(|(n, v)| (named(n), v)));
        }
    }
}

fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

fn lap(report: &mut BatchReport, name: &'static str, step: &mut Stopwatch) {
    report.phases_ms.insert(name, millis(step.elapsed()));
    *step = Stopwatch::start();
}

fn source_failed(id: &NodeId, error: crate::source::SourceError) -> BatchError {
    BatchError::Source { id: id.to_string(), error: Box::new(error) }
}

fn sink_failed(id: &SinkId, batch: BatchId, error: crate::sink::SinkError) -> BatchError {
    BatchError::Sink { id: id.to_string(), batch, error: Box::new(error) }
}

/// The output of one sink while lanes write to it.
struct Stage(Box<dyn Staging>);

/// Hands each partition of each sink its writer.
struct Delivery(Vec<Arc<Stage>>);

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
