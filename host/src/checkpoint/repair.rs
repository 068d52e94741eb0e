//! Makes a damaged checkpoint one that a run can go on from: the newest batch of which everything
//! is whole counts, and what comes after it does not.
//!
//! Nothing is written over. Files that don't count any more are copied to `aside/` first; then a
//! new owner says in its first record how much of the log counts, as every owner does. So a repair
//! that is cut off in the middle can be begun again.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::chain::{FloorV1, Raw};
use super::error::CheckpointError;
use super::identity;
use super::list::{state_problem, states};
use super::log::Log;
use super::open::Options;
use super::owner::{self, SEGMENT_MAX};
use super::path::{self, Segment};
use super::record::{OwnerV1, Record, RewindV1};
use super::restore;
use super::salvage::{Salvage, salvage};
use crate::durable::{Store, StoreError};

/// Says whether a file with state is whole.
pub type CheckPiece<'a> = dyn Fn(&[u8]) -> Result<(), String> + 'a;

/// What is wrong with a checkpoint, and what is left of it after a repair.
pub struct Repair {
    /// What is wrong. Without an entry here nothing is done.
    pub problems: Vec<CheckpointError>,
    /// The batch after which a run goes on; 0 is the beginning.
    pub after: u64,
    /// The batch that was begun then, and is run again as it was.
    pub open: Option<u64>,
    /// The last batch that was done and is lost; nothing if none is.
    pub lost_to: Option<u64>,
    /// Files that are copied aside.
    pub aside: Vec<String>,
    /// Those of them that are removed from their place.
    removed: Vec<String>,
    rewind: Option<u64>,
    log: Option<Salvage>,
}

impl Repair {
    /// Whether something has to be written.
    pub fn is_needed(&self) -> bool {
        self.log.is_some() || self.rewind.is_some() || !self.removed.is_empty()
    }
}

/// Finds what is wrong and what can be done. None if there is no checkpoint.
pub fn diagnose(
    store: &dyn Store,
    check: &CheckPiece<'_>,
) -> Result<Option<Repair>, CheckpointError> {
    let Some(root) = root(store)? else { return Ok(None) };
    let (raw, foreign) = gather(store, root)?;
    let found = salvage(&raw);
    if let (Some(floor), true) = (raw.floor, found.history.done.is_empty()) {
        let file = Segment { generation: floor.generation, number: floor.number }.name();
        let why = found.problems.first().map_or_else(String::new, ToString::to_string);
        return Err(CheckpointError::Beyond { file, why });
    }
    let states = whole_states(store, &found, check)?;
    Ok(Some(repair(found, foreign, states)))
}

/// The link with which the chain of records begins.
fn root(store: &dyn Store) -> Result<Option<u32>, CheckpointError> {
    match identity::read(store) {
        Ok(found) => Ok(found.map(|(_, root)| root)),
        Err(error @ (CheckpointError::Damaged { .. } | CheckpointError::NoIdentity { .. })) => {
            Err(beyond(path::IDENTITY, &error))
        }
        Err(error) => Err(error),
    }
}

/// What has to be done.
fn repair(found: Salvage, foreign: Vec<String>, states: States) -> Repair {
    let States { after, pieces, there } = states;
    let mut problems: Vec<CheckpointError> =
        foreign.iter().map(|file| CheckpointError::Foreign { file: file.clone() }).collect();
    problems.extend(found.problems.iter().cloned());
    problems.extend(pieces.iter().map(|(_, problem)| problem.clone()));
    let last = found.history.last();
    let (seen, broken) = (found.seen.max(last), !found.problems.is_empty());
    let mut removed = foreign;
    removed.extend(found.claims.iter().map(|claim| path::claim(*claim)));
    let mut aside = removed.clone();
    aside.extend(found.left.iter().map(|segment| segment.name()));
    aside.extend(pieces.into_iter().map(|(file, _)| file).filter(|file| there.contains(file)));
    let rewind = (after < last).then_some(after);
    let open = found.history.open.as_ref().map(|open| open.intent.batch);
    Repair {
        problems,
        after,
        open: open.filter(|_| rewind.is_none()),
        lost_to: Some(seen).filter(|seen| *seen > after && (broken || rewind.is_some())),
        aside,
        removed,
        rewind,
        log: Some(found).filter(|_| broken || rewind.is_some()),
    }
}

fn beyond(file: &str, why: &CheckpointError) -> CheckpointError {
    CheckpointError::Beyond { file: file.to_owned(), why: why.to_string() }
}

