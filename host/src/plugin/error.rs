//! What can go wrong with a plugin, by who has to act.

use std::path::PathBuf;
use std::time::Duration;

use super::compile::CompileFailure;
use crate::id::BatchId;

/// Where in a job a function failed. Written once, where the instance is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallPlace {
    /// The op or function of the job.
    pub op: String,
    /// The function's name.
    pub function: String,
    /// The plugin, as the job names it.
    pub plugin: String,
    /// Its digest.
    pub digest: String,
    /// The batch; 0 before the first.
    pub batch: BatchId,
    /// The partition.
    pub partition: u32,
    /// The row that it failed on, when that was found.
    pub row: Option<RowMark>,
}

/// A row, for messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowMark {
    /// Where it was read.
    pub origin: Option<String>,
    /// The row as JSON, cut when it is long; none when rows are to be hidden.
    pub content: Option<String>,
}

/// Why a call of a function failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    /// The component trapped.
    #[error("the function trapped: {reason}")]
    Trap {
        /// What the engine says, in a few words.
        reason: String,
        /// What the function wrote to its standard error in this call.
        stderr: String,
        /// The frames of the component, innermost first.
        backtrace: Vec<String>,
    },
    /// The call took too long.
    #[error("the call took longer than its limit of {0:?}")]
    Time(Duration),
    /// The instance wanted more memory than it may have.
    #[error("the function wanted {wanted} bytes of memory, its limit is {limit}")]
    Memory {
        /// What it would have had in sum.
        wanted: u64,
        /// The limit.
        limit: u64,
        /// What the function wrote to its standard error in this call.
        stderr: String,
    },
    /// The instance wanted larger tables than it may have.
    #[error("the function wanted tables of {wanted} elements, its limit is {limit}")]
    Elements {
        /// What it would have had in sum.
        wanted: u64,
        /// The limit.
        limit: u64,
    },
    /// The instance wanted more of something than it may have.
    #[error("the function wanted more {what} than its limit of {limit}")]
    Many {
        /// What, as the limit is called.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The call recursed too deeply.
    #[error("the function used up its stack of {0} bytes")]
    Stack(usize),
    /// What came back is larger than allowed.
    #[error("the call gave back more than its limit of {0} bytes")]
    Result(u64),
    /// What the function says of itself is larger than allowed.
    #[error("what the function says of itself has more than {0} bytes")]
    Told(u64),
    /// `open` refused in a batch, after it had not when the job was checked.
    #[error("the function can't be opened: {0}")]
    Refused(String),
    /// What came back is not what was agreed.
    #[error("the function broke the contract: {0}")]
    Contract(String),
    /// The function says that it can't take the chunk.
    #[error("the function failed: {0}")]
    Function(String),
    /// The function rejected a row and the op's policy is to fail.
    #[error("a row was rejected: {0}")]
    Row(String),
    /// So many rows failed that they are not looked for any more.
    #[error(
        "finding the rows that it fails on was given up after {rows} rows and {took:?}: {last}"
    )]
    TooMany {
        /// Rows that were found.
        rows: u32,
        /// The time that it took.
        took: Duration,
        /// Why the last one failed.
        last: String,
    },
    /// A dead letter could not be put aside.
    #[error("{0}")]
    Letters(String),
    /// The batch was given up because something else failed or the job is stopping.
    #[error("the call was interrupted because the batch was given up")]
    Interrupted,
}

