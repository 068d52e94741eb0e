//! Output that was ready when a process ended: it is made visible without a second run.

use super::error::BatchError;
use super::output::LETTERS;
use super::records;
use super::resume::Found;
use super::run::{Runner, sink_failed, source_failed};
use super::taken::range_of;
use crate::checkpoint::record::{CommitV1, PreparedV1, RowsV1, SinkCommitV1, StagedV1};
use crate::checkpoint::{Checkpoint, History};
use crate::id::SinkId;
use crate::sink::{BatchMark, Sink};
use crate::source::Taken;

impl Runner<'_> {
    /// Commits what was ready when the process ended, where it is missing.
    pub(super) fn finish_staged(
        &mut self,
        found: &Found,
        history: &History,
        prepared: &PreparedV1,
        missing: &[String],
    ) -> Result<(), BatchError> {
        let permit = self
            .with_room(|ledger| ledger.checkpoint().map(Checkpoint::resume_prepared).transpose())?;
        let mark = self.old_mark(prepared.batch, 0, found.recovery.generation);
        let mut records = Vec::new();
        for staged in &prepared.sinks {
            if missing.contains(&staged.sink) {
                self.publish(&mark, staged)?;
            }
            if staged.sink != LETTERS {
                let sink = staged.sink.clone();
                records.push(SinkCommitV1 { sink, marker: Vec::new(), rows: staged.rows });
            }
        }
        let record = self.staged_record(history, prepared, records)?;
        self.with_room(|ledger| ledger.commit(permit.as_ref(), &record, None)).map(|_| ())
    }

    /// Makes what is ready for a sink visible. What is not there had no rows, or no mark.
    fn publish(&self, mark: &BatchMark, staged: &StagedV1) -> Result<(), BatchError> {
        let sink: Option<&dyn Sink> = match staged.sink == LETTERS {
            true => Some(&*self.start.dead_letters.sink),
            false => {
                let mut sinks = self.start.sinks.iter();
                let sink = sinks.find(|(id, _)| id.as_str() == staged.sink);
                sink.map(|(_, sink)| &**sink)
            }
        };
        let id = SinkId::new(staged.sink.as_str());
        let failed = |error| sink_failed(&id, mark.batch, error);
        let output = match sink {
            Some(sink) => sink.find(mark, &staged.staged).map_err(failed)?,
            None => None,
        };
        if let Some(output) = output {
            output.commit().map_err(failed)?;
        }
        Ok(())
    }

    fn staged_record(
        &mut self,
        history: &History,
        prepared: &PreparedV1,
        sinks: Vec<SinkCommitV1>,
    ) -> Result<CommitV1, BatchError> {
        let intent = history.open.as_ref().map(|open| open.intent.clone()).unwrap_or_default();
        let mut taken = Vec::new();
        for (id, _) in &self.start.sources {
            let failed = |error| source_failed(id, error);
            let mut of_source = records::taken(history.last_commit(), id).map_err(failed)?;
            let recorded = intent.sources.iter().find(|it| it.source == id.as_str());
            if let Some(it) = recorded {
                let schema = Taken::from_bytes(&it.identity).map_err(failed)?.schema;
                of_source.schema = of_source.schema.or(schema);
            }
            let range = range_of(&intent, id).map_err(failed)?;
            if !range.is_empty() {
                of_source.last = Some(range);
            }
            taken.push(of_source);
        }
        let letters = prepared.sinks.iter().find(|it| it.sink == LETTERS);
        Ok(CommitV1 {
            batch: prepared.batch,
            revision: prepared.revision,
            time: intent.time,
            states: prepared.states.clone(),
            sinks,
            sources: records::positions(&self.ids(), &taken),
            input: RowsV1::default(),
            dead_letters: letters.map_or(0, |it| it.rows.rows),
            accumulators: Vec::new(),
        })
    }
}
