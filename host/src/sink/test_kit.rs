//! What the tests of this room share.

use crate::clock::Micros;
use crate::id::{BatchId, JobName};

use super::BatchMark;

/// A batch of a run, at the beginning of 2026.
pub(super) fn mark(run: &str, batch: u64) -> BatchMark {
    BatchMark {
        job: JobName::new("words"),
        run: run.into(),
        generation: 1,
        batch: BatchId(batch),
        time: Micros(1_767_225_600_000_000),
        again: false,
    }
}
