//! Where the checkpoint of a job is, and taking it in hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::failure::Failure;
use super::{exit, open};
use crate::batch::{Found, Ledger, LedgerError};
use crate::checkpoint::{self, Checkpoint, CheckpointError, IdentityV1, JobId, Keep, Options};
use crate::durable::{LocalStore, Opening, Store, StoreError, make_durably};
use crate::job::{Job, StoreName};
use crate::state::{KEY_GROUPS, StateError, StoreKind};

/// How a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From the last batch, or anew if there is none.
    Latest,
    /// From a batch.
    Batch(u64),
    /// Anew, and nothing is kept.
    Nothing,
}

impl std::str::FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "latest" => Ok(Self::Latest),
            "none" => Ok(Self::Nothing),
            number => number.parse().map(Self::Batch).map_err(|_| {
                "give `latest`, `none`, or the number of a batch; `host checkpoint ls` lists them"
                    .to_owned()
            }),
        }
    }
}

/// How a checkpoint is taken in hand.
#[derive(Clone, Copy, Debug)]
pub struct Taking {
    /// Where to start.
    pub start: Start,
    /// Whether a process that has it is passed over.
    pub take_over: bool,
    /// Whether sinks that are ahead or behind are taken as they are.
    pub adopt_sinks: bool,
    /// Whether a batch is begun once more that many processes did not end.
    pub try_again: bool,
}

/// What stays of a job, and what was found of it.
pub struct Place {
    /// Its id.
    pub run: String,
    /// What stays.
    pub ledger: Ledger,
    /// What was found.
    pub found: Found,
}

/// The folder of a job's checkpoint.
pub fn folder(job: &Job) -> PathBuf {
    job.folder.join(&job.checkpoint.folder)
}

/// Makes the folder, so that the process may keep its right to it.
pub fn make(job: &Job) -> Result<PathBuf, Failure> {
    let folder = folder(job);
    make_durably(&folder).map_err(|error| {
        let message = format!("can't make the folder `{}`: {error}", folder.display());
        Failure::new("WEIR-DURABLE-004", message).exit(exit::CHECKPOINT).help(
            "the checkpoint is kept there: give another folder as `uri` under [checkpoint], or \
             run with `--from none`, which keeps nothing",
        )
    })?;
    Ok(folder)
}

/// Takes the checkpoint of a job in hand.
pub fn take(job: &Job, taking: Taking) -> Result<Place, Failure> {
    let folder = make(job)?;
    let failed = |error| checkpoint_failed(&folder, error);
    let opening = Opening {
        folders: checkpoint::path::FOLDERS,
        take_over: taking.take_over,
        ..Opening::default()
    };
    let store = LocalStore::open(&folder, opening).map_err(|error| failed(error.into()))?;
    let store: Arc<dyn Store> = Arc::new(store);
    let id = JobId::fresh().map_err(|error| {
        Failure::new("WEIR-RUN-011", format!("the system gives no randomness: {error}"))
    })?;
    let wanted = IdentityV1::new(id, job.name.as_str(), KEY_GROUPS);
    let keep = Keep { starts: job.checkpoint.keep, records: job.checkpoint.keep };
    let options = Options { keep, ..Options::default() };
    let (checkpoint, recovery) =
        Checkpoint::open(Arc::clone(&store), &wanted, options).map_err(failed)?;
    let (run, groups) = (recovery.identity.job.to_string(), recovery.identity.key_groups);
    let threads = open::parallelism(job);
    let states = states(job, &folder).open(groups, threads).map_err(state_failed)?;
    let ledger = Ledger::new(checkpoint, store, states, threads);
    let ledger = ledger.map_err(|error| match error {
        LedgerError::Checkpoint(error) => failed(error),
        LedgerError::State(error) => state_failed(error),
    })?;
    let from = match taking.start {
        Start::Batch(batch) => Some(batch),
        Start::Latest | Start::Nothing => None,
    };
    let Taking { adopt_sinks, try_again, .. } = taking;
    let found = Found { recovery, from, adopt_sinks, try_again };
    Ok(Place { run, ledger, found })
}

/// The store of a job's states, which may make a folder within this one.
pub fn states(job: &Job, within: &Path) -> StoreKind {
    match job.state.store {
        StoreName::Memory => StoreKind::Memory,
        StoreName::Lsm => StoreKind::Lsm { within: within.to_owned(), cache: job.state.cache },
    }
}

/// A failure of the states of a job.
pub fn state_failed(error: StateError) -> Failure {
    Failure::new(error.code(), error.to_string()).help(error.help())
}

/// A failure of the checkpoint in a folder.
pub fn checkpoint_failed(folder: &Path, error: CheckpointError) -> Failure {
    let message = format!("checkpoint `{}`: {error}", folder.display());
    let failure = Failure::new(error.code(), message).help(error.help());
    match error {
        CheckpointError::Store(
            StoreError::Io { .. } | StoreError::NoSpace { .. } | StoreError::Poisoned { .. },
        )
        | CheckpointError::NoSpace(_) => failure.exit(exit::CHECKPOINT),
        _ => failure,
    }
}
