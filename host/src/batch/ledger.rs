//! What stays of a job from batch to batch: its checkpoint and the states of its ops, which go
//! forward together.
//!
//! Without a checkpoint (`--from none`) the same steps are gone, and nothing is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::error::BatchError;
use super::parts::{self, StoreBlobs};
use crate::checkpoint::record::{CommitV1, IntentV1, PreparedV1, StateRefV1};
use crate::checkpoint::{Begun, Checkpoint, CheckpointError, Committed, Permit, StateStep};
use crate::clock;
use crate::durable::Store;
use crate::durable::crash::{self, Point};
use crate::id::{BatchId, NodeId};
use crate::state::{
    Blobs, KEY_GROUPS, Live, MemoryStore, PartRefV1, SnapshotWriter, Staged, StateError,
    StateRefsV1, StateStore, Wear, restore,
};

/// Changes of a lane up to so many bytes stand in the commit itself: they are durable with it.
const INLINE_MAX: usize = 256 << 10;

/// After so many batches everything that states consist of is named again, so that older records
/// may go.
const NAME_AGAIN: u64 = 128;

/// After so many batches what no batch needs any more is removed.
const CLEAN_UP: u64 = 16;

/// Why nothing goes on.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A state.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The checkpoint and the states of a job.
pub struct Ledger {
    kept: Option<Kept>,
    store: Arc<dyn StateStore>,
    ops: BTreeMap<NodeId, Pieces>,
    threads: usize,
}

/// The checkpoint, and what is written beside it.
struct Kept {
    checkpoint: Checkpoint,
    blobs: Arc<StoreBlobs>,
    writer: SnapshotWriter,
    /// How many pieces were asked for that are not there yet.
    outstanding: usize,
    clean_up_due: bool,
}

/// What the state of an op consists of.
struct Pieces {
    live: Live,
    wear: Wear,
    /// Pieces that are written and that no commit names yet.
    new: Vec<PartRefV1>,
}

/// What is known of a batch before its sinks commit.
pub struct Changes {
    /// The pieces, as the record has them.
    pub records: Vec<StateRefV1>,
    by_op: BTreeMap<NodeId, Vec<PartRefV1>>,
    all: bool,
}

impl Ledger {
    /// Without a checkpoint, with states in memory.
    pub fn in_memory(threads: usize) -> Self {
        Self::unwritten(Arc::new(MemoryStore::new(KEY_GROUPS, threads)), threads)
    }

    /// Without a checkpoint.
    pub fn unwritten(store: Arc<dyn StateStore>, threads: usize) -> Self {
        Self { kept: None, store, ops: BTreeMap::new(), threads }
    }

    /// With a checkpoint that was opened.
    pub fn new(
        checkpoint: Checkpoint,
        place: Arc<dyn Store>,
        store: Arc<dyn StateStore>,
        threads: usize,
    ) -> Result<Self, LedgerError> {
        let blobs = Arc::new(StoreBlobs(place));
        let writer = SnapshotWriter::start(Arc::<StoreBlobs>::clone(&blobs) as Arc<dyn Blobs>)?;
        let (outstanding, clean_up_due) = (0, false);
        let kept = Some(Kept { checkpoint, blobs, writer, outstanding, clean_up_due });
        Ok(Self { kept, store, ops: BTreeMap::new(), threads })
    }

    /// The states.
    pub fn store(&self) -> &Arc<dyn StateStore> {
        &self.store
    }

    /// The checkpoint, if there is one.
    pub fn checkpoint(&mut self) -> Option<&mut Checkpoint> {
        self.kept.as_mut().map(|kept| &mut kept.checkpoint)
    }

    /// Where the checkpoint is kept, if there is one.
    pub fn kept_in(&self) -> Option<Arc<dyn Store>> {
        self.kept.as_ref().map(|kept| Arc::clone(&kept.blobs.0))
    }

    /// Whether another owner has the checkpoint: it removes what this one has half done, so that
    /// the first thing to fail may be a sink.
    pub fn lost(&mut self) -> Option<BatchError> {
        match self.checkpoint()?.check_owner() {
            Err(error @ CheckpointError::Fenced { .. }) => Some(error.into()),
            _ => None,
        }
    }

