//! What the tests of state share.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Fields};

use super::value::{Row, batch, columns, rows};
use crate::id::{BatchId, NodeId};
use crate::state::*;
use crate::types;

/// Few groups, so that each has several keys.
pub const GROUPS: u32 = 16;

/// A state as the model has it: rows by key, with their timers.
pub type Model = BTreeMap<Row, (Row, Option<i64>)>;

/// What a batch does with a key: a new state, or none.
pub type Change = (Row, NewState);

/// A state with its timer, or none.
pub type NewState = Option<(Row, Option<i64>)>;

/// Makes stores.
pub type Make = dyn Fn() -> Box<dyn StateStore>;

pub fn op() -> NodeId {
    NodeId::new("counts")
}

/// Columns by name and type; a `?` at the end of the type says that it may be null.
pub fn fields(columns: &[(&str, &str)]) -> Fields {
    let field = |(name, text): &(&str, &str)| {
        let data_type = types::parse(text.trim_end_matches('?')).unwrap();
        Field::new(*name, data_type, text.ends_with('?'))
    };
    columns.iter().map(field).collect()
}

pub fn schema(key: &[(&str, &str)], state: &[(&str, &str)]) -> StateSchema {
    StateSchema::new(1, fields(key), fields(state)).unwrap()
}

/// int64 to int64.
pub fn numbers() -> StateSchema {
    schema(&[("k", "int64?")], &[("n", "int64?")])
}

/// Changes of a batch by lanes, staged and with their references.
pub fn stage(
    store: &dyn StateStore,
    batch_id: BatchId,
    changes: &[Change],
    lanes: u32,
    blobs: &dyn Blobs,
) -> Vec<PartRefV1> {
    let mut parts = Vec::new();
    for number in 0..lanes {
        let groups = lane_groups(store.groups(), number, lanes);
        let view = store.view(&op()).unwrap();
        let mine = of_lane(&view, changes, groups.clone());
        let mut lane = Lane::new(view, batch_id, groups);
        write(&mut lane, &mine);
        let staged = lane.seal();
        if !staged.is_empty() {
            let part = staged.refer(&format!("a{number}"), 100);
            if let PlaceV1::Blob(name) = &part.place {
                blobs.put(name, staged.delta().bytes()).unwrap();
            }
            parts.push(part);
        }
        store.stage(batch_id, staged).unwrap();
    }
    parts
}

fn of_lane(view: &View, changes: &[Change], groups: std::ops::Range<u32>) -> Vec<Change> {
    let wanted: Vec<Row> = changes.iter().map(|change| change.0.clone()).collect();
    let keys = view.keys(&columns(view.schema().key().fields(), &wanted)).unwrap();
    let mine = changes.iter().zip(keys.groups()).filter(|(_, group)| groups.contains(group));
    mine.map(|(change, _)| change.clone()).collect()
}

/// Writes changes to a lane.
pub fn write(lane: &mut Lane, changes: &[Change]) {
    let schema = lane.schema().clone();
    let (kept, gone): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|change| change.1.is_some());
    let keys_of = |changes: &[&Change]| {
        let keys: Vec<Row> = changes.iter().map(|change| change.0.clone()).collect();
        columns(schema.key().fields(), &keys)
    };
    let states: Vec<Row> = kept.iter().map(|c| c.1.clone().unwrap().0).collect();
    let due = kept.iter().map(|c| c.1.clone().unwrap().1);
    let due = TimestampMicrosecondArray::from_iter(due).with_timezone("UTC");
    let keys = lane.keys(&keys_of(&kept)).unwrap();
    lane.upsert(&keys, &batch(schema.state(), &states), Some(&due)).unwrap();
    let keys = lane.keys(&keys_of(&gone)).unwrap();
    lane.remove(&keys).unwrap();
}

/// A batch of one lane, committed.
pub fn commit(store: &dyn StateStore, changes: &[Change], blobs: &dyn Blobs) -> StateRefsV1 {
    let next = store.version().next();
    let parts = stage(store, next, changes, 1, blobs);
    store.commit(next).unwrap();
    refs(parts)
}

pub fn refs(parts: Vec<PartRefV1>) -> StateRefsV1 {
    StateRefsV1 { op: op().as_str().to_owned(), groups: GROUPS, parts }
}

/// Applies changes to the model.
pub fn change(model: &mut Model, changes: &[Change]) {
    for (key, state) in changes {
        let key: Row = key.iter().map(super::value::canonical).collect();
        match state {
            Some(state) => model.insert(key, state.clone()),
            None => model.remove(&key),
        };
    }
}

