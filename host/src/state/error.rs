//! What can go wrong with state.

use crate::id::BatchId;

/// Why state can't be read, written or restored.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Nothing to tell states apart by.
    #[error("a state needs at least one key column")]
    NoKey,
    /// A column that no state can have.
    #[error("column `{column}` can't be kept as state: its type is {data_type}")]
    ColumnType {
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
    },
    /// A key that can't be routed.
    #[error("a column of type {data_type} can't be a key")]
    KeyType {
        /// The type.
        data_type: String,
    },
    /// Rows that are not of the schema.
    #[error("these are no rows of the state: {problem}")]
    Columns {
        /// What does not fit.
        problem: String,
    },
    /// Nobody opened the state of this op.
    #[error("op `{op}` has no state")]
    UnknownOp {
        /// The op.
        op: String,
    },
    /// The state is there, with other columns.
    #[error(
        "the state of op `{op}` is of version {have} and has other columns than version {want}"
    )]
    OtherSchema {
        /// The op.
        op: String,
        /// The version that is there.
        have: u32,
        /// The version that was asked for.
        want: u32,
    },
    /// A key that belongs to another lane.
    #[error("a key belongs to key group {group}, but this lane has {first} to {last}")]
    OtherLane {
        /// The group of the key.
        group: u32,
        /// The first group of the lane.
        first: u32,
        /// The last group of the lane.
        last: u32,
    },
    /// Changes for a batch that is not the next one.
    #[error("batch {batch} can't change the state: it is at batch {version}")]
    OtherBatch {
        /// The batch.
        batch: BatchId,
        /// The batch whose state is there.
        version: BatchId,
    },
    /// Two lanes changed the same groups.
    #[error("two lanes of op `{op}` changed key group {group} in batch {batch}")]
    Overlap {
        /// The op.
        op: String,
        /// The group.
        group: u32,
        /// The batch.
        batch: BatchId,
    },
    /// A part is shorter, longer or other than it was written.
    #[error("`{part}` is damaged: {problem}")]
    Damaged {
        /// Its name, or where it stands.
        part: String,
        /// What is wrong.
        problem: String,
    },
    /// A part is not what its record says.
    #[error("`{part}` is another part than the one recorded: {problem}")]
    Foreign {
        /// Its name, or where it stands.
        part: String,
        /// What differs.
        problem: String,
    },
    /// A part was written by a later release.
    #[error("`{part}` is of format {format}, this release reads formats up to {newest}")]
    Newer {
        /// Its name, or where it stands.
        part: String,
        /// Its format.
        format: u8,
        /// What is read here.
        newest: u8,
    },
    /// A part is not there.
    #[error("`{part}` is missing")]
    Missing {
        /// Its name.
        part: String,
    },
    /// No part says what the columns are.
    #[error("the parts of the state of op `{op}` do not say what its columns are")]
    NoSchema {
        /// The op.
        op: String,
    },
    /// The place where parts are kept refuses.
    #[error("can't {doing} `{part}`: {problem}")]
    Blobs {
        /// What was done, as a verb.
        doing: &'static str,
        /// The part.
        part: String,
        /// What the place said.
        problem: String,
    },
    /// More than can be counted.
    #[error("{what} take more than 4 GiB")]
    TooLarge {
        /// What is so large.
        what: &'static str,
    },
    /// The library under a store on disk refuses.
    #[error("the store of states on disk failed: {problem}")]
    Store {
        /// What it said.
        problem: String,
    },
    /// A store that this host does not have.
    #[error("this host was built without the store `{store}`")]
    NotBuilt {
        /// The store.
        store: &'static str,
    },
    /// The system refuses a thread, or one ended early.
    #[error("a thread of the state can't go on: {problem}")]
    Thread {
        /// What happened.
        problem: String,
    },
}

