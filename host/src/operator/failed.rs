//! A call that failed: perhaps because of a row, which then goes by the policy of its op.

use datafusion::common::{DataFusionError, Result};

use super::node::carried;
use crate::plugin::{CallFailure, CallPlace, PluginError};
use crate::row_error::{FunctionMark, Refused};

/// A call that failed, perhaps because of a row.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The call.
    pub place: Box<CallPlace>,
    /// What happened.
    pub failure: CallFailure,
}

impl Failed {
    /// The failure in an error, if it may be the fault of a row; the error as it is otherwise.
    pub fn of(error: PluginError) -> Result<Self> {
        match error {
            PluginError::Call { place, failure } if failure.is_by_row() => {
                Ok(Self { place, failure })
            }
            error => Err(carried(error)),
        }
    }

    /// Out of time while looking is told with the limit that was set, not with the shorter one. If
    /// the batch fails in any case (`ends`), it is told as it failed first.
    pub fn told_by(mut self, first: &Self, ends: bool) -> Self {
        if ends && matches!(self.failure, CallFailure::Time(_)) {
            self.failure = first.failure.clone();
        }
        if let (CallFailure::Time(time), CallFailure::Time(set)) =
            (&mut self.failure, &first.failure)
        {
            *time = *set;
        }
        self
    }

    /// The error as DataFusion carries it.
    pub fn carried(self) -> DataFusionError {
        carried(PluginError::Call { place: self.place, failure: self.failure })
    }

    /// Whether it might not fail when the batch runs again.
    pub fn may_pass(&self) -> bool {
        self.failure.may_pass()
    }

    /// What is said of it.
    pub fn refused(self) -> Refused {
        let Self { place, failure } = self;
        let (code, message) = (failure.code(), failure.to_string());
        let (stderr, backtrace) = match failure {
            CallFailure::Trap { stderr, backtrace, .. } => (stderr, backtrace),
            CallFailure::Memory { stderr, .. } => (stderr, Vec::new()),
            _ => (String::new(), Vec::new()),
        };
        let CallPlace { op: at, function, plugin, digest, .. } = *place;
        let function = Some(FunctionMark { function, plugin, digest });
        Refused { at, function, origin: None, row: None, code, message, stderr, backtrace }
    }
}
