//! The lines of a part, some at a time.
//!
//! Part i of P covers the bytes [i·T/P, (i+1)·T/P) of the T bytes of all files. A line belongs to
//! the part in which it begins, so the parts in order are the rows of the files in order, for
//! every P. A file always begins a line. Files of which a record can be longer than a line, and
//! those that are compressed, are not divided: they belong to the part in which they begin.

use std::collections::VecDeque;

use super::open::{Open, Piece, Rules};
use super::origin;
use crate::format::{BYTE_ORDER_MARK, BadLine, FormatError, LINE_BYTES_MAX};
use crate::source::SourceError;
use crate::source::intake::{CONTENT_BYTES_MAX, Spot};

/// How much is read at once.
const BLOCK_BYTES: usize = 1024 * 1024;

/// A line that is too long, and was passed over.
pub(super) struct LongLine {
    pub(super) origin: u64,
    /// Its beginning.
    pub(super) begin: Vec<u8>,
}

/// The lines of a part.
pub(super) struct Lines {
    pieces: VecDeque<Piece>,
    rules: Rules,
    open: Option<Open>,
    /// Nothing of the open file was taken yet.
    fresh: bool,
    buffer: Vec<u8>,
    /// What of the buffer was read and not taken.
    start: usize,
    end: usize,
    /// Where the last whole line in it ends.
    whole: usize,
    /// There can't be more lines behind these.
    no_more: bool,
    /// Which line of the open file `start` begins, if lines are counted.
    line: u64,
    counts_lines: bool,
    long: Vec<LongLine>,
    bytes_read: u64,
}

impl Lines {
    /// The lines of these pieces. They have origins only with `counts_lines`.
    pub(super) fn new(pieces: Vec<Piece>, rules: Rules, counts_lines: bool) -> Self {
        Self {
            pieces: pieces.into(),
            rules,
            open: None,
            fresh: false,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            whole: 0,
            no_more: false,
            line: 0,
            counts_lines,
            long: Vec::new(),
            bytes_read: 0,
        }
    }

    /// Whole lines of one file that were not taken yet.
    pub(super) fn whole(&self) -> &[u8] {
        &self.buffer[self.start..self.whole]
    }

    /// Whether the whole lines are the last of their file, or as many as there may be at once.
    pub(super) fn are_last(&self) -> bool {
        let at_end = self.open.as_ref().is_none_or(|open| open.next >= open.to);
        self.no_more || (at_end && self.whole == self.end)
    }

    /// Whether the whole lines begin a file. Said until some are taken.
    pub(super) fn are_first(&self) -> bool {
        self.fresh
    }

    /// What stands before the first record of a file was taken, if only nothing.
    pub(super) fn begun(&mut self) {
        self.fresh = false;
    }

    /// Where the whole lines begin.
    pub(super) fn spot(&self) -> Spot {
        let Some(open) = &self.open else {
            return Spot { origin: 0, by_line: true, most: 0 };
        };
        let by_line = open.piece.whole;
        let at = match by_line {
            true => self.line,
            false => open.next - (self.end - self.start) as u64,
        };
        let (first, most) = (origin::of(open.piece.number, at), origin::most(open.piece.number));
        Spot { origin: first, by_line, most }
    }

    /// Takes so many bytes of them.
    pub(super) fn take(&mut self, bytes: usize) {
        self.count(self.start + bytes);
        self.start += bytes;
        self.no_more = false;
    }

    /// Counts the lines up to `end`, if that is wanted.
    fn count(&mut self, end: usize) {
        if self.counts_lines && self.open.as_ref().is_some_and(|open| open.piece.whole) {
            self.line += memchr::memchr_iter(b'\n', &self.buffer[self.start..end]).count() as u64;
        }
    }

    /// Lines that were passed over since the last call, because they are too long.
    pub(super) fn long(&mut self) -> Vec<LongLine> {
        std::mem::take(&mut self.long)
    }

    /// Bytes that were read since the last call.
    pub(super) fn bytes_read(&mut self) -> u64 {
        std::mem::take(&mut self.bytes_read)
    }

