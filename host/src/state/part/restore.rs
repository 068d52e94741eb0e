//! The state of an op from its snapshots and deltas.

use std::sync::Arc;

use super::{Live, Part, PartKindV1, PartRefV1, PlaceV1};
use crate::state::blobs::Blobs;
use crate::state::{StateError, StateSchema, StateStore, Wear, in_threads};

/// Bytes of parts that are in memory at once, beside the state.
const WAVE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// The columns. None if there were no parts, so that the op has no state yet.
    pub schema: Option<Arc<StateSchema>>,
    /// How worn the snapshots are.
    pub wear: Wear,
    /// Bytes that were read.
    pub bytes: u64,
}

/// Gives an op of a store the state that its parts add up to. Parts are read and checked by
/// `threads` at once. After an error the op has no state.
pub fn restore(
    store: &dyn StateStore,
    live: &Live,
    blobs: &dyn Blobs,
    threads: usize,
) -> Result<Restored, StateError> {
    let op = live.op();
    if live.groups() != store.groups() {
        let problem = format!("its record counts {} key groups", live.groups());
        return Err(StateError::foreign(&format!("state of op {op}"), problem));
    }
    store.forget(&op)?;
    let restored = load_all(store, live, blobs, threads.max(1));
    if restored.is_err() {
        store.forget(&op)?;
    }
    restored
}

fn load_all(
    store: &dyn StateStore,
    live: &Live,
    blobs: &dyn Blobs,
    threads: usize,
) -> Result<Restored, StateError> {
    let op = live.op();
    let mut refs: Vec<&PartRefV1> = live.parts().iter().collect();
    // A key group needs its snapshot first, then the deltas since, however late the snapshot was
    // ready.
    refs.sort_by_key(|part| (part.kind == PartKindV1::Delta, part.last));
    let mut worn = vec![0; live.groups() as usize];
    let mut schema: Option<Arc<StateSchema>> = None;
    for wave in waves(&refs) {
        let parts = read_all(live, wave, blobs, threads)?;
        for part in &parts {
            if schema.is_none() {
                let title = || StateError::NoSchema { op: op.as_str().to_owned() };
                let found = part.schema().ok_or_else(title)??;
                store.open(&op, &found)?;
                schema = Some(Arc::new(found));
            }
            count(part, &mut worn);
        }
        let id = schema.as_ref().map(|schema| schema.id());
        if let Some(odd) = wave.iter().find(|part| Some(part.schema_id) != id) {
            let problem = "its columns are others than those of the other parts".to_owned();
            return Err(StateError::foreign(&odd.title(op.as_str()), problem));
        }
        store.load(&op, &parts)?;
    }
    let bytes = refs.iter().map(|part| part.length).sum();
    Ok(Restored { schema, wear: Wear::restored(worn), bytes })
}

fn count(part: &Part, worn: &mut [u64]) {
    if part.header().kind == PartKindV1::Delta {
        for section in part.sections() {
            worn[section.group as usize] += part.rows_of(section).len() as u64;
        }
    }
}

/// The parts in turns, each of a bounded size unless one part is larger.
fn waves<'a, 'b>(mut refs: &'a [&'b PartRefV1]) -> Vec<&'a [&'b PartRefV1]> {
    let mut waves = Vec::new();
    while !refs.is_empty() {
        let mut bytes = 0_u64;
        let fits = |part: &&&PartRefV1| {
            bytes = bytes.saturating_add(part.length);
            bytes <= WAVE_BYTES_MAX
        };
        let (wave, rest) = refs.split_at(refs.iter().take_while(fits).count().max(1));
        waves.push(wave);
        refs = rest;
    }
    waves
}

fn read_all(
    live: &Live,
    wave: &[&PartRefV1],
    blobs: &dyn Blobs,
    threads: usize,
) -> Result<Vec<Part>, StateError> {
    let shares: Vec<&[&PartRefV1]> = wave.chunks(wave.len().div_ceil(threads)).collect();
    let read = |share: &[&PartRefV1]| -> Result<Vec<Part>, StateError> {
        share.iter().map(|part| read_one(live, part, blobs)).collect()
    };
    if shares.len() == 1 {
        return read(wave);
    }
    let done: Result<Vec<Vec<Part>>, StateError> = in_threads(shares, read)?.into_iter().collect();
    Ok(done?.into_iter().flatten().collect())
}

/// Reads a part, compares it with what was recorded, and leaves out what later parts replace.
pub(super) fn read_one(
    live: &Live,
    part: &PartRefV1,
    blobs: &dyn Blobs,
) -> Result<Part, StateError> {
    let op = live.op();
    let title = part.title(op.as_str());
    let bytes = match &part.place {
        PlaceV1::Inline(bytes) => bytes.clone(),
        PlaceV1::Blob(name) => blobs.get(name)?,
    };
    let mut read = Part::read(&title, bytes)?;
    part.check(op.as_str(), live.groups(), &read)?;
    read.keep_sections(|group| live.needs(part, group));
    Ok(read)
}
