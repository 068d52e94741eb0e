//! Loss of power at any moment of whole batches: intent → states → prepared record → two sinks →
//! commit → clean-up, by the same steps as the loop, over a disk that loses what was not flushed.
//! Only what a plan would do is done here: values are added up by key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Fields, Int64Type};
use xxhash_rust::xxh3::xxh3_128;

use crate::batch::ledger::{Changes, Ledger, LedgerError};
use crate::checkpoint::record::{CommitV1, IntentV1, PreparedV1, RowsV1, SinkCommitV1, StagedV1};
use crate::checkpoint::{
    Begun, Checkpoint, CheckpointError, IdentityV1, JobId, Keep, LogSeen, Observed, Options,
    Permit, Recover, SinkMark, SinkSeen, StateStep, decide,
};
use crate::clock::Random;
use crate::durable::Store;
use crate::durable::test_kit::{EIO, Fail, SimDisk, SimFolder};
use crate::id::{BatchId, NodeId};
use crate::state::{Lane, MemoryStore, Staged, StateError, StateSchema, StateStore};

/// Few, so that they wear and are written whole now and then.
const GROUPS: u32 = 2;

/// A batch has so many keys of `KEYS`.
const ROWS: i64 = 3;
const KEYS: i64 = 7;

/// The last batch of every run: files that are not needed any more go after every 16 batches, and
/// after each start.
const LAST: u64 = 20;

/// Why a run ended.
#[derive(Debug)]
enum End {
    /// The disk.
    Disk(String),
    /// Anything else, which no loss of power excuses.
    Wrong(String),
}

impl From<CheckpointError> for End {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Store(error) => Self::Disk(error.to_string()),
            other => Self::Wrong(other.to_string()),
        }
    }
}

impl From<StateError> for End {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Blobs { .. } => Self::Disk(error.to_string()),
            other => Self::Wrong(other.to_string()),
        }
    }
}

impl From<LedgerError> for End {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Checkpoint(error) => error.into(),
            LedgerError::State(error) => error.into(),
        }
    }
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error.to_string())
    }
}

/// What comes for a key in a batch.
fn input(batch: u64) -> Vec<(i64, i64)> {
    let batch = batch as i64;
    (0..ROWS).map(|row| ((batch * 3 + row * 2) % KEYS, batch * 10 + row)).collect()
}

/// What a batch gives, by the input alone: key and sum over all batches up to it.
fn expected(last: u64) -> BTreeMap<u64, String> {
    let mut sums = BTreeMap::new();
    let batch = |batch| {
        let all = input(batch).into_iter().map(|(key, value)| {
            let sum = sums.entry(key).or_insert(0);
            *sum += value;
            (key, *sum)
        });
        (batch, text(&all.collect::<Vec<_>>()))
    };
    (1..=last).map(batch).collect()
}

fn text(rows: &[(i64, i64)]) -> String {
    rows.iter().map(|(key, sum)| format!("{key}={sum}\n")).collect()
}

fn rows(text: &str) -> RowsV1 {
    RowsV1 { rows: text.lines().count() as u64, sum: xxh3_128(text.as_bytes()) }
}

/// A sink: a file for each batch, whose first line is the owner.
struct Sink {
    id: &'static str,
    folder: SimFolder,
}

impl Sink {
    fn stage(&mut self, batch: u64, generation: u64, text: &str) -> Result<String, End> {
        let name = format!("staged-{batch:04}-{generation}");
        if self.folder.files().contains_key(&name) {
            return Err(End::Wrong(format!("{name} is there already")));
        }
        self.folder.write(&name, format!("{generation}\n{text}").as_bytes())?;
        Ok(name)
    }

