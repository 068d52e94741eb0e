//! The output of a batch on its way to being visible: begun, prepared, permitted, committed.

use std::sync::Arc;

use super::deliver::Stage;
use super::error::BatchError;
use super::event::{RefusedReport, SinkReport};
use super::ledger::Changes;
use super::letters::{BatchLetters, PreparedLetters};
use super::records;
use super::run::{Runner, Work, letters_failed, sink_failed};
use crate::checkpoint::Permit;
use crate::checkpoint::record::{CommitV1, PreparedV1, RowsV1, SinkCommitV1, StagedV1};
use crate::durable::crash::{self, Point};
use crate::durable::defence::{Defence, stands};
use crate::id::{BatchId, SinkId};
use crate::plan::JobPlan;
use crate::sink::{BatchMark, Digest, Prepared, SinkError};

/// What dead letters are called among the sinks.
pub(super) const LETTERS: &str = "dead_letters";

/// The output of a batch, ready and invisible.
pub(super) struct Ready {
    sinks: Vec<ReadySink>,
    letters: PreparedLetters,
}

struct ReadySink {
    id: SinkId,
    marks: bool,
    keeps_marks: bool,
    /// None if the sink has the batch already.
    output: Option<Box<dyn Prepared>>,
    digest: Digest,
}

/// What became visible.
pub(super) struct Visible {
    pub(super) sinks: Vec<SinkReport>,
    pub(super) refused: Vec<RefusedReport>,
    records: Vec<SinkCommitV1>,
    letters: u64,
}

impl Runner<'_> {
    /// Begins the output at every sink that does not have the batch.
    pub(super) fn begin(
        &self,
        plan: &JobPlan,
        mark: &BatchMark,
    ) -> Result<Vec<Arc<Stage>>, BatchError> {
        let sinks = self.start.sinks.iter().zip(&plan.sinks).zip(&self.had);
        sinks
            .map(|(((id, sink), planned), had)| {
                if had.is_some_and(|had| had.batch >= mark.batch) {
                    return Ok(Arc::new(Stage::new(None, true)));
                }
                let staging = sink
                    .begin(mark, planned.schema(), planned.partitions())
                    .map_err(|error| sink_failed(id, mark.batch, error))?;
                Ok(Arc::new(Stage::new(Some(staging), sink.marks())))
            })
            .collect()
    }

    /// Makes the output durable, still invisible.
    pub(super) fn prepare(
        &self,
        staged: Vec<Arc<Stage>>,
        letters: &BatchLetters,
        batch: BatchId,
    ) -> Result<Ready, BatchError> {
        let letters = letters.prepare().map_err(|error| letters_failed(batch, error))?;
        let sinks = self.start.sinks.iter().zip(staged).zip(&self.had);
        let sinks = sinks
            .map(|(((id, sink), stage), had)| {
                crash::point(Point::SinkPrepareBegins);
                let digest = stage.digest();
                let stage = Arc::into_inner(stage).ok_or_else(|| {
                    BatchError::Machine("a lane still writes after its end".to_owned())
                })?;
                let failed = |error| sink_failed(id, batch, error);
                let output = match stage.staging {
                    Some(staging) => Some(staging.prepare(digest).map_err(failed)?),
                    None => {
                        let had = had.filter(|had| had.batch == batch).map(|had| had.digest);
                        if let Some(had) = had.filter(|had| *had != Digest::UNKNOWN) {
                            had.check_same(digest, batch).map_err(failed)?;
                        }
                        None
                    }
                };
                crash::point(Point::SinkPrepared);
                let (marks, keeps_marks) = (sink.marks(), sink.keeps_marks());
                Ok(ReadySink { id: id.clone(), marks, keeps_marks, output, digest })
            })
            .collect::<Result<_, BatchError>>()?;
        Ok(Ready { sinks, letters })
    }

    /// Gets the right to commit. What is ready is written down before, if a crash between two
    /// commits could not be mended by running the batch again.
    pub(super) fn permit(
        &mut self,
        work: &Work,
        attempt: u128,
        ready: &Ready,
        changes: &Changes,
    ) -> Result<Option<Permit>, BatchError> {
        let marked = ready.sinks.iter().filter(|sink| sink.marks).count();
        let outputs = marked + usize::from(ready.letters.staged().is_some());
        let needed = outputs > 1 && stands(Defence::Prepared) || !work.intent.deterministic;
        let record = needed.then(|| ready.record(work, changes));
        let begun = work.begun.as_ref();
        self.with_room(|ledger| ledger.permit(begun, attempt, record.as_ref()))
    }

    /// Makes the output visible, sink by sink, dead letters last.
    pub(super) fn commit_sinks(&self, ready: Ready, batch: BatchId) -> Result<Visible, BatchError> {
        let (mut sinks, mut records) = (Vec::new(), Vec::new());
        let mut rest = ready.sinks.into_iter();
        while let Some(sink) = rest.next() {
            crash::point(Point::SinkCommitBegins);
            match sink.commit(&mut records) {
                Ok(report) => sinks.push(report),
                Err((id, error)) => {
                    // A record may say that they are ready.
                    rest.filter_map(|sink| sink.output).for_each(Prepared::leave);
                    ready.letters.leave();
                    return Err(sink_failed(&id, batch, error));
                }
            }
            crash::point(Point::SinkCommitted);
        }
        let committed = ready.letters.commit().map_err(|error| letters_failed(batch, error))?;
        let (refused, letters) = committed;
        let letters = letters.map_or(0, |digest| digest.rows);
        crash::point(Point::SinksDone);
        Ok(Visible { sinks, refused, records, letters })
    }

    /// What is written down when every sink has the batch.
    pub(super) fn commit_record(
        &self,
        work: &Work,
        changes: &Changes,
        visible: &Visible,
        rows_in: u64,
    ) -> CommitV1 {
        CommitV1 {
            batch: work.intent.batch,
            revision: work.intent.revision,
            time: work.intent.time,
            states: changes.records.clone(),
            sinks: visible.records.clone(),
            sources: records::positions(&self.ids(), &self.taken),
            input: RowsV1 { rows: rows_in, sum: 0 },
            dead_letters: visible.letters,
            accumulators: Vec::new(),
        }
    }
}

