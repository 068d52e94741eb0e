//! A store on an LSM tree, for states larger than memory.
//!
//! Rows lie under key group and key, timers under key group, moment and key. What lies on disk is
//! a copy of what deltas and snapshots say: it is made anew at each start and never synced. In
//! memory are the library's caches and two numbers for each key group.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, Readable, Snapshot};
use tempfile::TempDir;

use super::part::Part;
use super::row::{Cursor, Entry, Keys, Layout, Malformed, REMOVED, TIMED};
use super::view::{Found, Size, Take, Version, View};
use super::{Staged, StateError, StateSchema, StateStore, check_commit, check_staged};
use crate::id::{BatchId, NodeId};

/// Rows of one write while a state is loaded.
const LOAD_ROWS: usize = 64 * 1024;

/// How folders begin that a store makes for itself.
const SCRATCH: &str = "states-";

/// States in a folder.
pub struct LsmStore {
    groups: u32,
    database: Database,
    inner: Mutex<Inner>,
    // Removed after everything in it was closed.
    _scratch: Option<TempDir>,
}

#[derive(Default)]
struct Inner {
    version: BatchId,
    ops: BTreeMap<NodeId, Op>,
    staged: Vec<Staged>,
    /// How many ops were opened, for the names of their trees.
    opened: u64,
}

struct Op {
    schema: Arc<StateSchema>,
    announced: bool,
    trees: Trees,
    sizes: Arc<Vec<Size>>,
}

#[derive(Clone)]
struct Trees {
    rows: Keyspace,
    timers: Keyspace,
}

/// The rows of an op after a batch.
#[derive(Clone)]
struct Frozen {
    snapshot: Snapshot,
    trees: Trees,
    layout: Layout,
    sizes: Arc<Vec<Size>>,
}

impl LsmStore {
    /// A store without any op in a folder, of which everything is removed, for so many key groups.
    /// `cache` is how many bytes of it are kept in memory.
    pub fn open(folder: &Path, groups: u32, cache: u64) -> Result<Self, StateError> {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
        let database = Database::builder(folder)
            .cache_size(cache)
            .manual_journal_persist(true)
            .open()
            .map_err(failed)?;
        Ok(Self { groups, database, inner: Mutex::default(), _scratch: None })
    }

    /// A store in a folder of its own within this one. What killed processes left there goes.
    pub fn in_scratch(within: &Path, groups: u32, cache: u64) -> Result<Self, StateError> {
        for entry in std::fs::read_dir(within).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with(SCRATCH) {
                std::fs::remove_dir_all(entry.path()).map_err(failed)?;
            }
        }
        let scratch = tempfile::Builder::new().prefix(SCRATCH).tempdir_in(within);
        let scratch = scratch.map_err(failed)?;
        let store = Self::open(&scratch.path().join("store"), groups, cache)?;
        Ok(Self { _scratch: Some(scratch), ..store })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tree(&self, name: &str) -> Result<Keyspace, StateError> {
        self.database.keyspace(name, KeyspaceCreateOptions::default).map_err(failed)
    }
}

fn failed(error: impl ToString) -> StateError {
    StateError::Store { problem: error.to_string() }
}

fn unknown(op: &NodeId) -> StateError {
    StateError::UnknownOp { op: op.as_str().to_owned() }
}

