//! How many rows a batch may take: `max_rate`, and what a source of its own pace has made.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{SourceError, Wake};
use crate::clock::Stopwatch;

/// How often the bell is rung for rows that come with time and not with input.
const TICK: Duration = Duration::from_millis(100);

/// Gives out so many rows a second. What nobody took is lost: a rate is never made up for.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: u64,
    /// Runs since the first question.
    run: Mutex<Option<(Stopwatch, u64)>>,
}

impl Pace {
    pub(super) fn new(per_second: u64) -> Self {
        Self { per_second, run: Mutex::new(None) }
    }

    /// Rows that fell due since the last call. The first call starts the time.
    pub(super) fn due(&self) -> u64 {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, before) = run.get_or_insert_with(|| (Stopwatch::start(), 0));
        let now = rows_after(self.per_second, since.elapsed());
        now - std::mem::replace(before, now)
    }
}

/// Whole rows after a time: rounding down at each call loses none in the sum.
fn rows_after(per_second: u64, elapsed: Duration) -> u64 {
    let rows = u128::from(per_second) * elapsed.as_nanos() / 1_000_000_000;
    u64::try_from(rows).unwrap_or(u64::MAX)
}

/// Rings a bell ten times a second until it is dropped.
#[derive(Debug)]
pub(super) struct Ticker(Wake);

impl Ticker {
    pub(super) fn start(wake: Wake) -> Result<Self, SourceError> {
        let end = Wake::default();
        let ended = end.clone();
        let thread = std::thread::Builder::new().name("weir-pace".into());
        let ticking = thread.spawn(move || {
            while !ended.wait(Some(TICK)) {
                wake.ring();
            }
        });
        ticking.map_err(|error| SourceError::Thread { error })?;
        Ok(Self(end))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.ring();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_fall_due_by_time_alone() {
        for (rate, millis, rows) in
            [(1000, 1000, 1000), (1, 999, 0), (1, 1000, 1), (3, 1000, 3), (10_000_000, 1, 10_000)]
        {
            assert_eq!(rows_after(rate, Duration::from_millis(millis)), rows);
        }
    }

    #[test]
    fn the_sum_is_exact_however_often_it_is_asked() {
        let pace = Pace::new(1_000_000);
        assert_eq!(pace.due(), 0);
        let (since, _) = pace.run.lock().unwrap().unwrap();
        let least = since.elapsed();
        let sum: u64 = (0..1000).map(|_| pace.due()).sum();
        assert!(sum <= rows_after(1_000_000, since.elapsed()));
        assert!(sum >= rows_after(1_000_000, least));
    }

    #[test]
    fn a_ticker_rings() {
        let wake = Wake::default();
        let ticker = Ticker::start(wake.clone()).unwrap();
        assert!(wake.wait(None));
        drop(ticker);
    }
}
