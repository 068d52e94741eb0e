//! Reads one part of a list of files of lines.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::lines::Lines;
use crate::format::FormatError;
use crate::source::intake::Intake;
use crate::source::{BadRow, RowReader, SourceError};

/// Rows of a part.
pub(super) struct PartReader {
    lines: Lines,
    intake: Intake,
    schema: SchemaRef,
}

impl PartReader {
    pub(super) fn new(lines: Lines, intake: Intake, schema: SchemaRef) -> Self {
        Self { lines, intake, schema }
    }

    /// Takes lines; false when the chunk or the part ends here.
    fn step(&mut self) -> Result<bool, SourceError> {
        let more = self.lines.fill()?;
        for long in self.lines.long() {
            self.intake.refuse(long.origin, &long.begin, FormatError::LongLine);
        }
        if !more || self.intake.is_full() {
            return Ok(false);
        }
        let lines = &self.lines;
        let (whole, last) = (lines.whole(), lines.are_last());
        let first = lines.are_first();
        if first && !self.intake.may_begin() {
            return Ok(false);
        }
        let taken = match first {
            true => self.intake.begin(whole, last),
            false => self.intake.feed(whole, last, lines.spot()),
        };
        match taken.map_err(|bad| lines.bad(bad))? {
            Some(bytes) => {
                self.lines.take(bytes);
                self.lines.begun();
            }
            None => self.lines.extend()?,
        }
        Ok(true)
    }
}

impl RowReader for PartReader {
    fn next(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        while !self.intake.is_full() && self.step()? {}
        let rows = self.intake.take_rows()?;
        if rows.is_none() && self.intake.has_refused() {
            // There may be more: nothing but bad lines came this time.
            return Ok(Some(RecordBatch::new_empty(SchemaRef::clone(&self.schema))));
        }
        Ok(rows)
    }

    fn bytes_read(&mut self) -> u64 {
        self.lines.bytes_read()
    }

    fn origins(&mut self) -> Vec<u64> {
        self.intake.origins()
    }

    fn refused(&mut self) -> Vec<BadRow> {
        self.intake.refused()
    }
}
