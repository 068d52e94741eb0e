//! Which pieces of state lead to the state that a batch left. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use super::history::Done;
use super::record::{PieceV1, PlaceV1, StateRefV1};

/// A piece of state on the way to a version: apply pieces in the order in which they are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The batch whose commit names the piece.
    pub named_by: u64,
    /// The piece.
    pub piece: StateRefV1,
    /// The first key group for which it counts.
    pub first_group: u32,
    /// The last key group for which it counts.
    pub last_group: u32,
}

/// A file without which no way leads to a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The op.
    pub op: String,
    /// The file, or nothing if records are below the floor.
    pub file: Option<String>,
}

/// The pieces that give the state of `version`: for each op and range of key groups the newest
/// usable snapshot and the changes since. `unusable` are files that are missing or damaged.
pub fn way(
    done: &[Done],
    cut_off: bool,
    version: u64,
    unusable: &BTreeSet<String>,
) -> Result<Vec<Step>, Lost> {
    let mut ops: BTreeMap<&str, Vec<(u64, &StateRefV1)>> = BTreeMap::new();
    for done in done {
        for state in &done.commit.states {
            ops.entry(&state.op).or_default().push((done.commit.batch, state));
        }
    }
    ops.values_mut().for_each(keep_latest);
    let mut steps = Vec::new();
    for (op, pieces) in &ops {
        let edges: BTreeSet<u32> = pieces
            .iter()
            .flat_map(|(_, piece)| [piece.first_group, piece.last_group.saturating_add(1)])
            .collect();
        let edges: Vec<_> = edges.into_iter().collect();
        for range in edges.windows(2) {
            let over = |(_, piece): &&(u64, &StateRefV1)| {
                (piece.first_group..=piece.last_group).contains(&range[0])
            };
            let pieces: Vec<_> = pieces.iter().filter(over).copied().collect();
            let range = Range { op, first: range[0], last: range[1] - 1, pieces };
            steps.extend(range.way(cut_off, version, unusable)?);
        }
    }
    Ok(steps)
}

/// Of a piece that several commits name, the last one counts: the others may go.
fn keep_latest(pieces: &mut Vec<(u64, &StateRefV1)>) {
    let mut seen = BTreeSet::new();
    pieces.reverse();
    pieces.retain(|(_, it)| {
        seen.insert((it.piece, it.version, it.first_group, it.last_group, file_of(it)))
    });
    pieces.reverse();
}

/// Takes out what is also in a piece with the changes of several batches.
fn leave_folded(deltas: &mut Vec<&(u64, &StateRefV1)>) {
    let folds: Vec<(u64, u64)> = deltas
        .iter()
        .filter(|(_, it)| it.first < it.version)
        .map(|(_, it)| (it.first, it.version))
        .collect();
    let within = |it: &StateRefV1, (first, last): &(u64, u64)| {
        *first <= it.first && it.version <= *last && (it.first, it.version) != (*first, *last)
    };
    deltas.retain(|(_, it)| !folds.iter().any(|fold| within(it, fold)));
}

/// The pieces that hold a range of key groups.
struct Range<'a> {
    op: &'a str,
    first: u32,
    last: u32,
    pieces: Vec<(u64, &'a StateRefV1)>,
}

