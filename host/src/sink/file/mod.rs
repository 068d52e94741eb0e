//! A folder for each batch, visible whole or not at all.
//!
//! ```text
//! path/
//!   batch=00000000000000000001/      one folder for each batch that has rows
//!     part-00000.jsonl               one file for each part that has rows; its end
//!                                      is .txt, .csv or .parquet for these formats
//!     _weir.json                     job, run, sink, batch, time, rows, generation, digest …
//!   _staging-<run>-<sink>-<batch>-g<generation>/
//!                                    the same while it is written; readers pass `_` over
//! ```
//!
//! The files and the folder are synced, then the folder is renamed into place in one step that
//! never replaces anything, then `path` is synced. A batch that is there already, from the same
//! run, counts as written. A folder takes the output of one run: if there is any other, the first
//! batch is refused before work is done for it. A sync that fails is not tried again, because
//! the system may have dropped what it could not write.
//!
//! A staging folder goes with the batch, and each owner of the job's checkpoint has its own: a
//! process that wakes up late never writes into another one's. If the process is killed it stays:
//! the next owner publishes it, if a record says that it was ready, or removes it. Those of other
//! runs can be deleted by hand.

pub(super) mod folder;
mod label;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use self::folder::{StagingFolder, make_folder, rename_new, sync};
use self::label::{LABEL, Label};
use super::{
    BatchMark, Digest, LastBatch, PartWriter, Prepared, Sink, SinkError, Staging, Written,
};
use crate::format::{Encode, csv, json, parquet, text};
use crate::id::{BatchId, JobName, SinkId};
use crate::job::FormatKind;

/// So much is encoded before it is written.
const BUFFER_BYTES: usize = 256 * 1024;

/// A sink of folders.
#[derive(Debug)]
pub(super) struct FileSink {
    id: SinkId,
    path: PathBuf,
    format: FormatKind,
    /// The run that the folder was found to belong to, or to be free for.
    checked: Mutex<Option<Arc<str>>>,
}

impl FileSink {
    /// Checks that the path can be a folder; makes nothing.
    pub(super) fn open(id: SinkId, path: &Path, format: FormatKind) -> Result<Self, SinkError> {
        if path.exists() && !path.is_dir() {
            return Err(SinkError::NotAFolder { path: path.display().to_string() });
        }
        Ok(Self { id, path: path.to_owned(), format, checked: Mutex::new(None) })
    }

    /// What says whose a folder is.
    fn label(&self, job: &JobName, run: &Arc<str>) -> Label {
        Label {
            job: job.to_string(),
            run: run.to_string(),
            sink: self.id.to_string(),
            batch: 0,
            time: String::new(),
            rows: 0,
            parts: 0,
            generation: 0,
            digest: String::new(),
        }
    }

    /// The folders of batches.
    fn batches(&self) -> Result<Vec<PathBuf>, SinkError> {
        self.entries("batch=")
    }

    /// What is in the folder under a name that begins so.
    fn entries(&self, prefix: &str) -> Result<Vec<PathBuf>, SinkError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(SinkError::io("list", &self.path))? {
            let entry = entry.map_err(SinkError::io("list", &self.path))?;
            if entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes()) {
                found.push(entry.path());
            }
        }
        Ok(found)
    }

    /// Once for a run: checks that the folder holds no output of another one, and removes what
    /// earlier owners of the run left half done. All batches are of one run, so the first and the
    /// last folder tell.
    fn check_owner(&self, label: &Label, run: &Arc<str>) -> Result<(), SinkError> {
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if checked.as_ref() == Some(run) {
            return Ok(());
        }
        let batches = self.batches()?;
        for batch in batches.iter().min().into_iter().chain(batches.iter().max()) {
            label.read_same(batch)?;
        }
        for left in self.entries(&label.staging_prefix())? {
            fs::remove_dir_all(&left).map_err(SinkError::io("clear", &left))?;
        }
        *checked = Some(Arc::clone(run));
        Ok(())
    }
}

impl Sink for FileSink {
    fn marks(&self) -> bool {
        true
    }

    fn last(&self, job: &JobName, run: &Arc<str>) -> Result<Option<LastBatch>, SinkError> {
        if !self.path.is_dir() {
            return Ok(None);
        }
        let mine = self.label(job, run);
        let Some(newest) = self.batches()?.into_iter().max() else { return Ok(None) };
        let found = mine.read_same(&newest)?;
        let (batch, generation) = (BatchId(found.batch), found.generation);
        Ok(Some(LastBatch { batch, generation, digest: found.digest() }))
    }

