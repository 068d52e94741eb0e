//! What the inputs hold, and hearing of it when they change.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use notify::event::{AccessKind, AccessMode};
use notify::{Config, Event, EventKind, PollWatcher, RecursiveMode, Watcher};
use xxhash_rust::xxh3::xxh3_128;

use super::folder_of;
use super::inputs::{Inputs, Place};
use crate::source::Wake;

/// Files up to this size are told apart by what is in them; saved again as they were they have
/// not changed. Larger ones are told apart by size and time.
const READ_MAX: u64 = 4 << 20;

/// So many files are looked at; a folder with more is a data set, and no sample.
const FILES_MAX: usize = 20_000;

/// How often is looked where the system tells nothing.
const POLL: Duration = Duration::from_secs(1);

/// What was there.
#[derive(Debug, Default)]
pub struct Scan {
    files: BTreeMap<PathBuf, Content>,
    folders: BTreeSet<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Read(u128),
    Large(u64, Option<SystemTime>),
}

impl Scan {
    /// Looks at everything.
    pub fn of(inputs: &Inputs) -> Self {
        let mut scan = Self::default();
        for place in &inputs.places {
            if place.root.is_dir() {
                scan.walk(inputs, place);
            } else {
                scan.file(&place.root);
                scan.folders.insert(there(&folder_of(&place.root)));
            }
        }
        scan
    }

    fn walk(&mut self, inputs: &Inputs, place: &Place) {
        let mut folders = vec![place.root.clone()];
        while let Some(folder) = folders.pop() {
            self.folders.insert(folder.clone());
            // One that has gone meanwhile holds nothing.
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for path in entries.flatten().map(|entry| entry.path()) {
                if !inputs.takes(&path) || self.files.len() >= FILES_MAX {
                    continue;
                }
                let is_folder = fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_dir());
                match is_folder {
                    true if place.deep => folders.push(path),
                    true => {}
                    false => self.file(&path),
                }
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let Ok(facts) = fs::metadata(path) else { return };
        if !facts.is_file() {
            return;
        }
        let large = Content::Large(facts.len(), facts.modified().ok());
        let content = match facts.len() <= READ_MAX {
            true => fs::read(path).map_or(large, |bytes| Content::Read(xxh3_128(&bytes))),
            false => large,
        };
        self.files.insert(path.to_owned(), content);
    }

    /// Whether a file is in both as it was.
    pub fn same_as(&self, other: &Self, file: &Path) -> bool {
        self.files.get(file) == other.files.get(file)
    }

    /// Files that are not as they were, have come or have gone.
    fn changes_since(&self, before: &Self) -> Vec<PathBuf> {
        let all: BTreeSet<&PathBuf> = self.files.keys().chain(before.files.keys()).collect();
        let differs = |path: &&&PathBuf| self.files.get(**path) != before.files.get(**path);
        all.iter().filter(differs).map(|path| (*path).clone()).collect()
    }
}

/// The folder, or the nearest one above that is there.
fn there(folder: &Path) -> PathBuf {
    folder.ancestors().find(|path| path.is_dir()).map_or_else(|| ".".into(), Path::to_owned)
}

/// Rings a bell when something happens to inputs, until it is dropped.
pub struct Watch {
    inputs: Inputs,
    scan: Scan,
    wake: Wake,
    /// It rings while it is there.
    _watcher: Box<dyn Watcher>,
}

impl Watch {
    /// Begins to listen. What happens from now on is told.
    pub fn start(inputs: Inputs, wake: &Wake) -> Result<Self, notify::Error> {
        let scan = Scan::of(&inputs);
        let watcher = watcher(&scan.folders, wake)?;
        // What came in the meantime made no sound.
        wake.ring();
        Ok(Self { inputs, scan, wake: wake.clone(), _watcher: watcher })
    }

    /// What was there at the start.
    pub fn scan(&self) -> &Scan {
        &self.scan
    }

    /// Takes lock files as they are now: a build may write them.
    pub fn take_locks(&mut self) {
        let lock = |path: &Path| path.file_name().is_some_and(|name| name == "Cargo.lock");
        let now = Scan::of(&self.inputs);
        let locks = now.files.into_iter().filter(|(path, _)| lock(path));
        self.scan.files.extend(locks);
    }

