//! What can go wrong where bytes have to stay.

use std::io;

use super::lock::Holder;

/// Why something could not be kept or read back.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The name is taken, and a file is never written over.
    #[error("`{name}` is there already")]
    Exists {
        /// The file.
        name: String,
    },
    /// There is no such file.
    #[error("`{name}` is missing")]
    Missing {
        /// The file.
        name: String,
    },
    /// The disk is full. Nothing was written; the same call may be made again.
    #[error("no space is left to write {bytes} bytes of `{name}`")]
    NoSpace {
        /// The file.
        name: String,
        /// How many bytes.
        bytes: u64,
    },
    /// The system refused something that is no fault of what is on the disk.
    #[error("can't {doing} `{name}`: {problem}")]
    Io {
        /// What was done, as a verb.
        doing: &'static str,
        /// The file.
        name: String,
        /// Which kind of failure.
        kind: io::ErrorKind,
        /// What the system said.
        problem: String,
    },
    /// A write or a flush failed before, so that it is not known what is on the disk.
    #[error("nothing more can be written, because this failed: {cause}")]
    Poisoned {
        /// What failed.
        cause: String,
    },
    /// A file is larger than it can be.
    #[error("`{name}` has {bytes} bytes, and at most {most} are read")]
    TooLarge {
        /// The file.
        name: String,
        /// How large it is.
        bytes: u64,
        /// How large it may be.
        most: u64,
    },
    /// A name that could lead out of the store, or an append that leaves its segment.
    #[error("`{name}` can't be used: {problem}")]
    Misuse {
        /// The file.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Another process has the store.
    #[error("`{name}` is in use by {holder}")]
    Locked {
        /// The lock.
        name: String,
        /// Who holds it.
        holder: Holder,
    },
}

impl StoreError {
    /// The stable code that `host explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "WEIR-DURABLE-001",
            Self::Missing { .. } => "WEIR-DURABLE-002",
            Self::NoSpace { .. } => "WEIR-DURABLE-003",
            Self::Io { .. } => "WEIR-DURABLE-004",
            Self::Poisoned { .. } => "WEIR-DURABLE-005",
            Self::TooLarge { .. } => "WEIR-DURABLE-006",
            Self::Misuse { .. } => "WEIR-DURABLE-007",
            Self::Locked { .. } => "WEIR-DURABLE-008",
        }
    }

    /// The way out.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "another process works in the same folder: stop one of them",
            Self::Missing { .. } => "bring the file back from a copy of the folder",
            Self::NoSpace { .. } => {
                "make room on the disk: the job waits and goes on by itself, nothing is lost"
            }
            Self::Io { kind: io::ErrorKind::PermissionDenied, .. } => {
                "the folder and its files have to belong to the user that runs the job"
            }
            Self::Io { .. } => "check that the folder is there, writable and on a healthy disk",
            Self::Poisoned { .. } => {
                "start the job again: it goes on from what is on the disk; if this comes back, the \
                 disk is failing (`dmesg` says more)"
            }
            Self::TooLarge { .. } => "the file is not one of Weir's, or it is damaged",
            Self::Misuse { .. } => "this is a fault of Weir: please send the job and the message",
            Self::Locked { .. } => {
                "stop that process; if it hangs or its machine is lost, start with `--take-over`: \
                 it can't commit any more then"
            }
        }
    }

    /// Whether the same call may be made again later, because nothing was written.
    pub fn can_wait(&self) -> bool {
        matches!(self, Self::NoSpace { .. })
    }

    pub(super) fn io(doing: &'static str, name: &str, error: &io::Error) -> Self {
        let name = name.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing { name },
            io::ErrorKind::AlreadyExists => Self::Exists { name },
            kind => Self::Io { doing, name, kind, problem: error.to_string() },
        }
    }
}

/// Whether the system says that there is no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

/// A failure before anything counts as written.
pub(super) fn refused(
    name: &str,
    doing: &'static str,
    bytes: u64,
    error: &io::Error,
) -> StoreError {
    let name = name.to_owned();
    if is_full(error) {
        return StoreError::NoSpace { name, bytes };
    }
    StoreError::io(doing, &name, error)
}

/// What `host explain` says about each code.
pub const CODES: &[(&str, &str)] = &[
    (
        "WEIR-DURABLE-001",
        "A file was to be created under a name that is taken. Files of a checkpoint are created \
         once and never written over, so that two processes can't undo each other's work. It means \
         that two processes use one folder.",
    ),
    (
        "WEIR-DURABLE-002",
        "A file that has to be there is not. Nobody may remove files of a checkpoint by hand: \
         `host checkpoint rm` does it.",
    ),
    (
        "WEIR-DURABLE-003",
        "The disk, or the quota of the user, is full. A piece of the log is reserved before it is \
         needed and 16 MiB are kept back, so that the batch that runs can still be committed. Then \
         the job waits until there is room again.",
    ),
    (
        "WEIR-DURABLE-004",
        "The system refused to create, read, list or remove a file. The message has the reason \
         that the system gave.",
    ),
    (
        "WEIR-DURABLE-005",
        "A write or a flush to the disk failed. After that the system may say that the same flush \
         worked although the bytes are lost, so it is never tried again: the process stops, and \
         the next start reads what really is on the disk.",
    ),
    (
        "WEIR-DURABLE-006",
        "A file is larger than any file of its kind. It is refused before memory is taken for it.",
    ),
    (
        "WEIR-DURABLE-007",
        "Weir made up a name that could lead out of the folder, or wrote beyond the end of a piece \
         of the log. This is a fault of Weir.",
    ),
    (
        "WEIR-DURABLE-008",
        "Another process holds the lock of the folder for as long as it lives. The message names \
         its number and machine. `--take-over` is for a process that hangs or whose machine is \
         lost: whatever it still does then is not committed.",
    ),
];
