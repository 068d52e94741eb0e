//! The groups of an aggregator: their states live in one guest.
//!
//! If the op goes on after failures, what a fresh guest would have to be fed with is kept: a copy
//! of the states from time to time, and the chunks since. After a trap or a limit a fresh guest is
//! brought to where the other one was, and the chunk is halved until the bad rows stand alone. A
//! group whose states can't be merged is lost as a whole: without a part it would be wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::EmitTo;

use super::call::{LaneGuest, carry};
use super::failed::Failed;
use super::tolerate::{
    call_time, check_budget, culprit as left_out, next_chunk, refuse_rejected, rejected, without,
};
use crate::clock::Stopwatch;
use crate::plugin::columns::{CHUNK_ROWS_MAX, chunk_rows};
use crate::plugin::{CallSite, ChunkId, RowError};
use crate::row_error::{OnError, Refused};

/// The states of some groups in one guest. When all have been given out the guest is replaced.
#[derive(Debug)]
pub struct Groups {
    /// The site.
    pub site: Arc<CallSite>,
    pub(super) guest: LaneGuest,
    /// How many groups there are.
    pub total: usize,
    live_bytes: u64,
    past: Past,
    /// Groups that have no result, each with the reason.
    pub(super) lost: BTreeMap<u32, Refused>,
}

/// What a fresh guest must be fed with to be where this one is. Kept only if the op goes on after
/// a failure.
#[derive(Debug, Default)]
struct Past {
    /// The states of the first groups, as they were.
    states: Vec<RecordBatch>,
    /// What was fed since.
    fed: Vec<Fed>,
}

/// Rows, or states, that were fed to groups.
#[derive(Clone, Debug)]
struct Fed {
    rows: RecordBatch,
    groups: Vec<u32>,
    known: u32,
    states: bool,
}

impl Fed {
    fn slice(&self, start: usize, length: usize) -> Self {
        let groups = self.groups[start..start + length].to_vec();
        Self { rows: self.rows.slice(start, length), groups, ..*self }
    }

    fn without(&self, rows: &[u32]) -> Result<(Self, Vec<u32>)> {
        let (kept, numbers) = without(&self.rows, rows.iter().copied())?;
        let numbers = numbers.unwrap_or_else(|| (0..self.rows.num_rows() as u32).collect());
        let groups = numbers.iter().map(|row| self.groups[*row as usize]).collect();
        Ok((Self { rows: kept, groups, ..*self }, numbers))
    }
}

/// After so many chunks the states are copied, so that what is kept stays small.
const CHUNKS_BETWEEN_COPIES: usize = 64;

/// What the host itself counts for a group, in bytes.
const GROUP_BYTES: usize = 8;

impl Groups {
    /// No groups yet, of an aggregate with a name in the plan.
    pub fn new(site: &Arc<CallSite>, name: &str) -> Self {
        let series = format!("{}, {name}", site.op());
        Self::over(site, LaneGuest::in_series(site, series, 0))
    }

    /// The same without the groups, for rows that are not grouped.
    pub fn fresh(&self) -> Self {
        let (series, chunks) = self.guest.series();
        Self::over(&self.site, LaneGuest::in_series(&self.site, series.to_owned(), chunks))
    }

    /// Chunks were counted somewhere else.
    pub fn count_on(&mut self, other: &Self) {
        self.guest.count_on(other.guest.series().1);
    }

    fn over(site: &Arc<CallSite>, guest: LaneGuest) -> Self {
        Self {
            site: Arc::clone(site),
            guest,
            total: 0,
            live_bytes: 0,
            past: Past::default(),
            lost: BTreeMap::new(),
        }
    }

