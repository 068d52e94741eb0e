//! Calls a function with a chunk of rows and goes by the policy of its op where rows can't be
//! taken.
//!
//! A function may reject rows itself. If instead the call fails (a trap, a limit, a lie), the
//! instance is thrown away and the chunk is halved, in fresh instances, until the rows that it
//! fails on stand alone; all others pass. While looking, a call may take 20 times the mean time of
//! that many rows of the op, at least 50 ms. After 16 rows or 30 seconds in one batch the op fails:
//! such a function is broken.

use std::time::Duration;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::UInt64Type;
use datafusion::common::Result;

use super::call::LaneGuest;
use super::failed::Failed;
use crate::clock::Stopwatch;
use crate::plugin::{
    Aside, CallFailure, Called, ChunkId, Instance, PluginError, RowError, RowMark,
};
use crate::row_error::{OnError, Refused};

/// The name of the column that says where a row was read. No column of a job can have it.
pub const ORIGIN: &str = "\u{0}origin";

/// Rows that are looked for in one op and batch.
const SEARCH_ROWS_MAX: u64 = 16;

/// How long looking may take in one op and batch, over all lanes.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(30);

/// How long looking may take when the batch fails in any case, and the row is only to be shown.
const SHOW_TIME_MAX: Duration = Duration::from_secs(5);

/// The least time that a call may take while looking.
const SEARCH_CALL_TIME_MIN: Duration = Duration::from_millis(50);

/// A row in a message is cut after so many bytes, one in a dead letter after so many.
const MESSAGE_ROW_BYTES_MAX: usize = 1024;
const LETTER_ROW_BYTES_MAX: usize = 1024 * 1024;

/// Rows that crossed in one call, and what came out.
#[derive(Debug)]
pub struct Taken<T> {
    /// The rows, all of their columns, rejected ones included.
    pub rows: RecordBatch,
    /// What came out, and which rows were rejected.
    pub called: Called<T>,
}

impl<T> Taken<T> {
    /// Some columns of the rows that were not rejected.
    pub fn accepted(&self, columns: &[usize]) -> Result<RecordBatch> {
        let rows = self.rows.project(columns)?;
        let rejected = self.called.errors.iter().map(|error| error.row);
        Ok(without(&rows, rejected)?.0)
    }
}

/// Rows without some, whose numbers ascend; and the numbers of those that are left.
pub fn without(
    rows: &RecordBatch,
    left_out: impl Iterator<Item = u32>,
) -> Result<(RecordBatch, Option<Vec<u32>>)> {
    let mut left_out = left_out.peekable();
    if left_out.peek().is_none() {
        return Ok((rows.clone(), None));
    }
    let mut keep = vec![true; rows.num_rows()];
    for row in left_out {
        if let Some(kept) = keep.get_mut(row as usize) {
            *kept = false;
        }
    }
    let numbers = (0..).zip(&keep).filter(|(_, keep)| **keep).map(|(row, _)| row).collect();
    Ok((filter_record_batch(rows, &BooleanArray::from(keep))?, Some(numbers)))
}

/// Makes the columns that cross from the rows of an op.
pub type Cross<'a> = &'a dyn Fn(&RecordBatch) -> Result<RecordBatch>;

/// Makes one call.
pub type Work<'a, T> =
    &'a mut dyn FnMut(&mut Instance, &RecordBatch) -> Result<Called<T>, PluginError>;

/// How chunks are handed to a function whose rows do not depend on each other.
pub struct Tolerant<'a, T> {
    /// The open function.
    pub guest: &'a mut LaneGuest,
    /// What crosses of a row.
    pub cross: Cross<'a>,
    /// How many rows came out.
    pub rows_out: fn(&T) -> usize,
    /// The call.
    pub work: Work<'a, T>,
}

/// A chunk of which some rows may have been left out before.
struct Chunk {
    id: ChunkId,
    /// For each row its number in the whole chunk, if any is missing.
    numbers: Option<Vec<u32>>,
}

impl Chunk {
    fn number(&self, row: usize) -> u32 {
        let numbers = self.numbers.as_ref().and_then(|numbers| numbers.get(row));
        numbers.copied().unwrap_or(row as u32)
    }
}

