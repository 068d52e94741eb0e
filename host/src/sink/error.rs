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
    /// The path is taken by a folder.
    #[error("`{path}` is a folder, and a database is a file")]
    NotAFile {
        /// The path.
        path: String,
    },
    /// SQLite refused something.
    #[error("can't {doing} the database `{path}`: {message}")]
    Database {
        /// What was done, as a verb.
        doing: &'static str,
        /// The path.
        path: String,
        /// What SQLite said.
        message: String,
    },
    /// Somebody else writes to the database all the time.
    #[error("the database `{path}` was locked by another program for {seconds} seconds")]
    Busy {
        /// The path.
        path: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The table that is there is not one for these rows.
    #[error("table `{table}` of `{path}` {problem}")]
    Table {
        /// The path.
        path: String,
        /// The table.
        table: String,
        /// What is wrong with it.
        problem: String,
    },
    /// There is output in the table that is not of this sink and run.
    #[error("table `{table}` of `{path}` holds output of {owner}")]
    ForeignTable {
        /// The path.
        path: String,
        /// The table.
        table: String,
        /// Whose it is.
        owner: String,
    },
    /// A table has no such columns.
    #[error("column `{column}` is {data_type}, which a table of SQLite can't hold")]
    NoColumn {
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
    },
    /// Two columns have one name.
    #[error("SQLite takes the columns `{first}` and `{second}` for one")]
    OneName {
        /// A column.
        first: String,
        /// Another one.
        second: String,
    },
    /// The rows have no such column to be told apart by.
    #[error("`upsert` names `{column}`, which is no column of the rows")]
    NoKey {
        /// The column.
        column: String,
    },
    /// A row can't be told apart from others.
    #[error("a row has no `{column}`, and `upsert` tells rows apart by it")]
    NullKey {
        /// The column.
        column: String,
    },
    /// A newer process has taken the job over.
    #[error(
        "owner {by} of the job has written since: owner {generation} may not write batch {batch}"
    )]
    Fenced {
        /// The batch.
        batch: u64,
        /// This owner.
        generation: u64,
        /// The newer one.
        by: u64,
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
            Self::Foreign { .. } | Self::ForeignTable { .. } => "WEIR-SINK-003",
            Self::NotClosed { .. } | Self::NoPart { .. } => "WEIR-SINK-004",
            Self::OtherRows { .. } => "WEIR-SINK-005",
            Self::NotAFile { .. } | Self::Database { .. } => "WEIR-SINK-006",
            Self::Busy { .. } => "WEIR-SINK-007",
            Self::Table { .. } => "WEIR-SINK-008",
            Self::NoColumn { .. } | Self::OneName { .. } | Self::NoKey { .. } => "WEIR-SINK-009",
            Self::NullKey { .. } => "WEIR-SINK-010",
            Self::Fenced { .. } => "WEIR-SINK-011",
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
            of_tables => of_tables.help_of_tables(),
        };
        Some(help.to_owned())
    }

    fn help_of_tables(&self) -> &'static str {
        match self {
            Self::NotAFile { .. } => "`path` is the file of the database: choose another one",
            Self::Busy { .. } => {
                "end the program that keeps a transaction open, then start the job again: nothing \
                 of the batch is visible"
            }
            Self::Table { .. } => {
                "choose another `table`, change the table, or remove it: then it is made anew"
            }
            Self::ForeignTable { .. } => {
                "choose another `table`, or remove this one: every fresh start is a run of its \
                 own, and the rows of two runs in one table could not be told apart"
            }
            Self::NoColumn { .. } => {
                "leave the column out, or take lists and structs apart, with an op before the sink"
            }
            Self::OneName { .. } => "give one of them another name with an op before the sink",
            Self::NoKey { .. } => "`upsert` has names of columns as the rows have them",
            Self::NullKey { .. } => "filter such rows out, or give them a value, before the sink",
            Self::Fenced { .. } => {
                "another process has taken the job over; this one can only be ended"
            }
            _ => {
                "see what SQLite says: a missing right, a full disk, a file that is no database, a \
                 row that the table's own rules refuse; nothing of the batch is visible"
            }
        }
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
    (
        "WEIR-SINK-006",
        "SQLite refused to open, read or write the database of a sink, for the reason that the \
         message has. Nothing of the batch is visible: its rows and its mark in `weir_commit` are \
         written in one transaction. The folder of the database must be writable, because SQLite \
         keeps its log, and Weir the rows of a batch that is not visible yet, beside it.",
    ),
    (
        "WEIR-SINK-007",
        "Another program had the database locked for so long that the batch could not be written. \
         Readers don't lock writers out; a transaction that writes does, until it ends.",
    ),
    (
        "WEIR-SINK-008",
        "The table of a sqlite sink is there already, but its columns are not those of the rows: \
         one is missing, one is left over, or one is declared so that SQLite would change the \
         values (NUMERIC makes floats of decimals). Types: int64, int32 and bool INTEGER; float64 \
         REAL; string, date, timestamp and decimal TEXT; binary BLOB. With `upsert` a primary key \
         or a unique index over just these columns is needed. A table that is missing is made.",
    ),
    (
        "WEIR-SINK-009",
        "The rows have columns that a table of SQLite can't have: lists and structs, two names \
         that differ in case only; or `upsert` names a column that the rows don't have.",
    ),
    (
        "WEIR-SINK-010",
        "A row has NULL in a column of `upsert`. SQLite holds NULLs for different from each other, \
         so that such a row would be added again and again.",
    ),
    (
        "WEIR-SINK-011",
        "A newer owner of the job's checkpoint has written to the sink: this process was taken for \
         dead, and its job was taken over. Nothing of its batch is visible.",
    ),
];
