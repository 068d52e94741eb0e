//! What every sink promises, tried with each of them.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tempfile::TempDir;

use super::collect::Collected;
use super::console::ConsoleSink;
use super::file::FileSink;
use super::sqlite::SqliteSink;
use super::test_kit::mark;
use super::{BatchMark, Digest, Prepared, Sink, SinkError, Staging};
use crate::id::{BatchId, JobName, SinkId};
use crate::job::FormatKind;

/// Somewhere to write to.
trait Place {
    /// A sink as another process would open it.
    fn sink(&self, id: &str) -> Box<dyn Sink>;

    /// The words that can be seen, in order.
    fn words(&self) -> Vec<String>;

    /// What is there and can't be seen.
    fn leftovers(&self) -> Vec<String> {
        Vec::new()
    }
}

struct Files(TempDir);
struct Table(TempDir);
struct Upserts(TempDir);
struct Memory(Collected);
struct Screen(Arc<Mutex<Vec<String>>>);

impl Place for Files {
    fn sink(&self, id: &str) -> Box<dyn Sink> {
        Box::new(FileSink::open(SinkId::new(id), self.0.path(), FormatKind::Text).unwrap())
    }

    fn words(&self) -> Vec<String> {
        let mut parts = Vec::new();
        for batch in names(&self.0).into_iter().filter(|name| name.starts_with("batch=")) {
            let files = fs::read_dir(self.0.path().join(batch)).unwrap();
            parts.extend(files.map(|file| file.unwrap().path()));
        }
        parts.retain(|path| path.extension().is_some_and(|end| end == "txt"));
        parts.sort();
        let text: String = parts.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        text.lines().map(str::to_owned).collect()
    }

    fn leftovers(&self) -> Vec<String> {
        names(&self.0).into_iter().filter(|name| name.starts_with("_staging")).collect()
    }
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("out.db")
}

fn words_of_table(folder: &TempDir) -> Vec<String> {
    if !database(folder).exists() {
        return Vec::new();
    }
    let database = rusqlite::Connection::open(database(folder)).unwrap();
    let Ok(mut query) = database.prepare("SELECT word FROM words ORDER BY rowid") else {
        return Vec::new();
    };
    query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn staged_beside(folder: &TempDir) -> Vec<String> {
    names(folder).into_iter().filter(|name| name.contains("-weir-")).collect()
}

impl Place for Table {
    fn sink(&self, id: &str) -> Box<dyn Sink> {
        Box::new(SqliteSink::open(SinkId::new(id), &database(&self.0), "words", &[]).unwrap())
    }

    fn words(&self) -> Vec<String> {
        words_of_table(&self.0)
    }

    fn leftovers(&self) -> Vec<String> {
        staged_beside(&self.0)
    }
}

impl Place for Upserts {
    fn sink(&self, id: &str) -> Box<dyn Sink> {
        let keys = ["word".to_owned()];
        Box::new(SqliteSink::open(SinkId::new(id), &database(&self.0), "words", &keys).unwrap())
    }

    fn words(&self) -> Vec<String> {
        words_of_table(&self.0)
    }

    fn leftovers(&self) -> Vec<String> {
        staged_beside(&self.0)
    }
}

impl Place for Memory {
    fn sink(&self, _: &str) -> Box<dyn Sink> {
        Box::new(self.0.clone())
    }

    fn words(&self) -> Vec<String> {
        self.0.rows().iter().flat_map(words_of).collect()
    }
}

impl Place for Screen {
    fn sink(&self, id: &str) -> Box<dyn Sink> {
        let seen = Arc::clone(&self.0);
        let lines: super::Lines = Arc::new(move |text| {
            seen.lock().unwrap_or_else(PoisonError::into_inner).extend(words_of(text.rows));
        });
        Box::new(ConsoleSink::new(SinkId::new(id), 100, lines))
    }

    fn words(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// New places of all kinds.
fn all() -> Vec<(&'static str, Box<dyn Place>)> {
    let mut all = with_marks();
    all.push(("collect", Box::new(Memory(Collected::default()))));
    all.push(("console", Box::new(Screen(Arc::default()))));
    all
}

/// New places of the kinds that know a batch again.
fn with_marks() -> Vec<(&'static str, Box<dyn Place>)> {
    let folder = || tempfile::tempdir().unwrap();
    vec![
        ("file", Box::new(Files(folder()))),
        ("sqlite", Box::new(Table(folder()))),
        ("sqlite, upsert", Box::new(Upserts(folder()))),
    ]
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("word", DataType::Utf8, true)]))
}

