//! What there is after a start: everything that the decision follows from.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::error::BatchError;
use super::output::LETTERS;
use super::records;
use super::resume::Found;
use super::run::{Runner, letters_failed, sink_failed, source_failed};
use super::taken::range_of;
use crate::checkpoint::record::{IntentV1, PreparedV1};
use crate::checkpoint::{History, LogSeen, Observed, OnDataLoss, SinkMark, SinkSeen};
use crate::clock::{self, Micros};
use crate::id::{BatchId, Digest, NodeId};
use crate::sink::{BatchMark, LastBatch, Sink, SinkError};
use crate::source::Source;

impl Runner<'_> {
    /// Asks every sink what it has.
    pub(super) fn look_at_sinks(&mut self) -> Result<(), BatchError> {
        for (place, (id, sink)) in self.start.sinks.iter().enumerate() {
            let last = sink.last(&self.start.job, &self.start.run);
            self.had[place] = last.map_err(|error| sink_failed(id, self.last, error))?;
        }
        Ok(())
    }

    /// Files of pieces that are not there.
    pub(super) fn missing(&self, history: &History) -> Result<BTreeSet<String>, BatchError> {
        let there = self.ledger.files()?;
        let states = history.done.iter().flat_map(|done| &done.commit.states);
        let prepared = history.open.iter().filter_map(|open| open.prepared.as_ref());
        let states = states.chain(prepared.flat_map(|prepared| &prepared.states));
        let files = states.filter_map(crate::checkpoint::file_of);
        Ok(files.filter(|file| !there.contains(*file)).map(str::to_owned).collect())
    }

    pub(super) fn observed(
        &self,
        found: &Found,
        history: &History,
        unusable: &BTreeSet<String>,
    ) -> Result<Observed, BatchError> {
        let open = history.open.as_ref();
        let generation = found.recovery.generation;
        let lost = match open {
            Some(open) => self.lost_of(&open.intent)?,
            None => Vec::new(),
        };
        Ok(Observed {
            log: LogSeen::Read {
                history: history.clone(),
                torn: found.recovery.torn.clone(),
                mine: generation,
                newest: generation,
            },
            sinks: self.sinks_seen(open.and_then(|open| open.prepared.as_ref()), generation)?,
            unusable: unusable.clone(),
            missing_plugins: open.map(|open| self.other_code(&open.intent)).unwrap_or_default(),
            lost_input: lost,
            adopt_sinks: found.adopt_sinks,
            now: clock::now().0,
        })
    }

    pub(super) fn sinks_seen(
        &self,
        prepared: Option<&PreparedV1>,
        generation: u64,
    ) -> Result<Vec<SinkSeen>, BatchError> {
        let mut all = Vec::new();
        for ((id, sink), had) in self.start.sinks.iter().zip(&self.had) {
            let staged = self.staged(prepared, id.as_str(), &**sink, generation);
            all.push(SinkSeen {
                sink: id.to_string(),
                marks: sink.marks(),
                last: had.map(|had| seen(&had)),
                staged: staged.map_err(|error| sink_failed(id, self.last, error))?,
            });
        }
        let letters = &*self.start.dead_letters.sink;
        let failed = |error| letters_failed(self.last, error);
        let last = letters.last(&self.start.job, &self.start.run).map_err(failed)?;
        all.push(SinkSeen {
            sink: LETTERS.to_owned(),
            marks: true,
            last: last.map(|last| seen(&last)),
            staged: self.staged(prepared, LETTERS, letters, generation).map_err(failed)?,
        });
        Ok(all)
    }

    /// Whether what was prepared for a sink is still there, or there is nothing to find.
    pub(super) fn staged(
        &self,
        prepared: Option<&PreparedV1>,
        id: &str,
        sink: &dyn Sink,
        generation: u64,
    ) -> Result<bool, SinkError> {
        let Some(prepared) = prepared else { return Ok(false) };
        let Some(staged) = prepared.sinks.iter().find(|it| it.sink == id) else { return Ok(true) };
        if staged.rows.rows == 0 || !sink.marks() {
            return Ok(true);
        }
        let mark = self.old_mark(prepared.batch, 0, generation);
        match sink.find(&mark, &staged.staged)? {
            Some(output) => {
                output.leave();
                Ok(true)
            }
            None => Ok(false),
        }
    }

    pub(super) fn old_mark(&self, batch: u64, time: i64, generation: u64) -> BatchMark {
        BatchMark {
            job: self.start.job.clone(),
            run: Arc::clone(&self.start.run),
            generation,
            batch: BatchId(batch),
            time: Micros(time),
            again: true,
        }
    }

    /// Input of a batch that can't be read again, of sources that should give it once more.
    fn lost_of(&self, intent: &IntentV1) -> Result<Vec<(String, OnDataLoss)>, BatchError> {
        let policy = |source: &dyn Source| match source.goes_on() {
            true => OnDataLoss::GoOn,
            false => OnDataLoss::Fail,
        };
        let mut lost = Vec::new();
        for (id, source) in self.start.sources.iter().filter(|(_, source)| source.replays()) {
            let gone = self.lost_input(intent, (id, &**source))?;
            lost.extend(gone.into_iter().map(|what| (what, policy(&**source))));
        }
        Ok(lost)
    }

    /// Input of a batch that a source can't give again, for people.
    pub(super) fn lost_input(
        &self,
        intent: &IntentV1,
        (id, source): (&NodeId, &dyn Source),
    ) -> Result<Vec<String>, BatchError> {
        let range = range_of(intent, id).map_err(|error| source_failed(id, error))?;
        Ok(source.lost(&range).into_iter().map(|what| format!("{id}: {what}")).collect())
    }

    /// Components of a batch that are not those of the job any more. They matter only if some sink
    /// has the batch: otherwise it is begun anew with those of today.
    pub(super) fn other_code(&self, intent: &IntentV1) -> Vec<String> {
        if !self.had.iter().flatten().any(|had| had.batch.0 >= intent.batch) {
            return Vec::new();
        }
        let known = |digest: &[u8; 32]| self.start.code.iter().any(|mine| mine.0 == *digest);
        let entries = intent.ops.iter().flat_map(|op| &op.entries);
        let others = entries.filter(|entry| !known(&entry.digest));
        others.map(|entry| Digest(entry.digest).hex()).collect()
    }
}

fn seen(had: &LastBatch) -> SinkMark {
    let rows = records::rows(had.digest);
    SinkMark { batch: had.batch.0, generation: had.generation, rows }
}
