//! What the process that reads and the host say to each other.
//!
//! ```text
//! arguments        what is to be read: `columns`, or `rows` and the schema as an Arrow IPC stream
//!                  in hexadecimal digits, in pieces
//! standard input   the file
//! standard output  frames: kind (1 byte), length (4 bytes, little endian), so many bytes
//!                  j  a `Message` as JSON
//!                  a  an Arrow IPC stream of one schema and at most one batch of rows
//! ```

use std::io::{self, Read, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{StreamDecoder, StreamReader};
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};

/// The longest frame, in bytes: a row of 16 MiB, and what Arrow and JSON add.
const FRAME_BYTES_MAX: u32 = 128 * 1024 * 1024;

/// So many bytes of a schema are one argument: the system takes 128 KiB.
const ARGUMENT_BYTES: usize = 64 * 1024;

const JSON: u8 = b'j';
const ARROW: u8 = b'a';

/// What is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// The columns of the file.
    Columns,
    /// Its rows, with these columns.
    Rows(SchemaRef),
}

/// What is told about what is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Message {
    /// A row group begins.
    Group(usize),
    /// Rows that follow on each other. The good ones stand in the next frame, if there are any.
    Chunk {
        /// The number of the first, from 0, and how many they are, good and bad.
        first: u64,
        count: u64,
        /// How many are good.
        good: usize,
        bad: Vec<Bad>,
    },
    /// The file is no Parquet, or damaged.
    Damaged { problem: String },
    /// A column of the file is not that of the schema.
    Column { column: String, problem: String },
    /// This was all.
    Done,
}

/// A row that is none of the schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bad {
    pub(super) row: u64,
    pub(super) content: String,
    pub(super) reason: Reason,
}

/// Why it is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reason {
    /// It has a null where there may be none.
    NoValue { column: String },
    /// A value does not fit.
    Value { column: String, wanted: String, found: String },
    /// It takes too many bytes.
    Long,
}

/// A frame.
#[derive(Debug)]
pub(super) enum Frame {
    Message(Message),
    Arrow(Buffer),
}

impl Request {
    /// The arguments that say it.
    pub(super) fn arguments(&self) -> Result<Vec<String>, ArrowError> {
        let Self::Rows(schema) = self else { return Ok(vec!["columns".into()]) };
        let bytes = arrow_bytes(schema, None)?;
        let pieces = bytes
            .chunks(ARGUMENT_BYTES / 2)
            .map(|piece| piece.iter().map(|byte| format!("{byte:02x}")).collect());
        Ok(std::iter::once("rows".to_owned()).chain(pieces).collect())
    }

    /// Reads the arguments; none if they are no request.
    pub(super) fn parse(arguments: &[String]) -> Option<Self> {
        let (kind, pieces) = arguments.split_first()?;
        let digits = pieces.concat();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        match kind.as_str() {
            "columns" => Some(Self::Columns),
            "rows" => {
                let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
                schema_in(&bytes?).ok().map(Self::Rows)
            }
            _ => None,
        }
    }
}

/// A schema, and rows of it, as an Arrow IPC stream.
pub(super) fn arrow_bytes(
    schema: &SchemaRef,
    rows: Option<&RecordBatch>,
) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
    if let Some(rows) = rows {
        writer.write(rows)?;
    }
    writer.into_inner()
}

/// The schema in an Arrow IPC stream.
pub(super) fn schema_in(bytes: &[u8]) -> Result<SchemaRef, ArrowError> {
    Ok(StreamReader::try_new(bytes, None)?.schema())
}

/// The rows in an Arrow IPC stream, checked in full, with exactly these columns.
pub(super) fn rows_in(mut bytes: Buffer, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let rows = StreamDecoder::new().decode(&mut bytes)?;
    let rows = rows.ok_or_else(|| ArrowError::IpcError("there are no rows".into()))?;
    for column in rows.columns() {
        column.to_data().validate_full()?;
    }
    RecordBatch::try_new(Arc::clone(schema), rows.columns().to_vec())
}

/// Writes a message as a frame.
pub(super) fn write_message(out: &mut dyn Write, message: &Message) -> io::Result<()> {
    write(out, JSON, &serde_json::to_vec(message)?)
}

/// Writes an Arrow IPC stream as a frame.
pub(super) fn write_arrow(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    write(out, ARROW, bytes)
}

fn write(out: &mut dyn Write, kind: u8, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= FRAME_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::other("the frame is too long"))?;
    let mut head = [kind, 0, 0, 0, 0];
    head[1..].copy_from_slice(&length.to_le_bytes());
    out.write_all(&head)?;
    out.write_all(bytes)
}

/// Reads a frame; none where it ends early, or is none.
pub(super) fn read(input: &mut dyn Read) -> Option<Frame> {
    let mut head = [0; 5];
    input.read_exact(&mut head).ok()?;
    let [kind, length @ ..] = head;
    let length = u32::from_le_bytes(length);
    if length > FRAME_BYTES_MAX || ![JSON, ARROW].contains(&kind) {
        return None;
    }
    // Where Arrow wants its values, so that they need not be moved.
    let mut bytes = MutableBuffer::from_len_zeroed(length as usize);
    input.read_exact(bytes.as_slice_mut()).ok()?;
    Some(match kind {
        JSON => Frame::Message(serde_json::from_slice(bytes.as_slice()).ok()?),
        _ => Frame::Arrow(bytes.into()),
    })
}