fn rows(words: &[&str]) -> RecordBatch {
    let words: ArrayRef = Arc::new(StringArray::from(words.to_vec()));
    RecordBatch::try_new(schema(), vec![words]).unwrap()
}

fn words_of(rows: &RecordBatch) -> Vec<String> {
    let words = rows.column(0).as_string::<i32>();
    words.iter().map(|word| word.unwrap().to_owned()).collect()
}

/// A digest that differs if rows do.
fn digest(words: &[&str]) -> Digest {
    let sum = words.iter().flat_map(|word| word.bytes()).map(u128::from).sum();
    Digest { rows: words.len() as u64, sum }
}

/// Writes words as one part of three, and another part without rows.
fn stage(sink: &dyn Sink, mark: &BatchMark, words: &[&str]) -> Box<dyn Staging> {
    let staging = sink.begin(mark, schema(), 3).unwrap();
    for (number, words) in [(2, words), (0, &[])] {
        let mut part = staging.part(number).unwrap();
        part.write(&rows(words)).unwrap();
        assert_eq!(part.close().unwrap(), words.len() as u64);
    }
    staging
}

fn prepare(sink: &dyn Sink, mark: &BatchMark, words: &[&str]) -> Box<dyn Prepared> {
    stage(sink, mark, words).prepare(digest(words)).unwrap()
}

fn of_generation(generation: u64, batch: u64) -> BatchMark {
    BatchMark { generation, ..mark("r1", batch) }
}

fn last(sink: &dyn Sink) -> Option<(u64, u64, Digest)> {
    let last = sink.last(&JobName::new("words"), &"r1".into()).unwrap();
    last.map(|last| (last.batch.0, last.generation, last.digest))
}

fn code(result: Result<impl Sized, SinkError>) -> &'static str {
    result.map(drop).unwrap_err().code()
}

#[test]
fn nothing_is_visible_before_the_commit_and_nothing_stays_without_it() {
    for (kind, place) in all() {
        let sink = place.sink("out");
        drop(stage(&*sink, &mark("r1", 1), &["a"]));
        assert_eq!(place.leftovers(), [""; 0], "{kind}");
        let prepared = prepare(&*sink, &mark("r1", 1), &["a", "b"]);
        assert_eq!(place.words(), [""; 0], "{kind}");
        drop(prepared);
        assert_eq!((place.words(), place.leftovers()), (vec![], vec![]), "{kind}");
        assert_eq!(last(&*place.sink("out")), None, "{kind}");
    }
}

#[test]
fn a_commit_shows_all_rows_in_the_order_of_parts() {
    for (kind, place) in all() {
        let sink = place.sink("out");
        let staging = sink.begin(&mark("r1", 1), schema(), 3).unwrap();
        let mut parts: Vec<_> = (0..3).map(|part| staging.part(part).unwrap()).collect();
        for words in [["e"], ["f"]] {
            parts[2].write(&rows(&words)).unwrap();
        }
        parts[1].write(&rows(&[])).unwrap();
        parts[0].write(&rows(&["a", "b"])).unwrap();
        for part in parts {
            part.close().unwrap();
        }
        let prepared = staging.prepare(digest(&["a", "b", "e", "f"])).unwrap();
        let written = prepared.commit().unwrap();
        assert_eq!((written.rows, written.existed), (4, false), "{kind}");
        assert_eq!(place.words(), ["a", "b", "e", "f"], "{kind}");
        prepare(&*sink, &mark("r1", 2), &["g"]).commit().unwrap();
        assert_eq!(place.words(), ["a", "b", "e", "f", "g"], "{kind}");
        assert_eq!(place.leftovers(), [""; 0], "{kind}");
    }
}

#[test]
fn a_batch_without_rows_can_be_committed() {
    for (kind, place) in all() {
        let sink = place.sink("out");
        prepare(&*sink, &mark("r1", 1), &["a"]).commit().unwrap();
        let before = place.words();
        let written = prepare(&*sink, &mark("r1", 2), &[]).commit().unwrap();
        assert!(!written.existed, "{kind}");
        assert_eq!((place.words(), place.leftovers()), (before, vec![]), "{kind}");
        // A mark that is behind must mean lost rows.
        let expected = if sink.keeps_marks() { 2 } else { 1 };
        if sink.marks() {
            assert_eq!(last(&*sink).unwrap().0, expected, "{kind}");
        }
    }
}

