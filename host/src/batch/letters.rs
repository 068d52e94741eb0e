//! The rows of a batch that were left out: counted by entry, and dead letters on their way to their
//! own sink, which is visible with the batch or not at all.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::event::RefusedReport;
use crate::row_error::{Letters, LettersError, Refused};
use crate::secret::hidden;
use crate::sink::{BatchMark, Digest, PartWriter, Prepared, Sink, SinkError, Staging};

/// So many letters are kept back, so that they are written many at a time.
const WAITING_MAX: usize = 1_024;

/// Where the dead letters of a job go.
pub struct DeadLetters {
    /// The sink that takes them.
    pub sink: Arc<dyn Sink>,
    /// Whether the rows themselves are written.
    pub show_rows: bool,
}

/// The letters of one run of one batch.
pub struct BatchLetters {
    sink: Arc<dyn Sink>,
    mark: BatchMark,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counts: BTreeMap<String, RefusedReport>,
    waiting: Vec<Refused>,
    open: Option<(Box<dyn Staging>, Box<dyn PartWriter>)>,
}

/// The columns of a dead letter, all text but the last.
pub const COLUMNS: [&str; 10] = [
    "at",
    "origin",
    "row",
    "code",
    "message",
    "function",
    "plugin",
    "digest",
    "stderr",
    "backtrace",
];

fn schema() -> SchemaRef {
    let fields = COLUMNS.iter().map(|name| match *name {
        "backtrace" => {
            let item = Arc::new(Field::new_list_field(DataType::Utf8, true));
            Field::new(*name, DataType::List(item), false)
        }
        "at" | "code" | "message" => Field::new(*name, DataType::Utf8, false),
        _ => Field::new(*name, DataType::Utf8, true),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn rows(letters: &[Refused]) -> Result<RecordBatch, ArrowError> {
    let text = |value: fn(&Refused) -> Option<&str>| -> ArrayRef {
        Arc::new(letters.iter().map(value).collect::<StringArray>())
    };
    let mut frames = ListBuilder::new(StringBuilder::new());
    for letter in letters {
        for frame in &letter.backtrace {
            frames.values().append_value(frame);
        }
        frames.append(true);
    }
    let columns = vec![
        text(|letter| Some(&letter.at)),
        text(|letter| letter.origin.as_deref()),
        text(|letter| letter.row.as_deref()),
        text(|letter| Some(letter.code)),
        text(|letter| Some(&letter.message)),
        text(|letter| letter.function.as_ref().map(|mark| mark.function.as_str())),
        text(|letter| letter.function.as_ref().map(|mark| mark.plugin.as_str())),
        text(|letter| letter.function.as_ref().map(|mark| mark.digest.as_str())),
        text(|letter| Some(letter.stderr.as_str()).filter(|text| !text.is_empty())),
        Arc::new(frames.finish()),
    ];
    RecordBatch::try_new(schema(), columns)
}

impl BatchLetters {
    /// No letters yet; nothing is made in the sink before there is one.
    pub fn new(letters: &DeadLetters, mark: BatchMark) -> Self {
        Self { sink: Arc::clone(&letters.sink), mark, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All lanes have ended: makes the letters durable, still invisible.
    pub fn prepare(&self) -> Result<PreparedLetters, SinkError> {
        let mut state = self.state();
        self.flush(&mut state)?;
        let counts = std::mem::take(&mut state.counts).into_values().collect();
        let Some((staging, part)) = state.open.take() else {
            return Ok(PreparedLetters { counts, output: None });
        };
        let digest = Digest { rows: part.close()?, sum: 0 };
        let output = Some((staging.prepare(digest)?, digest));
        Ok(PreparedLetters { counts, output })
    }

    fn flush(&self, state: &mut State) -> Result<(), SinkError> {
        let mut letters = std::mem::take(&mut state.waiting);
        if letters.is_empty() {
            return Ok(());
        }
        // Lanes bring them in any order.
        letters.sort_by(|a, b| (&a.at, &a.origin, &a.row).cmp(&(&b.at, &b.origin, &b.row)));
        let rows = rows(&letters).map_err(crate::sink::rows_failed)?;
        let (_, part) = match &mut state.open {
            Some(open) => open,
            none => {
                let staging = self.sink.begin(&self.mark, schema(), 1)?;
                let part = staging.part(0)?;
                none.insert((staging, part))
            }
        };
        part.write(&rows)
    }
}

/// Letters that only need to be made visible.
pub struct PreparedLetters {
    counts: Vec<RefusedReport>,
    output: Option<(Box<dyn Prepared>, Digest)>,
}

impl PreparedLetters {
    /// By what the sink finds them again, and how many there are; none if there are none.
    pub fn staged(&self) -> Option<(Vec<u8>, Digest)> {
        self.output.as_ref().map(|(output, digest)| (output.staged(), *digest))
    }

    /// Makes them visible; gives what was left out by each entry, and how many rows were put aside.
    pub fn commit(self) -> Result<(Vec<RefusedReport>, Option<Digest>), SinkError> {
        let digest = match self.output {
            Some((output, digest)) => {
                output.commit()?;
                Some(digest)
            }
            None => None,
        };
        Ok((self.counts, digest))
    }

    /// Leaves them as they are, because a record says that they are ready.
    pub fn leave(self) {
        if let Some((output, _)) = self.output {
            output.leave();
        }
    }
}

impl State {
    fn count(&mut self, refused: &Refused) -> &mut RefusedReport {
        self.counts.entry(refused.at.clone()).or_insert_with(|| RefusedReport {
            at: refused.at.clone(),
            skipped: 0,
            dead_letters: 0,
            first: hidden(&refused.message).into_owned(),
        })
    }
}

/// A refusal without secrets: a function may say what its config was.
fn shown(mut refused: Refused) -> Refused {
    let hide = |text: &mut String| {
        if let Cow::Owned(shown) = hidden(text) {
            *text = shown;
        }
    };
    hide(&mut refused.message);
    hide(&mut refused.stderr);
    refused.row.as_mut().map(hide);
    refused.origin.as_mut().map(hide);
    refused.backtrace.iter_mut().for_each(hide);
    refused
}

impl Letters for BatchLetters {
    fn skip(&self, refused: &Refused) {
        self.state().count(refused).skipped += 1;
    }

    fn put(&self, refused: Refused) -> Result<(), LettersError> {
        let refused = shown(refused);
        let mut state = self.state();
        state.count(&refused).dead_letters += 1;
        state.waiting.push(refused);
        if state.waiting.len() < WAITING_MAX {
            return Ok(());
        }
        self.flush(&mut state).map_err(|error| LettersError(Arc::new(error)))
    }
}
