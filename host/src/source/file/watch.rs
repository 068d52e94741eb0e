//! Hears of new files: by events of the system, or by looking every second where that fails.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{Config, Event, EventKind, PollWatcher, RecursiveMode, Watcher};

use super::list::Watched;
use crate::source::{SourceError, Wake};

/// How often is looked where there are no events, and for a folder that isn't there yet.
const POLL: Duration = Duration::from_secs(1);

/// Rings a bell until it is dropped.
#[derive(Debug)]
pub(super) struct Watch(Arc<Shared>);

struct Shared {
    watched: Watched,
    wake: Wake,
    /// The watcher of the system, while the folder is there.
    armed: Mutex<Option<Box<dyn Watcher + Send>>>,
    /// Wakes the thread that keeps watch: one of these was set.
    keeper: Wake,
    /// The folder has gone.
    lost: AtomicBool,
    /// A folder has appeared in it.
    grown: AtomicBool,
    /// The watch was dropped.
    ended: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("watched", &self.watched).finish_non_exhaustive()
    }
}

impl Watch {
    pub(super) fn start(watched: Watched, wake: Wake) -> Result<Self, SourceError> {
        let shared = Arc::new(Shared::new(watched, wake));
        if shared.watched.root.exists() {
            shared.arm()?;
        }
        let keeper = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("weir-watch".into())
            .spawn(move || keeper.keep())
            .map_err(|error| shared.failed(&error.to_string()))?;
        Ok(Self(shared))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.keeper.ring();
    }
}

