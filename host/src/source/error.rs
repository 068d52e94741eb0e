//! What can go wrong where rows come from.

use std::io;

use crate::durable::StoreError;
use crate::format::FormatError;

/// Why a source can't be opened, cut or read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The folder that the input would have to lie in isn't there.
    #[error("`{path}` can't be there: there is no folder `{parent}`")]
    NoFolder {
        /// The path of the source.
        path: String,
        /// The folder.
        parent: String,
    },
    /// The path is no glob.
    #[error("`{path}` is not a pattern: {problem}")]
    Pattern {
        /// The path of the source.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
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
    /// The file is another one than it was.
    #[error("`{path}` was changed after it was taken")]
    Changed {
        /// The path.
        path: String,
    },
    /// A line of a file is not a row.
    #[error("{path}:{line}: {error}")]
    Line {
        /// The path.
        path: String,
        /// Which line, counted from 1.
        line: u64,
        /// What is wrong with it.
        error: FormatError,
    },
    /// A row of a file of columns is not a row of the source.
    #[error("{path}, row {row}: {error}")]
    FileRow {
        /// The path.
        path: String,
        /// Which row, counted from 1.
        row: u64,
        /// What is wrong with it.
        error: FormatError,
    },
    /// A file can't be read as what it should be.
    #[error("`{path}`: {error}")]
    File {
        /// The path.
        path: String,
        /// What is wrong with it.
        error: FormatError,
    },
    /// The process that reads a file failed, and not because of the file.
    #[error("the process that reads `{path}` failed: {problem}")]
    Process {
        /// The path.
        path: String,
        /// How it failed.
        problem: String,
    },
    /// A compressed file is damaged.
    #[error("`{path}` can't be unpacked: {problem}")]
    Unpack {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A compressed file unpacks to more than it may.
    #[error("`{path}` unpacks to more than {most} bytes")]
    TooLarge {
        /// The path.
        path: String,
        /// How many it may be.
        most: u64,
    },
    /// A compressed file unpacks to more than any real one does.
    #[error("`{path}` unpacks to more than {ratio} times its size")]
    TooDense {
        /// The path.
        path: String,
        /// How many times it may be.
        ratio: u64,
    },
    /// A row that stands in the job is not a row of the source.
    #[error("row {row} of batch {batch}: {error}")]
    Row {
        /// In which list, counted from 1.
        batch: usize,
        /// Which row of it, counted from 1.
        row: usize,
        /// What is wrong with it.
        error: FormatError,
    },
    /// The schema doesn't fit the format, or rows can't be made of what was read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Nothing to infer columns from.
    #[error("the source has no rows from which its columns could be inferred")]
    NoRows,
    /// A range that this source did not cut.
    #[error("the range is none of this source: {problem}")]
    Range {
        /// What does not fit.
        problem: String,
    },
    /// A line that was received is not a row.
    #[error("{place}: {error}")]
    Received {
        /// Where it was received.
        place: String,
        /// What is wrong with it.
        error: FormatError,
    },
    /// A run that is to end can't, because the source never does.
    #[error("the source never ends, so `--once` can't take all of it")]
    Endless,
    /// Earlier runs have read something of another kind under this name.
    #[error("the checkpoint knows it as another kind of source: it has not read {expected}")]
    OtherKind {
        /// What this source reads.
        expected: &'static str,
    },
    /// The system refuses a thread.
    #[error("a thread of the source can't be started: {error}")]
    Thread {
        /// What the system said.
        error: io::Error,
    },
    /// The log of what was received can't be read or written.
    #[error("the log of what was received: {0}")]
    Log(#[from] StoreError),
    /// What is in the log is not what was written.
    #[error("the log of what was received is damaged: `{file}` at byte {offset}: {problem}")]
    LogDamaged {
        /// The file, in the folder of the checkpoint.
        file: String,
        /// Where, in bytes.
        offset: u64,
        /// What is wrong.
        problem: String,
    },
    /// The log does not reach back so far.
    #[error(
        "the log of what was received begins with block {first} of receiver {receiver}, and block \
         {needed} is needed"
    )]
    LogGap {
        /// Which receiver, from 1.
        receiver: u64,
        /// Its first block that is there, from 0.
        first: u64,
        /// The one to go on with.
        needed: u64,
    },
    /// Neither kind of watch works.
    #[error("can't watch `{path}`: {problem}")]
    Watch {
        /// The folder.
        path: String,
        /// What the system said.
        problem: String,
    },
}

