//! Shows the first rows of each batch.
//!
//! "First" is by part, then by order within the part: the same rows whatever lane is done first.
//! Each part keeps no more rows than are shown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;

use super::{
    BatchMark, ConsoleText, Digest, Lines, PartWriter, Prepared, Sink, SinkError, Staging, Written,
};
use crate::format::FormatError;
use crate::id::SinkId;

/// A sink that shows rows to a person.
pub(super) struct ConsoleSink {
    id: SinkId,
    rows_shown: usize,
    lines: Lines,
}

impl ConsoleSink {
    /// Shows up to `rows_shown` rows of each batch.
    pub(super) fn new(id: SinkId, rows_shown: usize, lines: Lines) -> Self {
        Self { id, rows_shown, lines }
    }
}

/// What the parts have brought, by number.
#[derive(Debug, Default)]
struct Parts {
    opened: BTreeMap<usize, Option<Part>>,
}

/// A closed part.
#[derive(Debug)]
struct Part {
    first: Vec<RecordBatch>,
    total: u64,
}

struct ConsoleStaging {
    id: SinkId,
    mark: BatchMark,
    schema: SchemaRef,
    partitions: usize,
    rows_shown: usize,
    lines: Lines,
    parts: Arc<Mutex<Parts>>,
}

struct ConsolePart {
    number: usize,
    rows_shown: usize,
    kept: usize,
    part: Part,
    parts: Arc<Mutex<Parts>>,
}

struct ConsolePrepared {
    id: SinkId,
    mark: BatchMark,
    rows: RecordBatch,
    total: u64,
    lines: Lines,
}

impl Sink for ConsoleSink {
    fn marks(&self) -> bool {
        false
    }

    fn begin(
        &self,
        mark: &BatchMark,
        schema: SchemaRef,
        partitions: usize,
    ) -> Result<Box<dyn Staging>, SinkError> {
        Ok(Box::new(ConsoleStaging {
            id: self.id.clone(),
            mark: mark.clone(),
            schema,
            partitions,
            rows_shown: self.rows_shown,
            lines: Arc::clone(&self.lines),
            parts: Arc::default(),
        }))
    }
}

impl Staging for ConsoleStaging {
    fn part(&self, partition: usize) -> Result<Box<dyn PartWriter>, SinkError> {
        let fresh = lock(&self.parts).opened.insert(partition, None).is_none();
        if !fresh || partition >= self.partitions {
            return Err(SinkError::NoPart { part: partition });
        }
        Ok(Box::new(ConsolePart {
            number: partition,
            rows_shown: self.rows_shown,
            kept: 0,
            part: Part { first: Vec::new(), total: 0 },
            parts: Arc::clone(&self.parts),
        }))
    }

    fn prepare(self: Box<Self>, _: Digest) -> Result<Box<dyn Prepared>, SinkError> {
        let parts = std::mem::take(&mut *lock(&self.parts));
        let (mut first, mut total) = (Vec::new(), 0);
        for (number, part) in parts.opened {
            let part = part.ok_or(SinkError::NotClosed { part: number })?;
            first.extend(part.first);
            total += part.total;
        }
        let rows = concat_batches(&self.schema, &first).map_err(FormatError::from)?;
        let rows = rows.slice(0, rows.num_rows().min(self.rows_shown));
        Ok(Box::new(ConsolePrepared {
            id: self.id,
            mark: self.mark,
            rows,
            total,
            lines: self.lines,
        }))
    }
}