impl Shared {
    fn new(watched: Watched, wake: Wake) -> Self {
        Self {
            watched,
            wake,
            armed: Mutex::new(None),
            keeper: Wake::default(),
            lost: AtomicBool::new(false),
            grown: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    /// Keeps watch until the watch ends: arms when the folder appears, and rings once more after
    /// a folder has appeared in it, because what is written there before the system watches it
    /// makes no event.
    fn keep(self: Arc<Self>) {
        let mut later = false;
        loop {
            let waits_long = self.armed().is_some() && !later;
            let rung = self.keeper.wait((!waits_long).then_some(POLL));
            if self.ended.load(Ordering::Acquire) {
                *self.armed() = None;
                return;
            }
            if later && !rung {
                later = false;
                self.wake.ring();
            }
            later |= self.grown.swap(false, Ordering::AcqRel);
            if self.lost.swap(false, Ordering::AcqRel) {
                *self.armed() = None;
            }
            let armed = self.armed().is_some();
            // If it can't be armed now, it is tried again after a while.
            if !armed && self.watched.root.exists() && self.arm().is_ok() {
                self.wake.ring();
            }
        }
    }

    fn armed(&self) -> std::sync::MutexGuard<'_, Option<Box<dyn Watcher + Send>>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches the folder, which is there.
    fn arm(self: &Arc<Self>) -> Result<(), SourceError> {
        let root = &self.watched.root;
        let mode = match self.watched.deep {
            true => RecursiveMode::Recursive,
            false => RecursiveMode::NonRecursive,
        };
        let by_events = notify::recommended_watcher(self.ringer())
            .and_then(|mut watcher| watcher.watch(root, mode).map(|()| watcher));
        let watcher: Box<dyn Watcher + Send> = match by_events {
            Ok(watcher) => Box::new(watcher),
            // The system has a limit on watches, and some file systems know none.
            Err(_) => Box::new(self.poll(POLL, mode).map_err(|e| self.failed(&e.to_string()))?),
        };
        *self.armed() = Some(watcher);
        Ok(())
    }

    fn poll(self: &Arc<Self>, every: Duration, mode: RecursiveMode) -> notify::Result<PollWatcher> {
        let config = Config::default().with_poll_interval(every);
        let mut watcher = PollWatcher::new(self.ringer(), config)?;
        watcher.watch(&self.watched.root, mode)?;
        Ok(watcher)
    }

    fn ringer(self: &Arc<Self>) -> impl FnMut(notify::Result<Event>) + Send + 'static {
        // Weak, because the watcher that owns this is owned by `self`.
        let shared = Arc::downgrade(self);
        move |event| {
            let Some(shared) = shared.upgrade() else { return };
            match event {
                Ok(event) if !tells_of_files(&event) => {}
                Ok(event) => {
                    shared.note(&event);
                    shared.wake.ring();
                }
                Err(_) => shared.wake.ring(),
            }
        }
    }

    fn note(&self, event: &Event) {
        let lost = loses(event, &self.watched.root);
        let grown = self.watched.deep && may_bring_a_folder(event);
        self.lost.fetch_or(lost, Ordering::AcqRel);
        self.grown.fetch_or(grown, Ordering::AcqRel);
        if lost || grown {
            self.keeper.ring();
        }
    }

    fn failed(&self, problem: &str) -> SourceError {
        let path = self.watched.root.display().to_string();
        SourceError::Watch { path, problem: problem.to_owned() }
    }
}

/// Whether there may be something new. That we read a file ourselves is none.
fn tells_of_files(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// Whether a folder may have been made, or renamed into the watched one.
fn may_bring_a_folder(event: &Event) -> bool {
    match event.kind {
        EventKind::Create(kind) => kind != CreateKind::File,
        EventKind::Modify(ModifyKind::Name(_)) | EventKind::Any | EventKind::Other => true,
        _ => false,
    }
}

/// Whether the folder itself has gone.
fn loses(event: &Event, root: &Path) -> bool {
    let gone = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
    gone && event.paths.iter().any(|path| path == root)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LONG: Option<Duration> = Some(Duration::from_secs(60));

    fn watch(root: &Path, deep: bool) -> (Watch, Wake) {
        let wake = Wake::default();
        let watched = Watched { root: root.to_owned(), deep };
        (Watch::start(watched, wake.clone()).unwrap(), wake)
    }

    #[test]
    fn a_file_that_is_renamed_into_the_folder_rings() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("input");
        fs::create_dir(&input).unwrap();
        fs::write(folder.path().join("a"), "a\n").unwrap();
        let (_watch, wake) = watch(&input, false);
        fs::rename(folder.path().join("a"), input.join("a")).unwrap();
        assert!(wake.wait(LONG));
    }

    #[test]
    fn a_new_folder_within_is_watched_too() {
        let folder = tempfile::tempdir().unwrap();
        let (_watch, wake) = watch(folder.path(), true);
        let inner = folder.path().join("2026");
        fs::create_dir(&inner).unwrap();
        assert!(wake.wait(LONG));
        fs::write(inner.join("a"), "a\n").unwrap();
        assert!(wake.wait(LONG));
    }

    #[test]
    fn a_folder_that_comes_later_or_goes_and_comes_again_is_watched() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("input");
        let (watch, wake) = watch(&input, false);
        for _ in 0..2 {
            fs::create_dir(&input).unwrap();
            while watch.0.armed().is_none() {
                assert!(wake.wait(LONG));
            }
            fs::remove_dir(&input).unwrap();
            while watch.0.armed().is_some() {
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn reading_a_file_does_not_ring() {
        let access = |kind| tells_of_files(&Event::new(EventKind::Access(kind)));
        assert!(!access(AccessKind::Open(AccessMode::Any)));
        assert!(!access(AccessKind::Close(AccessMode::Read)));
        assert!(access(AccessKind::Close(AccessMode::Write)));
        assert!(tells_of_files(&Event::new(EventKind::Any)));
    }

    #[test]
    fn looking_again_and_again_rings_too() {
        let folder = tempfile::tempdir().unwrap();
        let wake = Wake::default();
        let watched = Watched { root: folder.path().to_owned(), deep: false };
        let shared = Arc::new(Shared::new(watched, wake.clone()));
        let every = Duration::from_millis(5);
        let _watcher = shared.poll(every, RecursiveMode::NonRecursive).unwrap();
        fs::write(folder.path().join("a"), "a\n").unwrap();
        assert!(wake.wait(LONG));
    }

    #[test]
    fn a_dropped_watch_rings_no_more_and_ends_its_thread() {
        let folder = tempfile::tempdir().unwrap();
        let (watch, _wake) = watch(folder.path(), false);
        let shared = Arc::downgrade(&watch.0);
        drop(watch);
        while shared.upgrade().is_some() {
            std::thread::yield_now();
        }
    }
}
