//! The user's database: how it is opened, whose its tables are, and whether they fit.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use super::column::{Column, same_name};
use super::{Label, folder_of};
use crate::durable::defence::{Defence, stands};
use crate::sink::file::folder::make_folder;
use crate::sink::{Digest, SinkError};

/// So long a commit waits for somebody else's transaction.
pub(super) const BUSY: Duration = Duration::from_secs(10);

/// The table of marks.
const MARKS: &str = "CREATE TABLE IF NOT EXISTS weir_commit (job TEXT NOT NULL, \
     run TEXT NOT NULL, sink TEXT NOT NULL, \"table\" TEXT NOT NULL, batch INTEGER NOT NULL, \
     generation INTEGER NOT NULL, rows INTEGER NOT NULL, digest TEXT NOT NULL, \
     time TEXT NOT NULL, PRIMARY KEY (job, run, sink))";

/// An open database.
pub(super) struct Database {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

/// What a database says of the last batch of a sink.
pub(super) struct Mark {
    pub(super) batch: u64,
    pub(super) generation: u64,
    pub(super) digest: Digest,
}

/// What is made of an error of SQLite.
pub(super) fn refused(
    doing: &'static str,
    path: &Path,
) -> impl FnOnce(rusqlite::Error) -> SinkError + use<> {
    let path = path.display().to_string();
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            SinkError::Busy { path, seconds: BUSY.as_secs() }
        }
        _ => SinkError::Database { doing, path, message: error.to_string() },
    }
}

/// Opens a file as a database, or makes it.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
}

