//! Parts that are not as they were written.

use std::sync::Arc;

use super::kit::*;
use super::value::Value;
use crate::state::*;

fn rows(from: i64, count: i64) -> Vec<Change> {
    let row = |key| {
        let state = vec![Value::Text(format!("{key} ż")), Value::List(vec![Value::Int(key)])];
        (vec![Value::Text(format!("k{key}"))], Some((state, (key % 3 == 0).then_some(key))))
    };
    let gone = (vec![Value::Text("k1".into())], None);
    (from..from + count).map(row).chain([gone]).collect()
}

fn texts() -> StateSchema {
    schema(&[("k", "string?")], &[("t", "string?"), ("l", "list<int64?>?")])
}

/// A delta and a snapshot, each as bytes.
fn parts() -> [Vec<u8>; 2] {
    let store = MemoryStore::new(GROUPS, 1);
    store.open(&op(), &texts()).unwrap();
    let refs = commit(&store, &rows(2, 8), &*memory_blobs());
    let PlaceV1::Blob(_) = &refs.parts[0].place else { unreachable!("it is over 100 bytes") };
    let view = store.view(&op()).unwrap();
    let groups: Vec<u32> = (0..GROUPS).collect();
    let mut lane = Lane::new(view.clone(), crate::id::BatchId(2), 0..GROUPS);
    write(&mut lane, &rows(4, 5));
    [lane.seal().delta().bytes().to_vec(), view.snapshot(&groups).unwrap().bytes().to_vec()]
}

#[test]
fn every_cut_and_every_flipped_bit_is_refused() {
    for part in parts() {
        assert!(Part::read("whole", part.clone()).is_ok());
        for length in 0..part.len() {
            let error = Part::read("cut", part[..length].to_vec()).unwrap_err();
            assert!(error.to_string().contains("`cut`"), "{error}");
        }
        for bit in 0..part.len() * 8 {
            let mut other = part.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(Part::read("flipped", other).is_err(), "bit {bit}");
        }
    }
}

