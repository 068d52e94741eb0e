//! A table of a SQLite database: the rows of a batch and the mark that it is there become visible
//! in one transaction.
//!
//! ```text
//! folder/
//!   out.db                           the database: the user's table, and `weir_commit`
//!   out.db-weir-<run>-<sink>-<batch>-g<generation>
//!                                    rows of a batch that is not visible yet
//! ```
//!
//! Rows wait in a database file of their own, one table for each part: lanes write there without a
//! lock on the user's database, an abort is a file that is removed, and the visible transaction is
//! as short as `INSERT … SELECT`. The file is written without a journal and synced once, because
//! it counts only from then on.
//!
//! `weir_commit` has one row for each sink of a run: its last batch. A row of a newer owner fences
//! older ones off. A batch without rows writes its mark too, at the cost of one sync, so that a
//! mark that is behind always means lost rows. A table takes the output of one sink of one run.

mod column;
mod commit;
mod database;
mod staging;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};

use self::column::Column;
use self::database::Database;
use self::staging::{SqliteStaging, StagedFile};
use super::{BatchMark, Digest, LastBatch, Prepared, Sink, SinkError, Staging, Written};
use crate::id::{BatchId, JobName, SinkId};

/// A sink that writes a table.
pub(super) struct SqliteSink {
    place: Arc<Place>,
}

/// Where a sink writes.
struct Place {
    id: SinkId,
    path: PathBuf,
    table: String,
    /// Columns by which a row takes the place of an older one; none = rows are added.
    upsert: Vec<String>,
    /// The database, once it was needed.
    open: Mutex<Option<Database>>,
    /// The run whose leftovers were removed.
    cleared: Mutex<Option<Arc<str>>>,
}

/// Which batch rows belong to, and which rows: what a record has of them, and all that a commit
/// needs besides the rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Label {
    job: String,
    run: String,
    sink: String,
    batch: u64,
    generation: u64,
    time: String,
    rows: u64,
    /// The sum of the hashes of all rows, in hexadecimal.
    digest: String,
    columns: Vec<Column>,
    /// The name of the file with the rows; none if there are none.
    file: Option<String>,
}

impl SqliteSink {
    /// Checks that the path can be a database; opens nothing.
    pub(super) fn open(
        id: SinkId,
        path: &Path,
        table: &str,
        upsert: &[String],
    ) -> Result<Self, SinkError> {
        if path.is_dir() {
            return Err(SinkError::NotAFile { path: path.display().to_string() });
        }
        // SQLite has a meaning of its own for names such as `:memory:` and `file:x`.
        let special = path.as_os_str().as_encoded_bytes().contains(&b':') && path.is_relative();
        let place = Arc::new(Place {
            id,
            path: if special { Path::new(".").join(path) } else { path.to_owned() },
            table: table.to_owned(),
            upsert: upsert.to_vec(),
            open: Mutex::default(),
            cleared: Mutex::default(),
        });
        Ok(Self { place })
    }
}

/// Checks that a table can have these columns.
pub(super) fn check(schema: &SchemaRef, upsert: &[String]) -> Result<(), SinkError> {
    column::columns(schema, upsert).map(drop)
}

impl Sink for SqliteSink {
    fn marks(&self) -> bool {
        true
    }

    fn keeps_marks(&self) -> bool {
        true
    }

    fn last(&self, job: &JobName, run: &Arc<str>) -> Result<Option<LastBatch>, SinkError> {
        let mut open = lock(&self.place.open);
        let Some(database) = self.place.existing(&mut open)? else { return Ok(None) };
        let mark = database.mark(job.as_str(), run, self.place.id.as_str())?;
        Ok(mark.map(|mark| LastBatch {
            batch: BatchId(mark.batch),
            generation: mark.generation,
            digest: mark.digest,
        }))
    }

    fn find(
        &self,
        mark: &BatchMark,
        staged: &[u8],
    ) -> Result<Option<Box<dyn Prepared>>, SinkError> {
        let Ok(label) = serde_json::from_slice::<Label>(staged) else { return Ok(None) };
        let place = Arc::clone(&self.place);
        let same = *label.run == *mark.run
            && label.job == mark.job.as_str()
            && label.sink == place.id.as_str()
            && label.batch == mark.batch.0;
        let file = match &label.file {
            _ if !same => return Ok(None),
            None => None,
            // The name follows from the rest: no other file is touched.
            Some(name) if *name == place.staging_name(&label) => {
                let path = place.path.with_file_name(name);
                if !path.is_file() {
                    return Ok(None);
                }
                Some(StagedFile { path, stays: true })
            }
            Some(_) => return Ok(None),
        };
        // The new owner commits it.
        let label = Label { generation: mark.generation.max(label.generation), ..label };
        Ok(Some(Box::new(SqlitePrepared { place, label, file })))
    }

