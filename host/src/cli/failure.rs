//! Errors of every room as one thing that can be shown.

use std::fmt::Write;

use super::{Format, exit, output, report};
use crate::batch::BatchError;
use crate::job::JobError;
use crate::plan::RunError;
use crate::plugin::{CallFailure, CallPlace, PluginError};

/// An error, ready to be shown.
#[derive(Debug)]
pub enum Failure {
    /// Problems of a job, with their places.
    Job(JobError),
    /// Anything else.
    Other(Other),
}

/// An error without a place in a file.
#[derive(Debug)]
pub struct Other {
    /// The stable code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where it happened, by name.
    pub context: Vec<(&'static str, String)>,
    /// What was behind it: standard error, backtrace.
    pub details: Vec<(&'static str, String)>,
    /// The way out.
    pub help: Option<String>,
    /// The exit code.
    pub exit: u8,
}

impl Failure {
    /// An error of the command line itself.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self::Other(Other {
            code,
            message: message.into(),
            context: Vec::new(),
            details: Vec::new(),
            help: None,
            exit: exit::FAILED,
        })
    }

    /// Adds the way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        if let Self::Other(other) = &mut self {
            other.help = Some(help.into());
        }
        self
    }

    /// Sets the exit code.
    #[must_use]
    pub fn exit(mut self, exit: u8) -> Self {
        if let Self::Other(other) = &mut self {
            other.exit = exit;
        }
        self
    }

    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Job(_) => exit::CONFIGURATION,
            Self::Other(other) => other.exit,
        }
    }

    /// Shows it: text to standard error, JSON to standard output.
    pub fn show(&self, format: Format) {
        match (self, format) {
            (Self::Job(error), Format::Text) => output::note(report::text(error).trim_end()),
            (Self::Job(error), Format::Json) => {
                output::json(&report::json(error).to_string());
            }
            (Self::Other(other), Format::Text) => {
                output::note(output::plain(&other.text()).trim_end())
            }
            (Self::Other(other), Format::Json) => output::json(&other.json().to_string()),
        }
    }
}

