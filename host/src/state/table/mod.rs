//! The default store: all rows in memory, a table for each key group.
//!
//! A version shares its tables with the next one; a table is copied only if it changes while
//! somebody still looks at the version before. So a snapshot in the background costs writers at
//! most a copy of the groups that it has not written yet.

mod group;
mod timers;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use group::Group;

use super::part::Part;
use super::row::{Keys, Layout, Malformed};
use super::view::{Found, Size, Take, Version, View, by_key};
use super::{Staged, StateError, StateSchema, StateStore, check_commit, check_staged};
use crate::id::{BatchId, NodeId};

/// Changes below this many bytes are not worth another thread.
const THREAD_BYTES_MIN: usize = 256 * 1024;

/// States in memory.
#[derive(Debug)]
pub struct MemoryStore {
    groups: u32,
    threads: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    version: BatchId,
    ops: BTreeMap<NodeId, Op>,
    staged: Vec<Staged>,
}

#[derive(Debug)]
struct Op {
    schema: Arc<StateSchema>,
    announced: bool,
    table: Arc<Table>,
}

/// The rows of an op after a batch.
#[derive(Clone, Debug)]
struct Table {
    layout: Layout,
    groups: Vec<Arc<Group>>,
}

/// The changes of a key group, in order, with the count of rows of each.
type Changes<'a> = Vec<(u64, &'a [u8])>;

