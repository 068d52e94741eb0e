//! What is written down: frozen records, one version each.
//!
//! A record of version 1 is never changed: a new need is a new type with a new kind. They are
//! encoded with bincode 2, standard configuration, and decoded with a limit, so that a wrong length
//! takes no memory. What a source or a sink means by its bytes is theirs; `text` is for people.

use bincode::{Decode, Encode};

use super::error::{CheckpointError, Damage};
use crate::durable::frame::{Header, PAYLOAD_MAX};

/// The last frame of a former owner that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct CutV1 {
    /// The generation that wrote the frame.
    pub generation: u64,
    /// Its number in the log.
    pub seq: u64,
    /// Its link.
    pub link: u32,
}

/// Who writes from here on. Frames of former generations after `cut` do not count, whoever wrote
/// them.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct OwnerV1 {
    /// The generation.
    pub generation: u64,
    /// The machine.
    pub host: String,
    /// The process.
    pub process: u32,
    /// Which start of the machine.
    pub boot: String,
    /// When, in microseconds since 1970.
    pub time: i64,
    /// Where the log of the former owner ends; nothing for the first one.
    pub cut: Option<CutV1>,
}

/// What a batch reads from one source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct SourceRangeV1 {
    /// The id of the source.
    pub source: String,
    /// From where to where, in the source's own words.
    pub range: Vec<u8>,
    /// What the input was when it was cut (size, time, etag, topic id …), in the source's words.
    pub identity: Vec<u8>,
    /// The same for people.
    pub text: String,
}

/// Which code serves a range of key groups of an op.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct OpEntryV1 {
    /// The first key group.
    pub first_group: u32,
    /// The last key group.
    pub last_group: u32,
    /// The function.
    pub function: String,
    /// The SHA-256 of the component.
    pub digest: [u8; 32],
    /// The version of its state's schema.
    pub state_schema: u32,
    /// A hash of its configuration.
    pub config: [u8; 32],
}

/// An op of the job as the batch runs it: usually one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct OpV1 {
    /// The id of the op.
    pub op: String,
    /// The version of the interface that its component was built for.
    pub interface: String,
    /// Which code serves which key groups.
    pub entries: Vec<OpEntryV1>,
}

/// Rows that an op leaves out, because they ran out of time or memory before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct ExcludedV1 {
    /// The id of the op.
    pub op: String,
    /// Which rows, by their origin in the batch.
    pub rows: Vec<u64>,
    /// Why.
    pub reason: String,
}

/// A version of the state of an op.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct StateVersionV1 {
    /// The id of the op.
    pub op: String,
    /// The batch that left it.
    pub version: u64,
}

/// A batch before it runs: everything that its result follows from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct IntentV1 {
    /// The batch.
    pub batch: u64,
    /// Counts up from 0: a later one takes the place of the one before.
    pub revision: u32,
    /// A hash of the job.
    pub job: [u8; 32],
    /// The engine that runs functions, with its flags.
    pub engine: String,
    /// What it reads.
    pub sources: Vec<SourceRangeV1>,
    /// What it runs.
    pub ops: Vec<OpV1>,
    /// The states it starts from.
    pub base: Vec<StateVersionV1>,
    /// The time of the batch, in microseconds since 1970.
    pub time: i64,
    /// Watermarks by op or source, in microseconds since 1970.
    pub watermarks: Vec<(String, i64)>,
    /// What chance follows from.
    pub seed: u64,
    /// Rows that are left out.
    pub excluded: Vec<ExcludedV1>,
    /// Whether a second run gives the same rows for sure.
    pub deterministic: bool,
}

/// How many rows, and which: the sum of their 128-bit hashes, whatever their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct RowsV1 {
    /// How many.
    pub rows: u64,
    /// The sum of their hashes.
    pub sum: u128,
}

/// Where a piece of state is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum PlaceV1 {
    /// In this file of the checkpoint.
    File(String),
    /// Here.
    Inline(Vec<u8>),
}

/// Whether a piece of state stands on what was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum PieceV1 {
    /// What the batch changed.
    Delta,
    /// All of it.
    Snapshot,
}

/// A piece of the state of an op.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct StateRefV1 {
    /// The id of the op.
    pub op: String,
    /// The first key group in it.
    pub first_group: u32,
    /// The last key group in it.
    pub last_group: u32,
    /// What it is.
    pub piece: PieceV1,
    /// The first batch whose changes are in it; of a snapshot the same as `version`.
    pub first: u64,
    /// The batch whose state it leads to. A snapshot may be older than the commit that names it.
    pub version: u64,
    /// Where it is.
    pub place: PlaceV1,
    /// What the room of states knows of it (length, checksum, columns), in its own words.
    pub about: Vec<u8>,
}