/// The files of a log, and names of files that are none of it.
fn gather(store: &dyn Store, root: u32) -> Result<(Raw, Vec<String>), CheckpointError> {
    let mut foreign = Vec::new();
    for entry in store.list(path::FLOORS)? {
        if path::parse_floor(&entry.name).is_none() {
            foreign.push(entry.name);
        }
    }
    let floor = match foreign.is_empty() {
        true => owner::read_floor(store),
        false => newest_floor(store),
    };
    let floor = floor.map_err(|error| beyond(path::FLOORS, &error))?;
    let mut raw = Raw { root, floor, ..Raw::default() };
    for entry in store.list(path::CLAIMS)? {
        match path::parse_claim(&entry.name) {
            Some(claim) => raw.claims.push(claim),
            None => foreign.push(entry.name),
        }
    }
    let from = floor.map_or(Segment::default(), |floor| Segment {
        generation: floor.generation,
        number: floor.number,
    });
    for entry in store.list(path::LOG)? {
        match Segment::parse(&entry.name) {
            Some(segment) if segment >= from => {
                raw.segments.insert(segment, store.read(&entry.name, SEGMENT_MAX)?);
            }
            Some(_) => {}
            None => foreign.push(entry.name),
        }
    }
    Ok((raw, foreign))
}

/// The newest floor beside files that are none.
fn newest_floor(store: &dyn Store) -> Result<Option<FloorV1>, CheckpointError> {
    let known = store.list(path::FLOORS)?;
    let newest = known.iter().filter_map(|entry| path::parse_floor(&entry.name)).max();
    newest.map(|seq| owner::floor_of(store, seq)).transpose()
}

/// What is left of states.
struct States {
    /// The newest batch after which all of them can be had.
    after: u64,
    /// What is wrong with files.
    pieces: Vec<(String, CheckpointError)>,
    /// The files that there are.
    there: BTreeSet<String>,
}

fn whole_states(
    store: &dyn Store,
    found: &Salvage,
    check: &CheckPiece<'_>,
) -> Result<States, CheckpointError> {
    let there = states(store)?;
    let history = &found.history;
    let (mut named, mut pieces) = (BTreeSet::new(), Vec::new());
    for piece in history.done.iter().flat_map(|done| &done.commit.states) {
        let Some(file) = restore::file_of(piece).filter(|file| named.insert((*file).to_owned()))
        else {
            continue;
        };
        let problem = state_problem(store, file, &there, check);
        pieces.extend(problem.map(|problem| (file.to_owned(), problem)));
    }
    let unusable: BTreeSet<String> = pieces.iter().map(|(file, _)| file.clone()).collect();
    let way = |batch| restore::way(&history.done, history.cut_off, batch, &unusable);
    let batches = history.done.iter().rev().map(|done| done.commit.batch);
    let mut whole = batches.filter(|batch| way(*batch).is_ok());
    match (whole.next(), pieces.first()) {
        (Some(after), _) => Ok(States { after, pieces, there }),
        (None, Some((file, why))) if !history.done.is_empty() => Err(beyond(file, why)),
        (None, _) => Ok(States { after: 0, pieces, there }),
    }
}

/// Does what was found to be needed. `within` is the folder below `aside/` for copies.
pub fn carry_out(
    store: &Arc<dyn Store>,
    repair: &Repair,
    within: &str,
) -> Result<(), CheckpointError> {
    for file in &repair.aside {
        let copy = format!("{}{within}/{file}", path::ASIDE);
        match store.create(&copy, &store.read(file, u64::MAX)?) {
            Ok(()) | Err(StoreError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(log) = &repair.log {
        let bytes = Options::default().segment_bytes;
        let generation = owner::claim(&**store, log.newest, bytes)?;
        let mut new = Log::new(Arc::clone(store), generation, bytes, log.tip);
        let owner = OwnerV1 { cut: log.cut, ..owner::record(generation, &Default::default()) };
        let owner = Record::Owner(owner);
        match repair.rewind.map(|batch| Record::Rewind(RewindV1 { batch })) {
            // Both or none: the job must not go on from a state that can't be had.
            Some(rewind) => new.append(&[(&owner, 0), (&rewind, 0)])?,
            None => new.append(&[(&owner, 0)])?,
        }
    }
    for file in &repair.removed {
        store.remove(file)?;
    }
    Ok(())
}
