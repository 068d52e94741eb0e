//! A full disk, and a disk that fails.

use std::cell::Cell;
use std::sync::Arc;

use super::run;
use crate::checkpoint::record::{CommitV1, IntentV1, PlaceV1, RowsV1};
use crate::checkpoint::test_kit::{End, World, commit, identity, intent, options};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::durable::StoreError;
use crate::durable::test_kit::{EIO, ENOSPC, Fail, SimDisk};

#[test]
fn a_full_disk_is_waited_for_at_every_size() {
    let needed = {
        let (disk, world) = (SimDisk::new(1), World::default());
        run(&disk, &world, 4096, 30).unwrap();
        disk.used()
    };
    let mut waited = 0;
    for capacity in (8 << 10..needed + (32 << 10)).step_by(1000) {
        let (disk, world) = (SimDisk::new(1), World::default());
        disk.limit(capacity);
        let pauses = Cell::new(0);
        let pause = || {
            pauses.set(pauses.get() + 1);
            // Somebody makes room, after a while.
            if pauses.get() > 3 {
                disk.limit(usize::MAX);
            }
            true
        };
        let go = || {
            let store = disk.store("t", 8 << 10).map_err(|error| End::Failed(error.into()))?;
            world.run(Arc::new(store), options(4096), 30, &pause)
        };
        // A start needs space of its own; it fails without harm and is tried again.
        while let Err(end) = go() {
            let full = matches!(end, End::Failed(CheckpointError::NoSpace(_)));
            assert!(full, "{capacity}: {end:?}");
            pause();
        }
        waited += u32::from(pauses.get() > 0);
        world.check(30);
        assert_eq!(world.acknowledged(), 30);
    }
    assert!(waited > 10);
}

#[test]
fn every_single_refusal_of_space_is_waited_for() {
    let total = {
        let (disk, world) = (SimDisk::new(1), World::default());
        run(&disk, &world, 4096, 12).unwrap();
        disk.changes()
    };
    for at in 1..total {
        let (disk, world) = (SimDisk::new(1), World::default());
        disk.fail(Some(Fail::Change(at, ENOSPC)));
        let go = || {
            let store = disk.store("t", 0).map_err(|error| End::Failed(error.into()))?;
            world.run(Arc::new(store), options(4096), 12, &|| true)
        };
        // A flush that says so is a flush that failed: start again.
        go().or_else(|_| go()).unwrap_or_else(|end| panic!("at {at}: {end:?}"));
        world.check(12);
        assert_eq!(world.acknowledged(), 12, "at {at}");
    }
}

#[test]
fn the_reserve_lets_the_last_batch_commit_and_no_other_begin() {
    let disk = SimDisk::new(1);
    let store = Arc::new(disk.store("t", 16 << 10).unwrap());
    let (mut checkpoint, _) = Checkpoint::open(store, &identity(), options(4096)).unwrap();
    disk.limit(disk.used());
    let mut batch = 1;
    let small = |batch| IntentV1 { batch, deterministic: true, ..IntentV1::default() };
    let full = loop {
        let begun = match checkpoint.begin(&small(batch)) {
            Ok(begun) => begun,
            Err(error) => break error,
        };
        let permit = checkpoint.permit(&begun, 1).unwrap();
        // Every commit needs a new segment, and no intent does.
        let mut commit = commit(batch, RowsV1::default());
        commit.states[0].place = PlaceV1::Inline(vec![7; 3000]);
        let next = small(batch + 1);
        let (committed, next) = checkpoint.commit(&permit, &commit, Some(&next)).unwrap();
        assert_eq!(committed.batch(), batch);
        batch += 1;
        assert!(next.is_none() || batch < 3, "a batch was begun on the reserve");
        if let Some(begun) = next {
            let permit = checkpoint.permit(&begun, 1).unwrap();
            let done = checkpoint.commit(&permit, &CommitV1 { batch, ..commit }, None).unwrap();
            assert_eq!(done.0.batch(), batch);
            batch += 1;
        }
        assert!(batch < 100, "the disk never gets full");
    };
    assert!(batch > 1 && !disk.names().contains(&"reserve".to_owned()));
    assert!(full.can_wait() && full.code() == "WEIR-CHECKPOINT-007", "{full}");
    assert!(matches!(checkpoint.begin(&intent(batch)), Err(CheckpointError::NoSpace(_))));
    disk.limit(usize::MAX);
    assert_eq!(checkpoint.begin(&intent(batch)).unwrap().batch(), batch);
}

#[test]
fn a_flush_that_failed_closes_the_store_for_good() {
    let disk = SimDisk::new(1);
    let store = Arc::new(disk.store("t", 0).unwrap());
    let (mut checkpoint, _) = Checkpoint::open(store, &identity(), options(4096)).unwrap();
    disk.fail(Some(Fail::Sync(1, EIO)));
    let error = checkpoint.begin(&intent(1)).unwrap_err();
    assert!(matches!(error, CheckpointError::Store(StoreError::Poisoned { .. })), "{error}");
    let changes = disk.changes();
    for _ in 0..3 {
        let error = checkpoint.begin(&intent(1)).unwrap_err();
        assert_eq!(error.code(), "WEIR-DURABLE-005");
        assert!(!error.can_wait());
    }
    assert_eq!(disk.changes(), changes, "the disk was touched after a flush failed");
}

#[test]
fn every_single_failure_of_the_disk_ends_the_process_and_not_the_job() {
    let total = {
        let (disk, world) = (SimDisk::new(1), World::default());
        run(&disk, &world, 4096, 12).unwrap();
        disk.changes()
    };
    for at in 1..total {
        let (disk, world) = (SimDisk::new(at), World::default());
        disk.fail(Some(Fail::Change(at, EIO)));
        // What memory holds after a flush that failed is not what the next process believes.
        let _failed = run(&disk, &world, 4096, 12);
        disk.process_ends();
        run(&disk, &world, 4096, 14).unwrap_or_else(|end| panic!("at {at}: {end:?}"));
        world.check(14);
        assert_eq!(world.acknowledged(), 14, "at {at}");
    }
}