    fn find(
        &self,
        mark: &BatchMark,
        staged: &[u8],
    ) -> Result<Option<Box<dyn Prepared>>, SinkError> {
        let mine = self.label(&mark.job, &mark.run);
        let name = String::from_utf8_lossy(staged).into_owned();
        if !name.starts_with(&mine.staging_prefix()) || name.contains('/') {
            return Ok(None);
        }
        let path = self.path.join(name);
        // Without rows there is nothing to show, and no label.
        if !path.join(LABEL).is_file() {
            return Ok(None);
        }
        let label = mine.read_same(&path)?;
        let target = self.path.join(label.target());
        let folder = StagingFolder { path, stays: true };
        Ok(Some(Box::new(FilePrepared { folder, target, label })))
    }

    fn begin(
        &self,
        mark: &BatchMark,
        schema: SchemaRef,
        partitions: usize,
    ) -> Result<Box<dyn Staging>, SinkError> {
        let label = Label {
            batch: mark.batch.0,
            time: mark.time.to_string(),
            generation: mark.generation,
            ..self.label(&mark.job, &mark.run)
        };
        encoder(self.format, &schema)?;
        make_folder(&self.path)?;
        self.check_owner(&label, &mark.run)?;
        let target = self.path.join(label.target());
        let folder = StagingFolder { path: self.path.join(label.staging()), stays: false };
        folder.make()?;
        let (format, parts) = (self.format, Arc::default());
        Ok(Box::new(FileStaging { folder, target, label, schema, partitions, format, parts }))
    }
}

/// The output of a batch that is not visible yet.
struct FileStaging {
    folder: StagingFolder,
    target: PathBuf,
    label: Label,
    schema: SchemaRef,
    partitions: usize,
    format: FormatKind,
    /// For each part that was opened how many rows it has, once it is closed.
    parts: Arc<Mutex<BTreeMap<usize, Option<u64>>>>,
}

impl Staging for FileStaging {
    fn part(&self, partition: usize) -> Result<Box<dyn PartWriter>, SinkError> {
        let fresh = lock(&self.parts).insert(partition, None).is_none();
        if !fresh || partition >= self.partitions {
            return Err(SinkError::NoPart { part: partition });
        }
        let end = match self.format {
            FormatKind::Text => "txt",
            FormatKind::Json => "jsonl",
            FormatKind::Csv(_) => "csv",
            FormatKind::Parquet => "parquet",
        };
        Ok(Box::new(FilePart {
            number: partition,
            path: self.folder.path.join(format!("part-{partition:05}.{end}")),
            file: None,
            encoder: encoder(self.format, &self.schema)?,
            buffer: Vec::new(),
            rows: 0,
            parts: Arc::clone(&self.parts),
        }))
    }

    fn prepare(mut self: Box<Self>, digest: Digest) -> Result<Box<dyn Prepared>, SinkError> {
        for (part, rows) in &*lock(&self.parts) {
            let rows = rows.ok_or(SinkError::NotClosed { part: *part })?;
            self.label.rows += rows;
            self.label.parts += usize::from(rows > 0);
        }
        self.label.digest = digest.digits();
        if self.label.rows > 0 {
            let path = self.folder.path.join(LABEL);
            let mut text = serde_json::to_vec(&self.label)
                .map_err(|error| SinkError::io("write", &path)(error.into()))?;
            text.push(b'\n');
            let mut file = File::create(&path).map_err(SinkError::io("create", &path))?;
            file.write_all(&text).map_err(SinkError::io("write", &path))?;
            file.sync_all().map_err(SinkError::io("sync", &path))?;
            sync(&self.folder.path)?;
        }
        let Self { folder, target, label, .. } = *self;
        Ok(Box::new(FilePrepared { folder, target, label }))
    }
}

/// One file of a batch. It is made with the first row.
struct FilePart {
    number: usize,
    path: PathBuf,
    file: Option<File>,
    encoder: Box<dyn Encode>,
    buffer: Vec<u8>,
    rows: u64,
    parts: Arc<Mutex<BTreeMap<usize, Option<u64>>>>,
}