    pub fn table(
        &self,
        columns: &[ArrayRef],
        schema: &SchemaRef,
        rows: usize,
    ) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = columns[..schema.fields().len()].to_vec();
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }

    pub fn update(&mut self, rows: &RecordBatch, groups: &[u32], total: usize) -> Result<()> {
        self.feed(rows, groups, total, false)
    }

    pub fn merge(&mut self, rows: &RecordBatch, groups: &[u32], total: usize) -> Result<()> {
        self.feed(rows, groups, total, true)
    }

    fn feed(
        &mut self,
        rows: &RecordBatch,
        groups: &[u32],
        total: usize,
        states: bool,
    ) -> Result<()> {
        let Ok(known) = u32::try_from(total) else {
            return exec_err!("op `{}` has more than 4 billion groups", self.site.op());
        };
        let mut start = 0;
        while start < rows.num_rows() {
            let length = chunk_rows(rows, start);
            let groups = groups[start..start + length].to_vec();
            let rows = rows.slice(start, length);
            self.chunk(Fed { rows, groups, known, states })?;
            start += length;
        }
        self.total = self.total.max(total);
        Ok(())
    }

    fn chunk(&mut self, fed: Fed) -> Result<()> {
        let tolerant = self.site.on_error() != OnError::Fail;
        let (id, excluded) = match fed.states {
            true => self.next_states(&fed)?,
            false => next_chunk(&mut self.guest, &fed.rows)?,
        };
        let (fed, numbers) =
            if excluded.is_empty() { (fed, Vec::new()) } else { fed.without(&excluded)? };
        match self.call(&fed, None)? {
            Ok(()) if tolerant => self.remember(fed),
            Ok(()) => Ok(()),
            Err(failed) if tolerant => self.search(&id, &numbers, &fed, failed),
            Err(failed) => Err(failed.carried()),
        }
    }

    /// The next chunk of states, and which of them an earlier run of the batch left out: their
    /// groups are lost.
    fn next_states(&mut self, fed: &Fed) -> Result<(ChunkId, Vec<u32>)> {
        let id = self.guest.next_chunk(", states")?;
        let aside = self.site.aside();
        let Some(excluded) = aside.excluded(&id) else { return Ok((id, Vec::new())) };
        for (row, refused) in excluded {
            self.lost.insert(fed.groups[*row as usize], refused.clone());
        }
        Ok((id, excluded.keys().copied().collect()))
    }

    /// Feeds a chunk. The inner error may be the fault of a row.
    fn call(
        &mut self,
        fed: &Fed,
        time: Option<Duration>,
    ) -> Result<std::result::Result<(), Failed>> {
        let guest = self.guest.get()?;
        guest.set_time(time);
        let called = guest.taking(
            fed.rows.num_rows(),
            |_| 0,
            |instance| match fed.states {
                true => instance.merge(&fed.groups, fed.known, &fed.rows),
                false => instance.update(&fed.groups, fed.known, &fed.rows),
            },
        );
        match called {
            Ok(called) => {
                self.live_bytes = called.value;
                if fed.states && self.site.on_error() != OnError::Fail {
                    return self.lose_rejected(fed, &called.errors).map(Ok);
                }
                let row_of = |row| Some(fed.rows.slice(row as usize, 1));
                refuse_rejected(&mut self.guest, &row_of, &called.errors)?;
                Ok(Ok(()))
            }
            Err(error) => Failed::of(error).map(Err),
        }
    }

    /// States that the function rejected: their groups are lost.
    fn lose_rejected(&mut self, fed: &Fed, errors: &[RowError]) -> Result<()> {
        for error in errors {
            let refused = rejected(&mut self.guest, error)?;
            self.lost.insert(fed.groups[error.row as usize], refused);
        }
        Ok(())
    }

    fn remember(&mut self, fed: Fed) -> Result<()> {
        let total = self.total.max(fed.known as usize);
        self.past.fed.push(fed);
        if self.past.fed.len() >= CHUNKS_BETWEEN_COPIES {
            self.past.states = self.parts(total, true)?;
            self.past.fed.clear();
        }
        Ok(())
    }

    /// Brings a fresh guest to where the one was that failed.
    pub(super) fn restore(&mut self) -> Result<()> {
        self.guest.leave();
        let mut first = 0;
        for states in std::mem::take(&mut self.past.states) {
            let next = first + states.num_rows() as u32;
            let groups = (first..next).collect();
            let fed = Fed { rows: states, groups, known: next, states: true };
            self.again(&fed)?;
            self.past.states.push(fed.rows);
            first = next;
        }
        for fed in std::mem::take(&mut self.past.fed) {
            self.again(&fed)?;
            self.past.fed.push(fed);
        }
        Ok(())
    }

    /// Feeds what was fed before: rejected rows were told then.
    fn again(&mut self, fed: &Fed) -> Result<()> {
        let guest = self.guest.get()?;
        guest.set_time(None);
        carry(guest.giving(
            |_| 0,
            |instance| match fed.states {
                true => instance.merge(&fed.groups, fed.known, &fed.rows),
                false => instance.update(&fed.groups, fed.known, &fed.rows),
            },
        ))
        .map(drop)
    }

    /// Halves a chunk on which a call failed until the rows that it fails on stand alone.
    fn search(&mut self, id: &ChunkId, numbers: &[u32], chunk: &Fed, first: Failed) -> Result<()> {
        let (mut pending, mut known) = (vec![(0, chunk.rows.num_rows())], Some(first.clone()));
        while let Some((start, length)) = pending.pop() {
            let part = chunk.slice(start, length);
            let took = Stopwatch::start();
            let outcome = match known.take() {
                Some(failed) => Err(failed),
                None => self.call(&part, Some(call_time(&self.guest, length)))?,
            };
            let Err(failed) = outcome else {
                self.remember(part)?;
                continue;
            };
            self.restore()?;
            let cost = (u64::from(length == 1), took.elapsed());
            check_budget(&self.guest, cost, (&first, &failed))?;
            if length == 1 {
                let row = numbers.get(start).copied().unwrap_or(start as u32);
                let failed = failed.told_by(&first, false);
                match part.states {
                    true => self.lose(part.groups[0], (id, row), failed),
                    false => left_out(&mut self.guest, (id, row), &part.rows, failed)?,
                }
            } else {
                pending.push((start + length / 2, length - length / 2));
                pending.push((start, length / 2));
            }
        }
        self.guest.get()?.set_time(None);
        Ok(())
    }

    /// A group has no result. If it might have one in another run, that is written down.
    pub(super) fn lose(&mut self, group: u32, (id, place): (&ChunkId, u32), failed: Failed) {
        let (may_pass, refused) = (failed.may_pass(), failed.refused());
        if may_pass {
            self.site.aside().exclude(id.clone(), place, refused.clone());
        }
        self.lost.insert(group, refused);
    }

    /// Makes group 0 without any rows.
    pub fn make_first(&mut self) -> Result<()> {
        let rows = RecordBatch::new_empty(Arc::clone(self.site.input()));
        let fed = Fed { rows, groups: Vec::new(), known: 1, states: false };
        self.total = 1;
        self.call(&fed, None)?.map_err(Failed::carried)
    }

    /// How many groups that are.
    pub fn count(&self, emit_to: EmitTo) -> usize {
        match emit_to {
            EmitTo::All => self.total,
            EmitTo::First(count) => count,
        }
    }

    /// Forgets groups whose states or results were taken out.
    pub fn forget(&mut self, emit_to: EmitTo) -> Result<()> {
        match emit_to {
            EmitTo::All => {
                self.past = Past::default();
                self.lost.clear();
                self.guest.leave();
                (self.total, self.live_bytes) = (0, 0);
            }
            EmitTo::First(count) => {
                let guest = self.guest.get()?;
                carry(guest.giving(|()| 0, |instance| instance.forget(count as u32)))?;
                self.total -= count;
                let left = self.lost.split_off(&(count as u32)).into_iter();
                self.lost = left.map(|(group, why)| (group - count as u32, why)).collect();
                if self.site.on_error() != OnError::Fail {
                    self.past = Past { states: self.parts(self.total, true)?, fed: Vec::new() };
                }
            }
        }
        Ok(())
    }

    /// The states of the first groups.
    pub fn states(&mut self, count: usize) -> Result<RecordBatch> {
        if let Some((_, why)) = self.lost.range(..count as u32).next() {
            return exec_err!(
                "op `{}` can't go on without a key and spill: {} {}",
                self.site.op(),
                why.code,
                why.message
            );
        }
        Ok(concat_batches(&self.schema(true), &self.parts(count, true)?)?)
    }

    pub(super) fn schema(&self, states: bool) -> SchemaRef {
        match states {
            true => Arc::clone(&self.site.function().state),
            false => Arc::clone(&self.site.ports()[0]),
        }
    }

    pub(super) fn parts(&mut self, count: usize, states: bool) -> Result<Vec<RecordBatch>> {
        let schema = self.schema(states);
        let mut parts = Vec::with_capacity(count.div_ceil(CHUNK_ROWS_MAX));
        for first in (0..count).step_by(CHUNK_ROWS_MAX) {
            let (first, length) = (first as u32, CHUNK_ROWS_MAX.min(count - first) as u32);
            let guest = self.guest.get()?;
            parts.push(carry(guest.giving(RecordBatch::num_rows, |instance| match states {
                true => instance.state(first, length, &schema),
                false => instance.finish(first, length, &schema),
            }))?);
        }
        Ok(parts)
    }

    /// Memory that is in use; beyond any budget when the guest has a third of what it may have, so
    /// that DataFusion spills before the guest fails: a list that doubles needs twice its size
    /// besides itself.
    pub fn size(&self) -> usize {
        if self.guest.is_open() && self.guest.memory_max() >= self.site.limits().memory / 3 {
            return usize::MAX / 8;
        }
        // A function may say anything here; sums of it must not run over.
        let guest = usize::try_from(self.live_bytes).unwrap_or(usize::MAX).min(usize::MAX / 8);
        guest.max(self.total * GROUP_BYTES) + size_of::<Self>()
    }
}