    /// Whether anything is written down.
    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// The names of all pieces of state that are files.
    pub fn files(&self) -> Result<BTreeSet<String>, LedgerError> {
        match &self.kept {
            Some(kept) => Ok(kept.blobs.list("state/")?.into_iter().collect()),
            None => Ok(BTreeSet::new()),
        }
    }

    /// The generation of this owner.
    pub fn generation(&self) -> u64 {
        self.kept.as_ref().map_or(1, |kept| kept.checkpoint.generation())
    }

    /// Gives ops the states that pieces add up to: those after a batch.
    pub fn restore(&mut self, steps: &[StateStep], after: BatchId) -> Result<(), LedgerError> {
        let Some(kept) = &self.kept else { return Ok(()) };
        for op in self.store.ops() {
            self.store.forget(&op)?;
        }
        self.ops.clear();
        for (op, refs) in parts::parts(steps, self.store.groups())? {
            let mut live = Live::new(&op, self.store.groups());
            live.apply(&refs)?;
            let restored = restore(&*self.store, &live, &*kept.blobs, self.threads)?;
            let pieces = Pieces { live, wear: restored.wear, new: Vec::new() };
            self.ops.insert(op, pieces);
        }
        if let Some(kept) = &mut self.kept {
            kept.clean_up_due = true;
        }
        Ok(self.store.resume(after)?)
    }

    /// Writes down that a batch begins; nothing without a checkpoint.
    pub fn begin(&mut self, intent: &IntentV1) -> Result<Option<Begun>, CheckpointError> {
        self.kept.as_mut().map(|kept| kept.checkpoint.begin(intent)).transpose()
    }

    /// Writes down that the batch is another one than it was to be.
    pub fn supersede(
        &mut self,
        begun: Option<&Begun>,
        intent: &IntentV1,
    ) -> Result<Option<Begun>, CheckpointError> {
        match (&mut self.kept, begun) {
            (Some(kept), Some(begun)) => kept.checkpoint.supersede(begun, intent).map(Some),
            _ => Ok(None),
        }
    }

    /// Takes what the lanes of a batch changed. Afterwards it is durable, or will be with the
    /// commit.
    pub fn stage(
        &mut self,
        batch: BatchId,
        attempt: u128,
        staged: Vec<Staged>,
    ) -> Result<Changes, LedgerError> {
        let mut by_op: BTreeMap<NodeId, Vec<PartRefV1>> = BTreeMap::new();
        let attempt = format!("{attempt:032x}");
        for (number, staged) in staged.into_iter().enumerate() {
            if let Some(kept) = &self.kept {
                let part = staged.refer(&format!("{attempt}-{number}"), INLINE_MAX);
                if let crate::state::PlaceV1::Blob(name) = &part.place {
                    kept.blobs.put(name, staged.delta().bytes())?;
                }
                let groups = self.store.groups();
                let pieces = self.ops.entry(staged.op().clone());
                let pieces = pieces.or_insert_with(|| Pieces::new(staged.op(), groups));
                pieces.wear.add(staged.delta());
                by_op.entry(staged.op().clone()).or_default().push(part);
            }
            self.store.stage(batch, staged)?;
        }
        self.take_written();
        for (op, pieces) in &mut self.ops {
            if !pieces.new.is_empty() {
                by_op.entry(op.clone()).or_default().append(&mut pieces.new);
            }
        }
        let all = batch.0.is_multiple_of(NAME_AGAIN);
        let records = self.records(&by_op, all);
        crash::point(Point::StateStaged);
        Ok(Changes { records, by_op, all })
    }

    /// What the commit of a batch names.
    fn records(&self, by_op: &BTreeMap<NodeId, Vec<PartRefV1>>, all: bool) -> Vec<StateRefV1> {
        let mut records = Vec::new();
        if all {
            for (op, pieces) in &self.ops {
                let parts = pieces.live.parts().iter();
                records.extend(parts.flat_map(|part| parts::records(op.as_str(), part)));
            }
        }
        for (op, parts) in by_op {
            records.extend(parts.iter().flat_map(|part| parts::records(op.as_str(), part)));
        }
        records
    }

    /// Lets the sinks commit: at once, or after a record of what they have ready.
    pub fn permit(
        &mut self,
        begun: Option<&Begun>,
        attempt: u128,
        prepared: Option<&PreparedV1>,
    ) -> Result<Option<Permit>, CheckpointError> {
        let (Some(kept), Some(begun)) = (&mut self.kept, begun) else { return Ok(None) };
        match prepared {
            Some(prepared) => kept.checkpoint.prepared(begun, attempt, prepared).map(Some),
            None => kept.checkpoint.permit(begun, attempt).map(Some),
        }
    }

