//! When the next batch begins.

use std::time::Duration;

use super::stop::Stop;
use crate::clock::Stopwatch;

/// How a job is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Until it is stopped or its sources have ended.
    Continuous,
    /// What is there now, then exit.
    Once,
}

/// Says when the next batch may begin: at fixed intervals, or whenever there is input.
#[derive(Debug)]
pub struct Trigger {
    interval: Duration,
    running: Stopwatch,
    due: Duration,
}

impl Trigger {
    /// The first batch is due at once.
    pub fn new(interval: Duration) -> Self {
        Self { interval, running: Stopwatch::start(), due: Duration::ZERO }
    }

    /// Waits until a batch is due or the job must stop. A batch that took longer than the interval
    /// is followed at once, and the rhythm goes on from there.
    pub fn wait(&mut self, stop: &Stop) {
        while !stop.draining() {
            let now = self.running.elapsed();
            if now >= self.due {
                self.due = (self.due + self.interval).max(now);
                return;
            }
            stop.wake().wait(Some(self.due - now));
        }
    }

    /// Whether the next batch may begin at once. If so it counts as begun.
    pub fn take_due(&mut self) -> bool {
        let now = self.running.elapsed();
        let due = now >= self.due;
        if due {
            self.due = (self.due + self.interval).max(now);
        }
        due
    }

    /// There was nothing new: without an interval, waits for a source to ring, so long at most.
    pub fn idle(&self, stop: &Stop, at_most: Option<Duration>) {
        if self.interval.is_zero() && !stop.draining() {
            stop.wake().wait(at_most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_their_rhythm_and_a_stop_ends_the_wait() {
        let stop = Stop::default();
        let mut trigger = Trigger::new(Duration::from_millis(20));
        let took = Stopwatch::start();
        for _ in 0..3 {
            trigger.wait(&stop);
        }
        assert!(took.elapsed() >= Duration::from_millis(40));
        let mut slow = Trigger::new(Duration::from_secs(3600));
        slow.wait(&stop);
        stop.drain();
        slow.wait(&stop);
    }

    #[test]
    fn without_an_interval_a_batch_is_always_due() {
        let stop = Stop::default();
        let mut trigger = Trigger::new(Duration::ZERO);
        for _ in 0..100 {
            trigger.wait(&stop);
        }
        stop.wake().ring();
        trigger.idle(&stop, None);
    }
}
