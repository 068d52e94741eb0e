//! Reads lines of blocks as rows.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::buffer::Block;
use crate::format::json::{self, Origin};
use crate::format::{BadLine, CHUNK_ROWS_MAX, Decode, FormatError, text};
use crate::job::FormatKind;
use crate::source::{BadRow, ReadMode, RowReader, SourceError};

/// So much of a line that is no row is kept to be shown.
const CONTENT_BYTES_MAX: usize = 4096;

/// What lines are.
#[derive(Clone, Debug)]
pub(super) struct LineFormat {
    pub(super) kind: FormatKind,
    pub(super) schema: SchemaRef,
}

impl LineFormat {
    pub(super) fn decoder(&self) -> Result<Box<dyn Decode>, FormatError> {
        let schema = SchemaRef::clone(&self.schema);
        Ok(match self.kind {
            FormatKind::Text => Box::new(text::Decoder::new(schema)?),
            // A job can't ask for more: what is no line can't be cut into blocks.
            _ => Box::new(json::Decoder::new(schema, Origin::Given)?),
        })
    }

    /// Whether a line makes no row.
    fn passes_over(&self, line: &[u8]) -> bool {
        self.kind == FormatKind::Json
            && line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
    }
}

/// Some lines of a block.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) block: Arc<Block>,
    /// The origin of line 0.
    pub(super) origin: u64,
    pub(super) from: u32,
    pub(super) to: u32,
}

/// Reads one part of a range.
pub(super) struct BlockReader {
    format: LineFormat,
    mode: ReadMode,
    pieces: VecDeque<Piece>,
    rows: Box<dyn Decode>,
    /// Tries lines before they become rows, because an error spoils the chunk.
    trial: Box<dyn Decode>,
    /// How many lines are tried at once: few behind a bad one, so that many of them cost little.
    trial_lines: u32,
    origins: Vec<u64>,
    refused: Vec<BadRow>,
    bytes_read: u64,
    /// Says where a line was received.
    place: Box<dyn Fn(u64) -> String + Send>,
}

impl BlockReader {
    pub(super) fn new(
        format: LineFormat,
        mode: ReadMode,
        pieces: VecDeque<Piece>,
        place: Box<dyn Fn(u64) -> String + Send>,
    ) -> Result<Self, SourceError> {
        let (rows, trial) = (format.decoder()?, format.decoder()?);
        Ok(Self {
            format,
            mode,
            pieces,
            rows,
            trial,
            trial_lines: CHUNK_ROWS_MAX as u32,
            origins: Vec::new(),
            refused: Vec::new(),
            bytes_read: 0,
            place,
        })
    }

    /// Feeds lines of the first piece.
    fn feed(&mut self) -> Result<(), SourceError> {
        let Some(piece) = self.pieces.front() else { return Ok(()) };
        if piece.from == piece.to {
            self.pieces.pop_front();
            return Ok(());
        }
        let (block, begin) = (Arc::clone(&piece.block), piece.block.begin(piece.from));
        let mut end = block.begin(piece.to);
        if self.mode.tolerant {
            let last = piece.to.min(piece.from.saturating_add(self.trial_lines));
            match self.try_lines(&block.bytes[begin..block.begin(last)])? {
                Ok(good) => end = begin + good,
                Err(bad) => return self.pass_over(bad),
            }
        }
        let fed = self.rows.feed(&block.bytes[begin..end]);
        let taken = fed.map_err(|bad| self.bad(bad, begin))?;
        self.advance(begin + taken);
        Ok(())
    }

    /// How many bytes of these lines are rows.
    fn try_lines(&mut self, lines: &[u8]) -> Result<Result<usize, BadLine>, SourceError> {
        let tried = self.trial.feed(lines);
        match tried {
            Ok(_) => {
                self.trial.take_rows()?;
                let more = self.trial_lines.saturating_mul(2);
                self.trial_lines = more.min(CHUNK_ROWS_MAX as u32);
            }
            Err(_) => self.trial = self.format.decoder()?,
        }
        Ok(tried)
    }

    /// There is a bad line. Stops before it, or refuses it if it is the next one.
    fn pass_over(&mut self, bad: BadLine) -> Result<(), SourceError> {
        let Some(piece) = self.pieces.front() else { return Ok(()) };
        let (block, begin) = (Arc::clone(&piece.block), piece.block.begin(piece.from));
        let line = block.line_at(begin + bad.at);
        if line > piece.from {
            self.trial_lines = line - piece.from;
            return Ok(());
        }
        let bytes = &block.bytes[begin..block.begin(line + 1)];
        let shown = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let shown = &shown[..shown.len().min(CONTENT_BYTES_MAX)];
        self.refused.push(BadRow {
            origin: piece.origin + u64::from(line),
            content: String::from_utf8_lossy(shown).into_owned(),
            error: bad.error,
        });
        self.bytes_read += bytes.len() as u64;
        self.trial_lines = 1;
        if let Some(piece) = self.pieces.front_mut() {
            piece.from = line + 1;
        }
        Ok(())
    }

    /// Lines up to a byte of the first piece have become rows.
    fn advance(&mut self, to: usize) {
        let Some(piece) = self.pieces.front_mut() else { return };
        let (block, from) = (&piece.block, piece.from);
        self.bytes_read += (to - block.begin(from)) as u64;
        piece.from = block.line_at(to);
        if self.mode.origins {
            let rows = (from..piece.from).filter(|line| {
                let bytes = &block.bytes[block.begin(*line)..block.begin(line + 1)];
                !self.format.passes_over(bytes)
            });
            self.origins.extend(rows.map(|line| piece.origin + u64::from(line)));
        }
    }

    fn bad(&self, bad: BadLine, begin: usize) -> SourceError {
        let place = self.pieces.front().map_or(String::new(), |piece| {
            (self.place)(piece.origin + u64::from(piece.block.line_at(begin + bad.at)))
        });
        SourceError::Received { place, error: bad.error }
    }
}

impl RowReader for BlockReader {
    fn next(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        self.origins.clear();
        while !self.rows.is_full() && !self.pieces.is_empty() {
            self.feed()?;
        }
        Ok(self.rows.take_rows()?)
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