impl StateError {
    /// The stable code that `host explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoKey | Self::ColumnType { .. } | Self::KeyType { .. } => "WEIR-STATE-001",
            Self::Columns { .. } => "WEIR-STATE-002",
            Self::UnknownOp { .. } => "WEIR-STATE-003",
            Self::OtherSchema { .. } => "WEIR-STATE-004",
            Self::OtherLane { .. } | Self::OtherBatch { .. } | Self::Overlap { .. } => {
                "WEIR-STATE-005"
            }
            Self::Damaged { .. } | Self::NoSchema { .. } => "WEIR-STATE-006",
            Self::Foreign { .. } => "WEIR-STATE-007",
            Self::Newer { .. } => "WEIR-STATE-008",
            Self::Missing { .. } => "WEIR-STATE-009",
            Self::Blobs { .. } => "WEIR-STATE-010",
            Self::TooLarge { .. } => "WEIR-STATE-011",
            Self::Store { .. } => "WEIR-STATE-012",
            Self::Thread { .. } => "WEIR-STATE-013",
            Self::NotBuilt { .. } => "WEIR-STATE-014",
        }
    }

    /// The way out.
    pub fn help(&self) -> String {
        let help = match self {
            Self::NoKey => "name at least one column in `key` of the op",
            Self::ColumnType { .. } | Self::KeyType { .. } => {
                "cast the column to a type of job.toml: bool, int32, int64, float64, string, \
                 binary, date, timestamp, decimal(p,s), list<T> or struct{name: T, …}"
            }
            Self::OtherSchema { .. } => {
                "give the function a new state version and a `migrate`, or begin with an empty \
                 state (`--from none`)"
            }
            Self::Columns { .. }
            | Self::UnknownOp { .. }
            | Self::OtherLane { .. }
            | Self::OtherBatch { .. }
            | Self::Overlap { .. } => {
                "this is a fault of Weir: please send the job and the message"
            }
            Self::Damaged { .. } | Self::NoSchema { .. } | Self::Missing { .. } => {
                "put the file back from a copy, or go on from an older batch (`host checkpoint \
                 verify` says which are whole, `--from N` takes one)"
            }
            Self::Foreign { .. } => {
                "a file of another checkpoint lies in its place: put the right one back; `host \
                 checkpoint verify` lists all that differ"
            }
            Self::Newer { .. } => "run the release that wrote the checkpoint, or a later one",
            Self::Blobs { .. } => "check that the checkpoint's folder is there and has room",
            Self::TooLarge { .. } => {
                "spread the keys (`key_groups` of a new checkpoint), or take smaller batches"
            }
            Self::Store { .. } => "check that the folder of the store is there and has room",
            Self::Thread { .. } => "raise the limit of threads (`ulimit -u`)",
            Self::NotBuilt { .. } => {
                "build it with `cargo build --release --features lsm`, or keep states in memory \
                 (`store = \"memory\"` under [state])"
            }
        };
        help.to_owned()
    }

    pub(super) fn damaged(part: &str, problem: impl ToString) -> Self {
        Self::Damaged { part: part.to_owned(), problem: problem.to_string() }
    }

    pub(super) fn foreign(part: &str, problem: String) -> Self {
        Self::Foreign { part: part.to_owned(), problem }
    }
}

/// What `host explain` says about each code.
pub const CODES: &[(&str, &str)] = &[
    (
        "WEIR-STATE-001",
        "The columns of a state, or of its key, are not such as can be kept. Any type of job.toml \
         can be, lists and structs included; a struct needs a field, a key needs a column.",
    ),
    (
        "WEIR-STATE-002",
        "Keys or states were given that are not of the columns that the op's state has. Columns \
         are compared by type and order, and a column that may not be null must have no null. \
         This is a fault of Weir: the wall checks what a function gives before.",
    ),
    (
        "WEIR-STATE-003",
        "The state of an op was asked for that keeps none, or whose state was not opened. This is \
         a fault of Weir.",
    ),
    (
        "WEIR-STATE-004",
        "The state that a checkpoint has for an op has other columns, or another version, than the \
         function that is to go on with it. Nothing was changed. A function that changes its state \
         says so with a new state version and brings a `migrate` from the old one.",
    ),
    (
        "WEIR-STATE-005",
        "A change of state came for another batch than the next one, for a key group of another \
         lane, or twice. It was refused, so that the state stays what the last commit says. This \
         is a fault of Weir.",
    ),
    (
        "WEIR-STATE-006",
        "A delta or snapshot of a state is cut, has bytes that were not written so, or says less \
         than it must. Each has a checksum over all its bytes. The state is not restored, not even \
         in part: the named part has to come back, or an older batch has to be chosen.",
    ),
    (
        "WEIR-STATE-007",
        "A delta or snapshot is whole, but it is not the one that the commit record names: it is \
         of another op, batch, range of key groups or schema. Files were exchanged, or two \
         checkpoints were mixed.",
    ),
    (
        "WEIR-STATE-008",
        "A delta or snapshot was written by a later release, in a format that this one does not \
         know.",
    ),
    ("WEIR-STATE-009", "A delta or snapshot that the commit record names is not there."),
    (
        "WEIR-STATE-010",
        "The place where deltas and snapshots are kept refused to write, read or remove one. The \
         message has its reason.",
    ),
    (
        "WEIR-STATE-011",
        "The state of one key group, or what one lane changes in one batch, takes 4 GiB or more. \
         Nothing of the batch was changed.",
    ),
    (
        "WEIR-STATE-012",
        "The library that keeps states larger than memory on disk failed. What it keeps is a copy: \
         the next start restores it from the checkpoint.",
    ),
    (
        "WEIR-STATE-013",
        "A thread that restores states or writes snapshots could not be started, or ended before \
         its work was done.",
    ),
    (
        "WEIR-STATE-014",
        "`store = \"lsm\"` keeps states on the disk while a job runs. The store is compiled in \
         with the feature `lsm`, because most jobs have no use for its library. A job can go on \
         with either store: its checkpoint is the same for both.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_once_and_in_order() {
        let codes: Vec<&str> = CODES.iter().map(|(code, _)| *code).collect();
        let wanted: Vec<String> = (1..=14).map(|n| format!("WEIR-STATE-{n:03}")).collect();
        assert_eq!(codes, wanted);
        assert!(CODES.iter().all(|(_, text)| text.len() > 60));
        let error = StateError::damaged("state/a/0-255/n1.delta", "it is cut");
        assert!(codes.contains(&error.code()) && error.help().contains("checkpoint"));
    }
}
