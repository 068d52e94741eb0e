//! The steps of a batch, each of which leaves something that the next one asks for.
//!
//! ```text
//! begin ─► Begun ─(run, prepare)─► permit or prepared ─► Permit
//!       ─(sinks commit)─► commit ─► Committed
//! ```
//!
//! Nothing acknowledges without a `Committed`, no sink commits without a `Permit`, and no batch
//! runs without a `Begun`: there is no other way to make one than a durable record.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::chain::Tip;
use super::error::CheckpointError;
use super::history::{Done, History, Mark, Open, slim};
use super::log::Log;
use super::path::Segment;
use super::record::{CommitV1, IntentV1, PreparedV1, Record, RewindV1};
use super::retain::{self, Keep, Removed};
use crate::durable::Store;
use crate::durable::crash::{self, Point};
use crate::durable::defence::{Defence, stands};

/// The batch may run: its intent is durable.
#[must_use = "a batch that was begun has to be run to its end"]
#[derive(Debug, PartialEq, Eq)]
pub struct Begun {
    batch: u64,
    revision: u32,
}

impl Begun {
    /// The batch.
    pub fn batch(&self) -> u64 {
        self.batch
    }

    /// Which of its intents.
    pub fn revision(&self) -> u32 {
        self.revision
    }
}

/// Sinks may make the batch visible: this owner still has the checkpoint, and what has to be
/// durable before is.
#[must_use = "the output of the batch is ready to be committed"]
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    batch: u64,
    revision: u32,
    attempt: u128,
}

impl Permit {
    /// The batch.
    pub fn batch(&self) -> u64 {
        self.batch
    }

    /// The try whose output is committed.
    pub fn attempt(&self) -> u128 {
        self.attempt
    }
}

/// Sources may be told: the commit of the batch is durable.
#[must_use = "sources wait for the acknowledgement"]
#[derive(Debug, PartialEq, Eq)]
pub struct Committed {
    batch: u64,
}

impl Committed {
    /// The batch.
    pub fn batch(&self) -> u64 {
        self.batch
    }
}

/// A checkpoint in the hands of its owner.
pub struct Checkpoint {
    pub(super) store: Arc<dyn Store>,
    pub(super) log: Log,
    pub(super) history: History,
    pub(super) keep: Keep,
    pub(super) floor: Option<Segment>,
    pub(super) permitted: bool,
    pub(super) reserve_is_out: bool,
}

impl Checkpoint {
    /// The generation of this owner.
    pub fn generation(&self) -> u64 {
        self.log.segment().generation
    }

    /// The last batch that is done; 0 if there is none.
    pub fn last(&self) -> u64 {
        self.history.last()
    }

    /// Fails if another owner has the checkpoint. To be asked before anything outside is touched.
    pub fn check_owner(&mut self) -> Result<(), CheckpointError> {
        self.log.check_owner()
    }

    /// Begins the next batch.
    ///
    /// [`CheckpointError::NoSpace`] while the disk is full: wait, and call it again.
    pub fn begin(&mut self, intent: &IntentV1) -> Result<Begun, CheckpointError> {
        let expected = self.history.last() + 1;
        if self.history.open.is_some() || intent.batch != expected {
            return misuse(format!("batch {} is begun, not {expected}", intent.batch));
        }
        crash::point(Point::IntentBegins);
        self.make_room()?;
        if stands(Defence::Intent) {
            self.log.append(&[(&Record::Intent(intent.clone()), 0)])?;
        }
        crash::point(Point::IntentDurable);
        Ok(self.begun(intent))
    }

    /// Takes up the batch that a former owner began, as it was recorded.
    pub fn resume(&mut self) -> Result<Begun, CheckpointError> {
        self.log.check_owner()?;
        match &self.history.open {
            Some(Open { intent, .. }) => {
                Ok(Begun { batch: intent.batch, revision: intent.revision })
            }
            None => misuse("no batch is begun".to_owned()),
        }
    }

