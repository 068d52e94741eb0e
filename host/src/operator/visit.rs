//! Calls a function with the keys of a round and goes by the policy of its op where keys or values
//! can't be taken.
//!
//! If a call fails, the keys are halved, in fresh instances, until those that it fails on stand
//! alone; all others pass. Such a key is as if it had not been visited: its state stays as it was,
//! and all of its values go by the policy. So it is with a key that the function rejects.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;

use super::call::{Call, LaneGuest};
use super::failed::Failed;
use super::keyed::Round;
use super::tolerate::{
    call_time, check_budget, mark, narrowed, put, refuse_rejected, rejected, row_mark,
};
use crate::clock::Stopwatch;
use crate::plugin::{CallFailure, Called, Change, ChunkId, Emitted, RowError, Timer, Visited};
use crate::row_error::{OnError, Refused};

/// Visits the keys of one lane.
pub struct Visitor {
    call: Call,
    guest: LaneGuest,
    /// The columns that come out of each port.
    schemas: Vec<SchemaRef>,
    /// All values of the lane, all of their columns, and those that cross.
    rows: RecordBatch,
    crossing: RecordBatch,
}

/// What is left of a round, call by call in the order of the keys.
pub type Parts = Vec<(Round, Visited)>;

impl Visitor {
    /// A visitor that has no values yet.
    pub fn new(call: Call, schemas: Vec<SchemaRef>) -> Self {
        let crossing = RecordBatch::new_empty(Arc::clone(call.site.input()));
        let guest = LaneGuest::new(&call.site);
        Self { call, guest, schemas, rows: crossing.clone(), crossing }
    }

    /// These are the values that rounds speak of.
    pub fn begin(&mut self, rows: &RecordBatch) -> Result<()> {
        self.crossing = self.call.crossing(rows)?;
        self.rows = rows.clone();
        Ok(())
    }

    /// What it calls.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// Visits the keys of a round.
    pub fn take(&mut self, round: Round) -> Result<Parts> {
        let id = self.guest.next_chunk("")?;
        let (round, numbers, mut parts) = self.without_excluded(&id, round)?;
        if round.keys.is_empty() {
            return Ok(parts);
        }
        match self.attempt(&round, None)? {
            Ok(called) => {
                let visited = self.told(&round, called)?;
                parts.push((round, visited));
            }
            Err(failed) => parts.extend(self.search((&id, &numbers), &round, failed)?),
        }
        Ok(parts)
    }

    /// The keys that an earlier run of the batch did not leave out, with their numbers in the
    /// round; the others are refused.
    fn without_excluded(&mut self, id: &ChunkId, round: Round) -> Result<(Round, Vec<u32>, Parts)> {
        let all: Vec<u32> = (0..round.keys.len() as u32).collect();
        let aside = self.call.site.aside();
        let Some(excluded) = aside.excluded(id) else { return Ok((round, all, Vec::new())) };
        let mut parts = Vec::new();
        for (key, refused) in excluded {
            let one = round.select(&[*key])?;
            self.refuse(&one, refused)?;
            parts.push(self.as_it_was(one));
        }
        let kept: Vec<u32> = all.into_iter().filter(|key| !excluded.contains_key(key)).collect();
        Ok((round.select(&kept)?, kept, parts))
    }

    /// One call. The inner error may be the fault of a key.
    fn attempt(
        &mut self,
        round: &Round,
        time: Option<Duration>,
    ) -> Result<std::result::Result<Called<Visited>, Failed>> {
        let visits = round.visits(&self.call, &self.crossing)?;
        let guest = self.guest.get()?;
        guest.set_time(time);
        let ports = self.call.site.ports();
        let values = visits.values.num_rows();
        match guest.taking(values, Visited::rows, |instance| instance.visit(&visits, ports)) {
            Ok(called) => Ok(Ok(called)),
            Err(error) => Failed::of(error).map(Err),
        }
    }

    /// Halves a round on which a call failed until the keys that it fails on stand alone.
    fn search(
        &mut self,
        (id, numbers): (&ChunkId, &[u32]),
        round: &Round,
        first: Failed,
    ) -> Result<Parts> {
        let mut parts = Vec::new();
        let (mut pending, mut known) = (vec![(0, round.keys.len())], Some(first.clone()));
        let ends = self.call.site.on_error() == OnError::Fail;
        while let Some((start, length)) = pending.pop() {
            let keys: Vec<u32> = (start as u32..(start + length) as u32).collect();
            let part = round.select(&keys)?;
            let (took, fresh) = (Stopwatch::start(), !self.guest.is_open());
            let outcome = match known.take() {
                Some(failed) => Err(failed),
                None => {
                    let time = call_time(&self.guest, part.rows.len().max(length));
                    self.attempt(&part, Some(time))?
                }
            };
            let failed = match outcome {
                Ok(called) => {
                    let visited = self.told(&part, called)?;
                    parts.push((part, visited));
                    continue;
                }
                Err(failed) => failed,
            };
            self.guest.leave();
            let alone = fresh && length == 1;
            check_budget(&self.guest, (u64::from(alone), took.elapsed()), (&first, &failed))?;
            if alone {
                self.culprit((id, numbers[start]), &part, failed.told_by(&first, ends))?;
                parts.push(self.as_it_was(part));
            }
            pending.extend(narrowed((start, length), fresh));
        }
        if ends { Err(first.carried()) } else { Ok(parts) }
    }

