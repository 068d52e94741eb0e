//! How a job is stopped from outside: after the batch in flight, or at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::plan::Interrupt;
use crate::source::Wake;

/// A wish to stop, shared with whoever may utter it.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    draining: Arc<AtomicBool>,
    wake: Wake,
    now: Interrupt,
    ended: Wake,
}

impl Stop {
    /// Stop after the batch in flight.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.wake.ring();
    }

    /// Stop at once: the batch in flight is given up.
    pub fn now(&self) {
        self.now.raise();
        self.drain();
    }

    /// Whether no further batch may begin.
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether the batch in flight is to be given up.
    pub fn at_once(&self) -> bool {
        self.now.raised()
    }

    /// The bell that wakes a job that waits for input.
    pub fn wake(&self) -> &Wake {
        &self.wake
    }

    /// What ends the calls of the batch in flight.
    pub fn interrupt(&self) -> &Interrupt {
        &self.now
    }

    /// The job has ended.
    pub fn end(&self) {
        self.ended.ring();
    }

    /// Waits for the end of the job, so long at most. Says whether it came.
    pub fn wait_for_end(&self, at_most: std::time::Duration) -> bool {
        self.ended.wait(Some(at_most))
    }
}