    /// Shows what is ready. What is there already must be the same.
    fn commit(&mut self, batch: u64, staged: &str) -> Result<(), End> {
        let wanted = self.text(staged);
        let name = format!("batch-{batch:04}");
        match self.folder.publish(staged, &name) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let (wanted, there) = (wanted.map(|it| it.1), self.text(&name).map(|it| it.1));
                if wanted != there {
                    return Err(End::Wrong(format!("{}: other rows of {batch}", self.id)));
                }
                Ok(())
            }
            done => Ok(done?),
        }
    }

    fn text(&self, name: &str) -> Option<(u64, String)> {
        let content = String::from_utf8(self.folder.files().remove(name)?).unwrap();
        let (generation, text) = content.split_once('\n')?;
        Some((generation.parse().ok()?, text.to_owned()))
    }

    fn batches(&self) -> BTreeMap<u64, String> {
        let names = self.folder.files().into_keys();
        let number = |name: String| Some((name.strip_prefix("batch-")?.parse().ok()?, name));
        let text = |name: &str| self.text(name).unwrap_or_default().1;
        names.filter_map(number).map(|(number, name)| (number, text(&name))).collect()
    }

    fn seen(&self, staged: Option<&StagedV1>) -> SinkSeen {
        let last = self.batches().into_iter().next_back().map(|(batch, text)| {
            let generation = self.text(&format!("batch-{batch:04}")).unwrap_or_default().0;
            SinkMark { batch, generation, rows: rows(&text) }
        });
        let there = |it: &StagedV1| {
            let name = String::from_utf8_lossy(&it.staged).into_owned();
            self.text(&name).is_some_and(|(_, text)| rows(&text) == it.rows)
        };
        let staged = staged.is_some_and(there);
        SinkSeen { sink: self.id.to_owned(), marks: true, last, staged }
    }

    /// What former owners left half done goes.
    fn clear(&mut self) -> Result<(), End> {
        for name in self.folder.files().into_keys().filter(|name| name.starts_with("staged")) {
            self.folder.remove(&name)?;
        }
        Ok(())
    }
}

/// A job that is run over a disk.
struct Job {
    ledger: Ledger,
    sinks: [Sink; 2],
    generation: u64,
    acknowledged: u64,
}

fn op() -> NodeId {
    NodeId::new("sums")
}

fn schema() -> StateSchema {
    let key = Fields::from(vec![Field::new("key", DataType::Int64, false)]);
    let number = Field::new("sum", DataType::Int64, false);
    let padding = Field::new("padding", DataType::Utf8, false);
    StateSchema::new(1, key, Fields::from(vec![number, padding])).unwrap()
}

fn intent(batch: u64) -> IntentV1 {
    let (time, seed) = (batch as i64 * 1_000_000, batch);
    IntentV1 { batch, time, seed, deterministic: true, ..IntentV1::default() }
}

/// Whether output of a batch is written down before it is shown: a run of two sinks always does,
/// one that a second run would mend need not.
fn is_prepared(batch: u64) -> bool {
    !batch.is_multiple_of(3)
}

impl Job {
    /// Starts, and finishes what a former process left.
    fn start(disk: &SimDisk) -> Result<Self, End> {
        let store: Arc<dyn Store> = match disk.store("t", 8 << 10) {
            Ok(store) => Arc::new(store),
            Err(error) => return Err(End::Disk(error.to_string())),
        };
        let keep = Keep { starts: 2, records: 2 };
        let options = Options { segment_bytes: 32 << 10, keep };
        let identity = IdentityV1::new(JobId(7), "test", GROUPS);
        let (checkpoint, recovery) = Checkpoint::open(Arc::clone(&store), &identity, options)?;
        let generation = recovery.generation;
        let states: Arc<dyn StateStore> = Arc::new(MemoryStore::new(GROUPS, 1));
        let ledger = Ledger::new(checkpoint, store, states, 1)?;
        let sink = |id| Sink { id, folder: disk.folder(id) };
        let sinks = [sink("a"), sink("b")];
        let mut it = Self { ledger, sinks, generation, acknowledged: 0 };
        let history = recovery.history;
        let prepared = history.open.as_ref().and_then(|open| open.prepared.as_ref());
        let staged = |sink: &Sink| prepared?.sinks.iter().find(|it| it.sink == sink.id);
        let log = LogSeen::Read {
            history: history.clone(),
            torn: recovery.torn,
            mine: generation,
            newest: generation,
        };
        let named = history.done.iter().flat_map(|done| &done.commit.states);
        let there = it.ledger.files()?;
        let missing = named.filter_map(crate::checkpoint::file_of);
        let unusable: BTreeSet<String> =
            missing.filter(|file| !there.contains(*file)).map(str::to_owned).collect();
        let seen = Observed {
            log,
            sinks: it.sinks.iter().map(|sink| sink.seen(staged(sink))).collect(),
            unusable,
            missing_plugins: Vec::new(),
            lost_input: Vec::new(),
            adopt_sinks: false,
            now: 1_000_000_000,
        };
        it.follow(decide(&seen).recover, history.last())?;
        Ok(it)
    }

