//! What to do after a start: a pure function of what was read.

use std::collections::BTreeSet;
use std::fmt;

use super::chain::Torn;
use super::error::CheckpointError;
use super::history::{History, Open};
use super::record::{IntentV1, PreparedV1, RowsV1};
use super::refusal::Refusal;
use super::restore::{self, Step as StateStep};

/// The time between two batches is this long at least, in microseconds.
const TICK: i64 = 1000;

/// What a sink says it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkSeen {
    /// Its id.
    pub sink: String,
    /// Whether it keeps a mark of the batches that it has. One that does not is asked nothing.
    pub marks: bool,
    /// The last batch that it has.
    pub last: Option<SinkMark>,
    /// Whether the output that was prepared for it is still there.
    pub staged: bool,
}

/// The mark that a sink keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkMark {
    /// The batch.
    pub batch: u64,
    /// The generation that committed it.
    pub generation: u64,
    /// Which rows.
    pub rows: RowsV1,
}

/// What the log was found to be.
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
#[derive(Clone, Debug)]
pub enum LogSeen {
    /// There is no checkpoint.
    Nothing,
    /// It can't be read, or not by this version.
    Refused(CheckpointError),
    /// It was read, by the owner of this generation.
    Read {
        /// What has happened.
        history: History,
        /// A write that was cut off.
        torn: Option<Torn>,
        /// The generation of this process.
        mine: u64,
        /// The newest generation.
        newest: u64,
    },
}

/// What is done about input that is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDataLoss {
    /// The start is refused.
    #[default]
    Fail,
    /// The batch runs without it, and it is reported.
    GoOn,
}

/// Everything that the decision follows from.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The log.
    pub log: LogSeen,
    /// The sinks of the job.
    pub sinks: Vec<SinkSeen>,
    /// Files with state that are missing or damaged.
    pub unusable: BTreeSet<String>,
    /// Components that the batch that is begun names and that can't be had, in hexadecimal.
    pub missing_plugins: Vec<String>,
    /// Input of the batch that is begun that is gone or has changed, for people, and what is done
    /// about it.
    pub lost_input: Vec<(String, OnDataLoss)>,
    /// Whether sinks that are ahead or behind are taken as they are.
    pub adopt_sinks: bool,
    /// The clock, in microseconds since 1970.
    pub now: i64,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Recover {
    /// A new job.
    Fresh,
    /// Everything is done: go on with the next batch.
    Continue {
        /// The next batch.
        batch: u64,
        /// The earliest time it may have.
        time: i64,
        /// The pieces of state it starts from.
        state: Vec<StateStep>,
    },
    /// No sink has the batch: run it again. Older code may take the place of the recorded one.
    Rerun {
        /// What to run.
        intent: IntentV1,
        /// The pieces of state it starts from.
        state: Vec<StateStep>,
    },
    /// Some sinks have the batch: run it again with the same code and the same rows left out. Sinks
    /// that have it are passed over; their rows are compared.
    FinishForward {
        /// What to run.
        intent: IntentV1,
        /// The sinks that have it, with their rows.
        done: Vec<(String, RowsV1)>,
        /// The pieces of state it starts from.
        state: Vec<StateStep>,
    },
    /// The output is ready: commit it where it is missing, without a run.
    CommitStaged {
        /// What is ready.
        prepared: PreparedV1,
        /// The sinks that don't have it yet.
        missing: Vec<String>,
        /// The pieces of state before the batch.
        state: Vec<StateStep>,
    },
    /// Another owner has the checkpoint: end without touching a sink.
    Fenced {
        /// The generation of the other.
        by: u64,
    },
    /// Nothing is started.
    Refuse(Refusal),
}

/// What a person should hear of, although the job goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The end of the log was cut off in the middle of a write.
    Torn(Torn),
    /// Input is gone.
    Lost(String),
    /// The clock is behind the last batch, by so many microseconds.
    ClockBehind(i64),
    /// A sink is not where the checkpoint is, and is taken as it is.
    Adopted(String),
}

/// The decision and what to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What to do.
    pub recover: Recover,
    /// What to tell.
    pub notes: Vec<Note>,
}

impl fmt::Display for Recover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh => f.write_str("a new job"),
            Self::Continue { batch, .. } => write!(f, "go on with batch {batch}"),
            Self::Rerun { intent, .. } => write!(f, "run batch {} again", intent.batch),
            Self::FinishForward { intent, .. } => write!(f, "finish batch {}", intent.batch),
            Self::CommitStaged { prepared, .. } => {
                write!(f, "commit what is ready of batch {}", prepared.batch)
            }
            Self::Fenced { by } => write!(f, "owner {by} has the checkpoint"),
            Self::Refuse(why) => write!(f, "refused: {why}"),
        }
    }
}

/// Decides what to do.
pub fn decide(seen: &Observed) -> Decision {
    let mut notes = Vec::new();
    let recover = match &seen.log {
        LogSeen::Nothing => fresh(seen, &mut notes),
        LogSeen::Refused(CheckpointError::Fenced { by, .. }) => Ok(Recover::Fenced { by: *by }),
        LogSeen::Refused(why) => Err(Refusal::Log(why.clone())),
        LogSeen::Read { history, torn, mine, newest } => {
            notes.extend(torn.clone().map(Note::Torn));
            let marks = seen.sinks.iter().filter_map(|sink| sink.last);
            let newest = marks.map(|mark| mark.generation).fold(*newest, u64::max);
            if newest > *mine {
                Ok(Recover::Fenced { by: newest })
            } else {
                from_history(seen, history, &mut notes)
            }
        }
    };
    Decision { recover: recover.unwrap_or_else(Recover::Refuse), notes }
}

