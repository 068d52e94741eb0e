//! How far the sources of a job are, from batch to batch and from run to run.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::error::BatchError;
use super::event_time::STATE as EVENT_TIME;
use super::ranges::Ranges;
use super::records;
use super::run::{Runner, source_failed};
use super::taken::{self, range_of};
use crate::checkpoint::record::{CommitV1, IntentV1, SourcePositionV1};
use crate::durable::defence::{Defence, stands};
use crate::id::{BatchId, NodeId};
use crate::plan::JobPlan;
use crate::source::{SourceRange, Taken};
use crate::state::Staged;

impl Runner<'_> {
    /// Lets sources keep what comes only once where the checkpoint is.
    pub(super) fn keep_sources(&self) -> Result<(), BatchError> {
        let Some(store) = self.ledger.kept_in() else { return Ok(()) };
        for (id, source) in &self.start.sources {
            let kept = source.keep_in(Arc::clone(&store), self.ledger.generation());
            kept.map_err(|error| source_failed(id, error))?;
        }
        Ok(())
    }

    /// Tells sources how far they were read, with the batch that is run again if there is one.
    pub(super) fn resume_sources(
        &mut self,
        commit: Option<&CommitV1>,
        open: Option<&IntentV1>,
    ) -> Result<(), BatchError> {
        let gone = |id: &str| !self.start.sources.iter().any(|(mine, _)| mine.as_str() == id);
        let sources = commit.iter().flat_map(|commit| &commit.sources);
        let gone: Vec<String> = sources.filter(|it| gone(&it.source)).map(no_source).collect();
        if !gone.is_empty() {
            return Err(BatchError::Changed(gone));
        }
        for place in 0..self.start.sources.len() {
            let (id, source) = self.start.sources[place].clone();
            let failed = |error| source_failed(&id, error);
            let mut taken = records::taken(commit, &id).map_err(failed)?;
            taken.files = taken::files(&**self.ledger.store(), &id)?;
            if let Some(intent) = open {
                let range = range_of(intent, &id).map_err(failed)?;
                if let SourceRange::Files(files) = &range {
                    taken.files.extend(files.iter().cloned());
                }
                let identity = intent.sources.iter().find(|it| it.source == id.as_str());
                if let (None, Some(it)) = (&taken.schema, identity) {
                    taken.schema = Taken::from_bytes(&it.identity).map_err(failed)?.schema;
                }
                if !range.is_empty() {
                    taken.last = Some(range);
                }
            }
            if taken != Taken::default() && stands(Defence::SourceResume) {
                source.resume(taken.clone()).map_err(failed)?;
            }
            self.taken[place] = Taken { files: Vec::new(), ..taken };
        }
        Ok(())
    }
    /// Whether the states of a plan are those of the checkpoint.
    pub(super) fn check_states(&self, plan: &JobPlan) -> Result<(), BatchError> {
        let store = self.ledger.store();
        let is_source = |op: &NodeId| {
            op.as_str() == EVENT_TIME || self.start.sources.iter().any(|(id, _)| id == op)
        };
        let mut problems = Vec::new();
        for op in store.ops().into_iter().filter(|op| !is_source(op)) {
            match plan.states.iter().find(|state| state.op == op) {
                None => problems.push(format!(
                    "op `{op}` has a state, and the job has no op of that id that keeps one and \
                     whose rows reach a sink"
                )),
                Some(state) => {
                    if let Err(error) = store.open(&op, &state.schema) {
                        problems.push(error.to_string());
                    }
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(BatchError::Changed(problems)) }
    }

    /// The sources' names.
    pub(super) fn ids(&self) -> Vec<NodeId> {
        self.start.sources.iter().map(|(id, _)| id.clone()).collect()
    }

    /// The columns of the sources, as far as they are known.
    pub(super) fn schemas(&self) -> Result<HashMap<NodeId, SchemaRef>, BatchError> {
        let mut schemas = HashMap::new();
        for (id, source) in &self.start.sources {
            if let Some(schema) = source.schema().map_err(|error| source_failed(id, error))? {
                schemas.insert(id.clone(), schema);
            }
        }
        Ok(schemas)
    }

    /// Notes which columns the sources turned out to have.
    pub(super) fn note_schemas(&mut self) -> Result<(), BatchError> {
        for ((id, source), taken) in self.start.sources.iter().zip(&mut self.taken) {
            if taken.schema.is_none() {
                taken.schema = source.schema().map_err(|error| source_failed(id, error))?;
            }
        }
        Ok(())
    }

    /// Notes how far the sources are read with these ranges.
    pub(super) fn advance(&mut self, ranges: &Ranges) {
        for (taken, range) in self.taken.iter_mut().zip(ranges) {
            if !range.is_empty() {
                taken.last = Some(range.clone());
            }
        }
    }

    /// Notes the files of a batch.
    pub(super) fn note_files(
        &self,
        batch: BatchId,
        ranges: &Ranges,
    ) -> Result<Vec<Staged>, BatchError> {
        let mut noted = Vec::new();
        for ((id, _), range) in self.start.sources.iter().zip(ranges) {
            noted.extend(taken::note(&**self.ledger.store(), id, batch, range)?);
        }
        Ok(noted)
    }
}

fn no_source(position: &SourcePositionV1) -> String {
    format!("source `{}` was read, and the job has none of that id", position.source)
}