impl StateStore for LsmStore {
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
        inner.opened += 1;
        let rows = self.tree(&format!("rows-{}", inner.opened))?;
        let timers = self.tree(&format!("timers-{}", inner.opened))?;
        let trees = Trees { rows, timers };
        let sizes = Arc::new(vec![Size::default(); self.groups as usize]);
        let schema = Arc::new(schema.clone());
        inner.ops.insert(op.clone(), Op { schema, announced: false, trees, sizes });
        Ok(())
    }

    fn forget(&self, op: &NodeId) -> Result<(), StateError> {
        let removed = self.inner().ops.remove(op);
        if let Some(Op { trees, .. }) = removed {
            self.database.delete_keyspace(trees.rows).map_err(failed)?;
            self.database.delete_keyspace(trees.timers).map_err(failed)?;
        }
        Ok(())
    }

    fn load(&self, op: &NodeId, parts: &[Part]) -> Result<(), StateError> {
        let mut inner = self.inner();
        let found = inner.ops.get_mut(op).ok_or_else(|| unknown(op))?;
        for part in parts {
            found.announced |= part.header().schema.is_some();
            let mut writer = Writer::new(&self.database, op, found);
            for section in part.sections() {
                writer.change(section.group, part.rows_of(section), true)?;
            }
            writer.write()?;
        }
        Ok(())
    }

    fn resume(&self, version: BatchId) -> Result<(), StateError> {
        self.inner().version = version;
        Ok(())
    }

    fn view(&self, op: &NodeId) -> Result<View, StateError> {
        let inner = self.inner();
        let found = inner.ops.get(op).ok_or_else(|| unknown(op))?;
        let version = Frozen {
            snapshot: self.database.snapshot(),
            trees: found.trees.clone(),
            layout: found.schema.layout(),
            sizes: Arc::clone(&found.sizes),
        };
        Ok(View {
            op: op.clone(),
            schema: Arc::clone(&found.schema),
            groups: self.groups,
            batch: inner.version,
            announced: found.announced,
            version: Arc::new(version),
        })
    }

    fn stage(&self, batch: BatchId, staged: Staged) -> Result<(), StateError> {
        let mut inner = self.inner();
        let found = inner.ops.get(&staged.op).ok_or_else(|| unknown(&staged.op))?;
        check_staged(batch, inner.version, &staged, &found.schema, &inner.staged)?;
        inner.staged.push(staged);
        Ok(())
    }

    fn commit(&self, batch: BatchId) -> Result<(), StateError> {
        let mut inner = self.inner();
        check_commit(batch, inner.version)?;
        let mut all = self.database.batch();
        for staged in std::mem::take(&mut inner.staged) {
            let op = &staged.op;
            let found = inner.ops.get_mut(op).ok_or_else(|| unknown(op))?;
            found.announced |= !staged.is_empty();
            let mut writer = Writer::new(&self.database, op, found);
            writer.batch = all;
            for section in staged.delta.sections() {
                writer.change(section.group, staged.delta.rows_of(section), false)?;
            }
            all = writer.batch;
        }
        all.commit().map_err(failed)?;
        inner.version = batch;
        Ok(())
    }

    fn abort(&self, _batch: BatchId) -> Result<(), StateError> {
        self.inner().staged.clear();
        Ok(())
    }
}

/// Changes the rows and timers of an op, and counts them.
struct Writer<'a> {
    database: &'a Database,
    batch: OwnedWriteBatch,
    op: &'a NodeId,
    layout: Layout,
    trees: &'a Trees,
    sizes: &'a mut Vec<Size>,
}

impl<'a> Writer<'a> {
    fn new(database: &'a Database, op: &'a NodeId, found: &'a mut Op) -> Self {
        let layout = found.schema.layout();
        let sizes = Arc::make_mut(&mut found.sizes);
        Self { database, batch: database.batch(), op, layout, trees: &found.trees, sizes }
    }

    /// Applies rows and removals of a key group. Of several of one key the last one counts.
    /// Without need for all or nothing, what is large is written in turns.
    fn change(&mut self, group: u32, delta: &[u8], in_turns: bool) -> Result<(), StateError> {
        let mut last: BTreeMap<&[u8], Entry<'_>> = BTreeMap::new();
        let mut cursor = Cursor::new(delta);
        while !cursor.rest().is_empty() {
            let entry = self.layout.entry(&mut cursor).map_err(|error| self.damaged(error))?;
            if entry.mark > TIMED {
                return Err(self.damaged(Malformed("a row has an unknown mark")));
            }
            last.insert(entry.key, entry);
        }
        for entry in last.values() {
            self.put(group, entry)?;
            if in_turns && self.batch.len() >= LOAD_ROWS {
                self.write()?;
            }
        }
        Ok(())
    }

    fn damaged(&self, problem: Malformed) -> StateError {
        StateError::damaged(&format!("state of op {}", self.op), problem)
    }