impl Range<'_> {
    fn way(
        &self,
        cut_off: bool,
        version: u64,
        unusable: &BTreeSet<String>,
    ) -> Result<Vec<Step>, Lost> {
        let is = |what: PieceV1| self.pieces.iter().filter(move |(_, it)| it.piece == what);
        let mut bases: Vec<_> =
            is(PieceV1::Snapshot).filter(|(_, it)| it.version <= version).map(Some).collect();
        bases.sort_by_key(|base| base.map(|(_, it)| std::cmp::Reverse(it.version)));
        // Without any snapshot nothing of it was ever removed.
        if !cut_off || is(PieceV1::Snapshot).next().is_none() {
            bases.push(None);
        }
        let mut lost = None;
        for base in bases {
            let from = base.map_or(0, |(_, it)| it.version);
            let since = |(_, it): &&(u64, &StateRefV1)| it.version > from && it.version <= version;
            let mut deltas: Vec<_> = is(PieceV1::Delta).filter(since).collect();
            leave_folded(&mut deltas);
            deltas.sort_by_key(|(_, it)| it.version);
            let all = || base.into_iter().chain(deltas.iter().copied());
            match all().find_map(|(_, it)| file_of(it).filter(|file| unusable.contains(*file))) {
                None => return Ok(all().map(|(by, it)| self.step(*by, it)).collect()),
                Some(file) => lost = lost.or(Some(file.to_owned())),
            }
        }
        Err(Lost { op: self.op.to_owned(), file: lost })
    }

    fn step(&self, named_by: u64, piece: &StateRefV1) -> Step {
        let (first_group, last_group) = (self.first, self.last);
        Step { named_by, piece: piece.clone(), first_group, last_group }
    }
}

/// The file of a piece, unless it stands in the record.
pub fn file_of(piece: &StateRefV1) -> Option<&str> {
    match &piece.place {
        PlaceV1::File(name) => Some(name),
        PlaceV1::Inline(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::test_kit::{delta, done, snapshot};

    fn shown(steps: &[Step]) -> String {
        let show = |step: &Step| {
            let what = if step.piece.piece == PieceV1::Snapshot { 's' } else { 'd' };
            format!("{what}{}@{}-{}", step.piece.version, step.first_group, step.last_group)
        };
        steps.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    fn find(done: &[Done], cut_off: bool, version: u64, bad: &[&str]) -> String {
        let bad = bad.iter().map(|file| (*file).to_owned()).collect();
        match way(done, cut_off, version, &bad) {
            Ok(steps) => shown(&steps),
            Err(lost) => format!("lost {:?}", lost.file),
        }
    }

    #[test]
    fn the_newest_usable_snapshot_and_the_changes_since() {
        let history = [
            done(1, vec![delta(1, 0, 9)]),
            done(2, vec![delta(2, 0, 9), snapshot(1, 0, 4, "old")]),
            done(3, vec![delta(3, 0, 9)]),
            done(4, vec![delta(4, 5, 9), snapshot(3, 0, 4, "new")]),
        ];
        assert_eq!(find(&history, false, 4, &[]), "s3@0-4 d1@5-9 d2@5-9 d3@5-9 d4@5-9");
        assert_eq!(find(&history, false, 2, &[]), "s1@0-4 d2@0-4 d1@5-9 d2@5-9");
        let damaged = "s1@0-4 d2@0-4 d3@0-4 d1@5-9 d2@5-9 d3@5-9 d4@5-9";
        assert_eq!(find(&history, false, 4, &["new"]), damaged);
        let both = "d1@0-4 d2@0-4 d3@0-4 d1@5-9 d2@5-9 d3@5-9 d4@5-9";
        assert_eq!(find(&history, false, 4, &["new", "old"]), both);
        // Changes that were put together take the place of the single ones.
        let fold = StateRefV1 { first: 1, ..delta(3, 0, 9) };
        let folded = [&history[..3], &[done(4, vec![delta(4, 0, 9), fold])]].concat();
        let bad = ["old".to_owned()].into();
        assert_eq!(shown(&way(&folded, false, 4, &bad).unwrap()), "d3@0-4 d4@0-4 d3@5-9 d4@5-9");
        // A piece that is named again does not need the older record any more.
        let again =
            [&history[..], &[done(5, vec![snapshot(3, 0, 4, "new"), delta(4, 5, 9)])]].concat();
        let steps = way(&again, false, 5, &BTreeSet::new()).unwrap();
        assert_eq!(steps[0].named_by, 5);
        // Below a floor there may have been more changes.
        assert_eq!(find(&history, true, 4, &["new", "old"]), "lost Some(\"new\")");
    }
}
