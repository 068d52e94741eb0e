//! Event times and watermarks, from batch to batch and from run to run.
//!
//! They are a state of their own: for each entry with `event_time` the latest time that was seen
//! and when its last rows came, for each op that goes by time its watermark and where its windows
//! are counted from. So a batch that is run again sees the same watermarks, and so does a job that
//! goes on.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Fields, TimestampMicrosecondType};

use super::error::BatchError;
use super::run::{Planned, Runner};
use super::start::Build;
use super::trigger::Mode;
use crate::checkpoint::record::IntentV1;
use crate::clock::Micros;
use crate::id::{BatchId, NodeId};
use crate::plan::{Clock, Times, Timing, Waiting, Watermark};
use crate::state::{Lane, Staged, StateError, StateSchema, StateStore};
use crate::types;

/// The state. No entry of a job can have such an id.
pub const STATE: &str = "\u{0}event_time";

/// What is known of one entry or op, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    /// The latest event time of an entry, the watermark of an op; [`i64::MIN`] = none yet.
    time: i64,
    /// When the last rows of an entry came; where the windows of an op are counted from.
    since: i64,
}

/// What is known of all of them.
#[derive(Clone, Debug, Default)]
pub struct EventTimes(BTreeMap<String, Known>);

fn schema() -> Result<StateSchema, StateError> {
    let key = Fields::from(vec![Field::new("name", DataType::Utf8, false)]);
    let time = |name| Field::new(name, types::timestamp(), true);
    StateSchema::new(1, key, Fields::from(vec![time("time"), time("since")]))
}

impl EventTimes {
    /// As a store has them.
    pub fn load(store: &dyn StateStore) -> Result<Self, StateError> {
        let (op, mut known) = (NodeId::new(STATE), BTreeMap::new());
        if !store.ops().contains(&op) {
            return Ok(Self::default());
        }
        let view = store.view(&op)?;
        for group in 0..store.groups() {
            let rows = view.scan(group)?;
            let names = rows.keys.column(0).as_string::<i32>();
            let time = |at: usize| rows.state.column(at).as_primitive::<TimestampMicrosecondType>();
            for (row, name) in names.iter().enumerate() {
                let of = |at| time(at).iter().nth(row).flatten().unwrap_or(i64::MIN);
                let one = Known { time: of(0), since: of(1) };
                known.insert(name.unwrap_or_default().to_owned(), one);
            }
        }
        Ok(Self(known))
    }

    fn of(&self, name: &NodeId) -> Option<Known> {
        self.0.get(name.as_str()).copied()
    }

    /// The watermark of an op in a batch at a time, and in the batch before.
    fn watermark(
        &self,
        waiting: &Waiting,
        timing: &Timing,
        (time, interval): (i64, i64),
    ) -> Watermark {
        let known = self.of(&waiting.op);
        let before = known.map_or(i64::MIN, |known| known.time);
        match &waiting.clock {
            Clock::Batches => {
                let origin = known.map_or(time, |known| known.since);
                let passed = time.saturating_sub(origin).div_euclid(interval.max(1));
                let end = passed.saturating_add(1).saturating_mul(interval.max(1));
                // Each batch has an interval of its own, however fast one follows the other.
                let least = before.saturating_add(interval.max(1));
                Watermark { before, now: origin.saturating_add(end).max(least), origin }
            }
            Clock::Entries(entries) => {
                let timed = timing.timed.iter().filter(|timed| entries.contains(&timed.entry));
                let marks = timed.filter_map(|timed| {
                    let known =
                        self.of(&timed.entry).unwrap_or(Known { time: i64::MIN, since: time });
                    let silent = time.saturating_sub(known.since);
                    let idle = timed.idle.is_some_and(|idle| silent >= idle);
                    let mark = match known.time {
                        i64::MIN => i64::MIN,
                        latest => latest.saturating_sub(timed.delay),
                    };
                    (!idle).then_some(mark)
                });
                Watermark { before, now: marks.min().unwrap_or(before).max(before), origin: 0 }
            }
        }
    }

    /// The watermarks of all ops in a batch at a time.
    fn watermarks(&self, timing: &Timing, at: (i64, i64)) -> HashMap<NodeId, Watermark> {
        let mark = |one: &Waiting| (one.op.clone(), self.watermark(one, timing, at));
        timing.waiting.iter().map(mark).collect()
    }