#[test]
fn a_sink_without_marks_knows_nothing_of_batches() {
    for (kind, place) in all() {
        let sink = place.sink("out");
        assert!(sink.marks() || !sink.keeps_marks(), "{kind}");
        let prepared = prepare(&*sink, &mark("r1", 1), &["a"]);
        let staged = prepared.staged();
        assert_eq!(staged.is_empty(), !sink.marks(), "{kind}");
        prepared.commit().unwrap();
        assert_eq!(last(&*sink).is_some(), sink.marks(), "{kind}");
    }
}

#[test]
fn a_commit_twice_changes_nothing() {
    for (kind, place) in with_marks() {
        let sink = place.sink("out");
        prepare(&*sink, &mark("r1", 1), &["a", "b"]).commit().unwrap();
        let again = prepare(&*sink, &mark("r1", 1), &["a", "b"]).commit().unwrap();
        assert!(again.existed, "{kind}");
        assert_eq!(place.words(), ["a", "b"], "{kind}");
        assert_eq!(place.leftovers(), [""; 0], "{kind}");
    }
}

#[test]
fn a_batch_with_other_rows_is_not_taken_for_the_same() {
    for (kind, place) in with_marks() {
        let sink = place.sink("out");
        prepare(&*sink, &mark("r1", 1), &["a"]).commit().unwrap();
        for other in [&["b"][..], &["a", "b"]] {
            let found = prepare(&*sink, &mark("r1", 1), other).commit();
            assert_eq!(code(found), "WEIR-SINK-005", "{kind}");
        }
        assert_eq!((place.words(), place.leftovers()), (vec!["a".to_owned()], vec![]), "{kind}");
    }
}

#[test]
fn a_lost_reply_is_found_by_the_mark() {
    for (kind, place) in with_marks() {
        let prepared = prepare(&*place.sink("out"), &mark("r1", 1), &["a", "b"]);
        let staged = prepared.staged();
        prepared.commit().unwrap();
        let next = place.sink("out");
        assert_eq!(last(&*next), Some((1, 1, digest(&["a", "b"]))), "{kind}");
        if let Some(found) = next.find(&of_generation(2, 1), &staged).unwrap() {
            assert!(found.commit().unwrap().existed, "{kind}");
        }
        assert_eq!(place.words(), ["a", "b"], "{kind}");
    }
}

#[test]
fn what_was_ready_when_a_process_was_killed_is_found_and_committed() {
    for (kind, place) in with_marks() {
        let ready = prepare(&*place.sink("out"), &mark("r1", 1), &["a", "b"]);
        let staged = ready.staged();
        std::mem::forget(ready);
        let next = place.sink("out");
        assert_eq!(last(&*next), None, "{kind}");
        // Looked at first, then committed.
        next.find(&of_generation(2, 1), &staged).unwrap().unwrap().leave();
        assert_eq!(place.words(), [""; 0], "{kind}");
        let found = next.find(&of_generation(2, 1), &staged).unwrap().unwrap();
        assert!(!found.commit().unwrap().existed, "{kind}");
        assert_eq!(place.words(), ["a", "b"], "{kind}");
        assert_eq!(place.leftovers(), [""; 0], "{kind}");
        assert_eq!(last(&*place.sink("out")).unwrap().2, digest(&["a", "b"]), "{kind}");
    }
}

#[test]
fn an_empty_batch_that_was_ready_is_no_obstacle() {
    for (kind, place) in with_marks() {
        let ready = prepare(&*place.sink("out"), &mark("r1", 1), &[]);
        let staged = ready.staged();
        std::mem::forget(ready);
        let next = place.sink("out");
        if let Some(found) = next.find(&of_generation(2, 1), &staged).unwrap() {
            found.commit().unwrap();
        }
        assert_eq!(last(&*next).is_some(), next.keeps_marks(), "{kind}");
        prepare(&*next, &of_generation(2, 2), &["b"]).commit().unwrap();
        assert_eq!((place.words(), place.leftovers()), (vec!["b".to_owned()], vec![]), "{kind}");
    }
}

