//! A folder of this machine as a store, with one thread that does all its input and output.
//!
//! One thread, because then the order of the calls is the order of the requests, and because a test
//! that counts system calls counts the same ones each time.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel, sync_channel};
use std::thread::JoinHandle;

use super::disk::HostDisk;
use super::files::Files;
use super::lock::Lock;
use super::{Entry, Store, StoreError};
use crate::clock;

/// How a folder is opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// Folders below it that have to be there.
    pub folders: &'a [&'a str],
    /// Whether a process that holds the lock is passed over.
    pub take_over: bool,
    /// How much space is kept back for the last commit. 0 = none.
    pub reserve_bytes: u64,
}

impl Default for Opening<'_> {
    fn default() -> Self {
        Self { folders: &[], take_over: false, reserve_bytes: 16 << 20 }
    }
}

type Local = Files<HostDisk>;
type Job = Box<dyn FnOnce(&mut Local) + Send>;

/// A folder of this machine.
#[derive(Debug)]
pub struct LocalStore {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    // Let go of after the thread has ended.
    _lock: Lock,
}

impl LocalStore {
    /// Opens the folder, which is made if it is not there, and holds its lock.
    ///
    /// [`StoreError::Locked`] if another process has it. That the reserve finds no space is no
    /// error here: it is taken again when there is room.
    pub fn open(folder: &Path, opening: Opening<'_>) -> Result<Self, StoreError> {
        let shown = folder.display().to_string();
        let disk = HostDisk::at(folder).map_err(|error| StoreError::io("open", &shown, &error))?;
        let lock = Lock::take(folder, opening.take_over)?;
        // Process numbers come again, on another machine or in another container at the same time.
        let tag = format!("{}-{:x}", std::process::id(), clock::now().0);
        let mut files = Files::open(disk, &tag, opening.folders, opening.reserve_bytes)?;
        match files.restore_reserve() {
            Ok(()) | Err(StoreError::NoSpace { .. }) => {}
            Err(error) => return Err(error),
        }
        let (jobs, queue) = channel();
        let thread = std::thread::Builder::new()
            .name("durable".to_owned())
            .spawn(move || work(files, &queue))
            .map_err(|error| StoreError::io("start the thread of", &shown, &error))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), _lock: lock })
    }

    fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Local) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = sync_channel(1);
        let job: Job = Box::new(move |files| {
            // Who asked may have gone.
            let _nobody_waits = answer.send(what(files));
        });
        let gone =
            || StoreError::Poisoned { cause: "the thread of the store has ended".to_owned() };
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(job).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}

/// Serves requests; makes segments while there are none.
fn work(mut files: Local, queue: &Receiver<Job>) {
    loop {
        let job = if files.is_making() {
            match queue.try_recv() {
                Ok(job) => job,
                Err(TryRecvError::Empty) => {
                    // A failure shows when the segment is asked for.
                    let _shows_later = files.make_some();
                    continue;
                }
                Err(TryRecvError::Disconnected) => return,
            }
        } else {
            match queue.recv() {
                Ok(job) => job,
                Err(_) => return,
            }
        };
        job(&mut files);
    }
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _panicked_or_done = thread.join();
        }
    }
}

impl Store for LocalStore {
    fn create(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let (name, bytes) = (name.to_owned(), bytes.to_vec());
        self.ask(move |files| files.create(&name, &bytes))
    }

    fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, StoreError> {
        let name = name.to_owned();
        self.ask(move |files| files.read(&name, most))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let prefix = prefix.to_owned();
        self.ask(move |files| files.list(&prefix))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.ask(move |files| files.remove(&name))
    }

    fn create_segment(&self, name: &str, bytes: u64) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.ask(move |files| files.create_segment(&name, bytes))
    }

    fn prepare_segment(&self, name: &str, bytes: u64) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.ask(move |files| files.prepare_segment(&name, bytes))
    }

    fn append(&self, name: &str, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let (name, bytes) = (name.to_owned(), bytes.to_vec());
        self.ask(move |files| files.append(&name, at, &bytes))
    }

    fn settle(&self, name: &str) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.ask(move |files| files.settle(&name))
    }

    fn release_reserve(&self) -> Result<bool, StoreError> {
        self.ask(Files::release_reserve)
    }

    fn restore_reserve(&self) -> Result<(), StoreError> {
        self.ask(Files::restore_reserve)
    }
}
