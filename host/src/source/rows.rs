//! Rows that stand in the job, one list a batch.
//!
//! A row is read as the line of JSON it would be, so that types mean the same everywhere. Part i
//! of P has the rows [i·N/P, (i+1)·N/P) of a list of N.

use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::intake::{Intake, Spot};
use super::{BadRow, ReadMode, RowReader, Source, SourceError, SourceRange, Taken, Wake};
use crate::format::BadLine;
use crate::format::json::{Decoder, Inference, Origin};
use crate::job::{RowsSourceSpec, SourceSpec};
use crate::row_error::OnError;

/// A source of rows that are known from the start.
#[derive(Debug)]
pub(super) struct RowsSource {
    schema: SchemaRef,
    origin: Origin,
    lists: Vec<List>,
    next: AtomicUsize,
}

/// The rows of one batch as lines, and where each line ends.
#[derive(Debug)]
struct List {
    lines: Vec<u8>,
    ends: Vec<usize>,
}

impl RowsSource {
    /// Checks every row.
    pub(super) fn open(spec: &SourceSpec, rows: &RowsSourceSpec) -> Result<Self, SourceError> {
        let lists: Vec<List> = rows.batches.iter().map(|rows| List::new(rows)).collect();
        let (schema, origin) = match &spec.schema {
            Some(schema) => (SchemaRef::clone(schema), Origin::Given),
            None => (infer(&lists)?, Origin::Inferred),
        };
        let source = Self { schema, origin, lists, next: AtomicUsize::new(0) };
        let mode = ReadMode { tolerant: spec.on_error != OnError::Fail, origins: false };
        for batch in 0..source.lists.len() {
            let mut reader = source.part(batch, (0, 1), mode)?;
            while reader.next()?.is_some() {
                reader.refused();
            }
        }
        Ok(source)
    }

    fn part(
        &self,
        batch: usize,
        (partition, partitions): (usize, usize),
        mode: ReadMode,
    ) -> Result<ListReader, SourceError> {
        let Some(list) = self.lists.get(batch) else {
            return Err(SourceError::Range { problem: format!("there is no list {batch}") });
        };
        let border = |part: usize| {
            let row = (list.ends.len() as u128 * part as u128 / partitions.max(1) as u128) as usize;
            (row, row.checked_sub(1).map_or(0, |last| list.ends[last]))
        };
        let ((first, from), (_, to)) = (border(partition), border(partition + 1));
        Ok(ListReader {
            lines: list.lines[from..to].to_vec(),
            taken: 0,
            batch,
            row: first,
            intake: self.intake(mode)?,
            schema: SchemaRef::clone(&self.schema),
        })
    }

    fn intake(&self, mode: ReadMode) -> Result<Intake, SourceError> {
        let decoder = Decoder::new(SchemaRef::clone(&self.schema), self.origin)?;
        Ok(Intake::new(Box::new(decoder), mode))
    }
}

impl List {
    fn new(rows: &[serde_json::Map<String, serde_json::Value>]) -> Self {
        let mut lines = Vec::new();
        let mut ends = Vec::new();
        for row in rows {
            // A value is always text, and memory can always be written to.
            let _ = serde_json::to_writer(&mut lines, row);
            lines.push(b'\n');
            ends.push(lines.len());
        }
        Self { lines, ends }
    }
}

fn infer(lists: &[List]) -> Result<SchemaRef, SourceError> {
    let mut inference = Inference::default();
    for (batch, list) in lists.iter().enumerate() {
        inference.feed(&list.lines).map_err(|bad| {
            row_error(batch, list.ends.partition_point(|end| *end <= bad.at), bad)
        })?;
    }
    if inference.is_empty() {
        return Err(SourceError::NoRows);
    }
    Ok(inference.schema()?)
}

fn row_error(batch: usize, row: usize, bad: BadLine) -> SourceError {
    SourceError::Row { batch: batch + 1, row: row + 1, error: bad.error }
}

/// Reads one part of a list.
struct ListReader {
    lines: Vec<u8>,
    taken: usize,
    batch: usize,
    /// Which row of the list comes next: each is one line.
    row: usize,
    intake: Intake,
    schema: SchemaRef,
}

impl RowReader for ListReader {
    fn next(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        while !self.intake.is_full() && self.taken < self.lines.len() {
            let spot = Spot { origin: self.row as u64, by_line: true, most: u64::MAX };
            let lines = &self.lines[self.taken..];
            let taken = self
                .intake
                .feed(lines, true, spot)
                .map_err(|bad| row_error(self.batch, self.row + count(&lines[..bad.at]), bad))?;
            let taken = taken.unwrap_or(lines.len());
            self.row += count(&lines[..taken]);
            self.taken += taken;
        }
        let rows = self.intake.take_rows()?;
        if rows.is_none() && self.intake.has_refused() {
            return Ok(Some(RecordBatch::new_empty(SchemaRef::clone(&self.schema))));
        }
        Ok(rows)
    }

    fn bytes_read(&mut self) -> u64 {
        0
    }

    fn origins(&mut self) -> Vec<u64> {
        self.intake.origins()
    }

    fn refused(&mut self) -> Vec<BadRow> {
        self.intake.refused()
    }
}

/// How many lines end here.
fn count(lines: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', lines).count()
}

impl Source for RowsSource {
    fn schema(&self) -> Result<Option<SchemaRef>, SourceError> {
        Ok(Some(SchemaRef::clone(&self.schema)))
    }

