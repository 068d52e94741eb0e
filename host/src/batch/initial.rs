//! What ops begin with, and what is another thing to them than it was to the batch before.
//!
//! The files of `initial` are read once, in the first batch of an op, of whose input they are a
//! part: the intent names them, so that a batch that is run again reads the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;

use super::error::BatchError;
use super::records;
use super::run::Runner;
use crate::checkpoint::record::{IntentV1, SourceRangeV1};
use crate::id::NodeId;
use crate::plan::{BatchStates, Initial, JobPlan, OpState, Times};
use crate::sink::BatchMark;
use crate::source::{ReadMode, SourceError, SourceRange, Taken};
use crate::state::{KEY_GROUPS, StateError};

/// Why an op can't begin with what its files say.
#[derive(Debug, thiserror::Error)]
pub enum InitialError {
    /// The files can't be read, or a row of them is no state.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// There are none.
    #[error("there is no file at `{path}`")]
    Nothing {
        /// Where the job looks for them.
        path: String,
    },
    /// A key stands there twice.
    #[error("{second} has the key of {first} again")]
    Twice {
        /// The file and line where it stands first.
        first: String,
        /// Where it stands again.
        second: String,
    },
    /// The rows are not such as can be kept.
    #[error(transparent)]
    State(#[from] StateError),
}

impl InitialError {
    /// The stable code that `host explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Source(error) => error.code(),
            Self::Nothing { .. } => "WEIR-RUN-018",
            Self::Twice { .. } => "WEIR-RUN-019",
            Self::State(error) => error.code(),
        }
    }

    /// The way out.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Source(SourceError::Changed { .. }) => Some(
                "the batch was begun with the file as it was: bring that back, or, as nothing is \
                 done yet that needs it, begin anew (`host checkpoint rm`)"
                    .to_owned(),
            ),
            Self::Source(SourceError::Line { .. } | SourceError::FileRow { .. }) => Some(
                "a row has the columns of the key and of the state, as `host plan` shows them: \
                 mend it, or give another file"
                    .to_owned(),
            ),
            Self::Source(error) => error.help(),
            Self::Nothing { .. } => Some(
                "a relative path starts at the folder of job.toml; leave `initial` out to begin \
                 with no states"
                    .to_owned(),
            ),
            Self::Twice { .. } => Some("leave one of the two rows out".to_owned()),
            Self::State(error) => Some(error.help()),
        }
    }
}

/// What ops begin with, and what has changed for them, until the next batch is done.
#[derive(Default)]
pub(super) struct Beginnings {
    /// Ops that had a batch already, with the `ttl` of it in microseconds.
    known: BTreeMap<NodeId, Option<i64>>,
    /// Files that the batch was begun with that is run again.
    recorded: BTreeMap<NodeId, SourceRange>,
    states: Vec<Begins>,
    renewed: BTreeSet<NodeId>,
}

/// The states that an op begins with.
struct Begins {
    op: NodeId,
    range: SourceRange,
    rows: Vec<RecordBatch>,
}

impl Beginnings {
    /// Ops of a batch that was done have begun.
    pub(super) fn note_done(&mut self, intent: &IntentV1) {
        for base in &intent.base {
            let ttl = records::ttl_of(intent, &base.op);
            self.known.insert(NodeId::new(base.op.as_str()), ttl);
        }
    }

    /// A batch is run again with the files that it was begun with.
    pub(super) fn note_begun(&mut self, intent: &IntentV1) -> Result<(), SourceError> {
        for base in &intent.base {
            let recorded = intent.sources.iter().find(|it| it.source == base.op);
            if let Some(it) = recorded {
                let range = SourceRange::from_bytes(&it.range)?;
                self.recorded.insert(NodeId::new(base.op.as_str()), range);
            }
        }
        Ok(())
    }

    /// What a batch reads besides its sources.
    pub(super) fn ranges(&self) -> Vec<SourceRangeV1> {
        let range = |begins: &Begins| SourceRangeV1 {
            source: begins.op.to_string(),
            range: begins.range.to_bytes(),
            identity: Taken::default().to_bytes(),
            text: begins.range.text(),
        };
        self.states.iter().map(range).collect()
    }