    /// Writes down that every sink has the batch, and that the next one begins if it does.
    pub fn commit(
        &mut self,
        permit: Option<&Permit>,
        commit: &CommitV1,
        next: Option<&IntentV1>,
    ) -> Result<(Option<Committed>, Option<Begun>), CheckpointError> {
        let (Some(kept), Some(permit)) = (&mut self.kept, permit) else { return Ok((None, None)) };
        let (committed, begun) = kept.checkpoint.commit(permit, commit, next)?;
        Ok((Some(committed), begun))
    }

    /// Makes the states of the batch those that the next one sees.
    pub fn show(&mut self, batch: BatchId, changes: Changes) -> Result<(), LedgerError> {
        self.store.commit(batch)?;
        crash::point(Point::StateVisible);
        let groups = self.store.groups();
        for (op, parts) in changes.by_op {
            let refs = StateRefsV1 { op: op.as_str().to_owned(), groups, parts };
            if let Some(pieces) = self.ops.get_mut(&op) {
                pieces.live.apply(&refs)?;
            }
        }
        self.write_snapshots(batch, changes.all)?;
        self.clean_up()
    }

    /// Takes note of the snapshots that are there.
    fn take_written(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        for written in kept.writer.written() {
            kept.outstanding = kept.outstanding.saturating_sub(1);
            let Some(pieces) = self.ops.get_mut(&written.op) else { continue };
            match (written.part, self.store.view(&written.op)) {
                (Ok(part), _) => {
                    crash::point(Point::SnapshotDurable);
                    pieces.new.push(part);
                }
                // The deltas are there: the groups are written another time.
                (Err(_), Ok(view)) => pieces.wear.failed(&written.groups, &view.sizes()),
                (Err(_), Err(_)) => {}
            }
        }
    }

    /// Asks for snapshots of what is worn, and for many small deltas as one.
    fn write_snapshots(&mut self, batch: BatchId, fold: bool) -> Result<(), LedgerError> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        if kept.clean_up_due && kept.outstanding > 0 {
            return Ok(());
        }
        for (number, (op, pieces)) in self.ops.iter_mut().enumerate() {
            let attempt = format!("{:032x}-{number}", attempt());
            let view = self.store.view(op)?;
            let sizes = view.sizes();
            let groups = pieces.wear.choose(&sizes);
            if !groups.is_empty() {
                crash::point(Point::SnapshotBegins);
                if kept.writer.write(&view, &groups, &attempt) {
                    kept.outstanding += 1;
                } else {
                    pieces.wear.failed(&groups, &sizes);
                }
            } else if fold && let Some(deltas) = pieces.live.foldable() {
                crash::point(Point::SnapshotBegins);
                if kept.writer.fold(view.schema(), &pieces.live, deltas, &attempt) {
                    kept.outstanding += 1;
                }
            }
        }
        kept.clean_up_due |= batch.0.is_multiple_of(CLEAN_UP);
        Ok(())
    }

    /// Removes what no batch needs any more, when no snapshot is on its way.
    fn clean_up(&mut self) -> Result<(), LedgerError> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        if !kept.clean_up_due || kept.outstanding > 0 {
            return Ok(());
        }
        kept.clean_up_due = false;
        let new = self.ops.values().flat_map(|pieces| &pieces.new);
        let in_use = new.filter_map(|part| match &part.place {
            crate::state::PlaceV1::Blob(name) => Some(name.clone()),
            crate::state::PlaceV1::Inline(_) => None,
        });
        let in_use = in_use.collect();
        kept.checkpoint.retain(&in_use)?;
        Ok(())
    }
}

impl Pieces {
    fn new(op: &NodeId, groups: u32) -> Self {
        Self { live: Live::new(op, groups), wear: Wear::new(groups), new: Vec::new() }
    }
}

/// A name for a try that no other try has: of another moment, process or call.
pub fn attempt() -> u128 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = u128::from(CALLS.fetch_add(1, Ordering::Relaxed));
    let process = u128::from(std::process::id());
    ((clock::now().0 as u128) << 64) | (process << 32) | call
}
