//! Every bit of a checkpoint, one after the other: a flip is named, or everything that is read back
//! is the same. Files are held in memory and read by the host's own code, in this process.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;
use std::sync::Arc;

use weir_host::batch::{Look, LookError};
use weir_host::checkpoint::{CheckpointError, History, IdentityV1, look, verify};
use weir_host::durable::frame::BLOCK_BYTES;
use weir_host::durable::{Entry, Store, StoreError};
use weir_host::state::check_part;

use crate::bench::{Bench, Ended};
use crate::chance::{Chance, asked, tell};
use crate::shapes::shape;

/// Files that are left as they are: nothing is read from them.
const UNREAD: [&str; 2] = ["lock", "reserve"];

/// Segments are cut to a multiple of so many bytes: the zeroes of 8 MiB are all alike.
const SEGMENT_BYTES: usize = 64 << 10;

/// Files by their names.
type Files = BTreeMap<String, Vec<u8>>;

/// A bit of a file.
#[derive(Clone, Debug)]
struct Bit {
    file: String,
    at: usize,
}

/// Files in memory, one bit of which may be another.
struct Held {
    files: Arc<Files>,
    flipped: Option<Bit>,
}

fn refused<T>(name: &str) -> Result<T, StoreError> {
    Err(StoreError::Misuse { name: name.to_owned(), problem: "it is only read here" })
}

impl Store for Held {
    fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, StoreError> {
        let missing = || StoreError::Missing { name: name.to_owned() };
        let mut bytes = self.files.get(name).cloned().ok_or_else(missing)?;
        assert!(bytes.len() as u64 <= most);
        if let Some(bit) = self.flipped.as_ref().filter(|bit| bit.file == name) {
            bytes[bit.at / 8] ^= 1 << (bit.at % 8);
        }
        Ok(bytes)
    }

    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let files = self.files.iter().filter(|(name, _)| name.starts_with(prefix));
        let entry = |(name, bytes): (&String, &Vec<u8>)| Entry {
            name: name.clone(),
            bytes: bytes.len() as u64,
        };
        Ok(files.map(entry).collect())
    }

    fn create(&self, name: &str, _: &[u8]) -> Result<(), StoreError> {
        refused(name)
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        refused(name)
    }

    fn create_segment(&self, name: &str, _: u64) -> Result<(), StoreError> {
        refused(name)
    }

    fn prepare_segment(&self, name: &str, _: u64) -> Result<(), StoreError> {
        refused(name)
    }

    fn append(&self, name: &str, _: u64, _: &[u8]) -> Result<(), StoreError> {
        refused(name)
    }

    fn settle(&self, name: &str) -> Result<(), StoreError> {
        refused(name)
    }

    fn release_reserve(&self) -> Result<bool, StoreError> {
        refused("reserve")
    }

    fn restore_reserve(&self) -> Result<(), StoreError> {
        refused("reserve")
    }
}

/// All that a start goes on from: which job, what has happened, and the states as rows.
type Known = (IdentityV1, History, BTreeMap<String, BTreeSet<String>>);

/// Reads everything.
fn read(files: &Arc<Files>, flipped: Option<&Bit>) -> Result<Known, LookError> {
    let held = Arc::new(Held { files: Arc::clone(files), flipped: flipped.cloned() });
    let (identity, history) = look(&*held)?.unwrap();
    let look = Look::at(held, None, 1)?.unwrap();
    let mut states = BTreeMap::new();
    for op in look.ops() {
        let rows = look.rows(&op)?;
        let rows = rows.iter().flat_map(|rows| {
            let row = move |at| format!("{:?}", rows.slice(at, 1).columns());
            (0..rows.num_rows()).map(row)
        });
        states.insert(op.to_string(), rows.collect());
    }
    Ok((identity, history, states))
}