/// An error of the plugin room.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The path of a plugin is not there.
    #[error("there is no plugin at `{0}`")]
    Missing(PathBuf),
    /// A file can't be read or written.
    #[error("can't {action} `{path}`: {source}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The bytes are not a component.
    #[error("`{plugin}` is not a component: {reason}")]
    NotAComponent {
        /// The plugin.
        plugin: String,
        /// What it is instead.
        reason: String,
        /// What to do.
        help: &'static str,
    },
    /// The component can't be compiled.
    #[error("`{plugin}` can't be compiled: {failure}")]
    Compile {
        /// The plugin.
        plugin: String,
        /// Why.
        failure: CompileFailure,
    },
    /// The component does not fit the package.
    #[error("`{plugin}` does not fit: {reason}")]
    World {
        /// The plugin.
        plugin: String,
        /// What is missing or too much.
        reason: String,
    },
    /// A folder could not be built.
    #[error("building `{folder}` failed: {reason}")]
    Build {
        /// The folder.
        folder: PathBuf,
        /// What failed.
        reason: String,
        /// What the tool wrote.
        output: String,
        /// What to do.
        help: Option<String>,
    },
    /// What `describe` says is wrong.
    #[error("`{plugin}` describes its functions wrongly: {reason}")]
    Describe {
        /// The plugin.
        plugin: String,
        /// What is wrong.
        reason: String,
    },
    /// `open` refused.
    #[error("`{function}` can't be opened: {message}")]
    Refused {
        /// The function.
        function: String,
        /// The setting of the config that is wrong, if it is one.
        setting: Option<String>,
        /// Why.
        message: String,
    },
    /// An updater does not take the columns that the job names as its key.
    #[error("`{function}` of plugin `{plugin}` does not take the key: {message}")]
    Key {
        /// The plugin.
        plugin: String,
        /// The function.
        function: String,
        /// Why.
        message: String,
    },
    /// A call failed.
    #[error("{failure}")]
    Call {
        /// Where.
        place: Box<CallPlace>,
        /// Why.
        failure: CallFailure,
    },
    /// A right can't be given.
    #[error("what the op allows can't be given: {0}")]
    Grant(String),
    /// The engine could not be made or used.
    #[error("the WebAssembly engine failed: {0}")]
    Engine(String),
}

impl PluginError {
    /// The stable code that `host explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "WEIR-PLUGIN-001",
            Self::File { .. } => "WEIR-PLUGIN-002",
            Self::NotAComponent { .. } => "WEIR-PLUGIN-003",
            Self::Compile { .. } => "WEIR-PLUGIN-009",
            Self::World { .. } => "WEIR-PLUGIN-004",
            Self::Build { .. } => "WEIR-PLUGIN-005",
            Self::Describe { .. } => "WEIR-PLUGIN-006",
            Self::Refused { .. } => "WEIR-PLUGIN-007",
            Self::Engine(_) => "WEIR-PLUGIN-008",
            Self::Grant(_) => "WEIR-PLUGIN-010",
            Self::Key { .. } => "WEIR-PLUGIN-011",
            Self::Call { failure, .. } => failure.code(),
        }
    }

    /// The way out.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Missing(_) => {
                "`wasm` takes a .wasm file or the folder of a plugin; relative paths start at the \
                 folder of job.toml"
                    .into()
            }
            Self::NotAComponent { help, .. } => (*help).into(),
            Self::Compile { failure, .. } => match failure {
                CompileFailure::Invalid(_) => "build the component anew",
                CompileFailure::Time(_) => "set `limits.compile_time` higher if you trust it",
                CompileFailure::Memory(_) => "set `limits.compile_memory` higher if you trust it",
                CompileFailure::Ended(_) => "this is a fault of Weir: please report it",
            }
            .into(),
            Self::World { .. } => {
                "build it against the package weir:operator (wit/ and sdk/ of this project), or \
                 use a host that knows its version"
                    .into()
            }
            Self::Build { help, .. } => return help.clone(),
            // Only `describe` is called for no op.
            Self::Call { place, failure: CallFailure::Time(limit) } if place.op.is_empty() => {
                let limit = limit.as_secs();
                format!("a plugin has {limit} s to start and to say which functions it has")
            }
            Self::Call { failure, .. } => return failure.help(),
            Self::Grant(_) => "`allow` names folders that must exist; relative paths start at the \
                 folder of job.toml"
                .into(),
            Self::Engine(_) => "this is a fault of Weir: please report it with this text".into(),
            Self::Key { .. } => {
                "name the columns that it wants in `key`; if they have other names in the rows, \
                 `columns = { NAME = \"COLUMN\" }` says so"
                    .into()
            }
            Self::File { .. } | Self::Describe { .. } | Self::Refused { .. } => return None,
        })
    }
}