impl ReadySink {
    fn commit(self, records: &mut Vec<SinkCommitV1>) -> Result<SinkReport, (SinkId, SinkError)> {
        let Self { id, keeps_marks, output, digest, .. } = self;
        records.push(SinkCommitV1 {
            sink: id.to_string(),
            marker: if keeps_marks { vec![1] } else { Vec::new() },
            rows: records::rows(digest),
        });
        let Some(output) = output else {
            let (rows, place) = (digest.rows, None);
            return Ok(SinkReport { sink: id.to_string(), rows, place, existed: true });
        };
        match output.commit() {
            Ok(written) => Ok(SinkReport {
                sink: id.to_string(),
                rows: written.rows,
                place: written.place,
                existed: written.existed,
            }),
            Err(error) => Err((id, error)),
        }
    }
}

impl Ready {
    fn record(&self, work: &Work, changes: &Changes) -> PreparedV1 {
        let sinks = self.sinks.iter().filter_map(|sink| {
            Some(StagedV1 {
                sink: sink.id.to_string(),
                staged: sink.output.as_ref()?.staged(),
                rows: records::rows(sink.digest),
            })
        });
        let letters = self.letters.staged().map(|(staged, digest)| StagedV1 {
            sink: LETTERS.to_owned(),
            staged,
            rows: records::rows(digest),
        });
        PreparedV1 {
            batch: work.intent.batch,
            revision: work.intent.revision,
            states: changes.records.clone(),
            sinks: sinks.chain(letters).collect(),
        }
    }
}