impl<T> Tolerant<'_, T> {
    /// Takes a chunk. Gives what came out, call by call in the order of the rows.
    pub fn take(mut self, rows: &RecordBatch) -> Result<Vec<Taken<T>>> {
        let (chunk, rows) = self.without_excluded(rows)?;
        if rows.num_rows() == 0 && chunk.numbers.is_some() {
            return Ok(Vec::new());
        }
        match self.attempt(&rows, None)? {
            Ok(called) => {
                self.refuse_rejected(&rows, &called.errors)?;
                Ok(vec![Taken { rows, called }])
            }
            Err(failed) => self.search(&chunk, &rows, failed),
        }
    }

    fn without_excluded(&mut self, rows: &RecordBatch) -> Result<(Chunk, RecordBatch)> {
        let (id, excluded) = next_chunk(self.guest, rows)?;
        let (rows, numbers) = without(rows, excluded.into_iter())?;
        Ok((Chunk { id, numbers }, rows))
    }

    /// One call. The inner error may be the fault of a row.
    fn attempt(
        &mut self,
        rows: &RecordBatch,
        time: Option<Duration>,
    ) -> Result<Result<Called<T>, Failed>> {
        let crossing = (self.cross)(rows)?;
        let guest = self.guest.get()?;
        guest.set_time(time);
        let work = &mut self.work;
        match guest.taking(rows.num_rows(), self.rows_out, |instance| work(instance, &crossing)) {
            Ok(called) => Ok(Ok(called)),
            Err(error) => Failed::of(error).map(Err),
        }
    }

    /// Halves a chunk on which a call failed until the rows that it fails on stand alone.
    fn search(
        &mut self,
        chunk: &Chunk,
        rows: &RecordBatch,
        first: Failed,
    ) -> Result<Vec<Taken<T>>> {
        let mut taken = Vec::new();
        let (mut pending, mut known) = (vec![(0, rows.num_rows())], Some(first.clone()));
        let ends = self.guest.site().on_error() == OnError::Fail;
        while let Some((start, length)) = pending.pop() {
            let part = rows.slice(start, length);
            let (took, fresh) = (Stopwatch::start(), !self.guest.is_open());
            let outcome = match known.take() {
                Some(failed) => Err(failed),
                None => self.attempt(&part, Some(call_time(self.guest, length)))?,
            };
            let failed = match outcome {
                Ok(called) => {
                    self.refuse_rejected(&part, &called.errors)?;
                    taken.push(Taken { rows: part, called });
                    continue;
                }
                Err(failed) => failed,
            };
            self.guest.leave();
            let alone = fresh && length == 1;
            let cost = (u64::from(alone), took.elapsed());
            check_budget(self.guest, cost, (&first, &failed))?;
            if alone {
                let row = (&chunk.id, chunk.number(start));
                culprit(self.guest, row, &part, failed.told_by(&first, ends))?;
            }
            pending.extend(narrowed((start, length), fresh));
        }
        if ends { Err(first.carried()) } else { Ok(taken) }
    }

    fn refuse_rejected(&mut self, rows: &RecordBatch, errors: &[RowError]) -> Result<()> {
        refuse_rejected(self.guest, &|row| Some(rows.slice(row as usize, 1)), errors)
    }
}

/// What is to be looked at next, the last first, after a call with these rows failed: the two
/// halves, or the same rows again if perhaps it was not they, but what the instance had become.
pub(super) fn narrowed((start, length): (usize, usize), fresh: bool) -> Vec<(usize, usize)> {
    match (fresh, length) {
        (false, _) => vec![(start, length)],
        (true, 1) => Vec::new(),
        _ => vec![(start + length / 2, length - length / 2), (start, length / 2)],
    }
}

/// How long a call with so many rows may take while looking for bad ones.
pub fn call_time(guest: &LaneGuest, rows: usize) -> Duration {
    let site = guest.site();
    let usage = site.stats().read();
    let mean = usage.nanos / usage.rows_in.max(1);
    let usual = Duration::from_nanos(mean.saturating_mul(rows as u64));
    usual.saturating_mul(20).max(SEARCH_CALL_TIME_MIN).min(site.limits().time)
}

/// Adds to what looking has cost, and ends it when that was enough.
pub fn check_budget(
    guest: &LaneGuest,
    (rows, took): (u64, Duration),
    (first, last): (&Failed, &Failed),
) -> Result<()> {
    let (rows, took) = guest.site().searched(rows, took);
    match guest.site().on_error() {
        OnError::Fail if took < SHOW_TIME_MAX => Ok(()),
        OnError::Fail => Err(first.clone().carried()),
        _ if rows <= SEARCH_ROWS_MAX && took < SEARCH_TIME_MAX => Ok(()),
        _ => {
            let rows = u32::try_from(rows).unwrap_or(u32::MAX);
            let failure = CallFailure::TooMany { rows, took, last: last.failure.to_string() };
            Err(Failed { place: last.place.clone(), failure }.carried())
        }
    }
}

