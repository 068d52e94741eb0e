//! Records, and a job with sinks in memory that is run over a store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::history::{Done, Mark};
use super::record::{
    CommitV1, IntentV1, PieceV1, PlaceV1, PreparedV1, RowsV1, SinkCommitV1, SourcePositionV1,
    SourceRangeV1, StagedV1, StateRefV1,
};
use super::{
    Checkpoint, CheckpointError, Committed, IdentityV1, JobId, Keep, LogSeen, Observed, Options,
    Recover, SinkMark, SinkSeen, decide,
};
use crate::durable::Store;

/// A change of the state of `op`.
pub fn delta(version: u64, first_group: u32, last_group: u32) -> StateRefV1 {
    let place = PlaceV1::Inline(version.to_le_bytes().to_vec());
    StateRefV1 {
        op: "op".into(),
        first_group,
        last_group,
        piece: PieceV1::Delta,
        first: version,
        version,
        place,
        about: Vec::new(),
    }
}

/// A snapshot of the state of `op`, in a file.
pub fn snapshot(version: u64, first_group: u32, last_group: u32, file: &str) -> StateRefV1 {
    let place = PlaceV1::File(file.to_owned());
    let piece = PieceV1::Snapshot;
    StateRefV1 {
        op: "op".into(),
        first_group,
        last_group,
        piece,
        first: version,
        version,
        place,
        about: Vec::new(),
    }
}

/// A batch that is done.
pub fn done(batch: u64, states: Vec<StateRefV1>) -> Done {
    let commit = CommitV1 { batch, states, ..CommitV1::default() };
    Done { commit, intent: None, attempt: 0, generation: 1, begins: Mark::default() }
}

/// The identity of the job of these tests.
pub fn identity() -> IdentityV1 {
    IdentityV1::new(JobId(7), "test", 256)
}

/// Small segments.
pub fn options(segment_bytes: u64) -> Options {
    Options { segment_bytes, keep: Keep { starts: 2, records: 2 } }
}

/// Two sinks that keep marks and refuse older owners, and a model of what they must have.
#[derive(Clone, Default)]
pub struct World(pub Arc<Mutex<Outside>>);

/// What is outside of the checkpoint.
#[derive(Default)]
pub struct Outside {
    /// Batch → sum, per sink, with the generation of the last commit.
    pub sinks: [(u64, BTreeMap<u64, u128>); 2],
    /// Batches that were acknowledged, with who did.
    pub acknowledged: Vec<(u64, u64)>,
}

/// The rows of a batch follow from its number and its base.
pub fn rows(batch: u64, base: u128) -> RowsV1 {
    RowsV1 { rows: batch, sum: base.wrapping_mul(31).wrapping_add(u128::from(batch)) }
}

/// A batch as it is begun. Every third one is not deterministic.
pub fn intent(batch: u64) -> IntentV1 {
    IntentV1 {
        batch,
        time: batch as i64 * 1_000_000,
        seed: batch,
        deterministic: !batch.is_multiple_of(3),
        sources: vec![SourceRangeV1 {
            source: "in".into(),
            range: batch.to_le_bytes().to_vec(),
            identity: vec![0; (batch as usize * 97) % 900],
            text: format!("batch {batch}"),
        }],
        ..IntentV1::default()
    }
}

/// A batch as it is committed; the state is the sum, in the record.
pub fn commit(batch: u64, rows: RowsV1) -> CommitV1 {
    let of = |sink: &str| SinkCommitV1 { sink: sink.into(), marker: vec![1], rows };
    let mut state = snapshot(batch, 0, 255, "");
    state.place = PlaceV1::Inline(rows.sum.to_le_bytes().to_vec());
    CommitV1 {
        batch,
        time: batch as i64 * 1_000_000,
        states: vec![state],
        sinks: vec![of("a"), of("b")],
        sources: vec![SourcePositionV1 { source: "in".into(), ..SourcePositionV1::default() }],
        input: rows,
        ..CommitV1::default()
    }
}

