//! Two processes on one checkpoint.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::bench::{Bench, Ended, told};
use crate::chance::{Chance, asked, tell};
use crate::shapes::{SHAPES, Shape, shape};

#[test]
fn a_second_host_is_refused_and_told_who_has_the_checkpoint() {
    let mut bench = Bench::new(shape("count"));
    let first = bench.start(&[], &[], None);
    wait_for_batch(&bench);
    let second = bench.start(&[], &["--once"], None);
    let Ended::Failed(code, said) = bench.end(second) else { panic!("the lock is held") };
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("WEIR-DURABLE-008"), "{said}");
    assert!(said.contains(&format!("process {}", first)), "{said}");
    assert!(said.contains("--take-over"), "{said}");
    bench.signal(first, Signal::KILL);
    assert_eq!(bench.end(first), Ended::Killed);
    bench.finish();
    bench.check();
}

#[test]
fn a_process_that_wakes_up_after_another_took_over_commits_nothing() {
    let schedules = asked("WEIR_CRASH_SCHEDULES", 20);
    let mut chance = Chance::new(3);
    let shapes: Vec<&Shape> = SHAPES.iter().filter(|shape| shape.has_files()).collect();
    let shapes: Vec<&Shape> = shapes.into_iter().filter(|shape| !shape.rare).collect();
    let mut locked = 0;
    for number in 0..schedules {
        let went_on = take_over(shapes[number as usize % shapes.len()], &mut chance);
        locked += u64::from(!went_on);
    }
    let locked = format!("{locked} of them slept in a transaction");
    tell(&format!("{schedules} takeovers of a process that sleeps, {locked}: equal"));
}

/// Whether the second one could go on at once.
fn take_over(shape: &'static Shape, chance: &mut Chance) -> bool {
    let mut bench = Bench::new(shape);
    let first = bench.start(&[], &[], None);
    wait_for_batch(&bench);
    // Not waiting for anything: the time itself is what is tried.
    std::thread::sleep(chance.time(Duration::from_millis(120)));
    bench.signal(first, Signal::STOP);
    bench.note("stopped");
    // What the first one says goes to the file that it has open.
    std::fs::rename(bench.path("events"), bench.path("said-by-the-first")).unwrap();
    let second = bench.start(&[], &["--once", "--take-over"], None);
    match bench.end(second) {
        Ended::Done => {}
        // It was stopped in a transaction: its lock goes with it only.
        Ended::Failed(1, said) if said.contains("WEIR-SINK-007") && !shape.tables.is_empty() => {
            bench.signal(first, Signal::KILL);
            assert_eq!(bench.end(first), Ended::Killed);
            bench.finish();
            bench.check();
            return false;
        }
        other => panic!("{other:?}"),
    }
    bench.check();
    let before = (bench.found(), bench.tables());
    // Something to do, if it had come to the end of its input.
    bench.add();
    bench.signal(first, Signal::CONT);
    let Ended::Failed(code, _) = bench.end(first) else { panic!("it has lost the checkpoint") };
    let said = told(&std::fs::read_to_string(bench.path("said-by-the-first")).unwrap());
    assert!(matches!(code, 1 | 73), "{code}: {said}");
    assert!(said.contains("WEIR-CHECKPOINT-006") && said.contains("to owner 2"), "{said}");
    assert_eq!((bench.found(), bench.tables()), before, "the first one committed nothing: {said}");
    bench.finish();
    bench.check();
    true
}

/// Waits until the process says that a batch is done.
fn wait_for_batch(bench: &Bench) {
    let until = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_to_string(bench.path("events")).unwrap().contains("\"batch\"") {
        assert!(Instant::now() < until, "no batch within a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
}
