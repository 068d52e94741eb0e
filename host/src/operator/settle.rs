//! What a visit leaves of the state of a key, and of its timer.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray};
use arrow::compute::interleave_record_batch;
use datafusion::common::Result;

use super::keyed::{Before, Round};
use super::node::state_failed;
use super::update::Keeping;
use crate::plugin::{Change, Timer, Visited};
use crate::state::Lane;
use crate::types;

/// How states are kept, at the time of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Settling {
    /// How they are kept.
    pub keeping: Keeping,
    /// The time of the batch, in microseconds.
    pub now: i64,
}

/// The states and the moments of the keys of a round, after it.
pub type After = (RecordBatch, Vec<Before>);

impl Settling {
    /// What is known of a key whose state is in the store. Whichever moment came first counts: a
    /// timer that went off before the state expired is told.
    pub fn before(&self, timer: Option<i64>, expires: Option<i64>) -> Before {
        let is_past = |moment: i64| moment <= self.now;
        let expired = expires
            .is_some_and(|expires| is_past(expires) && timer.is_none_or(|timer| timer > expires));
        let timed_out = timer.is_some_and(is_past) && !expired;
        Before { known: !expired, stored: true, timer, expires, timed_out }
    }

    /// Puts what was said of the keys of a round into the lane. Gives what is known of them then.
    pub fn settle(&self, lane: &mut Lane, round: &Round, visited: &Visited) -> Result<After> {
        let (mut put, mut removed, mut sources) = (Vec::new(), Vec::new(), Vec::new());
        let mut after = Vec::with_capacity(round.before.len());
        let mut given = 0;
        for (key, before) in round.before.iter().enumerate() {
            let (change, timer) = (visited.changes[key], visited.timers[key]);
            let now = self.after(before, change, (timer, !round.values(key).is_empty()));
            let set = change == Change::Set;
            match now.known {
                true if set || (now.timer, now.expires) != (before.timer, before.expires) => {
                    put.push(key as u32);
                    sources.push(if set { (1, given) } else { (0, key) });
                }
                false if before.stored => removed.push(key as u32),
                _ => {}
            }
            given += usize::from(set);
            after.push(now);
        }
        if !removed.is_empty() {
            let keys = round.keys.select(&removed).map_err(state_failed)?;
            lane.remove(&keys).map_err(state_failed)?;
        }
        let mut states = round.states.clone();
        if !put.is_empty() {
            let moments: Vec<Before> = put.iter().map(|key| after[*key as usize]).collect();
            let rows = interleave_record_batch(&[&round.states, &visited.states], &sources)?;
            let keys = round.keys.select(&put).map_err(state_failed)?;
            let due = column(moments.iter().map(Before::due));
            let stored = self.with_hidden(lane, &rows, &moments)?;
            lane.upsert(&keys, &stored, Some(&due)).map_err(state_failed)?;
            if round.keys.len() == 1 {
                states = rows;
            }
        }
        Ok((states, after))
    }

    fn after(&self, before: &Before, change: Change, (timer, values): (Timer, bool)) -> Before {
        let set = change == Change::Set;
        let known = set || (before.known && change == Change::Unchanged);
        if !known {
            return Before::default();
        }
        let held = before.timer.filter(|_| before.known && !before.timed_out);
        let usual = match self.keeping.timeout {
            Some(timeout) if values || (set && !before.timed_out) => {
                Some(self.now.saturating_add(timeout))
            }
            _ => held,
        };
        let timer = match timer {
            Timer::Usual => usual,
            Timer::Cleared => None,
            Timer::At(at) => Some(at),
        };
        let renewed = self.keeping.ttl.map(|ttl| self.now.saturating_add(ttl));
        let expires = if set { renewed } else { before.expires };
        Before { known, stored: true, timer, expires, timed_out: false }
    }