/// What a sink has ready, invisible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct StagedV1 {
    /// The id of the sink.
    pub sink: String,
    /// How it finds it again, in its own words.
    pub staged: Vec<u8>,
    /// Which rows.
    pub rows: RowsV1,
}

/// A batch that has run and whose output only has to be made visible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct PreparedV1 {
    /// The batch.
    pub batch: u64,
    /// The revision of the intent that was run.
    pub revision: u32,
    /// Its state.
    pub states: Vec<StateRefV1>,
    /// Its output.
    pub sinks: Vec<StagedV1>,
}

/// What a sink made visible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct SinkCommitV1 {
    /// The id of the sink.
    pub sink: String,
    /// What the sink keeps to know the batch by, in its own words; empty if it keeps nothing.
    pub marker: Vec<u8>,
    /// Which rows.
    pub rows: RowsV1,
}

/// How far a source was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct SourcePositionV1 {
    /// The id of the source.
    pub source: String,
    /// Where the next batch begins, in the source's own words.
    pub position: Vec<u8>,
    /// The same for people.
    pub text: String,
}

/// A batch that every sink has.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct CommitV1 {
    /// The batch.
    pub batch: u64,
    /// The revision of the intent that was run.
    pub revision: u32,
    /// The time of the batch, in microseconds since 1970.
    pub time: i64,
    /// Its state.
    pub states: Vec<StateRefV1>,
    /// Its output.
    pub sinks: Vec<SinkCommitV1>,
    /// How far the sources were read.
    pub sources: Vec<SourcePositionV1>,
    /// Which rows it read.
    pub input: RowsV1,
    /// How many rows were put aside.
    pub dead_letters: u64,
    /// Accumulators by name.
    pub accumulators: Vec<(String, f64)>,
}

/// The log goes on in the next segment, which is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RollV1 {
    /// The number of the next segment.
    pub next: u64,
}

/// Batches after this one are forgotten, on somebody's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RewindV1 {
    /// The batch to go on after.
    pub batch: u64,
}

/// A record of the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Who writes from here on.
    Owner(OwnerV1),
    /// Before a batch.
    Intent(IntentV1),
    /// Before its output is made visible.
    Prepared(PreparedV1),
    /// After a batch.
    Commit(CommitV1),
    /// The end of a segment.
    Roll(RollV1),
    /// Back to an older batch.
    Rewind(RewindV1),
}

/// What frames and files hold. Numbers are never used again.
pub mod kind {
    /// An [`super::OwnerV1`].
    pub const OWNER: u8 = 1;
    /// An [`super::IntentV1`].
    pub const INTENT: u8 = 2;
    /// A [`super::PreparedV1`].
    pub const PREPARED: u8 = 3;
    /// A [`super::CommitV1`].
    pub const COMMIT: u8 = 4;
    /// A [`super::RollV1`].
    pub const ROLL: u8 = 5;
    /// A [`super::RewindV1`].
    pub const REWIND: u8 = 6;
    /// A file with the identity.
    pub const IDENTITY: u8 = 16;
    /// A file that says from where on the log counts.
    pub const FLOOR: u8 = 17;
    /// A file that says that a generation was begun.
    pub const CLAIM: u8 = 18;
}

impl Record {
    /// The number of its kind.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Owner(_) => kind::OWNER,
            Self::Intent(_) => kind::INTENT,
            Self::Prepared(_) => kind::PREPARED,
            Self::Commit(_) => kind::COMMIT,
            Self::Roll(_) => kind::ROLL,
            Self::Rewind(_) => kind::REWIND,
        }
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Owner(_) => "owner",
            Self::Intent(_) => "intent",
            Self::Prepared(_) => "prepared",
            Self::Commit(_) => "commit",
            Self::Roll(_) => "roll",
            Self::Rewind(_) => "rewind",
        }
    }

    /// The batch that it is about, or 0.
    pub fn batch(&self) -> u64 {
        match self {
            Self::Intent(intent) => intent.batch,
            Self::Prepared(prepared) => prepared.batch,
            Self::Commit(commit) => commit.batch,
            Self::Rewind(rewind) => rewind.batch,
            Self::Owner(_) | Self::Roll(_) => 0,
        }
    }

    /// Its bytes.
    pub fn encode(&self) -> Result<Vec<u8>, CheckpointError> {
        match self {
            Self::Owner(owner) => encode(self.name(), owner),
            Self::Intent(intent) => encode(self.name(), intent),
            Self::Prepared(prepared) => encode(self.name(), prepared),
            Self::Commit(commit) => encode(self.name(), commit),
            Self::Roll(roll) => encode(self.name(), roll),
            Self::Rewind(rewind) => encode(self.name(), rewind),
        }
    }

    /// The record of a frame whose checksums are right.
    pub fn decode(header: &Header, payload: &[u8]) -> Result<Self, Damage> {
        let record = match header.kind {
            kind::OWNER => Self::Owner(decode(payload)?),
            kind::INTENT => Self::Intent(decode(payload)?),
            kind::PREPARED => Self::Prepared(decode(payload)?),
            kind::COMMIT => Self::Commit(decode(payload)?),
            kind::ROLL => Self::Roll(decode(payload)?),
            kind::REWIND => Self::Rewind(decode(payload)?),
            other => return Err(Damage::Kind(other)),
        };
        if record.batch() == header.batch { Ok(record) } else { Err(Damage::Record) }
    }
}

