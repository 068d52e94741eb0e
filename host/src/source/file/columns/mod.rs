//! Reads the Parquet files of a part.
//!
//! The library that knows Parquet panics on some damaged files, and takes as much memory as they
//! ask for. So each file is read by this program's own file once more, in a process under limits
//! that gets the open file and no rights: [`child`] decodes, [`process`] starts it and takes what
//! comes out, [`frame`] is what both speak. A file belongs to the part in which it begins, and
//! rows are counted from 0.

mod child;
mod frame;
mod process;

pub use child::{ARGUMENT, child};

use std::collections::VecDeque;
use std::fs::File;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use self::frame::{Bad, Request};
use self::process::{Failure, Process, Rows};
use super::open::{self, Piece};
use super::origin;
use super::unpack::Packing;
use crate::format::FormatError;
use crate::source::{BadRow, FileRange, ReadMode, RowReader, SourceError};

/// Rows of a part.
pub(super) struct ColumnsReader {
    pieces: VecDeque<Piece>,
    schema: SchemaRef,
    mode: ReadMode,
    /// How many bytes the rows of a file may take.
    unpacked_max: u64,
    open: Option<Open>,
    origins: Vec<u64>,
    refused: Vec<BadRow>,
    bytes_read: u64,
}

/// A file that is being read.
struct Open {
    piece: Piece,
    file: File,
    process: Process,
    /// How many bytes its rows took so far, and the number of the next one.
    bytes: u64,
    next: u64,
}

impl Open {
    /// Where the next row stands.
    fn place(&self) -> u64 {
        origin::of(self.piece.number, self.next)
    }
}

impl ColumnsReader {
    pub(super) fn new(
        pieces: Vec<Piece>,
        schema: SchemaRef,
        mode: ReadMode,
        unpacked_max: u64,
    ) -> Self {
        Self {
            pieces: pieces.into(),
            schema,
            mode,
            unpacked_max,
            open: None,
            origins: Vec::new(),
            refused: Vec::new(),
            bytes_read: 0,
        }
    }

    fn open(&self, piece: Piece) -> Result<Open, SourceError> {
        let file = opened(&piece.file)?;
        let request = Request::Rows(SchemaRef::clone(&self.schema));
        let process = start(&file, &piece.file, &request)?;
        Ok(Open { piece, file, process, bytes: 0, next: 0 })
    }

    /// The next rows of the open file; none at its end.
    fn step(&mut self, open: &mut Open) -> Result<Option<RecordBatch>, SourceError> {
        let range = &open.piece.file;
        let (number, path) = (open.piece.number, &range.path);
        let rows = open.process.rows(&self.schema).map_err(|failure| failed(failure, range))?;
        let Some(Rows { first, count, bytes, rows, bad }) = rows else {
            open::check(&open.file, range)?;
            return Ok(None);
        };
        open.next = first + count;
        open.bytes += bytes;
        if open.bytes > self.unpacked_max {
            return Err(SourceError::TooLarge { path: path.clone(), most: self.unpacked_max });
        }
        if self.mode.origins {
            let mut bad = bad.iter().map(|bad| bad.row).peekable();
            let good = (first..open.next).filter(|row| bad.next_if_eq(row).is_none());
            self.origins = good.map(|row| origin::of(number, row)).collect();
        }
        for Bad { row, content, reason } in bad {
            let error = reason.into();
            if !self.mode.tolerant {
                return Err(SourceError::FileRow { path: path.clone(), row: row + 1, error });
            }
            self.refused.push(BadRow { origin: origin::of(number, row), content, error });
        }
        Ok(Some(rows))
    }

    fn no_rows(&self) -> RecordBatch {
        RecordBatch::new_empty(SchemaRef::clone(&self.schema))
    }

    /// Leaves out the rest of a file that is damaged, where that is wanted.
    fn leave_out(&mut self, place: u64, error: SourceError) -> Result<(), SourceError> {
        match error {
            SourceError::File { error: error @ FormatError::Parquet { .. }, .. }
                if self.mode.tolerant =>
            {
                self.refused.push(BadRow { origin: place, content: String::new(), error });
                Ok(())
            }
            error => Err(error),
        }
    }
}

impl RowReader for ColumnsReader {
    fn next(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        self.origins.clear();
        loop {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => match self.pieces.pop_front() {
                    Some(piece) => self.open(piece)?,
                    None if self.refused.is_empty() => return Ok(None),
                    None => return Ok(Some(self.no_rows())),
                },
            };
            match self.step(&mut open) {
                Ok(Some(rows)) => {
                    self.open = Some(open);
                    return Ok(Some(rows));
                }
                Ok(None) => {}
                Err(error) => self.leave_out(open.place(), error)?,
            }
            self.bytes_read += open.piece.file.bytes;
        }
    }

    fn bytes_read(&mut self) -> u64 {
        std::mem::take(&mut self.bytes_read)
    }

    fn origins(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.origins)
    }

    fn refused(&mut self) -> Vec<BadRow> {
        std::mem::take(&mut self.refused)
    }
}

/// The columns that the first of these files has that can be read.
pub(super) fn infer(files: &[FileRange], tolerant: bool) -> Result<Option<SchemaRef>, SourceError> {
    let mut first = None;
    for range in files {
        match columns(range) {
            Ok(schema) => return Ok(Some(schema)),
            Err(error @ SourceError::File { error: FormatError::Parquet { .. }, .. })
                if tolerant =>
            {
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    first.map_or(Ok(None), Err)
}

fn columns(range: &FileRange) -> Result<SchemaRef, SourceError> {
    let mut process = start(&opened(range)?, range, &Request::Columns)?;
    process.columns().map_err(|failure| failed(failure, range))
}

fn opened(range: &FileRange) -> Result<File, SourceError> {
    let file = open::open(range)?;
    open::check(&file, range)?;
    Ok(file)
}

fn start(file: &File, range: &FileRange, request: &Request) -> Result<Process, SourceError> {
    let file = file.try_clone().map_err(SourceError::io("open", &range.path))?;
    Process::start(file, request).map_err(|failure| failed(failure, range))
}

fn failed(failure: Failure, range: &FileRange) -> SourceError {
    let path = range.path.clone();
    match failure {
        Failure::File(FormatError::Parquet { .. }) if Packing::of(&path).is_some() => {
            let problem = "Parquet packs its columns itself, and this file is packed once more";
            SourceError::File { path, error: FormatError::Parquet { problem: problem.into() } }
        }
        Failure::File(error) => SourceError::File { path, error },
        Failure::Machine(problem) => SourceError::Process { path, problem },
    }
}

#[cfg(test)]
mod tests;
