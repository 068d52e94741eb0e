//! What of a damaged log can still be believed: the longest beginning of it. No I/O.

use super::chain::{self, Chain, Placed, Raw, Tip, Walk, generations, missing};
use super::error::CheckpointError;
use super::history::History;
use super::path::{self, Segment};
use super::record::{CutV1, kind};
use crate::durable::frame;

/// The beginning of a log that is whole.
pub struct Salvage {
    /// What has happened up to there.
    pub history: History,
    /// Where a new owner goes on.
    pub cut: Option<CutV1>,
    /// The last record that counts then.
    pub tip: Tip,
    /// The newest generation of which there is anything.
    pub newest: u64,
    /// What is wrong behind it. Nothing, if the log is whole.
    pub problems: Vec<CheckpointError>,
    /// Segments of which not everything counts any more.
    pub left: Vec<Segment>,
    /// Notes of generations whose segments are gone.
    pub claims: Vec<u64>,
    /// The last batch of which a commit can be read anywhere.
    pub seen: u64,
}

/// Finds the longest beginning of a log that is whole.
pub fn salvage(raw: &Raw) -> Salvage {
    let (mut walk, why) = longest(raw);
    let mut problems: Vec<CheckpointError> = why.into_iter().collect();
    let history = history(&mut walk, raw, &mut problems);
    let cut = walk.cut(raw);
    let root = raw
        .floor
        .map_or(Tip { seq: 0, link: raw.root }, |floor| Tip { seq: floor.seq, link: floor.link });
    let tip = cut.map_or(root, |cut| Tip { seq: cut.seq, link: cut.link });
    let claims = lost_claims(raw);
    let named =
        |claim: &u64| missing(Segment { generation: *claim, number: 1 }, path::claim(*claim));
    problems.extend(claims.iter().map(named));
    let left = if problems.is_empty() { Vec::new() } else { left(&walk, raw) };
    let of_claims = raw.claims.iter().copied();
    let newest = raw.segments.keys().map(|segment| segment.generation).chain(of_claims).max();
    let newest = newest.unwrap_or(0);
    Salvage { history, cut, tip, newest, problems, left, claims, seen: seen(raw) }
}

/// The history of a way, which ends where records come in an order that no run gives.
fn history(walk: &mut Walk<'_>, raw: &Raw, problems: &mut Vec<CheckpointError>) -> History {
    loop {
        let chain = Chain { records: walk.records.clone(), ..Chain::default() };
        let error = match History::of(&chain, raw.floor.is_some()) {
            Ok(history) => return history,
            Err(error) => error,
        };
        let CheckpointError::Damaged { file, offset, .. } = &error else {
            return History::default();
        };
        let is_it = |it: &Placed| it.offset == *offset && it.segment.name() == *file;
        let place = walk.records.iter().position(is_it).unwrap_or_default();
        walk.records.truncate(place);
        problems.push(error);
    }
}

/// Segments of which not everything counts.
fn left(walk: &Walk<'_>, raw: &Raw) -> Vec<Segment> {
    let last = walk.records.last().map(|last| last.segment);
    let whole = |segment: &Segment| {
        walk.visited.contains(segment) && last.is_some_and(|last| *segment < last)
    };
    raw.segments.keys().filter(|segment| !whole(segment)).copied().collect()
}

/// The way that leads furthest, and what ended it. Of ways that lead equally far the one of the
/// newest owner counts.
fn longest(raw: &Raw) -> (Walk<'_>, Option<CheckpointError>) {
    let mut heads: Vec<u64> = raw.segments.keys().map(|segment| segment.generation).collect();
    heads.dedup();
    let mut best: Option<(Walk<'_>, Option<CheckpointError>)> = None;
    let mut first = None;
    for head in heads.into_iter().rev() {
        let way = match generations(raw, head) {
            Ok(way) => way,
            Err(error) => {
                first = first.or(Some(error));
                continue;
            }
        };
        let mut walk = Walk::new(raw);
        let mut walked = way.into_iter().map(|(generation, cut)| walk.generation(generation, cut));
        let why = walked.find_map(Result::err);
        drop(walked);
        if best.as_ref().is_none_or(|(best, _)| walk.tip.seq > best.tip.seq) {
            best = Some((walk, why));
        }
    }
    let (walk, why) = best.unwrap_or_else(|| (Walk::new(raw), None));
    // What the newest owner says of the way is wrong, even if another way is whole.
    (walk, why.or_else(|| first.filter(|_| chain::read(raw).is_err())))
}

fn lost_claims(raw: &Raw) -> Vec<u64> {
    let floor = raw.floor.map_or(0, |floor| floor.generation);
    let gone = |claim: &&u64| {
        **claim > floor && !raw.segments.contains_key(&Segment { generation: **claim, number: 1 })
    };
    raw.claims.iter().filter(gone).copied().collect()
}

/// The last batch that anything says was committed.
fn seen(raw: &Raw) -> u64 {
    let mut last = 0;
    for bytes in raw.segments.values() {
        let mut at = 0;
        while let Some(place) = frame::later_append(bytes, at, 0) {
            if let Ok(frame) = frame::read(bytes, place)
                && frame.header.kind == kind::COMMIT
            {
                last = last.max(frame.header.batch);
            }
            at = place + 1;
        }
    }
    last
}
