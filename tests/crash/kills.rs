//! SIGKILL at any time, while input comes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::bench::{Bench, Ended};
use crate::chance::{Chance, asked, tell};
use crate::shapes::{SHAPES, Shape};

/// So many kills of one job before it is brought to its end and compared.
const KILLS_OF_A_JOB: u64 = 10;

#[test]
fn kills_at_random_times_lose_nothing_and_repeat_nothing() {
    let wanted = asked("WEIR_CRASH_KILLS", 30);
    let shapes: Vec<&Shape> = SHAPES.iter().filter(|shape| !shape.rare).collect();
    let took: Vec<Duration> = shapes.iter().map(|shape| takes(shape)).collect();
    let (kills, jobs) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while kills.load(Ordering::Relaxed) < wanted {
                    let job = jobs.fetch_add(1, Ordering::Relaxed);
                    let number = job as usize % shapes.len();
                    let few = KILLS_OF_A_JOB.min(wanted.div_ceil(shapes.len() as u64));
                    let done = job_of(shapes[number], took[number], few, job);
                    kills.fetch_add(done, Ordering::Relaxed);
                }
            });
        }
    });
    let (kills, jobs) = (kills.into_inner(), jobs.into_inner());
    tell(&format!("{kills} kills at random times of {jobs} jobs: equal"));
}

/// How long a job takes from its start to its end.
fn takes(shape: &'static Shape) -> Duration {
    let mut bench = Bench::new(shape);
    let start = Instant::now();
    bench.finish();
    start.elapsed()
}

/// Kills a job so many times; gives how many processes were ended before their time.
fn job_of(shape: &'static Shape, takes: Duration, kills: u64, seed: u64) -> u64 {
    let mut bench = Bench::new(shape);
    let mut chance = Chance::new(1_000 + seed);
    let mut killed = 0;
    for _ in 0..kills {
        let process = bench.start(&[], &["--once"], None);
        let until = Instant::now() + chance.time(takes * 11 / 10);
        let some = chance.below(3);
        for _ in 0..some {
            bench.add();
        }
        // Not waiting for anything: the time itself is what is tried.
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        bench.signal(process, Signal::KILL);
        match bench.end(process) {
            Ended::Killed => killed += 1,
            Ended::Done => {}
            failed => panic!("{failed:?}"),
        }
        if some == 0 {
            (0..8).for_each(|_| bench.add());
        }
    }
    bench.finish();
    bench.check();
    killed
}