    /// Files that are not as they were. New folders are listened to from now on.
    pub fn changes(&mut self) -> Result<Vec<PathBuf>, notify::Error> {
        let mut now = Scan::of(&self.inputs);
        while now.folders != self.scan.folders {
            self._watcher = watcher(&now.folders, &self.wake)?;
            self.scan.folders = now.folders;
            now = Scan::of(&self.inputs);
        }
        Ok(now.changes_since(&self.scan))
    }
}

fn watcher(folders: &BTreeSet<PathBuf>, wake: &Wake) -> Result<Box<dyn Watcher>, notify::Error> {
    let by_events = notify::recommended_watcher(ringer(wake))
        .and_then(|watcher| armed(Box::new(watcher), folders));
    // The system has a limit on watches, and some file systems know none.
    by_events.or_else(|_| {
        let config = Config::default().with_poll_interval(POLL);
        armed(Box::new(PollWatcher::new(ringer(wake), config)?), folders)
    })
}

fn armed(
    mut watcher: Box<dyn Watcher>,
    folders: &BTreeSet<PathBuf>,
) -> Result<Box<dyn Watcher>, notify::Error> {
    for folder in folders {
        let watched = watcher.watch(folder, RecursiveMode::NonRecursive);
        // One that has just gone is missed by the next scan.
        watched.or_else(|error| if folder.is_dir() { Err(error) } else { Ok(()) })?;
    }
    Ok(watcher)
}

fn ringer(wake: &Wake) -> impl FnMut(notify::Result<Event>) + Send + 'static {
    let wake = wake.clone();
    move |event| {
        let only_read = event.is_ok_and(|event| match event.kind {
            EventKind::Access(access) => access != AccessKind::Close(AccessMode::Write),
            _ => false,
        });
        if !only_read {
            wake.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(folder: &Path, wake: &Wake) -> Watch {
        let places = vec![
            Place { root: folder.join("job.toml"), deep: false },
            Place { root: folder.join("plugin"), deep: true },
            Place { root: folder.join("input/later"), deep: false },
        ];
        Watch::start(Inputs { places, outputs: vec![folder.join("plugin/out")] }, wake).unwrap()
    }

    fn write(path: PathBuf, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Waits until something has changed.
    fn changed(watch: &mut Watch, wake: &Wake) -> Vec<PathBuf> {
        loop {
            let changes = watch.changes().unwrap();
            if !changes.is_empty() {
                return changes;
            }
            assert!(wake.wait(Some(Duration::from_secs(60))), "nobody rang");
        }
    }

    #[test]
    fn what_a_run_is_made_from_counts_and_what_it_writes_does_not() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        write(folder.join("job.toml"), "1");
        write(folder.join("plugin/src/lib.rs"), "1");
        let wake = Wake::default();
        let mut watch = watch(folder, &wake);
        for made in
            ["plugin/target/a", "plugin/out/b", "plugin/.git/c", "plugin/d~", "input/e", "f"]
        {
            write(folder.join(made), "1");
        }
        write(folder.join("job.toml"), "1");
        write(folder.join("plugin/Cargo.lock"), "1");
        watch.take_locks();
        assert!(watch.changes().unwrap().is_empty());
        write(folder.join("plugin/src/lib.rs"), "2");
        assert_eq!(changed(&mut watch, &wake), [folder.join("plugin/src/lib.rs")]);
    }

    #[test]
    fn files_in_new_folders_are_heard_and_files_that_go_too() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        write(folder.join("job.toml"), "1");
        write(folder.join("plugin/src/lib.rs"), "1");
        let wake = Wake::default();
        let mut first = watch(folder, &wake);
        fs::create_dir_all(folder.join("plugin/src/inner")).unwrap();
        fs::create_dir_all(folder.join("input/later")).unwrap();
        assert!(first.changes().unwrap().is_empty());
        write(folder.join("plugin/src/inner/a.rs"), "1");
        assert_eq!(changed(&mut first, &wake), [folder.join("plugin/src/inner/a.rs")]);
        let mut second = watch(folder, &wake);
        write(folder.join("input/later/a"), "1");
        assert_eq!(changed(&mut second, &wake), [folder.join("input/later/a")]);
        let mut third = watch(folder, &wake);
        fs::remove_file(folder.join("job.toml")).unwrap();
        assert_eq!(changed(&mut third, &wake), [folder.join("job.toml")]);
    }
}