const OTHER_ID: &str = "give the source another `id`, or begin anew (`host checkpoint rm`)";

impl SourceError {
    /// The stable code that `host explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoFolder { .. } => "WEIR-SOURCE-001",
            Self::Pattern { .. } => "WEIR-SOURCE-002",
            Self::Io { .. } => "WEIR-SOURCE-003",
            Self::Changed { .. } => "WEIR-SOURCE-004",
            Self::NoRows => "WEIR-SOURCE-005",
            Self::Range { .. } => "WEIR-SOURCE-006",
            Self::Watch { .. } => "WEIR-SOURCE-007",
            Self::Endless => "WEIR-SOURCE-008",
            Self::Thread { .. } => "WEIR-SOURCE-009",
            Self::Unpack { .. } => "WEIR-SOURCE-010",
            Self::TooLarge { .. } | Self::TooDense { .. } => "WEIR-SOURCE-011",
            Self::Process { .. } => "WEIR-SOURCE-012",
            Self::OtherKind { .. } => "WEIR-SOURCE-013",
            Self::LogDamaged { .. } => "WEIR-SOURCE-014",
            Self::LogGap { .. } => "WEIR-SOURCE-015",
            Self::Log(error) => error.code(),
            Self::Line { error, .. }
            | Self::Row { error, .. }
            | Self::FileRow { error, .. }
            | Self::File { error, .. }
            | Self::Received { error, .. }
            | Self::Format(error) => error.code(),
        }
    }

    /// The way out.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoFolder { .. } => MAKE_FOLDER,
            Self::Pattern { .. } => {
                "a pattern knows `*`, `?`, `[a-z]`, `{one,other}` and `**/` for any folders; put a \
                 backslash before a character that stands for itself"
            }
            Self::Io { error, .. } if error.kind() == std::io::ErrorKind::PermissionDenied => {
                "check that you may read it; a link that leads out of the source's folder can't be \
                 followed, unless `confine = false` stands under [job]"
            }
            Self::Io { .. } => "check that the file is there and that you may read it",
            Self::Changed { .. } => {
                "write a file under a name that ends in `.tmp` and rename it when it is complete: \
                 a file is taken once, whole, and must stay as it is"
            }
            Self::NoRows => "say what the columns are with `schema`",
            Self::Range { .. } => "this is a fault of Weir: please send the job and the message",
            Self::Watch { .. } => "check that the folder is there and that you may read it",
            Self::Endless => "say how many rows there are with `count`, or run without `--once`",
            Self::Thread { .. } => {
                "raise the limit of threads (`ulimit -u`), or have fewer sources"
            }
            Self::Unpack { .. } => WRITE_AGAIN,
            Self::TooLarge { .. } => LARGER,
            Self::TooDense { .. } => UNPACK_BEFORE,
            Self::Process { .. } => AGAIN,
            Self::OtherKind { .. } => OTHER_ID,
            Self::LogDamaged { .. } => LOG_AGAIN,
            Self::LogGap { .. } => LOG_LATER,
            Self::Log(error) => error.help(),
            Self::Line { error, .. }
            | Self::Row { error, .. }
            | Self::FileRow { error, .. }
            | Self::File { error, .. }
            | Self::Received { error, .. }
            | Self::Format(error) => return error.help(),
        };
        Some(help.to_owned())
    }

    pub(super) fn io(
        doing: &'static str,
        path: impl Into<String>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { doing, path, error }
    }
}

const MAKE_FOLDER: &str =
    "make the folder, or correct `path`; a relative path starts at the folder of job.toml";
const LOG_AGAIN: &str = "bring the file back from a copy; or move the folder of the log away: what \
     is in it and in no batch yet is lost then";