/// The bytes of a record.
pub(super) fn encode<T: Encode>(what: &'static str, it: &T) -> Result<Vec<u8>, CheckpointError> {
    let bytes = bincode::encode_to_vec(it, bincode::config::standard());
    // Only a collection whose length is not known fails to encode, and there is none.
    let bytes = bytes.map_err(|error| CheckpointError::Misuse(error.to_string()))?;
    if bytes.len() > PAYLOAD_MAX {
        return Err(CheckpointError::TooLarge { what, bytes: bytes.len(), most: PAYLOAD_MAX });
    }
    Ok(bytes)
}

/// A record from all of these bytes.
pub(super) fn decode<T: Decode<()>>(bytes: &[u8]) -> Result<T, Damage> {
    let config = bincode::config::standard().with_limit::<PAYLOAD_MAX>();
    match bincode::decode_from_slice(bytes, config) {
        Ok((record, used)) if used == bytes.len() => Ok(record),
        _ => Err(Damage::Record),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_record_are_refused() {
        let commit = Record::Commit(CommitV1 { batch: 7, ..CommitV1::default() });
        let bytes = commit.encode().unwrap();
        let header = Header { kind: kind::COMMIT, batch: 7, ..Header::default() };
        assert_eq!(Record::decode(&header, &bytes), Ok(commit));
        let other = Header { batch: 8, ..header };
        assert_eq!(Record::decode(&other, &bytes), Err(Damage::Record));
        let long = [&bytes[..], &[0]].concat();
        assert_eq!(Record::decode(&header, &long), Err(Damage::Record));
        // A length of 2^60 takes no memory.
        let huge = [1, 0, 0, 253, 0, 0, 0, 0, 0, 0, 0, 16];
        assert_eq!(Record::decode(&header, &huge), Err(Damage::Record));
        assert_eq!(Record::decode(&Header { kind: 99, ..header }, &[]), Err(Damage::Kind(99)));
    }

    #[test]
    fn the_bytes_of_version_1_stay_what_they_are() {
        let owner = OwnerV1 {
            generation: 3,
            host: "h".into(),
            process: 300,
            boot: "b".into(),
            time: -1,
            cut: Some(CutV1 { generation: 2, seq: 9, link: 70_000 }),
        };
        let intent = IntentV1 {
            batch: 5,
            sources: vec![SourceRangeV1 { source: "s".into(), ..SourceRangeV1::default() }],
            ops: vec![OpV1 { op: "o".into(), ..OpV1::default() }],
            time: 1,
            ..IntentV1::default()
        };
        let commit = CommitV1 {
            batch: 5,
            states: vec![StateRefV1 {
                op: "o".into(),
                first_group: 0,
                last_group: 255,
                piece: PieceV1::Snapshot,
                first: 5,
                version: 5,
                place: PlaceV1::Inline(vec![1, 2]),
                about: vec![7],
            }],
            ..CommitV1::default()
        };
        let hex = |record: Record| {
            record.encode().unwrap().iter().map(|b| format!("{b:02x}")).collect::<String>()
        };
        assert_eq!(hex(Record::Owner(owner)), "030168fb2c01016201010209fc70110100");
        let job = "00".repeat(32);
        let rest = "0001017300000001016f0000000200000000";
        assert_eq!(hex(Record::Intent(intent)), format!("0500{job}{rest}"));
        assert_eq!(
            hex(Record::Commit(commit)),
            "05000001016f00fbff00010505010201020107000000000000"
        );
    }
}
