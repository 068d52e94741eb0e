//! Deltas and snapshots as bytes.
//!
//! | part | bytes |
//! |---|---|
//! | magic | `WEIRST` |
//! | format | one: 1 |
//! | header | length as LEB128, then [`HeaderV1`] by bincode |
//! | for each key group, ascending | group, count of rows, length of the rows as LEB128; the rows |
//! | checksum | xxh3-64 of all bytes before, little endian |
//!
//! A delta has the rows that changed from batch `first` to batch `last` in some key groups; a
//! snapshot has all rows of its groups after batch `last`. Both refer to their columns by the id
//! of the schema. Snapshots also have the schema itself, and so have the first deltas of an op,
//! so that of the parts that make up a state at least one has it.

mod background;
mod fold;
mod live;
mod refs;
mod restore;
mod wear;

use std::ops::Range;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

pub use background::{SnapshotWriter, Written};
#[cfg(test)]
pub(super) use fold::fold;
pub use live::Live;
pub use refs::{PartKindV1, PartRefV1, PlaceV1, StateRefsV1, part_name};
pub use restore::{Restored, restore};
pub use wear::Wear;

use super::row::{Cursor, Malformed, put_number};
use super::schema::{SCHEMA_BYTES_MAX, SchemaV1, encode};
use super::{StateError, StateSchema};
use crate::id::{BatchId, NodeId};

const MAGIC: &[u8; 6] = b"WEIRST";
const FORMAT: u8 = 1;
const CHECKSUM_BYTES: usize = 8;

/// What a part says of itself.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub(super) struct HeaderV1 {
    pub kind: PartKindV1,
    pub op: String,
    /// How many key groups there are in all.
    pub groups: u32,
    pub first: u64,
    pub last: u64,
    pub schema_id: u64,
    pub schema: Option<SchemaV1>,
}

/// The rows of a key group in a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub group: u32,
    pub rows: u64,
    range: Range<usize>,
}

/// A delta or a snapshot whose bytes have been checked.
#[derive(Clone, Debug)]
pub struct Part {
    header: HeaderV1,
    bytes: Arc<Vec<u8>>,
    sections: Vec<Section>,
}

impl Part {
    /// All bytes of the part.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many rows and removals it has.
    pub fn rows(&self) -> u64 {
        self.sections.iter().map(|section| section.rows).sum()
    }

    /// The schema, if the part has it.
    pub fn schema(&self) -> Option<Result<StateSchema, StateError>> {
        self.header.schema.as_ref().map(StateSchema::from_record)
    }

    /// The key groups of its rows, as ranges.
    pub(super) fn ranges(&self) -> Vec<(u32, u32)> {
        wear::ranges_of(self.sections.iter().map(|section| section.group))
    }

    pub(super) fn header(&self) -> &HeaderV1 {
        &self.header
    }

    pub(super) fn sections(&self) -> &[Section] {
        &self.sections
    }

    pub(super) fn rows_of(&self, section: &Section) -> &[u8] {
        &self.bytes[section.range.clone()]
    }

    pub(super) fn keep_sections(&mut self, keep: impl Fn(u32) -> bool) {
        self.sections.retain(|section| keep(section.group));
    }

    /// Checks bytes and finds the key groups in them. `name` is for the error.
    pub fn read(name: &str, bytes: Vec<u8>) -> Result<Self, StateError> {
        let damaged = |problem: Malformed| StateError::damaged(name, problem);
        let (body, checksum) = bytes
            .len()
            .checked_sub(CHECKSUM_BYTES)
            .map(|end| bytes.split_at(end))
            .ok_or_else(|| damaged(Malformed("it is too short")))?;
        if !body.starts_with(MAGIC) {
            return Err(damaged(Malformed("it does not begin as a part of a state")));
        }
        if checksum != xxh3_64(body).to_le_bytes() {
            return Err(damaged(Malformed("its checksum differs")));
        }
        let mut cursor = Cursor::new(&body[MAGIC.len()..]);
        let format = cursor.byte().map_err(damaged)?;
        if format != FORMAT {
            return Err(StateError::Newer { part: name.to_owned(), format, newest: FORMAT });
        }
        let header = read_header(&mut cursor).map_err(damaged)?;
        let sections = read_sections(&mut cursor, body.len(), header.groups).map_err(damaged)?;
        Ok(Self { header, bytes: Arc::new(bytes), sections })
    }
}

fn read_header(cursor: &mut Cursor<'_>) -> Result<HeaderV1, Malformed> {
    const BAD: Malformed = Malformed("its header can't be read");
    let length = cursor.length()?;
    let config = bincode::config::standard().with_limit::<SCHEMA_BYTES_MAX>();
    let (header, used) =
        bincode::decode_from_slice(cursor.take(length)?, config).map_err(|_| BAD)?;
    if used == length { Ok(header) } else { Err(BAD) }
}

fn read_sections(
    cursor: &mut Cursor<'_>,
    end: usize,
    groups: u32,
) -> Result<Vec<Section>, Malformed> {
    let mut sections: Vec<Section> = Vec::new();
    while !cursor.rest().is_empty() {
        let group = u32::try_from(cursor.number()?).unwrap_or(u32::MAX);
        if group >= groups || sections.last().is_some_and(|last| last.group >= group) {
            return Err(Malformed("its key groups are out of order"));
        }
        let rows = cursor.number()?;
        let length = cursor.length()?;
        let start = end - cursor.rest().len();
        cursor.take(length)?;
        sections.push(Section { group, rows, range: start..start + length });
    }
    Ok(sections)
}

/// Makes a part of a state, key group by key group in ascending order.
pub(super) struct PartWriter {
    header: HeaderV1,
    bytes: Vec<u8>,
    sections: Vec<Section>,
}

/// What a part is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub kind: PartKindV1,
    pub op: &'a NodeId,
    pub groups: u32,
    pub batches: (BatchId, BatchId),
    pub schema: &'a StateSchema,
    /// Whether the part is to have the schema itself.
    pub announce: bool,
}

impl PartWriter {
    pub fn new(about: About<'_>, capacity: usize) -> Self {
        let header = HeaderV1 {
            kind: about.kind,
            op: about.op.as_str().to_owned(),
            groups: about.groups,
            first: about.batches.0.0,
            last: about.batches.1.0,
            schema_id: about.schema.id(),
            schema: about.announce.then(|| about.schema.record()),
        };
        let mut bytes = Vec::with_capacity(capacity + 256);
        bytes.extend_from_slice(MAGIC);
        bytes.push(FORMAT);
        let encoded = encode(&header);
        put_number(encoded.len() as u64, &mut bytes);
        bytes.extend_from_slice(&encoded);
        Self { header, bytes, sections: Vec::new() }
    }

    pub fn put(&mut self, group: u32, rows: u64, row_bytes: &[u8]) {
        put_number(u64::from(group), &mut self.bytes);
        put_number(rows, &mut self.bytes);
        put_number(row_bytes.len() as u64, &mut self.bytes);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(row_bytes);
        self.sections.push(Section { group, rows, range: start..self.bytes.len() });
    }

    pub fn seal(mut self) -> Part {
        let checksum = xxh3_64(&self.bytes);
        self.bytes.extend_from_slice(&checksum.to_le_bytes());
        Part { header: self.header, bytes: Arc::new(self.bytes), sections: self.sections }
    }
}
