//! The one transaction that shows a batch.

use std::path::Path;

use rusqlite::params;

use super::Label;
use super::column::Column;
use super::database::{Database, quoted};
use crate::durable::defence::{Defence, stands};
use crate::id::BatchId;
use crate::sink::SinkError;

impl Database {
    /// Adds the rows of a batch, which wait in a file, with its mark. Says whether anything was
    /// written: not if the batch is there.
    pub(super) fn commit(
        &mut self,
        label: &Label,
        table: &str,
        upsert: &[String],
        staged: Option<&Path>,
    ) -> Result<bool, SinkError> {
        if let Some(staged) = staged {
            self.attach(staged)?;
        }
        let begun = self.connection.execute_batch("BEGIN IMMEDIATE").map_err(self.refused("write"));
        let written = begun.and_then(|()| {
            let written = self.write(label, table, upsert, staged.is_some())?;
            self.connection.execute_batch("COMMIT").map_err(self.refused("commit to"))?;
            Ok(written)
        });
        if written.is_err() && !self.connection.is_autocommit() {
            // The first failure counts; the connection goes afterwards, which does the same.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        if staged.is_some() {
            // What was shown stays shown, and a connection that keeps the file is given up.
            let detached = self.connection.execute_batch("DETACH staged");
            if detached.is_err() && written.is_ok() {
                detached.map_err(self.refused("close"))?;
            }
        }
        written
    }

    /// Opens the file with the rows beside the database, but never makes it.
    fn attach(&self, staged: &Path) -> Result<(), SinkError> {
        let name = match staged.to_str() {
            Some(name) if staged.is_file() => Ok(name),
            Some(_) => Err(std::io::ErrorKind::NotFound),
            None => Err(std::io::ErrorKind::InvalidFilename),
        };
        let name = name.map_err(|kind| SinkError::io("read", staged)(kind.into()))?;
        let attached = self.connection.execute("ATTACH ?1 AS staged", [name]);
        attached.map(|_| ()).map_err(self.refused("read the rows for"))
    }

    fn write(
        &self,
        label: &Label,
        table: &str,
        upsert: &[String],
        has_rows: bool,
    ) -> Result<bool, SinkError> {
        self.make_marks()?;
        self.check_owner(label, table)?;
        if let Some(mark) = self.mark(&label.job, &label.run, &label.sink)?
            && mark.batch >= label.batch
            && stands(Defence::TableMark)
        {
            // Of an older batch nothing is known.
            if mark.batch == label.batch {
                mark.digest.check_same(label.digest(), BatchId(label.batch))?;
            }
            return Ok(false);
        }
        if has_rows {
            self.check_table(table, &label.columns)?;
            self.add_rows(label, table, upsert)?;
        }
        self.set_mark(label, table)?;
        Ok(true)
    }

    fn add_rows(&self, label: &Label, table: &str, upsert: &[String]) -> Result<(), SinkError> {
        let (failed, columns) = (|| self.refused("write"), &label.columns);
        self.connection.execute_batch(&create(columns, table, upsert)).map_err(failed())?;
        let sql = "SELECT name FROM staged.sqlite_schema WHERE type = 'table' ORDER BY name";
        let parts = || {
            let mut names = self.connection.prepare(sql)?;
            let rows = names.query_map([], |row| row.get::<_, String>(0))?;
            rows.collect::<rusqlite::Result<Vec<String>>>()
        };
        let mut moved = 0;
        // Names have their number in five digits: their order is that of the parts.
        for part in parts().map_err(failed())? {
            let count = format!("SELECT count(*) FROM staged.{}", quoted(&part));
            let rows = self.connection.query_row(&count, [], |row| row.get::<_, i64>(0));
            moved += rows.map_err(failed())?.cast_unsigned();
            let insert = insert(columns, table, upsert, &part);
            self.connection.execute(&insert, []).map_err(failed())?;
        }
        if moved == label.rows {
            return Ok(());
        }
        let message = format!(
            "{moved} rows were staged for batch {}, {} should be there",
            label.batch, label.rows
        );
        Err(SinkError::Database { doing: "write", path: self.path.display().to_string(), message })
    }

    /// Writes down the batch. The row of a newer owner is never replaced.
    fn set_mark(&self, label: &Label, table: &str) -> Result<(), SinkError> {
        // The table was found to be empty, or this sink's own: what others had of it is gone.
        let others = "DELETE FROM main.weir_commit WHERE \"table\" = ?1 COLLATE NOCASE \
                      AND (job, run, sink) <> (?2, ?3, ?4)";
        let mine = params![table, label.job, label.run, label.sink];
        self.connection.execute(others, mine).map_err(self.refused("write"))?;
        let sql = "INSERT INTO main.weir_commit \
                   (job, run, sink, \"table\", batch, generation, rows, digest, time) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (job, run, sink) \
                   DO UPDATE SET \"table\" = excluded.\"table\", batch = excluded.batch, \
                   generation = excluded.generation, rows = excluded.rows, \
                   digest = excluded.digest, time = excluded.time \
                   WHERE weir_commit.generation <= excluded.generation";
        let values = params![
            label.job,
            label.run,
            label.sink,
            table,
            label.batch.cast_signed(),
            label.generation.cast_signed(),
            label.rows.cast_signed(),
            label.digest,
            label.time,
        ];
        match self.connection.execute(sql, values).map_err(self.refused("write"))? {
            0 => {
                let (batch, generation) = (label.batch, label.generation);
                Err(SinkError::Fenced { batch, generation, by: generation + 1 })
            }
            _ => Ok(()),
        }
    }
}

fn create(columns: &[Column], table: &str, upsert: &[String]) -> String {
    let mut parts: Vec<String> = columns
        .iter()
        .map(|column| {
            let needed = if column.key { " NOT NULL" } else { "" };
            format!("{} {}{needed}", quoted(&column.name), column.holds.name())
        })
        .collect();
    if !upsert.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", names(upsert)));
    }
    format!("CREATE TABLE IF NOT EXISTS main.{} ({})", quoted(table), parts.join(", "))
}

/// What moves a part into the table, in the order of its rows: of two with one key the later stays.
fn insert(columns: &[Column], table: &str, upsert: &[String], part: &str) -> String {
    let all: Vec<&String> = columns.iter().map(|column| &column.name).collect();
    let from: Vec<String> = (0..columns.len()).map(|at| format!("c{at}")).collect();
    let mut sql = format!(
        "INSERT INTO main.{} ({}) SELECT {} FROM staged.{} WHERE true ORDER BY rowid",
        quoted(table),
        names(all),
        from.join(", "),
        quoted(part)
    );
    if !upsert.is_empty() {
        let rest = columns.iter().filter(|column| !column.key).map(|column| {
            let name = quoted(&column.name);
            format!("{name} = excluded.{name}")
        });
        let rest: Vec<String> = rest.collect();
        let change = match rest.is_empty() {
            true => "NOTHING".to_owned(),
            false => format!("UPDATE SET {}", rest.join(", ")),
        };
        sql.push_str(&format!(" ON CONFLICT ({}) DO {change}", names(upsert)));
    }
    sql
}

fn names<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| quoted(name)).collect();
    quoted.join(", ")
}
