//! What a visit leaves of the state of a key, and of its timer.

use std::sync::Arc;

use arrow::array::{
    Array, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::{interleave_record_batch, take_record_batch};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;

use super::keyed::{Before, Round};
use super::moments::{self, Moments};
use super::node::state_failed;
use super::update::Keeping;
use crate::plugin::{Change, Timer, Visited};
use crate::state::{Keys, Lane};
use crate::types;

/// How states are kept, at the time of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Settling {
    /// How they are kept.
    pub keeping: Keeping,
    /// The time of the batch, in microseconds.
    pub now: i64,
    /// Whether all states are looked at, because they were kept with another `ttl` before.
    pub renewal: bool,
}

/// The states and the moments of the keys of a round, after it.
pub type After = (RecordBatch, Vec<Before>);

impl Settling {
    /// What is known of a key whose state is in the store. Whichever moment came first counts: a
    /// timer that went off before the state expired is told. A state that was set while there was
    /// no `ttl` counts as set now.
    pub fn before(&self, due: Option<i64>, times: Option<Moments>) -> Before {
        let is_past = |moment: i64| moment <= self.now;
        let timer = times.map_or(due, |times| times.timer);
        let set = self.keeping.ttl.map(|_| times.map_or(self.now, |times| times.set));
        let expired = self
            .expires(set)
            .is_some_and(|expires| is_past(expires) && timer.is_none_or(|timer| timer > expires));
        let timed_out = timer.is_some_and(is_past) && !expired;
        let stale = set != times.map(|times| times.set) || self.due(timer, set) != due;
        Before { known: !expired, stored: true, timer, set, timed_out, stale }
    }

    /// What is known of a key that begins with a state, in the batch in which it does.
    pub fn beginning(&self) -> Before {
        let timer = self.keeping.timeout.map(|timeout| self.now.saturating_add(timeout));
        let set = self.keeping.ttl.map(|_| self.now);
        Before { known: true, timer, set, ..Before::default() }
    }

    /// When a state is dropped.
    fn expires(&self, set: Option<i64>) -> Option<i64> {
        self.keeping.ttl.zip(set).map(|(ttl, set)| set.saturating_add(ttl))
    }