impl Other {
    // Writing to a string can't fail.
    fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "error[{}]: {}", self.code, output::set_in(&self.message));
        for (name, value) in &self.context {
            let _ = writeln!(out, "  {name:<10} {value}");
        }
        for (name, value) in &self.details {
            let _ = writeln!(out, "  {name}:");
            for line in value.lines() {
                let _ = writeln!(out, "    {line}");
            }
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "  help: {help}");
        }
        out
    }

    fn json(&self) -> serde_json::Value {
        let context: serde_json::Map<String, serde_json::Value> = self
            .context
            .iter()
            .chain(&self.details)
            .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
            .collect();
        serde_json::json!({
            "event": "error",
            "code": self.code,
            "message": self.message,
            "context": context,
            "help": self.help,
        })
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

impl From<PluginError> for Failure {
    fn from(error: PluginError) -> Self {
        let (code, help) = (error.code(), error.help());
        let mut other = plain(code, error.to_string(), help);
        match error {
            PluginError::Build { output, .. } if !output.is_empty() => {
                other.details.push(("output", output));
            }
            PluginError::Call { place, failure } => called(&mut other, &place, &failure),
            _ => {}
        }
        Self::Other(other)
    }
}

fn plain(code: &'static str, message: String, help: Option<String>) -> Other {
    Other { code, message, context: Vec::new(), details: Vec::new(), help, exit: exit::FAILED }
}

/// Says where a call failed, and what the guest left behind.
fn called(other: &mut Other, place: &CallPlace, failure: &CallFailure) {
    if !place.op.is_empty() {
        other.context.push(("op", place.op.clone()));
    }
    other.context.push(("function", place.function.clone()));
    other.context.push(("plugin", format!("{} ({})", place.plugin, place.digest)));
    if place.batch.0 > 0 {
        other.context.push(("batch", place.batch.to_string()));
        other.context.push(("partition", place.partition.to_string()));
    }
    let (stderr, backtrace) = match failure {
        CallFailure::Trap { stderr, backtrace, .. } => (stderr.as_str(), backtrace.as_slice()),
        CallFailure::Memory { stderr, .. } => (stderr.as_str(), &[][..]),
        _ => ("", &[][..]),
    };
    let row = place.row.clone().unwrap_or_default();
    other.context.extend(row.origin.map(|origin| ("read from", origin)));
    other.context.extend(row.content.map(|content| ("row", content)));
    if !stderr.is_empty() {
        other.details.push(("stderr", stderr.to_owned()));
    }
    if !backtrace.is_empty() {
        other.details.push(("backtrace", backtrace.join("\n")));
    }
}

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Self {
        let message = error.to_string();
        Self::Other(match error {
            BatchError::Plan(error) => return Self::Job(error),
            BatchError::Source { error, .. } => {
                let mut other = plain(error.code(), message, error.help());
                other.exit = exit::UNREACHABLE;
                other
            }
            BatchError::Initial { error, .. } => plain(error.code(), message, error.help()),
            BatchError::Sink { error, .. } => plain(error.code(), message, error.help()),
            BatchError::Run { batch, error } => {
                let mut other = plain(error.code(), message, error.help());
                match error.as_ref() {
                    RunError::Call { place, failure, .. } => called(&mut other, place, failure),
                    _ => other.context.push(("batch", batch.to_string())),
                }
                other
            }
            BatchError::State(error) => plain(error.code(), message, Some(error.help())),
            BatchError::Checkpoint(_)
            | BatchError::Refused(_)
            | BatchError::Changed(_)
            | BatchError::Otherwise { .. }
            | BatchError::Differs { .. }
            | BatchError::Poisoned { .. } => kept(&error, message),
            BatchError::GivenUp(_) => plain(
                "WEIR-RUN-010",
                message,
                Some("nothing of it is visible; the next run takes its input again".to_owned()),
            ),
            BatchError::Unsettled(_) => plain(
                "WEIR-RUN-012",
                message,
                Some("raise `limits` of the op, or mend the function".to_owned()),
            ),
            BatchError::Machine(_) => plain("WEIR-RUN-011", message, None),
        })
    }
}

/// A failure of what is kept of a job.
fn kept(error: &BatchError, message: String) -> Other {
    match error {
        BatchError::Checkpoint(error) => {
            let mut other = plain(error.code(), message, Some(error.help().to_owned()));
            if error.can_wait() {
                other.exit = exit::CHECKPOINT;
            }
            other
        }
        BatchError::Refused(why) => plain(why.code(), message, Some(why.help().to_owned())),
        BatchError::Changed(_) => {
            let help = "give the entries their old `id`s and columns back; or begin anew: \
                        `host checkpoint rm` removes the checkpoint, `--from none` does without it";
            let mut other = plain("WEIR-RUN-014", message, Some(help.to_owned()));
            other.exit = exit::CONFIGURATION;
            other
        }
        BatchError::Differs { .. } => {
            let help = "something in the job depends on more than its input: a folder that a \
                        function may read, memory that a function keeps, an order that is not \
                        fixed. A batch that is run again after a crash would not be the same";
            plain("WEIR-RUN-016", message, Some(help.to_owned()))
        }
        BatchError::Poisoned { .. } => {
            let help = "see what ended them (`dmesg`, the memory of the machine, `limits` and \
                        `parallelism` of the job); `--try-again` begins it once more, `--from N` \
                        goes back to an older batch";
            plain("WEIR-RUN-017", message, Some(help.to_owned()))
        }
        _ => {
            let help = "give the functions the time and memory that they had (`limits`), and start \
                        again";
            plain("WEIR-RUN-015", message, Some(help.to_owned()))
        }
    }
}
