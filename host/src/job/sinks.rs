//! Where rows are to go.

use super::{FormatKind, Input, Mode, Span};
use crate::id::SinkId;

/// A `[[sink]]`.
#[derive(Clone, Debug)]
pub struct SinkSpec {
    /// `id`.
    pub id: SinkId,
    /// `from`; the op or source above when not written.
    pub from: Input,
    /// `type` and its settings.
    pub kind: SinkKind,
    /// `mode`, and where it stands. Default what the op gives: rows that a batch changed for
    /// aggregates that live on, else rows that do not change any more.
    pub mode: Option<(Mode, Span)>,
    /// Where the entry stands (its `id`).
    pub span: Span,
}

/// The kinds of sink.
#[derive(Clone, Debug)]
pub enum SinkKind {
    /// `type = "console"`: a banner and the first rows of each batch.
    Console {
        /// `rows`: how many are shown. Default 10.
        rows: usize,
    },
    /// `type = "file"`: a folder for each batch.
    File {
        /// `path`: the folder; relative to the folder of job.toml (not yet joined). It may be
        /// absolute, because whoever writes the job says so in plain sight, but has no `..`, with
        /// which a value put into a path could lead anywhere.
        path: String,
        /// Where `path` stands.
        path_span: Span,
        /// `format`: default json.
        format: FormatKind,
    },
    /// `type = "sqlite"`: a table of a SQLite database.
    Sqlite {
        /// `path`: the file of the database, as `path` of a file sink.
        path: String,
        /// Where `path` stands.
        path_span: Span,
        /// `table`.
        table: String,
        /// `upsert`: the columns by which a row takes the place of an older one; empty = rows are
        /// added.
        upsert: Vec<String>,
    },
}

impl SinkKind {
    /// Where it writes, if that is a place, and where the place stands in the text.
    pub fn path(&self) -> Option<(&str, &Span)> {
        match self {
            Self::Console { .. } => None,
            Self::File { path, path_span, .. } | Self::Sqlite { path, path_span, .. } => {
                Some((path, path_span))
            }
        }
    }
}
