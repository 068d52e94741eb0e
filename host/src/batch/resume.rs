//! What is done after a start, before the first new batch: what was found decides.

use super::error::BatchError;
use super::event::Event;
use super::ranges::Ranges;
use super::records;
use super::run::{Runner, Work, source_failed};
use super::taken::range_of;
use crate::checkpoint::record::{IntentV1, PreparedV1, StateRefV1};
use crate::checkpoint::{Checkpoint, History, Note, Recover, Recovery, StateStep, decide};
use crate::clock::Micros;
use crate::id::BatchId;
use crate::sink::Digest;
use crate::state::StateError;

/// So many processes may begin a batch one after the other before it is left alone.
const STARTS_MAX: u64 = 25;

/// So many damaged pieces of state are gone round before the start is given up.
const DETOURS_MAX: usize = 16;

/// What was found in the checkpoint, and how to go on from it.
pub struct Found {
    /// What is there.
    pub recovery: Recovery,
    /// The batch after which to go on; none = the last one.
    pub from: Option<u64>,
    /// Whether sinks that are ahead or behind are taken as they are.
    pub adopt_sinks: bool,
    /// Whether a batch is begun once more that many processes did not end.
    pub try_again: bool,
}

impl Runner<'_> {
    /// Takes up what an earlier run has left. Gives a batch that has to be run again.
    pub(super) fn resume(&mut self) -> Result<Option<Work>, BatchError> {
        let Some(found) = self.start.found.take() else { return Ok(None) };
        self.keep_sources()?;
        let mut history = found.recovery.history.clone();
        if let Some(batch) = found.from.filter(|batch| !history.rewind(*batch)) {
            // Says which batches there are.
            self.forget_after(batch)?;
        }
        check_starts(&found, &history)?;
        self.look_at_sinks()?;
        let mut unusable = self.missing(&history)?;
        for _ in 0..DETOURS_MAX {
            let seen = self.observed(&found, &history, &unusable)?;
            let decision = decide(&seen);
            match self.act(&found, &history, decision.recover, &decision.notes) {
                Err(BatchError::State(
                    StateError::Damaged { part, .. } | StateError::Missing { part },
                )) if part.starts_with("state/") && unusable.insert(part.clone()) => {}
                done => return done,
            }
        }
        Err(BatchError::Machine("too many pieces of the state are damaged".to_owned()))
    }

    fn act(
        &mut self,
        found: &Found,
        history: &History,
        recover: Recover,
        notes: &[Note],
    ) -> Result<Option<Work>, BatchError> {
        let first = recover.to_string();
        let gone = self.forgo(history, &recover)?;
        let last = BatchId(history.last());
        let done = history.done.last().and_then(|done| done.intent.as_ref());
        let staged = matches!(recover, Recover::CommitStaged { .. });
        let open = history.open.as_ref().map(|open| &open.intent).filter(|_| staged);
        done.into_iter().chain(open).for_each(|intent| self.beginnings.note_done(intent));
        self.last_time = Micros(history.last_time().unwrap_or(i64::MIN));
        let again = self.follow(found, history, recover)?;
        if !found.recovery.fresh {
            let notes = notes.iter().map(note).chain(gone).collect();
            self.listener.event(&Event::Resumed { after: last.0, first, notes });
        }
        Ok(again)
    }

    /// A batch that is run again comes without the input that nobody has any more. A sink that has
    /// it keeps what it has.
    fn forgo(&mut self, history: &History, recover: &Recover) -> Result<Vec<String>, BatchError> {
        let again = matches!(recover, Recover::Rerun { .. } | Recover::FinishForward { .. });
        let Some(open) = history.open.as_ref().filter(|_| again) else { return Ok(Vec::new()) };
        // What those that go on without it have lost was told by the decision.
        let (mut gone, mut less) = (Vec::new(), false);
        for (id, source) in &self.start.sources {
            let lost = self.lost_input(&open.intent, (id, &**source))?;
            less |= !lost.is_empty();
            gone.extend(lost.into_iter().filter(|_| !source.replays()));
        }
        if less {
            let open = BatchId(open.intent.batch);
            let mut had = self.had.iter_mut().flatten().filter(|had| had.batch == open);
            had.by_ref().for_each(|had| had.digest = Digest::UNKNOWN);
        }
        Ok(gone
            .into_iter()
            .map(|what| format!("batch {} comes without {what}", open.intent.batch))
            .collect())
    }

    fn follow(
        &mut self,
        found: &Found,
        history: &History,
        recover: Recover,
    ) -> Result<Option<Work>, BatchError> {
        let (last, commit) = (BatchId(history.last()), history.last_commit());
        let mut again = None;
        match recover {
            Recover::Fresh => {}
            Recover::Refuse(why) => return Err(BatchError::Refused(Box::new(why))),
            Recover::Fenced { by } => return Err(fenced(by)),
            Recover::Continue { state, .. } => {
                self.ledger.restore(&state, last)?;
                self.rewind(found)?;
                self.resume_sources(commit, None)?;
                self.last = last;
            }
            Recover::Rerun { intent, state } | Recover::FinishForward { intent, state, .. } => {
                self.ledger.restore(&state, last)?;
                self.resume_sources(commit, Some(&intent))?;
                again = Some(self.work_again(intent)?);
            }
            Recover::CommitStaged { prepared, missing, state } => {
                self.finish_staged(found, history, &prepared, &missing)?;
                let steps = [state, steps_of(&prepared)].concat();
                self.last = BatchId(prepared.batch);
                self.ledger.restore(&steps, self.last)?;
                self.resume_sources(commit, history.open.as_ref().map(|open| &open.intent))?;
            }
        }
        Ok(again)
    }

    /// Forgets what came after the batch that the person wants to go on from.
    fn rewind(&mut self, found: &Found) -> Result<(), BatchError> {
        let later = |batch: &u64| {
            *batch < found.recovery.history.last() || found.recovery.history.open.is_some()
        };
        found.from.filter(later).map_or(Ok(()), |batch| self.forget_after(batch))
    }

    fn forget_after(&mut self, batch: u64) -> Result<(), BatchError> {
        self.with_room(|ledger| match ledger.checkpoint() {
            Some(checkpoint) => checkpoint.rewind(batch),
            None => Ok(()),
        })
    }

    /// The batch that was begun, as it was begun.
    fn work_again(&mut self, intent: IntentV1) -> Result<Work, BatchError> {
        let begun =
            self.with_room(|ledger| ledger.checkpoint().map(Checkpoint::resume).transpose())?;
        if intent.engine != records::ENGINE {
            // The hashes of rows may be others.
            self.had.iter_mut().flatten().for_each(|had| had.digest.sum = 0);
        }
        let (mut ranges, mut whole) = (Ranges::new(), Ranges::new());
        for (id, source) in &self.start.sources {
            let range = range_of(&intent, id).map_err(|error| source_failed(id, error))?;
            let goes_on = source.goes_on();
            ranges.push(if goes_on { source.remaining(&range) } else { range.clone() });
            whole.push(range);
        }
        let begun_with = self.beginnings.note_begun(&intent);
        begun_with.map_err(|error| BatchError::Machine(error.to_string()))?;
        self.last = BatchId(intent.batch);
        let whole = Some(whole).filter(|whole| *whole != ranges);
        Ok(Work { intent, begun, ranges, again: true, whole })
    }
}