    /// Puts another intent in the place of the one that was begun: rows are left out, or older code
    /// is used. Only as long as no sink may have committed.
    pub fn supersede(
        &mut self,
        begun: &Begun,
        intent: &IntentV1,
    ) -> Result<Begun, CheckpointError> {
        self.is_open(begun.batch, begun.revision)?;
        let prepared = self.history.open.as_ref().is_some_and(|open| open.prepared.is_some());
        if self.permitted || prepared || intent.batch != begun.batch {
            return misuse(format!("batch {} can't be begun otherwise any more", begun.batch));
        }
        if intent.revision <= begun.revision {
            return misuse(format!("intent {} is not after {}", intent.revision, begun.revision));
        }
        self.make_room()?;
        self.log.append(&[(&Record::Intent(intent.clone()), 0)])?;
        crash::point(Point::IntentSuperseded);
        Ok(self.begun(intent))
    }

    /// Lets sinks commit without a record before. Only for a batch that gives the same rows when it
    /// is run again, at most one sink outside, and no version on probation; the caller knows.
    pub fn permit(&mut self, begun: &Begun, attempt: u128) -> Result<Permit, CheckpointError> {
        let open = self.is_open(begun.batch, begun.revision)?;
        if !open.intent.deterministic {
            return misuse(format!("batch {} has to be prepared", begun.batch));
        }
        self.log.check_owner()?;
        self.permitted = true;
        Ok(Permit { batch: begun.batch, revision: begun.revision, attempt })
    }

    /// Lets sinks commit after a record of what they have ready.
    pub fn prepared(
        &mut self,
        begun: &Begun,
        attempt: u128,
        prepared: &PreparedV1,
    ) -> Result<Permit, CheckpointError> {
        self.is_open(begun.batch, begun.revision)?;
        if (prepared.batch, prepared.revision) != (begun.batch, begun.revision) {
            return misuse(format!("batch {} is prepared, not {}", prepared.batch, begun.batch));
        }
        crash::point(Point::PreparedBegins);
        let record = Record::Prepared(prepared.clone());
        self.append_urgent(&[(&record, attempt)])?;
        crash::point(Point::PreparedDurable);
        if let Some(open) = &mut self.history.open {
            (open.prepared, open.attempt) = (Some(prepared.clone()), attempt);
        }
        self.permitted = true;
        Ok(Permit { batch: begun.batch, revision: begun.revision, attempt })
    }

    /// Lets sinks commit what a former owner had prepared.
    pub fn resume_prepared(&mut self) -> Result<Permit, CheckpointError> {
        self.log.check_owner()?;
        match &self.history.open {
            Some(Open { prepared: Some(prepared), attempt, .. }) => {
                self.permitted = true;
                let (batch, revision) = (prepared.batch, prepared.revision);
                Ok(Permit { batch, revision, attempt: *attempt })
            }
            _ => misuse("no batch is prepared".to_owned()),
        }
    }

    /// Records that every sink has the batch; with `next` the next batch is begun by the same
    /// write, if there is room for both.
    ///
    /// After [`CheckpointError::NoSpace`] wait, and call it again with the same permit. After any
    /// other error it is not known whether the commit is durable: the process has to end.
    pub fn commit(
        &mut self,
        permit: &Permit,
        commit: &CommitV1,
        next: Option<&IntentV1>,
    ) -> Result<(Committed, Option<Begun>), CheckpointError> {
        self.is_open(permit.batch, permit.revision)?;
        if (commit.batch, commit.revision) != (permit.batch, permit.revision) {
            return misuse(format!("batch {} is committed, not {}", commit.batch, permit.batch));
        }
        if let Some(next) = next.filter(|next| next.batch != permit.batch + 1) {
            return misuse(format!("batch {} does not follow {}", next.batch, permit.batch));
        }
        crash::point(Point::CommitBegins);
        let record = Record::Commit(commit.clone());
        let both = next.map(|next| Record::Intent(next.clone()));
        let began = match &both {
            Some(intent) if !self.reserve_is_out => {
                match self.log.append(&[(&record, permit.attempt), (intent, 0)]) {
                    Err(CheckpointError::NoSpace(_)) => false,
                    other => other.map(|()| true)?,
                }
            }
            _ => false,
        };
        if !began {
            self.append_urgent(&[(&record, permit.attempt)])?;
        }
        crash::point(if began { Point::CommitIntentDurable } else { Point::CommitDurable });
        self.close(commit, permit.attempt);
        let begun = next.filter(|_| began).map(|next| self.begun(next));
        Ok((Committed { batch: permit.batch }, begun))
    }

