//! What a commit record says of the state of an op, and what follows from all of them.

use serde::{Deserialize, Serialize};

use super::Part;
use crate::state::StateError;

/// What a part holds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode,
)]
pub enum PartKindV1 {
    /// The rows that changed.
    Delta,
    /// All rows.
    Snapshot,
}

/// Where the bytes of a part are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub enum PlaceV1 {
    /// Here.
    Inline(Vec<u8>),
    /// Under a name.
    Blob(String),
}

/// A delta or snapshot, as a commit record lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct PartRefV1 {
    /// What it holds.
    pub kind: PartKindV1,
    /// Which key groups it has: ranges with their first and last group, ascending.
    pub ranges: Vec<(u32, u32)>,
    /// From which batch on: of a snapshot the same as `last`.
    pub first: u64,
    /// After which batch.
    pub last: u64,
    /// The id of the schema.
    pub schema_id: u64,
    /// How many bytes it has.
    pub length: u64,
    /// The last eight of them: the checksum of the others.
    pub checksum: u64,
    /// Where they are.
    pub place: PlaceV1,
}

/// What came new to the state of an op with a commit; or all of it, in a record that begins anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, bincode::Encode, bincode::Decode)]
pub struct StateRefsV1 {
    /// The op.
    pub op: String,
    /// How many key groups there are.
    pub groups: u32,
    /// The parts, in the order in which they were made.
    pub parts: Vec<PartRefV1>,
}

impl PartRefV1 {
    /// Refers to a part that lies at a place.
    pub fn new(part: &Part, place: PlaceV1) -> Self {
        let header = part.header();
        let bytes = part.bytes();
        Self {
            kind: header.kind,
            ranges: part.ranges(),
            first: header.first,
            last: header.last,
            schema_id: header.schema_id,
            length: bytes.len() as u64,
            checksum: checksum_of(bytes),
            place,
        }
    }

    /// What the part is called in errors.
    pub fn title(&self, op: &str) -> String {
        match &self.place {
            PlaceV1::Blob(name) => name.clone(),
            PlaceV1::Inline(_) => {
                let (first, last) = self.span();
                format!("delta of op {op}, key groups {first}-{last}, batch {}", self.last)
            }
        }
    }

    /// The first and the last of its key groups.
    pub fn span(&self) -> (u32, u32) {
        span_of(&self.ranges)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = u32> {
        self.ranges.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// Whether the rows of a key group in another delta are in this one, or later ones of their
    /// keys are.
    pub(super) fn folds(&self, other: &Self, group: u32) -> bool {
        let has = |(first, last): &(u32, u32)| (*first..=*last).contains(&group);
        self.first <= other.first && other.last <= self.last && self.ranges.iter().any(has)
    }

    /// Whether these bytes are the part that is meant.
    pub(super) fn check(&self, op: &str, groups: u32, part: &Part) -> Result<(), StateError> {
        let header = part.header();
        let differs = |what: &str| Err(StateError::foreign(&self.title(op), what.to_owned()));
        if header.op != op {
            return differs(&format!("it is of op `{}`", header.op));
        }
        if header.groups != groups {
            return differs(&format!("it counts {} key groups", header.groups));
        }
        if (header.kind, header.first, header.last) != (self.kind, self.first, self.last) {
            return differs(&format!("it is of batches {} to {}", header.first, header.last));
        }
        if header.schema_id != self.schema_id {
            return differs("its columns are others");
        }
        let bytes = part.bytes();
        if (bytes.len() as u64, checksum_of(bytes)) != (self.length, self.checksum) {
            return differs("its length or checksum is another");
        }
        if part.ranges() != self.ranges {
            return differs("its key groups are others");
        }
        Ok(())
    }
}

/// From where to where ranges go.
pub(super) fn span_of(ranges: &[(u32, u32)]) -> (u32, u32) {
    let first = ranges.first().map_or(0, |range| range.0);
    (first, ranges.last().map_or(0, |range| range.1))
}

fn checksum_of(bytes: &[u8]) -> u64 {
    bytes.last_chunk::<8>().map_or(0, |last| u64::from_le_bytes(*last))
}

/// The name of a part: unique by `attempt`, so that a late writer never meets an earlier one's.
pub fn part_name(part: &Part, attempt: &str) -> String {
    let header = part.header();
    let ending = match header.kind {
        PartKindV1::Delta => "delta",
        PartKindV1::Snapshot => "snap",
    };
    let (first, last) = span_of(&part.ranges());
    format!("state/{}/{first}-{last}/n{}-{attempt}.{ending}", header.op, header.last)
}
