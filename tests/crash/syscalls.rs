//! Every durable system call: the process is killed at it, or it fails. `strace` does both.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::bench::{Bench, Ended};
use crate::chance::{asked, tell};
use crate::shapes::{Shape, shape};

/// What makes something durable or visible. strace counts per thread, and the checkpoint has one
/// thread for its disk; those of sinks have theirs.
const CALLS: [&str; 9] = [
    "fdatasync",
    "fsync",
    "renameat2",
    "rename",
    "pwrite64",
    "write",
    "unlink",
    "unlinkat",
    "ftruncate",
];

/// Jobs without a state, with states and two kinds of sinks, and with a table alone: its calls are
/// those of SQLite.
const TRIED: [&str; 3] = ["aside", "told", "latest"];

/// How many inputs: few in the short form.
fn inputs() -> usize {
    if all() { 50 } else { 8 }
}

/// Whether every call is tried (`WEIR_CRASH_SYSCALLS=1`), not 1, 2, 4, 9, …
fn all() -> bool {
    asked("WEIR_CRASH_SYSCALLS", 0) != 0
}

/// More often those that append: only some of them wait for room.
fn next(call: &str, n: u64) -> u64 {
    let far = if call == "pwrite64" { n / 2 } else { n * n / 4 };
    if all() { n + 1 } else { n + 1 + far }
}

/// Does something to each call of each kind of each job, in two threads. `act` says whether the
/// call came at all: the next one is tried then.
fn each(calls: &[&'static str], act: impl Fn(&'static Shape, &'static str, u64) -> bool + Sync) {
    let all = TRIED.iter().flat_map(|name| calls.iter().map(|call| (shape(name), *call)));
    let all: Mutex<Vec<(&'static Shape, &'static str)>> = Mutex::new(all.collect());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let one = all.lock().unwrap().pop();
                    let Some((shape, call)) = one else { break };
                    let mut n = 1;
                    while act(shape, call, n) {
                        n = next(call, n);
                    }
                }
            });
        }
    });
}

fn strace_is_there() -> bool {
    let there = Command::new("strace").arg("-V").output().is_ok_and(|ran| ran.status.success());
    if !there {
        tell("system calls are not tried: strace is not there (apt-get install strace)");
    }
    there
}

/// Runs the job with the `n`th of these calls of a thread made to do something. Whether it was.
fn inject(bench: &mut Bench, call: &str, what: &str, n: u64) -> (Ended, bool) {
    let trace = bench.path("trace");
    let (only, inject) = (format!("trace={call}"), format!("inject={call}:{what}:when={n}"));
    let mut through = vec!["strace", "-f", "-qq", "-o", trace.to_str().unwrap()];
    through.extend(["-e", &only, "-e", &inject]);
    let process = bench.start(&through, &["--once"], None);
    let ended = bench.end(process);
    let trace = String::from_utf8_lossy(&std::fs::read(&trace).unwrap()).into_owned();
    (ended, trace.contains("(INJECTED)"))
}

#[test]
fn a_kill_at_every_durable_call_loses_nothing_and_repeats_nothing() {
    if !strace_is_there() {
        return;
    }
    let kills = AtomicU64::new(0);
    each(&CALLS, |shape, call, n| {
        let mut bench = Bench::with_inputs(shape, inputs());
        let (ended, _) = inject(&mut bench, call, "signal=KILL", n);
        bench.finish();
        bench.check();
        match ended {
            Ended::Killed => kills.fetch_add(1, Ordering::Relaxed) < u64::MAX,
            Ended::Done => false,
            failed => panic!("{failed:?}"),
        }
    });
    let kills = kills.into_inner();
    let jobs = TRIED.len();
    tell(&format!("{kills} kills at durable system calls of {jobs} jobs: equal"));
}

#[test]
fn a_flush_that_fails_ends_the_process_and_is_not_tried_again() {
    if !strace_is_there() {
        return;
    }
    let failures = AtomicU64::new(0);
    each(&["fdatasync", "fsync", "renameat2"], |shape, call, n| {
        let mut bench = Bench::with_inputs(shape, inputs());
        let (ended, injected) = inject(&mut bench, call, "error=EIO", n);
        match ended {
            Ended::Failed(1 | 73, said) => {
                assert!(injected && said.contains("WEIR-"), "{said}");
                failures.fetch_add(1, Ordering::Relaxed);
            }
            Ended::Done => assert!(!injected, "{call} {n} failed and nobody was told"),
            other => panic!("{call} {n}: {other:?}"),
        }
        bench.finish();
        bench.check();
        injected
    });
    let failures = failures.into_inner();
    tell(&format!("{failures} flushes and renames that fail: ended, then equal"));
}

#[test]
fn a_disk_that_is_full_for_a_moment_is_waited_for_or_ends_the_process() {
    if !strace_is_there() {
        return;
    }
    let (waited, ended) = (AtomicU64::new(0), AtomicU64::new(0));
    each(&["pwrite64"], |shape, call, n| {
        let mut bench = Bench::with_inputs(shape, inputs());
        let (end, injected) = inject(&mut bench, call, "error=ENOSPC", n);
        match end {
            Ended::Done => _ = waited.fetch_add(u64::from(injected), Ordering::Relaxed),
            Ended::Failed(1 | 73, said) => {
                assert!(said.contains("WEIR-"), "{said}");
                ended.fetch_add(1, Ordering::Relaxed);
            }
            other => panic!("{call} {n}: {other:?}"),
        }
        bench.finish();
        bench.check();
        injected
    });
    let (waited, ended) = (waited.into_inner(), ended.into_inner());
    assert!(waited > 0, "no append ever waited for room");
    tell(&format!("{waited} times no room was waited for, {ended} times told: equal"));
}
