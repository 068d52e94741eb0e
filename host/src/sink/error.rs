//! What can go wrong where rows go.

use std::io;

use crate::format::FormatError;

/// Why a sink can't be opened, written or committed.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The system refused something.
    #[error("can't {doing} `{path}`: {error}")]
    Io {
        /// What was done, as a verb.
        doing: &'static str,
        /// The path.
        path: String,
        /// What the system said.
        error: io::Error,
    },
    /// The path is taken by something that is no folder.
    #[error("`{path}` is a file, and the output needs a folder")]
    NotAFolder {
        /// The path.
        path: String,
    },
    /// There is output in the folder that is not of this run.
    #[error("`{path}` holds output of {owner}")]
    Foreign {
        /// The folder of a batch that is there.
        path: String,
        /// Whose it is.
        owner: String,
    },
    /// The batch is there already, with other rows.
    #[error(
        "batch {batch} is there already, with other rows ({found} of them, and now {made}): it \
         does not give the same rows when it is run again"
    )]
    OtherRows {
        /// The batch.
        batch: u64,
        /// How many rows are there.
        found: u64,
        /// How many rows there would be.
        made: u64,
    },
    /// Rows that the format can't write.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A part was not closed, so that it may lack rows.
    #[error("part {part} was not closed")]
    NotClosed {
        /// The part.
        part: usize,
    },
    /// A part was asked for that isn't there, or twice.
    #[error("there is no part {part} to write")]
    NoPart {
        /// The part.
        part: usize,
    },
}

impl SinkError {
    /// The stable code that `host explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "WEIR-SINK-001",
            Self::NotAFolder { .. } => "WEIR-SINK-002",
            Self::Foreign { .. } => "WEIR-SINK-003",
            Self::NotClosed { .. } | Self::NoPart { .. } => "WEIR-SINK-004",
            Self::OtherRows { .. } => "WEIR-SINK-005",
            Self::Format(error) => error.code(),
        }
    }

    /// The way out.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Io { error, .. } if error.kind() == io::ErrorKind::StorageFull => {
                "make room on the disk; nothing of the batch is visible"
            }
            Self::Io { .. } => "check that the folder is there and that you may write to it",
            Self::NotAFolder { .. } => "choose another `path`, or move the file away",
            Self::Foreign { .. } => {
                "choose another `path`, or remove the folder: every fresh start is a run of its \
                 own, and two runs in one folder could not be told apart by those who read it"
            }
            Self::NotClosed { .. } | Self::NoPart { .. } => {
                "this is a fault of Weir: please send the job and the message"
            }
            Self::OtherRows { .. } => {
                "see what in the job depends on more than its input: a folder that a function may \
                 read, a clock; then remove the batch from the output, or begin anew"
            }
            Self::Format(error) => return error.help(),
        };
        Some(help.to_owned())
    }

    pub(super) fn io(
        doing: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |error| Self::Io { doing, path, error }
    }
}

/// What `host explain` says about each code.
pub const CODES: &[(&str, &str)] = &[
    (
        "WEIR-SINK-001",
        "The system refused to write output: a missing right, a full disk, a failing device. \
         Nothing of the batch is visible. A refused fsync is not tried again, because the system \
         may have dropped what it could not write.",
    ),
    ("WEIR-SINK-002", "The `path` of a file sink is a file. Output needs a folder."),
    (
        "WEIR-SINK-003",
        "The folder of a file sink holds batches that another run wrote, or folders that are named \
         like batches and are none. A fresh start counts its batches from 1, so its output would \
         be mixed with the other one. Choose another path or remove the folder.",
    ),
    ("WEIR-SINK-004", "The parts of a batch are not complete. This is a fault of Weir."),
    (
        "WEIR-SINK-005",
        "A batch was run again after a crash, and this sink had it already, but with other rows: \
         the count or the sum of the rows' hashes differs. The job stops, because another sink may \
         have either of them. Something in the job gives other rows each time: a function that \
         reads a folder which has changed, or an op whose order of rows is not fixed.",
    ),
];