impl PartWriter for ConsolePart {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        self.part.total += rows.num_rows() as u64;
        let wanted = (self.rows_shown - self.kept).min(rows.num_rows());
        if wanted > 0 {
            // A copy: a slice would keep the whole chunk in memory.
            let indices = UInt64Array::from_iter_values(0..wanted as u64);
            let kept = take_record_batch(rows, &indices).map_err(FormatError::from)?;
            self.part.first.push(kept);
            self.kept += wanted;
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<u64, SinkError> {
        let total = self.part.total;
        lock(&self.parts).opened.insert(self.number, Some(self.part));
        Ok(total)
    }
}

impl Prepared for ConsolePrepared {
    fn commit(self: Box<Self>) -> Result<Written, SinkError> {
        (self.lines)(ConsoleText {
            sink: self.id.as_str(),
            mark: &self.mark,
            rows: &self.rows,
            total: self.total,
        });
        Ok(Written { rows: self.total, place: None, existed: false })
    }
}

fn lock(parts: &Mutex<Parts>) -> MutexGuard<'_, Parts> {
    parts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;
    use crate::sink::test_kit::mark;

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
    }

    fn rows(numbers: std::ops::Range<i64>) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
        RecordBatch::try_new(schema(), vec![numbers]).unwrap()
    }

    /// What a sink that shows so many rows says.
    type Said = Arc<Mutex<Vec<(Vec<i64>, u64)>>>;

    fn sink(rows_shown: usize) -> (ConsoleSink, Said) {
        let said = Said::default();
        let heard = Arc::clone(&said);
        let lines: Lines = Arc::new(move |text: ConsoleText<'_>| {
            let numbers = text.rows.column(0).as_primitive::<Int64Type>().values().to_vec();
            heard.lock().unwrap().push((numbers, text.total));
        });
        (ConsoleSink::new(SinkId::new("out"), rows_shown, lines), said)
    }

    #[test]
    fn the_first_rows_are_those_of_the_first_parts_whoever_is_done_first() {
        let (sink, said) = sink(4);
        let staging = sink.begin(&mark("run", 1), schema(), 3).unwrap();
        let mut last = staging.part(2).unwrap();
        last.write(&rows(20..29)).unwrap();
        assert_eq!(last.close().unwrap(), 9);
        let mut first = staging.part(0).unwrap();
        first.write(&rows(0..1)).unwrap();
        first.write(&rows(1..3)).unwrap();
        first.close().unwrap();
        let prepared = staging.prepare(Digest::default()).unwrap();
        assert!(said.lock().unwrap().is_empty(), "nothing is shown before the commit");
        let written = prepared.commit().unwrap();
        assert_eq!(written, Written { rows: 12, place: None, existed: false });
        assert_eq!(*said.lock().unwrap(), [(vec![0, 1, 2, 20], 12)]);
    }

    #[test]
    fn a_part_keeps_no_more_rows_than_are_shown() {
        let (sink, _) = sink(3);
        let staging = sink.begin(&mark("run", 1), schema(), 1).unwrap();
        let mut part = staging.part(0).unwrap();
        for _ in 0..100 {
            part.write(&rows(0..1000)).unwrap();
        }
        part.close().unwrap();
        let prepared = staging.prepare(Digest::default()).unwrap();
        assert_eq!(prepared.commit().unwrap().rows, 100_000);
    }

    #[test]
    fn no_rows_and_no_shown_rows_are_said_too() {
        let (sink, said) = sink(0);
        let staging = sink.begin(&mark("run", 1), schema(), 1).unwrap();
        let mut part = staging.part(0).unwrap();
        part.write(&rows(0..5)).unwrap();
        part.close().unwrap();
        staging.prepare(Digest::default()).unwrap().commit().unwrap();
        sink.begin(&mark("run", 2), schema(), 1)
            .unwrap()
            .prepare(Digest::default())
            .unwrap()
            .commit()
            .unwrap();
        assert_eq!(*said.lock().unwrap(), [(vec![], 5), (vec![], 0)]);
    }

    #[test]
    fn a_part_that_was_not_closed_or_does_not_exist_is_refused() {
        let (sink, _) = sink(1);
        let staging = sink.begin(&mark("run", 1), schema(), 2).unwrap();
        drop(staging.part(1).unwrap());
        assert!(matches!(staging.part(1), Err(SinkError::NoPart { part: 1 })));
        assert!(matches!(
            staging.prepare(Digest::default()),
            Err(SinkError::NotClosed { part: 1 })
        ));
        let staging = sink.begin(&mark("run", 1), schema(), 2).unwrap();
        assert!(matches!(staging.part(2), Err(SinkError::NoPart { part: 2 })));
    }
}