fn unpack(found: &StateRows) -> Vec<(Row, (Row, Option<i64>))> {
    let count = found.due.len();
    let due = (0..count).map(|row| found.due.is_valid(row).then(|| found.due.value(row)));
    let states = rows(found.state.columns(), count).into_iter().zip(due);
    rows(found.keys.columns(), count).into_iter().zip(states).collect()
}

/// Everything of a view, in the order of its scans.
pub fn everything(view: &View) -> Vec<(Row, (Row, Option<i64>))> {
    (0..view.groups()).flat_map(|group| unpack(&view.scan(group).unwrap())).collect()
}

/// What is due, in order.
pub fn due(view: &View, until: i64) -> Vec<(Row, (Row, Option<i64>))> {
    unpack(&view.due(0..view.groups(), until).unwrap())
}

/// Whether a view is what the model says.
pub fn check(view: &View, model: &Model, pool: &[Row]) {
    let all = everything(view);
    assert_eq!(all.len(), model.len());
    assert_eq!(view.size().keys, model.len() as u64);
    assert_eq!(all.iter().cloned().collect::<Model>(), *model);
    let keys = view.keys(&columns(view.schema().key().fields(), pool)).unwrap();
    let prior = view.read(&keys).unwrap();
    for (row, key) in pool.iter().enumerate() {
        let key: Row = key.iter().map(super::value::canonical).collect();
        let expected = model.get(&key);
        assert_eq!(prior.state.is_valid(row), expected.is_some());
        let timer = prior.due.is_valid(row).then(|| prior.due.value(row));
        assert_eq!(timer, expected.and_then(|expected| expected.1));
        if let Some((state, _)) = expected {
            let found: Row =
                prior.state.columns().iter().map(|c| super::value::value(c, row)).collect();
            assert_eq!(found, *state);
        }
    }
    for until in [i64::MIN, -3, 0, 7, i64::MAX] {
        let found = due(view, until);
        assert!(found.is_sorted_by_key(|(_, (_, due))| *due));
        let timed = model.iter().filter(|(_, (_, due))| due.is_some_and(|due| due <= until));
        let timed: Model = timed.map(|(key, state)| (key.clone(), state.clone())).collect();
        assert_eq!(found.len(), timed.len());
        assert_eq!(found.into_iter().collect::<Model>(), timed);
    }
}

/// A store restored from records.
pub fn restored(
    make: &Make,
    schema: &StateSchema,
    records: &[StateRefsV1],
    blobs: &dyn Blobs,
) -> Box<dyn StateStore> {
    let mut live = Live::new(&op(), GROUPS);
    records.iter().for_each(|record| {
        live.apply(record).unwrap();
    });
    let store = make();
    let restored = restore(&*store, &live, blobs, 3).unwrap();
    assert!(restored.schema.is_none_or(|found| *found == *schema));
    store.open(&op(), schema).unwrap();
    store.resume(BatchId(records.len() as u64)).unwrap();
    store
}

/// A store on disk, in a folder that goes with it.
#[cfg(feature = "lsm")]
pub fn lsm() -> Box<dyn StateStore> {
    let folder = tempfile::tempdir().unwrap();
    let store = LsmStore::open(&folder.path().join("store"), GROUPS, 1 << 20).unwrap();
    Box::new(InFolder { store, _folder: folder })
}

/// A store and, dropped after it, its folder.
#[cfg(feature = "lsm")]
struct InFolder {
    store: LsmStore,
    _folder: tempfile::TempDir,
}

#[cfg(feature = "lsm")]
impl StateStore for InFolder {
    fn groups(&self) -> u32 {
        self.store.groups()
    }

    fn version(&self) -> BatchId {
        self.store.version()
    }

    fn ops(&self) -> Vec<NodeId> {
        self.store.ops()
    }

    fn open(&self, op: &NodeId, schema: &StateSchema) -> Result<(), StateError> {
        self.store.open(op, schema)
    }

    fn forget(&self, op: &NodeId) -> Result<(), StateError> {
        self.store.forget(op)
    }

    fn load(&self, op: &NodeId, parts: &[Part]) -> Result<(), StateError> {
        self.store.load(op, parts)
    }

    fn resume(&self, version: BatchId) -> Result<(), StateError> {
        self.store.resume(version)
    }

    fn view(&self, op: &NodeId) -> Result<View, StateError> {
        self.store.view(op)
    }

    fn stage(&self, batch: BatchId, staged: Staged) -> Result<(), StateError> {
        self.store.stage(batch, staged)
    }

    fn commit(&self, batch: BatchId) -> Result<(), StateError> {
        self.store.commit(batch)
    }

    fn abort(&self, batch: BatchId) -> Result<(), StateError> {
        self.store.abort(batch)
    }
}

pub fn memory_blobs() -> Arc<MemoryBlobs> {
    Arc::default()
}
