//! The threads that run user code: one for each partition of a stage.
//!
//! A lane drives one partition of a plan from its sources or exchanges to the next exchange or
//! sink, and calls the guests on its way itself: rows are still in the processor's cache when
//! they cross, and no call waits for another thread. Lanes are threads of our own with a deep
//! stack. They carry the handle of a runtime for what DataFusion reads back from disk, but are
//! not part of it, so a guest may block.

use std::cell::Cell;
use std::future::Future;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The stack of a lane: deep enough for the guest's own stack and everything under it.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Which lane a thread is, as long as it works for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The partition.
    pub partition: u32,
    /// What seeds are made from: the lowest key group of the partition after an exchange, the
    /// partition itself before.
    pub mark: u32,
}

thread_local! {
    static PLACE: Cell<Option<Place>> = const { Cell::new(None) };
}

/// The lane that the current thread works for, if it does.
pub fn current() -> Option<Place> {
    PLACE.get()
}

type Work = Box<dyn FnOnce() + Send>;

/// The threads of a job. They are kept from batch to batch.
pub struct Lanes {
    runtime: tokio::runtime::Handle,
    idle: Mutex<Vec<Sender<Work>>>,
    working: Mutex<usize>,
    rested: Condvar,
}

impl std::fmt::Debug for Lanes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lanes")
    }
}

/// Ends a lane's work whatever way it ends.
struct Working(Arc<Lanes>);

impl Drop for Working {
    fn drop(&mut self) {
        PLACE.set(None);
        let mut working = self.0.working.lock().unwrap_or_else(PoisonError::into_inner);
        *working -= 1;
        if *working == 0 {
            self.0.rested.notify_all();
        }
    }
}

impl Lanes {
    /// No threads yet. The runtime must not be one that the caller drives itself.
    pub fn new(runtime: tokio::runtime::Handle) -> Arc<Self> {
        Arc::new(Self {
            runtime,
            idle: Mutex::default(),
            working: Mutex::new(0),
            rested: Condvar::new(),
        })
    }

    /// Runs work as a lane.
    pub fn run(
        self: &Arc<Self>,
        place: Place,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        *self.working.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let lanes = Arc::clone(self);
        let mut work: Work = Box::new(move || {
            let working = Working(lanes);
            PLACE.set(Some(place));
            futures::executor::block_on(work);
            drop(working);
        });
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let thread = match idle {
                Some(thread) => thread,
                None => self.start().inspect_err(|_| {
                    *self.working.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
                })?,
            };
            match thread.send(work) {
                Ok(()) => return Ok(()),
                Err(unsent) => work = unsent.0,
            }
        }
    }

    fn start(self: &Arc<Self>) -> std::io::Result<Sender<Work>> {
        let (sender, receiver) = channel::<Work>();
        let (lanes, again) = (Arc::downgrade(self), sender.clone());
        let runtime = self.runtime.clone();
        let thread = std::thread::Builder::new().name("lane".into()).stack_size(STACK_BYTES);
        thread.spawn(move || {
            let _context = runtime.enter();
            let mut again = Some(again);
            while let Ok(work) = receiver.recv() {
                work();
                let Some(lanes) = lanes.upgrade() else { break };
                let Some(sender) = again.take() else { break };
                again = Some(sender.clone());
                lanes.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
            }
        })?;
        Ok(sender)
    }

    /// Waits until no lane works.
    pub fn rest(&self) {
        let working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = self.rested.wait_while(working, |working| *working > 0);
        drop(rested.unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn work_runs_in_its_place_and_threads_are_kept() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let lanes = Lanes::new(runtime.handle().clone());
        let seen = Arc::new(AtomicU32::new(0));
        for round in 0..3 {
            for partition in 0..4 {
                let seen = Arc::clone(&seen);
                let place = Place { partition, mark: partition * 10 };
                let work = async move {
                    assert_eq!(current(), Some(place));
                    assert!(tokio::runtime::Handle::try_current().is_ok());
                    seen.fetch_add(1, Ordering::SeqCst);
                };
                lanes.run(place, work).unwrap();
            }
            lanes.rest();
            assert_eq!(seen.load(Ordering::SeqCst), (round + 1) * 4);
        }
        assert_eq!(current(), None);
    }
}
