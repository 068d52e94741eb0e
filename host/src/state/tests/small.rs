//! One rule a test.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};

use arrow::datatypes::{DataType, Field, Fields};

use super::kit::*;
use super::value::Value;
use crate::id::{BatchId, NodeId};
use crate::state::*;

fn number(key: i64, state: i64) -> Change {
    (vec![Value::Int(key)], Some((vec![Value::Int(state)], None)))
}

fn timed(key: i64, due: Option<i64>) -> Change {
    (vec![Value::Int(key)], Some((vec![Value::Int(0)], due)))
}

fn gone(key: i64) -> Change {
    (vec![Value::Int(key)], None)
}

pub fn a_batch_is_seen_whole_or_not_at_all(store: &dyn StateStore) {
    let blobs = memory_blobs();
    store.open(&op(), &numbers()).unwrap();
    commit(store, &[number(1, 10), number(2, 20)], &*blobs);
    let first = store.view(&op()).unwrap();
    stage(store, BatchId(2), &[number(1, 11), gone(2), number(3, 30)], 4, &*blobs);
    assert_eq!(everything(&store.view(&op()).unwrap()), everything(&first));
    store.abort(BatchId(2)).unwrap();
    commit(store, &[number(1, 12)], &*blobs);
    let second = store.view(&op()).unwrap();
    commit(store, &[gone(1), gone(2)], &*blobs);
    let keys = |view: &View| {
        let states = everything(view).into_iter().map(|(_, (state, _))| state[0].clone());
        let mut states: Vec<Value> = states.collect();
        states.sort();
        states
    };
    assert_eq!(keys(&first), [Value::Int(10), Value::Int(20)]);
    assert_eq!(keys(&second), [Value::Int(12), Value::Int(20)]);
    assert_eq!(keys(&store.view(&op()).unwrap()), []);
    let batches = [first.batch(), second.batch(), store.version()];
    assert_eq!(batches, [BatchId(1), BatchId(2), BatchId(3)]);
}

pub fn wrong_changes_are_refused(store: &dyn StateStore) {
    let code = |result: Result<(), StateError>| result.unwrap_err().code();
    assert_eq!(code(store.view(&op()).map(|_| ())), "WEIR-STATE-003");
    store.open(&op(), &numbers()).unwrap();
    let other = schema(&[("k", "string")], &[("n", "int64")]);
    assert_eq!(code(store.open(&op(), &other)), "WEIR-STATE-004");
    let view = || store.view(&op()).unwrap();
    let sealed = |batch: u64, groups| Lane::new(view(), BatchId(batch), groups).seal();
    assert_eq!(code(store.stage(BatchId(2), sealed(2, 0..GROUPS))), "WEIR-STATE-005");
    assert_eq!(code(store.stage(BatchId(1), sealed(2, 0..GROUPS))), "WEIR-STATE-005");
    assert_eq!(code(store.commit(BatchId(2))), "WEIR-STATE-005");
    store.stage(BatchId(1), sealed(1, 0..8)).unwrap();
    assert_eq!(code(store.stage(BatchId(1), sealed(1, 7..GROUPS))), "WEIR-STATE-005");
    store.stage(BatchId(1), sealed(1, 8..GROUPS)).unwrap();
    store.commit(BatchId(1)).unwrap();
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..50));
    let lane = Lane::new(view(), BatchId(2), 0..1);
    assert_eq!(code(lane.keys(&[Arc::clone(&numbers)]).map(|_| ())), "WEIR-STATE-005");
    let mut lane = Lane::new(view(), BatchId(2), 0..GROUPS);
    let keys = lane.keys(&[numbers]).unwrap();
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0; 50]));
    let wrong = RecordBatch::try_from_iter([("n", floats)]).unwrap();
    assert_eq!(code(lane.upsert(&keys, &wrong, None)), "WEIR-STATE-002");
    let short: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let short = RecordBatch::try_from_iter([("n", short)]).unwrap();
    assert_eq!(code(lane.upsert(&keys, &short, None)), "WEIR-STATE-002");
    store.forget(&op()).unwrap();
    assert_eq!(code(store.stage(BatchId(2), lane.seal())), "WEIR-STATE-003");
    assert_eq!(store.ops(), Vec::<NodeId>::new());
}

pub fn odd_floats_and_nulls_are_one_key_each(store: &dyn StateStore) {
    let blobs = memory_blobs();
    let columns = schema(&[("x", "float64?")], &[("y", "float64")]);
    store.open(&op(), &columns).unwrap();
    let odd = [Some(0.0), Some(-0.0), Some(f64::NAN), Some(-f64::NAN), None, None];
    for (n, key) in odd.iter().enumerate() {
        let key = key.map_or(Value::Null, |key| Value::Float(key.to_bits()));
        let state = if n == 1 { -0.0 } else { n as f64 };
        let state = vec![Value::Float(f64::to_bits(state))];
        commit(store, &[(vec![key], Some((state, None)))], &*blobs);
    }
    let mut all = everything(&store.view(&op()).unwrap());
    all.sort();
    let float = |value: f64| Value::Float(value.to_bits());
    let states: Vec<&Value> = all.iter().map(|(_, (state, _))| &state[0]).collect();
    assert_eq!(states, [&float(5.0), &float(-0.0), &float(3.0)]);
    let keys: Vec<&Value> = all.iter().map(|(key, _)| &key[0]).collect();
    assert_eq!(keys, [&Value::Null, &float(0.0), &float(f64::NAN)]);
}

