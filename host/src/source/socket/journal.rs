//! Brings blocks to the log before a batch sees them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::buffer::Buffer;
use crate::durable::StoreError;
use crate::source::SourceError;
use crate::source::wal::Wal;

/// The log of a source, if it has one. Whoever ends a block writes it, with all others that wait.
#[derive(Default)]
pub(super) struct Journal(Mutex<State>);

#[derive(Default)]
struct State {
    wal: Option<Wal>,
    /// Why nothing more is written.
    failed: Option<StoreError>,
}

impl Journal {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes to this log from now on.
    pub(super) fn begin(&self, wal: Wal) {
        self.state().wal = Some(wal);
    }

    /// Whether there is a log.
    pub(super) fn is_kept(&self) -> bool {
        self.state().wal.is_some()
    }

    /// Writes every block that has ended, with one flush. A full disk makes them wait, and with
    /// them the peers; of any other failure [`Journal::check`] tells.
    pub(super) fn write(&self, buffer: &Buffer) {
        let state = &mut *self.state();
        let (Some(wal), None) = (&mut state.wal, &state.failed) else { return };
        let waiting = buffer.unsafe_blocks();
        let (done, written) = wal.append(&waiting);
        buffer.made_safe(&waiting[..done]);
        match written {
            Ok(()) | Err(StoreError::NoSpace { .. }) => {}
            Err(error) => state.failed = Some(error),
        }
    }

    /// Removes what no batch needs any more.
    pub(super) fn clean(&self, buffer: &Buffer) {
        let state = &mut *self.state();
        let (Some(wal), None) = (&mut state.wal, &state.failed) else { return };
        state.failed = wal.clean(&buffer.kept()).err();
    }

    /// Fails if the log can't be written any more.
    pub(super) fn check(&self) -> Result<(), SourceError> {
        match &self.state().failed {
            Some(error) => Err(error.clone().into()),
            None => Ok(()),
        }
    }
}
