//! The loop: cut → begin → run → prepare → commit → acknowledge, batch after batch.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::deliver::Stage;
use super::error::BatchError;
use super::event::{BatchReport, Event, Totals};
use super::event_time::EventTimes;
use super::initial::Beginnings;
use super::ledger::{self, Ledger};
use super::letters::BatchLetters;
use super::once::{lap, millis};
use super::ranges::Ranges;
use super::records::{self, Frame};
use super::start::{Build, Listener, Start};
use super::trigger::{Mode, Trigger};
use crate::checkpoint::record::{CommitV1, IntentV1};
use crate::checkpoint::{Begun, CheckpointError, Committed, Permit};
use crate::clock::{Micros, Stopwatch};
use crate::durable::crash::{self, Point};
use crate::id::{BatchId, NodeId, SinkId};
use crate::plan::{BatchStates, Exclusions, JobPlan, Progress, Resources, Usage};
use crate::sink::{BatchMark, LastBatch};
use crate::source::{SourceRange, Taken};

/// A plan, and what is the same in all its intents.
pub(super) struct Planned {
    pub(super) plan: JobPlan,
    pub(super) frame: Frame,
}

/// What is to be done next.
enum Next {
    /// A batch.
    Work(Box<Work>),
    /// Nothing yet.
    Nothing,
    /// The end.
    End,
}

/// Runs a job.
pub struct Runner<'a> {
    pub(super) start: Start,
    pub(super) resources: &'a Resources,
    pub(super) listener: &'a dyn Listener,
    pub(super) ledger: Ledger,
    /// How far each source was read.
    pub(super) taken: Vec<Taken>,
    pub(super) last: BatchId,
    pub(super) last_time: Micros,
    /// What sinks had when the run began: batches up to it are not written again.
    pub(super) had: Vec<Option<LastBatch>>,
    pub(super) usage: HashMap<String, Usage>,
    /// Event times and watermarks.
    pub(super) times: EventTimes,
    pub(super) beginnings: Beginnings,
}

/// A batch whose rows run out of time or memory in other places each time is given up after so many
/// runs more.
const RERUNS_MAX: u32 = 4;

