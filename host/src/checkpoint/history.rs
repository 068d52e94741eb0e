//! From records to what has happened: which batches are done and which one is not.

use super::chain::{Chain, Placed};
use super::error::{CheckpointError, Damage};
use super::path::Segment;
use super::record::{CommitV1, IntentV1, PlaceV1, PreparedV1, Record};

/// A batch that is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// What was committed.
    pub commit: CommitV1,
    /// The intent that was run, unless its record is below the floor.
    pub intent: Option<IntentV1>,
    /// The try that did it.
    pub attempt: u128,
    /// The owner who did it.
    pub generation: u64,
    /// Where the first record of the batch is.
    pub begins: Mark,
}

/// A batch that was begun and has no commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// The newest intent.
    pub intent: IntentV1,
    /// Its output, if it was prepared.
    pub prepared: Option<PreparedV1>,
    /// The try that prepared it.
    pub attempt: u128,
    /// Where the first record of the batch is.
    pub begins: Mark,
}

/// A place between two records: the beginning of a segment in which a record stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The segment.
    pub segment: Segment,
    /// The number of the last record before the segment.
    pub seq: u64,
    /// The link of that record.
    pub link: u32,
}

/// What has happened, as far back as the log reaches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Batches that are done, in order, without gaps.
    pub done: Vec<Done>,
    /// The batch that is not.
    pub open: Option<Open>,
    /// Whether older batches were removed.
    pub cut_off: bool,
}

impl History {
    /// Reads the records in order.
    pub fn of(chain: &Chain, cut_off: bool) -> Result<Self, CheckpointError> {
        let mut history = Self { cut_off, ..Self::default() };
        let mut mark = Mark::default();
        for placed in &chain.records {
            if placed.segment != mark.segment {
                let (seq, link) = (placed.seq - 1, placed.previous);
                mark = Mark { segment: placed.segment, seq, link };
            }
            if !history.add(placed, mark) {
                return Err(CheckpointError::Damaged {
                    file: placed.segment.name(),
                    offset: placed.offset,
                    damage: Damage::Order { batch: placed.record.batch() },
                });
            }
        }
        Ok(history)
    }

    /// The last batch that is done; 0 if there is none.
    pub fn last(&self) -> u64 {
        self.done.last().map_or(0, |done| done.commit.batch)
    }

    /// The last commit.
    pub fn last_commit(&self) -> Option<&CommitV1> {
        self.done.last().map(|done| &done.commit)
    }

    /// The time of the last batch that was begun.
    pub fn last_time(&self) -> Option<i64> {
        let open = self.open.as_ref().map(|open| open.intent.time);
        open.or_else(|| self.last_commit().map(|commit| commit.time))
    }

    /// Forgets what came after a batch; whether it is there.
    pub fn rewind(&mut self, batch: u64) -> bool {
        let there = self.done.iter().any(|done| done.commit.batch == batch);
        if there {
            self.done.retain(|done| done.commit.batch <= batch);
            self.open = None;
        }
        there
    }

    /// Whether nothing is known of what came before: the first records behind a floor.
    fn is_blank(&self) -> bool {
        self.cut_off && self.done.is_empty() && self.open.is_none()
    }

    /// Adds a record; whether it may come here.
    fn add(&mut self, placed: &Placed, mark: Mark) -> bool {
        match &placed.record {
            Record::Owner(_) | Record::Roll(_) => true,
            Record::Intent(intent) => self.intent(intent, mark),
            Record::Prepared(prepared) => self.prepared(prepared, placed.attempt),
            Record::Commit(commit) => self.commit(commit, placed, mark),
            Record::Rewind(rewind) => self.is_blank() || self.rewind(rewind.batch),
        }
    }

    fn intent(&mut self, intent: &IntentV1, mark: Mark) -> bool {
        let begins = match &self.open {
            Some(open) if open.intent.batch == intent.batch => {
                if open.intent.revision >= intent.revision {
                    return false;
                }
                open.begins
            }
            Some(_) => return false,
            None if intent.batch == self.last() + 1 || self.is_blank() => mark,
            None => return false,
        };
        let intent = intent.clone();
        self.open = Some(Open { intent, prepared: None, attempt: 0, begins });
        true
    }