/// Leaves out a row on which the function fails; `row` is its number in the chunk.
pub fn culprit(
    guest: &mut LaneGuest,
    (chunk, row): (&ChunkId, u32),
    rows: &RecordBatch,
    mut failed: Failed,
) -> Result<()> {
    let aside = guest.site().aside();
    let policy = guest.site().on_error();
    if policy == OnError::Fail {
        failed.place.row = Some(row_mark(rows, &aside));
        return Err(failed.carried());
    }
    let may_pass = failed.failure.may_pass();
    let mut refused = failed.refused();
    if may_pass {
        // It is told when the batch runs again, without the row.
        aside.exclude(chunk.clone(), row, refused);
        return Ok(());
    }
    mark(policy, &mut refused, Some(rows), &aside);
    put(guest, &aside, refused)
}

/// The next chunk of a lane, and which of its rows are left out before the function sees them:
/// they are refused here.
pub fn next_chunk(guest: &mut LaneGuest, rows: &RecordBatch) -> Result<(ChunkId, Vec<u32>)> {
    let id = guest.next_chunk("")?;
    let aside = guest.site().aside();
    let Some(excluded) = aside.excluded(&id) else { return Ok((id, Vec::new())) };
    for (row, refused) in excluded {
        let mut refused = refused.clone();
        let policy = guest.site().on_error();
        mark(policy, &mut refused, Some(&rows.slice(*row as usize, 1)), &aside);
        put(guest, &aside, refused)?;
    }
    let rows = excluded.keys().copied().collect();
    Ok((id, rows))
}

/// Goes by the policy of an op for rows that its function rejected; `row_of` gives a row of the
/// call where it is still at hand.
pub fn refuse_rejected(
    guest: &mut LaneGuest,
    row_of: &dyn Fn(u32) -> Option<RecordBatch>,
    errors: &[RowError],
) -> Result<()> {
    let policy = guest.site().on_error();
    for error in errors {
        let aside = guest.site().aside();
        let row = row_of(error.row);
        if policy == OnError::Fail {
            let mut place = guest.get()?.place();
            place.row = row.map(|row| row_mark(&row, &aside));
            let failure = CallFailure::Row(error.message.clone());
            return Err(Failed { place, failure }.carried());
        }
        let mut refused = rejected(guest, error)?;
        mark(policy, &mut refused, row.as_ref(), &aside);
        put(guest, &aside, refused)?;
    }
    Ok(())
}

/// What is said of a row that a function rejected.
pub fn rejected(guest: &mut LaneGuest, error: &RowError) -> Result<Refused> {
    let place = guest.get()?.place();
    let mut refused = Failed { place, failure: CallFailure::Row(String::new()) }.refused();
    refused.message.clone_from(&error.message);
    Ok(refused)
}

pub(super) fn row_mark(row: &RecordBatch, aside: &Aside) -> RowMark {
    let content = aside.shows_rows().then(|| row_text(row, MESSAGE_ROW_BYTES_MAX));
    RowMark { origin: origin(row).map(|origin| aside.place(origin)), content }
}

/// Adds the row and where it was read. A row that is only left out is only counted.
pub fn mark(policy: OnError, refused: &mut Refused, row: Option<&RecordBatch>, aside: &Aside) {
    if let (OnError::DeadLetter, Some(row)) = (policy, row) {
        refused.origin = origin(row).map(|origin| aside.place(origin));
        refused.row = aside.shows_rows().then(|| row_text(row, LETTER_ROW_BYTES_MAX));
    }
}

/// Goes by the policy of an op.
pub fn put(guest: &mut LaneGuest, aside: &Aside, refused: Refused) -> Result<()> {
    match aside.refuse(guest.site().on_error(), refused) {
        Ok(()) => Ok(()),
        Err(error) => {
            let failure = CallFailure::Letters(error.to_string());
            Err(Failed { place: guest.get()?.place(), failure }.carried())
        }
    }
}

/// Where a row was read, if that came along.
fn origin(row: &RecordBatch) -> Option<u64> {
    let column = row.column_by_name(ORIGIN)?.as_primitive_opt::<UInt64Type>()?;
    (!column.is_empty()).then(|| column.value(0))
}

/// A row as JSON, cut when it is long.
fn row_text(row: &RecordBatch, bytes_max: usize) -> String {
    let fields = row.schema();
    let shown: Vec<usize> =
        (0..fields.fields().len()).filter(|at| fields.field(*at).name() != ORIGIN).collect();
    let mut writer = arrow::json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, arrow::json::writer::LineDelimited>(Vec::new());
    let written =
        row.project(&shown).and_then(|row| writer.write(&row)).and_then(|()| writer.finish());
    if written.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&writer.into_inner()).trim_end().to_owned();
    let end = text.floor_char_boundary(bytes_max);
    if end < text.len() { format!("{}…", &text[..end]) } else { text }
}