impl FilePart {
    fn flush(&mut self) -> Result<(), SinkError> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none
                .insert(File::create_new(&self.path).map_err(SinkError::io("create", &self.path))?),
        };
        file.write_all(&self.buffer).map_err(SinkError::io("write", &self.path))?;
        self.buffer.clear();
        Ok(())
    }
}

impl PartWriter for FilePart {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        self.encoder.encode(rows, &mut self.buffer)?;
        self.rows += rows.num_rows() as u64;
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn close(mut self: Box<Self>) -> Result<u64, SinkError> {
        self.encoder.finish(&mut self.buffer)?;
        if !self.buffer.is_empty() {
            self.flush()?;
        }
        if let Some(file) = &self.file {
            file.sync_all().map_err(SinkError::io("sync", &self.path))?;
        }
        lock(&self.parts).insert(self.number, Some(self.rows));
        Ok(self.rows)
    }
}

/// The output of a batch that only needs its name.
struct FilePrepared {
    folder: StagingFolder,
    target: PathBuf,
    label: Label,
}

impl Prepared for FilePrepared {
    fn staged(&self) -> Vec<u8> {
        let name = self.folder.path.file_name().unwrap_or_default();
        name.as_encoded_bytes().to_vec()
    }

    fn leave(mut self: Box<Self>) {
        self.folder.stays = true;
    }

    fn commit(mut self: Box<Self>) -> Result<Written, SinkError> {
        let rows = self.label.rows;
        if rows == 0 {
            return Ok(Written { rows, place: None, existed: false });
        }
        // From here on a record may say that it is ready.
        self.folder.stays = true;
        let existed = match rename_new(&self.folder.path, &self.target) {
            Ok(()) => false,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.folder.stays = false;
                self.label.check_same_rows(&self.label.read_same(&self.target)?)?;
                true
            }
            Err(error) => return Err(SinkError::io("rename", &self.folder.path)(error)),
        };
        if let Some(parent) = self.target.parent() {
            sync(parent)?;
        }
        Ok(Written { rows, place: Some(self.target.display().to_string()), existed })
    }
}

