//! What do these bytes say?
//!
//! Takes: bytes of whole lines, or rows. Gives: rows, or the bytes of a file.
//! Promise: every byte of the input is either in a row or in an error that says where; chunks are
//! cut by a fixed rule, never by time.
//! Not here: where bytes come from or go to (`source`, `sink`).

pub mod csv;
mod error;
pub mod json;
mod number;
pub mod parquet;
pub mod text;
mod time;

pub use error::{BadLine, CODES, FormatError};
pub use time::{write_date, write_moment};

use arrow::array::RecordBatch;

/// A chunk of rows ends after so many rows …
pub const CHUNK_ROWS_MAX: usize = 8_192;

/// … or with the line that reaches so many bytes, whichever comes first.
pub const CHUNK_BYTES_MAX: usize = 512 * 1024;

/// The longest line that is taken, in bytes, without its end.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What some programs write in front of UTF-8 text. It is no part of the text.
pub const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Turns bytes into rows. The chunks depend on the sequence of bytes alone: not on how it was
/// divided over the calls, as long as every call brings whole lines.
pub trait Decode: Send {
    /// Takes lines from the front of `lines` until the chunk is full. Says how many bytes it
    /// took: none exactly when the chunk is full or `lines` is empty. The last line may lack its
    /// end. After an error the decoder is of no use.
    fn feed(&mut self, lines: &[u8]) -> Result<usize, BadLine>;

    /// Whether the chunk is full.
    fn is_full(&self) -> bool;

    /// Ends the chunk, full or not; none when it has no rows.
    fn take_rows(&mut self) -> Result<Option<RecordBatch>, FormatError>;

    /// An empty decoder that stands in its file where this one does.
    fn fork(&self) -> Result<Box<dyn Decode>, FormatError>;

    /// From now on it is noted where rows begin.
    fn note_starts(&mut self);

    /// For each row since the last call where it begins, in bytes fed to this chunk.
    fn starts(&mut self) -> Vec<usize>;

    /// A file begins with these lines: says how many bytes stand before its first record, or none
    /// when that takes more lines. With `last` there are no more. It is asked for with an empty
    /// chunk, unless [`Decode::spans_files`].
    fn begin(&mut self, _lines: &[u8], _last: bool) -> Result<Option<usize>, BadLine> {
        Ok(Some(0))
    }

    /// Whether a chunk may have rows of several files.
    fn spans_files(&self) -> bool {
        true
    }

    /// The same as [`Decode::feed`]. Without `last`, a format whose records are longer than a
    /// line may take nothing of an unfinished one: it needs more lines behind these.
    fn feed_some(&mut self, lines: &[u8], _last: bool) -> Result<usize, BadLine> {
        self.feed(lines)
    }

    /// How many bytes the first record of these lines has, or what is to be passed over when it
    /// is none; nothing when that takes more lines.
    fn first_record(&self, lines: &[u8], _last: bool) -> Option<usize> {
        Some(first_line(lines).1)
    }
}

/// Turns rows of one schema into the bytes of a file.
pub trait Encode: Send {
    /// Appends the rows, as far as the format writes them at once.
    fn encode(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), FormatError>;

    /// Appends what is left. Without any rows that is nothing.
    fn finish(&mut self, _out: &mut Vec<u8>) -> Result<(), FormatError> {
        Ok(())
    }
}

/// How full a chunk is. The fixed rule stands here and nowhere else.
#[derive(Debug, Default)]
struct Fill {
    rows: usize,
    bytes: usize,
    /// Where rows begin, if that is noted.
    starts: Option<Vec<usize>>,
}

impl Fill {
    /// One more row, which begins where the bytes so far end.
    #[inline]
    fn push_row(&mut self) {
        self.rows += 1;
        if let Some(starts) = &mut self.starts {
            starts.push(self.bytes);
        }
    }

    /// The next chunk: gives the rows of this one.
    fn restart(&mut self) -> usize {
        self.bytes = 0;
        std::mem::take(&mut self.rows)
    }

    /// An empty chunk that notes the same.
    fn fork(&self) -> Self {
        Self { starts: self.starts.as_ref().map(|_| Vec::new()), ..Self::default() }
    }

    fn note_starts(&mut self) {
        self.starts.get_or_insert_default();
    }

    fn starts(&mut self) -> Vec<usize> {
        self.starts.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn is_full(&self) -> bool {
        self.rows >= CHUNK_ROWS_MAX || self.bytes >= CHUNK_BYTES_MAX
    }
}

/// The first line of `lines` without its `\n`, and how many bytes it has with it.
fn first_line(lines: &[u8]) -> (&[u8], usize) {
    match memchr::memchr(b'\n', lines) {
        Some(end) => (&lines[..end], end + 1),
        None => (lines, lines.len()),
    }
}