/// A name as it stands in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Database {
    /// Opens a database, or makes it.
    pub(super) fn open(path: &Path) -> Result<Self, SinkError> {
        let folder = folder_of(path);
        make_folder(folder)?;
        let fresh = !path.exists();
        let connection = connect(path).map_err(refused("open", path))?;
        connection.busy_timeout(BUSY).map_err(refused("open", path))?;
        // A sync for each commit. Nothing is put into folders that the job does not name.
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                 PRAGMA temp_store = MEMORY",
            )
            .map_err(refused("open", path))?;
        if fresh {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(SinkError::io("sync", folder))?;
        }
        Ok(Self { connection, path: path.to_owned() })
    }

    pub(super) fn refused(
        &self,
        doing: &'static str,
    ) -> impl FnOnce(rusqlite::Error) -> SinkError + use<> {
        refused(doing, &self.path)
    }

    /// Makes the table of marks if there is none.
    pub(super) fn make_marks(&self) -> Result<(), SinkError> {
        self.connection.execute_batch(MARKS).map_err(self.refused("write"))
    }

    fn has_table(&self, name: &str) -> Result<bool, SinkError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type IN ('table', 'view') \
                   AND name = ?1 COLLATE NOCASE)";
        self.connection.query_row(sql, [name], |row| row.get(0)).map_err(self.refused("read"))
    }

    /// The mark of a sink of a run.
    pub(super) fn mark(&self, job: &str, run: &str, sink: &str) -> Result<Option<Mark>, SinkError> {
        if !self.has_table("weir_commit")? {
            return Ok(None);
        }
        let sql = "SELECT batch, generation, rows, digest FROM main.weir_commit \
                   WHERE job = ?1 AND run = ?2 AND sink = ?3";
        let number = |row: &rusqlite::Row<'_>, at| row.get::<_, i64>(at).map(i64::cast_unsigned);
        let mark = self.connection.query_row(sql, [job, run, sink], |row| {
            let digits: String = row.get(3)?;
            let digest = Digest::from_digits(number(row, 2)?, &digits);
            Ok(Mark { batch: number(row, 0)?, generation: number(row, 1)?, digest })
        });
        mark.optional().map_err(self.refused("read"))
    }

    /// Checks that no newer owner has written, and that the table is not another sink's or run's.
    pub(super) fn check_owner(&self, label: &Label, table: &str) -> Result<(), SinkError> {
        if let Some(mark) = self.mark(&label.job, &label.run, &label.sink)?
            && mark.generation > label.generation
            && stands(Defence::TableFence)
        {
            let (generation, by) = (label.generation, mark.generation);
            return Err(SinkError::Fenced { batch: label.batch, generation, by });
        }
        if !self.has_table("weir_commit")? || !self.has_rows(table)? {
            return Ok(());
        }
        let sql = "SELECT job, run, sink FROM main.weir_commit WHERE \"table\" = ?1 COLLATE NOCASE \
                   AND (job, run, sink) <> (?2, ?3, ?4) LIMIT 1";
        let mine = params![table, label.job, label.run, label.sink];
        let text = |row: &rusqlite::Row<'_>, at| row.get::<_, String>(at);
        let other = self
            .connection
            .query_row(sql, mine, |row| Ok((text(row, 0)?, text(row, 1)?, text(row, 2)?)));
        let Some((job, run, sink)) = other.optional().map_err(self.refused("read"))? else {
            return Ok(());
        };
        let owner = match (job == label.job, run == label.run) {
            (true, true) => format!("another sink: `{sink}`"),
            _ => format!("another run: `{run}` of job `{job}`"),
        };
        let path = self.path.display().to_string();
        Err(SinkError::ForeignTable { path, table: table.to_owned(), owner })
    }

    fn has_rows(&self, table: &str) -> Result<bool, SinkError> {
        if !self.has_table(table)? {
            return Ok(false);
        }
        let sql = format!("SELECT EXISTS (SELECT 1 FROM main.{})", quoted(table));
        self.connection.query_row(&sql, [], |row| row.get(0)).map_err(self.refused("read"))
    }

    /// Checks that a table, if it is there, has these columns and no others.
    pub(super) fn check_table(&self, table: &str, columns: &[Column]) -> Result<(), SinkError> {
        if !self.has_table(table)? {
            return Ok(());
        }
        let there = self.table_columns(table)?;
        let problem = |problem: String| {
            let path = self.path.display().to_string();
            Err(SinkError::Table { path, table: table.to_owned(), problem })
        };
        for column in columns {
            let (name, holds) = (&column.name, column.holds);
            match there.iter().find(|(known, _)| same_name(known, name)) {
                None => return problem(format!("has no column `{name}` ({})", holds.name())),
                Some((_, declared)) if !holds.fits(declared) => {
                    return problem(format!(
                        "has `{name}` as {}, and the rows have {}",
                        if declared.is_empty() { "a column without a type" } else { declared },
                        holds.name()
                    ));
                }
                Some(_) => {}
            }
        }
        let unknown = |(name, _): &&(String, String)| {
            columns.iter().all(|column| !same_name(&column.name, name))
        };
        if let Some((name, _)) = there.iter().find(unknown) {
            return problem(format!("has a column `{name}`, which the rows don't have"));
        }
        let keys: Vec<&str> =
            columns.iter().filter(|it| it.key).map(|it| it.name.as_str()).collect();
        if !keys.is_empty() && !self.is_unique(table, &keys)? {
            return problem(format!("has no unique index over ({})", keys.join(", ")));
        }
        Ok(())
    }

    /// The names of the columns of a table, and as what they are declared.
    fn table_columns(&self, table: &str) -> Result<Vec<(String, String)>, SinkError> {
        let sql = "SELECT name, type FROM pragma_table_info(?1, 'main')";
        let read = || {
            let mut columns = self.connection.prepare(sql)?;
            let rows = columns.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<(String, String)>>>()
        };
        read().map_err(self.refused("read"))
    }

    /// Whether rows of a table differ in these columns.
    fn is_unique(&self, table: &str, keys: &[&str]) -> Result<bool, SinkError> {
        let names = |sql: &str, of: &str| {
            let mut names = self.connection.prepare(sql)?;
            let rows = names.query_map([of], |row| row.get::<_, Option<String>>(0))?;
            rows.collect::<rusqlite::Result<Vec<Option<String>>>>()
        };
        let same = |found: &[Option<String>]| {
            found.len() == keys.len()
                && keys.iter().all(|key| found.iter().flatten().any(|name| same_name(name, key)))
        };
        let read = || {
            if same(&names("SELECT name FROM pragma_table_info(?1, 'main') WHERE pk > 0", table)?) {
                return Ok(true);
            }
            let indexes = "SELECT name FROM pragma_index_list(?1, 'main') \
                           WHERE \"unique\" AND NOT partial";
            for index in names(indexes, table)?.into_iter().flatten() {
                if same(&names("SELECT name FROM pragma_index_info(?1, 'main')", &index)?) {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        read().map_err(self.refused("read"))
    }
}