    fn cut(&self) -> Result<SourceRange, SourceError> {
        let list = self.next.load(Ordering::Acquire);
        if list == self.lists.len() {
            return Ok(SourceRange::Empty);
        }
        self.next.store(list + 1, Ordering::Release);
        Ok(SourceRange::Rows { list })
    }

    fn resume(&self, taken: Taken) -> Result<(), SourceError> {
        match taken.last {
            Some(SourceRange::Rows { list }) => {
                self.next.store((list + 1).min(self.lists.len()), Ordering::Release);
                Ok(())
            }
            None => Ok(()),
            Some(_) => Err(SourceError::OtherKind { expected: "rows of a job" }),
        }
    }

    fn lost(&self, range: &SourceRange) -> Vec<String> {
        match range {
            SourceRange::Rows { list } if *list >= self.lists.len() => {
                vec![format!("list {} of the rows of the job", list + 1)]
            }
            _ => Vec::new(),
        }
    }

    fn is_scripted(&self) -> bool {
        true
    }

    fn finished(&self) -> bool {
        self.next.load(Ordering::Acquire) == self.lists.len()
    }

    fn read(
        &self,
        range: &SourceRange,
        part: (usize, usize),
        mode: ReadMode,
    ) -> Result<Box<dyn RowReader>, SourceError> {
        match range {
            SourceRange::Rows { list } => Ok(Box::new(self.part(*list, part, mode)?)),
            SourceRange::Empty => {
                let (intake, schema) = (self.intake(mode)?, SchemaRef::clone(&self.schema));
                let (lines, taken, batch, row) = (Vec::new(), 0, 0, 0);
                Ok(Box::new(ListReader { lines, taken, batch, row, intake, schema }))
            }
            _ => Err(SourceError::Range { problem: "not rows of a job".into() }),
        }
    }

    fn place(&self, range: &SourceRange, origin: u64) -> String {
        match range {
            SourceRange::Rows { list } => format!("batch {}, row {}", list + 1, origin + 1),
            _ => format!("row {}", origin + 1),
        }
    }

    fn watch(&self, _wake: Wake) -> Result<Box<dyn Send>, SourceError> {
        // Nothing ever comes that isn't there.
        Ok(Box::new(()))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use arrow::datatypes::{DataType, Int64Type};
    use serde_json::json;

    use super::*;
    use crate::id::NodeId;
    use crate::job::SourceKind;
    use crate::row_error::OnError;
    use crate::types;

    fn open(batches: serde_json::Value, schema: Option<&str>) -> Result<RowsSource, SourceError> {
        let rows = RowsSourceSpec { batches: serde_json::from_value(batches).unwrap(), span: 0..0 };
        let schema = schema.map(|text| match types::parse(&format!("struct{{{text}}}")).unwrap() {
            DataType::Struct(fields) => SchemaRef::new(arrow::datatypes::Schema::new(fields)),
            other => panic!("{other}"),
        });
        let kind = SourceKind::Rows(rows.clone());
        let spec = SourceSpec {
            event_time: None,
            id: NodeId::new("numbers"),
            kind,
            schema,
            on_error: OnError::Fail,
            span: 0..0,
        };
        RowsSource::open(&spec, &rows)
    }

    fn numbers(source: &RowsSource, range: &SourceRange, partitions: usize) -> Vec<i64> {
        let mut numbers = Vec::new();
        for partition in 0..partitions {
            let mut reader =
                source.read(range, (partition, partitions), ReadMode::default()).unwrap();
            while let Some(rows) = reader.next().unwrap() {
                let column = rows.column_by_name("n").unwrap();
                numbers.extend(column.as_primitive::<Int64Type>().values());
            }
        }
        numbers
    }

    #[test]
    fn each_list_is_a_batch_and_then_it_has_finished() {
        let source = open(json!([[{"n": 1}, {"n": 2}], [], [{"n": 3}]]), None).unwrap();
        let mut batches = Vec::new();
        while !source.finished() {
            let range = source.cut().unwrap();
            assert!(!range.is_empty());
            batches.push(numbers(&source, &range, 2));
        }
        assert_eq!(batches, [vec![1, 2], vec![], vec![3]]);
        assert_eq!(source.cut().unwrap(), SourceRange::Empty);
    }

    #[test]
    fn the_parts_in_order_are_the_list() {
        let rows: Vec<_> = (0..20_000).map(|n| json!({"n": n})).collect();
        let source = open(json!([rows]), None).unwrap();
        let range = source.cut().unwrap();
        for partitions in [1, 2, 3, 7, 30_000] {
            let expected: Vec<i64> = (0..20_000).collect();
            assert_eq!(numbers(&source, &range, partitions), expected, "{partitions}");
        }
    }

    #[test]
    fn a_row_of_the_wrong_type_is_named() {
        let error = open(json!([[], [{"n": 1}, {"n": "x"}]]), Some("n: int64")).unwrap_err();
        let message = "row 2 of batch 2: column `n` takes int64, not \"x\"";
        assert_eq!(error.to_string(), message);
        let error = open(json!([[{"m": 1}]]), Some("n: int64")).unwrap_err();
        assert_eq!(error.to_string(), "row 1 of batch 1: column `n` has no value");
    }

    #[test]
    fn without_rows_a_schema_is_needed() {
        assert!(matches!(open(json!([[]]), None), Err(SourceError::NoRows)));
        assert!(open(json!([[]]), Some("n: int64")).is_ok());
    }
}
