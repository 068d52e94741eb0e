//! A problem in a job: what is wrong, where it stands, and the way out.

use std::ops::Range;
use std::sync::Arc;

use super::JobText;

/// A place in the text of a job, in bytes.
pub type Span = Range<usize>;

/// A marked place with a short text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The place.
    pub span: Span,
    /// What is there, in a few words; may be empty.
    pub label: String,
}

/// One problem of a job. Rooms that look at a job with more knowledge (`plan`) make these too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable code, such as `WEIR-JOB-003`, that `host explain` knows.
    pub code: &'static str,
    /// What is wrong: lower case, with the name and the value.
    pub message: String,
    /// Where; the first is the main place. Empty when it belongs to no place.
    pub marks: Vec<Mark>,
    /// The way out.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at a place.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), marks: Vec::new(), help: None }
    }

    /// Marks a place, with a few words.
    #[must_use]
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.marks.push(Mark { span, label: label.into() });
        self
    }

    /// Adds the way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Everything that is wrong with a job, in the order of the text.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} has problems: {}", .text.path, .problems.len())]
pub struct JobError {
    /// The text the places are in.
    pub text: Arc<JobText>,
    /// The problems; never empty.
    pub problems: Vec<Problem>,
}