    fn begin(
        &self,
        mark: &BatchMark,
        schema: SchemaRef,
        partitions: usize,
    ) -> Result<Box<dyn Staging>, SinkError> {
        let place = &self.place;
        let columns = column::columns(&schema, &place.upsert)?;
        let label = Label {
            job: mark.job.to_string(),
            run: mark.run.to_string(),
            sink: place.id.to_string(),
            batch: mark.batch.0,
            generation: mark.generation,
            time: mark.time.to_string(),
            rows: 0,
            digest: String::new(),
            columns,
            file: None,
        };
        place.clear(mark)?;
        let mut open = lock(&place.open);
        if let Some(database) = place.existing(&mut open)? {
            database.check_owner(&label, &place.table)?;
            database.check_table(&place.table, &label.columns)?;
        }
        drop(open);
        Ok(Box::new(SqliteStaging::new(Arc::clone(place), label, partitions)))
    }
}

impl Place {
    /// The database, if there is one.
    fn existing<'a>(
        &self,
        open: &'a mut Option<Database>,
    ) -> Result<Option<&'a mut Database>, SinkError> {
        match self.path.exists() {
            true => self.database(open).map(Some),
            false => Ok(None),
        }
    }

    /// The database, which is made if there is none.
    fn database<'a>(&self, open: &'a mut Option<Database>) -> Result<&'a mut Database, SinkError> {
        Ok(match open {
            Some(database) => database,
            none => none.insert(Database::open(&self.path)?),
        })
    }

    /// What the names of its staging files begin with in a run.
    fn staging_prefix(&self, run: &str) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!("{name}-weir-{run}-{}-", self.id)
    }

    fn staging_name(&self, label: &Label) -> String {
        let prefix = self.staging_prefix(&label.run);
        format!("{prefix}{:020}-g{}", label.batch, label.generation)
    }

    /// Once for a run: removes what earlier owners of it left half done.
    fn clear(&self, mark: &BatchMark) -> Result<(), SinkError> {
        let mut cleared = lock(&self.cleared);
        if cleared.as_ref() == Some(&mark.run) {
            return Ok(());
        }
        let folder = folder_of(&self.path);
        let prefix = self.staging_prefix(&mark.run);
        match std::fs::read_dir(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(SinkError::io("list", folder)(error)),
            Ok(entries) => {
                for entry in entries {
                    let entry = entry.map_err(SinkError::io("list", folder))?;
                    if is_staging(&entry.file_name().to_string_lossy(), &prefix) {
                        let path = entry.path();
                        std::fs::remove_file(&path).map_err(SinkError::io("clear", &path))?;
                    }
                }
            }
        }
        *cleared = Some(Arc::clone(&mark.run));
        Ok(())
    }
}

/// Whether a file is one of those whose names begin so: the id of another sink may begin like it.
fn is_staging(name: &str, prefix: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let rest = name.strip_prefix(prefix).and_then(|rest| rest.split_once("-g"));
    rest.is_some_and(|(batch, generation)| digits(batch) && digits(generation))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

impl Label {
    fn digest(&self) -> Digest {
        Digest::from_digits(self.rows, &self.digest)
    }
}

/// The rows of a batch that only need to be shown.
struct SqlitePrepared {
    place: Arc<Place>,
    label: Label,
    file: Option<StagedFile>,
}

impl Prepared for SqlitePrepared {
    fn staged(&self) -> Vec<u8> {
        // A label always is JSON.
        serde_json::to_vec(&self.label).unwrap_or_default()
    }

    fn leave(mut self: Box<Self>) {
        if let Some(file) = &mut self.file {
            file.stays = true;
        }
    }

    fn commit(mut self: Box<Self>) -> Result<Written, SinkError> {
        // From here on a record may say that it is ready.
        if let Some(file) = &mut self.file {
            file.stays = true;
        }
        let path = self.file.as_ref().map(|file| file.path.clone());
        let mut open = lock(&self.place.open);
        let database = self.place.database(&mut open)?;
        let done =
            database.commit(&self.label, &self.place.table, &self.place.upsert, path.as_deref());
        let no_use = match &done {
            Ok(_) => true,
            // Nobody will ever commit it.
            Err(error) => matches!(
                error,
                SinkError::Fenced { .. }
                    | SinkError::ForeignTable { .. }
                    | SinkError::OtherRows { .. }
            ),
        };
        if done.is_err() {
            // What SQLite has of a file that could not be synced is not to be believed.
            *open = None;
        }
        if let Some(file) = &mut self.file {
            file.stays = !no_use;
        }
        let (rows, existed) = (self.label.rows, !done?);
        let place = format!("{}, table {}", self.place.path.display(), self.place.table);
        Ok(Written { rows, place: (rows > 0).then_some(place), existed })
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