    /// When the store has to come back to a key.
    fn due(&self, timer: Option<i64>, set: Option<i64>) -> Option<i64> {
        timer.into_iter().chain(self.expires(set)).min()
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
                true if set
                    || before.stale
                    || (now.timer, now.set) != (before.timer, before.set) =>
                {
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
            self.keep(lane, &keys, &rows, &moments)?;
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
        let renewed = self.keeping.ttl.map(|_| self.now);
        let set = if set { renewed } else { before.set };
        Before { known, stored: true, timer, set, ..Before::default() }
    }

    /// Writes the moments of states anew that were kept with another `ttl`.
    pub fn renew(&self, lane: &mut Lane, round: &Round) -> Result<()> {
        self.keep(lane, &round.keys, &round.states, &round.before)
    }

    /// The same for all states of a lane, a key group at a time. Those that have ended go. What
    /// visits say of keys comes later, and counts.
    pub fn renew_all(&self, lane: &mut Lane) -> Result<()> {
        for group in lane.groups() {
            let rows = lane.rows_of(group).map_err(state_failed)?;
            let count = rows.state.num_columns().saturating_sub(1);
            let known = rows.state.project(&(0..count).collect::<Vec<_>>())?;
            let hidden = moments::from(rows.state.column(count))?;
            let (mut stale, mut ended, mut moments) = (Vec::new(), Vec::new(), Vec::new());
            for row in 0..rows.keys.num_rows() {
                let due = rows.due.is_valid(row).then(|| rows.due.value(row));
                let before = self.before(due, moments::of(hidden, row)?);
                match before {
                    Before { known: false, .. } => ended.push(row as u32),
                    Before { stale: true, .. } => {
                        stale.push(row as u32);
                        moments.push(before);
                    }
                    _ => {}
                }
            }
            let keys = lane.keys(rows.keys.columns()).map_err(state_failed)?;
            lane.remove(&keys.select(&ended).map_err(state_failed)?).map_err(state_failed)?;
            let states = take_record_batch(&known, &UInt32Array::from(stale.clone()))?;
            let keys = keys.select(&stale).map_err(state_failed)?;
            self.keep(lane, &keys, &states, &moments)?;
        }
        Ok(())
    }

    fn keep(
        &self,
        lane: &mut Lane,
        keys: &Keys,
        states: &RecordBatch,
        moments: &[Before],
    ) -> Result<()> {
        let stored = self.with_hidden(lane.schema().state(), states, moments)?;
        lane.upsert(keys, &stored, Some(&self.dues(moments))).map_err(state_failed)
    }

    /// When the store has to come back to keys.
    pub fn dues(&self, moments: &[Before]) -> TimestampMicrosecondArray {
        let due = moments.iter().map(|moment| self.due(moment.timer, moment.set));
        TimestampMicrosecondArray::from_iter(due).with_timezone(types::UTC)
    }

    /// The states as they are stored.
    pub fn with_hidden(
        &self,
        schema: &SchemaRef,
        states: &RecordBatch,
        moments: &[Before],
    ) -> Result<RecordBatch> {
        let times = |moment: &Before| {
            let timer = moment.timer;
            moment.set.map(|set| Moments { set, timer })
        };
        let hidden = moments::column(moments.iter().map(times));
        let columns = states.columns().iter().cloned().chain([hidden]).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(moments.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000;

    fn settling(timeout: Option<i64>, ttl: Option<i64>) -> Settling {
        let keeping = Keeping { all: false, timeout, ttl };
        Settling { keeping, now: NOW, renewal: false }
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

    fn times(set: i64, timer: Option<i64>) -> Option<Moments> {
        Some(Moments { set, timer })
    }

    #[test]
    fn of_timer_and_expiry_the_earlier_counts() {
        let settling = settling(None, Some(100));
        let seen = |timer, expires: i64| {
            let before = settling.before(None, times(expires - 100, timer));
            (before.known, before.timed_out)
        };
        assert_eq!(seen(None, 1_001), (true, false));
        assert_eq!(seen(None, 1_000), (false, false));
        assert_eq!(seen(Some(900), 950), (true, true));
        assert_eq!(seen(Some(950), 950), (true, true));
        assert_eq!(seen(Some(960), 950), (false, false));
        assert_eq!(seen(Some(2_000), 1_500), (true, false));
    }

    #[test]
    fn a_state_lives_from_when_it_was_set() {
        let settling = settling(Some(10), Some(100));
        let before = settling.before(Some(1_005), times(940, Some(1_005)));
        assert!(!before.stale);
        let after = |change, values| settling.after(&before, change, (Timer::Usual, values));
        assert_eq!(after(Change::Unchanged, true).set, Some(940));
        assert_eq!(after(Change::Set, true).set, Some(1_000));
        assert_eq!(settling.dues(&[after(Change::Set, true)]).value(0), 1_010);
        assert_eq!(after(Change::Removed, true), Before::default());
        let expired = settling.before(Some(900), times(800, None));
        let unchanged = settling.after(&expired, Change::Unchanged, (Timer::Usual, true));
        assert_eq!(unchanged, Before::default());
    }

    #[test]
    fn another_ttl_gives_states_other_moments() {
        let with = settling(None, Some(100));
        // Set when there was none: it lives from now on, and its timer is the store's.
        let added = with.before(Some(2_000), None);
        let expected = Before {
            known: true,
            stored: true,
            timer: Some(2_000),
            set: Some(1_000),
            timed_out: false,
            stale: true,
        };
        assert_eq!(added, expected);
        assert_eq!(with.dues(&[added]).value(0), 1_100);
        // Set when it was longer or shorter: what counts is the one of now.
        assert!(!with.before(Some(5_000), times(900, None)).known);
        let longer = with.before(Some(960), times(950, Some(3_000)));
        assert!(longer.known && longer.stale && !longer.timed_out);
        assert_eq!(with.dues(&[longer]).value(0), 1_050);
        // There is none any more: only the function's timer counts.
        let without = settling(None, None);
        let removed = without.before(Some(900), times(800, Some(2_000)));
        assert!(removed.known && removed.stale && !removed.timed_out);
        assert_eq!((removed.set, without.dues(&[removed]).value(0)), (None, 2_000));
    }
}
