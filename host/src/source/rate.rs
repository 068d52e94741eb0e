//! Rows made by a clock: `value` counts up from 0, `timestamp` is when the row is due.
//!
//! A range says all that its rows are made of: numbers, the time of number 0, and the pace. Part i
//! of P has the numbers [i·N/P, (i+1)·N/P) of a range of N. A batch has what fell due since the one
//! before. In a run with `--once` all of `count` is one batch, because nobody waits for it.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::pace::{Pace, Ticker};
use super::{ReadMode, RowReader, Source, SourceError, SourceRange, Taken, Wake};
use crate::clock;
use crate::format::CHUNK_ROWS_MAX;
use crate::job::RateSourceSpec;
use crate::types;

/// A source of numbers.
#[derive(Debug)]
pub(super) struct RateSource {
    schema: SchemaRef,
    rows_per_second: u64,
    count: Option<u64>,
    pace: Pace,
    limit: Option<Pace>,
    progress: Mutex<Progress>,
}

/// How far it has come.
#[derive(Debug, Default)]
struct Progress {
    /// The next number.
    next: u64,
    /// Numbers below this one are due.
    due: u64,
    /// The time of number 0.
    began: Option<i64>,
    once: bool,
}

impl RateSource {
    pub(super) fn open(rate: &RateSourceSpec) -> Self {
        let schema = Schema::new(vec![
            Field::new("value", DataType::Int64, false),
            Field::new("timestamp", types::timestamp(), false),
        ]);
        Self {
            schema: Arc::new(schema),
            rows_per_second: rate.rows_per_second,
            count: rate.count,
            pace: Pace::new(rate.rows_per_second),
            limit: rate.max_rate.map(Pace::new),
            progress: Mutex::default(),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number behind the last one that may be taken now.
    fn reach(&self, progress: &mut Progress) -> u64 {
        let count = self.count.unwrap_or(i64::MAX as u64);
        progress.due = match progress.once {
            true => count,
            false => progress.due.saturating_add(self.pace.due()).min(count),
        };
        let limit = self.limit.as_ref().map_or(u64::MAX, Pace::due);
        progress.due.min(progress.next.saturating_add(limit))
    }
}

impl Source for RateSource {
    fn schema(&self) -> Result<Option<SchemaRef>, SourceError> {
        Ok(Some(SchemaRef::clone(&self.schema)))
    }

    fn cut(&self) -> Result<SourceRange, SourceError> {
        let mut progress = self.progress();
        let to = self.reach(&mut progress);
        let began = *progress.began.get_or_insert_with(|| clock::now().0);
        let from = std::mem::replace(&mut progress.next, to);
        if from == to {
            return Ok(SourceRange::Empty);
        }
        Ok(SourceRange::Numbers { from, to, began, rows_per_second: self.rows_per_second })
    }

    fn resume(&self, taken: Taken) -> Result<(), SourceError> {
        match taken.last {
            Some(SourceRange::Numbers { to, .. }) => {
                // The time that nothing ran is left out: what comes next is due now.
                let passed = i128::from(to) * 1_000_000 / i128::from(self.rows_per_second.max(1));
                let mut progress = self.progress();
                let began = i128::from(clock::now().0) - passed;
                progress.began = Some(i64::try_from(began).unwrap_or(i64::MIN));
                (progress.next, progress.due) = (to, to);
                Ok(())
            }
            None => Ok(()),
            Some(_) => Err(SourceError::OtherKind { expected: "numbers" }),
        }
    }

    fn finished(&self) -> bool {
        self.count.is_some_and(|count| self.progress().next >= count)
    }

    fn drained(&self) -> bool {
        self.finished()
    }

    fn start(&self, once: bool, wake: Wake) -> Result<Box<dyn Send>, SourceError> {
        if once && self.count.is_none() {
            return Err(SourceError::Endless);
        }
        self.progress().once = once;
        Ok(Box::new(Ticker::start(wake)?))
    }

    fn read(
        &self,
        range: &SourceRange,
        (partition, partitions): (usize, usize),
        _: ReadMode,
    ) -> Result<Box<dyn RowReader>, SourceError> {
        let schema = SchemaRef::clone(&self.schema);
        let (from, to, began, rows_per_second) = match *range {
            SourceRange::Empty => (0, 0, 0, 1),
            SourceRange::Numbers { from, to, began, rows_per_second } => {
                (from, to, began, rows_per_second)
            }
            _ => return Err(SourceError::Range { problem: "not numbers".into() }),
        };
        let border = |part: usize| {
            let rows = u128::from(to.saturating_sub(from));
            from + (rows * part as u128 / partitions.max(1) as u128) as u64
        };
        let rest = border(partition)..border(partition + 1);
        let chunk = rest.start..rest.start;
        Ok(Box::new(Numbers { schema, rest, chunk, began, rows_per_second }))
    }

    fn place(&self, _: &SourceRange, origin: u64) -> String {
        format!("value {origin}")
    }

    fn watch(&self, _: Wake) -> Result<Box<dyn Send>, SourceError> {
        // What was started rings.
        Ok(Box::new(()))
    }
}

/// Makes the rows of one part.
struct Numbers {
    schema: SchemaRef,
    rest: Range<u64>,
    chunk: Range<u64>,
    began: i64,
    rows_per_second: u64,
}

impl Numbers {
    /// When a number is due, in microseconds.
    fn time(&self, number: u64) -> i64 {
        let after = u128::from(number) * 1_000_000 / u128::from(self.rows_per_second.max(1));
        self.began.saturating_add(i64::try_from(after).unwrap_or(i64::MAX))
    }
}

impl RowReader for Numbers {
    fn next(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        let end = self.rest.end.min(self.rest.start.saturating_add(CHUNK_ROWS_MAX as u64));
        self.chunk = self.rest.start..end;
        self.rest.start = end;
        if self.chunk.is_empty() {
            return Ok(None);
        }
        let values: Int64Array = self.chunk.clone().map(|number| number as i64).collect();
        let times: TimestampMicrosecondArray =
            self.chunk.clone().map(|number| Some(self.time(number))).collect();
        let columns: Vec<ArrayRef> =
            vec![Arc::new(values), Arc::new(times.with_timezone(types::UTC))];
        let rows = RecordBatch::try_new(SchemaRef::clone(&self.schema), columns);
        Ok(Some(rows.map_err(crate::format::FormatError::from)?))
    }

    fn bytes_read(&mut self) -> u64 {
        0
    }

    fn origins(&mut self) -> Vec<u64> {
        self.chunk.clone().collect()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

    use super::*;

    fn open(rows_per_second: u64, count: Option<u64>, max_rate: Option<u64>) -> RateSource {
        RateSource::open(&RateSourceSpec { rows_per_second, count, max_rate })
    }

    fn rows(source: &RateSource, range: &SourceRange, partitions: usize) -> Vec<(i64, i64)> {
        let mut all = Vec::new();
        for partition in 0..partitions {
            let mode = ReadMode::default();
            let mut reader = source.read(range, (partition, partitions), mode).unwrap();
            while let Some(rows) = reader.next().unwrap() {
                let values = rows.column(0).as_primitive::<Int64Type>().values();
                let times = rows.column(1).as_primitive::<TimestampMicrosecondType>().values();
                all.extend(values.iter().copied().zip(times.iter().copied()));
            }
        }
        all
    }

    #[test]
    fn rows_follow_from_the_range_alone_in_any_number_of_parts() {
        let range =
            SourceRange::Numbers { from: 5, to: 20_005, began: 1_000_000, rows_per_second: 500 };
        let expected: Vec<(i64, i64)> = (5..20_005).map(|n| (n, 1_000_000 + n * 2_000)).collect();
        for partitions in [1, 2, 3, 7, 30_000] {
            assert_eq!(rows(&open(7, None, None), &range, partitions), expected, "{partitions}");
        }
    }

    #[test]
    fn a_run_once_takes_the_count_and_needs_one() {
        let source = open(10, Some(100_000), None);
        let _started = source.start(true, Wake::default()).unwrap();
        let range = source.cut().unwrap();
        assert_eq!(rows(&source, &range, 2).len(), 100_000);
        assert!(source.drained() && source.finished());
        assert!(source.cut().unwrap().is_empty());
        let endless = open(10, None, None).start(true, Wake::default());
        assert!(matches!(endless.err(), Some(SourceError::Endless)));
    }

    #[test]
    fn ranges_have_no_gap_and_no_row_twice_under_a_limit() {
        let source = open(10_000_000, Some(3_000), Some(1_000_000));
        let wake = Wake::default();
        let _started = source.start(false, wake.clone()).unwrap();
        let mut all = Vec::new();
        while !source.finished() {
            let range = source.cut().unwrap();
            all.extend(rows(&source, &range, 1).into_iter().map(|(value, _)| value));
        }
        assert_eq!(all, (0..3_000).collect::<Vec<i64>>());
    }
}