    /// A batch has run: its changes have what ops began with.
    pub(super) fn done(&mut self, plan: &JobPlan) {
        let known = plan.states.iter().map(|state| (state.op.clone(), state.keeping.ttl));
        *self = Self { known: known.collect(), ..Self::default() };
    }
}

impl Runner<'_> {
    /// Reads what ops begin with that no batch had yet, and finds those whose `ttl` is another.
    pub(super) fn begin_states(&mut self, plan: &JobPlan) -> Result<(), BatchError> {
        let stored = self.ledger.store().ops();
        for state in &plan.states {
            let known = self.beginnings.known.get(&state.op);
            if known.is_none() && !stored.contains(&state.op) {
                let initial = plan.initial.iter().find(|initial| *initial.op() == state.op);
                if let Some(initial) = initial {
                    let recorded = self.beginnings.recorded.remove(&state.op);
                    let begins = begins(initial, state, recorded);
                    self.beginnings.states.push(begins.map_err(|error| failed(state, error))?);
                }
            } else if known.copied().flatten() != state.keeping.ttl {
                self.beginnings.renewed.insert(state.op.clone());
            }
        }
        Ok(())
    }

    /// The states before a batch, for one run of it.
    pub(super) fn batch_states(
        &self,
        plan: &JobPlan,
        mark: &BatchMark,
        times: Times,
    ) -> Result<Arc<BatchStates>, BatchError> {
        let store = self.ledger.store();
        let mut views = BTreeMap::new();
        for begins in &self.beginnings.states {
            let Some(state) = plan.states.iter().find(|state| state.op == begins.op) else {
                continue;
            };
            let view = state.begin(&begins.rows, store.groups(), (mark.batch, mark.time));
            let view = view.map_err(|error| failed(state, error.into()))?;
            views.insert(begins.op.clone(), view);
        }
        let states = BatchStates::new(Arc::clone(store), mark.batch, mark.time, times);
        Ok(Arc::new(states.beginning(views, self.beginnings.renewed.clone())))
    }
}

fn failed(state: &OpState, error: InitialError) -> BatchError {
    BatchError::Initial { op: state.op.to_string(), error: Box::new(error) }
}

/// Reads and checks the files of an op.
fn begins(
    initial: &Initial,
    state: &OpState,
    recorded: Option<SourceRange>,
) -> Result<Begins, InitialError> {
    let source = initial.open()?;
    let range = match recorded {
        Some(range) => range,
        None => source.cut()?,
    };
    if range.is_empty() {
        return Err(InitialError::Nothing { path: initial.path().to_owned() });
    }
    let mut reader = source.read(&range, (0, 1), ReadMode { tolerant: false, origins: true })?;
    let (mut rows, mut origins) = (Vec::new(), Vec::new());
    while let Some(chunk) = reader.next()? {
        origins.extend(reader.origins());
        rows.push(chunk);
    }
    each_once(state, &rows, |row| {
        let origin = origins.get(row).copied().unwrap_or_default();
        format!("`{}`", source.place(&range, origin))
    })?;
    Ok(Begins { op: state.op.clone(), range, rows })
}

/// Every key stands there once.
fn each_once(
    state: &OpState,
    rows: &[RecordBatch],
    place: impl Fn(usize) -> String,
) -> Result<(), InitialError> {
    let all = concat_batches(&state.columns(), rows);
    let all = all.map_err(|error| StateError::Columns { problem: error.to_string() })?;
    // Which key groups there are makes no difference to whether keys are the same.
    let (distinct, of) = state.keys(&all, KEY_GROUPS)?.distinct()?;
    if distinct.len() == of.len() {
        return Ok(());
    }
    let mut first = vec![None; distinct.len()];
    for (row, key) in of.iter().enumerate() {
        if let Some(before) = first[*key as usize].replace(row) {
            return Err(InitialError::Twice { first: place(before), second: place(row) });
        }
    }
    Ok(())
}