fn fresh(seen: &Observed, notes: &mut Vec<Note>) -> Result<Recover, Refusal> {
    check_ahead(seen, 0, notes)?;
    Ok(Recover::Fresh)
}

fn from_history(
    seen: &Observed,
    history: &History,
    notes: &mut Vec<Note>,
) -> Result<Recover, Refusal> {
    let last = history.last();
    check_ahead(seen, last + u64::from(history.open.is_some()), notes)?;
    check_behind(seen, history, notes)?;
    let state = restore::way(&history.done, history.cut_off, last, &seen.unusable);
    let state = state.map_err(|lost| Refusal::StateLost {
        op: lost.op,
        batch: last,
        file: lost.file.unwrap_or_else(|| "an older piece".to_owned()),
    })?;
    if let Some(behind) = history.last_time().map(|time| time - seen.now).filter(|by| *by > 0) {
        notes.push(Note::ClockBehind(behind));
    }
    match &history.open {
        None => {
            let least = history.last_time().map_or(seen.now, |time| time.saturating_add(TICK));
            Ok(Recover::Continue { batch: last + 1, time: seen.now.max(least), state })
        }
        Some(open) => finish(seen, open, state, notes),
    }
}

/// The batch that is begun: what of it can be finished, and how.
fn finish(
    seen: &Observed,
    open: &Open,
    state: Vec<StateStep>,
    notes: &mut Vec<Note>,
) -> Result<Recover, Refusal> {
    let batch = open.intent.batch;
    let has = |sink: &&SinkSeen| sink.last.is_some_and(|mark| mark.batch >= batch);
    let mut missing = seen.sinks.iter().filter(|sink| !has(sink));
    if let Some(prepared) = &open.prepared {
        let ready = missing.clone().all(|sink| sink.staged);
        let lost = prepared.states.iter().filter_map(restore::file_of);
        if ready && !lost.into_iter().any(|file| seen.unusable.contains(file)) {
            let missing = missing.map(|sink| sink.sink.clone()).collect();
            return Ok(Recover::CommitStaged { prepared: prepared.clone(), missing, state });
        }
    }
    let done: Vec<_> = seen.sinks.iter().filter(has).collect();
    // A sink without marks may have committed what was prepared.
    let unknown = open.prepared.is_some() && missing.any(|sink| !sink.marks);
    if !open.intent.deterministic && (!done.is_empty() || unknown) {
        return Err(Refusal::NotRepeatable { batch });
    }
    if let Some(digest) = seen.missing_plugins.first() {
        return Err(Refusal::PluginMissing { batch, digest: digest.clone() });
    }
    let mut lost = seen.lost_input.iter();
    if let Some((input, _)) = lost.find(|(_, policy)| *policy == OnDataLoss::Fail) {
        return Err(Refusal::InputLost { batch, input: input.clone() });
    }
    notes.extend(seen.lost_input.iter().map(|(input, _)| Note::Lost(input.clone())));
    let intent = open.intent.clone();
    if done.is_empty() {
        return Ok(Recover::Rerun { intent, state });
    }
    let rows = |sink: &SinkSeen| sink.last.map_or_else(RowsV1::default, |mark| mark.rows);
    let done = done.into_iter().map(|sink| (sink.sink.clone(), rows(sink))).collect();
    Ok(Recover::FinishForward { intent, done, state })
}

/// No sink has a batch that the checkpoint does not know.
fn check_ahead(seen: &Observed, most: u64, notes: &mut Vec<Note>) -> Result<(), Refusal> {
    for sink in &seen.sinks {
        let Some(mark) = sink.last.filter(|mark| mark.batch > most) else { continue };
        if !seen.adopt_sinks {
            let (sink, has) = (sink.sink.clone(), mark.batch);
            return Err(Refusal::SinkAhead { sink, has, checkpoint: most });
        }
        notes.push(Note::Adopted(sink.sink.clone()));
    }
    Ok(())
}

/// No sink lacks a batch that was committed to it with a mark.
fn check_behind(seen: &Observed, history: &History, notes: &mut Vec<Note>) -> Result<(), Refusal> {
    for sink in seen.sinks.iter().filter(|sink| sink.marks) {
        let of_sink = history.done.iter().rev().find(|done| {
            let mut sinks = done.commit.sinks.iter();
            sinks.any(|it| it.sink == sink.sink && !it.marker.is_empty())
        });
        let Some(committed) = of_sink.map(|done| done.commit.batch) else { continue };
        if sink.last.is_some_and(|mark| mark.batch >= committed) {
            continue;
        }
        if !seen.adopt_sinks {
            let has = sink.last.map_or("nothing".to_owned(), |it| format!("batch {}", it.batch));
            return Err(Refusal::SinkBehind { sink: sink.sink.clone(), has, committed });
        }
        notes.push(Note::Adopted(sink.sink.clone()));
    }
    Ok(())
}