const LOG_LATER: &str = "what batches have read goes from the log: go on from the last batch \
     (`--from latest`), or begin anew";
const WRITE_AGAIN: &str = "write the file again; `gzip -t` or `zstd -t` says whether it is whole";
const LARGER: &str = "set `max_unpacked` of the source higher if the file is what it should be";
const AGAIN: &str = "run the job again; `/proc` must be there, and memory and processes to be had";
const UNPACK_BEFORE: &str =
    "no table of rows is so dense: if it is what it should be, unpack it beforehand";

/// What `host explain` says about each code.
pub const CODES: &[(&str, &str)] = &[
    (
        "WEIR-SOURCE-001",
        "The folder in which the input of a file source would have to appear does not exist. The \
         path itself may come later: an input folder may be made while the job runs, if the folder \
         above it is there. A relative path starts at the folder of job.toml.",
    ),
    (
        "WEIR-SOURCE-002",
        "The `path` of a file source is neither a folder nor a file, and as a pattern it is not \
         well formed. `*` and `?` stay within a name, `**/` stands for any number of folders.",
    ),
    (
        "WEIR-SOURCE-003",
        "The system refused to list a folder or to read a file of a source. The message has the \
         reason that the system gave.",
    ),
    (
        "WEIR-SOURCE-004",
        "A file was written to, replaced or removed between the moment it was taken into a batch \
         and the end of its reading. A file must be complete when it appears under its final name: \
         write it under a name that ends in `.tmp` (or begins with `.` or `_`) and rename it.",
    ),
    (
        "WEIR-SOURCE-005",
        "A rows source has neither rows nor a `schema`, so that its columns are not known.",
    ),
    (
        "WEIR-SOURCE-006",
        "A range was given to a source that did not cut it. This is a fault of Weir.",
    ),
    (
        "WEIR-SOURCE-007",
        "The folder of a source can't be watched for new files, neither by events of the system \
         nor by looking every second.",
    ),
    (
        "WEIR-SOURCE-008",
        "`--once` takes what is there and exits, and a rate source without `count` has no end. \
         Give it a `count`, or stop the job with a signal.",
    ),
    (
        "WEIR-SOURCE-009",
        "The system refused a thread that a source needs: one for each address of a socket source, \
         and one for what comes with time. The message has the reason that the system gave.",
    ),
    (
        "WEIR-SOURCE-010",
        "A file whose name ends in `.gz` or `.zst` is not compressed so, is damaged, or ends in \
         the middle. Files may have several members one behind the other. A file must be complete \
         when it appears under its final name.",
    ),
    (
        "WEIR-SOURCE-011",
        "A compressed file unpacks to more than `max_unpacked` (16 GiB if the source doesn't say), \
         or to more than 1,000 times its size once that is more than 16 MiB. So dense are files \
         that are made to keep a machine busy.",
    ),
    (
        "WEIR-SOURCE-012",
        "A Parquet file is read by the host's own file once more, in a process of its own, and \
         that process could not be started or was killed: too many processes, not enough memory, \
         no `/proc`. It says nothing about the file, so the batch fails whatever `on_error` says.",
    ),
    (
        "WEIR-SOURCE-013",
        "The checkpoint of the job has a source of this `id`, but of another `type`, so it is not \
         known where to go on. Give the new source another `id`, or begin anew: \
         `host checkpoint rm` removes the checkpoint, and `--from none` does without it.",
    ),
    (
        "WEIR-SOURCE-014",
        "A file of the write-ahead log of a source, `wal/<source>/` in the checkpoint's folder, \
         has changed since it was written, or one is missing in between. Lines in it may be in no \
         batch yet, so the job does not go on without them by itself. A write that was cut off at \
         the end of the log is no damage: nothing had counted on it.",
    ),
    (
        "WEIR-SOURCE-015",
        "The job is to go on from a batch (`--from N`) whose successors have read lines that came \
         over the network. They were in the write-ahead log until those batches were done, and \
         nobody can be asked for them again.",
    ),
];