/// Why a run ended.
#[derive(Debug)]
pub enum End {
    /// The checkpoint failed.
    Failed(CheckpointError),
    /// The start was refused, or another owner has it.
    Stopped(Box<Recover>),
    /// A sink has seen a newer owner.
    SinkFenced,
}

impl From<CheckpointError> for End {
    fn from(error: CheckpointError) -> Self {
        Self::Failed(error)
    }
}

impl World {
    /// What the sinks say.
    pub fn seen(&self) -> Vec<SinkSeen> {
        let outside = self.0.lock().unwrap();
        let one = |(name, (generation, has)): (&str, &(u64, BTreeMap<u64, u128>))| {
            let mark = |(batch, sum): (&u64, &u128)| SinkMark {
                batch: *batch,
                generation: *generation,
                rows: RowsV1 { rows: *batch, sum: *sum },
            };
            let last = has.last_key_value().map(mark);
            SinkSeen { sink: name.into(), marks: true, last, staged: true }
        };
        ["a", "b"].into_iter().zip(&outside.sinks).map(one).collect()
    }

    /// A sink commits once; who is older than the newest it has seen is refused.
    fn sink(&self, sink: usize, generation: u64, batch: u64, sum: u128) -> Result<(), End> {
        let mut outside = self.0.lock().unwrap();
        let (newest, has) = &mut outside.sinks[sink];
        if generation < *newest {
            return Err(End::SinkFenced);
        }
        *newest = generation;
        let had = has.entry(batch).or_insert(sum);
        assert_eq!(*had, sum, "batch {batch} came twice with different rows");
        Ok(())
    }

    /// A new owner makes itself known to the sinks.
    fn fence(&self, generation: u64) -> Result<(), End> {
        for (newest, _) in &mut self.0.lock().unwrap().sinks {
            if generation < *newest {
                return Err(End::SinkFenced);
            }
            *newest = generation;
        }
        Ok(())
    }

    fn acknowledge(&self, committed: &Committed, generation: u64) {
        self.0.lock().unwrap().acknowledged.push((committed.batch(), generation));
    }

    /// Every sink has exactly the batches up to `last`, with the rows that the model gives.
    pub fn check(&self, last: u64) {
        let outside = self.0.lock().unwrap();
        let mut base = 0;
        let expected: BTreeMap<_, _> = (1..=last)
            .map(|batch| {
                base = rows(batch, base).sum;
                (batch, base)
            })
            .collect();
        for (_, has) in &outside.sinks {
            assert_eq!(*has, expected);
        }
    }

    /// The last batch that was acknowledged; none is acknowledged twice.
    pub fn acknowledged(&self) -> u64 {
        let outside = self.0.lock().unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for (batch, _) in &outside.acknowledged {
            assert!(seen.insert(*batch), "batch {batch} was acknowledged twice");
        }
        seen.last().copied().unwrap_or(0)
    }

    /// Runs the job until batch `last` is done or something fails. `pause` is called when the disk
    /// is full; it says whether to go on.
    pub fn run(
        &self,
        store: Arc<dyn Store>,
        options: Options,
        last: u64,
        pause: &dyn Fn() -> bool,
    ) -> Result<(), End> {
        let (mut checkpoint, recovery) = Checkpoint::open(store, &identity(), options)?;
        let generation = recovery.generation;
        self.fence(generation)?;
        let log = LogSeen::Read {
            history: recovery.history.clone(),
            torn: recovery.torn,
            mine: generation,
            newest: generation,
        };
        let decision = decide(&observed(log, self.seen()));
        let base = recovery.history.last_commit().map_or(0, |commit| commit.input.sum);
        let mut job = Job { world: self, checkpoint: &mut checkpoint, generation, base, pause };
        match decision.recover {
            Recover::Continue { batch, .. } => assert_eq!(batch, recovery.history.last() + 1),
            Recover::Rerun { .. } | Recover::FinishForward { .. } => job.again()?,
            Recover::CommitStaged { prepared, .. } => job.finish(&prepared)?,
            other => return Err(End::Stopped(Box::new(other))),
        }
        job.go_on(last)
    }
}