/// The files of a checkpoint of twenty batches by three owners; the last batch is prepared and not
/// committed.
fn twenty() -> Arc<Files> {
    let mut bench = Bench::with_inputs(shape("told"), 20);
    assert_eq!(bench.crash("commit-intent-durable:7"), Ended::Killed);
    assert_eq!(bench.crash("sink-committed:11"), Ended::Killed);
    let left = 20 - bench.shown(false).len();
    assert_eq!(bench.crash(&format!("prepared-durable:{left}")), Ended::Killed);
    assert!(bench.verify().0);
    let mut files = Files::new();
    for file in bench.files() {
        let name = file.to_str().unwrap().to_owned();
        if UNREAD.contains(&name.as_str()) {
            continue;
        }
        let mut bytes = std::fs::read(bench.checkpoint().join(&file)).unwrap();
        if name.starts_with("log/") {
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
            bytes.truncate((used + 1).next_multiple_of(SEGMENT_BYTES));
        }
        files.insert(name, bytes);
    }
    Arc::new(files)
}

/// All bits of what is written, and one in each block of the zeroes behind it.
fn bits(files: &Files) -> Vec<Bit> {
    let of_file = |(name, bytes): (&String, &Vec<u8>)| {
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        let blocks = used.div_ceil(BLOCK_BYTES)..bytes.len() / BLOCK_BYTES;
        let tail = blocks.map(|block| (block * BLOCK_BYTES + block * 37 % BLOCK_BYTES) * 8);
        let file = name.clone();
        (0..used * 8).chain(tail).map(move |at| Bit { file: file.clone(), at }).collect::<Vec<_>>()
    };
    files.iter().flat_map(of_file).collect()
}

/// What came of flips.
#[derive(Clone, Copy, Default)]
struct Came {
    named: u64,
    equal: u64,
}

impl AddAssign for Came {
    fn add_assign(&mut self, more: Self) {
        self.named += more.named;
        self.equal += more.equal;
    }
}

/// Flips a bit: `verify` and a start say which file it is, or everything is as it was.
fn flip(files: &Arc<Files>, bit: &Bit, whole: &Known) -> Came {
    let held = Held { files: Arc::clone(files), flipped: Some(bit.clone()) };
    let check = |bytes: &[u8]| check_part(bytes.to_vec()).map_err(|error| error.to_string());
    let names = |problem: &CheckpointError| {
        problem.to_string().contains(&bit.file) && problem.code().starts_with("WEIR-")
    };
    let verdict = verify(&held, &check);
    match read(files, Some(bit)) {
        Ok(known) => {
            assert!(known == *whole, "{bit:?}: something else is read, and nothing is said");
            assert!(verdict.problems.iter().all(names), "{bit:?}: {:?}", verdict.problems);
            Came { named: 0, equal: 1 }
        }
        Err(error) => {
            assert!(error.to_string().contains(&bit.file), "{bit:?}: {error}");
            assert!(!verdict.problems.is_empty(), "{bit:?}: verify took it for whole: {error}");
            assert!(verdict.problems.iter().any(names), "{bit:?}: {:?}", verdict.problems);
            Came { named: 1, equal: 0 }
        }
    }
}

#[test]
fn a_flipped_bit_of_twenty_batches_is_named_or_harmless() {
    let files = twenty();
    let whole = read(&files, None).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(whole.1.last(), 19, "the last batch is not committed");
    assert!(whole.1.open.as_ref().is_some_and(|open| open.prepared.is_some()));
    assert!(whole.2.values().any(|rows| rows.len() >= 19), "there are states");
    let all = bits(&files);
    let wanted = asked("WEIR_CRASH_FLIPS", 20_000).min(all.len() as u64);
    let parts: Vec<u64> = (0..2).collect();
    let came = std::thread::scope(|scope| {
        let some = |part: &u64| {
            let (files, all, whole, part) = (&files, &all, &whole, *part);
            scope.spawn(move || {
                let (mut came, mut chance) = (Came::default(), Chance::new(50 + part));
                for number in (part..all.len() as u64).step_by(2) {
                    if chance.below(all.len() as u64) < wanted {
                        came += flip(files, &all[number as usize], whole);
                    }
                }
                came
            })
        };
        let running: Vec<_> = parts.iter().map(some).collect();
        let mut sum = Came::default();
        running.into_iter().for_each(|thread| sum += thread.join().unwrap());
        sum
    });
    let Came { named, equal } = came;
    assert!(named > 1_000 && equal > 0, "{named} named, {equal} equal");
    let (tried, all) = (named + equal, all.len());
    tell(&format!("{tried} of {all} flips: {named} named, {equal} without harm"));
}
