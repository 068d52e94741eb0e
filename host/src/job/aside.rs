//! What a job says of its tests, of rows that are put aside, and of what is kept of it.

use super::{Input, Span};
use crate::id::NodeId;

/// A `[[test]]`: rows that are fed to sources, and what must come out of an entry.
#[derive(Clone, Debug)]
pub struct TestSpec {
    /// `name`: what it shows.
    pub name: String,
    /// `to`: the entry whose rows are compared.
    pub to: Input,
    /// `feed.SOURCE`: rows by source. A source that isn't named gives none.
    pub feed: Vec<(NodeId, Vec<serde_json::Map<String, serde_json::Value>>)>,
    /// `expect` or `expect_error`.
    pub expect: Expect,
    /// `ordered`: whether the order of the rows counts. Default no.
    pub ordered: bool,
}

/// What must come of a test.
#[derive(Clone, Debug)]
pub enum Expect {
    /// These rows.
    Rows(Vec<serde_json::Map<String, serde_json::Value>>),
    /// A batch that fails with an error that has this text in it.
    Error(String),
}

/// `[dead_letters]`: where rows go that entries with `on_error = "dead-letter"` put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLettersSpec {
    /// `path`: a folder; relative to the folder of job.toml (not yet joined). Default:
    /// `.weir/NAME/dead-letters`. Each run of the job has a folder of its own in it.
    pub path: String,
    /// Where `path` stands; empty when it isn't written.
    pub path_span: Span,
    /// `row`: whether the row itself is written. Default yes; `hide` where rows are secret.
    pub row: bool,
}

/// `[checkpoint]`: where it is written down how far the job has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointSpec {
    /// `uri`: a folder, also as `file:PATH`; relative to the folder of job.toml (not yet joined).
    /// Default: `.weir/NAME/checkpoint`.
    pub folder: String,
    /// Where `uri` stands; empty when it isn't written.
    pub uri_span: Span,
    /// `keep`: how many of the last batches the job can be started from. Default 5.
    pub keep: u64,
}

/// `[state]`: where states are while the job runs. The checkpoint is the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateSpec {
    /// `store`.
    pub store: StoreName,
    /// `cache`: how much of a store on the disk is kept in memory, in bytes. Default 256 MiB.
    pub cache: u64,
}

/// The stores of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreName {
    /// `"memory"`: all states are in memory. The default.
    Memory,
    /// `"lsm"`: a tree of sorted files, for states that are larger than memory.
    Lsm,
}