    fn prepared(&mut self, prepared: &PreparedV1, attempt: u128) -> bool {
        let blank = self.is_blank();
        match &mut self.open {
            Some(open) => {
                open.prepared = Some(prepared.clone());
                open.attempt = attempt;
                open.intent.batch == prepared.batch && open.intent.revision == prepared.revision
            }
            None => blank,
        }
    }

    fn commit(&mut self, commit: &CommitV1, placed: &Placed, mark: Mark) -> bool {
        let blank = self.is_blank();
        let (intent, begins) = match self.open.take() {
            Some(Open { intent, begins, .. }) => {
                if (intent.batch, intent.revision) != (commit.batch, commit.revision) {
                    return false;
                }
                (Some(intent), begins)
            }
            None if blank => (None, mark),
            None => return false,
        };
        let generation = placed.segment.generation;
        let commit = commit.clone();
        let attempt = placed.attempt;
        self.done.push(Done { commit, intent, attempt, generation, begins });
        true
    }

    /// Lets go of state that stands in records: it is needed at the start only.
    pub(super) fn slim(&mut self) {
        for done in &mut self.done {
            slim(&mut done.commit);
        }
    }
}

/// Lets go of state that stands in a record.
pub(super) fn slim(commit: &mut CommitV1) {
    for state in &mut commit.states {
        if let PlaceV1::Inline(bytes) = &mut state.place {
            *bytes = Vec::new();
        }
    }
}

/// What was read of a log.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// What has happened.
    pub history: History,
    /// The records with their places.
    pub chain: Chain,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::record::RewindV1;

    fn of(records: &[Record], cut_off: bool) -> Result<History, CheckpointError> {
        let placed = |record: &Record| Placed {
            record: record.clone(),
            segment: Segment { generation: 1, number: 1 },
            offset: 64,
            seq: 1,
            link: 0,
            previous: 0,
            attempt: 0,
            bytes: 0,
        };
        let records = records.iter().map(placed).collect();
        History::of(&Chain { records, ..Chain::default() }, cut_off)
    }

    fn intent(batch: u64, revision: u32) -> Record {
        Record::Intent(IntentV1 { batch, revision, ..IntentV1::default() })
    }

    fn prepared(batch: u64, revision: u32) -> Record {
        Record::Prepared(PreparedV1 { batch, revision, ..PreparedV1::default() })
    }

    fn commit(batch: u64, revision: u32) -> Record {
        Record::Commit(CommitV1 { batch, revision, ..CommitV1::default() })
    }

    #[test]
    fn records_of_batches_come_in_one_order_only() {
        let one = [intent(1, 0), intent(1, 2), prepared(1, 2), commit(1, 2), intent(2, 0)];
        let history = of(&one, false).unwrap();
        assert_eq!((history.last(), history.open.map(|open| open.intent.batch)), (1, Some(2)));
        for wrong in [
            vec![commit(1, 0)],
            vec![prepared(1, 0)],
            vec![intent(2, 0)],
            vec![intent(1, 0), commit(2, 0)],
            vec![intent(1, 1), commit(1, 0)],
            vec![intent(1, 1), intent(1, 1)],
            vec![intent(1, 0), intent(2, 0)],
            vec![intent(1, 0), prepared(1, 1)],
            vec![intent(1, 0), commit(1, 0), commit(1, 0)],
            vec![intent(1, 0), commit(1, 0), intent(3, 0)],
            vec![Record::Rewind(RewindV1 { batch: 1 })],
        ] {
            let error = of(&wrong, false).unwrap_err();
            assert!(error.to_string().contains("`log/g1-1.wlog` is damaged at byte 64"), "{error}");
        }
        // Behind a floor the first record may be any; then the order is the same.
        assert_eq!(of(&[commit(7, 0), intent(8, 0)], true).unwrap().last(), 7);
        assert!(of(&[commit(7, 0), intent(9, 0)], true).is_err());
    }
}
