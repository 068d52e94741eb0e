//! What can go wrong with the record of what has happened.

use crate::durable::StoreError;

/// Why a file of a checkpoint can't be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Bytes of it have changed or are not ours.
    #[error("{0}")]
    Bytes(&'static str),
    /// The checksums are right and no record comes out.
    #[error("its content is no record")]
    Record,
    /// A kind of record that does not exist.
    #[error("there is no kind {0} of records")]
    Kind(u8),
    /// It does not follow from the record before it.
    #[error("it does not follow from the record before it (number {seq})")]
    Chain {
        /// The number that was expected.
        seq: u64,
    },
    /// It belongs to another owner than the file.
    #[error("it was written by owner {found} into the file of owner {expected}")]
    Owner {
        /// Whose file it is.
        expected: u64,
        /// Who wrote it.
        found: u64,
    },
    /// It is gone, and a record says that it was there.
    #[error("it is missing, and {named_by} says that it was there")]
    Missing {
        /// What names it.
        named_by: String,
    },
    /// Records of batches stand in an order that no run of a job gives.
    #[error("batch {batch} can't come here")]
    Order {
        /// The batch.
        batch: u64,
    },
    /// The log does not reach as far as the next owner had read it.
    #[error("it ends before record {seq}, which the next owner had read")]
    Short {
        /// The last record that was there.
        seq: u64,
    },
}

/// What is the matter with a checkpoint, or why it can't be written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The folder has a log and no identity.
    #[error("`{file}` is missing, but the folder holds `{found}`")]
    NoIdentity {
        /// The file that is missing.
        file: String,
        /// What is there.
        found: String,
    },
    /// A file is damaged.
    #[error("`{file}` is damaged at byte {offset}: {damage}")]
    Damaged {
        /// The file.
        file: String,
        /// Where.
        offset: u64,
        /// How.
        damage: Damage,
    },
    /// A newer Weir wrote it.
    #[error(
        "`{file}` has format {found} at byte {offset}; this version of Weir reads up to {known}"
    )]
    Newer {
        /// The file.
        file: String,
        /// Where.
        offset: u64,
        /// Its format.
        found: u16,
        /// The newest that is known.
        known: u16,
    },
    /// A file that does not belong there.
    #[error("`{file}` is no file of a checkpoint")]
    Foreign {
        /// The file.
        file: String,
    },
    /// Another job's checkpoint, or one that was made with other fixed settings.
    #[error("`{file}` belongs to another job: its {what} is {found}, not {expected}")]
    OtherJob {
        /// The file.
        file: String,
        /// What differs.
        what: &'static str,
        /// What it is there.
        found: String,
        /// What it would have to be.
        expected: String,
    },
    /// Another owner has the checkpoint.
    #[error("owner {mine} lost the checkpoint to owner {by}, as `{file}` shows")]
    Fenced {
        /// This owner.
        mine: u64,
        /// The newer one.
        by: u64,
        /// What shows it.
        file: String,
    },
    /// The disk is full. Nothing was written, and the same call may be made again.
    #[error("the checkpoint waits for space: {0}")]
    NoSpace(StoreError),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// A record is larger than it may be.
    #[error("the {what} record has {bytes} bytes, and a record may have {most}")]
    TooLarge {
        /// Which record.
        what: &'static str,
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        most: usize,
    },
    /// There is no such batch to go on after.
    #[error("batch {from} is not there: the checkpoint has batches {first} to {last}")]
    NoStart {
        /// The batch that was asked for.
        from: u64,
        /// The first that is there.
        first: u64,
        /// The last that is there.
        last: u64,
    },
    /// So much is damaged that nothing is left to go on from.
    #[error("nothing can be saved without `{file}`: {why}")]
    Beyond {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The caller broke the order of the steps.
    #[error("the steps of a batch are out of order: {0}")]
    Misuse(String),
}

impl From<StoreError> for CheckpointError {
    fn from(error: StoreError) -> Self {
        if error.can_wait() { Self::NoSpace(error) } else { Self::Store(error) }
    }
}

impl CheckpointError {
    /// The stable code that `host explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoIdentity { .. } => "WEIR-CHECKPOINT-001",
            Self::Damaged { .. } => "WEIR-CHECKPOINT-002",
            Self::Newer { .. } => "WEIR-CHECKPOINT-003",
            Self::Foreign { .. } => "WEIR-CHECKPOINT-004",
            Self::OtherJob { .. } => "WEIR-CHECKPOINT-005",
            Self::Fenced { .. } => "WEIR-CHECKPOINT-006",
            Self::NoSpace(_) => "WEIR-CHECKPOINT-007",
            Self::TooLarge { .. } => "WEIR-CHECKPOINT-008",
            Self::Misuse(_) => "WEIR-CHECKPOINT-009",
            Self::NoStart { .. } => "WEIR-CHECKPOINT-016",
            Self::Beyond { .. } => "WEIR-CHECKPOINT-017",
            Self::Store(error) => error.code(),
        }
    }

    /// The way out.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoIdentity { .. } => {
                "bring the file back from a copy; or begin anew with `--from none`, which keeps \
                 the old folder under another name. Sinks would not know a new job again"
            }
            Self::Damaged { .. } => {
                "`host checkpoint verify` lists what is whole, `host checkpoint repair` offers the \
                 last state before the damage; or bring the file back from a copy. Nothing is \
                 started from an older state in silence"
            }
            Self::Newer { .. } => "use the version of Weir that wrote it, or a newer one",
            Self::Foreign { .. } => {
                "move it to another folder if it is yours: nothing else may lie in a checkpoint"
            }
            Self::OtherJob { .. } => {
                "give each job a checkpoint of its own; the number of key groups stays what it was \
                 at the first start"
            }
            Self::Fenced { .. } => {
                "the job runs elsewhere now: this process stops and has committed nothing since. \
                 Only one host may run a job; look who started the other"
            }
            Self::NoSpace(_) => {
                "make room on the disk: the job waits and goes on by itself, nothing is lost"
            }
            Self::TooLarge { .. } => {
                "make batches smaller, or have less state change in one: `max_rows` of the sources"
            }
            Self::NoStart { .. } => {
                "`host checkpoint ls` lists the batches that one can start from"
            }
            Self::Beyond { .. } => {
                "bring the file back from a copy; or begin anew: `host checkpoint rm`, and empty \
                 sinks (the job takes everything again)"
            }
            Self::Misuse(_) => "this is a fault of Weir: please send the job and the message",
            Self::Store(error) => error.help(),
        }
    }

    /// Whether the same call may be made again later, because nothing was written.
    pub fn can_wait(&self) -> bool {
        matches!(self, Self::NoSpace(_))
    }
}