pub fn timers_follow_their_rows(store: &dyn StateStore) {
    let blobs = memory_blobs();
    store.open(&op(), &numbers()).unwrap();
    let keys = |until: i64| -> Vec<i64> {
        let found = due(&store.view(&op()).unwrap(), until);
        let key = |(key, _): (Vec<Value>, _)| match key[0] {
            Value::Int(key) => key,
            _ => i64::MIN,
        };
        found.into_iter().map(key).collect()
    };
    commit(store, &[timed(1, Some(30)), timed(2, Some(10)), timed(3, None)], &*blobs);
    assert_eq!((keys(9), keys(10), keys(100)), (vec![], vec![2], vec![2, 1]));
    commit(store, &[timed(2, Some(40)), timed(3, Some(-5))], &*blobs);
    assert_eq!((keys(10), keys(100)), (vec![3], vec![3, 1, 2]));
    commit(store, &[gone(3), timed(1, None)], &*blobs);
    assert_eq!(keys(100), [2]);
    // A timer that moves in every batch leaves nothing behind.
    for moment in 0..1_000 {
        commit(store, &[timed(2, Some(moment)), timed(4, Some(-moment))], &*blobs);
    }
    assert_eq!((keys(-999), keys(5_000)), (vec![4], vec![4, 2]));
    let memory = store.view(&op()).unwrap().size().memory;
    assert!(memory < 16 * 1024, "{memory} bytes for two keys");
    commit(store, &[timed(2, Some(7)), timed(4, Some(7)), timed(5, Some(7))], &*blobs);
    let tied = keys(7);
    commit(store, &[timed(5, Some(7)), timed(4, Some(7)), timed(2, Some(7))], &*blobs);
    assert_eq!((tied.len(), &tied), (3, &keys(7)));
}

pub fn snapshots_stay_within_their_bytes(make: &Make) {
    let (store, blobs) = (make(), memory_blobs());
    let schema = numbers();
    store.open(&op(), &schema).unwrap();
    let writer = SnapshotWriter::start(blobs.clone()).unwrap();
    let (mut wear, mut live) = (Wear::new(GROUPS), Live::new(&op(), GROUPS));
    let (mut deltas, mut model) = (0, Model::new());
    for n in 1..=60 {
        let changes: Vec<Change> =
            (0..2_000).map(|key| number((key * 7 + n * 1_999) % 20_000, n)).collect();
        change(&mut model, &changes);
        let mut lane = Lane::new(store.view(&op()).unwrap(), BatchId(n as u64), 0..GROUPS);
        write(&mut lane, &changes);
        let staged = lane.seal();
        wear.add(staged.delta());
        deltas += staged.delta().bytes().len();
        let mut parts = vec![staged.refer("a", usize::MAX)];
        store.stage(BatchId(n as u64), staged).unwrap();
        parts.extend(writer.written().into_iter().map(|written| written.part.unwrap()));
        store.commit(BatchId(n as u64)).unwrap();
        let view = store.view(&op()).unwrap();
        let sizes = view.sizes();
        let groups = wear.choose(&sizes);
        if !groups.is_empty() && !writer.write(&view, &groups, &format!("s{n}")) {
            wear.failed(&groups, &sizes);
        }
        live.apply(&refs(parts)).unwrap();
    }
    let last: Vec<PartRefV1> =
        writer.finish().unwrap().into_iter().map(|written| written.part.unwrap()).collect();
    live.apply(&refs(last)).unwrap();
    let names = blobs.list("state/").unwrap();
    let snapshots: usize = names.iter().map(|name| blobs.get(name).unwrap().len()).sum();
    assert!(names.len() > 3, "{} snapshots were written", names.len());
    assert!(snapshots <= deltas, "{snapshots} bytes of snapshots for {deltas} of deltas");
    assert!(live.parts().len() < 60, "{} parts are needed", live.parts().len());
    let again = make();
    let restored = restore(&*again, &live, &*blobs, 2).unwrap();
    let state = again.view(&op()).unwrap();
    assert!(restored.bytes < 4 * state.size().bytes + 64 * 1024, "a restore reads little");
    check(&state, &model, &[]);
}

/// Threads and tables that move their rows make no difference.
#[test]
fn many_changes_by_several_threads_are_the_same() {
    let columns = schema(&[("k", "int64")], &[("t", "string?")]);
    let stores = [1, 3].map(|threads| MemoryStore::new(GROUPS, threads));
    let mut model = Model::new();
    for n in 0..6_usize {
        let change = |key: i64| {
            let text = Value::Text("x".repeat((key as usize + n) * 31 % 50));
            let state = (vec![text], (key % 5 == 0).then_some(key + n as i64));
            (vec![Value::Int(key)], (key as usize % 7 != n).then_some(state))
        };
        let changes: Vec<Change> = (0..12_000).map(change).collect();
        super::kit::change(&mut model, &changes);
        for store in &stores {
            store.open(&op(), &columns).unwrap();
            commit(store, &changes, &*memory_blobs());
        }
    }
    for store in &stores {
        let view = store.view(&op()).unwrap();
        check(&view, &model, &[]);
        let size = view.size();
        assert!(size.memory < 3 * size.bytes, "{size:?}");
    }
}