    /// Makes sure that there are whole lines; false when the part has ended.
    pub(super) fn fill(&mut self) -> Result<bool, SourceError> {
        while self.start == self.whole {
            let Some(open) = &mut self.open else {
                let Some(piece) = self.pieces.pop_front() else { return Ok(false) };
                self.open = Open::new(piece, self.rules)?;
                (self.fresh, self.line) = (true, 0);
                continue;
            };
            if open.next < open.to {
                self.read_on()?;
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

    /// Adds lines behind the whole ones, or finds that there can't be more.
    pub(super) fn extend(&mut self) -> Result<(), SourceError> {
        let before = self.whole - self.start;
        while self.whole - self.start == before {
            let has_more = self.open.as_ref().is_some_and(|open| open.next < open.to);
            let enough = before > LINE_BYTES_MAX || self.end - self.whole > LINE_BYTES_MAX;
            if has_more && !enough {
                let known = self.whole - self.start;
                self.read_behind(known)?;
            } else if !enough && self.whole < self.end {
                self.whole = self.end;
            } else {
                self.no_more = true;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads the next block behind the line that has begun, unless that is too long already.
    fn read_on(&mut self) -> Result<(), SourceError> {
        if self.end - self.start <= LINE_BYTES_MAX {
            return self.read_behind(0);
        }
        if !self.rules.tolerant {
            return Err(self.bad(BadLine { at: 0, error: FormatError::LongLine }));
        }
        let begin = self.buffer[self.start..][..CONTENT_BYTES_MAX].to_vec();
        self.long.push(LongLine { origin: self.spot().origin, begin });
        self.pass_over_line()
    }

    /// Reads the next block. Of what was read before, so many bytes are whole lines.
    fn read_behind(&mut self, known: usize) -> Result<(), SourceError> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        self.whole = known;
        let begun = self.end;
        let at_begin = self.open.as_ref().is_some_and(|open| open.next == 0);
        let bytes = self.read_block(begun)?;
        let block = &self.buffer[begun..begun + bytes];
        if at_begin && block.starts_with(BYTE_ORDER_MARK) {
            self.start = BYTE_ORDER_MARK.len();
            self.whole = self.start;
        }
        if let Some(last) = memchr::memrchr(b'\n', block) {
            self.whole = begun + last + 1;
        }
        self.end = begun + bytes;
        Ok(())
    }

    /// Reads a block to this place of the buffer.
    fn read_block(&mut self, at: usize) -> Result<usize, SourceError> {
        let Some(open) = &mut self.open else { return Ok(0) };
        if self.buffer.len() < at + BLOCK_BYTES {
            self.buffer.resize(at + BLOCK_BYTES, 0);
        }
        let bytes = open.read(&mut self.buffer[at..at + BLOCK_BYTES])?;
        self.bytes_read += open.bytes_read(bytes);
        Ok(bytes)
    }

    /// Reads on to the end of the line that has begun, without keeping any of it.
    fn pass_over_line(&mut self) -> Result<(), SourceError> {
        loop {
            let bytes = self.read_block(0)?;
            (self.start, self.whole, self.end) = (bytes, bytes, bytes);
            let block = &self.buffer[..bytes];
            if let Some(first) = memchr::memchr(b'\n', block) {
                let last = memchr::memrchr(b'\n', block).unwrap_or(first);
                (self.start, self.whole) = (first + 1, last + 1);
                self.line += 1;
                return Ok(());
            }
            if bytes == 0 {
                return Ok(());
            }
        }
    }

    /// Says in which file and line something is wrong.
    pub(super) fn bad(&self, bad: BadLine) -> SourceError {
        let Some(open) = &self.open else { return SourceError::Format(bad.error) };
        let begin = open.next - (self.end - self.start - bad.at) as u64;
        match open.count_lines(0, begin) {
            Ok(before) => SourceError::Line {
                path: open.piece.file.path.clone(),
                line: before + 1,
                error: bad.error,
            },
            Err(error) => error,
        }
    }
}
