//! The results of groups, taken out of a guest.
//!
//! If the op goes on after failures and a call for many groups fails, the groups are halved, in a
//! guest that was brought to where the other one was, until those without a result stand alone. A
//! group without a result is null; who knows its key is told why by a number beside it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StructArray, UInt64Array, new_null_array};
use arrow::buffer::NullBuffer;
use arrow::compute::{concat, concat_batches};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;

use super::failed::Failed;
use super::groups::Groups;
use super::tolerate::{call_time, check_budget, put};
use crate::clock::Stopwatch;
use crate::plugin::columns::CHUNK_ROWS_MAX;
use crate::plugin::{CallSite, ChunkId};
use crate::row_error::OnError;

/// The name of the field that says why a group has no result: the number of a refusal that is
/// held. No column of a job can have it.
pub const REFUSED: &str = "\u{0}refused";

/// The type of results as one column: the column itself or a struct of several; with marks always
/// a struct.
pub fn result_type(site: &CallSite, marks: bool) -> DataType {
    match site.ports()[0].fields().as_ref() {
        _ if marks => DataType::Struct(marked_fields(site)),
        [only] => only.data_type().clone(),
        _ => DataType::Struct(site.ports()[0].fields().clone()),
    }
}

fn marked_fields(site: &CallSite) -> Fields {
    let nullable = |field: &Arc<Field>| Arc::new(field.as_ref().clone().with_nullable(true));
    let given = site.ports()[0].fields().iter().map(nullable);
    given.chain([Arc::new(Field::new(REFUSED, DataType::UInt64, true))]).collect()
}

impl Groups {
    /// The results of the first groups, as the one column that DataFusion wants.
    pub fn results(&mut self, count: usize, marks: bool) -> Result<ArrayRef> {
        if self.site.on_error() == OnError::Fail {
            let rows = concat_batches(&self.schema(false), &self.parts(count, false)?)?;
            return Ok(match rows.columns() {
                [only] => Arc::clone(only),
                _ => Arc::new(StructArray::from(rows)),
            });
        }
        let found = self.search_results(count)?;
        let columns = self.with_gaps(&found, count)?;
        let lost = self.lost.range(..count as u32);
        if marks {
            let mut numbers = vec![None; count];
            for (group, why) in lost {
                numbers[*group as usize] = Some(self.site.aside().hold(why.clone()));
            }
            let numbers: ArrayRef = Arc::new(UInt64Array::from(numbers));
            let columns = columns.into_iter().chain([numbers]).collect();
            return Ok(Arc::new(StructArray::try_new(marked_fields(&self.site), columns, None)?));
        }
        let lost: Vec<_> = lost.map(|(group, why)| (*group, why.clone())).collect();
        for (_, why) in &lost {
            put(&mut self.guest, &self.site.aside(), why.clone())?;
        }
        if let [only] = columns.as_slice() {
            return Ok(Arc::clone(only));
        }
        let mut there = vec![true; count];
        lost.iter().for_each(|(group, _)| there[*group as usize] = false);
        let fields = self.schema(false).fields().clone();
        Ok(Arc::new(StructArray::try_new(fields, columns, Some(NullBuffer::from(there)))?))
    }

    /// Results by their first group. Groups without one are written down as lost.
    fn search_results(&mut self, count: usize) -> Result<BTreeMap<u32, RecordBatch>> {
        let id = self.guest.next_chunk(", results")?;
        if let Some(excluded) = self.site.aside().excluded(&id) {
            self.lost.extend(excluded.iter().map(|(group, why)| (*group, why.clone())));
        }
        let mut pending = self.runs(count as u32);
        pending.reverse();
        let (mut found, mut first) = (BTreeMap::new(), None);
        while let Some((start, length)) = pending.pop() {
            let limit = first.as_ref().map(|_| call_time(&self.guest, length as usize));
            let took = Stopwatch::start();
            let failed = match self.finish((start, length), limit)? {
                Ok(rows) => {
                    found.insert(start, rows);
                    continue;
                }
                Err(failed) => failed,
            };
            self.restore()?;
            let first = &*first.get_or_insert_with(|| failed.clone());
            check_budget(&self.guest, (u64::from(length == 1), took.elapsed()), (first, &failed))?;
            if length == 1 {
                self.without_result(start, &id, failed.told_by(first, false));
            } else {
                pending.push((start + length / 2, length - length / 2));
                pending.push((start, length / 2));
            }
        }
        self.guest.get()?.set_time(None);
        Ok(found)
    }

    fn without_result(&mut self, group: u32, id: &ChunkId, failed: Failed) {
        self.lose(group, (id, group), failed);
    }

    /// Groups that are not lost: the first and how many, as many as one call may give.
    fn runs(&self, count: u32) -> Vec<(u32, u32)> {
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for group in (0..count).filter(|group| !self.lost.contains_key(group)) {
            match runs.last_mut() {
                Some((start, length))
                    if *start + *length == group && (*length as usize) < CHUNK_ROWS_MAX =>
                {
                    *length += 1;
                }
                _ => runs.push((group, 1)),
            }
        }
        runs
    }

    /// One call. The inner error may be the fault of a group.
    fn finish(
        &mut self,
        (first, length): (u32, u32),
        time: Option<Duration>,
    ) -> Result<std::result::Result<RecordBatch, Failed>> {
        let schema = self.schema(false);
        let guest = self.guest.get()?;
        guest.set_time(time);
        let finish =
            guest.giving(RecordBatch::num_rows, |instance| instance.finish(first, length, &schema));
        match finish {
            Ok(rows) => Ok(Ok(rows)),
            Err(error) => Failed::of(error).map(Err),
        }
    }

    /// The columns of all groups, null where there is no result.
    fn with_gaps(&self, found: &BTreeMap<u32, RecordBatch>, count: usize) -> Result<Vec<ArrayRef>> {
        let schema = self.schema(false);
        let mut columns = Vec::with_capacity(schema.fields().len());
        for (place, field) in schema.fields().iter().enumerate() {
            let (mut parts, mut next) = (Vec::new(), 0);
            for (start, rows) in found {
                if *start > next {
                    parts.push(new_null_array(field.data_type(), (start - next) as usize));
                }
                parts.push(Arc::clone(rows.column(place)));
                next = start + rows.num_rows() as u32;
            }
            if (next as usize) < count || parts.is_empty() {
                parts.push(new_null_array(field.data_type(), count - next as usize));
            }
            let parts: Vec<&dyn arrow::array::Array> = parts.iter().map(AsRef::as_ref).collect();
            columns.push(concat(&parts)?);
        }
        Ok(columns)
    }
}
