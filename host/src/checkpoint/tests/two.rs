//! Two owners of one checkpoint, stopped and woken at every call of the disk.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use crate::checkpoint::test_kit::{End, World, identity, intent, options};
use crate::checkpoint::{Checkpoint, CheckpointError, Recover};
use crate::clock::Random;
use crate::durable::test_kit::{Gate, SimDisk};

/// A process that does one call of the disk each time it is told to.
struct Process {
    go: Sender<()>,
    stopped: Receiver<()>,
    thread: Option<std::thread::JoinHandle<Result<(), End>>>,
}

impl Process {
    fn start(disk: &SimDisk, world: &World, tag: &'static str, last: u64) -> Self {
        let (go, gone) = channel::<()>();
        let (stops, stopped) = channel::<()>();
        let gone = Mutex::new(gone);
        let gate: Gate = Arc::new(move || {
            // Who is let go for ever meets closed channels and does not stop any more.
            let _free = stops.send(());
            let _free = gone.lock().unwrap().recv();
        });
        let (disk, world) = (disk.behind(gate), world.clone());
        let thread = std::thread::spawn(move || {
            let store = disk.store(tag, 0).map_err(|error| End::Failed(error.into()))?;
            world.run(Arc::new(store), options(4096), last, &|| false)
        });
        let it = Self { go, stopped, thread: Some(thread) };
        let _ended_at_once = it.stopped.recv();
        it
    }

    /// Lets it do one call; whether it goes on.
    fn step(&self) -> bool {
        self.go.send(()).is_ok() && self.stopped.recv().is_ok()
    }

    fn finish(mut self) -> Result<(), End> {
        while self.step() {}
        self.thread.take().unwrap().join().unwrap()
    }
}

fn schedule(seed: u64) -> (bool, bool) {
    let mut random = Random::new(seed);
    let (disk, world) = (SimDisk::new(seed), World::default());
    let old = Process::start(&disk, &world, "a", 12);
    let mut running = true;
    for _ in 0..random.draw() % 250 {
        running = running && old.step();
    }
    // The old one is stopped here, and the new one takes over.
    let new = Process::start(&disk, &world, "b", 14);
    let (mut old_runs, mut new_runs, mut turns) = (running, true, 0);
    while (old_runs || new_runs) && turns < 2000 {
        turns += 1;
        // Now and then one of them stalls for long.
        let (old_turns, new_turns) = match random.draw() % 6 {
            0 => (random.draw() % 60, 0),
            1 => (0, random.draw() % 60),
            _ => (1, 1),
        };
        for _ in 0..old_turns {
            old_runs = old_runs && old.step();
        }
        for _ in 0..new_turns {
            new_runs = new_runs && new.step();
        }
    }
    let (old, new) = (old.finish(), new.finish());
    for end in [&old, &new] {
        assert!(is_fair(end), "seed {seed}: {end:?}");
    }
    // No batch was acknowledged by both; `acknowledged` asserts it.
    world.acknowledged();
    let (old, new) = (old.is_ok(), new.is_ok());
    let store = Arc::new(disk.store("c", 0).unwrap());
    world.run(store, options(4096), 16, &|| false).unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
    world.check(16);
    assert_eq!(world.acknowledged(), 16, "seed {seed}");
    (old, new)
}

/// A process ends done, fenced, or because what it worked on is taken from under it.
fn is_fair(end: &Result<(), End>) -> bool {
    match end {
        Ok(()) | Err(End::SinkFenced) => true,
        Err(End::Stopped(recover)) => matches!(**recover, Recover::Fenced { .. }),
        Err(End::Failed(error)) => matches!(
            error,
            CheckpointError::Fenced { .. }
                | CheckpointError::Store(_)
                | CheckpointError::Damaged { .. }
        ),
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "the long run tells how much it did")]
fn no_batch_is_committed_by_two_owners() {
    let seeds = std::env::var("WEIR_OWNER_SEEDS").ok().and_then(|it| it.parse().ok());
    let seeds = seeds.unwrap_or(200);
    let (mut old_done, mut new_done) = (0, 0);
    for seed in 0..seeds {
        let (old, new) = schedule(seed);
        old_done += u64::from(old);
        new_done += u64::from(new);
    }
    println!("{seeds} schedules: {old_done} old owners done, {new_done} new owners done");
    assert!(new_done > seeds / 2 && old_done < seeds);
}

#[test]
fn an_owner_that_wakes_up_between_run_and_commit_gets_no_permit() {
    let disk = SimDisk::new(1);
    let open = |tag| {
        let store = Arc::new(disk.store(tag, 0).unwrap());
        Checkpoint::open(store, &identity(), options(4096)).unwrap().0
    };
    let mut old = open("a");
    let begun = old.begin(&intent(1)).unwrap();
    let mut new = open("b");
    let fenced = old.permit(&begun, 1).unwrap_err();
    assert!(matches!(fenced, CheckpointError::Fenced { mine: 1, by: 2, .. }), "{fenced}");
    assert_eq!(new.resume().unwrap().batch(), 1);
}

#[test]
fn an_owner_that_wakes_up_late_commits_nothing() {
    let disk = SimDisk::new(1);
    let open = |tag| {
        let store = Arc::new(disk.store(tag, 0).unwrap());
        Checkpoint::open(store, &identity(), options(4096)).unwrap()
    };
    let (mut old, _) = open("a");
    let begun = old.begin(&intent(1)).unwrap();
    let permit = old.permit(&begun, 1).unwrap();
    let (mut new, recovery) = open("b");
    assert_eq!(recovery.history.open.map(|open| open.intent), Some(intent(1)));
    let fenced = old.commit(&permit, &Default::default(), None).unwrap_err();
    assert_eq!(fenced.code(), "WEIR-CHECKPOINT-009");
    let commit = crate::checkpoint::test_kit::commit(1, Default::default());
    let fenced = old.commit(&permit, &commit, None).unwrap_err();
    assert!(matches!(fenced, CheckpointError::Fenced { mine: 1, by: 2, .. }), "{fenced}");
    assert!(matches!(old.check_owner(), Err(CheckpointError::Fenced { .. })));
    assert!(matches!(old.permit(&begun, 1), Err(CheckpointError::Fenced { .. })));
    // What it wrote stands behind the cut.
    let begun = new.resume().unwrap();
    let permit = new.permit(&begun, 2).unwrap();
    assert_eq!(new.commit(&permit, &commit, None).unwrap().0.batch(), 1);
    let (_, recovery) = open("c");
    assert_eq!((recovery.history.last(), recovery.history.done[0].attempt), (1, 2));
}
