//! Pieces of state between the two rooms that know them: `state` makes and reads them,
//! `checkpoint` keeps the record of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::checkpoint::record::{PieceV1, PlaceV1, StateRefV1};
use crate::checkpoint::{CheckpointError, Damage, StateStep};
use crate::durable::{Store, StoreError};
use crate::id::NodeId;
use crate::state::{self, Blobs, PartKindV1, PartRefV1, StateError, StateRefsV1};

/// The largest piece of state in a file.
const PIECE_BYTES_MAX: u64 = 64 << 30;

/// Files of a checkpoint as a place for pieces of state.
pub struct StoreBlobs(pub Arc<dyn Store>);

impl Blobs for StoreBlobs {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        self.0.create(name, bytes).map_err(|error| refused("write", name, &error))
    }

    fn get(&self, name: &str) -> Result<Vec<u8>, StateError> {
        self.0.read(name, PIECE_BYTES_MAX).map_err(|error| match error {
            StoreError::Missing { .. } => StateError::Missing { part: name.to_owned() },
            other => refused("read", name, &other),
        })
    }

    fn remove(&self, name: &str) -> Result<(), StateError> {
        self.0.remove(name).map_err(|error| refused("remove", name, &error))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StateError> {
        let entries = self.0.list(prefix).map_err(|error| refused("list", prefix, &error))?;
        Ok(entries.into_iter().map(|entry| entry.name).collect())
    }
}

fn refused(doing: &'static str, part: &str, error: &StoreError) -> StateError {
    StateError::Blobs { doing, part: part.to_owned(), problem: error.to_string() }
}

/// How a record names a part. Of a snapshot each range of key groups is named for itself, because
/// the groups in between are not in it.
pub fn records(op: &str, part: &PartRefV1) -> Vec<StateRefV1> {
    let piece = match part.kind {
        PartKindV1::Delta => PieceV1::Delta,
        PartKindV1::Snapshot => PieceV1::Snapshot,
    };
    let place = match &part.place {
        state::PlaceV1::Inline(bytes) => PlaceV1::Inline(bytes.clone()),
        state::PlaceV1::Blob(name) => PlaceV1::File(name.clone()),
    };
    // Numbers and a name always encode.
    let about = bincode::encode_to_vec(without_bytes(part), bincode::config::standard());
    let about = about.unwrap_or_default();
    let named = |(first_group, last_group): (u32, u32)| StateRefV1 {
        op: op.to_owned(),
        first_group,
        last_group,
        piece,
        first: part.first,
        version: part.last,
        place: place.clone(),
        about: about.clone(),
    };
    match part.kind {
        PartKindV1::Delta => vec![named(part.span())],
        PartKindV1::Snapshot => part.ranges.iter().copied().map(named).collect(),
    }
}

fn without_bytes(part: &PartRefV1) -> PartRefV1 {
    let place = match &part.place {
        state::PlaceV1::Inline(_) => state::PlaceV1::Inline(Vec::new()),
        state::PlaceV1::Blob(name) => state::PlaceV1::Blob(name.clone()),
    };
    PartRefV1 { place, ..part.clone() }
}

/// The parts that lead to a state, by op.
pub fn parts(
    steps: &[StateStep],
    groups: u32,
) -> Result<BTreeMap<NodeId, StateRefsV1>, CheckpointError> {
    let mut ops: BTreeMap<NodeId, StateRefsV1> = BTreeMap::new();
    for step in steps {
        let part = part(&step.piece)?;
        let op = step.piece.op.as_str();
        let refs = ops.entry(NodeId::new(op)).or_insert_with(|| StateRefsV1 {
            op: op.to_owned(),
            groups,
            parts: Vec::new(),
        });
        if !refs.parts.contains(&part) {
            refs.parts.push(part);
        }
    }
    Ok(ops)
}

fn part(piece: &StateRefV1) -> Result<PartRefV1, CheckpointError> {
    let config = bincode::config::standard().with_limit::<{ 1 << 20 }>();
    let damaged = || CheckpointError::Damaged {
        file: format!("the record of the state of `{}` after batch {}", piece.op, piece.version),
        offset: 0,
        damage: Damage::Record,
    };
    let (part, _): (PartRefV1, usize) =
        bincode::decode_from_slice(&piece.about, config).map_err(|_| damaged())?;
    let place = match &piece.place {
        PlaceV1::Inline(bytes) => state::PlaceV1::Inline(bytes.clone()),
        PlaceV1::File(name) => state::PlaceV1::Blob(name.clone()),
    };
    Ok(PartRefV1 { place, ..part })
}