impl CallFailure {
    /// The stable code that `host explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Trap { .. } => "WEIR-PLUGIN-020",
            Self::Time(_) => "WEIR-PLUGIN-021",
            Self::Memory { .. } => "WEIR-PLUGIN-022",
            Self::Stack(_) => "WEIR-PLUGIN-023",
            Self::Result(_) | Self::Told(_) => "WEIR-PLUGIN-024",
            Self::Refused(_) => "WEIR-PLUGIN-007",
            Self::Contract(_) => "WEIR-PLUGIN-025",
            Self::Function(_) => "WEIR-PLUGIN-026",
            Self::Row(_) => "WEIR-PLUGIN-027",
            Self::TooMany { .. } => "WEIR-PLUGIN-029",
            Self::Letters(_) => "WEIR-PLUGIN-030",
            Self::Elements { .. } | Self::Many { .. } => "WEIR-PLUGIN-031",
            Self::Interrupted => "WEIR-PLUGIN-028",
        }
    }

    /// The same, of what a function says of itself instead of its rows.
    #[must_use]
    pub(super) fn of_opening(self) -> Self {
        match self {
            Self::Result(limit) => Self::Told(limit),
            other => other,
        }
    }

    /// Whether it may be the fault of a row, so that the others would pass.
    pub fn is_by_row(&self) -> bool {
        !matches!(self, Self::Interrupted | Self::TooMany { .. } | Self::Letters(_))
    }

    /// Whether the same call might pass another time.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Time(_) | Self::Memory { .. })
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Time(limit) => format!(
                "if the function needs longer, set `limits = {{ time = \"{}s\" }}` on the op",
                (limit.as_secs() * 6).max(1)
            ),
            Self::Memory { limit, .. } => format!(
                "if the function needs more, set `limits = {{ memory = \"{}MiB\" }}` on the op",
                limit / (1024 * 1024) * 4
            ),
            Self::Elements { limit, .. } => format!(
                "if the function needs more, set `limits = {{ elements = {} }}` on the op",
                limit * 4
            ),
            Self::Many { what, limit } => format!(
                "if the function needs more, set `limits = {{ {what} = {} }}` on the op",
                limit * 4
            ),
            Self::Told(_) => "describe fewer columns, with shorter names, types and texts".into(),
            Self::Result(limit) => format!(
                "give fewer rows for a row, or set `limits = {{ result = \"{}MiB\" }}` on the op",
                (limit / (1024 * 1024)).max(1) * 4
            ),
            Self::Contract(_) => {
                "this is a fault of the plugin or its SDK; wit/README.md has the contract".into()
            }
            Self::Trap { .. } | Self::Stack(_) | Self::Function(_) | Self::Row(_) => {
                "nothing of this batch was written; mend the function or the input and run again, \
                 or leave such rows out with `on_error = \"skip\"` or `\"dead-letter\"`"
                    .into()
            }
            Self::TooMany { .. } => {
                "a function that fails on so many rows is broken: nothing of this batch was \
                 written; mend the function, or filter the rows out before it"
                    .into()
            }
            Self::Interrupted | Self::Letters(_) | Self::Refused(_) => return None,
        })
    }
}

/// A text of a guest that explains something is cut after so many bytes.
pub(super) const MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// A name that a guest gave to something is cut after so many bytes where it is shown.
pub(super) const NAME_BYTES_MAX: usize = 256;

/// A text that comes from a guest, or has parts that do, as long as a person may want to read it.
pub(super) fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push('…');
    }
    text
}