    /// Leaves out a key on which the function fails; `number` is its number in the round.
    fn culprit(
        &mut self,
        (id, number): (&ChunkId, u32),
        one: &Round,
        mut failed: Failed,
    ) -> Result<()> {
        let aside = self.call.site.aside();
        if self.call.site.on_error() == OnError::Fail {
            failed.place.row = Some(row_mark(one.keys.columns(), &aside));
            return Err(failed.carried());
        }
        let may_pass = failed.may_pass();
        let refused = failed.refused();
        if may_pass {
            // It is told when the batch runs again, without the key.
            aside.exclude(id.clone(), number, refused);
            return Ok(());
        }
        self.refuse(one, &refused)
    }

    /// All values of a key go by the policy; the key itself, if there are none.
    fn refuse(&mut self, one: &Round, refused: &Refused) -> Result<()> {
        let (policy, aside) = (self.call.site.on_error(), self.call.site.aside());
        if one.rows.is_empty() {
            let mut refused = refused.clone();
            mark(policy, &mut refused, Some(one.keys.columns()), &aside);
            return put(&mut self.guest, &aside, refused);
        }
        for row in &one.rows {
            let mut refused = refused.clone();
            mark(policy, &mut refused, Some(&self.rows.slice(*row as usize, 1)), &aside);
            put(&mut self.guest, &aside, refused)?;
        }
        Ok(())
    }

    /// Tells what was not taken; of keys that were not, nothing else counts.
    fn told(&mut self, round: &Round, called: Called<Visited>) -> Result<Visited> {
        let Called { value: mut visited, errors } = called;
        let refused = std::mem::take(&mut visited.refused);
        let of_refused = |row: u32| {
            let key = round.ends.partition_point(|end| *end <= row) as u32;
            refused.binary_search_by_key(&key, |error| error.row).is_ok()
        };
        let errors: Vec<RowError> =
            errors.into_iter().filter(|error| !of_refused(error.row)).collect();
        let rows = self.rows.clone();
        let row_of = |row: u32| Some(rows.slice(round.rows[row as usize] as usize, 1));
        refuse_rejected(&mut self.guest, &row_of, &errors)?;
        for error in &refused {
            let one = round.select(&[error.row])?;
            if self.call.site.on_error() == OnError::Fail {
                let mut place = self.guest.get()?.place();
                place.row = Some(row_mark(one.keys.columns(), &self.call.site.aside()));
                let failure = CallFailure::Row(error.message.clone());
                return Err(Failed { place, failure }.carried());
            }
            let told = rejected(&mut self.guest, error)?;
            self.refuse(&one, &told)?;
        }
        if refused.is_empty() { Ok(visited) } else { without(visited, &refused) }
    }

    /// A key that was not visited.
    fn as_it_was(&self, round: Round) -> (Round, Visited) {
        let keys = round.keys.len();
        let visited = Visited {
            changes: vec![Change::Unchanged; keys],
            states: RecordBatch::new_empty(round.states.schema()),
            timers: vec![Timer::Usual; keys],
            emitted: Vec::new(),
            refused: Vec::new(),
        };
        (round, visited)
    }

    /// The rows that come out, with the key in front.
    pub fn rows(&self, round: &Round, emitted: Vec<Emitted>) -> Result<Vec<(usize, RecordBatch)>> {
        let with_key = |part: Emitted| {
            let rows = part.rows.num_rows();
            let keys = take_record_batch(round.keys.columns(), &UInt32Array::from(part.parents))?;
            let columns = keys.columns().iter().chain(part.rows.columns()).cloned().collect();
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let schema = Arc::clone(&self.schemas[part.port]);
            Ok((part.port, RecordBatch::try_new_with_options(schema, columns, &options)?))
        };
        emitted.into_iter().map(with_key).collect()
    }
}

/// What was said, without all that was said of some keys.
fn without(mut visited: Visited, refused: &[RowError]) -> Result<Visited> {
    let is_refused = |key: u32| refused.binary_search_by_key(&key, |error| error.row).is_ok();
    let mut kept = Vec::new();
    for (key, change) in visited.changes.iter_mut().enumerate() {
        let out = is_refused(key as u32);
        if *change == Change::Set {
            kept.push(Some(!out));
        }
        if out {
            (*change, visited.timers[key]) = (Change::Unchanged, Timer::Usual);
        }
    }
    visited.states = filter_record_batch(&visited.states, &BooleanArray::from(kept))?;
    for part in &mut visited.emitted {
        let kept = part.parents.iter().map(|key| Some(!is_refused(*key)));
        part.rows = filter_record_batch(&part.rows, &kept.collect::<BooleanArray>())?;
        part.parents.retain(|key| !is_refused(*key));
    }
    Ok(visited)
}
