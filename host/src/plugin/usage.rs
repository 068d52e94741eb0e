//! What a call site has done: counted in calls, rows and time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a site has done since the start, summed over lanes.
#[derive(Debug, Default)]
pub struct SiteStats {
    calls: AtomicU64,
    rows_in: AtomicU64,
    rows_out: AtomicU64,
    nanos: AtomicU64,
    instances: AtomicU64,
    memory_max: AtomicU64,
}

/// A reading of [`SiteStats`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls of the guest.
    pub calls: u64,
    /// Rows that crossed into the guest.
    pub rows_in: u64,
    /// Rows that came out.
    pub rows_out: u64,
    /// Time in calls, copies included, in nanoseconds.
    pub nanos: u64,
    /// Instances that were made.
    pub instances: u64,
    /// The most memory that one instance had, in bytes.
    pub memory_max: u64,
}

impl SiteStats {
    /// What was counted so far.
    pub fn read(&self) -> Usage {
        Usage {
            calls: self.calls.load(Ordering::Relaxed),
            rows_in: self.rows_in.load(Ordering::Relaxed),
            rows_out: self.rows_out.load(Ordering::Relaxed),
            nanos: self.nanos.load(Ordering::Relaxed),
            instances: self.instances.load(Ordering::Relaxed),
            memory_max: self.memory_max.load(Ordering::Relaxed),
        }
    }

    /// An instance was made.
    pub(super) fn made_instance(&self) {
        self.instances.fetch_add(1, Ordering::Relaxed);
    }

    /// An instance had so much memory, in bytes.
    pub(super) fn saw_memory(&self, bytes: u64) {
        self.memory_max.fetch_max(bytes, Ordering::Relaxed);
    }

    /// A call was made.
    pub(super) fn count(&self, rows_in: usize, rows_out: usize, took: Duration) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.rows_in.fetch_add(rows_in as u64, Ordering::Relaxed);
        self.rows_out.fetch_add(rows_out as u64, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Usage {
    /// What was counted since an earlier reading.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            calls: self.calls - earlier.calls,
            rows_in: self.rows_in - earlier.rows_in,
            rows_out: self.rows_out - earlier.rows_out,
            nanos: self.nanos - earlier.nanos,
            instances: self.instances - earlier.instances,
            memory_max: self.memory_max,
        }
    }
}
