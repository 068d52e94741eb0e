//! Row groups into rows, in chunks of the fixed size.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{CastOptions, cast_with_options, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};

use super::fit::{check_codecs, footer, places};
use super::{unreadable, value};
use crate::format::{CHUNK_BYTES_MAX, CHUNK_ROWS_MAX, FormatError, LINE_BYTES_MAX};
use crate::types;

/// So many bytes are decoded at once, as far as the file is right about how many bytes a row has.
const READ_BYTES: u64 = 16 * 1024 * 1024;

/// The rows of a file in order.
pub struct Reader {
    file: File,
    footer: ArrowReaderMetadata,
    schema: SchemaRef,
    mask: ProjectionMask,
    /// For each column of the schema which one it is of those that are read.
    places: Vec<usize>,
    /// The row group that is being read, and how many of its rows are still to come.
    group: usize,
    rows: Option<ParquetRecordBatchReader>,
    left: u64,
    /// What was read and is too much for one chunk.
    waiting: VecDeque<RecordBatch>,
    /// The number of the next row.
    next: u64,
}

/// Rows of a file that follow on each other.
#[derive(Debug)]
pub struct Chunk {
    /// The number of the first row, from 0, good or bad.
    pub first: u64,
    /// How many rows it covers, good and bad.
    pub count: u64,
    /// The good ones.
    pub rows: RecordBatch,
    /// The bad ones.
    pub bad: Vec<BadRow>,
}

/// A row of a file that is no row of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Its number, from 0.
    pub row: u64,
    /// Its values as text.
    pub content: String,
    /// What is wrong with it.
    pub error: FormatError,
}

impl Reader {
    /// Checks the file and its columns; reads no rows.
    pub fn open(file: File, schema: SchemaRef) -> Result<Self, FormatError> {
        let footer = footer(&file)?;
        let in_file = places(footer.schema(), &schema)?;
        let mut read = in_file.clone();
        read.sort_unstable();
        read.dedup();
        let places = in_file.iter().map(|place| read.partition_point(|other| other < place));
        let mask = ProjectionMask::roots(footer.parquet_schema(), read.iter().copied());
        check_codecs(footer.metadata(), &mask)?;
        Ok(Self {
            file,
            schema,
            mask,
            places: places.collect(),
            group: 0,
            rows: None,
            left: 0,
            waiting: VecDeque::new(),
            next: 0,
            footer,
        })
    }

    /// Which row group is being read, from 0.
    pub fn group(&self) -> usize {
        self.group
    }

    /// The next rows; none at the end of the file. A chunk never spans two row groups.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, FormatError> {
        loop {
            if let Some(rows) = self.waiting.pop_front() {
                return self.chunk(&rows).map(Some);
            }
            if self.rows.is_none() && !self.open_group()? {
                return Ok(None);
            }
            match self.rows.as_mut().and_then(Iterator::next) {
                Some(rows) => self.take(rows.map_err(damaged)?)?,
                None => self.end_group()?,
            }
        }
    }

    fn open_group(&mut self) -> Result<bool, FormatError> {
        let Some(group) = self.footer.metadata().row_groups().get(self.group) else {
            return Ok(false);
        };
        // Checked with the footer: it is not negative.
        self.left = u64::try_from(group.num_rows()).unwrap_or(0);
        let read = group.columns().iter().enumerate();
        let read = read.filter(|(leaf, _)| self.mask.leaf_included(*leaf));
        let bytes = read.fold(0_u64, |sum, (_, column)| {
            sum.saturating_add(u64::try_from(column.uncompressed_size()).unwrap_or(0))
        });
        let at_once = READ_BYTES / (bytes / self.left.max(1)).max(1);
        let file = self.file.try_clone().map_err(|error| damage(error.to_string()))?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.footer.clone())
            .with_row_groups(vec![self.group])
            .with_projection(self.mask.clone())
            .with_batch_size((at_once as usize).clamp(1, CHUNK_ROWS_MAX))
            .build();
        self.rows = Some(reader.map_err(unreadable)?);
        Ok(true)
    }

    fn end_group(&mut self) -> Result<(), FormatError> {
        if self.left > 0 {
            return Err(damage(format!("{} rows of it are not there", self.left)));
        }
        self.rows = None;
        self.group += 1;
        Ok(())
    }

    /// Halves rows until each part is little enough for a chunk.
    fn take(&mut self, rows: RecordBatch) -> Result<(), FormatError> {
        let left = self.left.checked_sub(rows.num_rows() as u64);
        self.left = left.ok_or_else(|| damage("it has more rows than it is said to have"))?;
        let mut parts = vec![rows];
        while let Some(part) = parts.pop() {
            let count = part.num_rows();
            if count <= 1 || value::bytes_of(&part) <= CHUNK_BYTES_MAX {
                self.waiting.push_back(part);
                continue;
            }
            let half = count / 2;
            parts.push(part.slice(half, count - half));
            parts.push(part.slice(0, half));
        }
        Ok(())
    }

    fn chunk(&mut self, rows: &RecordBatch) -> Result<Chunk, FormatError> {
        let (first, count) = (self.next, rows.num_rows() as u64);
        self.next += count;
        if let Ok(rows) = self.fit(rows) {
            return Ok(Chunk { first, count, rows, bad: Vec::new() });
        }
        let (good, bad) = self.sift(rows, first)?;
        let rows = self.fit(&take_record_batch(rows, &good)?)?;
        Ok(Chunk { first, count, rows, bad })
    }

    /// Parts good rows from bad ones, by halves.
    fn sift(
        &self,
        rows: &RecordBatch,
        first: u64,
    ) -> Result<(UInt32Array, Vec<BadRow>), FormatError> {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        let mut parts = vec![(0, rows.num_rows() as u32)];
        while let Some((from, to)) = parts.pop() {
            let part = from..to;
            // Taken out and not sliced, so that nothing is looked at that is not in the part.
            let some = take_record_batch(rows, &part.clone().collect::<UInt32Array>())?;
            match self.fit(&some) {
                Ok(_) => good.extend(part),
                Err(error) if part.len() <= 1 => {
                    let (row, content) = (first + u64::from(from), value::text(&some));
                    bad.push(BadRow { row, content, error });
                }
                Err(_) => {
                    let half = from + (to - from) / 2;
                    parts.push((half, to));
                    parts.push((from, half));
                }
            }
        }
        Ok((good.into(), bad))
    }

    /// Rows as the schema has them, or what is wrong with one of them.
    fn fit(&self, rows: &RecordBatch) -> Result<RecordBatch, FormatError> {
        if rows.num_rows() == 1 && value::bytes_of(rows) > LINE_BYTES_MAX {
            return Err(FormatError::LongRow);
        }
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let mut columns = Vec::with_capacity(self.places.len());
        for (field, place) in self.schema.fields().iter().zip(&self.places) {
            let column = rows.column(*place);
            if let Some(column) = value::null_in(field, column)? {
                return Err(FormatError::NoValue { column });
            }
            let cast = cast_with_options(column, field.data_type(), &options);
            columns.push(cast.map_err(|_| FormatError::Value {
                column: field.name().clone(),
                wanted: types::describe(field.data_type()),
                found: value::brief(column),
            })?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

fn damage(problem: impl Into<String>) -> FormatError {
    FormatError::Parquet { problem: problem.into() }
}

fn damaged(error: ArrowError) -> FormatError {
    match error {
        ArrowError::ParquetError(problem) => damage(problem),
        other => damage(other.to_string()),
    }
}
