//! Loss of power at any moment, again and again, with short reads and writes.

use super::run;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::test_kit::{End, World};
use crate::clock::Random;
use crate::durable::test_kit::{EIO, Fail, SimDisk};

/// What a seed does: up to six crashes, then a run to the end.
fn simulate(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let (disk, world) = (SimDisk::new(seed), World::default());
    if random.draw().is_multiple_of(4) {
        disk.be_short();
    }
    let mut crashes = 0;
    for _ in 0..random.draw() % 6 {
        let left = 1 + random.draw() % 120;
        let (fail, kill) = match random.draw() % 8 {
            0 => (Fail::Sync(1 + left / 4, EIO), false),
            1 => (Fail::Change(left, EIO), false),
            2 | 3 => (Fail::Power(left), true),
            _ => (Fail::Power(left), false),
        };
        disk.fail(Some(fail));
        let last = 1 + random.draw() % 14;
        let before = world.acknowledged();
        if let Err(end) = run(&disk, &world, 4096, last) {
            crashes += 1;
            let store = matches!(end, End::Failed(CheckpointError::Store(_)));
            assert!(store, "seed {seed}: {end:?}");
        }
        assert!(world.acknowledged() >= before);
        if kill { disk.process_ends() } else { disk.power_comes_back() }
    }
    let ended = run(&disk, &world, 4096, 16);
    assert!(!matches!(ended, Err(End::Stopped(_))), "seed {seed}: {ended:?}");
    ended.unwrap_or_else(|end| panic!("seed {seed}: {end:?}"));
    world.check(16);
    assert_eq!(world.acknowledged(), 16, "seed {seed}");
    crashes
}

#[test]
#[allow(clippy::print_stdout, reason = "the long run tells how much it did")]
fn nothing_is_lost_and_nothing_comes_twice_when_the_power_goes() {
    let seeds = std::env::var("WEIR_POWER_SEEDS").ok().and_then(|it| it.parse().ok());
    let seeds = seeds.unwrap_or(2000);
    let crashes: u64 = (0..seeds).map(simulate).sum();
    println!("{seeds} seeds, {crashes} crashes");
    assert!(crashes > seeds);
}

#[test]
fn a_seed_gives_the_same_run_twice() {
    for seed in 0..50 {
        let trace = |seed| {
            let (disk, world) = (SimDisk::new(seed), World::default());
            disk.fail(Some(Fail::Power(40 + seed)));
            let _cut_off = run(&disk, &world, 4096, 12);
            disk.power_comes_back();
            // The record of an owner has the time; everything else follows from the seed.
            let names = disk.names();
            let sizes: Vec<_> = names.iter().map(|it| disk.content(it).unwrap().len()).collect();
            (names, sizes, world.acknowledged(), disk.changes())
        };
        assert_eq!(trace(seed), trace(seed));
    }
}

#[test]
fn what_a_killed_process_had_not_flushed_is_flushed_by_the_next() {
    for stop in 1..60 {
        for seed in 0..6 {
            let (disk, world) = (SimDisk::new(seed), World::default());
            disk.fail(Some(Fail::Power(stop)));
            let _killed = run(&disk, &world, 4096, 3);
            disk.process_ends();
            run(&disk, &world, 4096, 6).unwrap();
            disk.power_comes_back();
            run(&disk, &world, 4096, 9).unwrap_or_else(|end| panic!("{stop} {seed}: {end:?}"));
            world.check(9);
            assert_eq!(world.acknowledged(), 9, "{stop} {seed}");
        }
    }
}