    fn put(&mut self, group: u32, entry: &Entry<'_>) -> Result<(), StateError> {
        let key = row_key(group, entry.key);
        let size = &mut self.sizes[group as usize];
        if let Some(old) = self.trees.rows.get(&key).map_err(failed)? {
            let (state, due) = unpack(&old)?;
            if let Some(due) = due {
                self.batch.remove(&self.trees.timers, timer_key(group, due, entry.key));
            }
            size.keys -= 1;
            size.bytes -= row_bytes(self.layout, entry.key, state, due);
            if entry.mark & REMOVED != 0 {
                self.batch.remove(&self.trees.rows, &*key);
            }
        }
        if entry.mark & REMOVED == 0 {
            size.keys += 1;
            size.bytes += entry.bytes.len() as u64;
            self.batch.insert(&self.trees.rows, key, pack(entry));
            if let Some(due) = entry.due {
                self.batch.insert(&self.trees.timers, timer_key(group, due, entry.key), []);
            }
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), StateError> {
        let batch = std::mem::replace(&mut self.batch, self.database.batch());
        batch.commit().map_err(failed)
    }
}

fn row_key(group: u32, key: &[u8]) -> Vec<u8> {
    [&group.to_be_bytes(), key].concat()
}

/// Moments as bytes in their order.
fn moment(due: i64) -> [u8; 8] {
    (due as u64 ^ 1 << 63).to_be_bytes()
}

fn timer_key(group: u32, due: i64, key: &[u8]) -> Vec<u8> {
    [&group.to_be_bytes()[..], &moment(due), key].concat()
}

/// A state with its timer: whether there is one, it, the state.
fn pack(entry: &Entry<'_>) -> Vec<u8> {
    match entry.due {
        Some(due) => [&[1][..], &due.to_le_bytes(), entry.state].concat(),
        None => [&[0][..], entry.state].concat(),
    }
}

fn unpack(packed: &[u8]) -> Result<(&[u8], Option<i64>), StateError> {
    let mut cursor = Cursor::new(packed);
    let due = match cursor.byte().map_err(failed)? {
        0 => None,
        _ => Some(i64::from_le_bytes(cursor.array().map_err(failed)?)),
    };
    Ok((cursor.rest(), due))
}

fn row_bytes(layout: Layout, key: &[u8], state: &[u8], due: Option<i64>) -> u64 {
    let mut row = Vec::with_capacity(64);
    layout.put_row(key, state, due, &mut row);
    row.len() as u64
}

impl Frozen {
    /// Gives a row as it is in a delta.
    fn give(&self, key: &[u8], packed: &[u8], take: &mut Take<'_>) -> Result<(), StateError> {
        let (state, due) = unpack(packed)?;
        let mut row = Vec::with_capacity(key.len() + state.len() + 16);
        self.layout.put_row(key, state, due, &mut row);
        take(self.layout.entry(&mut Cursor::new(&row)).map_err(failed)?)
    }
}

impl Version for Frozen {
    fn find(
        &self,
        group: u32,
        keys: &Keys,
        rows: &[u32],
        found: &mut Found,
    ) -> Result<(), StateError> {
        for row in rows {
            let key = row_key(group, keys.bytes(*row as usize));
            if let Some(packed) = self.snapshot.get(&self.trees.rows, key).map_err(failed)? {
                let (state, due) = unpack(&packed)?;
                found.put(*row, state, due);
            }
        }
        Ok(())
    }

    fn due(&self, group: u32, until: i64, take: &mut Take<'_>) -> Result<(), StateError> {
        for timer in self.snapshot.prefix(&self.trees.timers, group.to_be_bytes()) {
            let timer = timer.key().map_err(failed)?;
            let (due, key) = timer[4..].split_at(8);
            if *due > moment(until)[..] {
                break;
            }
            let row = self.snapshot.get(&self.trees.rows, row_key(group, key));
            let row = row.map_err(failed)?.ok_or_else(|| failed("a timer has no row"))?;
            self.give(key, &row, take)?;
        }
        Ok(())
    }

    fn scan(&self, group: u32, take: &mut Take<'_>) -> Result<(), StateError> {
        for row in self.snapshot.prefix(&self.trees.rows, group.to_be_bytes()) {
            let (key, packed) = row.into_inner().map_err(failed)?;
            self.give(&key[4..], &packed, take)?;
        }
        Ok(())
    }

    fn section(&self, group: u32) -> Result<(u64, Vec<u8>), StateError> {
        let (mut rows, mut bytes) = (0, Vec::new());
        self.scan(group, &mut |entry| {
            rows += 1;
            bytes.extend_from_slice(entry.bytes);
            Ok(())
        })?;
        Ok((rows, bytes))
    }

    fn size(&self, group: u32) -> Size {
        self.sizes[group as usize]
    }

    fn narrow(&self, _groups: &[u32]) -> Arc<dyn Version> {
        Arc::new(self.clone())
    }
}
