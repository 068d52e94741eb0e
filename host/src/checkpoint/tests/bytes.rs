//! Truncations, flipped bits, prefixes, missing and foreign files.

use std::sync::Arc;

use super::run;
use crate::checkpoint::path::{self, Segment};
use crate::checkpoint::test_kit::{World, identity, intent, options};
use crate::checkpoint::{
    Checkpoint, CheckpointError, History, Recovery, carry_out, diagnose, verify,
};
use crate::clock::Random;
use crate::durable::Store;
use crate::durable::frame::BLOCK_BYTES;
use crate::durable::test_kit::SimDisk;

/// A checkpoint of twenty batches in segments of 64 KiB, written by three owners, nothing removed.
fn twenty(segment_bytes: u64) -> SimDisk {
    let disk = three_owners(segment_bytes);
    // A batch that is begun and not done.
    let store = Arc::new(disk.store("t", 0).unwrap());
    let (mut checkpoint, _) = Checkpoint::open(store, &identity(), options(segment_bytes)).unwrap();
    assert_eq!(checkpoint.begin(&intent(21)).unwrap().batch(), 21);
    disk
}

fn three_owners(segment_bytes: u64) -> SimDisk {
    let (disk, world) = (SimDisk::new(1), World::default());
    for last in [7, 13, 20] {
        let store = Arc::new(disk.store("t", 0).unwrap());
        let mut options = options(segment_bytes);
        (options.keep.starts, options.keep.records) = (100, 100);
        world.run(store, options, last, &|| false).unwrap();
    }
    disk
}

/// A copy of a disk.
fn copy(disk: &SimDisk) -> SimDisk {
    let copy = SimDisk::new(1);
    for name in disk.names() {
        copy.put(&name, disk.content(&name));
    }
    copy
}

/// What a start says, on a copy of the disk with one file changed.
fn open_with(
    disk: &SimDisk,
    name: &str,
    content: Option<Vec<u8>>,
) -> Result<Recovery, CheckpointError> {
    let copy = copy(disk);
    copy.put(name, content);
    open(&copy, 64 << 10)
}

fn open(disk: &SimDisk, segment_bytes: u64) -> Result<Recovery, CheckpointError> {
    let store = Arc::new(disk.store("u", 0).unwrap());
    Checkpoint::open(store, &identity(), options(segment_bytes)).map(|(_, recovery)| recovery)
}

/// Whether one history is an earlier moment of the other.
fn is_prefix(short: &History, long: &History) -> bool {
    let same = short.done.iter().zip(&long.done).all(|(a, b)| a.commit == b.commit);
    let open = short.open.as_ref().is_none_or(|open| {
        let done = long.done.get(short.done.len());
        done.and_then(|done| done.intent.as_ref()) == Some(&open.intent)
            || long.open.as_ref().is_some_and(|long| long.intent == open.intent)
    });
    short.done.len() <= long.done.len() && same && open
}

fn names_the_file(error: &CheckpointError, file: &str) -> bool {
    error.to_string().contains(file)
        && error.code().starts_with("WEIR-")
        && !error.help().is_empty()
}