    /// The states as they are stored.
    fn with_hidden(
        &self,
        lane: &Lane,
        states: &RecordBatch,
        moments: &[Before],
    ) -> Result<RecordBatch> {
        if self.keeping.ttl.is_none() {
            return Ok(states.clone());
        }
        let timers: ArrayRef = Arc::new(column(moments.iter().map(|moment| moment.timer)));
        let expires: ArrayRef = Arc::new(column(moments.iter().map(|moment| moment.expires)));
        let columns = states.columns().iter().cloned().chain([timers, expires]).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(moments.len()));
        let schema = Arc::clone(lane.schema().state());
        Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
    }
}

impl Before {
    /// When the store has to come back to the key.
    fn due(&self) -> Option<i64> {
        self.timer.into_iter().chain(self.expires).min()
    }
}

fn column(moments: impl Iterator<Item = Option<i64>>) -> TimestampMicrosecondArray {
    TimestampMicrosecondArray::from_iter(moments).with_timezone(types::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000;

    fn settling(timeout: Option<i64>, ttl: Option<i64>) -> Settling {
        Settling { keeping: Keeping { all: false, timeout, ttl }, now: NOW }
    }

    /// The timer after a visit.
    fn timer(
        timeout: Option<i64>,
        before: Option<i64>,
        (change, said, values): (Change, Timer, bool),
    ) -> Option<i64> {
        let settling = settling(timeout, None);
        settling.after(&settling.before(before, None), change, (said, values)).timer
    }

    #[test]
    fn timers_follow_the_job_unless_the_function_says_more() {
        use Change::{Set, Unchanged};
        use Timer::{At, Cleared, Usual};
        let cases = [
            // timeout, timer before, what is said, timer after
            (None, None, (Set, Usual, true), None),
            (None, Some(2_000), (Set, Usual, true), Some(2_000)),
            (None, Some(500), (Set, Usual, true), None),
            (None, Some(500), (Unchanged, Usual, false), None),
            (None, Some(500), (Unchanged, At(700), false), Some(700)),
            (Some(50), None, (Set, Usual, true), Some(1_050)),
            (Some(50), Some(1_010), (Unchanged, Usual, true), Some(1_050)),
            (Some(50), Some(1_010), (Unchanged, Usual, false), Some(1_010)),
            (Some(50), Some(1_010), (Set, Usual, false), Some(1_050)),
            (Some(50), Some(1_000), (Set, Usual, false), None),
            (Some(50), Some(1_000), (Set, Usual, true), Some(1_050)),
            (Some(50), Some(1_010), (Set, Cleared, true), None),
            (Some(50), Some(1_010), (Set, At(9_999), true), Some(9_999)),
            (Some(50), Some(1_010), (Change::Removed, Usual, true), None),
        ];
        for (timeout, before, said, after) in cases {
            assert_eq!(timer(timeout, before, said), after, "{timeout:?} {before:?} {said:?}");
        }
    }

    #[test]
    fn of_timer_and_expiry_the_earlier_counts() {
        let settling = settling(None, Some(100));
        let seen = |timer, expires| {
            let before = settling.before(timer, expires);
            (before.known, before.timed_out)
        };
        assert_eq!(seen(None, Some(1_001)), (true, false));
        assert_eq!(seen(None, Some(1_000)), (false, false));
        assert_eq!(seen(Some(900), Some(950)), (true, true));
        assert_eq!(seen(Some(950), Some(950)), (true, true));
        assert_eq!(seen(Some(960), Some(950)), (false, false));
        assert_eq!(seen(Some(2_000), Some(1_500)), (true, false));
    }

    #[test]
    fn a_state_lives_from_when_it_was_set() {
        let settling = settling(Some(10), Some(100));
        let before = settling.before(Some(1_005), Some(1_040));
        let after = |change, values| settling.after(&before, change, (Timer::Usual, values));
        assert_eq!(after(Change::Unchanged, true).expires, Some(1_040));
        assert_eq!(after(Change::Set, true).expires, Some(1_100));
        assert_eq!(after(Change::Set, true).due(), Some(1_010));
        assert_eq!(after(Change::Removed, true), Before::default());
        let expired = settling.before(None, Some(900));
        let unchanged = settling.after(&expired, Change::Unchanged, (Timer::Usual, true));
        assert_eq!(unchanged, Before::default());
    }
}
