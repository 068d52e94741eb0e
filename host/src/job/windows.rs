//! Event time and windows, and which rows of a result a sink gets.

use std::time::Duration;

use super::Span;

/// `event_time`: which column says when a row came to be.
#[derive(Clone, Debug)]
pub struct EventTimeSpec {
    /// `column`: a timestamp.
    pub column: String,
    /// Where `column` stands.
    pub column_span: Span,
    /// `watermark`: rows are waited for so long after the latest time that was seen.
    pub watermark: Duration,
    /// `idle`: without rows for so long, nobody waits for these any more. Default never.
    pub idle: Option<Duration>,
    /// Where it stands.
    pub span: Span,
}

/// `window`: which rows an aggregate is made of.
#[derive(Clone, Debug)]
pub struct WindowSpec {
    /// `size`: how long a window is.
    pub size: Duration,
    /// `slide`: how long after one window the next begins. Default the same as `size`.
    pub slide: Duration,
    /// `time`: what time a row has. Default event time if it has one, else that of its batch.
    pub time: Option<WindowTime>,
    /// Where it stands.
    pub span: Span,
}

/// What time a row has in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowTime {
    /// When it came to be.
    Event,
    /// When its batch began.
    Batch,
}

/// `mode` of a sink: which rows of a result are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// Rows that will not change any more.
    Append,
    /// Rows that a batch changed.
    Update,
    /// All rows, with each batch.
    Complete,
}

impl Mode {
    /// The word in job.toml.
    pub fn word(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Update => "update",
            Self::Complete => "complete",
        }
    }
}
