//! Crash points: named moments at which a test ends the process as a loss of power would.
//!
//! `WEIR_CRASH_AT=name` or `name:3` kills the process with SIGKILL when it passes that point for
//! the first or third time; nothing unwinds and nothing is dropped. `WEIR_CRASH_LOG=file` notes the
//! name of every point that is passed, a line each. Without either a point is one relaxed load.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Declares the points with their names, and the list of all.
macro_rules! points {
    ($($(#[$doc:meta])* $point:ident = $name:literal,)*) => {
        /// A moment at which everything may end.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Point {
            $($(#[$doc])* $point,)*
        }

        impl Point {
            /// Every point, in the order of a batch.
            pub const ALL: &'static [Self] = &[$(Self::$point,)*];

            /// The name, as tests write it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)*
                }
            }
        }
    };
}

points! {
    /// A blob is written under its temporary name and flushed.
    BlobWritten = "blob-written",
    /// A blob has its name; the folder is not flushed.
    BlobNamed = "blob-named",
    /// A blob and its name are durable.
    BlobDurable = "blob-durable",
    /// A segment is zeroed under its temporary name, its last part not flushed.
    SegmentZeroed = "segment-zeroed",
    /// A segment is durable.
    SegmentMade = "segment-made",
    /// Before the write of an append.
    AppendBegins = "append-begins",
    /// An append is written and not flushed.
    AppendWritten = "append-written",
    /// An append is durable.
    AppendDurable = "append-durable",
    /// The reserve was given up.
    ReserveReleased = "reserve-released",
    /// The identity of a checkpoint is durable.
    IdentityDurable = "identity-durable",
    /// What a former owner left was read.
    LogRead = "log-read",
    /// The segment of a new generation is there, and nothing in it.
    OwnerClaimed = "owner-claimed",
    /// The claim is noted beside the log.
    OwnerNoted = "owner-noted",
    /// The record of a new owner is durable.
    OwnerDurable = "owner-durable",
    /// Before an intent is written.
    IntentBegins = "intent-begins",
    /// An intent is durable.
    IntentDurable = "intent-durable",
    /// An intent that takes the place of another is durable.
    IntentSuperseded = "intent-superseded",
    /// Before a prepared record is written.
    PreparedBegins = "prepared-begins",
    /// A prepared record is durable.
    PreparedDurable = "prepared-durable",
    /// Before a commit is written.
    CommitBegins = "commit-begins",
    /// A commit is durable, nothing is acknowledged.
    CommitDurable = "commit-durable",
    /// A commit and the next intent are durable, in one append.
    CommitIntentDurable = "commit-intent-durable",
    /// The last record of a segment is durable, the next one is empty.
    SegmentLeft = "segment-left",
    /// A floor is durable, nothing below it is removed.
    FloorDurable = "floor-durable",
    /// One file below the floor is removed.
    FileRemoved = "file-removed",
    /// Everything below the floor is removed.
    RetentionDone = "retention-done",
    /// Before the plan of a batch runs.
    RunBegins = "run-begins",
    /// The plan of a batch has run.
    RunDone = "run-done",
    /// Before the output of a sink is prepared.
    SinkPrepareBegins = "sink-prepare-begins",
    /// The output of a sink is prepared.
    SinkPrepared = "sink-prepared",
    /// Before a sink commits.
    SinkCommitBegins = "sink-commit-begins",
    /// A sink has committed.
    SinkCommitted = "sink-committed",
    /// Every sink has committed.
    SinksDone = "sinks-done",
    /// Before a source is told.
    AcknowledgeBegins = "acknowledge-begins",
    /// Every source is told.
    Acknowledged = "acknowledged",
    /// A block of the write-ahead log is durable.
    WalDurable = "wal-durable",
    /// A block of the write-ahead log is removed.
    WalRemoved = "wal-removed",
    /// State of a batch is staged.
    StateStaged = "state-staged",
    /// State of a batch is visible.
    StateVisible = "state-visible",
    /// Before a snapshot is written.
    SnapshotBegins = "snapshot-begins",
    /// A snapshot is durable, no record names it.
    SnapshotDurable = "snapshot-durable",
}

const UNKNOWN: u8 = 0;
const OFF: u8 = 1;
const ON: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);
static ARMED: OnceLock<Armed> = OnceLock::new();

/// What the environment asks for.
#[derive(Default)]
struct Armed {
    at: Option<(String, u64)>,
    passed: AtomicU64,
    log: Option<File>,
}

/// Passes a point.
#[inline]
pub fn point(point: Point) {
    if STATE.load(Ordering::Relaxed) != OFF {
        pass(point);
    }
}

/// Reads the environment now instead of at the first point: before the process gives up the right
/// to open the file of `WEIR_CRASH_LOG`.
pub fn arm() {
    let armed = ARMED.get_or_init(Armed::from_environment);
    let on = armed.at.is_some() || armed.log.is_some();
    STATE.store(if on { ON } else { OFF }, Ordering::Relaxed);
}

#[cold]
fn pass(point: Point) {
    if STATE.load(Ordering::Relaxed) == UNKNOWN {
        arm();
    }
    let Some(armed) = ARMED.get() else { return };
    if let Some(mut log) = armed.log.as_ref() {
        // One write a line, so that lines of several threads stay whole.
        let _not_worth_failing = log.write_all(format!("{}\n", point.name()).as_bytes());
    }
    if let Some((name, time)) = &armed.at
        && name == point.name()
        && armed.passed.fetch_add(1, Ordering::Relaxed) + 1 == *time
    {
        let me = rustix::process::getpid();
        let _cannot_fail = rustix::process::kill_process(me, rustix::process::Signal::KILL);
    }
}

impl Armed {
    #[allow(clippy::disallowed_methods, reason = "a test arms the process that it starts")]
    fn from_environment() -> Self {
        let text = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let log = text("WEIR_CRASH_LOG")
            .and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok());
        Self { at: text("WEIR_CRASH_AT").map(|at| parse(&at)), log, ..Self::default() }
    }
}

fn parse(at: &str) -> (String, u64) {
    let (name, time) = at.split_once(':').unwrap_or((at, "1"));
    (name.to_owned(), time.parse().unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Point::ALL.iter().map(|p| p.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
        assert!(names.len() >= 30);
    }

    #[test]
    fn a_point_may_be_meant_for_a_later_pass() {
        assert_eq!(parse("commit-durable"), ("commit-durable".to_owned(), 1));
        assert_eq!(parse("commit-durable:3"), ("commit-durable".to_owned(), 3));
    }
}
