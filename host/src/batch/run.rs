//! The loop: cut → bind → run → prepare → commit → acknowledge, one batch after the other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;

use super::deliver::{Delivery, Stage};
use super::error::BatchError;
use super::event::{BatchReport, Event, OpReport, SinkReport, Totals};
use super::letters::{BatchLetters, DeadLetters};
use super::ranges::Ranges;
use super::stop::Stop;
use super::trigger::{Mode, Trigger};
use crate::clock::{self, Micros, Stopwatch};
use crate::id::{BatchId, JobName, NodeId, SinkId};
use crate::job::JobError;
use crate::plan::{
    Aside, BatchNow, BatchStates, Bindings, Bound, Deliver, Exclusions, JobPlan, LogSink, Places,
    Progress, Resources, Usage, origin_of,
};
use crate::row_error::Letters;
use crate::sink::{BatchMark, Prepared, Sink};
use crate::source::{Source, SourceRange};
use crate::state::{KEY_GROUPS, MemoryStore, StateStore};

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
    /// Where rows go that are put aside.
    pub dead_letters: DeadLetters,
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
    pub(super) start: Start,
    resources: &'a Resources,
    pub(super) listener: &'a dyn Listener,
    last_time: Micros,
    usage: HashMap<String, Usage>,
    store: Arc<dyn StateStore>,
}

/// A batch whose rows run out of time or memory in other places each time is given up after so many
/// runs more.
const RERUNS_MAX: u32 = 4;

/// What a run of the plan leaves.
struct Ran {
    staged: Vec<Arc<Stage>>,
    letters: Arc<BatchLetters>,
    progress: Arc<Progress>,
    states: Arc<BatchStates>,
}

impl<'a> Runner<'a> {
    /// A runner that has not begun.
    pub fn new(start: Start, resources: &'a Resources, listener: &'a dyn Listener) -> Self {
        let last_time = Micros(i64::MIN);
        let store = Arc::new(MemoryStore::new(KEY_GROUPS, start.parallelism));
        Self { start, resources, listener, last_time, usage: HashMap::new(), store }
    }

    /// Runs batches until the job ends, is stopped or fails.
    pub fn run(mut self, build: &Build<'_>) -> Result<Totals, BatchError> {
        // What is there is taken without a pause.
        let interval = match self.start.mode {
            Mode::Once => Duration::ZERO,
            Mode::Continuous => self.start.interval,
        };
        self.listener.event(&Event::Started {
            job: self.start.job.to_string(),
            run: self.start.run.to_string(),
            parallelism: self.start.parallelism,
            interval_ms: interval.as_millis() as u64,
        });
        let _started = self.start_sources()?;
        let (mut plan, mut batch, mut totals) = (None, BatchId(0), Totals::default());
        let mut trigger = Trigger::new(interval);
        loop {
            trigger.wait(&self.start.stop);
            let draining = self.start.stop.draining();
            let ranges =
                if draining { self.last_ranges(plan.is_some())? } else { self.cut_ranges()? };
            if ranges.iter().all(SourceRange::is_empty) {
                if draining || self.ends() {
                    break;
                }
                trigger.idle(&self.start.stop);
                continue;
            }
            let plan = match &mut plan {
                Some(plan) => plan,
                none => none.insert(self.plan(build)?),
            };
            batch = batch.next();
            let report = self.batch(plan, batch, &ranges)?;
            totals.add(&report);
            self.listener.event(&Event::Batch(report));
        }
        self.listener.event(&Event::Stopped(totals));
        Ok(totals)
    }

    /// The plan, with a place for the state of each of its ops.
    fn plan(&self, build: &Build<'_>) -> Result<JobPlan, BatchError> {
        let plan = build(&self.schemas()?)?;
        for state in &plan.states {
            self.store.open(&state.op, &state.schema)?;
        }
        Ok(plan)
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
        let ran = self.run_until_settled(plan, &mark, ranges, (&mut report, &mut step))?;
        let letters = ran.letters.prepare().map_err(|error| letters_failed(batch, error))?;
        let prepared = self.prepare(ran.staged, batch)?;
        for staged in ran.states.take() {
            self.store.stage(batch, staged)?;
        }
        lap(&mut report, "prepare", &mut step);
        report.refused = letters.commit().map_err(|error| letters_failed(batch, error))?;
        report.sinks = self.commit(prepared, batch)?;
        self.store.commit(batch)?;
        lap(&mut report, "commit", &mut step);
        self.acknowledge(ranges);
        report.processing_ms = millis(took.elapsed());
        (report.rows_in, report.bytes_in) = (ran.progress.rows(), ran.progress.bytes());
        self.count(plan, &mut report);
        Ok(report)
    }

