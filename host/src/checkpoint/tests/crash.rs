//! A real process on a real disk, killed at every point of these two rooms.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Arc;

use crate::checkpoint::test_kit::{identity, intent, options, rows};
use crate::checkpoint::{Checkpoint, path};
use crate::durable::crash::Point;
use crate::durable::{LocalStore, Opening, Store, StoreError};

const FOLDER: &str = "WEIR_TEST_FOLDER";

/// The points that the runner, sources, sinks and state pass; their rooms test them.
const ELSEWHERE: usize = 23;

fn opening() -> Opening<'static> {
    Opening { folders: path::FOLDERS, take_over: false, reserve_bytes: 64 << 10 }
}

/// The job of the child: batches to `last`; what sinks have is a file a batch.
#[test]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    let sink = folder.join("sink");
    std::fs::create_dir_all(&sink).unwrap();
    let store: Arc<dyn Store> =
        Arc::new(LocalStore::open(&folder.join("checkpoint"), opening()).unwrap());
    let (mut checkpoint, recovery) =
        Checkpoint::open(Arc::clone(&store), &identity(), options(4096)).unwrap();
    let open = recovery.history.open.clone();
    let mut base = recovery.history.last_commit().map_or(0, |commit| commit.input.sum);
    let mut begun = open.as_ref().map(|_| checkpoint.resume().unwrap());
    while checkpoint.last() < 14 {
        let batch = checkpoint.last() + 1;
        let now = match begun.take() {
            Some(begun) => begun,
            None => checkpoint.begin(&intent(batch)).unwrap(),
        };
        let again = crate::checkpoint::record::IntentV1 { revision: 1, ..intent(batch) };
        let now = match batch == 4 && now.revision() == 0 {
            true if !sink.join("4").exists() => checkpoint.supersede(&now, &again).unwrap(),
            _ => now,
        };
        let rows = rows(batch, base);
        base = rows.sum;
        let permit = if batch % 3 == 0 {
            let (batch, revision) = (now.batch(), now.revision());
            let prepared =
                crate::checkpoint::record::PreparedV1 { batch, revision, ..Default::default() };
            checkpoint.prepared(&now, 1, &prepared).unwrap()
        } else {
            checkpoint.permit(&now, 1).unwrap()
        };
        let text = rows.sum.to_string();
        if let Ok(had) = std::fs::read_to_string(sink.join(batch.to_string())) {
            assert_eq!(had, text);
        }
        std::fs::write(sink.join("new"), &text).unwrap();
        std::fs::rename(sink.join("new"), sink.join(batch.to_string())).unwrap();
        let mut commit = crate::checkpoint::test_kit::commit(batch, rows);
        commit.revision = now.revision();
        let next = (batch % 2 == 0 && batch < 14).then(|| intent(batch + 1));
        begun = checkpoint.commit(&permit, &commit, next.as_ref()).unwrap().1;
        if batch == 13 {
            // What the disk does when it is full can't be had here; what is passed then can.
            store.release_reserve().unwrap();
        }
        checkpoint.retain(&BTreeSet::new()).unwrap();
    }
}

fn spawn(folder: &Path, at: &str, log: Option<&Path>) -> ExitStatus {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "checkpoint::tests::crash::child", "--test-threads=1", "-q"]);
    child.env(FOLDER, folder).env("WEIR_CRASH_AT", at).stdout(std::process::Stdio::null());
    match log {
        Some(log) => child.env("WEIR_CRASH_LOG", log),
        None => child.env_remove("WEIR_CRASH_LOG"),
    };
    child.status().unwrap()
}

fn check(folder: &Path) {
    let mut base = 0;
    for batch in 1..=14 {
        base = rows(batch, base).sum;
        let had = std::fs::read_to_string(folder.join("sink").join(batch.to_string())).unwrap();
        assert_eq!(had, base.to_string(), "batch {batch}");
    }
    assert!(!folder.join("sink/15").exists());
}

#[test]
fn a_kill_at_every_point_loses_nothing() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut killed = 0;
    let mine = &Point::ALL[..Point::ALL.len() - ELSEWHERE];
    for point in mine {
        for time in [1, 2, 5] {
            let folder = tempfile::tempdir().unwrap();
            let at = format!("{}:{time}", point.name());
            let first = spawn(folder.path(), &at, Some(log.path()));
            if first.signal() != Some(9) {
                // Some points are passed once or twice in a run.
                assert!(time > 1 && first.success(), "{at}: {first}");
                check(folder.path());
                continue;
            }
            killed += 1;
            // Killed again while it recovers.
            spawn(folder.path(), &format!("{}:{time}", Point::OwnerClaimed.name()), None);
            let last = spawn(folder.path(), "", None);
            assert!(last.success(), "{at}: {last}");
            check(folder.path());
        }
    }
    let log = std::fs::read_to_string(log.path()).unwrap();
    let fired: BTreeSet<_> = log.lines().collect();
    let never: Vec<_> = mine.iter().map(|it| it.name()).filter(|it| !fired.contains(it)).collect();
    assert!(never.is_empty(), "never fired: {never:?}");
    assert!(killed >= mine.len(), "{killed}");
}

#[test]
fn a_second_process_is_refused_and_one_that_takes_over_fences_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let first = LocalStore::open(folder.path(), opening()).unwrap();
    let (mut old, _) = Checkpoint::open(Arc::new(first), &identity(), options(4096)).unwrap();
    let refused = LocalStore::open(folder.path(), opening()).unwrap_err();
    let StoreError::Locked { holder, .. } = &refused else { panic!("{refused}") };
    assert_eq!(holder.process, Some(std::process::id()));
    assert!(refused.help().contains("--take-over"));
    let over = Opening { take_over: true, ..opening() };
    let second = LocalStore::open(folder.path(), over).unwrap();
    let (mut new, _) = Checkpoint::open(Arc::new(second), &identity(), options(4096)).unwrap();
    assert_eq!(old.begin(&intent(1)).unwrap_err().code(), "WEIR-CHECKPOINT-006");
    assert_eq!(new.begin(&intent(1)).unwrap().batch(), 1);
}