    /// Notes what a batch saw and went by. Gives what changed.
    fn advance(&mut self, timing: &Timing, times: &Times, time: i64) -> BTreeMap<String, Known> {
        let seen = times.seen();
        let mut changed = BTreeMap::new();
        for timed in &timing.timed {
            let known = self.of(&timed.entry);
            let had = known.unwrap_or(Known { time: i64::MIN, since: time });
            let now = match seen.get(&timed.entry) {
                Some(latest) => Known { time: had.time.max(*latest), since: time },
                None => had,
            };
            if known != Some(now) {
                changed.insert(timed.entry.to_string(), now);
            }
        }
        for waiting in &timing.waiting {
            let mark = times.watermark(&waiting.op);
            let now = Known { time: mark.now, since: mark.origin };
            if self.of(&waiting.op) != Some(now) {
                changed.insert(waiting.op.to_string(), now);
            }
        }
        self.0.extend(changed.iter().map(|(name, known)| (name.clone(), *known)));
        changed
    }
}

/// What changed, as a part of the batch.
fn stage(
    store: &dyn StateStore,
    batch: BatchId,
    changed: &BTreeMap<String, Known>,
) -> Result<Option<Staged>, StateError> {
    if changed.is_empty() {
        return Ok(None);
    }
    let op = NodeId::new(STATE);
    store.open(&op, &schema()?)?;
    let mut lane = Lane::new(store.view(&op)?, batch, 0..store.groups());
    let names: StringArray = changed.keys().map(|name| Some(name.as_str())).collect();
    let names: ArrayRef = Arc::new(names);
    let keys = lane.keys(&[names])?;
    let zone = |times: Vec<i64>| {
        let known = times.into_iter().map(|time| (time != i64::MIN).then_some(time));
        Arc::new(TimestampMicrosecondArray::from_iter(known).with_timezone(types::UTC)) as ArrayRef
    };
    let columns = vec![
        zone(changed.values().map(|known| known.time).collect()),
        zone(changed.values().map(|known| known.since).collect()),
    ];
    let state = RecordBatch::try_new(Arc::clone(lane.schema().state()), columns)
        .map_err(|error| StateError::Columns { problem: error.to_string() })?;
    lane.upsert(&keys, &state, None)?;
    Ok(Some(lane.seal()))
}

impl Runner<'_> {
    fn interval_micros(&self) -> i64 {
        i64::try_from(self.start.interval.as_micros()).unwrap_or(i64::MAX)
    }

    /// The watermarks of a new batch, as they are written down.
    pub(super) fn new_watermarks(&self, timing: &Timing, time: Micros) -> Vec<(String, i64)> {
        let marks = self.times.watermarks(timing, (time.0, self.interval_micros()));
        let mut marks: Vec<_> =
            marks.into_iter().map(|(op, mark)| (op.to_string(), mark.now)).collect();
        marks.sort();
        marks
    }

    /// The watermarks of a batch, by its record.
    pub(super) fn times_of(&self, timing: &Timing, intent: &IntentV1) -> Times {
        let mut marks = self.times.watermarks(timing, (intent.time, self.interval_micros()));
        for (op, now) in &intent.watermarks {
            if let Some(mark) = marks.get_mut(op.as_str()) {
                mark.now = *now;
            }
        }
        Times::new(marks)
    }

    /// Notes the event times of a batch.
    pub(super) fn note_times(
        &mut self,
        timing: &Timing,
        times: &Times,
        intent: &IntentV1,
    ) -> Result<Option<Staged>, BatchError> {
        let changed = self.times.advance(timing, times, intent.time);
        Ok(stage(&**self.ledger.store(), BatchId(intent.batch), &changed)?)
    }

    /// Whether a window ends although there is no input. Time alone ends windows only of a job
    /// that goes on.
    pub(super) fn windows_end(
        &mut self,
        plan: &mut Option<Planned>,
        build: &Build<'_>,
    ) -> Result<bool, BatchError> {
        self.plan_if_known(plan, build)?;
        let Some(planned) = plan else { return Ok(false) };
        let (timing, at) = (&planned.plan.timing, (self.time_now().0, self.interval_micros()));
        for waiting in &timing.waiting {
            let Some(slide) = waiting.slide else { continue };
            if self.start.mode == Mode::Once && waiting.clock == Clock::Batches {
                continue;
            }
            let Watermark { before, now, origin } = self.times.watermark(waiting, timing, at);
            let last = |time: i64| time.saturating_sub(origin).div_euclid(slide.max(1));
            let ends = now > before && (before == i64::MIN || last(now) > last(before));
            let store = self.ledger.store();
            if ends && store.ops().contains(&waiting.op) && store.view(&waiting.op)?.size().keys > 0
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How long to wait for input before time is looked at again, if time changes anything.
    pub(super) fn look_again(&self, plan: &Option<Planned>) -> Option<Duration> {
        let timing = plan.as_ref().map(|planned| &planned.plan.timing);
        let timed = timing.is_some_and(|timing| !timing.waiting.is_empty());
        self.keeps_states(plan).then_some(if timed {
            LOOK_AGAIN.min(self.start.interval.max(Duration::from_millis(10)))
        } else {
            LOOK_AGAIN
        })
    }
}

/// So often is looked for keys that are due while there is no input.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
