//! Reads one part of a list of files.
//!
//! Part i of P covers the bytes [i·T/P, (i+1)·T/P) of the T bytes of all files. A line belongs to
//! the part in which it begins, so the parts in order are the rows of the files in order, for
//! every P. A file always begins a line.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use arrow::array::RecordBatch;
use rustix::fs::OFlags;

use super::list::modified;
use crate::format::{BYTE_ORDER_MARK, BadLine, Decode, FormatError, LINE_BYTES_MAX};
use crate::source::{FileRange, RowReader, SourceError};

/// How much is read at once.
const BLOCK_BYTES: usize = 1024 * 1024;

/// How much is read at once while the beginning of a line is looked for.
const PROBE_BYTES: usize = 64 * 1024;

/// Rows of a part.
pub(super) struct PartReader {
    lines: Lines,
    decoder: Box<dyn Decode>,
}

impl PartReader {
    pub(super) fn new(lines: Lines, decoder: Box<dyn Decode>) -> Self {
        Self { lines, decoder }
    }
}

impl RowReader for PartReader {
    fn next(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        while !self.decoder.is_full() && self.lines.fill()? {
            let lines = &self.lines;
            let taken = self.decoder.feed(lines.whole()).map_err(|bad| lines.bad(bad))?;
            self.lines.take(taken);
        }
        Ok(self.decoder.take_rows()?)
    }

    fn bytes_read(&mut self) -> u64 {
        std::mem::take(&mut self.lines.bytes_read)
    }

    fn origins(&mut self) -> Vec<u64> {
        Vec::new()
    }
}

/// The lines of a part, some at a time.
pub(super) struct Lines {
    pieces: VecDeque<Piece>,
    open: Option<Open>,
    buffer: Vec<u8>,
    /// What of the buffer was read and not taken.
    start: usize,
    end: usize,
    /// Where the last whole line in it ends.
    whole: usize,
    bytes_read: u64,
}

/// A stretch of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    file: FileRange,
    from: u64,
    to: u64,
}

/// A file that is being read.
struct Open {
    file: File,
    range: FileRange,
    /// The next byte to read, and the one at which to stop: both begin a line, or end the file.
    next: u64,
    to: u64,
}

impl Lines {
    /// The lines of part `partition` of `partitions`.
    pub(super) fn new(files: &[FileRange], partition: usize, partitions: usize) -> Self {
        Self {
            pieces: pieces(files, partition, partitions),
            open: None,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            whole: 0,
            bytes_read: 0,
        }
    }

    /// Whole lines of one file that were not taken yet.
    pub(super) fn whole(&self) -> &[u8] {
        &self.buffer[self.start..self.whole]
    }

    /// Takes so many bytes of them.
    pub(super) fn take(&mut self, bytes: usize) {
        self.start += bytes;
    }

    /// Makes sure that there are whole lines; false when the part has ended.
    pub(super) fn fill(&mut self) -> Result<bool, SourceError> {
        while self.start == self.whole {
            let Some(open) = &mut self.open else {
                let Some(piece) = self.pieces.pop_front() else { return Ok(false) };
                self.open = Open::new(piece)?;
                continue;
            };
            if open.next < open.to {
                self.read()?;
            } else if self.start < self.end {
                // The last line of the file, which has no end.
                self.whole = self.end;
            } else {
                open.check()?;
                self.open = None;
            }
        }
        Ok(true)
    }

    /// Reads the next block behind the line that has begun.
    fn read(&mut self) -> Result<(), SourceError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.whole = 0;
        if self.end > LINE_BYTES_MAX {
            return Err(self.bad(BadLine { at: 0, error: FormatError::LongLine }));
        }
        let begun = self.end;
        let bytes = (open.to - open.next).min(BLOCK_BYTES as u64) as usize;
        self.buffer.resize(self.buffer.len().max(begun + bytes), 0);
        let block = &mut self.buffer[begun..begun + bytes];
        open.read(block)?;
        if open.next == 0 && block.starts_with(BYTE_ORDER_MARK) {
            self.start = BYTE_ORDER_MARK.len();
        }
        self.whole = match memchr::memrchr(b'\n', block) {
            Some(last) => begun + last + 1,
            None => self.start,
        };
        open.next += bytes as u64;
        self.end = begun + bytes;
        self.bytes_read += bytes as u64;
        Ok(())
    }

    /// Says in which file and line something is wrong.
    pub(super) fn bad(&self, bad: BadLine) -> SourceError {
        let Some(open) = &self.open else { return SourceError::Format(bad.error) };
        let begin = open.next - (self.end - self.start - bad.at) as u64;
        match open.count_lines(begin) {
            Ok(before) => SourceError::Line {
                path: open.range.path.clone(),
                line: before + 1,
                error: bad.error,
            },
            Err(error) => error,
        }
    }
}

