//! Watermarks as one run of a batch sees them, and the event times that it measures.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::NodeId;

/// Up to where an op has seen time, in microseconds since 1970; [`i64::MIN`] = nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// In the batch before.
    pub before: i64,
    /// In this one.
    pub now: i64,
    /// Where windows are counted from.
    pub origin: i64,
}

impl Default for Watermark {
    fn default() -> Self {
        Self { before: i64::MIN, now: i64::MIN, origin: 0 }
    }
}

/// The watermarks of a batch by op; what came of it by entry.
#[derive(Debug, Default)]
pub struct Times {
    marks: HashMap<NodeId, Watermark>,
    seen: Mutex<BTreeMap<NodeId, i64>>,
    late: Mutex<BTreeMap<NodeId, u64>>,
}

impl Times {
    /// With these watermarks.
    pub fn new(marks: HashMap<NodeId, Watermark>) -> Self {
        Self { marks, ..Self::default() }
    }

    /// The watermark of an op.
    pub fn watermark(&self, op: &NodeId) -> Watermark {
        self.marks.get(op).copied().unwrap_or_default()
    }

    /// Notes the latest event time of rows of an entry.
    pub fn saw(&self, entry: &NodeId, time: i64) {
        let mut seen = lock(&self.seen);
        let latest = seen.entry(entry.clone()).or_insert(i64::MIN);
        *latest = time.max(*latest);
    }

    /// Notes rows that came too late for an op.
    pub fn late(&self, op: &NodeId, rows: u64) {
        *lock(&self.late).entry(op.clone()).or_default() += rows;
    }

    /// The latest event times.
    pub fn seen(&self) -> BTreeMap<NodeId, i64> {
        lock(&self.seen).clone()
    }

    /// How many rows came too late, by op.
    pub fn too_late(&self) -> BTreeMap<NodeId, u64> {
        lock(&self.late).clone()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
