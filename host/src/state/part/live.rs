//! Which parts are needed: what the commit records of an op add up to.

use super::{PartKindV1, PartRefV1, StateRefsV1};
use crate::id::NodeId;
use crate::state::StateError;

/// The parts that make up the state of an op: what commit records add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    op: String,
    groups: u32,
    parts: Vec<PartRefV1>,
    /// The last snapshot of each key group, as the batch after which it was.
    snapshots: Vec<Option<u64>>,
    /// The parts that are many deltas in one.
    folds: Vec<PartRefV1>,
}

impl Live {
    /// No parts yet.
    pub fn new(op: &NodeId, groups: u32) -> Self {
        let snapshots = vec![None; groups as usize];
        let op = op.as_str().to_owned();
        Self { op, groups, parts: Vec::new(), snapshots, folds: Vec::new() }
    }

    /// What the record of the next batch adds. Gives the parts that no later state needs; an
    /// earlier one still may, so they are kept as long as its batch.
    pub fn apply(&mut self, refs: &StateRefsV1) -> Result<Vec<PartRefV1>, StateError> {
        refs.parts.iter().try_for_each(|part| self.check(refs, part))?;
        for part in &refs.parts {
            if part.kind == PartKindV1::Snapshot {
                for group in part.groups() {
                    let last = &mut self.snapshots[group as usize];
                    *last = (*last).max(Some(part.last));
                }
            }
            if part.kind == PartKindV1::Delta && part.first < part.last {
                self.folds.push(part.clone());
            }
            self.parts.push(part.clone());
        }
        let replaces =
            |part: &PartRefV1| part.kind == PartKindV1::Snapshot || part.first < part.last;
        if !refs.parts.iter().any(replaces) {
            return Ok(Vec::new());
        }
        let needed = |part: &PartRefV1| part.groups().any(|group| self.needs(part, group));
        let keep: Vec<bool> = self.parts.iter().map(needed).collect();
        let mut keep = keep.into_iter();
        let parts = std::mem::take(&mut self.parts).into_iter();
        let (kept, dropped) = parts.partition(|_| keep.next().unwrap_or(true));
        self.parts = kept;
        self.folds.retain(|fold| self.parts.contains(fold));
        Ok(dropped)
    }

    fn check(&self, refs: &StateRefsV1, part: &PartRefV1) -> Result<(), StateError> {
        let wrong = |problem: String| Err(StateError::foreign(&part.title(&self.op), problem));
        if refs.op != self.op || refs.groups != self.groups {
            return wrong(format!("its record is of op `{}`", refs.op));
        }
        let ends = part.ranges.iter().flat_map(|(first, last)| [*first, *last]);
        let last = ends.clone().max();
        if part.first > part.last || !ends.is_sorted() || last.is_none_or(|g| g >= self.groups) {
            return wrong(format!("its record names batches or groups beyond {}", self.groups));
        }
        Ok(())
    }

    /// Whether the rows of a key group in a part belong to the state.
    pub(super) fn needs(&self, part: &PartRefV1, group: u32) -> bool {
        let snapshot = self.snapshots.get(group as usize).copied().flatten();
        match part.kind {
            PartKindV1::Snapshot => snapshot == Some(part.last),
            PartKindV1::Delta => {
                snapshot.is_none_or(|snapshot| part.last > snapshot) && !self.is_folded(part, group)
            }
        }
    }

    /// Whether another part has the rows of a key group in a delta. Of two folds over the same
    /// batches, as may come of asking twice, the later one stays, not none.
    fn is_folded(&self, part: &PartRefV1, group: u32) -> bool {
        let place = self.folds.iter().position(|fold| fold == part);
        let replaces = |(at, fold): (usize, &PartRefV1)| {
            let same = (fold.first, fold.last) == (part.first, part.last);
            fold != part && fold.folds(part, group) && (!same || Some(at) > place)
        };
        self.folds.iter().enumerate().any(replaces)
    }

    /// The op.
    pub fn op(&self) -> NodeId {
        NodeId::new(self.op.as_str())
    }

    /// How many key groups there are.
    pub fn groups(&self) -> u32 {
        self.groups
    }

    /// The parts, in order.
    pub fn parts(&self) -> &[PartRefV1] {
        &self.parts
    }

    /// All parts, for a record that begins anew.
    pub fn refs(&self) -> StateRefsV1 {
        StateRefsV1 { op: self.op.clone(), groups: self.groups, parts: self.parts.clone() }
    }
}