#[test]
fn only_what_the_record_means_is_found() {
    for (kind, place) in with_marks() {
        let sink = place.sink("out");
        let ready = prepare(&*sink, &mark("r1", 1), &["a"]);
        let staged = ready.staged();
        assert!(sink.find(&mark("r2", 1), &staged).unwrap().is_none(), "{kind}");
        assert!(place.sink("other").find(&mark("r1", 1), &staged).unwrap().is_none(), "{kind}");
        for wrong in [&b""[..], b"../x", b"{}", b"out.db"] {
            assert!(sink.find(&mark("r1", 1), wrong).unwrap().is_none(), "{kind}");
        }
        drop(ready);
        assert!(sink.find(&mark("r1", 1), &staged).unwrap().is_none(), "{kind}");
    }
}

#[test]
fn what_was_not_ready_is_removed_by_the_next_owner() {
    for (kind, place) in with_marks() {
        std::mem::forget(stage(&*place.sink("out"), &mark("r1", 1), &["a"]));
        assert_eq!(place.leftovers().len(), 1, "{kind}");
        prepare(&*place.sink("out"), &of_generation(2, 1), &["b"]).commit().unwrap();
        assert_eq!((place.words(), place.leftovers()), (vec!["b".to_owned()], vec![]), "{kind}");
    }
}

#[test]
fn an_older_owner_that_wakes_up_changes_nothing() {
    for (kind, place) in with_marks() {
        let old = place.sink("out");
        let late = prepare(&*old, &of_generation(1, 2), &["x"]);
        let new = place.sink("out");
        prepare(&*new, &of_generation(2, 1), &["a"]).commit().unwrap();
        prepare(&*new, &of_generation(2, 2), &["b"]).commit().unwrap();
        assert!(late.commit().is_err(), "{kind}");
        assert_eq!(place.words(), ["a", "b"], "{kind}");
        assert_eq!(last(&*new).unwrap().0, 2, "{kind}");
    }
}

#[test]
fn one_place_takes_the_output_of_one_sink_of_one_run() {
    for (kind, place) in with_marks() {
        let first = place.sink("out");
        prepare(&*first, &mark("r1", 1), &["a"]).commit().unwrap();
        let (other, again) = (place.sink("other"), place.sink("out"));
        assert_eq!(code(other.begin(&mark("r1", 1), schema(), 1)), "WEIR-SINK-003", "{kind}");
        assert_eq!(code(again.begin(&mark("r2", 1), schema(), 1)), "WEIR-SINK-003", "{kind}");
        assert_eq!((place.words(), place.leftovers()), (vec!["a".to_owned()], vec![]), "{kind}");
    }
    for (kind, place) in with_marks() {
        // Both found the place free.
        let (one, other) = (place.sink("out"), place.sink("other"));
        let late = prepare(&*other, &mark("r1", 1), &["x"]);
        prepare(&*one, &mark("r1", 1), &["a"]).commit().unwrap();
        assert_eq!(code(late.commit()), "WEIR-SINK-003", "{kind}");
        assert_eq!((place.words(), place.leftovers()), (vec!["a".to_owned()], vec![]), "{kind}");
    }
}

#[test]
fn parts_are_asked_for_once_and_closed() {
    for (kind, place) in with_marks() {
        let sink = place.sink("out");
        let staging = sink.begin(&mark("r1", 1), schema(), 2).unwrap();
        let mut part = staging.part(1).unwrap();
        part.write(&rows(&["a"])).unwrap();
        for wrong in [1, 2] {
            assert_eq!(code(staging.part(wrong)), "WEIR-SINK-004", "{kind}");
        }
        drop(part);
        assert_eq!(code(staging.prepare(digest(&["a"]))), "WEIR-SINK-004", "{kind}");
        assert_eq!((place.words(), place.leftovers()), (vec![], vec![]), "{kind}");
    }
}

#[test]
fn batches_are_told_by_their_number() {
    for (kind, place) in with_marks() {
        let sink = place.sink("out");
        for batch in 1..=12 {
            let word = format!("w{batch:02}");
            prepare(&*sink, &mark("r1", batch), &[&word]).commit().unwrap();
        }
        assert_eq!(last(&*place.sink("out")).unwrap().0, BatchId(12).0, "{kind}");
        assert_eq!(place.words().len(), 12, "{kind}");
    }
}