fn encoder(format: FormatKind, schema: &SchemaRef) -> Result<Box<dyn Encode>, SinkError> {
    Ok(match format {
        FormatKind::Text => Box::new(text::Encoder::new(schema)?),
        FormatKind::Json => Box::new(json::Encoder::new(schema)?),
        FormatKind::Csv(_) => Box::new(csv::Encoder::new(schema)?),
        FormatKind::Parquet => Box::new(parquet::Encoder::new(schema)?),
    })
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::sink::test_kit::mark;

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("word", DataType::Utf8, true)]))
    }

    fn rows(words: &[&str]) -> RecordBatch {
        let words: ArrayRef = Arc::new(StringArray::from(words.to_vec()));
        RecordBatch::try_new(schema(), vec![words]).unwrap()
    }

    const DIGEST: Digest = Digest { rows: 1, sum: 0 };

    struct Output(tempfile::TempDir);

    impl Output {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("deep/out")
        }

        fn sink(&self) -> FileSink {
            FileSink::open(SinkId::new("out"), &self.path(), FormatKind::Json).unwrap()
        }

        /// Every file below the folder with its text.
        fn files(&self) -> BTreeMap<String, String> {
            let mut files = BTreeMap::new();
            let mut folders = vec![self.path()];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                    let name =
                        entry.path().strip_prefix(self.path()).unwrap().display().to_string();
                    if entry.path().is_dir() {
                        files.insert(name, "folder".into());
                        folders.push(entry.path());
                    } else {
                        files.insert(name, fs::read_to_string(entry.path()).unwrap());
                    }
                }
            }
            files
        }

        fn names(&self) -> Vec<String> {
            self.files().into_keys().collect()
        }
    }

    /// Stages one part of one word.
    fn stage(sink: &FileSink, run: &str, batch: u64, word: &str) -> Box<dyn Prepared> {
        let staging = sink.begin(&mark(run, batch), schema(), 1).unwrap();
        let mut part = staging.part(0).unwrap();
        part.write(&rows(&[word])).unwrap();
        part.close().unwrap();
        staging.prepare(DIGEST).unwrap()
    }

    #[test]
    fn a_batch_becomes_visible_whole_with_its_label() {
        let output = Output::new();
        let sink = output.sink();
        let staging = sink.begin(&mark("r1", 42), schema(), 3).unwrap();
        for (number, words) in [(2, vec!["c"]), (1, vec![]), (0, vec!["a", "b"])] {
            let mut part = staging.part(number).unwrap();
            part.write(&rows(&words)).unwrap();
            assert_eq!(part.close().unwrap(), words.len() as u64);
        }
        assert_eq!(output.names()[0], "_staging-r1-out-00000000000000000042-g1");
        let prepared = staging.prepare(DIGEST).unwrap();
        assert!(output.names().iter().all(|name| name.starts_with("_staging")));
        let written = prepared.commit().unwrap();
        let place = output.path().join("batch=00000000000000000042").display().to_string();
        assert_eq!(written, Written { rows: 3, place: Some(place), existed: false });
        let files: Vec<(String, String)> = output.files().into_iter().collect();
        let file = |name: &str| format!("batch=00000000000000000042{name}");
        let label = concat!(
            r#"{"job":"words","run":"r1","sink":"out","batch":42,"#,
            r#""time":"2026-01-01T00:00:00.000Z","rows":3,"parts":2,"generation":1,"#,
            r#""digest":"00000000000000000000000000000000"}"#,
            "\n"
        );
        let expected = [
            (file(""), "folder".to_owned()),
            (file("/_weir.json"), label.to_owned()),
            (file("/part-00000.jsonl"), "{\"word\":\"a\"}\n{\"word\":\"b\"}\n".to_owned()),
            (file("/part-00002.jsonl"), "{\"word\":\"c\"}\n".to_owned()),
        ];
        assert_eq!(files, expected);
    }

    #[test]
    fn what_is_dropped_leaves_nothing_behind() {
        let output = Output::new();
        let sink = output.sink();
        let staging = sink.begin(&mark("r1", 1), schema(), 1).unwrap();
        let mut part = staging.part(0).unwrap();
        part.write(&rows(&["a"])).unwrap();
        part.close().unwrap();
        drop(staging);
        assert_eq!(output.names(), [""; 0]);
        drop(stage(&sink, "r1", 1, "a"));
        assert_eq!(output.names(), [""; 0]);
    }

    #[test]
    fn an_empty_batch_has_no_folder() {
        let output = Output::new();
        let sink = output.sink();
        let staging = sink.begin(&mark("r1", 1), schema(), 1).unwrap();
        staging.part(0).unwrap().close().unwrap();
        let written = staging.prepare(DIGEST).unwrap().commit().unwrap();
        assert_eq!(written, Written { rows: 0, place: None, existed: false });
        assert_eq!(output.names(), [""; 0]);
    }

    #[test]
    fn a_batch_of_the_same_run_is_not_written_twice() {
        let output = Output::new();
        stage(&output.sink(), "r1", 1, "first").commit().unwrap();
        let before = output.files();
        let written = stage(&output.sink(), "r1", 1, "second").commit().unwrap();
        assert!(written.existed);
        assert_eq!(output.files(), before);
    }

    #[test]
    fn output_of_another_run_or_sink_is_refused_at_the_first_batch() {
        let output = Output::new();
        stage(&output.sink(), "r1", 5, "a").commit().unwrap();
        let error = output.sink().begin(&mark("r2", 1), schema(), 1).err().unwrap();
        assert_eq!(error.code(), "WEIR-SINK-003");
        let message =
            "batch=00000000000000000005` holds output of another run: `r1` of job `words`";
        assert!(error.to_string().ends_with(message), "{error}");
        let other = FileSink::open(SinkId::new("other"), &output.path(), FormatKind::Json).unwrap();
        let error = other.begin(&mark("r1", 1), schema(), 1).err().unwrap();
        assert!(error.to_string().ends_with("holds output of another sink: `out`"), "{error}");
        fs::remove_file(output.path().join("batch=00000000000000000005/_weir.json")).unwrap();
        let error = output.sink().begin(&mark("r1", 1), schema(), 1).err().unwrap();
        assert!(error.to_string().contains("something else"), "{error}");
        assert_eq!(output.names().len(), 2);
    }

    #[test]
    fn what_appears_between_begin_and_commit_is_not_replaced() {
        let output = Output::new();
        let prepared = stage(&output.sink(), "r1", 1, "mine");
        stage(&output.sink(), "r2", 1, "theirs").commit().unwrap();
        let before = output.files();
        assert_eq!(prepared.commit().unwrap_err().code(), "WEIR-SINK-003");
        let staging = |name: &String| name.starts_with("_staging-r1");
        let left: BTreeMap<_, _> = before.into_iter().filter(|(name, _)| !staging(name)).collect();
        assert_eq!(output.files(), left);
    }

    #[test]
    fn what_was_ready_is_found_after_a_crash_and_what_was_not_is_removed() {
        let output = Output::new();
        let ready = stage(&output.sink(), "r1", 1, "ready");
        let name = ready.staged();
        ready.leave();
        assert!(output.sink().find(&mark("r2", 1), &name).unwrap().is_none());
        let next = output.sink();
        assert_eq!(next.last(&JobName::new("words"), &"r1".into()).unwrap(), None);
        next.find(&mark("r1", 1), &name).unwrap().unwrap().commit().unwrap();
        let last = next.last(&JobName::new("words"), &"r1".into()).unwrap().unwrap();
        assert_eq!((last.batch, last.digest.rows), (BatchId(1), 1));
        stage(&next, "r1", 2, "left").leave();
        let third = output.sink();
        let later = BatchMark { generation: 2, ..mark("r1", 2) };
        drop(third.begin(&later, schema(), 1).unwrap());
        assert!(output.names().iter().all(|name| !name.starts_with("_staging")));
    }

    #[test]
    fn a_batch_with_other_rows_is_not_taken_for_the_same() {
        let output = Output::new();
        let staged = |word: &str, sum| {
            let staging = output.sink().begin(&mark("r1", 1), schema(), 1).unwrap();
            let mut part = staging.part(0).unwrap();
            part.write(&rows(&[word])).unwrap();
            part.close().unwrap();
            staging.prepare(Digest { rows: 1, sum }).unwrap()
        };
        staged("a", 7).commit().unwrap();
        assert!(staged("a", 7).commit().unwrap().existed);
        assert_eq!(staged("b", 8).commit().unwrap_err().code(), "WEIR-SINK-005");
    }

    #[test]
    fn the_rest_of_a_killed_run_is_cleared_by_the_same_batch() {
        let output = Output::new();
        std::mem::forget(stage(&output.sink(), "r1", 1, "killed"));
        assert_eq!(output.names().len(), 3);
        stage(&output.sink(), "r1", 1, "again").commit().unwrap();
        let files = output.files();
        assert_eq!(files["batch=00000000000000000001/part-00000.jsonl"], "{\"word\":\"again\"}\n");
        assert_eq!(files.len(), 3);
    }

    #[test]
    fn text_has_its_own_name_and_is_refused_before_the_first_row_when_it_does_not_fit() {
        let output = Output::new();
        let sink = FileSink::open(SinkId::new("out"), &output.path(), FormatKind::Text).unwrap();
        let numbers = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
        assert_eq!(sink.begin(&mark("r1", 1), numbers, 1).err().unwrap().code(), "WEIR-FORMAT-010");
        stage(&sink, "r1", 1, "a").commit().unwrap();
        assert_eq!(output.files()["batch=00000000000000000001/part-00000.txt"], "a\n");
        let staging = sink.begin(&mark("r1", 2), schema(), 1).unwrap();
        let error = staging.part(0).unwrap().write(&rows(&["a\nb"])).unwrap_err();
        assert_eq!(error.code(), "WEIR-FORMAT-011");
    }

    #[test]
    fn a_path_that_is_a_file_is_refused_when_it_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        fs::write(&path, "").unwrap();
        let error = FileSink::open(SinkId::new("out"), &path, FormatKind::Json).unwrap_err();
        assert_eq!(error.code(), "WEIR-SINK-002");
    }

    #[test]
    fn a_part_that_was_not_closed_is_never_published() {
        let output = Output::new();
        let staging = output.sink().begin(&mark("r1", 1), schema(), 2).unwrap();
        let mut part = staging.part(1).unwrap();
        part.write(&rows(&["a"])).unwrap();
        drop(part);
        assert!(matches!(staging.part(1), Err(SinkError::NoPart { part: 1 })));
        assert!(matches!(staging.prepare(DIGEST), Err(SinkError::NotClosed { part: 1 })));
        assert_eq!(output.names(), [""; 0]);
    }
}