    /// Forgets for good what came after a batch. To be asked only when it was decided on a history
    /// that was taken back in the same way ([`History::rewind`]) that the job can go on from there:
    /// sinks that are ahead refuse it.
    pub fn rewind(&mut self, batch: u64) -> Result<(), CheckpointError> {
        let mut history = self.history.clone();
        if !history.rewind(batch) {
            let first = self.history.done.first().map_or(0, |done| done.commit.batch);
            return Err(CheckpointError::NoStart { from: batch, first, last: self.last() });
        }
        self.make_room()?;
        self.log.append(&[(&Record::Rewind(RewindV1 { batch }), 0)])?;
        (self.history, self.permitted) = (history, false);
        Ok(())
    }

    /// Takes the reserve again if it was given up. [`CheckpointError::NoSpace`] while there is no
    /// room for it.
    pub fn make_room(&mut self) -> Result<(), CheckpointError> {
        if self.reserve_is_out {
            self.store.restore_reserve()?;
            self.reserve_is_out = false;
        }
        Ok(())
    }

    /// Removes what no kept batch needs. `in_use` are files with state that were written and that
    /// no record names yet.
    pub fn retain(&mut self, in_use: &BTreeSet<String>) -> Result<Removed, CheckpointError> {
        let Some(plan) = retain::plan(&self.history, self.keep) else {
            return Ok(Removed::default());
        };
        self.log.check_owner()?;
        let removed = retain::carry_out(&*self.store, &plan, in_use, self.floor)?;
        if plan.mark.seq > 0 {
            self.floor = self.floor.max(Some(plan.mark.segment));
        }
        let kept = self.history.done.partition_point(|done| done.commit.batch < plan.batch);
        self.history.cut_off |= kept > 0;
        self.history.done.drain(..kept);
        Ok(removed)
    }

    /// Appends what must not wait for space: with what was kept back for it if need be.
    fn append_urgent(&mut self, items: &[(&Record, u128)]) -> Result<(), CheckpointError> {
        match self.log.append(items) {
            Err(CheckpointError::NoSpace(full)) => {
                if self.log.fits(items)? || !self.store.release_reserve()? {
                    return Err(CheckpointError::NoSpace(full));
                }
                self.reserve_is_out = true;
                self.log.append(items)
            }
            other => other,
        }
    }

    fn mark(&self) -> Mark {
        let Tip { seq, link } = self.log.before();
        Mark { segment: self.log.segment(), seq, link }
    }

    fn is_open(&self, batch: u64, revision: u32) -> Result<&Open, CheckpointError> {
        match &self.history.open {
            Some(open) if (open.intent.batch, open.intent.revision) == (batch, revision) => {
                Ok(open)
            }
            _ => misuse(format!("intent {revision} of batch {batch} is not the one that is begun")),
        }
    }

    fn begun(&mut self, intent: &IntentV1) -> Begun {
        let begins = self.history.open.take().map_or(self.mark(), |open| open.begins);
        let (batch, revision) = (intent.batch, intent.revision);
        let intent = intent.clone();
        self.history.open = Some(Open { intent, prepared: None, attempt: 0, begins });
        self.permitted = false;
        Begun { batch, revision }
    }

    fn close(&mut self, commit: &CommitV1, attempt: u128) {
        let open = self.history.open.take();
        let begins = open.as_ref().map_or(self.mark(), |open| open.begins);
        let mut commit = commit.clone();
        slim(&mut commit);
        let generation = self.generation();
        self.history.done.push(Done { commit, intent: None, attempt, generation, begins });
    }
}

fn misuse<T>(what: String) -> Result<T, CheckpointError> {
    Err(CheckpointError::Misuse(what))
}