    /// Runs the plan; once more, without them, if rows ran out of time or memory.
    fn run_until_settled(
        &self,
        plan: &JobPlan,
        mark: &BatchMark,
        ranges: &Ranges,
        (report, step): (&mut BatchReport, &mut Stopwatch),
    ) -> Result<Ran, BatchError> {
        let mut known = Exclusions::new();
        while report.reruns <= RERUNS_MAX {
            let letters = Arc::new(BatchLetters::new(&self.start.dead_letters, mark.clone()));
            let aside = self.aside(&letters, ranges, known);
            let store = Arc::clone(&self.store);
            let states = Arc::new(BatchStates::new(store, mark.batch, mark.time));
            let bound = self.bind(plan, mark, ranges, (aside.clone(), Arc::clone(&states)))?;
            let staged = self.begin(plan, mark)?;
            lap(report, "bind", step);
            let bytes = ranges.iter().map(SourceRange::bytes).sum();
            self.listener.progress(mark.batch, bytes, bound.progress());
            self.run_plan(plan, &bound, &staged, mark.batch)?;
            lap(report, "run", step);
            let Some(found) = aside.found() else {
                let progress = Arc::clone(bound.progress());
                return Ok(Ran { staged, letters, progress, states });
            };
            known = found;
            report.reruns += 1;
        }
        Err(BatchError::Unsettled(mark.batch))
    }

    /// The wall clock, but never backwards.
    fn next_time(&mut self) -> Micros {
        let least = Micros(self.last_time.0.saturating_add(1000));
        self.last_time = clock::now().max(least);
        self.last_time
    }

    /// Nothing is there. Whether nothing can come either.
    fn ends(&self) -> bool {
        let mut sources = self.start.sources.iter();
        let ends = match self.start.mode {
            Mode::Once => sources.all(|(_, source)| source.drained()),
            Mode::Continuous => sources.all(|(_, source)| source.finished()),
        };
        self.listener.event(&Event::Idle { ends });
        ends
    }

    pub(super) fn schemas(&self) -> Result<HashMap<NodeId, SchemaRef>, BatchError> {
        let mut schemas = HashMap::new();
        for (id, source) in &self.start.sources {
            if let Some(schema) = source.schema().map_err(|error| source_failed(id, error))? {
                schemas.insert(id.clone(), schema);
            }
        }
        Ok(schemas)
    }

    /// What is done with rows that can't be taken; `known` are those that are left out beforehand.
    fn aside(&self, letters: &Arc<BatchLetters>, ranges: &Ranges, known: Exclusions) -> Aside {
        let sources = self.start.sources.clone().into_iter();
        let read: Vec<_> = sources.zip(ranges.iter().cloned()).collect();
        let places: Places = Arc::new(move |origin| {
            let (number, within) = origin_of(origin);
            let place = |((id, source), range): &((NodeId, Arc<dyn Source>), SourceRange)| {
                format!("{id}, {}", source.place(range, within))
            };
            read.get(number).map_or(String::new(), place)
        });
        let letters: Arc<dyn Letters> = Arc::<BatchLetters>::clone(letters);
        Aside::new(letters, places, self.start.dead_letters.show_rows, known)
    }

    fn bind(
        &self,
        plan: &JobPlan,
        mark: &BatchMark,
        ranges: &Ranges,
        (aside, states): (Aside, Arc<BatchStates>),
    ) -> Result<Bound, BatchError> {
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
            aside,
        };
        plan.bind(bindings, now, states, self.resources)
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
        let counted = plan.take_counters();
        for (op, now) in plan.usage() {
            let before = self.usage.insert(op.clone(), now).unwrap_or_default();
            let usage = now.since(&before);
            let of_op = counted.iter().filter(|(at, _)| *at == op);
            report.ops.push(OpReport {
                metrics_refused: of_op.map(|(_, counters)| counters.refused).sum(),
                op,
                guest_calls: usage.calls,
                guest_rows_in: usage.rows_in,
                guest_rows_out: usage.rows_out,
                guest_ms: usage.nanos as f64 / 1e6,
                instances: usage.instances,
                guest_memory_max: usage.memory_max,
            });
        }
        for (op, counters) in counted {
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

pub(super) fn source_failed(id: &NodeId, error: crate::source::SourceError) -> BatchError {
    BatchError::Source { id: id.to_string(), error: Box::new(error) }
}

fn letters_failed(batch: BatchId, error: crate::sink::SinkError) -> BatchError {
    BatchError::Sink { id: "dead_letters".to_owned(), batch, error: Box::new(error) }
}

fn sink_failed(id: &SinkId, batch: BatchId, error: crate::sink::SinkError) -> BatchError {
    BatchError::Sink { id: id.to_string(), batch, error: Box::new(error) }
}