    fn follow(&mut self, recover: Recover, last: u64) -> Result<(), End> {
        match recover {
            Recover::Continue { state, .. } => {
                self.restore(&state, last)?;
                self.clear()
            }
            Recover::Rerun { intent, state } | Recover::FinishForward { intent, state, .. } => {
                self.restore(&state, last)?;
                self.clear()?;
                let begun = self.checkpoint()?.resume()?;
                self.batch(intent.batch, begun, None).map(drop)
            }
            Recover::CommitStaged { prepared, missing, state } => {
                let permit = self.checkpoint()?.resume_prepared()?;
                for staged in prepared.sinks.iter().filter(|it| missing.contains(&it.sink)) {
                    let name = String::from_utf8_lossy(&staged.staged).into_owned();
                    let sink = self.sinks.iter_mut().find(|sink| sink.id == staged.sink);
                    sink.unwrap().commit(prepared.batch, &name)?;
                }
                let record = commit(&prepared.states, prepared.batch, prepared.sinks[0].rows);
                self.ledger.commit(Some(&permit), &record, None)?;
                self.acknowledged = prepared.batch;
                let own = prepared.states.iter().map(|piece| StateStep {
                    named_by: prepared.batch,
                    first_group: piece.first_group,
                    last_group: piece.last_group,
                    piece: piece.clone(),
                });
                let steps: Vec<StateStep> = state.into_iter().chain(own).collect();
                self.restore(&steps, prepared.batch)?;
                self.clear()
            }
            other => Err(End::Wrong(other.to_string())),
        }
    }

    fn checkpoint(&mut self) -> Result<&mut Checkpoint, End> {
        self.ledger.checkpoint().ok_or_else(|| End::Wrong("no checkpoint".to_owned()))
    }

    fn restore(&mut self, state: &[StateStep], last: u64) -> Result<(), End> {
        self.ledger.restore(state, BatchId(last))?;
        Ok(self.ledger.store().open(&op(), &schema())?)
    }

    fn clear(&mut self) -> Result<(), End> {
        self.sinks.iter_mut().try_for_each(Sink::clear)
    }

    /// Adds what came to what is known of its keys.
    fn add(&self, batch: u64) -> Result<(Vec<(i64, i64)>, Staged), End> {
        let store = self.ledger.store();
        let mut lane = Lane::new(store.view(&op())?, BatchId(batch), 0..GROUPS);
        let came = input(batch);
        let column: ArrayRef = Arc::new(came.iter().map(|(key, _)| *key).collect::<Int64Array>());
        let keys = lane.keys(&[column])?;
        let known = lane.read(&keys)?.state;
        let sums = known.column(0).as_primitive::<Int64Type>();
        let sum = |at: usize| if known.is_null(at) { 0 } else { sums.value(at) };
        let new: Vec<(i64, i64)> =
            came.iter().enumerate().map(|(at, (key, value))| (*key, sum(at) + value)).collect();
        let padding = "x".repeat(3_000);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(new.iter().map(|(_, sum)| *sum).collect::<Int64Array>()),
            Arc::new(new.iter().map(|_| Some(padding.as_str())).collect::<StringArray>()),
        ];
        let state = RecordBatch::try_new(Arc::clone(lane.schema().state()), columns).unwrap();
        lane.upsert(&keys, &state, None)?;
        Ok((new, lane.seal()))
    }

    fn batch(
        &mut self,
        batch: u64,
        begun: Begun,
        next: Option<&IntentV1>,
    ) -> Result<Option<Begun>, End> {
        let (new, staged) = self.add(batch)?;
        let text = text(&new);
        let mut ready = Vec::new();
        for sink in &mut self.sinks {
            ready.push(sink.stage(batch, self.generation, &text)?);
        }
        let attempt = u128::from(self.generation) << 64 | u128::from(batch);
        let changes = self.ledger.stage(BatchId(batch), attempt, vec![staged])?;
        let permit = self.permit(&begun, attempt, (&changes, &ready, rows(&text)))?;
        for (sink, staged) in self.sinks.iter_mut().zip(&ready) {
            sink.commit(batch, staged)?;
        }
        let record = commit(&changes.records, batch, rows(&text));
        let (_, begun) = self.ledger.commit(Some(&permit), &record, next)?;
        self.acknowledged = batch;
        self.ledger.show(BatchId(batch), changes)?;
        Ok(begun)
    }

    fn permit(
        &mut self,
        begun: &Begun,
        attempt: u128,
        (changes, ready, rows): (&Changes, &[String], RowsV1),
    ) -> Result<Permit, End> {
        let sinks = self.sinks.iter().zip(ready).map(|(sink, staged)| StagedV1 {
            sink: sink.id.to_owned(),
            staged: staged.clone().into_bytes(),
            rows,
        });
        let (batch, revision) = (begun.batch(), begun.revision());
        let prepared =
            PreparedV1 { batch, revision, states: changes.records.clone(), sinks: sinks.collect() };
        let prepared = is_prepared(batch).then_some(&prepared);
        let permit = self.ledger.permit(Some(begun), attempt, prepared)?;
        permit.ok_or_else(|| End::Wrong("no permit".to_owned()))
    }

    /// Back to back, so that a commit and the next intent share a write now and then.
    fn go_on(&mut self, last: u64) -> Result<(), End> {
        let mut begun = None;
        loop {
            let batch = self.checkpoint()?.last() + 1;
            if batch > last {
                return Ok(());
            }
            let now = match begun.take() {
                Some(begun) => begun,
                None => self.checkpoint()?.begin(&intent(batch))?,
            };
            let next = (batch < last && !batch.is_multiple_of(4)).then(|| intent(batch + 1));
            begun = self.batch(batch, now, next.as_ref())?;
        }
    }
}

