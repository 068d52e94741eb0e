//! Rows of a batch that nobody sees yet: a database file with a table for each part.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use rusqlite::Connection;

use super::column::{Cells, Column};
use super::database::{connect, refused};
use super::{Label, Place, SqlitePrepared, folder_of, lock};
use crate::sink::file::folder::{make_folder, sync};
use crate::sink::{Digest, PartWriter, Prepared, SinkError, Staging};

/// A file that goes away unless it stays.
pub(super) struct StagedFile {
    pub(super) path: PathBuf,
    pub(super) stays: bool,
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.stays {
            // Nobody could do more about a failure, and nobody reads the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The output of a batch while its rows arrive.
pub(super) struct SqliteStaging {
    place: Arc<Place>,
    label: Label,
    partitions: usize,
    shared: Arc<Mutex<Shared>>,
}

/// What the parts write to.
struct Shared {
    /// Made with the first row. The connection goes before the file does.
    open: Option<(Connection, StagedFile)>,
    path: PathBuf,
    /// For each part that was opened how many rows it has, once it is closed.
    parts: BTreeMap<usize, Option<u64>>,
}

impl SqliteStaging {
    pub(super) fn new(place: Arc<Place>, label: Label, partitions: usize) -> Self {
        let path = place.path.with_file_name(place.staging_name(&label));
        let shared = Shared { open: None, path, parts: BTreeMap::new() };
        Self { place, label, partitions, shared: Arc::new(Mutex::new(shared)) }
    }
}

impl Shared {
    fn connection(&mut self) -> Result<&Connection, SinkError> {
        let path = &self.path;
        let (connection, _) = match &mut self.open {
            Some(open) => open,
            none => {
                make_folder(folder_of(path))?;
                // What is there under this name was left by the same batch of the same owner.
                match fs::remove_file(path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(SinkError::io("clear", path)(error));
                    }
                    _ => {}
                }
                let file = StagedFile { path: path.clone(), stays: false };
                let connection = connect(path).map_err(refused("create", path))?;
                // It counts only when it is whole and synced: no journal has to bring it back.
                connection
                    .execute_batch(
                        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; \
                         PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY; BEGIN",
                    )
                    .map_err(refused("create", path))?;
                none.insert((connection, file))
            }
        };
        Ok(connection)
    }
}

impl Staging for SqliteStaging {
    fn part(&self, partition: usize) -> Result<Box<dyn PartWriter>, SinkError> {
        let fresh = lock(&self.shared).parts.insert(partition, None).is_none();
        if !fresh || partition >= self.partitions {
            return Err(SinkError::NoPart { part: partition });
        }
        Ok(Box::new(SqlitePart {
            number: partition,
            columns: self.label.columns.clone(),
            shared: Arc::clone(&self.shared),
            insert: String::new(),
            rows: 0,
        }))
    }

    fn prepare(self: Box<Self>, digest: Digest) -> Result<Box<dyn Prepared>, SinkError> {
        let Self { place, mut label, shared, .. } = *self;
        let mut shared = lock(&shared);
        for (part, rows) in &shared.parts {
            label.rows += rows.ok_or(SinkError::NotClosed { part: *part })?;
        }
        label.digest = digest.digits();
        let file = match shared.open.take() {
            None => None,
            Some((connection, file)) => {
                let failed = refused("write", &file.path);
                connection.execute_batch("COMMIT").map_err(failed)?;
                connection.close().map_err(|(_, error)| refused("write", &file.path)(error))?;
                let synced = File::open(&file.path).and_then(|it| it.sync_all());
                synced.map_err(SinkError::io("sync", &file.path))?;
                sync(folder_of(&file.path))?;
                label.file = Some(place.staging_name(&label));
                Some(file)
            }
        };
        Ok(Box::new(SqlitePrepared { place, label, file }))
    }
}

/// One part of a batch. Its table is made with the first row.
struct SqlitePart {
    number: usize,
    columns: Vec<Column>,
    shared: Arc<Mutex<Shared>>,
    /// The statement that adds a row, once the table is there.
    insert: String,
    rows: u64,
}

impl SqlitePart {
    /// Makes the table, and the statement that adds a row to it.
    fn start(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let table = format!("part_{:05}", self.number);
        // Columns without a type keep every value as it is.
        let names: Vec<String> = (0..self.columns.len()).map(|at| format!("c{at}")).collect();
        connection.execute_batch(&format!("CREATE TABLE {table} ({})", names.join(", ")))?;
        let places = vec!["?"; names.len()].join(", ");
        self.insert = format!("INSERT INTO {table} VALUES ({places})");
        Ok(())
    }
}

impl PartWriter for SqlitePart {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let cells = Cells::of(rows, &self.columns)?;
        let shared = Arc::clone(&self.shared);
        let mut shared = lock(&shared);
        let path = shared.path.clone();
        let connection = shared.connection()?;
        if self.insert.is_empty() {
            self.start(connection).map_err(refused("write", &path))?;
        }
        let mut insert = connection.prepare(&self.insert).map_err(refused("write", &path))?;
        let mut text = Vec::new();
        for row in 0..rows.num_rows() {
            let mut written = Ok(());
            for (at, cells) in cells.iter().enumerate() {
                written = written.and_then(|()| cells.bind(row, &mut insert, at + 1, &mut text));
            }
            written.and_then(|()| insert.raw_execute()).map_err(refused("write", &path))?;
        }
        self.rows += rows.num_rows() as u64;
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<u64, SinkError> {
        lock(&self.shared).parts.insert(self.number, Some(self.rows));
        Ok(self.rows)
    }
}