#[test]
fn every_truncation_is_a_cut_tail_or_a_refusal_by_name() {
    let disk = twenty(64 << 10);
    let whole = open(&copy(&disk), 64 << 10).unwrap().history;
    let (mut cut, mut refused) = (0, 0);
    for name in disk.names() {
        let content = disk.content(&name).unwrap();
        let written = content.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        for end in (0..written).chain([written, content.len() - 1]) {
            match open_with(&disk, &name, Some(content[..end].to_vec())) {
                Ok(recovery) => {
                    assert!(is_prefix(&recovery.history, &whole), "{name} to {end} bytes");
                    cut += u32::from(recovery.history != whole);
                }
                Err(error) => {
                    assert!(names_the_file(&error, &name), "{name} to {end} bytes: {error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(cut > 100 && refused > 1000, "{cut} {refused}");
}

/// All bits of what was written and one bit per block of the zeroes behind it.
fn bits(content: &[u8]) -> Vec<usize> {
    let written = content.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    let tail = (written.div_ceil(BLOCK_BYTES)..content.len() / BLOCK_BYTES)
        .map(|block| block * BLOCK_BYTES * 8 + block * 37 % (BLOCK_BYTES * 8));
    (0..written * 8).chain(tail).collect()
}

#[test]
#[allow(clippy::print_stdout, reason = "the long run tells how much it did")]
fn a_flipped_bit_changes_nothing_or_is_refused() {
    let disk = twenty(64 << 10);
    let whole = open(&copy(&disk), 64 << 10).unwrap().history;
    let sample = std::env::var("WEIR_ALL_BITS").is_err();
    let mut random = Random::new(7);
    let (mut same, mut refused) = (0, 0);
    let all: usize = disk.names().iter().map(|name| bits(&disk.content(name).unwrap()).len()).sum();
    for name in disk.names() {
        let content = disk.content(&name).unwrap();
        for bit in bits(&content) {
            if sample && random.draw() as usize % all > 20_000 {
                continue;
            }
            let mut flipped = content.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match open_with(&disk, &name, Some(flipped)) {
                Ok(recovery) => {
                    assert_eq!(recovery.history, whole, "{name} bit {bit}");
                    same += 1;
                }
                Err(error) => {
                    assert!(names_the_file(&error, &name), "{name} bit {bit}: {error}");
                    refused += 1;
                }
            }
        }
    }
    println!("{all} bits, tried {}: same {same}, refused {refused}", same + refused);
    assert!(refused > 1000 && same > 10, "{same} {refused}");
}

#[test]
fn a_block_that_is_lost_is_refused_unless_it_is_in_the_last_write() {
    for segment_bytes in [4096, 64 << 10] {
        let disk = three_owners(segment_bytes);
        let whole = open(&copy(&disk), segment_bytes).unwrap().history;
        let (mut refused, mut cut) = (0, 0);
        for name in disk.names().into_iter().filter(|name| name.starts_with("log/")) {
            let content = disk.content(&name).unwrap();
            for block in 0..content.len() / BLOCK_BYTES {
                let mut lost = content.clone();
                lost[block * BLOCK_BYTES..][..BLOCK_BYTES].fill(0);
                if lost == content {
                    continue;
                }
                match open_with(&disk, &name, Some(lost)) {
                    Ok(recovery) => {
                        let less = whole.done.len() - recovery.history.done.len();
                        assert!(
                            less <= 1 && is_prefix(&recovery.history, &whole),
                            "{name} {block}"
                        );
                        cut += 1;
                    }
                    Err(error) => {
                        assert!(names_the_file(&error, &name), "{name} {block}: {error}");
                        refused += 1;
                    }
                }
            }
        }
        assert!(refused > 10 && cut <= 2, "{refused} {cut}");
    }
}

#[test]
fn every_prefix_of_a_log_is_a_start_state() {
    // The disk after each change of a run, as a kill would leave it.
    let total = {
        let (disk, world) = (SimDisk::new(1), World::default());
        run(&disk, &world, 4096, 12).unwrap();
        disk.changes()
    };
    for stop in 1..total {
        let (disk, world) = (SimDisk::new(1), World::default());
        disk.fail(Some(crate::durable::test_kit::Fail::Power(stop)));
        run(&disk, &world, 4096, 12).unwrap_err();
        let before = world.acknowledged();
        disk.process_ends();
        run(&disk, &world, 4096, 14).unwrap_or_else(|end| panic!("at {stop}: {end:?}"));
        assert!(before <= 12);
        world.check(14);
        assert_eq!(world.acknowledged(), 14, "at {stop}");
    }
}

#[test]
fn missing_swapped_and_foreign_files_are_refused() {
    let disk = twenty(4096);
    let refused = |change: &dyn Fn(&SimDisk), code: &str, file: &str| {
        let copy = copy(&disk);
        change(&copy);
        let error = open(&copy, 4096).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(file), "{error}");
    };
    refused(&|it| it.put(path::IDENTITY, None), "WEIR-CHECKPOINT-001", path::IDENTITY);
    let log: Vec<_> = disk.names().into_iter().filter(|name| name.starts_with("log/")).collect();
    let (mut missing, mut unused) = (0, 0);
    for name in &log {
        let copy = copy(&disk);
        copy.put(name, None);
        match open(&copy, 4096) {
            Err(error) => {
                assert!(error.to_string().contains(name), "{name}: {error}");
                missing += 1;
            }
            // Only one that was prepared and never used.
            Ok(_) => {
                assert!(disk.content(name).unwrap().iter().all(|byte| *byte == 0), "{name}");
                unused += 1;
            }
        }
    }
    assert!(missing >= 6 && unused >= 1, "{missing} {unused}: {log:?}");
    let newest = |it: &SimDisk| {
        for name in log.iter().filter(|name| name.starts_with("log/g4-")) {
            it.put(name, None);
        }
    };
    refused(&newest, "WEIR-CHECKPOINT-002", "log/g4-1.wlog");
    let (first, second) = (log[0].clone(), log[1].clone());
    let swap = |it: &SimDisk| {
        let (a, b) = (it.content(&first), it.content(&second));
        it.put(&first, b);
        it.put(&second, a);
    };
    refused(&swap, "WEIR-CHECKPOINT-002", "log/");
    let twice = |it: &SimDisk| it.put("log/g99-1.wlog", it.content(&first));
    refused(&twice, "WEIR-CHECKPOINT-002", "log/g99-1.wlog");
    refused(&|it| it.put("log/notes.txt", Some(vec![])), "WEIR-CHECKPOINT-004", "log/notes.txt");
    let other = |it: &SimDisk| {
        let other = SimDisk::new(2);
        let mut identity = identity();
        identity.job.0 = 8;
        let store = Arc::new(other.store("t", 0).unwrap());
        drop(Checkpoint::open(store, &identity, options(4096)).unwrap());
        it.put(path::IDENTITY, other.content(path::IDENTITY));
    };
    refused(&other, "WEIR-CHECKPOINT-002", "log/g1-1.wlog");
    let mut wanted = identity();
    wanted.key_groups = 128;
    let store = Arc::new(copy(&disk).store("u", 0).unwrap());
    let error = Checkpoint::open(store, &wanted, options(4096)).err().unwrap();
    assert_eq!(error.code(), "WEIR-CHECKPOINT-005");
}

#[test]
fn a_damaged_log_is_left_as_it_is() {
    let disk = copy(&twenty(4096));
    let name = Segment { generation: 1, number: 1 }.name();
    let mut content = disk.content(&name).unwrap();
    content[100] ^= 1;
    disk.put(&name, Some(content));
    let before = disk.names();
    open(&disk, 4096).unwrap_err();
    assert_eq!(disk.names(), before);
    let verdict = verify(&disk.store("u", 0).unwrap(), &|_| Ok(()));
    assert_eq!(verdict.problems.len(), 1);
    assert!(verdict.problems[0].to_string().starts_with(&format!("`{name}` is damaged at byte ")));
}

#[test]
fn what_is_repaired_begins_as_it_did_and_nothing_is_lost_of_the_old_bytes() {
    let disk = twenty(4096);
    let whole = open(&copy(&disk), 4096).unwrap().history;
    let mut random = Random::new(11);
    let (mut repaired, mut beyond) = (0, 0);
    for name in disk.names() {
        let content = disk.content(&name).unwrap();
        let written = content.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        for number in 0..30 {
            let damaged = copy(&disk);
            let mut bytes = content.clone();
            if written > 0 {
                bytes[random.draw() as usize % written] ^= 1 << (random.draw() % 8);
            }
            let bytes = (number > 0).then_some(bytes);
            damaged.put(&name, bytes.clone());
            if open(&copy(&damaged), 4096).is_ok() {
                continue;
            }
            let store: Arc<dyn Store> = Arc::new(damaged.store("u", 0).unwrap());
            let repair = match diagnose(&*store, &|_| Ok(())) {
                Ok(repair) => repair.unwrap(),
                Err(error) => {
                    assert_eq!(error.code(), "WEIR-CHECKPOINT-017", "{name}: {error}");
                    beyond += 1;
                    continue;
                }
            };
            assert!(!repair.problems.is_empty() && repair.is_needed(), "{name}");
            carry_out(&store, &repair, "1").unwrap();
            drop(store);
            let found = open(&damaged, 4096).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(is_prefix(&found.history, &whole), "{name}");
            assert_eq!(found.history.last(), repair.after, "{name}");
            assert!(found.generation > 5, "{name}: older than what sinks have seen");
            if let Some(bytes) = bytes.filter(|_| name.starts_with("log/")) {
                assert_eq!(damaged.content(&format!("aside/1/{name}")), Some(bytes), "{name}");
            }
            repaired += 1;
        }
    }
    assert!(repaired > 100 && beyond > 10, "{repaired} {beyond}");
}

#[test]
fn listing_and_verifying_tell_what_is_there() {
    let disk = twenty(4096);
    let store = disk.store("u", 0).unwrap();
    let lines = crate::checkpoint::ls(&store).unwrap();
    assert_eq!(lines.len(), 21);
    assert!(lines[..20].iter().all(|line| line.done && line.start && line.sinks.len() == 2));
    assert_eq!((lines[20].batch, lines[20].done), (21, false));
    let verdict = verify(&store, &|_| Ok(()));
    assert!(verdict.problems.is_empty() && verdict.torn.is_none());
    assert_eq!(verdict.starts, (1..=20).collect::<Vec<_>>());
    assert_eq!(verdict.owner.unwrap().generation, 4);
    assert!(verdict.segments.iter().map(|line| line.records).sum::<u64>() > 40);
}