fn commit(states: &[crate::checkpoint::record::StateRefV1], batch: u64, rows: RowsV1) -> CommitV1 {
    let sink = |id: &str| SinkCommitV1 { sink: id.to_owned(), marker: vec![1], rows };
    CommitV1 {
        batch,
        time: batch as i64 * 1_000_000,
        states: states.to_vec(),
        sinks: vec![sink("a"), sink("b")],
        input: rows,
        ..CommitV1::default()
    }
}

/// Runs up to a batch, or to where the power goes. The last batch that was acknowledged.
fn run(disk: &SimDisk, last: u64) -> (u64, Result<(), End>) {
    match Job::start(disk) {
        Err(end) => (0, Err(end)),
        Ok(mut job) => {
            let done = job.go_on(last);
            (job.acknowledged, done)
        }
    }
}

/// What a seed does: up to five losses, then a run to the end.
fn simulate(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let disk = SimDisk::new(seed);
    if random.draw().is_multiple_of(4) {
        disk.be_short();
    }
    let (mut losses, mut acknowledged) = (0, 0);
    for _ in 0..1 + random.draw() % 5 {
        let left = 1 + random.draw() % 150;
        let (fail, kill) = match random.draw() % 8 {
            0 => (Fail::Sync(1 + left / 4, EIO), false),
            1 | 2 => (Fail::Power(left), true),
            _ => (Fail::Power(left), false),
        };
        disk.fail(Some(fail));
        let (last, end) = run(&disk, 1 + random.draw() % LAST);
        acknowledged = last.max(acknowledged);
        match end {
            Ok(()) => {}
            Err(End::Disk(why)) => losses += u64::from(!why.is_empty()),
            Err(End::Wrong(why)) => panic!("seed {seed}: {why}"),
        }
        if kill {
            disk.process_ends()
        } else {
            disk.power_comes_back()
        }
        let shown = disk.folder("a").files();
        let there = |batch: u64| shown.contains_key(&format!("batch-{batch:04}"));
        assert!((1..=acknowledged).all(there), "seed {seed}: {acknowledged} was acknowledged");
    }
    let (_, ended) = run(&disk, LAST);
    ended.unwrap_or_else(|end| panic!("seed {seed}: {end:?}"));
    for id in ["a", "b"] {
        let sink = Sink { id, folder: disk.folder(id) };
        assert_eq!(sink.batches(), expected(LAST), "seed {seed}: {id}");
        let left: Vec<_> = sink.folder.files().into_keys().collect();
        assert!(left.iter().all(|name| name.starts_with("batch-")), "seed {seed}: {left:?}");
    }
    losses
}

#[test]
#[allow(clippy::print_stdout, reason = "the long run tells how much it did")]
fn a_batch_with_its_state_and_output_is_there_once_when_the_power_goes() {
    let seeds = std::env::var("WEIR_POWER_BATCHES").ok().and_then(|it| it.parse().ok());
    let seeds: u64 = seeds.unwrap_or(2_000);
    let losses: u64 = (0..seeds).map(simulate).sum();
    println!("{seeds} jobs of {LAST} batches, {losses} losses");
    assert!(losses > seeds);
}