/// What `host explain` says about each code, those of a recovery that is refused too.
pub const CODES: &[(&str, &str)] = &[
    (
        "WEIR-CHECKPOINT-001",
        "The file `weir-checkpoint` says which job a checkpoint belongs to. It is written once, at \
         the first start. Without it a new identity would have to be made up, and sinks that know \
         the batches of the old one would take every batch a second time. So the start is refused.",
    ),
    (
        "WEIR-CHECKPOINT-002",
        "A file of the checkpoint is not as it was written: a checksum, the chain of records or \
         the order of batches is wrong, or a file is missing that another one names. The message \
         has the file and the byte. An end of the log that was cut off in the middle of a write is \
         no damage: it is dropped, and an event says so.",
    ),
    (
        "WEIR-CHECKPOINT-003",
        "A newer version of Weir wrote the checkpoint in a format that this one does not know. \
         Older formats are always read.",
    ),
    (
        "WEIR-CHECKPOINT-004",
        "A file lies in the log, or among the records of owners and floors, that Weir did not put \
         there. It might belong to another checkpoint, so nothing is started.",
    ),
    (
        "WEIR-CHECKPOINT-005",
        "The checkpoint was made by another job, or with another number of key groups. The number \
         is fixed at the first start, because state is stored by key group.",
    ),
    (
        "WEIR-CHECKPOINT-006",
        "A second process took the checkpoint over while this one was stopped or stalled. From \
         that moment this one can't commit; it ends without touching a sink.",
    ),
    (
        "WEIR-CHECKPOINT-007",
        "The disk of the checkpoint is full. The batch that runs is committed into space that was \
         kept back; then the job waits until there is room, and goes on.",
    ),
    (
        "WEIR-CHECKPOINT-008",
        "A record is larger than 64 MiB. Large changes of state go to files of their own; what \
         remains grows with the number of rows that were put aside and with the input files of a \
         batch.",
    ),
    (
        "WEIR-CHECKPOINT-009",
        "A step of a batch was asked for out of order. Nothing was written. This is a fault of \
         Weir.",
    ),
    (
        "WEIR-CHECKPOINT-010",
        "A sink has a batch that the checkpoint has never heard of. The checkpoint is older than \
         the sink: it was restored from a copy, or the sink was written under another one with the \
         same identity. Going on would drop new rows, because the sink takes them for known.",
    ),
    (
        "WEIR-CHECKPOINT-011",
        "A sink does not have a batch that was committed to it. Its output was removed, or its \
         markers have expired. Which batches it has can't be known, so nothing is guessed.",
    ),
    (
        "WEIR-CHECKPOINT-012",
        "A file with state that the last commit needs is missing or damaged, and no other way \
         (an older snapshot with the changes since) leads to the same state.",
    ),
    (
        "WEIR-CHECKPOINT-013",
        "The batch that has to be run again used a component that is not in the checkpoint and \
         can't be fetched. It has to be the same code, byte for byte.",
    ),
    (
        "WEIR-CHECKPOINT-014",
        "The input of a batch that has to be run again is gone or is another one than it was: \
         a file was removed or replaced. `on_data_loss = \"fail\"` is the default; with \
         `\"go-on\"` at a source of files the batch comes without these files, each of them is \
         told, and none of them is taken later.",
    ),
    (
        "WEIR-CHECKPOINT-015",
        "Some sinks have the batch that has to be run again, and the output that was prepared for \
         the others is gone. It can't be made again with certainty, because the batch is not \
         deterministic.",
    ),
    (
        "WEIR-CHECKPOINT-016",
        "`--from N` names a batch that the checkpoint does not have, or does not have any more: \
         `keep` says how many of the last ones stay.",
    ),
    (
        "WEIR-CHECKPOINT-017",
        "`host checkpoint repair` goes back to the newest batch of which everything is whole. Here \
         there is none: the identity of the job, the note where the log begins, its first records \
         or states that every batch needs are damaged. Nothing was changed.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_explained() {
        for (number, (code, text)) in (1..).zip(CODES) {
            assert_eq!(*code, format!("WEIR-CHECKPOINT-{number:03}"));
            assert!(text.len() > 60, "{code}");
        }
    }
}
