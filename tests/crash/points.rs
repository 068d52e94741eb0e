//! Every named moment of a batch, of a start and of a clean-up: the process is killed there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use weir_host::durable::crash::Point;

use crate::bench::{Bench, Ended};
use crate::chance::{Chance, asked, tell};
use crate::full;
use crate::shapes::{SHAPES, Shape};

/// So many shapes, from the first one on, are ended at every point more than once.
const THOROUGH: usize = 4;

/// So many times a process may be killed again while it recovers.
const DEEP: u64 = 5;

/// A kill at a point, and more of them while the job recovers.
struct Case {
    shape: &'static Shape,
    point: &'static str,
    time: u64,
    deep: u64,
    seed: u64,
}

/// What came of all cases.
#[derive(Default)]
struct Seen {
    killed: BTreeSet<&'static str>,
    kills: u64,
    cases: u64,
}

#[test]
fn a_kill_at_every_named_point_loses_nothing_and_repeats_nothing() {
    let seen = Mutex::new(Seen::default());
    let cases = Mutex::new(cases());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let case = cases.lock().unwrap().pop();
                    let Some(case) = case else { break };
                    run(&case, &seen);
                }
            });
        }
    });
    let mut seen = seen.into_inner().unwrap();
    // Only a full disk leads there, which not every machine can have.
    let mut absent = BTreeSet::new();
    match full::a_kill_when_the_reserve_is_gone() {
        true => seen.killed.extend([Point::ReserveReleased.name()]),
        false => absent.extend([Point::ReserveReleased]),
    }
    for point in Point::ALL.iter().filter(|point| !absent.contains(point)) {
        if !seen.killed.contains(point.name()) {
            later(point.name(), &mut seen);
        }
    }
    let missed = |point: &&Point| !seen.killed.contains(point.name());
    let missed: BTreeSet<_> = Point::ALL.iter().filter(missed).copied().collect();
    assert_eq!(missed, absent, "points that never killed, beside those that can't");
    let (points, all) = (seen.killed.len(), Point::ALL.len());
    let (kills, cases) = (seen.kills, seen.cases);
    tell(&format!("{kills} kills at {points} of {all} points in {cases} cases: equal"));
}

/// Each shape's points, first, in the middle and later: those of a clean run.
fn cases() -> Vec<Case> {
    let mut chance = Chance::new(1);
    let mut known = BTreeSet::new();
    let mut cases = Vec::new();
    for (number, shape) in SHAPES.iter().enumerate() {
        // What is not left out anywhere is tried less often with those that are much the same.
        let less = number >= THOROUGH && asked("WEIR_CRASH_TIMES", 1) == 1;
        let mut bench = Bench::new(shape);
        bench.finish();
        bench.check();
        let passed = bench.passed();
        for (point, times) in points_of(&passed) {
            let fresh = known.insert(point);
            if shape.rare && !fresh {
                continue;
            }
            let mut at = vec![1, 2 + chance.below(times.saturating_sub(1)), times];
            at.truncate(if shape.rare { 1 } else { 1 + asked("WEIR_CRASH_TIMES", 1) as usize });
            at.retain(|time| *time <= times);
            at.dedup();
            if less {
                at = vec![*chance.of(&at)];
            }
            for time in at {
                let deep = if shape.rare { 0 } else { chance.below(if less { 3 } else { DEEP }) };
                cases.push(Case { shape, point, time, deep, seed: chance.next() });
            }
        }
    }
    // The long ones first, so that no thread is alone with them at the end.
    cases.sort_by_key(|case| case.shape.rare);
    cases
}

fn points_of(passed: &BTreeMap<String, u64>) -> Vec<(&'static str, u64)> {
    let named = |point: &Point| passed.get(point.name()).map(|times| (point.name(), *times));
    Point::ALL.iter().filter_map(named).collect()
}

fn run(case: &Case, seen: &Mutex<Seen>) {
    let mut bench = Bench::new(case.shape);
    let mut kills = 0;
    let mut killed = None;
    if bench.crash(&format!("{}:{}", case.point, case.time)) == Ended::Killed {
        (kills, killed) = (1, Some(case.point));
    }
    let mut chance = Chance::new(case.seed);
    for _ in 0..case.deep {
        let point = chance.of(Point::ALL).name();
        let time = 1 + chance.below(3);
        kills += u64::from(bench.crash(&format!("{point}:{time}")) == Ended::Killed);
    }
    bench.finish();
    bench.check();
    let mut seen = seen.lock().unwrap();
    seen.killed.extend(killed);
    seen.kills += kills;
    seen.cases += 1;
}

/// A point that only a job passes which was started several times.
fn later(point: &'static str, seen: &mut Seen) {
    for shape in SHAPES.iter().filter(|shape| !shape.rare).rev() {
        let mut bench = Bench::new(shape);
        let mut killed = false;
        for _ in 0..4 {
            seen.kills += u64::from(bench.crash("commit-intent-durable:9") == Ended::Killed);
            (0..4).for_each(|_| bench.add());
            if bench.crash(point) == Ended::Killed {
                killed = true;
                break;
            }
            (0..20).for_each(|_| bench.add());
        }
        bench.finish();
        bench.check();
        seen.cases += 1;
        if killed {
            seen.kills += 1;
            seen.killed.insert(point);
            return;
        }
    }
}