impl MemoryStore {
    /// A store without any op, for so many key groups. Changes are made by up to `threads` at
    /// once.
    pub fn new(groups: u32, threads: usize) -> Self {
        Self { groups, threads: threads.max(1), inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for MemoryStore {
    fn groups(&self) -> u32 {
        self.groups
    }

    fn version(&self) -> BatchId {
        self.inner().version
    }

    fn ops(&self) -> Vec<NodeId> {
        self.inner().ops.keys().cloned().collect()
    }

    fn open(&self, op: &NodeId, schema: &StateSchema) -> Result<(), StateError> {
        let mut inner = self.inner();
        if let Some(found) = inner.ops.get(op) {
            return found.schema.check_same(schema, op);
        }
        let groups = vec![Arc::default(); self.groups as usize];
        let table = Arc::new(Table { layout: schema.layout(), groups });
        let schema = Arc::new(schema.clone());
        inner.ops.insert(op.clone(), Op { schema, announced: false, table });
        Ok(())
    }

    fn forget(&self, op: &NodeId) -> Result<(), StateError> {
        self.inner().ops.remove(op);
        Ok(())
    }

    fn load(&self, op: &NodeId, parts: &[Part]) -> Result<(), StateError> {
        let mut inner = self.inner();
        let found = inner.op(op)?;
        found.announced |= parts.iter().any(|part| part.header().schema.is_some());
        let changes = changes_of(parts.iter());
        let damaged = |problem| StateError::damaged(&format!("state of op {op}"), problem);
        apply(&mut found.table, &changes, self.threads)?.map_err(damaged)
    }

    fn resume(&self, version: BatchId) -> Result<(), StateError> {
        self.inner().version = version;
        Ok(())
    }

    fn view(&self, op: &NodeId) -> Result<View, StateError> {
        let mut inner = self.inner();
        let batch = inner.version;
        let found = inner.op(op)?;
        Ok(View {
            op: op.clone(),
            schema: Arc::clone(&found.schema),
            groups: self.groups,
            batch,
            announced: found.announced,
            version: Arc::clone(&found.table) as _,
        })
    }

    fn stage(&self, batch: BatchId, staged: Staged) -> Result<(), StateError> {
        let mut inner = self.inner();
        let version = inner.version;
        let found = inner.op(&staged.op)?;
        let table = Arc::clone(&found.table);
        let schema = Arc::clone(&found.schema);
        check_staged(batch, version, &staged, &schema, &inner.staged)?;
        for section in staged.delta.sections() {
            let more = staged.delta.rows_of(section).len();
            if !table.groups[section.group as usize].has_room(more) {
                return Err(StateError::TooLarge { what: "the states of one key group" });
            }
        }
        inner.staged.push(staged);
        Ok(())
    }

    fn commit(&self, batch: BatchId) -> Result<(), StateError> {
        let mut inner = self.inner();
        check_commit(batch, inner.version)?;
        let staged = std::mem::take(&mut inner.staged);
        for op in ops_of(&staged) {
            let deltas = staged.iter().filter(|staged| staged.op == op && !staged.is_empty());
            let deltas: Vec<&Part> = deltas.map(|staged| &staged.delta).collect();
            let found = inner.op(&op)?;
            found.announced |= !deltas.is_empty();
            let damaged = |problem| StateError::damaged(&format!("delta of op {op}"), problem);
            let changes = changes_of(deltas.into_iter());
            apply(&mut found.table, &changes, self.threads)?.map_err(damaged)?;
        }
        inner.version = batch;
        Ok(())
    }

    fn abort(&self, _batch: BatchId) -> Result<(), StateError> {
        self.inner().staged.clear();
        Ok(())
    }
}

impl Inner {
    fn op(&mut self, op: &NodeId) -> Result<&mut Op, StateError> {
        let unknown = || StateError::UnknownOp { op: op.as_str().to_owned() };
        self.ops.get_mut(op).ok_or_else(unknown)
    }
}

fn ops_of(staged: &[Staged]) -> Vec<NodeId> {
    let mut ops: Vec<NodeId> = staged.iter().map(|staged| staged.op.clone()).collect();
    ops.sort();
    ops.dedup();
    ops
}

/// What parts change in each key group.
fn changes_of<'a>(parts: impl Iterator<Item = &'a Part>) -> BTreeMap<u32, Changes<'a>> {
    let mut changes: BTreeMap<u32, Changes<'a>> = BTreeMap::new();
    for part in parts {
        for section in part.sections() {
            let entry = changes.entry(section.group).or_default();
            entry.push((section.rows, part.rows_of(section)));
        }
    }
    changes
}

/// Changes key groups, some at once if there is much to do. The outer error is of the threads.
fn apply(
    table: &mut Arc<Table>,
    changes: &BTreeMap<u32, Changes<'_>>,
    threads: usize,
) -> Result<Result<(), Malformed>, StateError> {
    let bytes = |changes: &Changes<'_>| changes.iter().map(|(_, rows)| rows.len()).sum::<usize>();
    let total: usize = changes.values().map(bytes).sum();
    let table = Arc::make_mut(table);
    let layout = table.layout;
    let mut work = Vec::with_capacity(changes.len());
    for (group, slot) in table.groups.iter_mut().enumerate() {
        work.extend(changes.get(&(group as u32)).map(|changes| (slot, changes)));
    }
    if threads < 2 || total < THREAD_BYTES_MIN {
        return Ok(apply_some(layout, work));
    }
    let share = work.len().div_ceil(threads);
    let mut shares = Vec::with_capacity(threads);
    while !work.is_empty() {
        let rest = work.split_off(share.min(work.len()));
        shares.push(std::mem::replace(&mut work, rest));
    }
    super::in_threads(shares, |share| apply_some(layout, share))
        .map(|results| results.into_iter().collect())
}

fn apply_some(layout: Layout, work: Vec<(&mut Arc<Group>, &Changes<'_>)>) -> Result<(), Malformed> {
    for (group, changes) in work {
        let group = Arc::make_mut(group);
        for (rows, bytes) in changes {
            group.apply(layout, bytes, *rows)?;
        }
    }
    Ok(())
}

impl Version for Table {
    fn find(
        &self,
        group: u32,
        keys: &Keys,
        rows: &[u32],
        found: &mut Found,
    ) -> Result<(), StateError> {
        let group = &self.groups[group as usize];
        let mut places = Vec::with_capacity(rows.len());
        group.locate(self.layout, rows.iter().map(|row| keys.bytes(*row as usize)), &mut places);
        for (row, place) in rows.iter().zip(&places) {
            if let Some(place) = place {
                let entry = group.row(self.layout, *place);
                found.put(*row, entry.state, entry.due);
            }
        }
        Ok(())
    }

    fn due(&self, group: u32, until: i64, take: &mut Take<'_>) -> Result<(), StateError> {
        self.groups[group as usize].due(self.layout, until).try_for_each(take)
    }

    fn scan(&self, group: u32, take: &mut Take<'_>) -> Result<(), StateError> {
        let entries = self.groups[group as usize].entries(self.layout);
        by_key(entries).into_iter().try_for_each(take)
    }

    fn section(&self, group: u32) -> Result<(u64, Vec<u8>), StateError> {
        let group = &self.groups[group as usize];
        Ok((group.count() as u64, group.section(self.layout)))
    }

    fn size(&self, group: u32) -> Size {
        let group = &self.groups[group as usize];
        let (keys, bytes) = (group.count() as u64, group.bytes() as u64);
        Size { keys, bytes, memory: group.memory() as u64 }
    }

    fn narrow(&self, groups: &[u32]) -> Arc<dyn Version> {
        let mut narrowed = vec![Arc::default(); self.groups.len()];
        for group in groups {
            narrowed[*group as usize] = Arc::clone(&self.groups[*group as usize]);
        }
        Arc::new(Self { layout: self.layout, groups: narrowed })
    }
}

/// The range of key groups of a lane among `lanes`.
pub fn lane_groups(groups: u32, lane: u32, lanes: u32) -> Range<u32> {
    let start = |lane: u32| (u64::from(lane) * u64::from(groups)).div_ceil(u64::from(lanes.max(1)));
    start(lane) as u32..start(lane + 1) as u32
}
