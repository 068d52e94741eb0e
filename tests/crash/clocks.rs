//! Clocks that go back between two starts.

use std::path::Path;

use crate::bench::{Bench, Ended};
use crate::chance::tell;
use crate::shapes::shape;

/// Where libfaketime is, on the machines that have it.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

#[test]
fn a_clock_that_goes_back_leaves_batches_in_their_order() {
    let Some(library) = LIBRARIES.iter().find(|path| Path::new(path).exists()) else {
        tell("clocks are not tried: libfaketime is not there (apt-get install libfaketime)");
        return;
    };
    let preload = format!("LD_PRELOAD={library}");
    for jump in ["-1h", "-1d", "-400d", "+1d"] {
        let mut bench = Bench::new(shape("aside"));
        assert_eq!(bench.crash("sink-committed:9"), Ended::Killed);
        let clock = format!("FAKETIME={jump}");
        // Only the wall clock: not the times of files, nor how long something took.
        let through = ["env", "NO_FAKE_STAT=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", &preload, &clock];
        let process = bench.start(&through, &["--once"], Some("sinks-done:3"));
        assert_eq!(bench.end(process), Ended::Killed, "{jump}");
        // And forth again, or back after a day.
        bench.finish();
        bench.check();
    }
    tell("4 jumps of the clock: equal, and times go up");
}
