//! The checkpoint as a whole: every prefix of a log, every damage, loss of power, two owners.

mod bytes;
mod crash;
mod power;
mod space;
mod table;
mod two;

use std::sync::Arc;

use super::record::{CommitV1, IntentV1, PlaceV1, PreparedV1, RowsV1};
use super::test_kit::{End, World, commit, identity, intent, observed, options};
use super::{Checkpoint, CheckpointError, LogSeen, decide};
use crate::durable::frame::PAYLOAD_MAX;
use crate::durable::test_kit::SimDisk;

/// Runs a job to its end on a disk in memory.
fn run(disk: &SimDisk, world: &World, segment_bytes: u64, last: u64) -> Result<(), End> {
    let store = Arc::new(disk.store("t", 0).map_err(|error| End::Failed(error.into()))?);
    world.run(store, options(segment_bytes), last, &|| false)
}

#[test]
fn a_job_goes_on_where_it_was() {
    let (disk, world) = (SimDisk::new(1), World::default());
    for last in [1, 2, 3, 10, 11, 40] {
        run(&disk, &world, 4096, last).unwrap();
        world.check(last);
        assert_eq!(world.acknowledged(), last);
    }
    let names = disk.names();
    assert!(names.len() < 20, "old files stay: {names:?}");
}

#[test]
fn starting_again_and_again_leaves_nothing_behind() {
    let (disk, world) = (SimDisk::new(1), World::default());
    run(&disk, &world, 4096, 5).unwrap();
    for _ in 0..50 {
        run(&disk, &world, 4096, 5).unwrap();
    }
    let names = disk.names();
    assert!(names.len() < 12, "{names:?}");
    run(&disk, &world, 4096, 9).unwrap();
    world.check(9);
}

#[test]
fn one_can_go_on_after_an_older_batch_and_later_ones_are_forgotten() {
    let (disk, world) = (SimDisk::new(1), World::default());
    let mut options = options(4096);
    (options.keep.starts, options.keep.records) = (100, 100);
    let store = || Arc::new(disk.store("t", 0).unwrap());
    world.run(store(), options, 9, &|| false).unwrap();
    let (mut checkpoint, mut recovery) = Checkpoint::open(store(), &identity(), options).unwrap();
    // The sinks have more: that is seen before anything is forgotten.
    assert!(recovery.history.rewind(4));
    let history = recovery.history;
    let log = LogSeen::Read { history, torn: None, mine: 9, newest: 9 };
    let refused = decide(&observed(log, world.seen())).recover;
    assert!(refused.to_string().contains("sink `a` has batch 9"), "{refused}");
    assert_eq!(checkpoint.last(), 9);
    let error = checkpoint.rewind(20).unwrap_err();
    assert_eq!(error.to_string(), "batch 20 is not there: the checkpoint has batches 1 to 9");
    checkpoint.rewind(4).unwrap();
    assert_eq!(checkpoint.begin(&intent(5)).unwrap().batch(), 5);
    let (_, recovery) = Checkpoint::open(store(), &identity(), options).unwrap();
    assert_eq!((recovery.history.last(), recovery.history.open.unwrap().intent), (4, intent(5)));
}

#[test]
fn a_record_that_is_larger_than_a_segment_gets_a_larger_one() {
    let disk = SimDisk::new(1);
    let open = || {
        let store = Arc::new(disk.store("t", 0).unwrap());
        Checkpoint::open(store, &identity(), options(4096)).unwrap()
    };
    let (mut checkpoint, _) = open();
    for batch in 1..=4 {
        let begun = checkpoint.begin(&IntentV1 { deterministic: true, ..intent(batch) }).unwrap();
        let permit = checkpoint.permit(&begun, 1).unwrap();
        let mut done = commit(batch, RowsV1::default());
        done.states[0].place = PlaceV1::Inline(vec![0; PAYLOAD_MAX]);
        let error = checkpoint.commit(&permit, &done, None).unwrap_err();
        assert_eq!(error.code(), "WEIR-CHECKPOINT-008");
        // Zeroes, so that whole blocks of the record are blank.
        done.states[0].place = PlaceV1::Inline(vec![0; 100_000 * batch as usize]);
        assert_eq!(checkpoint.commit(&permit, &done, None).unwrap().0.batch(), batch);
    }
    let (_, recovery) = open();
    let last = recovery.history.last_commit().unwrap();
    assert_eq!(last.states[0].place, PlaceV1::Inline(vec![0; 400_000]));
}

#[test]
fn steps_out_of_order_are_refused_and_nothing_is_written() {
    let disk = SimDisk::new(1);
    let store = Arc::new(disk.store("t", 0).unwrap());
    let (mut checkpoint, _) = Checkpoint::open(store, &identity(), options(4096)).unwrap();
    let misused = |result: Result<(), CheckpointError>| {
        assert_eq!(result.unwrap_err().code(), "WEIR-CHECKPOINT-009");
    };
    misused(checkpoint.begin(&intent(2)).map(drop));
    misused(checkpoint.resume().map(drop));
    let first = checkpoint.begin(&intent(1)).unwrap();
    misused(checkpoint.begin(&intent(2)).map(drop));
    misused(checkpoint.supersede(&first, &intent(1)).map(drop));
    let loose = IntentV1 { revision: 1, deterministic: false, ..intent(1) };
    let second = checkpoint.supersede(&first, &loose).unwrap();
    misused(checkpoint.permit(&first, 1).map(drop));
    // Not repeatable: only after a record of what is ready.
    misused(checkpoint.permit(&second, 1).map(drop));
    misused(checkpoint.resume_prepared().map(drop));
    let prepared = PreparedV1 { batch: 1, revision: 1, ..PreparedV1::default() };
    let permit = checkpoint.prepared(&second, 1, &prepared).unwrap();
    let third = IntentV1 { revision: 2, ..intent(1) };
    misused(checkpoint.supersede(&second, &third).map(drop));
    let done = CommitV1 { revision: 1, ..commit(1, RowsV1::default()) };
    misused(checkpoint.commit(&permit, &commit(1, RowsV1::default()), None).map(drop));
    misused(checkpoint.commit(&permit, &done, Some(&intent(3))).map(drop));
    assert_eq!(checkpoint.commit(&permit, &done, None).unwrap().0.batch(), 1);
    misused(checkpoint.commit(&permit, &done, None).map(drop));
    let store = Arc::new(disk.store("t", 0).unwrap());
    let (_, recovery) = Checkpoint::open(store, &identity(), options(4096)).unwrap();
    assert_eq!((recovery.history.last(), recovery.history.open), (1, None));
}
