//! What do these bytes say?
//!
//! Takes: bytes of whole lines, or rows. Gives: rows, or bytes of whole lines.
//! Promise: every byte of the input is either in a row or in an error that says where; chunks are
//! cut by a fixed rule, never by time.
//! Not here: where bytes come from or go to (`source`, `sink`).

mod error;
pub mod json;
pub mod text;

pub use error::{BadLine, CODES, FormatError};

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
}

/// Turns rows of one schema into bytes of whole lines.
pub trait Encode: Send {
    /// Appends one line for each row.
    fn encode(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<(), FormatError>;
}

/// How full a chunk is. The fixed rule stands here and nowhere else.
#[derive(Debug, Default)]
struct Fill {
    rows: usize,
    bytes: usize,
}

impl Fill {
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
