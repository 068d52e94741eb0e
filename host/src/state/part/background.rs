//! Writes snapshots, and folds deltas, while batches go on.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::fold::fold;
use super::{Live, PartRefV1, PlaceV1, part_name};
use crate::id::NodeId;
use crate::state::blobs::Blobs;
use crate::state::{StateError, StateSchema, View};

/// Parts that wait to be written.
const WAITING_MAX: usize = 8;

/// A thread that writes snapshots and folds deltas.
#[derive(Debug)]
pub struct SnapshotWriter {
    asked: Option<SyncSender<Request>>,
    written: Mutex<Receiver<Written>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Request {
    op: NodeId,
    groups: Vec<u32>,
    what: What,
    attempt: String,
}

#[derive(Debug)]
enum What {
    Snapshot(View),
    Fold { schema: Arc<StateSchema>, live: Live, deltas: Vec<PartRefV1> },
}

/// A part that was written, or was not.
#[derive(Debug)]
pub struct Written {
    /// The op.
    pub op: NodeId,
    /// The key groups of a snapshot; none of folded deltas.
    pub groups: Vec<u32>,
    /// How the next commit record refers to it.
    pub part: Result<PartRefV1, StateError>,
}

impl SnapshotWriter {
    /// Starts the thread.
    pub fn start(blobs: Arc<dyn Blobs>) -> Result<Self, StateError> {
        let (asked, requests) = sync_channel(WAITING_MAX);
        let (done, written) = channel();
        let run = move || run(&*blobs, &requests, &done);
        let thread = std::thread::Builder::new()
            .name("snapshots".to_owned())
            .spawn(run)
            .map_err(|error| StateError::Thread { problem: error.to_string() })?;
        let (asked, thread) = (Some(asked), Some(thread));
        Ok(Self { asked, written: Mutex::new(written), thread })
    }

    /// Asks for a snapshot of key groups, ascending, as a view has them. Says whether it will be
    /// written: not if too many wait already. The attempt makes its name unique.
    pub fn write(&self, view: &View, groups: &[u32], attempt: &str) -> bool {
        let what = What::Snapshot(view.narrow(groups));
        self.ask(view.op().clone(), groups.to_vec(), what, attempt)
    }

    /// Asks for one delta in place of many: those of [`Live::foldable`].
    pub fn fold(
        &self,
        schema: &Arc<StateSchema>,
        live: &Live,
        deltas: Vec<PartRefV1>,
        attempt: &str,
    ) -> bool {
        let what = What::Fold { schema: Arc::clone(schema), live: live.clone(), deltas };
        self.ask(live.op(), Vec::new(), what, attempt)
    }

    fn ask(&self, op: NodeId, groups: Vec<u32>, what: What, attempt: &str) -> bool {
        let request = Request { op, groups, what, attempt: attempt.to_owned() };
        self.asked.as_ref().is_some_and(|asked| asked.try_send(request).is_ok())
    }

    /// What was written since the last time.
    pub fn written(&self) -> Vec<Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).try_iter().collect()
    }

    /// Ends the thread when all snapshots that were asked for are written, and gives those.
    pub fn finish(mut self) -> Result<Vec<Written>, StateError> {
        self.end()?;
        Ok(self.written())
    }

    fn end(&mut self) -> Result<(), StateError> {
        self.asked = None;
        let ended = "it ended early; this is a fault of Weir".to_owned();
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(StateError::Thread { problem: ended }),
            _ => Ok(()),
        }
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        // Whoever wants to know how it ended calls `finish`.
        let _ = self.end();
    }
}

fn run(blobs: &dyn Blobs, requests: &Receiver<Request>, done: &Sender<Written>) {
    while let Ok(Request { op, groups, what, attempt }) = requests.recv() {
        let part = write(blobs, &groups, what, &attempt);
        if done.send(Written { op, groups, part }).is_err() {
            return;
        }
    }
}

fn write(
    blobs: &dyn Blobs,
    groups: &[u32],
    what: What,
    attempt: &str,
) -> Result<PartRefV1, StateError> {
    // The view goes before the bytes are written, so that the store may change its tables in
    // place again.
    let part = match what {
        What::Snapshot(view) => view.snapshot(groups)?,
        What::Fold { schema, live, deltas } => fold(&schema, &live, &deltas, blobs)?,
    };
    let name = part_name(&part, attempt);
    blobs.put(&name, part.bytes())?;
    Ok(PartRefV1::new(&part, PlaceV1::Blob(name)))
}