/// A batch that is written down and not run yet.
pub(super) struct Work {
    pub(super) intent: IntentV1,
    pub(super) begun: Option<Begun>,
    pub(super) ranges: Ranges,
    /// Whether an earlier process may have run it.
    pub(super) again: bool,
    /// The ranges that it was begun with, if the input of it is not there any more.
    pub(super) whole: Option<Ranges>,
}

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
        let mut start = start;
        let ledger = start.ledger.take();
        let ledger = ledger.unwrap_or_else(|| Ledger::in_memory(start.parallelism));
        let (last, last_time) = (BatchId(0), Micros(i64::MIN));
        let taken = vec![Taken::default(); start.sources.len()];
        let had = vec![None; start.sinks.len()];
        let (usage, beginnings) = (HashMap::new(), Beginnings::default());
        let times = EventTimes::default();
        #[rustfmt::skip]
        let it = Self {
            start, resources, listener, ledger, taken, last, last_time, had, usage, times,
            beginnings,
        };
        it
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
        let mut next = self.resume()?;
        let _started = self.start_sources()?;
        let (mut plan, mut totals) = (None, Totals::default());
        let mut trigger = Trigger::new(interval);
        loop {
            let work = match next.take() {
                Some(work) => work,
                None => match self.next_work(&mut trigger, &mut plan, build)? {
                    Next::Work(work) => *work,
                    Next::Nothing => continue,
                    Next::End => break,
                },
            };
            let plan = self.planned(&mut plan, build)?;
            let report;
            let done = self.batch(plan, work, &mut trigger);
            (report, next) = done.map_err(|error| self.ledger.lost().unwrap_or(error))?;
            totals.add(&report);
            self.listener.event(&Event::Batch(report));
        }
        self.listener.event(&Event::Stopped(totals));
        Ok(totals)
    }

    /// The next batch, written down, when it is due and there is something for it.
    fn next_work(
        &mut self,
        trigger: &mut Trigger,
        plan: &mut Option<Planned>,
        build: &Build<'_>,
    ) -> Result<Next, BatchError> {
        trigger.wait(&self.start.stop);
        let draining = self.start.stop.draining();
        let ranges = if draining { self.last_ranges(plan.is_some())? } else { self.cut_ranges()? };
        if ranges.iter().all(SourceRange::is_empty) {
            let ends = !draining && self.windows_end(plan, build)?;
            if draining || !ends && self.ends() {
                return Ok(Next::End);
            }
            if !ends && !self.has_timers(plan, build)? {
                trigger.idle(&self.start.stop, self.look_again(plan));
                return Ok(Next::Nothing);
            }
        }
        self.planned(plan, build)?;
        let Some(planned) = plan.as_ref() else { return Ok(Next::Nothing) };
        let intent = self.intent(planned, &ranges)?;
        let begun = self.with_room(|ledger| ledger.begin(&intent))?;
        Ok(Next::Work(Box::new(Work { intent, begun, ranges, again: false, whole: None })))
    }

    /// The plan, with a place for the state of each of its ops.
    pub(super) fn planned<'p>(
        &mut self,
        plan: &'p mut Option<Planned>,
        build: &Build<'_>,
    ) -> Result<&'p Planned, BatchError> {
        if plan.is_none() {
            let built = build(&self.schemas()?)?;
            self.check_states(&built)?;
            self.begin_states(&built)?;
            for state in &built.states {
                self.ledger.store().open(&state.op, &state.schema)?;
            }
            self.times = EventTimes::load(&**self.ledger.store())?;
            let frame = Frame {
                job: self.start.digest,
                name: self.start.job.to_string(),
                ops: records::ops(&built),
                states: built.states.iter().map(|state| state.op.clone()).collect(),
                deterministic: built.rights().is_empty(),
            };
            *plan = Some(Planned { plan: built, frame });
        }
        plan.as_ref().ok_or_else(|| BatchError::Machine("there is no plan".to_owned()))
    }

    /// What is written down of the next batch.
    pub(super) fn intent(
        &mut self,
        planned: &Planned,
        ranges: &Ranges,
    ) -> Result<IntentV1, BatchError> {
        self.last = self.last.next();
        let time = self.next_time();
        self.note_schemas()?;
        let mut sources = records::ranges(&self.ids(), ranges, &self.taken);
        sources.extend(self.beginnings.ranges());
        let watermarks = self.new_watermarks(&planned.plan.timing, time);
        Ok(IntentV1 { watermarks, ..planned.frame.intent(self.last.0, time.0, sources) })
    }

    /// One batch, from its input to its visible output; with the next one, if it is due.
    fn batch(
        &mut self,
        planned: &Planned,
        mut work: Work,
        trigger: &mut Trigger,
    ) -> Result<(BatchReport, Option<Work>), BatchError> {
        let (batch, time) = (BatchId(work.intent.batch), Micros(work.intent.time));
        let mut report = BatchReport::new(batch, time);
        let (took, mut step) = (Stopwatch::start(), Stopwatch::start());
        let ran = self.run_until_settled(planned, &mut work, (&mut report, &mut step))?;
        let prepared = self.prepare(ran.staged, &ran.letters, batch)?;
        lap(&mut report, "prepare", &mut step);
        let attempt = ledger::attempt();
        let mut staged = ran.states.take();
        staged.extend(self.note_files(batch, work.whole.as_ref().unwrap_or(&work.ranges))?);
        let times = ran.states.times();
        staged.extend(self.note_times(&planned.plan.timing, times, &work.intent)?);
        report.times(times, &work.intent.watermarks);
        let changes = self.ledger.stage(batch, attempt, staged)?;
        let permit = self.permit(&work, attempt, &prepared, &changes)?;
        lap(&mut report, "record", &mut step);
        let visible = self.commit_sinks(prepared, batch)?;
        lap(&mut report, "commit", &mut step);
        (report.rows_in, report.bytes_in) = (ran.progress.rows(), ran.progress.bytes());
        report.files_lost = work.files_lost();
        self.advance(&work.ranges);
        let record = self.commit_record(&work, &changes, &visible, report.rows_in);
        let next = self.due_now(planned, trigger)?;
        let (committed, next) = self.write_commit(permit.as_ref(), &record, next)?;
        self.ledger.show(batch, changes)?;
        self.acknowledge(committed.as_ref(), &work.ranges);
        lap(&mut report, "write", &mut step);
        (report.sinks, report.refused) = (visible.sinks, visible.refused);
        report.processing_ms = millis(took.elapsed());
        self.count(&planned.plan, &mut report);
        Ok((report, next))
    }

    /// Runs the plan; once more, without them, if rows ran out of time or memory.
    fn run_until_settled(
        &mut self,
        planned: &Planned,
        work: &mut Work,
        (report, step): (&mut BatchReport, &mut Stopwatch),
    ) -> Result<Ran, BatchError> {
        let mark = self.mark(work);
        let mut known = records::exclusions(&work.intent.excluded);
        while report.reruns <= RERUNS_MAX {
            let letters = Arc::new(BatchLetters::new(&self.start.dead_letters, mark.clone()));
            let aside = self.aside(Arc::<BatchLetters>::clone(&letters), &work.ranges, known);
            let times = self.times_of(&planned.plan.timing, &work.intent);
            let states = self.batch_states(&planned.plan, &mark, times)?;
            let bound = self.bind(
                &planned.plan,
                &mark,
                &work.ranges,
                (aside.clone(), Arc::clone(&states)),
            )?;
            let staged = self.begin(&planned.plan, &mark)?;
            lap(report, "bind", step);
            let bytes = work.ranges.iter().map(SourceRange::bytes).sum();
            self.listener.progress(mark.batch, bytes, bound.progress());
            self.run_plan(&planned.plan, &bound, &staged, mark.batch)?;
            lap(report, "run", step);
            let Some(found) = aside.found() else {
                let progress = Arc::clone(bound.progress());
                if self.start.verify {
                    self.verify(&planned.plan, &mark, work, (&aside, &staged, &states))?;
                }
                self.beginnings.done(&planned.plan);
                return Ok(Ran { staged, letters, progress, states });
            };
            self.leave_out(work, &found)?;
            known = found;
            report.reruns += 1;
        }
        Err(BatchError::Unsettled(mark.batch))
    }

    /// Writes down which rows are left out, before the batch is run without them.
    fn leave_out(&mut self, work: &mut Work, found: &Exclusions) -> Result<(), BatchError> {
        let batch = BatchId(work.intent.batch);
        if self.had.iter().flatten().any(|had| had.batch >= batch) {
            let with = "without these rows running out of time or memory".to_owned();
            return Err(BatchError::Otherwise { batch, with });
        }
        work.intent.revision += 1;
        work.intent.excluded = records::excluded(found);
        let (begun, intent) = (work.begun.take(), &work.intent);
        work.begun = self.with_room(|ledger| ledger.supersede(begun.as_ref(), intent))?;
        Ok(())
    }

    fn mark(&self, work: &Work) -> BatchMark {
        BatchMark {
            job: self.start.job.clone(),
            run: Arc::clone(&self.start.run),
            generation: self.ledger.generation(),
            batch: BatchId(work.intent.batch),
            time: Micros(work.intent.time),
            again: work.again,
        }
    }

    /// Writes down that the batch is done, and that the next one begins.
    fn write_commit(
        &mut self,
        permit: Option<&Permit>,
        record: &CommitV1,
        next: Option<Work>,
    ) -> Result<(Option<Committed>, Option<Work>), BatchError> {
        let intent = next.as_ref().map(|work| work.intent.clone());
        let (committed, begun) =
            self.with_room(|ledger| ledger.commit(permit, record, intent.as_ref()))?;
        let Some(mut work) = next else { return Ok((committed, None)) };
        work.begun = match begun {
            None => self.with_room(|ledger| ledger.begin(&work.intent))?,
            begun => begun,
        };
        Ok((committed, Some(work)))
    }

    /// Asks the ledger again and again while the disk is full.
    pub(super) fn with_room<T>(
        &mut self,
        mut ask: impl FnMut(&mut Ledger) -> Result<T, CheckpointError>,
    ) -> Result<T, BatchError> {
        let mut told = false;
        loop {
            match ask(&mut self.ledger) {
                Err(error) if error.can_wait() && !self.start.stop.draining() => {
                    if !std::mem::replace(&mut told, true) {
                        self.listener.event(&Event::NoSpace { message: error.to_string() });
                    }
                    // Nothing tells that there is room again.
                    self.start.stop.wake().wait(Some(Duration::from_secs(1)));
                }
                done => return Ok(done?),
            }
        }
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

    /// Tells the sources that they need not give a batch again. With a checkpoint its commit is
    /// what allows it.
    fn acknowledge(&self, committed: Option<&Committed>, ranges: &Ranges) {
        debug_assert!(committed.is_some() == self.ledger.is_kept());
        crash::point(Point::AcknowledgeBegins);
        for ((_, source), range) in self.start.sources.iter().zip(ranges) {
            source.acknowledge(range);
        }
        crash::point(Point::Acknowledged);
    }
}

pub(super) fn source_failed(id: &NodeId, error: crate::source::SourceError) -> BatchError {
    BatchError::Source { id: id.to_string(), error: Box::new(error) }
}

pub(super) fn letters_failed(batch: BatchId, error: crate::sink::SinkError) -> BatchError {
    BatchError::Sink { id: "dead_letters".to_owned(), batch, error: Box::new(error) }
}

pub(super) fn sink_failed(
    id: &SinkId,
    batch: BatchId,
    error: crate::sink::SinkError,
) -> BatchError {
    BatchError::Sink { id: id.to_string(), batch, error: Box::new(error) }
}