#[test]
fn deltas_are_folded_when_there_are_many() {
    let store = MemoryStore::new(GROUPS, 1);
    store.open(&op(), &numbers()).unwrap();
    let blobs = memory_blobs();
    let writer = SnapshotWriter::start(blobs.clone()).unwrap();
    let mut live = Live::new(&op(), GROUPS);
    let mut model = Model::new();
    for n in 1..=1_000 {
        assert!(live.foldable().is_none());
        let changes = [number(n % 50, n), number(n, 0)];
        change(&mut model, &changes);
        live.apply(&commit(&store, &changes, &*blobs)).unwrap();
    }
    let deltas = live.foldable().unwrap();
    let schema = Arc::clone(store.view(&op()).unwrap().schema());
    assert!(writer.fold(&schema, &live, deltas, "f"));
    let changes = [number(1, 77)];
    change(&mut model, &changes);
    live.apply(&commit(&store, &changes, &*blobs)).unwrap();
    let folded = writer.finish().unwrap().remove(0).part.unwrap();
    let dropped = live.apply(&refs(vec![folded])).unwrap();
    assert_eq!((dropped.len(), live.parts().len()), (1_000, 2));
    let snapshot = store.view(&op()).unwrap().snapshot(&(0..GROUPS).collect::<Vec<_>>()).unwrap();
    let snapshot = PartRefV1::new(&snapshot, PlaceV1::Inline(snapshot.bytes().to_vec()));
    let dropped = live.clone().apply(&refs(vec![snapshot])).unwrap();
    assert_eq!(dropped.len(), 2, "a snapshot of everything replaces all there was");
    let again = MemoryStore::new(GROUPS, 1);
    restore(&again, &live, &*blobs, 1).unwrap();
    check(&again.view(&op()).unwrap(), &model, &[]);
}

#[test]
fn every_key_group_has_one_lane_as_rows_are_routed() {
    for lanes in 1..=KEY_GROUPS {
        for lane in 0..lanes {
            for group in lane_groups(KEY_GROUPS, lane, lanes) {
                assert_eq!(group * lanes / KEY_GROUPS, lane, "group {group} of {lanes} lanes");
            }
        }
        let all: usize = (0..lanes).map(|lane| lane_groups(KEY_GROUPS, lane, lanes).len()).sum();
        assert_eq!(all as u32, KEY_GROUPS);
    }
}

#[test]
fn columns_that_no_state_can_have_are_refused() {
    let field = |data_type| vec![Field::new("a", data_type, true)].into();
    let code = |key, state| StateSchema::new(1, key, state).unwrap_err().code();
    let number = || field(DataType::Int64);
    assert_eq!(code(Fields::empty(), number()), "WEIR-STATE-001");
    for refused in [DataType::Int16, DataType::LargeUtf8, DataType::Struct(Fields::empty())] {
        assert_eq!(code(number(), field(refused.clone())), "WEIR-STATE-001");
        assert_eq!(code(field(refused), number()), "WEIR-STATE-001");
    }
    let one = StateSchema::new(1, number(), number()).unwrap();
    let two = StateSchema::new(2, number(), number()).unwrap();
    assert_ne!(one.id(), two.id());
}

/// Asked twice before the first answer is listed, two folds have the same batches.
#[test]
fn of_two_folds_of_the_same_deltas_one_stays() {
    let store = MemoryStore::new(GROUPS, 1);
    store.open(&op(), &numbers()).unwrap();
    let (blobs, mut live, mut model) = (memory_blobs(), Live::new(&op(), GROUPS), Model::new());
    for n in 1..=5 {
        let changes = [number(n % 3, n), number(n, 0)];
        change(&mut model, &changes);
        live.apply(&commit(&store, &changes, &*blobs)).unwrap();
    }
    let writer = SnapshotWriter::start(blobs.clone()).unwrap();
    let schema = Arc::clone(store.view(&op()).unwrap().schema());
    for attempt in ["f", "g"] {
        let deltas = live.foldable_from(2, u64::MAX).unwrap();
        assert!(writer.fold(&schema, &live, deltas, attempt));
    }
    for folded in writer.finish().unwrap() {
        live.apply(&refs(vec![folded.part.unwrap()])).unwrap();
        assert_eq!(live.parts().len(), 1);
    }
    assert!(live.foldable_from(1, u64::MAX).is_none(), "one part is no two");
    let again = MemoryStore::new(GROUPS, 1);
    restore(&again, &live, &*blobs, 1).unwrap();
    check(&again.view(&op()).unwrap(), &model, &[]);
}