/// A batch that ends every process is not begun for ever.
fn check_starts(found: &Found, history: &History) -> Result<(), BatchError> {
    let Some(open) = &history.open else { return Ok(()) };
    let starts = found.recovery.generation.saturating_sub(open.begins.segment.generation);
    if starts <= STARTS_MAX || found.try_again {
        return Ok(());
    }
    Err(BatchError::Poisoned { batch: BatchId(open.intent.batch), starts })
}

fn fenced(by: u64) -> BatchError {
    BatchError::Machine(format!("a newer owner ({by}) has written to the job's sinks"))
}

/// The pieces of a batch whose commit is not in the log yet, as steps.
fn steps_of(prepared: &PreparedV1) -> Vec<StateStep> {
    let step = |piece: &StateRefV1| StateStep {
        named_by: prepared.batch,
        first_group: piece.first_group,
        last_group: piece.last_group,
        piece: piece.clone(),
    };
    prepared.states.iter().map(step).collect()
}

fn note(note: &Note) -> String {
    match note {
        Note::Torn(torn) => format!(
            "the end of `{}` was cut off in the middle of a write and is dropped",
            torn.file
        ),
        Note::Lost(what) => format!("input is gone: {what}"),
        Note::ClockBehind(by) => {
            format!("the clock is {} ms behind the last batch: times go on from there", by / 1000)
        }
        Note::Adopted(sink) => format!("sink `{sink}` is taken as it is"),
    }
}