/// Cuts the files at the borders of a part.
fn pieces(files: &[FileRange], partition: usize, partitions: usize) -> VecDeque<Piece> {
    let total: u128 = files.iter().map(|file| u128::from(file.bytes)).sum();
    let border = |part: usize| total * part as u128 / partitions.max(1) as u128;
    let (from, to) = (border(partition), border(partition + 1));
    let mut begin = 0_u128;
    let mut pieces = VecDeque::new();
    for file in files {
        let within = |border: u128| border.saturating_sub(begin).min(u128::from(file.bytes)) as u64;
        let piece = Piece { file: file.clone(), from: within(from), to: within(to) };
        begin += u128::from(file.bytes);
        if piece.from < piece.to {
            pieces.push_back(piece);
        }
    }
    pieces
}

impl Open {
    /// Opens a file that has lines in this part.
    fn new(piece: Piece) -> Result<Option<Self>, SourceError> {
        // Without blocking: something that is no file any more must not hold the lane.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open(&piece.file.path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => changed(&piece.file),
                _ => SourceError::io("open", &piece.file.path)(error),
            })?;
        let mut open = Self { file, range: piece.file, next: 0, to: 0 };
        open.check()?;
        open.next = open.line_begin(piece.from)?;
        open.to = open.line_begin(piece.to)?;
        Ok((open.next < open.to).then_some(open))
    }

    /// Checks that it is still the file that was taken.
    fn check(&self) -> Result<(), SourceError> {
        let now = self.file.metadata().map_err(SourceError::io("look at", &self.range.path))?;
        let same =
            now.is_file() && now.len() == self.range.bytes && modified(&now) == self.range.modified;
        if same { Ok(()) } else { Err(changed(&self.range)) }
    }

    fn read(&self, block: &mut [u8]) -> Result<(), SourceError> {
        self.read_at(block, self.next)
    }

    fn read_at(&self, block: &mut [u8], at: u64) -> Result<(), SourceError> {
        self.file.read_exact_at(block, at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => changed(&self.range),
            _ => SourceError::io("read", &self.range.path)(error),
        })
    }

    /// Where the first line begins that does not begin before `at`; the end if there is none.
    fn line_begin(&self, at: u64) -> Result<u64, SourceError> {
        if at == 0 || at == self.range.bytes {
            return Ok(at);
        }
        let mut block = vec![0; PROBE_BYTES];
        let mut next = at - 1;
        while next < self.range.bytes {
            let bytes = (self.range.bytes - next).min(PROBE_BYTES as u64) as usize;
            self.read_at(&mut block[..bytes], next)?;
            if let Some(end) = memchr::memchr(b'\n', &block[..bytes]) {
                return Ok(next + end as u64 + 1);
            }
            next += bytes as u64;
            if next - at > (LINE_BYTES_MAX + 1) as u64 {
                let line = self.count_lines(at)? + 1;
                let path = self.range.path.clone();
                return Err(SourceError::Line { path, line, error: FormatError::LongLine });
            }
        }
        Ok(self.range.bytes)
    }

    /// How many lines end before `at`.
    fn count_lines(&self, at: u64) -> Result<u64, SourceError> {
        let mut block = vec![0; PROBE_BYTES];
        let (mut next, mut lines) = (0, 0);
        while next < at {
            let bytes = (at - next).min(PROBE_BYTES as u64) as usize;
            self.read_at(&mut block[..bytes], next)?;
            lines += memchr::memchr_iter(b'\n', &block[..bytes]).count() as u64;
            next += bytes as u64;
        }
        Ok(lines)
    }
}

fn changed(file: &FileRange) -> SourceError {
    SourceError::Changed { path: file.path.clone() }
}
