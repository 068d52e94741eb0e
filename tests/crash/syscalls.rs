//! Every durable system call: the process is killed at it, or it fails. `strace` does both.

use std::process::Command;

use crate::bench::{Bench, Ended};
use crate::chance::{asked, tell};
use crate::shapes::shape;

/// What makes something durable or visible. strace counts per thread, and the checkpoint has one
/// thread for its disk; those of sinks have theirs.
const CALLS: [&str; 8] =
    ["fdatasync", "fsync", "renameat2", "rename", "pwrite64", "write", "unlink", "unlinkat"];

/// How many inputs: few in the short form.
fn inputs() -> usize {
    if all() { 50 } else { 9 }
}

/// Whether every call is tried (`WEIR_CRASH_SYSCALLS=1`), not 1, 2, 3, 5, 8, …
fn all() -> bool {
    asked("WEIR_CRASH_SYSCALLS", 0) != 0
}

fn next(n: u64) -> u64 {
    if all() { n + 1 } else { n + 1 + n / 2 }
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
    let mut kills = 0;
    for call in CALLS {
        let mut n = 1;
        loop {
            let mut bench = Bench::with_inputs(shape("aside"), inputs());
            let (ended, _) = inject(&mut bench, call, "signal=KILL", n);
            bench.finish();
            bench.check();
            match ended {
                Ended::Killed => kills += 1,
                Ended::Done => break,
                failed => panic!("{failed:?}"),
            }
            n = next(n);
        }
    }
    tell(&format!("{kills} kills at durable system calls: equal"));
}

#[test]
fn a_flush_that_fails_ends_the_process_and_is_not_tried_again() {
    if !strace_is_there() {
        return;
    }
    let mut failures = 0;
    for call in ["fdatasync", "fsync", "renameat2"] {
        let mut n = 1;
        loop {
            let mut bench = Bench::with_inputs(shape("aside"), inputs());
            let (ended, injected) = inject(&mut bench, call, "error=EIO", n);
            match ended {
                Ended::Failed(1 | 73, said) => {
                    assert!(injected && said.contains("WEIR-"), "{said}");
                    failures += 1;
                }
                Ended::Done => assert!(!injected, "{call} {n} failed and nobody was told"),
                other => panic!("{call} {n}: {other:?}"),
            }
            bench.finish();
            bench.check();
            if !injected {
                break;
            }
            n = next(next(n));
        }
    }
    tell(&format!("{failures} flushes and renames that fail: ended, then equal"));
}

#[test]
fn a_disk_that_is_full_for_a_moment_is_waited_for_or_ends_the_process() {
    if !strace_is_there() {
        return;
    }
    let (mut waited, mut ended) = (0, 0);
    let mut n = 1;
    loop {
        let mut bench = Bench::with_inputs(shape("aside"), inputs());
        let (end, injected) = inject(&mut bench, "pwrite64", "error=ENOSPC", n);
        match end {
            Ended::Done => waited += u64::from(injected),
            Ended::Failed(1 | 73, said) => {
                assert!(said.contains("WEIR-"), "{said}");
                ended += 1;
            }
            other => panic!("{n}: {other:?}"),
        }
        bench.finish();
        bench.check();
        if !injected {
            break;
        }
        n = next(next(n));
    }
    assert!(waited > 0, "no append ever waited for room");
    tell(&format!("{waited} times no room was waited for, {ended} times told: equal"));
}