/// Even where the checksum was made to fit, nothing worse than an error comes of odd bytes.
#[test]
fn odd_bytes_with_a_right_checksum_are_an_error_or_rows() {
    use xxhash_rust::xxh3::xxh3_64;
    let (mut refused, mut read) = (0, 0);
    for part in parts() {
        let end = part.len() - 8;
        for bit in 6 * 8..end * 8 {
            let mut other = part.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let sum = xxh3_64(&other[..end]).to_le_bytes();
            other[end..].copy_from_slice(&sum);
            match Part::read("odd", other).and_then(load) {
                Ok(()) => read += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 100 && read > 100, "{refused} refused, {read} read");
}

fn load(part: Part) -> Result<(), StateError> {
    let store = MemoryStore::new(GROUPS, 1);
    let schema = part.schema().unwrap_or_else(|| Ok(texts()))?;
    if part.header().groups != GROUPS {
        return Ok(());
    }
    store.open(&op(), &schema)?;
    store.load(&op(), &[part])?;
    let view = store.view(&op())?;
    view.due(0..GROUPS, i64::MAX)?;
    (0..GROUPS).try_for_each(|group| view.scan(group).map(|_| ()))
}

fn two_batches(make: &Make) -> (Vec<StateRefsV1>, Arc<MemoryBlobs>) {
    let (store, blobs) = (make(), memory_blobs());
    store.open(&op(), &texts()).unwrap();
    let records =
        vec![commit(&*store, &rows(0, 30), &*blobs), commit(&*store, &rows(10, 30), &*blobs)];
    (records, blobs)
}

fn try_restore(
    make: &Make,
    records: &[StateRefsV1],
    blobs: &dyn Blobs,
) -> (Box<dyn StateStore>, Result<Restored, StateError>) {
    let mut live = Live::new(&op(), GROUPS);
    let store = make();
    for record in records {
        if let Err(error) = live.apply(record) {
            return (store, Err(error));
        }
    }
    let restored = restore(&*store, &live, blobs, 2);
    (store, restored)
}

pub fn a_missing_or_exchanged_part_is_named(make: &Make) {
    let (records, blobs) = two_batches(make);
    let names = blobs.list("state/counts/").unwrap();
    assert_eq!(names.len(), 2);
    let refused = |records: &[StateRefsV1], code: &str| {
        let error = try_restore(make, records, &*blobs).1.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        error.to_string()
    };
    let [first, second] = [0, 1].map(|n| blobs.get(&names[n]).unwrap());
    blobs.put(&names[1], &first).unwrap();
    assert!(refused(&records, "WEIR-STATE-007").contains(&names[1]));
    let mut cut = second.clone();
    cut.truncate(40);
    blobs.put(&names[1], &cut).unwrap();
    assert!(refused(&records, "WEIR-STATE-006").contains(&names[1]));
    blobs.remove(&names[1]).unwrap();
    assert!(refused(&records, "WEIR-STATE-009").contains(&names[1]));
    blobs.put(&names[1], &second).unwrap();
    assert!(try_restore(make, &records, &*blobs).1.is_ok());
    assert_eq!(refused(&records[1..], "WEIR-STATE-006"), NO_SCHEMA);
    let mut other = records.clone();
    other[1].op = "other".to_owned();
    refused(&other, "WEIR-STATE-007");
    let mut beyond = records.clone();
    beyond[1].parts[0].ranges = vec![(0, GROUPS)];
    refused(&beyond, "WEIR-STATE-007");
    let mut fewer = records.clone();
    fewer[1].parts[0].ranges = vec![(0, 1)];
    refused(&fewer, "WEIR-STATE-007");
    let mut newer = first.clone();
    newer[6] = 2;
    let end = newer.len() - 8;
    let sum = xxhash_rust::xxh3::xxh3_64(&newer[..end]).to_le_bytes();
    newer[end..].copy_from_slice(&sum);
    blobs.put(&names[0], &newer).unwrap();
    assert!(refused(&records, "WEIR-STATE-008").contains("format 2"));
}

const NO_SCHEMA: &str = "the parts of the state of op `counts` do not say what its columns are";

pub fn a_failed_restore_leaves_no_state(make: &Make) {
    let (records, blobs) = two_batches(make);
    let names = blobs.list("state/counts/").unwrap();
    blobs.remove(&names[1]).unwrap();
    let (store, restored) = try_restore(make, &records, &*blobs);
    assert!(restored.is_err());
    assert_eq!(store.view(&op()).unwrap_err().code(), "WEIR-STATE-003");
}

#[test]
fn a_small_delta_is_small_and_records_come_back() {
    let store = MemoryStore::new(KEY_GROUPS, 1);
    store.open(&op(), &numbers()).unwrap();
    let ten = |state: i64| -> Vec<Change> {
        let row = |key| (vec![Value::Int(key)], Some((vec![Value::Int(state)], None)));
        (0..10).map(row).collect()
    };
    let mut lengths = Vec::new();
    for n in 1..=2 {
        let mut lane = Lane::new(store.view(&op()).unwrap(), crate::id::BatchId(n), 0..KEY_GROUPS);
        write(&mut lane, &ten(n as i64));
        let staged = lane.seal();
        lengths.push(staged.delta().bytes().len());
        let refs = refs(vec![staged.refer("a", 4096)]);
        let bytes = bincode::encode_to_vec(&refs, bincode::config::standard()).unwrap();
        let (back, _) = bincode::decode_from_slice(&bytes, bincode::config::standard()).unwrap();
        assert_eq!(refs, back);
        store.stage(crate::id::BatchId(n), staged).unwrap();
        store.commit(crate::id::BatchId(n)).unwrap();
    }
    assert!(lengths[0] < 330 && lengths[1] < 300, "{lengths:?} bytes for 160 changed ones");
}

/// What is on disk stays readable: these bytes may never change.
#[test]
fn a_delta_is_written_as_documented() {
    let store = MemoryStore::new(GROUPS, 1);
    let columns = schema(&[("k", "string")], &[("n", "int32?")]);
    store.open(&op(), &columns).unwrap();
    let mut lane = Lane::new(store.view(&op()).unwrap(), crate::id::BatchId(1), 0..GROUPS);
    write(
        &mut lane,
        &[
            (vec![Value::Text("the".into())], Some((vec![Value::Int(7)], Some(9)))),
            (vec![Value::Text("a".into())], None),
        ],
    );
    let delta = lane.seal().delta().bytes().to_vec();
    let body = &delta[delta.len() - 8 - 29..delta.len() - 8];
    // Group 4: a removal of "a". Group 45 modulo 16: "the", 7, due at 9.
    assert_eq!(body[..7], [4, 1, 4, 1, 2, 1, b'a']);
    assert_eq!(body[7..10], [13, 1, 19]);
    assert_eq!(body[10..16], [2, 4, 3, b't', b'h', b'e']);
    assert_eq!(body[16..21], [1, 7, 0, 0, 0]);
    assert_eq!(body[21..], [9, 0, 0, 0, 0, 0, 0, 0]);
}