/// Everything is there.
pub fn observed(log: LogSeen, sinks: Vec<SinkSeen>) -> Observed {
    Observed {
        log,
        sinks,
        unusable: Default::default(),
        missing_plugins: Vec::new(),
        lost_input: Vec::new(),
        adopt_sinks: false,
        now: 1_000_000,
    }
}

struct Job<'a> {
    world: &'a World,
    checkpoint: &'a mut Checkpoint,
    generation: u64,
    base: u128,
    pause: &'a dyn Fn() -> bool,
}

impl Job<'_> {
    fn again(&mut self) -> Result<(), End> {
        let begun = self.checkpoint.resume()?;
        let _nothing_follows = self.batch(&begun, None)?;
        Ok(())
    }

    fn finish(&mut self, prepared: &PreparedV1) -> Result<(), End> {
        let permit = self.checkpoint.resume_prepared()?;
        let rows = prepared.sinks[0].rows;
        for sink in 0..2 {
            self.world.sink(sink, self.generation, prepared.batch, rows.sum)?;
        }
        let _nothing_follows = self.commit(&permit, rows, None)?;
        Ok(())
    }

    fn batch(
        &mut self,
        begun: &super::Begun,
        next: Option<&IntentV1>,
    ) -> Result<Option<super::Begun>, End> {
        let rows = rows(begun.batch(), self.base);
        let attempt = u128::from(self.generation) << 64 | u128::from(begun.batch());
        let permit = if begun.batch().is_multiple_of(3) {
            let staged = |sink: &str| StagedV1 { sink: sink.into(), staged: Vec::new(), rows };
            let prepared = PreparedV1 {
                batch: begun.batch(),
                revision: begun.revision(),
                states: Vec::new(),
                sinks: vec![staged("a"), staged("b")],
            };
            self.patiently(|it| it.checkpoint.prepared(begun, attempt, &prepared))?
        } else {
            self.checkpoint.permit(begun, attempt)?
        };
        for sink in 0..2 {
            self.world.sink(sink, self.generation, begun.batch(), rows.sum)?;
        }
        self.commit(&permit, rows, next)
    }

    fn commit(
        &mut self,
        permit: &super::Permit,
        rows: RowsV1,
        next: Option<&IntentV1>,
    ) -> Result<Option<super::Begun>, End> {
        let commit = commit(permit.batch(), rows);
        let (committed, begun) =
            self.patiently(|it| it.checkpoint.commit(permit, &commit, next))?;
        self.world.acknowledge(&committed, self.generation);
        self.base = rows.sum;
        Ok(begun)
    }

    fn patiently<T>(
        &mut self,
        mut what: impl FnMut(&mut Self) -> Result<T, CheckpointError>,
    ) -> Result<T, End> {
        loop {
            match what(self) {
                Err(error) if error.can_wait() && (self.pause)() => {}
                other => return Ok(other?),
            }
        }
    }

    /// Back to back, so that a commit and the next intent share a write; with retention.
    fn go_on(&mut self, last: u64) -> Result<(), End> {
        let mut begun = None;
        while self.checkpoint.last() < last {
            let batch = self.checkpoint.last() + 1;
            let now = match begun.take() {
                Some(begun) => begun,
                None => self.patiently(|it| it.checkpoint.begin(&intent(batch)))?,
            };
            let next = (batch < last && !batch.is_multiple_of(5)).then(|| intent(batch + 1));
            begun = self.batch(&now, next.as_ref())?;
            if batch.is_multiple_of(4) {
                self.checkpoint.retain(&Default::default())?;
            }
        }
        Ok(())
    }
}
