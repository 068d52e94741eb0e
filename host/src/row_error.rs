//! What becomes of a row that can't be taken.
//!
//! A row that a source can't read or a function can't take is refused. By the policy of the entry
//! the batch fails, the row is left out and counted, or it is put aside as a dead letter, with all
//! that is needed to find out why.

use std::sync::Arc;

/// `on_error`: what an entry does with a row that can't be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// The batch fails, and the job stops.
    #[default]
    Fail,
    /// The row is left out and counted.
    Skip,
    /// The row is left out and put aside as a dead letter.
    DeadLetter,
}

/// The words of `on_error` in a job.
pub const ON_ERROR: [(&str, OnError); 3] =
    [("fail", OnError::Fail), ("skip", OnError::Skip), ("dead-letter", OnError::DeadLetter)];

impl std::fmt::Display for OnError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = ON_ERROR.iter().find(|(_, policy)| policy == self);
        f.write_str(word.map_or("fail", |(word, _)| word))
    }
}

/// Where a row comes from: packed by its source into one number, see `Source::place`.
pub type Origin = u64;

/// A row that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// The source or op that refused it.
    pub at: String,
    /// The function, its plugin and the digest of that, for an op.
    pub function: Option<FunctionMark>,
    /// Where the row was read, as far as that is known: `lines.txt:12`, or source and offset.
    pub origin: Option<String>,
    /// The row: JSON for rows, the line as it was for a source. Cut when it is long.
    pub row: Option<String>,
    /// The stable code, such as `WEIR-PLUGIN-020`.
    pub code: &'static str,
    /// Why.
    pub message: String,
    /// What the function wrote to its standard error in this call.
    pub stderr: String,
    /// The frames of the component, innermost first.
    pub backtrace: Vec<String>,
}

/// Which code refused a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionMark {
    /// The function.
    pub function: String,
    /// The plugin, as the job names it.
    pub plugin: String,
    /// The digest of its component.
    pub digest: String,
}

/// Takes the rows of a batch that were refused and did not fail it. Called from any lane.
pub trait Letters: Send + Sync {
    /// A row was left out.
    fn skip(&self, refused: &Refused);

    /// A row was put aside. The error is that of the place where dead letters go.
    fn put(&self, refused: Refused) -> Result<(), LettersError>;
}

/// Why a dead letter could not be put aside.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a dead letter could not be written: {0}")]
pub struct LettersError(pub Arc<dyn std::error::Error + Send + Sync>);
