//! Why the run of a plan failed.

use std::sync::Arc;

use datafusion::common::DataFusionError;

use crate::operator::{plugin_error, state_error};
use crate::plugin::{CallFailure, CallPlace};
use crate::source::SourceError;

/// Why the run of a plan failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// A function failed.
    #[error("{failure}")]
    Call {
        /// Where.
        place: Box<CallPlace>,
        /// Why.
        failure: CallFailure,
        /// The stable code.
        code: &'static str,
        /// The way out.
        help: Option<String>,
    },
    /// A source can't give what it offered.
    #[error("{message}")]
    Source {
        /// The stable code.
        code: &'static str,
        /// What is wrong.
        message: String,
        /// The way out.
        help: Option<String>,
    },
    /// The state of an op can't be read or changed.
    #[error("{message}")]
    State {
        /// The stable code.
        code: &'static str,
        /// What is wrong.
        message: String,
        /// The way out.
        help: String,
    },
    /// The receiver of the rows failed.
    #[error("{0}")]
    Receiver(Arc<dyn std::error::Error + Send + Sync>),
    /// There was not enough memory or disk.
    #[error("the batch needs more memory than it may have: {0}")]
    Resources(String),
    /// DataFusion failed.
    #[error("the plan failed: {0}")]
    Plan(String),
}

impl RunError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Call { code, .. } | Self::Source { code, .. } | Self::State { code, .. } => code,
            Self::Receiver(_) => "WEIR-RUN-001",
            Self::Resources(_) => "WEIR-RUN-002",
            Self::Plan(_) => "WEIR-RUN-003",
        }
    }

    /// The way out.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Call { help, .. } | Self::Source { help, .. } => help.clone(),
            Self::State { help, .. } => Some(help.clone()),
            Self::Resources(_) => {
                Some("set `memory` under [job] higher, or take less input in a batch".to_owned())
            }
            Self::Receiver(_) | Self::Plan(_) => None,
        }
    }

    /// Whether it only says that something else had failed before.
    pub fn is_consequence(&self) -> bool {
        matches!(self, Self::Call { failure: CallFailure::Interrupted, .. })
    }

    /// Finds the cause in what DataFusion gave back.
    pub fn from_datafusion(error: &DataFusionError) -> Self {
        if let Some(plugin) = plugin_error(error) {
            let (code, help) = (plugin.code(), plugin.help());
            return match plugin {
                crate::plugin::PluginError::Call { place, failure } => {
                    Self::Call { place: place.clone(), failure: failure.clone(), code, help }
                }
                other => Self::Source { code, message: other.to_string(), help },
            };
        }
        if let Some(state) = state_error(error) {
            let (code, message, help) = (state.code(), state.to_string(), state.help());
            return Self::State { code, message, help: help.to_owned() };
        }
        match root(error) {
            DataFusionError::External(inner) => match inner.downcast_ref::<SourceError>() {
                Some(source) => Self::Source {
                    code: source.code(),
                    message: source.to_string(),
                    help: source.help(),
                },
                None => Self::Plan(inner.to_string()),
            },
            DataFusionError::ResourcesExhausted(why) => Self::Resources(why.clone()),
            other => Self::Plan(other.strip_backtrace()),
        }
    }
}

fn root(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Shared(inner) => root(inner),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => root(inner),
        DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
            arrow::error::ArrowError::ExternalError(inner) => {
                inner.downcast_ref::<DataFusionError>().map_or(error, root)
            }
            _ => error,
        },
        other => other,
    }
}
